//! The command line `unskew`: arguments to one command, its errors to a
//! message and an exit code.
//!
//! Commands only arrange what the other rooms do, and say what came of it.
//! Reports go to stdout (with `--json` as one document), progress, log and
//! errors to stderr.

mod archived_files;
mod arguments;
mod build;
mod cases;
mod completions;
mod config;
mod context;
mod dev;
mod explain;
mod export_feast;
mod failure;
mod feature_project;
mod gate;
mod inspect;
mod interrupt;
mod logging;
mod materialize;
mod module_report;
mod new;
mod project;
mod replay;
mod run;
mod serve;
mod serve_archive;
mod serve_materialize;
mod sql;
mod stores;
mod terminal;
mod test;
mod train;

use std::process::ExitCode;

use clap::{ColorChoice, Parser as _};

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::failure::UserError;
use crate::interrupt::Interrupt;

/// Batches, requests and replies go from thread to thread, where the system's
/// allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps memory that is freed for about a second, for whoever asks next: to
/// give it back to the system and take it again costs more than most work on
/// it. `MIMALLOC_PURGE_DELAY` says otherwise.
fn keep_freed_memory() {
    /// `mi_option_purge_delay`, which the bindings do not name.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    /// Ten times as long for whole regions of memory.
    const MILLISECONDS: std::ffi::c_long = 100;
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: it sets a number, before there is another thread.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, MILLISECONDS) }
    }
}

fn main() -> ExitCode {
    keep_freed_memory();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    match start(&arguments).and_then(|context| execute(&arguments.command, &context)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, arguments.global.json),
    }
}

fn start(arguments: &Arguments) -> anyhow::Result<Context> {
    let global = &arguments.global;
    match global.color {
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        ColorChoice::Auto => {}
    }
    // The server's log is configured by its project.
    if !matches!(arguments.command, Command::Serve(_)) {
        logging::start(global.verbose, global.quiet)?;
    }
    Context::new(global, Interrupt::install()?)
}

fn execute(command: &Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::New(arguments) => new::run(arguments, context),
        Command::Build(arguments) => build::run(arguments, context),
        Command::Explain(arguments) => explain::run(arguments, context),
        Command::Inspect(arguments) => inspect::run(arguments, context),
        Command::Test(arguments) => test::run(arguments, context),
        Command::Dev(arguments) => dev::run(arguments, context),
        Command::Run(arguments) => run::run(arguments, context),
        Command::Sql(arguments) => sql::run(arguments, context),
        Command::Train(arguments) => train::run(arguments, context),
        Command::Serve(arguments) => serve::run(arguments, context),
        Command::ExportFeast(arguments) => export_feast::run(arguments, context),
        Command::Replay(arguments) => replay::run(arguments, context),
        Command::Materialize(arguments) => materialize::run(arguments, context),
        Command::MaterializeIncremental(arguments) => {
            materialize::run_incremental(arguments, context)
        }
        Command::Config(arguments) => config::run(arguments, context),
        Command::Completions(arguments) => completions::run(arguments),
    }
}

/// Says what was wrong with the arguments, or shows the help that was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    // The arguments could not be parsed, so this looks for the flag itself.
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let what = text.trim().trim_start_matches("error: ");
        return failure::report(&UserError::new(what).into(), json);
    }
    // Where stdout or stderr is gone there is nobody left to tell.
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}
