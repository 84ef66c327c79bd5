//! Lets every guest loose on one host, and prints what came of it:
//!
//! ```text
//! unskew-hostile [NAME...]      all guests, or those whose names contain one of these
//! unskew-hostile slow [NAME...] the time that the slowest modules take which are still compiled
//! ```

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use unskew_host::{Host, HostConfig, LoadError};
use unskew_hostile::{Report, Ward, all_guests, slow_functions};

fn main() -> Result<ExitCode> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.first().is_some_and(|name| name == "slow") {
        names.remove(0);
        return slow(&names);
    }
    let wanted =
        |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let guests: Vec<_> = all_guests().into_iter().filter(|guest| wanted(guest.name)).collect();
    let ward = Ward::open()?;
    let mut wrong = 0;
    for guest in &guests {
        let start = Instant::now();
        let report = ward.admit(guest);
        let right = report.is_right();
        wrong += usize::from(!right);
        let Report { seen, health, .. } = report;
        let seen = seen.map_or_else(|e| format!("{e:#}"), |seen| seen.line());
        let health = health.unwrap_or_else(|e| format!("SUFFERS: {e:#}"));
        let verdict = if right { "ok   " } else { "WRONG" };
        let seconds = start.elapsed().as_secs_f64();
        println!("{verdict} {:<32} {} -> {seen}", guest.name, guest.tries);
        if !right {
            println!("      expected {}", guest.expected.shown);
        }
        println!("      {health}; {seconds:.1} s");
    }
    println!("\n{} guests, {wrong} not contained", guests.len());
    Ok(ExitCode::from(u8::from(wrong > 0 || guests.is_empty())))
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
            let start = Instant::now();
            let outcome = match host.load(&component) {
                Ok(_) => "compiled".to_owned(),
                Err(LoadError::LimitExceeded { what, found, limit }) => {
                    format!("refused: {found} {what} of {limit}")
                }
                Err(error) => error.to_string(),
            };
            println!(
                "{:<24} {copies:>4} of size {:>6}, {:>9} bytes: {:6.1} s, {outcome}",
                family.name,
                family.allowed,
                component.len(),
                start.elapsed().as_secs_f64(),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
