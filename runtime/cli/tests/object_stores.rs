//! Files in an object store, as every command reads them: queries, `run`, and
//! the sources and labels of a training set. The store is an S3-compatible
//! server that the test starts.

mod shared;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;
use shared::by_hand::module;
use shared::{Ran, folder};
use unskew_test_servers::S3Server;

/// A server with the bucket `shop`.
struct Store(S3Server);

impl Store {
    fn start() -> Self {
        let server = S3Server::start();
        server.create_bucket("shop");
        Self(server)
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        let endpoint = self.0.endpoint();
        let host = endpoint.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let key = key.replace(' ', "%20");
        write!(
            stream,
            "PUT /shop/{key} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
            bytes.len()
        )
        .unwrap();
        stream.write_all(bytes).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains(" 200 "), "{key}: {reply}");
    }

    fn unskew(&self, dir: &Path, arguments: &[&str]) -> Ran {
        let mut command = shared::unskew();
        command.envs(self.0.environment());
        Ran::of(command.current_dir(dir).args(arguments))
    }
}

#[test]
fn every_command_reads_objects() {
    let store = Store::start();
    let csv = b"user_id,x,ts\nu1,1,2026-01-01T10:00:00Z\nu2,2,2026-01-01T11:00:00Z\n";
    let dir = folder(&[("m.wasm", &module()), ("a.csv", csv)]);
    let dir = dir.path();
    let sql = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["sql"].iter().chain(arguments).copied().collect();
        store.unskew(dir, &arguments)
    };
    for (file, key) in [
        ("a.csv.gz", "events/1.csv.gz"),
        ("a.jsonl.zst", "events/2.jsonl.zst"),
        ("a.parquet", "events/deep/3.parquet"),
    ] {
        sql(&["-o", file, "SELECT * FROM 'a.csv'"]).succeeded();
        store.put(key, &fs::read(dir.join(file)).unwrap());
    }
    store.put("events/a b.csv", csv);
    store.put("events/_SUCCESS", b"");
    store.put(
        "labels.csv",
        b"user_id,event_timestamp\nu1,2026-01-01T12:00:00Z\nu2,2026-01-01T10:30:00Z\n",
    );

    // One object, those below a prefix, a glob.
    for (url, rows) in [
        ("s3://shop/events/1.csv.gz", 2),
        ("s3://shop/events/a b.csv", 2),
        ("s3://shop/events/", 8),
        ("s3://shop/events", 8),
        ("s3://shop/events/*.csv*", 4),
        ("s3://shop/events/deep/*", 2),
    ] {
        let query = format!("SELECT count(*) AS n, sum(x) AS s FROM '{url}'");
        let document = sql(&["--json", &query]).succeeded().json();
        assert_eq!(document["rows"], json!([{"n": rows, "s": rows * 3 / 2}]), "{url}");
    }

    // A Parquet file of several blocks, read whole and in part.
    let many = "SELECT value AS n, value * 2862933555777941757 % 1000000007 AS h FROM generate_series(1, 900000)";
    sql(&["-o", "many.parquet", many]).succeeded();
    let bytes = fs::read(dir.join("many.parquet")).unwrap();
    assert!(bytes.len() > 5 << 20, "{} bytes", bytes.len());
    store.put("many.parquet", &bytes);
    store.put("some.parquet", &fs::read(dir.join("a.parquet")).unwrap());
    let sums = "SELECT count(*) AS n, sum(h) AS h, max(n) FILTER (WHERE h > 5) AS m FROM ";
    let local = sql(&["--json", &format!("{sums} 'many.parquet'")]).succeeded().json();
    let remote = sql(&["--json", &format!("{sums} 's3://shop/many.parquet'")]).succeeded().json();
    assert_eq!(local["rows"], remote["rows"]);
    // Of files that differ, by our own reader.
    let query = "SELECT count(*) AS n, sum(h) AS h, max(n) FILTER (WHERE h > 5) AS m FROM 's3://shop/*.parquet'";
    let document = sql(&["--json", query]).succeeded().json();
    assert_eq!(document["rows"][0]["n"], 900_002);
    assert_eq!(document["rows"][0]["h"], local["rows"][0]["h"]);

    let run = [
        "run",
        "m.wasm",
        "-t",
        "double",
        "-i",
        "s3://shop/events/1.csv.gz",
        "-o",
        "y.csv",
        "--select",
        "user_id",
    ];
    store.unskew(dir, &run).succeeded();
    assert_eq!(fs::read_to_string(dir.join("y.csv")).unwrap(), "user_id,y\nu1,2\nu2,4\n");

    let yaml = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: events
    fields:
      - {name: user_id, type: utf8, nullable: true}
      - {name: x, type: int64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
    files: [\"s3://shop/events/\"]
feature_views:
  - name: latest
    entities: [user]
    source: events
    features: [{name: x}]
feature_services:
  - {name: all, features: [latest]}
";
    fs::write(dir.join("shop.yaml"), yaml).unwrap();
    let train = [
        "train",
        "--project",
        "shop.yaml",
        "--service",
        "all",
        "--labels",
        "s3://shop/labels.csv",
        "-o",
        "t.csv",
    ];
    store.unskew(dir, &train).succeeded();
    let wanted = "user_id,event_timestamp,x\nu1,2026-01-01T12:00:00Z,1\nu2,2026-01-01T10:30:00Z,\n";
    assert_eq!(fs::read_to_string(dir.join("t.csv")).unwrap(), wanted);
}

#[test]
fn what_is_wrong_with_objects_is_named() {
    let store = Store::start();
    let dir = folder(&[("m.wasm", &module())]);
    let dir = dir.path();
    let whole = ["sql", "-o", "whole.parquet", "SELECT value AS x FROM generate_series(1, 1000)"];
    store.unskew(dir, &whole).succeeded();
    let bytes = fs::read(dir.join("whole.parquet")).unwrap();
    fs::remove_file(dir.join("whole.parquet")).unwrap();
    store.put("good/1.parquet", &bytes);
    store.put("good/2.parquet", &bytes[..bytes.len() - 9]);
    store.put("bad.csv.gz", b"x\n1\n");
    for (url, parts) in [
        ("s3://shop/good/", &["s3://shop/good/2.parquet", "cut off"][..]),
        ("s3://shop/bad.csv.gz", &["s3://shop/bad.csv.gz", "no gzip file"]),
        ("s3://shop/none.csv", &["s3://shop/none.csv", "no such object"]),
        ("s3://shop/*.csv", &["s3://shop/*.csv", "no object matches"]),
        ("s3://nowhere/a.csv", &["s3://nowhere/a.csv"]),
        ("s3:///a.csv", &["names no bucket"]),
        ("gs://shop/a.csv", &["gs://", "s3://bucket/key"]),
    ] {
        let query = format!("SELECT * FROM '{url}'");
        store.unskew(dir, &["sql", "-o", "out.csv", &query]).refused(parts);
        assert!(!dir.join("out.csv").exists());
    }
    let run = ["run", "m.wasm", "-t", "double", "-i", "s3://shop/none.csv", "-o", "y.csv"];
    store.unskew(dir, &run).refused(&["s3://shop/none.csv", "no such object"]);
    let written = ["sql", "-o", "s3://shop/out.csv", "SELECT 1 AS x"];
    store.unskew(dir, &written).refused(&["s3://shop/out.csv", "local disk"]);

    // A store that nobody answers for is the machine's trouble, and named.
    let mut command = shared::unskew();
    let command = command
        .current_dir(dir)
        .envs(store.0.environment())
        .env("AWS_ENDPOINT", "http://127.0.0.1:9")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .args(["sql", "-o", "out.csv", "SELECT * FROM 's3://shop/good/1.parquet'"]);
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for part in ["s3://shop/good/1.parquet", "is the store reachable?", "AWS_ENDPOINT_URL"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
    }
    assert!(!dir.join("out.csv").exists());
}
