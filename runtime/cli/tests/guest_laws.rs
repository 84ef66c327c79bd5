//! The law gate on aggregates that break a law, each one of its own, and on
//! some that only look as if they did.

mod shared;

use std::path::Path;

use shared::Ran;

fn build(guest: &str) -> Ran {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests").join(guest);
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("module.wasm");
    let ran = Ran::of(shared::guest_unskew().arg("build").arg(&project).arg("-o").arg(&output));
    assert!(!output.exists(), "a lawless module was written");
    ran
}

/// What is said of each aggregate that is refused, and that nothing is said of
/// the others.
fn check(ran: &Ran, refused: &[(&str, &[&str])], accepted: &[&str]) {
    let said = &ran.stderr;
    assert_eq!(ran.code, Some(2), "{said}");
    for (aggregate, parts) in refused {
        let start = format!("aggregate {aggregate} breaks a law: ");
        let from = said.find(&start).unwrap_or_else(|| panic!("{aggregate}: {said}"));
        let rest = &said[from + start.len()..];
        let of_it = &rest[..rest.find("breaks a law").unwrap_or(rest.len())];
        for part in *parts {
            assert!(of_it.contains(part), "{aggregate}: {part:?}: {of_it}");
        }
    }
    for aggregate in accepted {
        assert!(!said.contains(&format!("aggregate {aggregate} ")), "{said}");
    }
}

#[test]
fn lawless_rust_aggregates_are_refused_with_the_rows_that_show_it() {
    check(
        &build("lawless-rust"),
        &[
            ("mean_of_means", &["merge(merge(a, b), c)", "row: x = ", "a sum and a count"]),
            ("last_seen", &["merge(b, a)", "row: x = ", "a time or key kept beside it"]),
            ("float_sum", &["merge(merge(a, b), c)", "ExactSum"]),
            ("median", &["must not grow", "bytes", "sketch"]),
            ("picky", &["must read the states that it wrote", "trapped", "above 500"]),
            ("greatest", &["subtract must undo merge", "leave out subtract"]),
            ("remembers", &["row: x = ", "global variables"]),
        ],
        &["most_frequent", "mean_cents", "top_ten", "takes_nothing"],
    );
}

#[test]
fn lawless_python_aggregates_are_refused_with_the_rows_that_show_it() {
    check(
        &build("lawless-python"),
        &[
            ("mean_of_means", &["merge(merge(a, b), c)", "row: x = "]),
            ("last_seen", &["merge(b, a)"]),
            ("float_sum", &["merge(merge(a, b), c)", "ExactSum"]),
            ("median", &["must not grow"]),
            ("picky", &["must read the states that it wrote", "more than 20 bytes"]),
            ("remembers", &["global variables"]),
        ],
        &["spread"],
    );
}
