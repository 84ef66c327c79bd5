//! Lets every guest loose on one host, and prints what came of it:
//!
//! ```text
//! unskew-hostile [NAME...]      all guests, or those whose names contain one of these
//! unskew-hostile slow [NAME...] the time that the slowest modules take which are still compiled
//! unskew-hostile try FILE       what a host says of a component, or of its text
//! ```

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use unskew_host::{Host, HostConfig, LoadError};
use unskew_hostile::{Report, Stopwatch, Ward, all_guests, slow_functions};

/// Time on the CPU that no guest may make the host spend: all of its attempts,
/// and the healthy call behind them.
const CPU_LIMIT: Duration = Duration::from_secs(30);

fn main() -> Result<ExitCode> {
    // The host contains a compiler that panics; what it then says is no news here.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some("unskew-compile") {
            report(panic);
        }
    }));
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.first().is_some_and(|name| name == "slow") {
        names.remove(0);
        return slow(&names);
    }
    if let [command, file] = names.as_slice()
        && command == "try"
    {
        return try_file(file);
    }
    let wanted =
        |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let guests: Vec<_> = all_guests().into_iter().filter(|guest| wanted(guest.name)).collect();
    let ward = Ward::open()?;
    let mut failed = 0;
    for guest in &guests {
        let report = ward.admit(guest);
        let is_slow = report.cpu > CPU_LIMIT;
        let is_right = report.is_right() && !is_slow;
        failed += usize::from(!is_right);
        let Report { seen, health, cpu, .. } = report;
        let seen = seen.map_or_else(|e| format!("{e:#}"), |seen| seen.line());
        let health = health.unwrap_or_else(|e| format!("SUFFERS: {e:#}"));
        let verdict = if is_right { "ok    " } else { "FAILED" };
        let expected = guest.expected.shown;
        let expected = if is_right { String::new() } else { format!(", expected {expected}") };
        let slow = if is_slow { format!(" of {} s", CPU_LIMIT.as_secs()) } else { String::new() };
        println!(
            "{verdict} {:<30} {} -> {seen}{expected} | {health}, {:.1} s CPU{slow}",
            guest.name,
            guest.tries,
            cpu.as_secs_f64(),
        );
    }
    println!("\n{} passed, {failed} failed", guests.len() - failed);
    Ok(ExitCode::from(u8::from(failed > 0 || guests.is_empty())))
}

fn try_file(path: &str) -> Result<ExitCode> {
    let component = wat::parse_bytes(&std::fs::read(path)?)?.into_owned();
    let host = Host::new(HostConfig::default())?;
    let stopwatch = Stopwatch::start();
    let loaded = host.load(&component);
    println!("{} bytes, {:.1} s CPU: {loaded:?}", component.len(), stopwatch.cpu().as_secs_f64());
    Ok(ExitCode::from(u8::from(loaded.is_err())))
}

/// Compiles what is about as slow as the limits allow.
fn slow(names: &[String]) -> Result<ExitCode> {
    for family in slow_functions() {
        if !names.is_empty() && !names.iter().any(|name| family.name.contains(name.as_str())) {
            continue;
        }
        for copies in [1, family.copies] {
            let component = family.component(family.allowed, copies);
            let host = Host::new(HostConfig::default())?;
            let stopwatch = Stopwatch::start();
            let outcome = match host.load(&component) {
                Ok(_) => "compiled".to_owned(),
                Err(LoadError::LimitExceeded { what, found, limit }) => {
                    format!("refused: {found} {what} of {limit}")
                }
                Err(error) => error.to_string(),
            };
            println!(
                "{:<24} {copies:>4} of size {:>6}, {:>9} bytes: {:6.1} s CPU, {outcome}",
                family.name,
                family.allowed,
                component.len(),
                stopwatch.cpu().as_secs_f64(),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
