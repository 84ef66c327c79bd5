//! Arguments, help, and the form of errors.

mod shared;

use serde_json::Value;
use shared::{Ran, folder, run, text, unskew};

#[test]
fn help_documents_global_options_and_commands() {
    let help = run(["help"]).succeeded().stdout;
    for part in [
        "--json",
        "--verbose",
        "--quiet",
        "--color",
        "--cache-dir",
        "--offline",
        "UNSKEW_LOG",
        "UNSKEW_CACHE_DIR",
        "new",
        "build",
        "inspect",
        "test",
        "dev",
        "run",
        "completions",
        "130",
    ] {
        assert!(help.contains(part), "{part} is not in the help");
    }
    for command in ["new", "build", "inspect", "test", "dev", "run", "completions"] {
        let help = run([command, "--help"]).succeeded().stdout;
        assert!(help.contains("Examples:"), "{command} has no examples");
        assert!(help.contains("--json"), "{command} hides the global options");
    }
}

#[test]
fn the_version_names_the_contract() {
    let version = run(["--version"]).succeeded().stdout;
    assert!(
        version.starts_with("unskew 0.") && version.contains("unskew:module@1.0.0"),
        "{version}"
    );
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(["completions", shell]).succeeded().stdout;
        for part in ["inspect", "cache-dir"] {
            assert!(script.contains(part), "{shell} does not complete {part}");
        }
    }
    run(["completions", "csh"]).refused(&["csh", "possible values"]);
}

#[test]
fn wrong_arguments_are_the_users_mistake() {
    run(["frobnicate"]).refused(&["frobnicate", "Usage"]);
    run(["inspect"]).refused(&["required arguments"]);
    run(["new", "--lang", "cobol", "shop"]).refused(&["cobol", "rust", "python"]);
    run(["-v", "-q", "inspect", "m.wasm"]).refused(&["cannot be used with"]);
    assert_eq!(run([] as [&str; 0]).code, Some(2));
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let ran = run(["inspect", "missing.wasm"]).refused(&[]);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[..2], ["error: no such module", "  missing.wasm"]);
    assert!(lines[2].starts_with("  help: "), "{lines:?}");
    assert_eq!(ran.stdout, "");
}

#[test]
fn with_json_an_error_is_one_line_of_json() {
    for arguments in [["--json", "inspect", "missing.wasm"], ["frobnicate", "--json", "x"]] {
        let ran = run(arguments).refused(&[]);
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"]["exit_code"], 2);
        assert!(!error["error"]["what"].as_str().unwrap().is_empty());
        assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""));
    }
    let ran = run(["--json", "inspect", "missing.wasm"]);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"]["where"], "missing.wasm");
}

#[test]
fn the_cache_may_lie_anywhere_it_can_be_written() {
    let dir = folder(&[("m.wasm", &shared::by_hand::module()), ("file", b"")]);
    let (module, cache) = (dir.path().join("m.wasm"), dir.path().join("a/b"));
    run(["inspect", text(&module), "--cache-dir", text(&cache)]).succeeded();
    assert!(cache.join("native").is_dir());
    // A file in its place.
    let file = dir.path().join("file");
    run(["inspect", text(&module), "--cache-dir", text(&file)]).refused(&[
        "cache",
        text(&file),
        "--cache-dir",
    ]);
    let nowhere = Ran::of(
        unskew()
            .args(["inspect", text(&module)])
            .env_remove("UNSKEW_CACHE_DIR")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("HOME"),
    );
    nowhere.refused(&["HOME is not set", "UNSKEW_CACHE_DIR"]);
}

#[test]
fn a_wrong_log_filter_is_named() {
    let ran = Ran::of(unskew().args(["inspect", "m.wasm"]).env("UNSKEW_LOG", "host=loud"));
    ran.refused(&["UNSKEW_LOG", "host=loud"]);
}

#[test]
fn colors_come_when_they_are_asked_for() {
    let plain = run(["inspect", "missing.wasm"]);
    assert!(!plain.stderr.contains('\x1b'));
    let colored = Ran::of(
        unskew().args(["inspect", "missing.wasm", "--color", "always"]).env_remove("NO_COLOR"),
    );
    assert!(colored.stderr.contains('\x1b'), "{colored:?}");
}
