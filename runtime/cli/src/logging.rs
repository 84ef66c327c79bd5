use anstream::ColorChoice;
use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::context::Context;
use crate::failure::UserError;

/// The variable that says what is logged, in the form of `tracing`'s filters.
const VARIABLE: &str = "UNSKEW_LOG";

/// Sends the server's log to stderr. `-v`, `-q` and `UNSKEW_LOG` go before the
/// level that the configuration gives.
pub(crate) fn start_serving(level: &str, as_json: bool, context: &Context) -> anyhow::Result<()> {
    let asked = context.verbosity > 0
        || context.quiet
        || std::env::var(VARIABLE).is_ok_and(|text| !text.is_empty());
    let filter = match asked {
        true => filter(context.verbosity, context.quiet)?,
        false => EnvFilter::builder().parse(level).map_err(|error| {
            UserError::new(format!("serve.log_level is not a log filter: {error}"))
                .at(format!("serve.log_level = {level:?}"))
                .help("write a level, or targets with levels: `debug`, `unskew_online=debug,warn`")
        })?,
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match as_json {
        true => log.json().try_init(),
        false => {
            let color = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            log.with_ansi(color).try_init()
        }
    };
    started.map_err(anyhow::Error::from_boxed).context("logging could not be started")
}

/// Sends log messages to stderr: warnings, or what `-v` or `UNSKEW_LOG` ask for.
pub(crate) fn start(verbosity: u8, quiet: bool) -> anyhow::Result<()> {
    let filter = filter(verbosity, quiet)?;
    let color = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .try_init()
        .map_err(anyhow::Error::from_boxed)
        .context("logging could not be started")
}

fn filter(verbosity: u8, quiet: bool) -> anyhow::Result<EnvFilter> {
    Ok(match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => EnvFilter::builder().parse(&text).map_err(|error| {
            UserError::new(format!("{VARIABLE} is not a log filter: {error}"))
                .at(format!("{VARIABLE}={text}"))
                .help("write a level, or targets with levels: `debug`, `unskew_host=trace,warn`")
        })?,
        _ => EnvFilter::new(match (quiet, verbosity) {
            (true, _) => "error",
            (false, 0) => "warn",
            // A prefix: all our rooms, and what modules log.
            (false, 1) => "info,unskew=debug",
            (false, _) => "debug,unskew=trace",
        }),
    })
}
