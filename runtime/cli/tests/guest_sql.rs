//! Functions of a real module in queries: the bits of `unskew run`, structs of
//! several outputs, aggregates with a state of several numbers.

mod shared;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use shared::{Ran, folder, guest_unskew, text};

#[test]
fn queries_give_the_bits_of_run() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ecommerce-rust");
    let mut csv = "row,amount,quantity,latitude,longitude,event_timestamp\n".to_owned();
    let mut state = 1_u64;
    for row in 0..20_000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = |shift: u32, of: u64| (state >> shift) % of;
        writeln!(
            csv,
            "{row},{}.{:02},{},{}.{},-{}.{},2026-01-{:02}T{:02}:00:00Z",
            part(8, 900),
            part(20, 100),
            part(30, 5),
            part(13, 89),
            part(17, 9_999),
            part(23, 179),
            part(11, 9_999),
            1 + part(40, 28),
            part(45, 24)
        )
        .unwrap();
    }
    let dir = folder(&[("in.csv", csv.as_bytes())]);
    let dir = dir.path();
    let command = |line: &[&str]| Ran::of(guest_unskew().current_dir(dir).args(line));
    command(&["build", text(&example), "-o", "m.wasm"]).succeeded();

    // To Parquet first, so that both read the same typed columns.
    let typed = ["-t", "t=in.csv", "--type", "t.quantity=int32", "-o", "in.parquet"];
    let line: Vec<&str> =
        ["sql"].iter().chain(&typed).chain(&["SELECT * FROM t"]).copied().collect();
    command(&line).succeeded();
    for (transform, call) in [
        ("order_value", "m.order_value(amount, quantity) AS order_value"),
        ("spend_level", "spend_level(amount => amount) AS spend_level"),
        ("hour_of_week", "hour_of_week(event_timestamp) AS hour_of_week"),
        (
            "nearest_warehouse",
            "nearest_warehouse(latitude, longitude)['warehouse'] AS warehouse, get_field(m.nearest_warehouse(latitude, longitude), 'distance_km') AS distance_km",
        ),
    ] {
        command(&[
            "run",
            "m.wasm",
            "-t",
            transform,
            "-i",
            "in.parquet",
            "-o",
            "run.jsonl",
            "--select",
            "row",
        ])
        .succeeded();
        let query = format!("SELECT row, {call} FROM 'in.parquet' ORDER BY row");
        command(&["sql", "-m", "m=m.wasm", "-o", "sql.jsonl", &query]).succeeded();
        assert!(
            fs::read(dir.join("run.jsonl")).unwrap() == fs::read(dir.join("sql.jsonl")).unwrap(),
            "{transform}"
        );
    }

    // An aggregate against what its transform says of each row.
    let query = "SELECT hour_of_week(event_timestamp) AS h, average_order(amount, quantity) AS a, sum(round(order_value(amount, quantity) * 100)) / count(order_value(amount, quantity)) / 100 AS b FROM 'in.parquet' GROUP BY hour_of_week(event_timestamp) ORDER BY h";
    let document = command(&["sql", "-m", "m.wasm", "--json", query]).succeeded().json();
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 168);
    let close =
        |row: &Value| (row["a"].as_f64().unwrap() - row["b"].as_f64().unwrap()).abs() < 0.01;
    assert!(rows.iter().all(close), "{document}");
    // Rows that fail in the aggregate are counted as those of the transform.
    let failures = &document["failures"];
    assert!(failures["ecommerce_rust.average_order"]["rows"].as_u64().unwrap() > 0, "{failures}");
}
