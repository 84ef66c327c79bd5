//! The manifest beside a training set, and the same bytes built from it.

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
      - {name: user_id, type: utf8, nullable: true}
      - {name: amount, type: float64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
    files: [\"events/*.csv\"]
feature_views:
  - name: spend
    entities: [user]
    source: orders
    aggregates:
      - {name: total, function: sum, column: amount, over: {size: 1d, hop: 1h}}
feature_services:
  - {name: fraud, features: [spend]}
";

const EVENTS: &str = "\
user_id,amount,ts
u1,0.1,2026-01-01T10:00:00Z
u1,0.2,2026-01-01T12:00:00+01:00
u2,5,2026-01-01T09:00:00
";

const LABELS: &str = "\
customer,at,label
u1,2026-01-01T11:15:00Z,yes
u2,2026-01-01T12:00:00,no
";

fn shop() -> tempfile::TempDir {
    folder(&[
        ("shop.yaml", SHOP.as_bytes()),
        ("events/a.csv", EVENTS.as_bytes()),
        ("labels.csv", LABELS.as_bytes()),
    ])
}

fn train(dir: &Path, output: &Path) -> Ran {
    run([
        "train",
        "--project",
        text(dir),
        "--labels",
        text(&dir.join("labels.csv")),
        "--service",
        "fraud",
        "--output",
        text(output),
        "--label-time",
        "at",
        "--column",
        "user_id=customer",
        "--statuses",
        "--full-feature-names",
    ])
}

fn again(manifest: &Path, output: &Path) -> Ran {
    run(["train", "--from-manifest", text(manifest), "--output", text(output)])
}

#[test]
fn the_manifest_builds_the_same_bytes_again() {
    let dir = shop();
    let path = |name: &str| dir.path().join(name);
    for name in ["train.parquet", "train.csv", "train.jsonl.gz"] {
        let output = path(name);
        train(dir.path(), &output).succeeded();
        let manifest = path(&format!("{name}.manifest.json"));
        let document: serde_json::Value =
            serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
        let id = document["evaluator_id"].as_str().unwrap();
        for part in ["unskew-", "wasmtime-", "datafusion-", "limits-"] {
            assert!(id.contains(part), "{id}");
        }
        assert_eq!(document["recipe"]["service"], "fraud");
        assert_eq!(document["recipe"]["features"][0], "spend@v1:total");
        assert_eq!(document["recipe"]["options"]["label_time"], "at");
        assert_eq!(document["rows"], 2);
        let file = &document["sources"]["orders"][0];
        assert_eq!(file["bytes"], EVENTS.len());
        assert_eq!(file["blake3"].as_str().unwrap().len(), 64);
        let copy = path(&format!("again-{name}"));
        again(&manifest, &copy).succeeded();
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&output).unwrap(), "{name}");
    }
}

#[test]
fn what_changed_is_named_and_nothing_is_written() {
    let dir = shop();
    let path = |name: &str| dir.path().join(name);
    train(dir.path(), &path("train.csv")).succeeded();
    let manifest = path("train.csv.manifest.json");
    let copy = path("again.csv");
    let changed = |file: &str, content: &str, parts: &[&str]| {
        let before = fs::read(path(file)).unwrap();
        fs::write(path(file), content).unwrap();
        again(&manifest, &copy).refused(parts);
        assert!(!copy.exists() && !path("again.csv.manifest.json").exists());
        fs::write(path(file), before).unwrap();
    };
    changed("labels.csv", &LABELS.replace("yes", "maybe"), &["labels.csv", "bytes"]);
    changed("labels.csv", &LABELS.replace("yes", "yep"), &["labels.csv", "other ones"]);
    changed("events/a.csv", &EVENTS.replace("0.1", "0.3"), &["source orders", "a.csv"]);
    changed("shop.yaml", &SHOP.replace("size: 1d", "size: 2d"), &["definitions"]);
    changed(
        "shop.yaml",
        &SHOP.replace("name: total", "name: sum"),
        &["features were", "spend@v1:sum"],
    );
    let other = fs::read_to_string(&manifest).unwrap().replace("wasmtime-", "wasmtime-0.");
    fs::write(path("other.manifest.json"), other).unwrap();
    again(&path("other.manifest.json"), &copy).refused(&["the evaluator was"]);
    fs::remove_file(path("events/a.csv")).unwrap();
    again(&manifest, &copy).refused(&["a.csv", "no such file"]);
    fs::write(path("events/a.csv"), EVENTS).unwrap();
    again(&path("labels.csv"), &copy).refused(&["no manifest"]);
    again(&path("nowhere.json"), &copy).refused(&["nowhere.json"]);
    again(&manifest, &path("again.parquet")).refused(&["another format", ".csv"]);
    again(&manifest, &copy).succeeded();
}

#[test]
fn another_output_takes_the_old_manifest_away() {
    let dir = shop();
    let output = dir.path().join("train.csv");
    train(dir.path(), &output).succeeded();
    let manifest = dir.path().join("train.csv.manifest.json");
    let before = fs::read(&manifest).unwrap();
    fs::write(dir.path().join("events/b.csv"), "user_id,amount,ts\nu2,1,2026-01-01T10:00:00\n")
        .unwrap();
    train(dir.path(), &output).succeeded();
    assert_ne!(fs::read(&manifest).unwrap(), before);
}

#[test]
fn a_plan_shows_what_it_took() {
    let dir = shop();
    let labels = dir.path().join("labels.csv");
    let analyze = |more: &[&str]| {
        let mut words = vec!["explain", text(dir.path()), "fraud", "--analyze"];
        words.extend(["--labels", text(&labels), "--label-time", "at"]);
        words.extend(["--column", "user_id=customer", "--memory-limit", "64MiB"]);
        words.extend(more);
        run(words)
    };
    let shown = analyze(&[]).succeeded().stdout;
    for part in [
        "TrainingSetExec",
        "PointInTimeExec: views=[spend@v1]",
        "SourceScanExec: source=orders",
        "row groups pruned by time: 0",
        "bytes spilled: 0",
        "sorts skipped: ",
        "calls into Wasm: 0",
        "rows read: 3",
    ] {
        assert!(shown.contains(part), "{part:?} is not shown:\n{shown}");
    }
    let document = analyze(&["--json"]).succeeded().json();
    assert_eq!(document["counters"]["rows_read"], 3);
    run(["explain", text(dir.path()), "--analyze", "--labels", text(&labels)])
        .refused(&["--analyze is of one service"]);
    run(["explain", text(dir.path()), "fraud", "--analyze"]).refused(&["--labels"]);
}
