//! `unskew materialize` and `materialize-incremental`: both stores hold what
//! the files say, whatever was interrupted, and nothing twice. No guest
//! toolchain is needed.

mod shared;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use shared::{Ran, folder, run, text, unskew};
use unskew_batch::TableReader;
use unskew_definition::{DefinitionReader, Name};
use unskew_executor::NoModules;
use unskew_executor::rows::{Acceptance, SourceReader};
use unskew_executor::service::{Questions, ViewAnswers, ViewOperator};
use unskew_executor::stored::{FoundParts, Needs};
use unskew_plan::FeaturePlan;
use unskew_store::{
    EmbeddedSettings, Lookup, OnlineStore, OnlineStoreSettings, TableId, open_online_store,
};

const SHOP: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: orders
    fields:
      - {name: user_id, type: utf8, nullable: true, column: uid}
      - {name: amount, type: float64, nullable: true}
      - {name: known, type: timestamp, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
    created_timestamp: known
    files: [\"events/*.csv\"]
feature_views:
  - name: profile
    entities: [user]
    source: orders
    transforms: [{sql: {doubled: amount * 2}}]
  - name: spend
    entities: [user]
    source: orders
    aggregates:
      - {name: total, function: sum, column: amount, over: {size: 1d, hop: 1h}}
      - {name: large, function: count, over: {size: 6h, hop: 5m}, where: amount > 2}
      - {name: last, function: last, column: amount, over: {size: 1d, hop: 1h}}
  - name: hourly
    entities: [user]
    source: orders
    window: {tumbling: {size: 1h}}
    aggregates: [{name: n, function: count}]
feature_services:
  - {name: all, features: [profile, spend, hourly]}
";

const FIRST: &str = "\
uid,amount,known,ts
u1,0.1,2026-01-01T10:00:01Z,2026-01-01T10:00:00Z
u2,5,2026-01-01T12:00:00Z,2026-01-01T09:00:00Z
u1,0.3,2026-01-01T11:30:00Z,2026-01-01T11:30:00Z
u3,9,2026-01-02T05:00:00Z,2026-01-01T23:59:59.999999Z
u1,4,2026-01-02T07:00:02Z,2026-01-02T07:00:00Z
,7,2026-01-02T08:00:00Z,2026-01-02T08:00:00Z
u2,1,2026-01-02T08:00:00Z,yesterday
u2,3.5,2026-01-03T10:59:00Z,2026-01-03T10:58:00Z
u1,2.5,2026-01-03T12:30:00Z,2026-01-03T11:59:59Z
";

const SECOND: &str = "\
uid,amount,known,ts
u1,8,2026-01-03T13:00:00Z,2026-01-03T12:30:00Z
u4,6,2026-01-04T02:00:00Z,2026-01-04T01:00:00Z
u2,0.7,2026-01-05T11:00:00Z,2026-01-05T10:00:00Z
";

/// Rows of days that are materialized already.
const LATE: &str = "\
uid,amount,known,ts
u2,100,2026-01-03T09:00:00Z,2026-01-03T08:00:00Z
u5,1,2026-01-02T09:00:00Z,2026-01-02T08:59:00Z
";

const START: &str = "2026-01-01";
const NOON: &str = "2026-01-03T12:00:00Z";
const END: &str = "2026-01-05T12:00:00Z";

fn shop() -> tempfile::TempDir {
    folder(&[("shop.yaml", SHOP.as_bytes()), ("events/first.csv", FIRST.as_bytes())])
}

fn add(dir: &Path, name: &str, events: &str) {
    fs::write(dir.join("events").join(name), events).unwrap();
}

fn backfill(dir: &Path) -> Vec<String> {
    let words = ["materialize", "--project", text(dir), "--start", START, "--end", NOON, "--json"];
    words.map(str::to_owned).to_vec()
}

fn incremental(dir: &Path, end: &str) -> Vec<String> {
    let words = ["materialize-incremental", "--project", text(dir), "--end", end, "--json"];
    words.map(str::to_owned).to_vec()
}

fn operators() -> Vec<ViewOperator> {
    let mut reader = DefinitionReader::new();
    reader.read_document("shop.yaml", SHOP.as_bytes());
    let plan = FeaturePlan::new(&reader.finish(None)).unwrap();
    let operator = |view| ViewOperator::new(Arc::clone(view), &NoModules).unwrap();
    plan.views.iter().map(operator).collect()
}

fn micros(time: &str) -> i64 {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![time]));
    let wanted = unskew_definition::DataType::Timestamp;
    let reader = unskew_executor::rows::ColumnReader::new(texts.data_type(), &wanted).unwrap();
    let (column, faults) = reader.read(&texts).unwrap();
    assert!(faults.is_empty());
    let times =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(&column);
    times.value(0)
}

