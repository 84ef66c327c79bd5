//! Feast's own Python SDK, its registry written by `unskew export-feast`, reads
//! from our server: values, types and statuses of every type.

mod shared;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use shared::server::Server;
use shared::{folder, run};

const EVERY: &str = r#"
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}, {name: shard, type: int64}]}
sources:
  - name: rows
    push: true
    fields:
      - {name: user_id, type: utf8}
      - {name: shard, type: int64}
      - {name: a_bool, type: bool, nullable: true}
      - {name: an_int8, type: int8, nullable: true}
      - {name: an_int64, type: int64, nullable: true}
      - {name: a_uint32, type: uint32, nullable: true}
      - {name: a_float32, type: float32, nullable: true}
      - {name: a_float64, type: float64, nullable: true}
      - {name: a_text, type: utf8, nullable: true}
      - {name: a_binary, type: binary, nullable: true}
      - {name: a_date, type: date32, nullable: true}
      - {name: a_time, type: timestamp, nullable: true}
      - {name: a_decimal, type: "decimal128(10,2)", nullable: true}
      - {name: a_list, type: "list<float64>", nullable: true}
      - {name: texts, type: "list<utf8>", nullable: true}
      - {name: embedding, type: "fixed_size_list<float32,3>", nullable: true}
      - {name: a_struct, type: "struct<a:int64,b:utf8?>", nullable: true}
      - {name: ts, type: timestamp}
    event_timestamp: ts
  - name: checkout
    kind: request
    fields: [{name: amount, type: float64}]
feature_views:
  - name: every
    entities: [user]
    source: rows
    transforms: [{sql: {one: "1"}}]
    features: [{name: a_bool}, {name: an_int8}, {name: an_int64}, {name: a_uint32}, {name: a_float32}, {name: a_float64}, {name: a_text}, {name: a_binary}, {name: a_date}, {name: a_time}, {name: a_decimal}, {name: a_list}, {name: texts}, {name: embedding}, {name: a_struct}]
  - name: young
    entities: [user]
    source: rows
    features: [{name: an_int64}, {name: a_text, default: none}]
    ttl: 1h
on_demand_feature_views:
  - name: check
    inputs: {amount: "checkout:amount", factor: "every:a_float64"}
    transforms: [{sql: {product: "amount * factor"}}]
feature_services:
  - {name: all_types, features: [every, "check:product"]}
"#;

/// The Python that has Feast 0.67; `./setup.sh test` makes it.
fn python() -> PathBuf {
    let cache = std::env::var_os("UNSKEW_CACHE_DIR").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| {
        Path::new(&std::env::var_os("HOME").expect("HOME")).join(".cache/unskew")
    });
    let python = cache.join("python-feast/bin/python");
    assert!(python.is_file(), "{} is not there; run `./setup.sh test`", python.display());
    python
}

fn push(server: &Server, body: &Value) {
    let answer = server.post("/push", &body.to_string());
    assert!(matches!(answer, Some((200, _))), "{answer:?}");
}

