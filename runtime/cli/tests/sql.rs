//! `unskew sql` as a user or a script meets it: tables from files of every
//! format, functions of modules, failed rows, limits, and everything that can
//! be wrong with a query. No guest toolchain is needed.

mod shared;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use shared::by_hand::module;
use shared::{Ran, folder, run, text};

/// Runs `unskew sql` with relative names in a folder.
fn sql(dir: &Path, arguments: &[&str]) -> Ran {
    Ran::of(shared::unskew().current_dir(dir).arg("sql").args(arguments))
}

/// The rows of a query, as JSON.
#[track_caller]
fn rows(dir: &Path, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
    sql(dir, &arguments).succeeded().json()["rows"].clone()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_query_gives_what_the_same_transform_gives_over_a_file() {
    let mut csv = "id,x\n".to_owned();
    for row in 0..20_000_i64 {
        // Negative ones fail, 13 traps, and nulls are not passed.
        match row % 97 {
            0 => writeln!(csv, "{row},").unwrap(),
            1 => writeln!(csv, "{row},13").unwrap(),
            2 => writeln!(csv, "{row},-{row}").unwrap(),
            _ => writeln!(csv, "{row},{}", row * 7_919 % 1_000_003).unwrap(),
        }
    }
    let dir = folder(&[("m.wasm", &module()), ("in.csv", csv.as_bytes())]);
    let dir = dir.path();
    let line = "run m.wasm -t double -i in.csv -o run.jsonl --type id=int64";
    Ran::of(shared::unskew().current_dir(dir).args(line.split(' '))).succeeded();
    run([
        "run",
        text(&dir.join("m.wasm")),
        "-t",
        "double",
        "-i",
        text(&dir.join("in.csv")),
        "-o",
        text(&dir.join("in.parquet")),
        "--type",
        "id=int64",
    ])
    .succeeded();
    for (threads, file) in [("1", "in.csv"), ("3", "in.csv"), ("3", "in.parquet")] {
        for function in ["by_hand.double", "double"] {
            let query = format!("SELECT id, x, {function}(x) AS y FROM '{file}' ORDER BY id");
            sql(dir, &["-m", "m.wasm", "--threads", threads, "-o", "sql.jsonl", &query])
                .succeeded();
            assert!(
                fs::read(dir.join("run.jsonl")).unwrap()
                    == fs::read(dir.join("sql.jsonl")).unwrap(),
                "{function} over {file} with {threads} threads"
            );
        }
    }
}

#[test]
fn aggregates_of_modules_fold_in_any_number_of_stages() {
    let mut csv = "k,x\n".to_owned();
    let mut totals = std::collections::BTreeMap::<i64, i64>::new();
    for row in 0..30_000_i64 {
        let (k, x) = (row * 31 % 7_001, row * 7_919 % 1_000_003);
        writeln!(csv, "{k},{x}").unwrap();
        *totals.entry(k).or_default() += x;
    }
    let dir = folder(&[("m.wasm", &module()), ("in.csv", csv.as_bytes())]);
    let dir = dir.path();
    let wanted: Vec<Value> = totals.iter().map(|(k, t)| json!({"k": k, "t": t, "s": t})).collect();
    let query = "SELECT k, total(x) AS t, sum(x) AS s FROM 'in.csv' GROUP BY k ORDER BY k";
    for threads in ["1", "4"] {
        let found = rows(dir, &["-m", "m.wasm", "--threads", threads, query]);
        assert!(found == json!(wanted), "{threads} threads");
    }
    let all: i64 = totals.values().sum();
    let query = "SELECT total(x) AS t, total(x) FILTER (WHERE k = 5) AS five, total(x) FILTER (WHERE k < 0) AS none FROM 'in.csv'";
    let found = rows(dir, &["-m", "m.wasm", query]);
    assert_eq!(found, json!([{"t": all, "five": totals[&5], "none": 0}]));
    // Of windows that move, rows are taken out again.
    let query = "SELECT k, total(x) OVER (ORDER BY k, x ROWS 2 PRECEDING) AS t, sum(x) OVER (ORDER BY k, x ROWS 2 PRECEDING) AS s FROM 'in.csv' ORDER BY k, x";
    let found = rows(dir, &["-m", "m.wasm", query]);
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 30_000);
    assert!(found.iter().all(|row| row["t"] == row["s"]));
}

