use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, ColorChoice, Parser, Subcommand};
use unskew_definition::WIT_VERSION;

use crate::run::pair;
use crate::{
    build, completions, config, dev, explain, export_feast, inspect, materialize, new, replay, run,
    serve, sql, test, train,
};

/// The version of this program and of the contract that it speaks.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!("{} (contract unskew:module@{WIT_VERSION})", env!("CARGO_PKG_VERSION"))
});

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  unskew new --lang python shop     begin a project in ./shop
  unskew test shop                  build it and run its golden cases
  unskew explain shop               show what its definitions come to
  unskew run shop/shop.wasm --transform rate --input events.parquet --output rates.parquet

Environment:
  UNSKEW_CACHE_DIR   the cache folder, as --cache-dir
  UNSKEW_OFFLINE     true: build without the network, as --offline
  UNSKEW_<SECTION>_<KEY>   a key of the project's configuration; see `unskew config`
  UNSKEW_LOG         what is logged to stderr, as tracing filters: `debug`, `unskew_host=trace,warn`
  NO_COLOR           any value: no colors

Exit codes:
  0    done
  1    the machine's or our own fault
  2    a mistake in what was given, or failed cases
  130  interrupted (Ctrl-C)";

/// Feature code in a sandbox: one transform, the same bytes out on every path.
///
/// Build Rust or Python functions into WebAssembly modules, test them, and run
/// them over your data, where they can do nothing but compute.
#[derive(Debug, Parser)]
#[command(
    name = "unskew",
    version = VERSION.as_str(),
    styles = STYLES,
    after_help = AFTER_HELP,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = false
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes, before or behind its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
    /// Report in JSON: one document on stdout, errors as one line on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log more to stderr, with what modules log (-vv: yet more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Write nothing to stderr but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Where toolchains, SDKs and native code are kept
    /// [default: $XDG_CACHE_HOME/unskew, else $HOME/.cache/unskew]
    #[arg(long, global = true, value_name = "DIR", env = "UNSKEW_CACHE_DIR", hide_env = true)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Build without the network
    #[arg(
        long,
        global = true,
        env = "UNSKEW_OFFLINE",
        hide_env = true,
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub(crate) offline: bool,
    /// Set a key of the project's configuration, before what its unskew.toml
    /// and the environment say; `unskew config` lists the keys
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub(crate) enum Command {
    #[command(after_help = new::EXAMPLES)]
    New(new::NewArguments),
    #[command(after_help = build::EXAMPLES)]
    Build(build::BuildArguments),
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::ExplainArguments),
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(inspect::InspectArguments),
    #[command(after_help = test::EXAMPLES)]
    Test(test::TestArguments),
    #[command(after_help = dev::EXAMPLES)]
    Dev(dev::DevArguments),
    #[command(after_help = run::EXAMPLES)]
    Run(Box<run::RunArguments>),
    #[command(after_help = sql::EXAMPLES)]
    Sql(Box<sql::SqlArguments>),
    #[command(after_help = train::EXAMPLES)]
    Train(Box<train::TrainArguments>),
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::ServeArguments),
    #[command(after_help = export_feast::EXAMPLES)]
    ExportFeast(export_feast::ExportFeastArguments),
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::ReplayArguments),
    #[command(after_help = materialize::EXAMPLES)]
    Materialize(materialize::MaterializeArguments),
    #[command(after_help = materialize::INCREMENTAL_EXAMPLES)]
    MaterializeIncremental(materialize::IncrementalArguments),
    #[command(after_help = config::EXAMPLES)]
    Config(config::ConfigArguments),
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::CompletionsArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        for line in
            [["unskew", "--json", "inspect", "m.wasm"], ["unskew", "inspect", "m.wasm", "--json"]]
        {
            assert!(Arguments::try_parse_from(line).unwrap().global.json);
        }
    }

    #[test]
    fn every_command_has_examples() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("unskew {}", command.get_name());
            assert!(help.contains(&example), "{} has no example", command.get_name());
        }
    }
}
