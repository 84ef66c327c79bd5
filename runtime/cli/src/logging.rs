use anstream::ColorChoice;
use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::failure::UserError;

/// The variable that says what is logged, in the form of `tracing`'s filters.
const VARIABLE: &str = "UNSKEW_LOG";

/// Sends log messages to stderr: warnings, or what `-v` or `UNSKEW_LOG` ask for.
pub(crate) fn start(verbosity: u8, quiet: bool) -> anyhow::Result<()> {
    let filter = match std::env::var(VARIABLE) {
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
    };
    let color = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .try_init()
        .map_err(anyhow::Error::from_boxed)
        .context("logging could not be started")
}
