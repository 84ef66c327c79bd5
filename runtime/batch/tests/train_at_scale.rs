//! Training sets larger than their memory: what is read, what is not, what goes
//! through files, and that none of it changes a byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use unskew_batch::{
    BatchError, ParquetCompression, Resources, TrainingJob, TrainingSummary, source_files, train,
};
use unskew_definition::DefinitionReader;
use unskew_executor::NoModules;
use unskew_plan::{FeaturePlan, SourcePlan};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

const SHOP: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: int64}]}
sources:
  - name: orders
    fields:
      - {name: user_id, type: int64, nullable: true}
      - {name: note, type: utf8, nullable: true}
      - {name: amount, type: float64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
    files: [\"orders*.parquet\"]
feature_views:
  - name: spend
    entities: [user]
    source: orders
    aggregates:
      - {name: total, function: sum, column: amount, over: {size: 2d, hop: 1h}}
      - {name: n, function: count, over: {size: 1h, hop: 5m}}
  - name: newest
    entities: [user]
    source: orders
    features: [{name: amount}]
feature_services:
  - {name: windows, features: [spend]}
  - {name: latest, features: [newest]}
  - {name: both, features: [spend, newest]}
";

fn plan(yaml: &str) -> FeaturePlan {
    let mut reader = DefinitionReader::new();
    reader.read_document("shop.yaml", yaml.as_bytes());
    FeaturePlan::new(&reader.finish(None)).unwrap()
}

/// Events of 100 users, one each minute, in order; four row groups of each file.
fn write_orders(folder: &Path, rows: i64) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Int64, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
    ]));
    for (part, range) in [(1, rows / 2..rows), (0, 0..rows / 2)] {
        let group = usize::try_from(rows / 8).unwrap();
        let properties =
            WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
        let file = fs::File::create(folder.join(format!("orders{part}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
        let numbers: Vec<i64> = range.collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(numbers.iter().map(|i| i * 7919 % 100))),
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|i| format!("note {i}")))),
            Arc::new(Float64Array::from_iter_values(numbers.iter().map(|i| *i as f64 * 0.1))),
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(numbers.iter().map(|i| i * HOUR / 60))
                    .with_timezone("UTC"),
            ),
        ];
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
        writer.close().unwrap();
    }
}

/// Labels of all users at times of [from, to), out of order.
fn write_labels(path: &Path, count: i64, from: i64, to: i64) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Int64, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("label", DataType::Int64, true),
    ]));
    let time = |i: i64| from + (i * 7_368_787).rem_euclid((to - from) / 1000) * 1000;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values((0..count).map(|i| i % 103))),
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..count).map(time))),
        Arc::new(Int64Array::from_iter_values(0..count)),
    ];
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None).unwrap();
    writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    writer.close().unwrap();
}

struct Bench {
    folder: tempfile::TempDir,
    plan: FeaturePlan,
}