#[test]
fn failed_rows_are_null_and_counted_or_what_the_options_say() {
    let dir = folder(&[("m.wasm", &module()), ("in.csv", b"x\n5\n-3\n13\n\n-4\n")]);
    let dir = dir.path();
    let query = "SELECT double(x) AS y FROM 'in.csv'";
    let ran = sql(dir, &["-m", "m.wasm", query]).succeeded();
    for part in ["warning: 3 rows failed in by_hand.double (2 failed, 1 trapped)", "such as: "] {
        assert!(ran.stderr.contains(part), "{ran:#?}");
    }
    assert!(ran.stdout.starts_with("   y\n  10\nnull\n"), "{ran:#?}");
    let document = sql(dir, &["-m", "m.wasm", "--json", query]).succeeded().json();
    assert_eq!(
        document["rows"],
        json!([{"y": 10}, {"y": null}, {"y": null}, {"y": null}, {"y": null}])
    );
    assert_eq!(document["failures"]["by_hand.double"]["by_status"]["failed"], 2);
    assert_eq!(document["row_count"], 5);
    assert!(document["calls"]["calls"].as_u64().unwrap() > 0);

    sql(dir, &["-m", "m.wasm", "--on-error", "fail", query]).refused(&[
        "double",
        "negative",
        "--on-error fail",
    ]);
    for default in ["double=-1", "by_hand.double=-1", "double.y=-1"] {
        let options = ["-m", "m.wasm", "--on-error", "default", "--default", default, query];
        let wanted = json!([{"y": 10}, {"y": -1}, {"y": -1}, {"y": null}, {"y": -1}]);
        assert_eq!(rows(dir, &options), wanted, "{default}");
    }
    // What aggregates fold of the rows that did not fail.
    let query = "SELECT sum(double(x)) AS s, count(*) AS n FROM 'in.csv'";
    assert_eq!(rows(dir, &["-m", "m.wasm", query]), json!([{"s": 10, "n": 5}]));
    for (options, parts) in [
        (&["--default", "double=1"][..], &["--on-error default", "failed rows get null"][..]),
        (
            &["--on-error", "default", "--default", "half=1"],
            &["no module has such a function", "by_hand.double"],
        ),
        (&["--on-error", "default", "--default", "double=x"], &["by_hand.double", "no int64"]),
        (&["--default", "double"], &["FUNCTION=VALUE"]),
    ] {
        let arguments: Vec<&str> =
            ["-m", "m.wasm"].iter().chain(options).chain([&query]).copied().collect();
        sql(dir, &arguments).refused(parts);
    }
}

/// gzip and zstd of a text, by the programs of our own outputs.
fn packed(dir: &Path, file: &str, packed: &str) {
    let query = format!("SELECT * FROM '{file}'");
    sql(dir, &["-o", packed, &query]).succeeded();
}