/// Runs Python in the repository, with `input`.
fn feast(repository: &Path, arguments: &[&str], input: &str) -> String {
    let mut process = Command::new(python())
        .args(arguments)
        .current_dir(repository)
        .env("FEAST_USAGE", "False")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const PRESENT: u8 = 1;
const NULL_VALUE: u8 = 2;
const NOT_FOUND: u8 = 3;
const OUTSIDE_MAX_AGE: u8 = 4;

#[test]
fn the_sdk_reads_every_type_unchanged() {
    let dir = folder(&[("all.yaml", EVERY.as_bytes())]);
    let server = Server::start(dir.path());
    let columns = json!({
        "user_id": ["u1", "u2"], "shard": [1, 1],
        "a_bool": [true, null], "an_int8": [-5, null], "an_int64": [9_007_199_254_740_993_i64, null],
        "a_uint32": [4_000_000_000_u32, null], "a_float32": [0.1, null], "a_float64": [0.1, null],
        "a_text": ["h\u{e9}llo", null], "a_binary": ["AAE=", null], "a_date": ["2024-02-29", null],
        "a_time": ["2024-02-29T12:00:00Z", null], "a_decimal": ["12.34", null],
        "a_list": [[1.5, 2.0], null], "texts": [["a", "b"], null],
        "embedding": [[1, 2, 0.5], null], "a_struct": [{"a": 1, "b": "x"}, null],
        "ts": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
    });
    push(&server, &json!({ "push_source_name": "rows", "to": "online", "df": columns }));

    let repository = dir.path().join("feast");
    let (project, output) = (dir.path().to_str().unwrap(), repository.to_str().unwrap());
    run([
        "export-feast",
        output,
        "--project",
        project,
        "--url",
        &format!("http://{}", server.address),
    ])
    .succeeded();
    feast(&repository, &["-c", "from feast.cli.cli import cli; cli(['apply'])"], "");

    let rows = json!([
        { "user_id": "u1", "shard": 1, "amount": 2.0 },
        { "user_id": "u2", "shard": 1, "amount": 2.0 },
        { "user_id": "u3", "shard": 1, "amount": 2.0 },
    ]);
    let questions = json!([
        { "features": "all_types", "rows": rows },
        { "features": ["young:an_int64", "young:a_text"], "rows": rows, "full": true },
        { "features": ["nothing:x"], "rows": rows },
    ]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/feast/ask.py");
    let told = feast(&repository, &[script], &questions.to_string());
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();

    let every = &told[0];
    for (feature, value, kind) in [
        ("a_bool", json!(true), "bool_val"),
        ("an_int8", json!(-5), "int64_val"),
        ("an_int64", json!(9_007_199_254_740_993_i64), "int64_val"),
        ("a_uint32", json!(4_000_000_000_u32), "int64_val"),
        ("a_float32", json!(f64::from(0.1_f32)), "double_val"),
        ("a_float64", json!(0.1), "double_val"),
        ("a_text", json!("h\u{e9}llo"), "string_val"),
        ("a_binary", json!("AAE="), "string_val"),
        ("a_date", json!(1_709_164_800), "int64_val"),
        ("a_time", json!(1_709_208_000), "int64_val"),
        ("a_decimal", json!("12.34"), "string_val"),
        ("a_list", json!([1.5, 2.0]), "double_list_val"),
        ("texts", json!(["a", "b"]), "string_list_val"),
        ("embedding", json!([1.0, 2.0, 0.5]), "double_list_val"),
        ("a_struct", json!({ "a": 1, "b": "x" }), "map_val"),
    ] {
        assert_eq!(every["values"][feature], json!([value, null, null]), "{feature}");
        assert_eq!(
            every["statuses"][feature],
            json!([PRESENT, NULL_VALUE, NOT_FOUND]),
            "{feature}"
        );
        assert_eq!(every["kinds"][feature], json!([kind, null, null]), "{feature}");
    }
    assert_eq!(every["values"]["product"], json!([0.2, null, null]));
    assert_eq!(every["statuses"]["product"], json!([PRESENT, NULL_VALUE, NULL_VALUE]));
    // A value that is too old, and a default, which Feast's clients must not drop.
    let young = &told[1];
    assert_eq!(young["values"]["young__an_int64"], json!([null, null, null]));
    let statuses = json!([OUTSIDE_MAX_AGE, OUTSIDE_MAX_AGE, NOT_FOUND]);
    assert_eq!(young["statuses"]["young__an_int64"], statuses);
    assert_eq!(young["values"]["young__a_text"], json!(["none", "none", "none"]));
    assert_eq!(young["statuses"]["young__a_text"], json!([PRESENT, PRESENT, PRESENT]));
    assert_eq!(told[2]["error"], "FeatureViewNotFoundException", "{told}");
}