impl Bench {
    fn new(yaml: &str, rows: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_orders(folder.path(), rows);
        Self { folder, plan: plan(yaml) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(
        &self,
        service: &str,
        output: &str,
        resources: Resources,
    ) -> Result<TrainingSummary, BatchError> {
        self.train_until(service, output, resources, &mut || {}, &|| false)
    }

    fn train_until(
        &self,
        service: &str,
        output: &str,
        resources: Resources,
        progress: &mut dyn FnMut(),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<TrainingSummary, BatchError> {
        let service = self.plan.services.iter().find(|s| s.name == *service).unwrap();
        let job = TrainingJob {
            labels: self.path("labels.parquet"),
            output: Some(self.path(output)),
            label_time: "at".to_owned(),
            columns: Vec::new(),
            statuses: true,
            full_feature_names: false,
            compression: ParquetCompression::default(),
            resources,
            offline: None,
            recipe: None,
        };
        let files = |source: &SourcePlan| source_files(source, self.folder.path(), &source.files);
        train(&job, &service.features, &files, &NoModules, &mut |_| progress(), cancelled)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

/// A temporary folder of the job's own, which it must leave empty.
fn resources(temp: &Path, memory_limit_bytes: u64, threads: usize) -> Resources {
    Resources { memory_limit_bytes, threads, temp_dir: Some(temp.to_owned()), buckets: None }
}

#[test]
fn memory_threads_and_parts_change_no_byte() {
    let bench = Bench::new(SHOP, 200_000);
    write_labels(&bench.path("labels.parquet"), 150_000, 0, 200_000 * HOUR / 60);
    let temp = tempfile::tempdir().unwrap();
    let whole = bench.train("both", "whole.parquet", resources(temp.path(), 1 << 30, 2)).unwrap();
    assert_eq!((whole.counters.bytes_spilled, whole.counters.spills), (0, 0));
    assert_eq!(whole.labels, 150_000);
    for (at, (limit, threads, buckets)) in
        [(1 << 20, 1, None), (1 << 20, 4, Some(300)), (8 << 20, 3, Some(1))].into_iter().enumerate()
    {
        let name = format!("{at}.parquet");
        let resources = Resources { buckets, ..resources(temp.path(), limit, threads) };
        let summary = bench.train("both", &name, resources).unwrap();
        let counters = summary.counters;
        assert!(counters.bytes_spilled > 1 << 20, "{counters:?}");
        assert!(counters.spills > 0, "{counters:?}");
        assert!(bench.bytes(&name) == bench.bytes("whole.parquet"), "{limit} {threads}");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "temporary files are left");
    }
}

#[test]
fn what_no_label_can_see_is_not_read() {
    let bench = Bench::new(SHOP, 80_000);
    let (from, to) = (30 * DAY, 32 * DAY);
    write_labels(&bench.path("labels.parquet"), 5_000, from, to);
    let temp = tempfile::tempdir().unwrap();
    let run = |service: &str| {
        bench.train(service, "out.parquet", resources(temp.path(), 1 << 30, 2)).unwrap()
    };
    // 55 days in eight row groups; windows of two days see two or three of them.
    let windows = run("windows").counters;
    assert_eq!(windows.row_groups_read + windows.row_groups_pruned, 8);
    assert!((1..=2).contains(&windows.row_groups_read), "{windows:?}");
    assert!(windows.rows_outside_time > 0, "{windows:?}");
    // Neither needs the note.
    assert_eq!((windows.columns_read, windows.columns_pruned), (3, 1));
    // The newest value may be as old as the first.
    let latest = run("latest").counters;
    assert!((4..8).contains(&latest.row_groups_read), "{latest:?}");
    // Files of both halves come in order, whatever their names.
    assert!(latest.sorts_skipped > 0 && latest.sorts == 0, "{latest:?}");
    let plan = run("both").plan;
    for part in ["SourceScanExec", "EntityPartitionExec", "PointInTimeExec", "row_groups_pruned="] {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
}

/// Two rows of one user and one time, told apart by a column that nothing else
/// needs: their bytes decide, so it is read after all.
#[test]
fn a_column_that_breaks_a_tie_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Int64, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
    ]));
    let mut found = BTreeMap::new();
    for (name, notes) in [("a", ["x", "y"]), ("b", ["y", "x"])] {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1, 1])),
            Arc::new(StringArray::from(notes.to_vec())),
            Arc::new(Float64Array::from(vec![10.0, 20.0])),
            Arc::new(TimestampMicrosecondArray::from(vec![HOUR, HOUR]).with_timezone("UTC")),
        ];
        let file = fs::File::create(folder.path().join("orders.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None).unwrap();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
        writer.close().unwrap();
        let bench = Bench { folder: tempfile::tempdir().unwrap(), plan: plan(SHOP) };
        fs::copy(folder.path().join("orders.parquet"), bench.path("orders.parquet")).unwrap();
        write_labels(&bench.path("labels.parquet"), 2, DAY, 2 * DAY);
        let summary = bench.train("latest", "out.jsonl", Resources::default()).unwrap();
        assert_eq!((summary.counters.columns_read, summary.counters.columns_pruned), (4, 0));
        let summary = bench.train("windows", "windows.jsonl", Resources::default()).unwrap();
        assert_eq!(summary.counters.columns_pruned, 1, "sums do not depend on the order");
        let text = fs::read_to_string(bench.path("out.jsonl")).unwrap();
        let line = text.lines().nth(1).unwrap().to_owned();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        found.insert(name, value["amount"].as_f64().unwrap());
    }
    // The note comes before the amount in the schema.
    assert_eq!(found, BTreeMap::from([("a", 20.0), ("b", 10.0)]));
}

#[test]
fn a_cancelled_job_leaves_nothing() -> anyhow::Result<()> {
    let bench = Bench::new(SHOP, 200_000);
    write_labels(&bench.path("labels.parquet"), 100_000, 0, 200_000 * HOUR / 60);
    let temp = tempfile::tempdir()?;
    // While labels are read, and once the plan runs.
    for waits in [false, true] {
        let is_wanted = std::cell::Cell::new(!waits);
        let cancelled = || is_wanted.get();
        let resources = resources(temp.path(), 1 << 20, 2);
        let mut progress = || is_wanted.set(true);
        let error = bench.train_until("both", "out.parquet", resources, &mut progress, &cancelled);
        assert!(matches!(error.err().context("cancelled")?, BatchError::Cancelled));
        assert_eq!(fs::read_dir(temp.path())?.count(), 0);
        let left: Vec<_> = fs::read_dir(bench.folder.path())?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        assert_eq!(left.len(), 3, "{left:?}");
    }
    Ok(())
}

#[test]
fn resources_of_no_use_are_named() {
    let bench = Bench::new(SHOP, 800);
    write_labels(&bench.path("labels.parquet"), 10, 0, DAY);
    let good = Resources::default;
    for (resources, part) in [
        (Resources { memory_limit_bytes: 1000, ..good() }, "--memory-limit"),
        (Resources { threads: 0, ..good() }, "--threads"),
        (Resources { temp_dir: Some("no/where".into()), ..good() }, "--temp-dir no/where"),
    ] {
        let error = bench.train("both", "out.parquet", resources).unwrap_err();
        assert!(error.is_users() && error.to_string().contains(part), "{error}");
        assert!(!bench.path("out.parquet").exists());
    }
}

/// A damaged file among good ones is named, and nothing is written.
#[test]
fn a_file_that_was_cut_off_is_named() {
    let bench = Bench::new(SHOP, 8_000);
    write_labels(&bench.path("labels.parquet"), 10, 100 * DAY, 200 * DAY);
    let bytes = bench.bytes("orders1.parquet");
    fs::write(bench.path("orders1.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    let error = bench.train("both", "out.parquet", Resources::default()).unwrap_err();
    let said = error.to_string();
    assert!(
        error.is_users() && said.contains("orders1.parquet") && said.contains("cut off"),
        "{said}"
    );
    // Whole at its ends, damaged in between.
    let mut damaged = bytes.clone();
    let most_of_the_first = 8..damaged.len() / 5;
    damaged[most_of_the_first].fill(0xff);
    fs::write(bench.path("orders1.parquet"), damaged).unwrap();
    let error = bench.train("both", "out.parquet", Resources::default()).unwrap_err();
    let said = error.to_string();
    assert!(error.is_users() && said.contains("orders1.parquet, row group 0"), "{said}");
    assert!(!bench.path("out.parquet").exists());
}
