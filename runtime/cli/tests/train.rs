//! `unskew train` over definitions in YAML, events and labels in text files,
//! and everything that can be wrong with them. No guest toolchain is needed.

mod shared;

use std::fs;
use std::path::Path;

use shared::{Ran, folder, run, text};

const SHOP: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: orders
    fields:
      - {name: user_id, type: utf8, nullable: true, column: uid}
      - {name: amount, type: float64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
    files: [\"events/*.csv\"]
  - name: checkout
    kind: request
    fields: [{name: price, type: float64, nullable: true}]
feature_views:
  - name: spend
    entities: [user]
    source: orders
    aggregates:
      - {name: total, function: sum, column: amount, over: {size: 1d, hop: 1h}}
      - {name: n, function: count, over: {size: 1d, hop: 1h}}
    features: [{name: total, default: -1.0}, {name: n}]
on_demand_feature_views:
  - name: check
    inputs: {price: \"checkout:price\", total: \"spend:total\"}
    transforms: [{sql: {ratio: price / total}}]
feature_services:
  - {name: fraud, features: [spend]}
  - {name: at_checkout, features: [\"check:ratio\"]}
";

const EVENTS: &str = "\
uid,amount,ts
u1,0.1,2026-01-01T10:00:00Z
u1,0.2,2026-01-01T12:00:00+01:00
u2,5,2026-01-01T09:00:00
u1,0.3,2026-01-01T11:30:00Z
,7,2026-01-01T11:00:00Z
u2,1,yesterday
";

const LABELS: &str = "\
user_id,event_timestamp,price,label
u1,2026-01-01T11:15:00Z,3,yes
u1,2026-01-01T13:30:00+02:00,3,no
u2,2026-01-03T00:00:00Z,3,no
u9,2026-01-01T11:15:00Z,,no
";

fn shop() -> tempfile::TempDir {
    folder(&[
        ("shop.yaml", SHOP.as_bytes()),
        ("events/orders.csv", EVENTS.as_bytes()),
        ("labels.csv", LABELS.as_bytes()),
    ])
}

fn train(dir: &Path, more: &[&str]) -> Ran {
    let labels = dir.join("labels.csv");
    let mut arguments = vec!["train", "--project", text(dir)];
    if !more.contains(&"--labels") {
        arguments.extend(["--labels", text(&labels)]);
    }
    arguments.extend(more);
    run(arguments)
}

#[test]
fn labels_get_what_was_known_at_their_time() {
    let dir = shop();
    let output = dir.path().join("training.csv");
    let ran = train(dir.path(), &["--service", "fraud", "--output", text(&output), "--statuses"]);
    let said = ran.succeeded().stdout;
    assert_eq!(
        fs::read_to_string(&output).unwrap(),
        "\
user_id,event_timestamp,price,label,total,total__status,n,n__status
u1,2026-01-01T11:15:00Z,3,yes,0.30000000000000004,PRESENT,2,PRESENT
u1,2026-01-01T13:30:00+02:00,3,no,0.6,PRESENT,3,PRESENT
u2,2026-01-03T00:00:00Z,3,no,-1.0,NOT_FOUND,,NOT_FOUND
u9,2026-01-01T11:15:00Z,,no,-1.0,NOT_FOUND,,NOT_FOUND
"
    );
    for part in [
        "4 labels",
        "1 left out: event_timestamp",
        "yesterday",
        "join_key:spend",
        "warning: 1 of 4",
    ] {
        assert!(said.contains(part), "{part:?} is not said:\n{said}");
    }
}

#[test]
fn the_order_and_the_files_of_events_change_no_byte() {
    let dir = shop();
    let output = |name: &str| dir.path().join(name);
    train(dir.path(), &["--service", "fraud", "--output", text(&output("a.parquet"))]).succeeded();
    let mut lines: Vec<&str> = EVENTS.lines().collect();
    let header = lines.remove(0);
    lines.reverse();
    let (late, early) = lines.split_at(2);
    for (name, lines) in [("events/orders.csv", late), ("events/more.csv", early)] {
        fs::write(dir.path().join(name), format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    }
    train(dir.path(), &["--service", "fraud", "--output", text(&output("b.parquet"))]).succeeded();
    assert_eq!(fs::read(output("a.parquet")).unwrap(), fs::read(output("b.parquet")).unwrap());
}

#[test]
fn on_demand_features_read_the_request_from_the_labels() {
    let dir = shop();
    let output = dir.path().join("training.jsonl");
    let words = ["--service", "at_checkout", "--output", text(&output), "--full-feature-names"];
    train(dir.path(), &words).succeeded();
    let lines = fs::read_to_string(&output).unwrap();
    // A default travels on, a status does not: -3.0 for the user without orders in sight.
    let ratios: Vec<&str> =
        lines.lines().map(|line| line.rsplit_once("\"check__ratio\":").unwrap().1).collect();
    assert_eq!(ratios, ["9.999999999999998}", "5.0}", "-3.0}", "null}"]);
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_written() {
    let dir = shop();
    let output = dir.path().join("training.csv");
    let bad = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let no_key = bad("no_key.csv", "user,event_timestamp\nu1,2026-01-01T00:00:00Z\n");
    let no_time = bad("no_time.csv", "user_id,event_timestamp\nu1,\n");
    let wrong_time = bad("wrong_time.csv", "user_id,event_timestamp\nu1,soon\n");
    let taken = bad("taken.csv", "user_id,event_timestamp,n\nu1,2026-01-01T00:00:00Z,1\n");
    let other = text(&output);
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--service", "fraude"], &["no feature service fraude", "fraud"]),
        (&["--service", "fraud", "--source", "order=x"], &["no source order", "orders"]),
        (&["--service", "fraud", "--source", "orders=nowhere.csv"], &["orders", "nowhere.csv"]),
        (
            &["--service", "fraud", "--label-time", "when"],
            &["\"when\"", "event_timestamp", "--label-time"],
        ),
        (&["--service", "fraud", "--column", "usr=uid"], &["usr", "user_id"]),
        (&["--service", "fraud", "--labels", text(&no_key)], &["user_id", "the columns are user"]),
        (
            &["--service", "fraud", "--labels", text(&no_time)],
            &["row 0", "event_timestamp", "null"],
        ),
        (&["--service", "fraud", "--labels", text(&wrong_time)], &["row 0", "soon"]),
        (&["--service", "fraud", "--labels", text(&taken)], &["\"n\"", "--full-feature-names"]),
    ];
    for (words, parts) in cases {
        let words: Vec<&str> = words.iter().copied().chain(["--output", other]).collect();
        train(dir.path(), &words).refused(parts);
        assert!(!output.exists(), "{words:?} left an output");
    }
    fs::write(dir.path().join("events/orders.csv"), "uid,amount\nu1,1\n").unwrap();
    train(dir.path(), &["--service", "fraud", "--output", other]).refused(&[
        "orders.csv",
        "\"ts\"",
        "uid, amount",
    ]);
    let refusing = SHOP.replace("    files:", "    bad_rows: refuse\n    files:");
    fs::write(dir.path().join("shop.yaml"), refusing).unwrap();
    fs::write(dir.path().join("events/orders.csv"), EVENTS).unwrap();
    train(dir.path(), &["--service", "fraud", "--output", other]).refused(&[
        "orders.csv",
        "row 5",
        "yesterday",
        "bad_rows",
    ]);
    assert!(!output.exists());
}

/// The output's disk, and that of temporary files: both are named.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_is_named_and_nothing_is_left() {
    use std::fmt::Write as _;
    let dir = shop();
    let mut events = String::from("uid,amount,ts\n");
    let mut labels = String::from("user_id,event_timestamp,note\n");
    for i in 0..60_000 {
        let time = format!("2026-01-{:02}T{:02}:{:02}:00", i % 28 + 1, i % 24, i % 60);
        let _ = writeln!(events, "u{},{i},{time}", i % 5000);
        let _ = writeln!(labels, "u{},{time},{:x}", i % 5000, i * 2_654_435_761_u64);
    }
    fs::write(dir.path().join("events/orders.csv"), events).unwrap();
    fs::write(dir.path().join("labels.csv"), labels).unwrap();
    let temp = dir.path().join("temp");
    fs::create_dir(&temp).unwrap();
    let program = shared::unskew();
    let ran = |blocks: u32, memory: &str, output: &str| {
        let line = format!(
            "ulimit -f {blocks}; exec {} train --project {dir} --labels {dir}/labels.csv --service fraud --output {dir}/{output} --memory-limit {memory} --temp-dir {dir}/temp",
            program.get_program().to_str().unwrap(),
            dir = text(dir.path()),
        );
        Ran::of(std::process::Command::new("sh").args(["-c", &line]).env("NO_COLOR", "1"))
    };
    for (blocks, memory, output, part) in [
        (200, "1MiB", "out.csv", "temp"),
        (2_000, "64MiB", "out.csv", "out.csv"),
        (2_000, "64MiB", "out.jsonl", "out.jsonl"),
    ] {
        let ran = ran(blocks, memory, output);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains("ulimit -f") && ran.stderr.contains(part), "{ran:#?}");
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["events", "labels.csv", "shop.yaml", "temp"], "{blocks}");
        assert_eq!(fs::read_dir(&temp).unwrap().count(), 0);
    }
}

#[test]
fn a_training_set_is_not_written_over_what_it_is_made_of() {
    let dir = shop();
    for file in ["labels.csv", "events/orders.csv"] {
        let path = dir.path().join(file);
        let before = fs::read(&path).unwrap();
        train(dir.path(), &["--service", "fraud", "--output", text(&path)])
            .refused(&["would overwrite", file]);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn labels_may_come_through_a_pipe() {
    use std::io::Write as _;
    let dir = shop();
    let output = dir.path().join("piped.csv");
    // The name of a pipe tells its format, as that of a file does.
    let pipe = dir.path().join("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::File::options().write(true).open(pipe)?.write_all(LABELS.as_bytes())
    });
    let pipe = text(&pipe).to_owned();
    train(dir.path(), &["--service", "fraud", "--output", text(&output), "--labels", &pipe])
        .succeeded();
    writer.join().unwrap().unwrap();
    let whole = dir.path().join("whole.csv");
    train(dir.path(), &["--service", "fraud", "--output", text(&whole)]).succeeded();
    assert_eq!(fs::read(&output).unwrap(), fs::read(&whole).unwrap());
    let manifest = dir.path().join("piped.csv.manifest.json");
    let again = dir.path().join("again.csv");
    run(["train", "--from-manifest", text(&manifest), "--output", text(&again)]).refused(&["pipe"]);
}

/// The message counts labels as their file does, however they were divided.
#[test]
fn a_view_that_stops_names_the_row_or_the_label() {
    let dir = shop();
    let stops = SHOP.replace(
        "    features: [{name: total, default: -1.0}, {name: n}]",
        "    post_transforms: [{sql: {share: \"100 / (n - 3)\"}}]\n    features: [{name: share}]\n    on_error: fail",
    );
    assert_ne!(stops, SHOP);
    let stops = stops.replace("\"spend:total\"", "\"spend:share\"");
    fs::write(dir.path().join("shop.yaml"), stops).unwrap();
    let output = dir.path().join("out.csv");
    train(dir.path(), &["--service", "fraud", "--output", text(&output)])
        .refused(&["label 1", "on_error: fail"]);
    assert!(!output.exists());
}
