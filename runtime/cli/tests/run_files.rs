//! `unskew run` as a user or a script meets it: files, messages, exit codes,
//! Ctrl-C and a full disk.

mod shared;

use std::fs;
use std::path::Path;

use shared::by_hand::{module, unruly_module};
use shared::{folder, run, text};

/// The names of the files in a folder, hidden ones too.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs `unskew run` with relative names in a folder.
fn run_in(dir: &Path, line: &str) -> shared::Ran {
    shared::Ran::of(shared::unskew().current_dir(dir).arg("run").args(line.split(' ')))
}

#[test]
fn a_file_goes_through_a_transform() {
    let dir = folder(&[("m.wasm", &module()), ("in.csv", b"id,x\n1,5\n2,-3\n3,13\n4,\n")]);
    let dir = dir.path();
    let ran =
        run_in(dir, "m.wasm --transform double --input in.csv --output out.csv --errors bad.jsonl");
    let ran = ran.succeeded();
    for part in
        ["double: 4 rows", "y: int64, 3 nulls, from 10 to 10", "2 rows failed: 1 failed, 1 trapped"]
    {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
    assert!(!ran.stderr.contains('%'), "no progress bar where nobody looks: {ran:#?}");
    assert_eq!(
        fs::read_to_string(dir.join("out.csv")).unwrap(),
        "id,x,y\n1,5,10\n2,-3,\n3,13,\n4,,\n"
    );
    let errors = fs::read_to_string(dir.join("bad.jsonl")).unwrap();
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"row":1,"transform":"double","status":"failed","message":"negative"}"#
    );
    assert!(lines[1].starts_with(r#"{"row":2,"transform":"double","status":"trapped","message":"#));
    assert_eq!(lines.len(), 2);
}

#[test]
fn the_report_is_json_for_programs() {
    let dir = folder(&[("m.wasm", &module()), ("in.csv", b"x\n5\n-3\n")]);
    let document =
        run_in(dir.path(), "m.wasm --json -t double -i in.csv -o out.parquet").succeeded().json();
    assert_eq!(document["rows"], 2);
    assert_eq!(document["failed_by_status"]["failed"], 1);
    assert_eq!(document["outputs"][0]["max"], 10);
    assert!(document["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(document["calls"]["calls"].as_u64().unwrap() > 0);
    let refused = run_in(dir.path(), "m.wasm --json -t double -i no.csv -o out.parquet");
    let error: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(error["error"]["exit_code"], 2);
    assert!(error["error"]["what"].as_str().unwrap().contains("no.csv"));
}

#[test]
fn options_reach_the_job() {
    let dir = folder(&[("m.wasm", &module()), ("in.csv", b"a,b,v\n1,2,5\n1,2,-5\n")]);
    let dir = dir.path();
    run_in(
        dir,
        "m.wasm -i in.csv -o out.jsonl -c x=v --select b,v --type b=float64 --output-column y=twice --on-error default --default y=-1 --threads 2",
    )
    .succeeded();
    // Text to text: what is kept of CSV in JSON has the types that are known.
    assert_eq!(
        fs::read_to_string(dir.join("out.jsonl")).unwrap(),
        "{\"b\":2.0,\"v\":5,\"twice\":10}\n{\"b\":2.0,\"v\":-5,\"twice\":-1}\n"
    );
}

#[test]
fn mistakes_are_refused_with_exit_code_2_and_no_output() {
    let files: [(&str, &[u8]); 5] = [
        ("m.wasm", &module()),
        ("unruly.wasm", &unruly_module()),
        ("in.csv", b"x,t\n5,a\n-3,b\n"),
        ("bad.csv", b"x\n1.5\n"),
        ("fake.parquet", b"x\n1.5\n"),
    ];
    let dir = folder(&files);
    let dir = dir.path();
    let before = names(dir);
    for (line, parts) in [
        (
            "m.wasm -t half -i in.csv -o out.csv",
            &["module by_hand has no transform \"half\"; it has double"][..],
        ),
        ("m.wasm -t total -i in.csv -o out.csv", &["total is an aggregate"]),
        (
            "unruly.wasm -i in.csv -o out.csv",
            &["several transforms", "--transform: double, counted"],
        ),
        ("no.wasm -t double -i in.csv -o out.csv", &["no such module"]),
        ("in.csv -t double -i in.csv -o out.csv", &["not a WebAssembly component"]),
        (
            "m.wasm -t double -i bad.csv -o out.csv",
            &["bad.csv, line 2, column \"x\"", "is no int64"],
        ),
        (
            "m.wasm -t double -i in.csv -o out.csv -c x=t",
            &["in.csv, line 2, column \"t\": \"a\" is no int64"],
        ),
        ("m.wasm -t double -i in.csv -o out.csv -c x=z", &["no column \"z\"; the columns: x, t"]),
        ("m.wasm -t double -i in.csv -o out.csv -c z=x", &["no argument \"z\"; its arguments: x"]),
        (
            "m.wasm -t double -i fake.parquet -o out.csv",
            &["fake.parquet", "no Parquet file; it looks like text"],
        ),
        ("m.wasm -t double -i in.csv -o in.csv", &["would overwrite the input"]),
        ("m.wasm -t double -i in.csv -o no/out.csv", &["cannot be created"]),
        ("m.wasm -t double -i in.csv -o out.xls", &["what format is it?", "--output-format"]),
        (
            "m.wasm -t double -i in.csv -o out.csv --on-error fail",
            &["row 1", "failed: negative", "no output was written"],
        ),
        (
            "m.wasm -t double -i in.csv -o out.csv --max-errors 0",
            &["more than 0 rows failed", "row 1: failed: negative"],
        ),
        ("m.wasm -t double -i in.csv -o out.csv --on-error default", &["none is given"]),
        (
            "m.wasm -t double -i in.csv -o out.csv --default y=1",
            &["a default is given, but failed rows get null"],
        ),
        (
            "m.wasm -t double -i in.csv -o out.csv --on-error default --default y=x",
            &["output y: \"x\" is no int64"],
        ),
        ("m.wasm -t double -i in.csv -o out.csv --on-error skip", &["null, fail or default"]),
        ("m.wasm -t double -i in.csv -o out.csv --type t=int", &["unknown type"]),
        ("m.wasm -t double -i in.csv -o out.csv --threads 0", &["--threads"]),
        ("m.wasm -t double -o out.csv", &["--input"]),
    ] {
        let ran = run_in(dir, line).refused(parts);
        assert_eq!(ran.stdout, "", "{line}");
        assert_eq!(names(dir), before, "{line}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_job_leaves_nothing_and_ends_with_130() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    for signal in ["-INT", "-TERM"] {
        let dir = folder(&[("m.wasm", &module())]);
        let dir = dir.path();
        let pipe = dir.join("in.csv");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let line = "run m.wasm -t double -i in.csv -o out.csv --errors bad.csv";
        let child = shared::unskew()
            .current_dir(dir)
            .args(line.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Opening the pipe waits for the reader; a pipe that stays open is a
        // file that has no end yet.
        let mut input = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        input.write_all(b"x\n").unwrap();
        for row in 0..100_000 {
            writeln!(input, "{row}").unwrap();
        }
        let begun = || names(dir).iter().filter(|name| name.ends_with(".tmp")).count() == 2;
        while !begun() {
            std::thread::yield_now();
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        assert_eq!(names(dir), ["in.csv", "m.wasm"], "{signal}");
        drop(input);
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    use std::process::Command;

    let rows: String = (0..200_000).map(|row| format!("{row}\n")).collect();
    let dir = folder(&[("m.wasm", &module()), ("in.csv", format!("x\n{rows}").as_bytes())]);
    let dir = dir.path();
    // Compiles the module into the cache, while that may still grow.
    run(["inspect", text(&dir.join("m.wasm"))]).succeeded();
    let before = names(dir);
    for output in ["out.csv", "out.parquet"] {
        let program = env!("CARGO_BIN_EXE_unskew");
        let script = format!("ulimit -f 100; exec '{program}' run m.wasm -i in.csv -o {output}");
        let mut command = Command::new("sh");
        let command = command
            .args(["-c", &script])
            .current_dir(dir)
            .env("UNSKEW_CACHE_DIR", shared::cache_dir());
        let ran = shared::Ran::of(command);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let wanted =
            format!("{output}: cannot be written: the file would be larger than the system allows");
        assert!(ran.stderr.contains(&wanted), "{ran:#?}");
        assert!(ran.stderr.contains("nothing of it was kept: make room"), "{ran:#?}");
        assert_eq!(names(dir), before);
    }
}
