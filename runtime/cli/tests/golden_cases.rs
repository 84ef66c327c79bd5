//! `unskew test` on a module made by hand: what passes, what fails and how it
//! is shown, and which files of cases are refused.

mod shared;

use serde_json::{Value, json};
use shared::by_hand::module;
use shared::{Ran, folder, run, text};
use tempfile::TempDir;

/// Runs `cases` against the module.
fn test(cases: &str, more: &[&str]) -> Ran {
    let dir = place(cases);
    let (module, cases) = (dir.path().join("m.wasm"), dir.path().join("c.json"));
    let arguments = ["test", text(&module), "--cases", text(&cases)];
    run(arguments.iter().chain(more))
}

fn place(cases: &str) -> TempDir {
    folder(&[("m.wasm", &module()), ("c.json", cases.as_bytes())])
}

#[test]
fn good_cases_pass() {
    let ran = test(
        r#"{
            "description": "all that may be written",
            "transforms": {"double": [
                {"name": "plain", "in": 4, "out": 8},
                {"name": "named", "in": {"x": "4611686018427387904"}, "out": {"y": "-9223372036854775808"}},
                {"description": "null in, null out", "in": {"x": null}, "out": null},
                {"in": -1, "error": "negative"},
                {"in": -1, "error": "failed: neg"},
                {"in": 13, "error": "trapped"}
            ]},
            "aggregates": {"total": [
                {"rows": [], "out": 0},
                {"rows": [1, 2, {"x": 3}, null, 5, 8, 13, 21], "out": 53},
                {"rows": [1, 2, 3, 4, 5, 6], "out": 21, "tolerance": 0.5}
            ]}
        }"#,
        &[],
    )
    .succeeded();
    assert!(ran.stdout.ends_with("9 passed, 0 failed\n"), "{ran:#?}");
    assert!(ran.stdout.contains("transform double: 6 of 6 passed"), "{ran:#?}");
    assert!(ran.stdout.contains("aggregate total: 3 of 3 passed"), "{ran:#?}");
}

#[test]
fn a_failed_case_shows_both_values() {
    let cases = r#"{"transforms": {"double": [
        {"in": 1, "out": 2},
        {"name": "off by one", "in": 2, "out": 5},
        {"in": 3, "error": "negative"},
        {"in": -4, "out": -8},
        {"in": -5, "error": "positive"}
    ]}}"#;
    let ran = test(cases, &[]).refused(&[]);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "FAILED transform double, case 2 \"off by one\" alone in a fresh instance, column y expected 5 got 4",
        "case 3 alone in a fresh instance expected an error with \"negative\" got 6",
        "case 4 alone in a fresh instance expected -8 got failed: negative",
        "case 5 alone in a fresh instance expected an error with \"positive\" got failed: negative",
        "transform double: 1 of 5 passed",
    ] {
        assert!(flat.contains(part), "{part:?} is not in {flat}");
    }
    assert!(ran.stdout.ends_with("1 passed, 4 failed\n"), "{ran:#?}");
    assert_eq!(ran.stderr, "", "the report says it all");

    let document = test(cases, &["--json"]).refused(&[]).json();
    assert_eq!((&document["passed"], &document["failed"]), (&json!(1), &json!(4)));
    let failed = &document["cases"][1];
    assert_eq!((&failed["case"], &failed["name"]), (&json!(2), &json!("off by one")));
    let difference = &failed["differences"][0];
    let shown = ["column", "expected", "got"].map(|key| &difference[key]);
    assert_eq!(shown, [&json!("y"), &json!("5"), &json!("4")]);
}

