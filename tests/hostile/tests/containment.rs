//! The table that `make hostile` prints, as a test.

use unskew_hostile::{Ward, all_guests};

#[test]
fn every_guest_is_contained() {
    let ward = Ward::open().unwrap();
    let mut wrong = Vec::new();
    for guest in all_guests() {
        let report = ward.admit(&guest);
        if !report.is_right() {
            let seen = report.seen.map_or_else(|e| format!("{e:#}"), |seen| seen.line());
            let health = report.health.unwrap_or_else(|e| format!("SUFFERS: {e:#}"));
            let expected = guest.expected.shown;
            wrong.push(format!("{}: {seen} where {expected} was expected; {health}", guest.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