/// What is said of a view.
fn of_view<'a>(done: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let views = done["views"].as_array().unwrap();
    views.iter().find(|view| view["view"] == format!("{name}@1")).unwrap()
}

const USERS: [&str; 6] = ["u1", "u2", "u3", "u4", "u5", "nobody"];

fn questions(time: i64) -> Questions {
    let mut questions = Questions::new(vec![time; USERS.len()]);
    let users: ArrayRef = Arc::new(StringArray::from(USERS.to_vec()));
    questions.set_join_key(Name::new("user_id").unwrap(), users).unwrap();
    questions
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn open(dir: &Path) -> Arc<dyn OnlineStore> {
    let settings = EmbeddedSettings::new(dir.join(".unskew/online"));
    open_online_store(&OnlineStoreSettings::Embedded(settings)).await.unwrap()
}

fn table_of(operator: &ViewOperator) -> TableId {
    let id = &operator.view().id;
    TableId::new(&id.table_name()).unwrap()
}

/// What the store has for these needs, of each of the users.
async fn found(
    store: &dyn OnlineStore,
    operator: &ViewOperator,
    needs: &Needs,
) -> (Option<i64>, Vec<unskew_store::Found>, unskew_executor::stored::AskedEntities) {
    let table = table_of(operator);
    let asked = operator.asked_entities(&questions(needs.time)).unwrap();
    let tiles: Vec<bytes::Bytes> =
        needs.tiles.iter().map(|name| bytes::Bytes::copy_from_slice(name)).collect();
    let lookup = |entity| Lookup {
        table: &table,
        entity,
        newest_row: needs.newest_row,
        rows_from: needs.rows_from.as_deref(),
        rows_below: needs.rows_below.as_deref(),
        tiles: &tiles,
    };
    let lookups: Vec<Lookup<'_>> = asked.keys.iter().map(|key| lookup(key)).collect();
    let answer = store.read(&lookups).await.unwrap();
    let covered = answer.state(&table).unwrap().covered_until;
    (covered, answer.found, asked)
}

async fn answers(store: &dyn OnlineStore, operator: &ViewOperator, time: i64) -> ViewAnswers {
    let mut needs = operator.needs(time);
    loop {
        let (covered, found, asked) = found(store, operator, &needs).await;
        let parts: Vec<FoundParts<'_>> = found
            .iter()
            .map(|found| FoundParts {
                rows: found.rows.iter().map(|part| (&part.name[..], &part.value[..])).collect(),
                tiles: found
                    .tiles
                    .iter()
                    .map(|part| part.as_ref().map(|part| &part.value[..]))
                    .collect(),
            })
            .collect();
        let rows = operator.restore_records(&needs, covered, &parts, &asked).unwrap();
        if needs.is_complete || rows.incomplete().is_empty() {
            return rows.answer(&questions(time)).unwrap();
        }
        needs = operator.needs_all(time);
    }
}

/// All that the stores hold of the users, but for times of writing.
fn dump(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let offline = dir.join("data/offline");
    let mut folders = vec![offline.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&offline).unwrap().display().to_string();
                all.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    block_on(async {
        let store = open(dir).await;
        for operator in operators() {
            for time in [NOON, "2026-01-03T23:00:00Z", END, "2026-01-06T00:00:00Z"] {
                let mut needs = operator.needs_all(micros(time));
                needs.rows_from = Some(Vec::new());
                let (covered, found, _) = found(&*store, &operator, &needs).await;
                let name = format!("online {} {time}", operator.view().id);
                all.insert(name, format!("{covered:?} {found:?}").into_bytes());
            }
        }
    });
    all
}

/// Asserts that the online store answers as the rows of the files do.
fn answers_as_files_do(dir: &Path, covered: &str, times: &[&str]) {
    let (covered, mut compared) = (micros(covered), 0);
    block_on(async {
        let store = open(dir).await;
        for operator in operators() {
            let view = operator.view();
            let mut files: Vec<_> =
                fs::read_dir(dir.join("events")).unwrap().map(|e| e.unwrap().path()).collect();
            files.sort();
            let source = &view.source;
            let mut acceptance = Acceptance::new(Arc::clone(source));
            for path in &files {
                let mut table = TableReader::open(path, None, None, &|| false).unwrap();
                let reader = SourceReader::new(source, table.schema()).unwrap();
                while let Some((first_row, batch)) = table.next_batch().unwrap() {
                    let rows = reader.read(&batch).unwrap();
                    acceptance.push(&rows, &"file".into(), first_row).unwrap();
                }
            }
            let rows = acceptance.finish().unwrap();
            // What is not materialized yet is not known.
            let known = rows.event_timestamps.partition_point(|time| *time < covered) as u32;
            let rows = rows.only(&(0..known).collect::<Vec<u32>>()).unwrap();
            let prepared = operator.prepare(&rows).unwrap();
            for time in times {
                let time = micros(time);
                let wanted = prepared.answer(&questions(time)).unwrap();
                let found = answers(&*store, &operator, time).await;
                for (wanted, found) in wanted.features.iter().zip(&found.features) {
                    if view.window.emits() && time > covered {
                        continue;
                    }
                    assert_eq!(wanted.statuses, found.statuses, "{} at {time}", view.id);
                    assert_eq!(wanted.values.to_data(), found.values.to_data(), "{}", view.id);
                    compared += 1;
                }
            }
        }
    });
    assert!(compared >= 4 * times.len(), "{compared}");
}

#[test]
fn the_stores_answer_as_the_files_do() {
    let dir = shop();
    let done = run(backfill(dir.path())).succeeded().json();
    assert_eq!(done["views"].as_array().unwrap().len(), 3);
    let spend = of_view(&done, "spend");
    assert_eq!((&spend["rows"], &spend["new_generation"]), (&7.into(), &true.into()), "{spend}");
    assert_eq!(spend["left_out"]["event_timestamp"], 1, "{spend}");
    assert_eq!(spend["left_out"]["join_key:spend"], 1, "{spend}");
    answers_as_files_do(dir.path(), NOON, &[NOON, "2026-01-03T12:10:00Z", "2026-01-04T09:00:00Z"]);

    // What follows is written into the same generation.
    add(dir.path(), "second.csv", SECOND);
    let done = run(incremental(dir.path(), END)).succeeded().json();
    let spend = of_view(&done, "spend");
    assert_eq!(spend["new_generation"], false, "{spend}");
    assert_eq!((&spend["files_read"], &spend["files_unchanged"]), (&1.into(), &1.into()));
    answers_as_files_do(dir.path(), END, &[END, "2026-01-05T12:00:01Z", "2026-01-05T13:37:00Z"]);

    // A file with rows of days that were done: they are computed again.
    add(dir.path(), "late.csv", LATE);
    let done = run(incremental(dir.path(), END)).succeeded().json();
    let spend = of_view(&done, "spend");
    assert_eq!(spend["new_generation"], true, "{spend}");
    let dates: Vec<&str> =
        spend["slices"].as_array().unwrap().iter().map(|s| s["date"].as_str().unwrap()).collect();
    assert_eq!(dates, ["2026-01-02", "2026-01-03"]);
    answers_as_files_do(dir.path(), END, &[END, "2026-01-05T13:37:00Z"]);

    // One that is changed, and one that is gone.
    add(dir.path(), "late.csv", &LATE.replace("100", "200"));
    fs::remove_file(dir.path().join("events/second.csv")).unwrap();
    run(incremental(dir.path(), END)).succeeded();
    answers_as_files_do(dir.path(), END, &[END, "2026-01-05T13:37:00Z"]);
}

#[test]
fn to_do_it_again_changes_nothing() {
    let dir = shop();
    run(backfill(dir.path())).succeeded();
    let before = dump(dir.path());
    assert!(before.keys().any(|name| name.contains("date=2026-01-03")), "{:?}", before.keys());
    let again = run(incremental(dir.path(), NOON)).succeeded().json();
    assert_eq!(of_view(&again, "spend")["rows"], 0, "{again}");
    assert_eq!(dump(dir.path()), before);
    let again = run(backfill(dir.path())).succeeded().json();
    assert_eq!(of_view(&again, "spend")["unchanged_slices"], 3, "{again}");
    assert_eq!(dump(dir.path()), before);
}

#[test]
fn a_crash_at_any_commit_point_loses_nothing_and_doubles_nothing() {
    let steps = |dir: &Path, number: usize| match number {
        0 => backfill(dir),
        1 => {
            add(dir, "second.csv", SECOND);
            incremental(dir, END)
        }
        _ => {
            add(dir, "late.csv", LATE);
            incremental(dir, END)
        }
    };
    let undisturbed = shop();
    for step in 0..3 {
        run(steps(undisturbed.path(), step)).succeeded();
        let wanted = dump(undisturbed.path());
        let mut at = 0;
        loop {
            assert!(at < 200, "there is no end to commit points");
            let dir = shop();
            for before in 0..step {
                run(steps(dir.path(), before)).succeeded();
            }
            let mut command = unskew();
            command.args(steps(dir.path(), step));
            let ran = Ran::of(command.env("UNSKEW_ABORT_AT_COMMIT_POINT", at.to_string()));
            if ran.code == Some(0) {
                break;
            }
            assert_eq!(ran.code, None, "it is a crash: {ran:#?}");
            run(steps(dir.path(), step)).succeeded();
            let found = dump(dir.path());
            for (name, wanted) in &wanted {
                let found = found.get(name).map(|bytes| String::from_utf8_lossy(bytes));
                let wanted = String::from_utf8_lossy(wanted);
                assert_eq!(found.as_deref(), Some(&*wanted), "step {step}, crash {at}: {name}");
            }
            assert_eq!(found.len(), wanted.len(), "step {step}, crash {at}");
            // Every point of the first step; of the others, whose beginnings
            // cost runs of their own, each second one.
            at += if step == 0 { 1 } else { 2 };
        }
        assert!(at > 10, "step {step} has only {at} commit points");
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let dir = shop();
    let mut words = backfill(dir.path());
    words.push("--dry-run".to_owned());
    let done = run(words).succeeded().json();
    let spend = of_view(&done, "spend");
    assert_eq!(spend["rows"], 7, "{spend}");
    assert_eq!(spend["slices"].as_array().unwrap().len(), 3);
    assert!(spend["bytes"].as_u64().unwrap() > 100);
    assert!(!dir.path().join("data/offline/view=spend@1").exists());
    block_on(async {
        let store = open(dir.path()).await;
        let table = TableId::new("spend@1").unwrap();
        assert_eq!(store.tables(&[table]).await.unwrap()[0].covered_until, None);
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = shop();
    let project = text(dir.path());
    let ran = |words: &[&str]| run([&["materialize", "--project", project], words].concat());
    ran(&["--start", START, "--end", "2999-01-01"]).refused(&["2999", "future"]);
    ran(&["--start", NOON, "--end", START]).refused(&["not before the end"]);
    ran(&["--start", "soon", "--end", NOON]).refused(&["soon", "RFC 3339"]);
    ran(&["spent", "--start", START, "--end", NOON]).refused(&["spent", "spend"]);
    ran(&["spend@9", "--start", START, "--end", NOON]).refused(&["spend@9"]);
    run(["materialize-incremental", "--project", project, "--end", "2999-01-01"])
        .refused(&["future"]);
    ran(&["spend", "--start", START, "--end", NOON, "--source", "nothing=x"]).refused(&["nothing"]);
    fs::write(dir.path().join("events/broken.csv"), "uid,amount,known,ts\nu1,1\n").unwrap();
    ran(&["spend", "--start", START, "--end", NOON]).refused(&["broken.csv"]);
    fs::remove_file(dir.path().join("events/broken.csv")).unwrap();

    let set = "offline_store.url=gopher://x";
    ran(&["spend", "--start", START, "--end", NOON, "--set", set]).refused(&["gopher"]);
    let set = ["--set", "online_store.type=redis", "--set", "online_store.url=redis://127.0.0.1:1"];
    let words = [&["spend", "--start", START, "--end", NOON], &set[..]].concat();
    ran(&words).refused(&["127.0.0.1:1"]);
}