#[test]
fn wrong_files_of_cases_are_refused() {
    let long =
        format!(r#"{{"transforms": {{"double": [{{"in": "{}", "out": 1}}]}}}}"#, "9".repeat(5000));
    for (cases, parts) in [
        ("", &["golden cases", "line 1"][..]),
        ("[]", &["golden cases", "c.json"]),
        (r#"{"transforms": {"triple": []}}"#, &["\"triple\"", "double"]),
        (r#"{"aggregates": {"double": []}}"#, &["aggregate \"double\"", "total"]),
        (r#"{"transforms": {"double": [{"in": 1}]}}"#, &["neither `out` nor `error`", "case 1"]),
        (r#"{"transforms": {"double": [{"in": 1, "out": 1, "error": "e"}]}}"#, &["both", "case 1"]),
        (r#"{"transforms": {"double": [{"in": {}, "out": 1}]}}"#, &["x is missing", "null"]),
        (
            r#"{"transforms": {"double": [{"in": {"z": 1}, "out": 1}]}}"#,
            &["\"z\"", "expected are x"],
        ),
        (
            r#"{"transforms": {"double": [{"in": {"x": 1, "x": 2}, "out": 1}]}}"#,
            &["\"x\" comes twice"],
        ),
        (r#"{"transforms": {"double": [{"in": 1.5, "out": 1}]}}"#, &["1.5", "int64", "case 1, in"]),
        (
            r#"{"transforms": {"double": [{"in": "9223372036854775808", "out": 1}]}}"#,
            &["9223372036854775808", "int64"],
        ),
        (r#"{"transforms": {"double": [{"in": 1, "out": {"z": 1}}]}}"#, &["\"z\"", "out"]),
        (r#"{"transforms": {"double": [{"in": 1, "out": true}]}}"#, &["true", "int64", "out"]),
        (
            r#"{"transforms": {"double": [{"in": 1, "out": 2, "tolerance": -1}]}}"#,
            &["tolerance", "case 1"],
        ),
        (
            r#"{"transforms": {"double": [{"in": 1, "out": 2, "note": ""}]}}"#,
            &["unknown field `note`"],
        ),
        (r#"{"aggregates": {"total": [{"rows": 1, "out": 2}]}}"#, &["sequence"]),
        (r#"{"aggregates": {"total": [{"rows": [1, "x"], "out": 2}]}}"#, &["rows[1]", "int64"]),
        (
            r#"{"aggregates": {"total": [{"rows": [1], "out": 1, "row_errors": {"1": "e"}}]}}"#,
            &["\"1\"", "1 rows"],
        ),
        (&long, &["int64"]),
    ] {
        let ran = test(cases, &[]).refused(parts);
        assert_eq!(ran.stdout, "", "{cases}");
        assert!(ran.stderr.len() < 2000, "{}", ran.stderr);
    }
}

#[test]
fn row_errors_that_do_not_come_are_missed() {
    let ran = test(
        r#"{"aggregates": {"total": [{"rows": [1], "out": 1, "row_errors": {"0": "negative"}}]}}"#,
        &[],
    )
    .refused(&[]);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("row 0 expected an error with \"negative\" got no error"), "{flat}");
}

#[test]
fn cases_that_are_not_there_are_missed() {
    let dir = place("{}");
    let module = dir.path().join("m.wasm");
    run(["test", text(&module)]).refused(&["--cases", "m.wasm"]);
    let missing = dir.path().join("missing.json");
    run(["test", text(&module), "--cases", text(&missing)])
        .refused(&["no golden cases", "missing.json"]);
    run(["test", text(&module), "--cases", text(dir.path())]).refused(&["cannot be read"]);
    std::fs::write(&missing, [0xff, 0xfe]).unwrap();
    run(["test", text(&module), "--cases", text(&missing)]).refused(&["UTF-8"]);
}

#[test]
fn no_cases_are_no_failure_but_are_said() {
    let ran = test("{}", &[]).succeeded();
    for name in ["double", "total"] {
        assert!(ran.stdout.contains(&format!("no case for {name}")), "{ran:#?}");
    }
    let document: Value = test("{}", &["--json"]).succeeded().json();
    assert_eq!(document["without_cases"].as_array().unwrap().len(), 2);
}

#[test]
fn a_modules_last_words_are_the_message_of_its_row() {
    let cases = r#"{"transforms": {"double": [{"in": 13, "error": "thirteen is coming"}]}}"#;
    test(cases, &[]).succeeded();
}

#[test]
fn what_a_module_logs_is_heard_with_v() {
    let cases = r#"{"transforms": {"double": [{"in": 14, "out": 28}]}}"#;
    let quiet = test(cases, &[]).succeeded();
    assert_eq!(quiet.stderr, "");
    let verbose = test(cases, &["-v"]).succeeded();
    assert!(verbose.stderr.contains("fourteen is here"), "{verbose:#?}");
    assert_eq!(verbose.stdout, quiet.stdout);
}
