//! The files of a source that are not alike: columns that came, went, grew or
//! became something else, and a file that was cut off among good ones; as
//! `unskew train` meets them.

mod shared;

use std::fs;
use std::path::Path;

use serde_json::Value;
use shared::{Ran, folder};

const SHOP: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: orders
    fields:
      - {name: user_id, type: utf8}
      - {name: amount, type: float64, nullable: true}
      - {name: pieces, type: int64, nullable: true}
      - {name: ts, type: timestamp}
    event_timestamp: ts
    files: [events]
feature_views:
  - name: latest
    entities: [user]
    source: orders
    features: [{name: amount}, {name: pieces}]
feature_services:
  - {name: all, features: [latest]}
";

const LABELS: &[u8] =
    b"user_id,event_timestamp\na,2026-01-02\nb,2026-01-02\nc,2026-01-02\nd,2026-01-02\n";

fn shop() -> tempfile::TempDir {
    let dir = folder(&[("shop.yaml", SHOP.as_bytes()), ("labels.csv", LABELS)]);
    fs::create_dir(dir.path().join("events")).unwrap();
    dir
}

fn unskew(dir: &Path, arguments: &[&str]) -> Ran {
    Ran::of(shared::unskew().current_dir(dir).args(arguments))
}

/// Writes a file of the source whose columns are those of a query.
fn write(dir: &Path, file: &str, query: &str) {
    unskew(dir, &["sql", "-o", &format!("events/{file}"), &format!("SELECT {query}")]).succeeded();
}

const TRAIN: [&str; 9] = [
    "train",
    "--project",
    "shop.yaml",
    "--service",
    "all",
    "--labels",
    "labels.csv",
    "-o",
    "out.csv",
];

fn train(dir: &Path) -> Ran {
    unskew(dir, &TRAIN)
}

fn report(dir: &Path) -> Value {
    let arguments: Vec<&str> = ["--json"].into_iter().chain(TRAIN).collect();
    unskew(dir, &arguments).succeeded().json()
}

const TIME: &str = "TIMESTAMP '2026-01-01T00:00:00Z' AS ts";

#[test]
fn columns_may_come_be_missing_or_be_narrower() {
    let dir = shop();
    let dir = dir.path();
    write(dir, "1.parquet", &format!("'a' AS user_id, 1.5 AS amount, 7 AS pieces, {TIME}"));
    write(
        dir,
        "2.parquet",
        &format!("'b' AS user_id, true AS added, 2.5 AS amount, 8 AS pieces, {TIME}"),
    );
    write(dir, "3.parquet", &format!("{TIME}, 'c' AS user_id, 3.5 AS amount"));
    write(
        dir,
        "4.parquet",
        &format!(
            "'d' AS user_id, arrow_cast(0.1, 'Float32') AS amount, arrow_cast(9, 'UInt8') AS pieces, {TIME}"
        ),
    );
    let document = report(dir);
    let wanted = "user_id,event_timestamp,amount,pieces\na,2026-01-02,1.5,7\nb,2026-01-02,2.5,8\nc,2026-01-02,3.5,\nd,2026-01-02,0.10000000149011612,9\n";
    assert_eq!(fs::read_to_string(dir.join("out.csv")).unwrap(), wanted);
    let warnings: Vec<&str> =
        document["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let wanted = "1 of 4 files have no column \"pieces\" for the field pieces, which is null there; the first is ";
    assert!(warnings.iter().any(|warning| warning.contains(wanted)), "{warnings:?}");
    // The same in text, where a JSON object may lack a member anyway.
    fs::remove_file(dir.join("events/3.parquet")).unwrap();
    fs::write(
        dir.join("events/3.jsonl"),
        "{\"user_id\":\"c\",\"ts\":\"2026-01-01T00:00:00Z\",\"amount\":3.5}\n",
    )
    .unwrap();
    let document = report(dir);
    let text = fs::read_to_string(dir.join("out.csv")).unwrap();
    assert!(text.contains("\nc,2026-01-02,3.5,\n"), "{text}");
    assert!(document["warnings"].to_string().contains("events/3.jsonl"), "{document}");
}

#[test]
fn what_cannot_be_read_is_refused_by_file_and_column() {
    let good = format!("'a' AS user_id, 1.5 AS amount, 7 AS pieces, {TIME}");
    for (query, parts) in [
        (
            format!("1.5 AS amount, 7 AS pieces, {TIME}"),
            &["events/2.parquet", "no column \"user_id\""][..],
        ),
        (
            "'b' AS user_id, 1.5 AS amount, 7 AS pieces".to_owned(),
            &["events/2.parquet", "no column \"ts\""],
        ),
        (
            format!("'b' AS user_id, 1.5 AS amount, true AS pieces, {TIME}"),
            &["events/2.parquet", "\"pieces\"", "bool", "int64"],
        ),
        (
            format!("'b' AS user_id, 1.5 AS amount, 2.5 AS pieces, {TIME}"),
            &["events/2.parquet", "\"pieces\"", "float64", "int64"],
        ),
        (
            format!("7 AS user_id, 1.5 AS amount, 7 AS pieces, {TIME}"),
            &["events/2.parquet", "\"user_id\"", "int64", "utf8"],
        ),
    ] {
        let dir = shop();
        let dir = dir.path();
        write(dir, "1.parquet", &good);
        write(dir, "2.parquet", &query);
        train(dir).refused(parts);
        assert!(!dir.join("out.csv").exists(), "{query}");
    }
    // A column that no file has is no drift but a mistake.
    let dir = shop();
    let dir = dir.path();
    write(dir, "1.parquet", &format!("'a' AS user_id, 1.5 AS amount, 7 AS piece, {TIME}"));
    train(dir).refused(&["events/1.parquet", "no column \"pieces\"", "did you mean \"piece\"?"]);
}

#[test]
fn a_cut_off_file_among_good_ones_is_named_and_nothing_is_written() {
    let dir = shop();
    let dir = dir.path();
    let good = format!("'a' AS user_id, 1.5 AS amount, 7 AS pieces, {TIME}");
    for file in ["1.parquet", "2.parquet", "3.parquet"] {
        write(dir, file, &good);
    }
    let bytes = fs::read(dir.join("events/2.parquet")).unwrap();
    for length in [bytes.len() - 1, bytes.len() / 2, 6, 0] {
        fs::write(dir.join("events/2.parquet"), &bytes[..length]).unwrap();
        train(dir).refused(&["events/2.parquet"]);
        assert!(!dir.join("out.csv").exists(), "{length} bytes");
    }
    let mut damaged = bytes.clone();
    damaged[4..40].fill(0xff);
    fs::write(dir.join("events/2.parquet"), &damaged).unwrap();
    train(dir).refused(&["events/2.parquet"]);
    assert!(!dir.join("out.csv").exists());
    // Packed text that was cut off.
    fs::remove_file(dir.join("events/2.parquet")).unwrap();
    write(dir, "2.csv.gz", &good);
    let bytes = fs::read(dir.join("events/2.csv.gz")).unwrap();
    fs::write(dir.join("events/2.csv.gz"), &bytes[..bytes.len() - 6]).unwrap();
    train(dir).refused(&["events/2.csv.gz", "cut off"]);
    assert!(!dir.join("out.csv").exists());
}