#[test]
fn tables_are_files_folders_globs_of_every_format() {
    let csv = b"id,name,score,day,at\n1,anna,1.5,2026-01-01,2026-01-01T10:00:00Z\n2,,2,2026-01-02,2026-01-01T12:00:00+01:00\n";
    let dir = folder(&[("a.csv", csv)]);
    let dir = dir.path();
    let wanted = json!([
        {"id": 1, "name": "anna", "score": 1.5, "day": "2026-01-01", "at": "2026-01-01T10:00:00.000000Z"},
        {"id": 2, "name": null, "score": 2.0, "day": "2026-01-02", "at": "2026-01-01T11:00:00.000000Z"}
    ]);
    let files = ["a.csv.gz", "a.csv.zst", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"];
    for file in files {
        packed(dir, "a.csv", file);
        assert_eq!(rows(dir, &[&format!("SELECT * FROM '{file}' ORDER BY id")]), wanted, "{file}");
    }
    let url = format!("SELECT * FROM 'file://{}' ORDER BY id", text(&dir.join("a.jsonl.gz")));
    assert_eq!(rows(dir, &[&url]), wanted);
    // All of one folder, of all formats, together.
    fs::create_dir(dir.join("all")).unwrap();
    for file in files {
        fs::rename(dir.join(file), dir.join("all").join(file)).unwrap();
    }
    fs::write(dir.join("all/_notes.txt"), "no data").unwrap();
    let count = json!([{"n": 12, "s": 21.0, "d": "2026-01-02"}]);
    for place in ["all", "all/*", "./all"] {
        let query = "SELECT count(*) AS n, sum(score) AS s, max(day) AS d FROM t";
        if place == "all/*" {
            // A glob takes the notes, too, which are no table.
            sql(dir, &["-t", &format!("t={place}"), query]).refused(&["_notes.txt", "format"]);
            continue;
        }
        assert_eq!(rows(dir, &["-t", &format!("t={place}"), query]), count, "{place}");
    }
    let query = "SELECT count(*) AS n FROM 'all/a.*.gz' JOIN 'a.csv' AS b USING (id)";
    assert_eq!(rows(dir, &[query]), json!([{"n": 4}]));
    // The types of text are those of all values, or those that are given.
    let query = "SELECT id FROM t";
    assert_eq!(
        rows(dir, &["-t", "t=a.csv", "--type", "t.id=utf8", query]),
        json!([{"id": "1"}, {"id": "2"}])
    );
}

#[test]
fn files_of_a_table_may_differ_where_nothing_is_lost() {
    let dir = folder(&[
        ("t/1.csv", b"id,v\n1,5\n"),
        ("t/2.csv", b"id,v,more\n2,2.5,x\n"),
        ("t/3.jsonl", b"{\"id\":3}\n"),
    ]);
    let dir = dir.path();
    let ran = sql(dir, &["--json", "SELECT * FROM 't' ORDER BY id"]).succeeded();
    assert_eq!(
        ran.json()["rows"],
        json!([
            {"id": 1, "v": 5.0, "more": null},
            {"id": 2, "v": 2.5, "more": "x"},
            {"id": 3, "v": null, "more": null}
        ])
    );
    assert!(ran.stderr.contains("t/1.csv has no column \"more\""), "{ran:#?}");
    assert!(ran.stderr.contains("t/3.jsonl has no column \"v\""), "{ran:#?}");
    // A type that became another.
    sql(dir, &["-o", "t/4.parquet", "SELECT 4 AS id, true AS v"]).succeeded();
    sql(dir, &["SELECT * FROM 't'"]).refused(&["column \"v\"", "bool", "t/"]);
    // A narrower one is widened.
    fs::remove_file(dir.join("t/4.parquet")).unwrap();
    sql(dir, &["-o", "p1.parquet", "SELECT arrow_cast(1, 'Int16') AS id"]).succeeded();
    sql(dir, &["-o", "p2.parquet", "SELECT 4294967296 AS id"]).succeeded();
    let document = sql(dir, &["--json", "SELECT id FROM 'p*.parquet' ORDER BY id"]).succeeded();
    assert_eq!(document.json()["rows"], json!([{"id": 1}, {"id": 4_294_967_296_i64}]));
    assert_eq!(document.json()["columns"][0]["type"], "int64");
    // One of the files is cut off: it is named, and nothing is written.
    let bytes = fs::read(dir.join("p1.parquet")).unwrap();
    fs::write(dir.join("p3.parquet"), &bytes[..bytes.len() - 20]).unwrap();
    sql(dir, &["-o", "out.parquet", "SELECT id FROM 'p*.parquet'"])
        .refused(&["p3.parquet", "cut off"]);
    // Damaged in the middle, where only reading finds it.
    let many = "SELECT value * 7919 % 10007 AS id FROM generate_series(1, 20000)";
    sql(dir, &["-o", "p3.parquet", many]).succeeded();
    let mut damaged = fs::read(dir.join("p3.parquet")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].fill(0xff);
    fs::write(dir.join("p3.parquet"), &damaged).unwrap();
    sql(dir, &["-o", "out.parquet", "SELECT sum(id) AS s FROM 'p3.parquet'"])
        .refused(&["p3.parquet", "damaged"]);
    assert_eq!(names(dir), ["p1.parquet", "p2.parquet", "p3.parquet", "t"]);
}

#[test]
fn sources_of_a_project_are_tables() {
    let yaml = "\
sources:
  - name: orders
    fields:
      - {name: user, type: utf8, nullable: true, column: uid}
      - {name: amount, type: float64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
    files: [\"events/*.csv\"]
";
    let dir = folder(&[
        ("unskew.toml", b"[modules]\nm = \"m.wasm\"\n"),
        ("m.wasm", &module()),
        ("shop.yaml", yaml.as_bytes()),
        ("events/1.csv", b"uid,amount,ts\nu1,5,2026-01-01T10:00:00Z\nu2,x,yesterday\n"),
    ]);
    let dir = dir.path();
    let ran = sql(
        dir,
        &["--json", "SELECT user, amount, ts, m.double(3) AS six FROM orders ORDER BY user"],
    )
    .succeeded();
    assert_eq!(
        ran.json()["rows"],
        json!([
            {"user": "u1", "amount": 5.0, "ts": "2026-01-01T10:00:00.000000Z", "six": 6},
            {"user": "u2", "amount": null, "ts": null, "six": 6}
        ])
    );
    assert_eq!(ran.json()["failures"]["source orders"]["by_status"]["unreadable"], 2);
    assert_eq!(
        rows(dir, &["--project", ".", "SELECT count(*) AS n FROM orders"]),
        json!([{"n": 2}])
    );
    // A column that no file has is a mistake; one that some lack is null there.
    fs::write(dir.join("events/1.csv"), "uid,ts\nu1,2026-01-01T10:00:00Z\n").unwrap();
    sql(dir, &["SELECT amount FROM orders"]).refused(&["1.csv", "no column \"amount\""]);
    fs::write(dir.join("events/2.csv"), "uid,ts,amount\nu2,2026-01-01T10:00:00Z,7\n").unwrap();
    let ran = sql(dir, &["--json", "SELECT sum(amount) AS s FROM orders"]).succeeded();
    assert_eq!(ran.json()["rows"], json!([{"s": 7.0}]));
    assert!(ran.stderr.contains("1 of 2 files have no column \"amount\""), "{ran:#?}");
}

#[test]
fn aggregates_are_exact_and_functions_are_those_of_definitions() {
    let mut csv = "k,x,n\n".to_owned();
    for row in 0..10_000 {
        let x = if row % 2 == 0 { "1e16" } else { "-1e16" };
        writeln!(csv, "{},{x},{row}", row % 10).unwrap();
        writeln!(csv, "{},0.1,{row}", row % 10).unwrap();
    }
    let dir = folder(&[("in.csv", csv.as_bytes())]);
    let dir = dir.path();
    for threads in ["1", "3"] {
        let query =
            "SELECT sum(x) AS s, avg(x) AS a, max(x) AS m, variance(n) > 0 AS v FROM 'in.csv'";
        let found = rows(dir, &["--threads", threads, query]);
        assert_eq!(found, json!([{"s": 1000.0, "a": 0.05, "m": 1e16, "v": true}]));
        let query = "SELECT k, last(n ORDER BY n) AS l, first(n ORDER BY n DESC) AS f, last_n(n, 2 ORDER BY n) AS ln, top_k(n, 2) AS t, count_distinct(n) AS d, percentile(n, 0.5) > 0 AS p, most_frequent(x, 1) AS mf FROM 'in.csv' WHERE x < 1 AND x > 0 GROUP BY k ORDER BY k LIMIT 1";
        let found = rows(dir, &["--threads", threads, query]);
        let wanted = json!([{"k": 0, "l": 9990, "f": 9990, "ln": [9980, 9990], "t": [9990, 9980], "d": 1000, "p": true, "mf": [0.1]}]);
        assert_eq!(found, wanted);
    }
    let query = "SELECT round(2.675, 2) AS r, ln(0.0) AS l, abs(-3) AS a, power(2.0, 10) AS p, greatest(1, 2) AS g";
    let wanted = json!([{"r": 2.67, "l": "-inf", "a": 3, "p": 1024.0, "g": 2}]);
    assert_eq!(rows(dir, &[query]), wanted);
    // An error of one row of a built-in function is that row's, too.
    let ran = sql(
        dir,
        &["--json", "SELECT abs(v) AS a FROM (VALUES (-9223372036854775808), (-1)) AS t(v)"],
    );
    let document = ran.succeeded().json();
    assert_eq!(document["rows"], json!([{"a": null}, {"a": 1}]));
    assert_eq!(document["failures"]["abs"]["rows"], 1);
}

#[test]
fn sorts_and_aggregates_spill_under_a_limit() {
    let mut csv = String::from("k,v,t\n");
    for row in 0..300_000_u64 {
        let k = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        writeln!(csv, "{k},{}.25,{}", row % 1_000, "x".repeat((row % 40) as usize)).unwrap();
    }
    let dir = folder(&[("in.csv", csv.as_bytes())]);
    let dir = dir.path();
    let query = "SELECT k, t, sum(v) AS s, count(*) AS n, top_k(v, 3) AS top FROM 'in.csv' GROUP BY k, t ORDER BY t, k";
    sql(dir, &["--threads", "2", "-o", "whole.jsonl", query]).succeeded();
    fs::create_dir(dir.join("spill")).unwrap();
    let limited = ["--threads", "2", "--memory-limit", "64MiB", "--temp-dir", "spill"];
    let with = |more: &[&str]| {
        let arguments: Vec<&str> = limited.iter().chain(more).copied().collect();
        sql(dir, &arguments).succeeded()
    };
    with(&["-o", "spilled.jsonl", query]);
    assert!(
        fs::read(dir.join("whole.jsonl")).unwrap() == fs::read(dir.join("spilled.jsonl")).unwrap()
    );
    let plan = with(&[&format!("EXPLAIN ANALYZE {query}")]).stdout;
    let spills = plan.split("spill_count=").skip(1);
    let spilled = spills.filter(|rest| !rest.starts_with('0')).count();
    assert!(spilled > 0, "{plan}");
    assert_eq!(names(&dir.join("spill")), [] as [&str; 0]);
    // With less than any sort needs the limit is named.
    let ran = sql(dir, &["--memory-limit", "1MiB", "-o", "out.jsonl", query]);
    ran.refused(&["memory", "--memory-limit"]);
    assert!(!dir.join("out.jsonl").exists());
}

#[test]
fn mistakes_are_refused_with_what_to_do() {
    let files: [(&str, &[u8]); 4] = [
        ("m.wasm", &module()),
        ("in.csv", b"id,x\n1,5\n"),
        ("bad.csv", b"x\n1\n2,3\n"),
        ("fake.parquet", b"x\n1.5\n"),
    ];
    let dir = folder(&files);
    let dir = dir.path();
    let before = names(dir);
    for (query, parts) in [
        ("SELEC 1", &["it is no SQL"][..]),
        ("SELECT idd FROM 'in.csv'", &["no column \"idd\"", "did you mean \"id\"?"]),
        ("SELECT * FROM in.csv", &["there is no table in.csv", "single quotes: FROM 'in.csv'"]),
        ("SELECT * FROM nowhere", &["there is no table nowhere", "--table"]),
        ("SELECT * FROM 'no.csv'", &["no.csv", "there is no such file"]),
        ("SELECT * FROM 'bad.csv'", &["bad.csv, line 3", "2 fields"]),
        ("SELECT * FROM 'fake.parquet'", &["fake.parquet", "looks like text"]),
        ("SELECT * FROM 'm.wasm'", &["m.wasm", "what format is it?"]),
        ("SELECT * FROM 'http://x/y.csv'", &["http://", "s3://"]),
        ("SELECT half(x) FROM 'in.csv'", &["there is no function half"]),
        ("SELECT doubl(x) FROM 'in.csv'", &["there is no function doubl; did you mean double?"]),
        ("SELECT by_hand.doubel(x) FROM 'in.csv'", &["did you mean \"by_hand.double\"?"]),
        ("SELECT other.double(x) FROM 'in.csv'", &["no function other.double"]),
        ("SELECT double() FROM 'in.csv'", &["double(x: int64)", "takes 1 arguments, 0 are given"]),
        ("SELECT double(x, x) FROM 'in.csv'", &["2 are given"]),
        ("SELECT double(1.5)", &["argument x is int64", "1.5 (float64)", "CAST(... AS BIGINT)"]),
        ("SELECT double('a')", &["argument x is int64", "(utf8)"]),
        ("SELECT total(1.5)", &["argument x is int64", "float64"]),
        ("SELECT first(x) FROM 'in.csv'", &["first(value ORDER BY time)"]),
        ("SELECT percentile(x, 2) FROM 'in.csv'", &["from 0 to 1"]),
        ("SELECT top_k(x, id) FROM 'in.csv'", &["a whole number from 1 to"]),
        ("SELECT sum(id, x) FROM 'in.csv'", &["sum(value)", "2 arguments"]),
        ("SELECT now()", &["now() is not taken"]),
        ("SELECT random()", &["random() is not taken"]),
        ("SELECT 1/0", &["ivide by zero"]),
        ("COPY (SELECT 1) TO 'x.csv'", &["--output F"]),
        ("CREATE TABLE t AS SELECT 1", &["only views are taken"]),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'in.csv'", &["only views are taken"]),
        ("SET datafusion.execution.batch_size = 1", &["not taken"]),
        ("", &["there is no statement"]),
    ] {
        let ran = sql(dir, &["-m", "m.wasm", query]).refused(parts);
        assert_eq!(ran.stdout, "", "{query}");
        assert_eq!(names(dir), before, "{query}");
    }
    for (arguments, parts) in [
        (&["-t", "t", "SELECT 1"][..], &["NAME=VALUE"][..]),
        (&["-t", "t=in.csv", "--type", "t.z=int64", "SELECT 1"], &["no column \"z\"", "id, x"]),
        (&["-t", "t=in.csv", "--type", "u.z=int64", "SELECT 1"], &["table u"]),
        (
            &["-t", "t=in.csv", "--type", "t.x=date32", "SELECT x FROM t"],
            &["in.csv, line 2", "no date32"],
        ),
        (&["-m", "a=m.wasm", "-m", "a=m.wasm", "SELECT 1"], &["a module a already"]),
        (&["-m", "a=m.wasm", "-m", "b=m.wasm", "SELECT double(1)"], &["a.double or b.double"]),
        (&["-m", "in.csv", "SELECT double(1)"], &["in.csv", "not a WebAssembly component"]),
        (&["--project", "nowhere", "SELECT 1"], &["no such folder"]),
        (&["-o", "out.xls", "SELECT 1"], &["what format is it?"]),
        (&["-o", "out.csv", "SELECT [1, 2] AS l"], &["column \"l\"", "list<int64?>"]),
        (&["-o", "out.csv", "SELECT 1; SELECT 2"], &["--output takes the rows of one statement"]),
        (&["--memory-limit", "much", "SELECT 1"], &["--memory-limit"]),
        (&["--temp-dir", "nowhere", "SELECT 1"], &["--temp-dir nowhere"]),
        (&["-f", "no.sql"], &["no.sql"]),
        (
            &["--json", "SELECT * FROM (VALUES (1)) AS a(x) CROSS JOIN (VALUES (2)) AS b(x)"],
            &["two columns are named"],
        ),
    ] {
        sql(dir, arguments).refused(parts);
        assert_eq!(names(dir), before, "{arguments:?}");
    }
}

#[test]
fn statements_come_from_stdin_and_files_too() {
    let dir = folder(&[
        ("in.csv", b"id,x\n1,5\n2,7\n"),
        ("q.sql", b"-- two statements\nSELECT sum(x) AS s\nFROM 'in.csv';\nSELECT 'a;b' AS t;\n"),
    ]);
    let dir = dir.path();
    let ran = sql(dir, &["-f", "q.sql"]).succeeded();
    assert_eq!(ran.stdout, " s\n12\n(1 row)\nt\na;b\n(1 row)\n");
    let mut child = shared::unskew()
        .current_dir(dir)
        .args(["sql", "--rows", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let views = b"CREATE VIEW v AS SELECT x FROM 'in.csv' WHERE x > 1;\nSELECT * FROM v;\nEXPLAIN SELECT x FROM v;";
    child.stdin.take().unwrap().write_all(views).unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.starts_with("x\n5\n(the first 1 row; more with --rows N"), "{stdout}");
    assert!(stdout.contains("logical_plan\n  "), "{stdout}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_query_ends_with_130_and_writes_nothing() {
    let dir = folder(&[]);
    let dir = dir.path();
    // Longer than anybody waits.
    let query = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value * b.value % 7 = 11";
    let mut child = shared::unskew()
        .current_dir(dir)
        .args(["sql", "-o", "out.csv", query])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = || names(dir).iter().any(|name| name.ends_with(".tmp"));
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended already");
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(names(dir), [] as [&str; 0]);
}
