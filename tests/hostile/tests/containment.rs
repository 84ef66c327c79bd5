//! What `make hostile` prints, as tests: one for each guest. They share a host
//! and look at their whole process, so they come one by one, which cargo's own
//! harness would not do.

use std::process::ExitCode;

use unskew_hostile::{Guest, Report, Ward, all_guests};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |guest: &Guest| {
        filters.is_empty() || filters.iter().any(|filter| guest.name.contains(filter.as_str()))
    };
    let (wanted, others): (Vec<_>, Vec<_>) = all_guests().into_iter().partition(is_wanted);
    if words.iter().any(|word| word == "--list") {
        for guest in &wanted {
            println!("{}: test", guest.name);
        }
        return ExitCode::SUCCESS;
    }
    let ward = Ward::open().expect("a host with a healthy module");
    println!("\nrunning {} tests", wanted.len());
    let mut failed = 0;
    for guest in &wanted {
        let report = ward.admit(guest);
        if report.is_right() {
            println!("test {} ... ok", guest.name);
            continue;
        }
        failed += 1;
        let Report { seen, health, .. } = report;
        let seen = seen.map_or_else(|e| format!("{e:#}"), |seen| seen.line());
        let health = health.unwrap_or_else(|e| format!("SUFFERS: {e:#}"));
        let expected = guest.expected.shown;
        println!("test {} ... FAILED\n    {seen}, expected {expected}; {health}", guest.name);
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out",
        if failed == 0 { "ok" } else { "FAILED" },
        wanted.len() - failed,
        others.len(),
    );
    ExitCode::from(u8::from(failed > 0))
}
