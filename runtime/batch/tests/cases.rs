//! Every case of `tests/cases` through the batch driver: events and labels as
//! files of every format, the training set read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema, TimestampMicrosecondType};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use unskew_batch::{
    BatchError, OfflineRows, ParquetCompression, Resources, TableReader, TableWriter, TrainingJob,
    source_files, train,
};
use unskew_cases::{Answer, Case, Question, case_files, event_batch, spelled};
use unskew_definition::DataType;
use unskew_executor::NoModules;
use unskew_executor::rows::{Acceptance, AcceptedRows, SourceReader};
use unskew_executor::service::ViewOperator;
use unskew_executor::text::{ColumnBuilder, ColumnPrinter};
use unskew_plan::{FeaturePlan, ServiceFeature, SourcePlan, ViewId};

#[test]
fn every_case_is_answered_from_files_as_it_says() {
    let only = std::env::var("UNSKEW_CASE").ok();
    let mut wrong = Vec::new();
    for (at, path) in case_files().unwrap().iter().enumerate() {
        let name = path.strip_prefix(unskew_cases::folder()).unwrap_or(path).display().to_string();
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let ending = ["csv", "jsonl", "parquet", "csv.gz", "jsonl.zst"][at % 5];
        for (how, resources) in [
            ("as it comes", Resources::default()),
            ("in many parts, on disk", small()),
            ("in one part", Resources { buckets: Some(1), threads: 1, ..Resources::default() }),
        ] {
            if let Err(error) = run(path, ending, &resources) {
                wrong.push(format!("{name} ({ending}, {how}): {error:#}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases are not as they say:\n{}", wrong.len(), wrong.join("\n"));
}

/// So little memory that all rows go through files, in many parts.
fn small() -> Resources {
    let default = Resources::default();
    Resources { memory_limit_bytes: 1 << 20, threads: 3, buckets: Some(61), ..default }
}

fn run(path: &Path, ending: &str, resources: &Resources) -> anyhow::Result<()> {
    let case = Case::read(path)?;
    let folder = tempfile::tempdir()?;
    match (evaluate(&case, path, folder.path(), ending, resources), case.error.is_empty()) {
        (Ok(()), true) => Ok(()),
        (Err(error), true) => Err(error),
        (Ok(()), false) => bail!("it is refused with {:?}, and was not", case.error),
        (Err(error), false) => {
            let message = format!("{error:#}");
            let missing = case.error.iter().find(|part| !message.contains(part.as_str()));
            ensure!(missing.is_none(), "the message lacks {missing:?}: {message}");
            Ok(())
        }
    }
}

fn evaluate(
    case: &Case,
    path: &Path,
    folder: &Path,
    ending: &str,
    resources: &Resources,
) -> anyhow::Result<()> {
    let plan = case.plan(path)?;
    for source in &plan.sources {
        write_events(case, source, folder, ending)?;
    }
    for (at, (names, features, questions)) in case.asked(&plan)?.into_iter().enumerate() {
        let labels = folder.join(format!("labels{at}.parquet"));
        write_labels(case, &questions, &labels)?;
        let job = TrainingJob {
            labels,
            output: Some(folder.join(format!("training{at}.parquet"))),
            label_time: "label time".to_owned(),
            columns: Vec::new(),
            statuses: true,
            full_feature_names: true,
            compression: ParquetCompression::default(),
            resources: resources.clone(),
            offline: None,
            recipe: None,
        };
        let files = |source: &SourcePlan| -> Result<Vec<PathBuf>, BatchError> {
            source_files(source, folder, &[format!("{}.*", source.name)])
        };
        // A case may ask for one feature by two names; a table has it once.
        let mut columns = Vec::with_capacity(features.len());
        let mut asked: Vec<ServiceFeature> = Vec::new();
        for feature in &features {
            let same = |f: &ServiceFeature| {
                f.view.id() == feature.view.id() && f.feature == feature.feature
            };
            let known = asked.iter().position(same);
            columns.push(known.unwrap_or(asked.len()));
            if known.is_none() {
                asked.push(feature.clone());
            }
        }
        let summary = train(&job, &asked, &files, &NoModules, &mut |_| {}, &|| false)?;
        if let Some(warnings) = &case.warnings {
            let found = summary.labels_at_event_time as usize;
            ensure!(found == warnings.labels_at_event_time, "{found} labels at an event's time");
        }
        let table = read(job.output.as_deref().context("an output")?)?;
        if resources.buckets.is_some_and(|buckets| buckets > 1) {
            // What views would have left in an offline store answers the same.
            let offline = TableRows::of(&plan, &files)?;
            let output = Some(folder.join(format!("offline{at}.parquet")));
            let job = TrainingJob { output, offline: Some(Arc::new(offline)), ..job.clone() };
            train(&job, &asked, &files, &NoModules, &mut |_| {}, &|| false)?;
            let same = read(job.output.as_deref().context("an output")?)?;
            ensure!(same == table, "from the offline store: {same:?}\nfrom files: {table:?}");
        }
        ensure!(table.num_rows() == questions.len(), "one row for each label");
        for ((name, feature), column) in names.iter().zip(&features).zip(columns) {
            let summary = &summary.features[column];
            let values = table.column_by_name(&summary.column).context("the feature's column")?;
            let statuses = table.column_by_name(&format!("{}__status", summary.column));
            let statuses = statuses.context("the status' column")?.as_string::<i32>();
            for (row, question) in questions.iter().enumerate() {
                let Some(expected) = question.expect.get(name) else { continue };
                let status = statuses.value(row);
                ensure!(
                    status == expected.status,
                    "{name}, row {row}: {status}, not {}",
                    expected.status
                );
                compare(&feature.field().data_type, values, row, expected)
                    .with_context(|| format!("{name}, row {row}"))?;
            }
        }
    }
    Ok(())
}

/// The tables of all views, made of their sources' files.
#[derive(Debug)]
struct TableRows(BTreeMap<ViewId, (RecordBatch, usize)>);

/// All rows of a source, read the plain way.
fn rows_of(source: &Arc<SourcePlan>, files: &[PathBuf]) -> anyhow::Result<AcceptedRows> {
    let mut acceptance = Acceptance::new(Arc::clone(source));
    for path in files {
        let mut table = TableReader::open(path, None, None, &|| false)?;
        let reader = SourceReader::new(source, table.schema())?;
        let place: Arc<str> = path.display().to_string().into();
        while let Some((first_row, batch)) = table.next_batch()? {
            acceptance.push(&reader.read(&batch)?, &place, first_row)?;
        }
    }
    Ok(acceptance.finish()?)
}

impl TableRows {
    fn of(
        plan: &FeaturePlan,
        files: &dyn Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError>,
    ) -> anyhow::Result<Self> {
        let mut tables = BTreeMap::new();
        for view in &plan.views {
            let source = &view.source;
            let rows = rows_of(source, &files(source)?)?;
            let operator = ViewOperator::new(Arc::clone(view), &NoModules)?;
            let table = operator.prepare(&rows)?.table(&rows)?;
            tables.insert(view.id.clone(), (table, view.join_keys.len()));
        }
        Ok(Self(tables))
    }

    fn days_of(&self, view: &ViewId) -> Vec<i64> {
        let (table, time) = &self.0[view];
        let times = table.column(*time).as_primitive::<TimestampMicrosecondType>();
        times.values().iter().map(|time| time.div_euclid(86_400_000_000)).collect()
    }
}

#[async_trait::async_trait]
impl OfflineRows for TableRows {
    fn place(&self) -> &str {
        "a test"
    }

    async fn covered_until(&self, _: &ViewId) -> Result<i64, BatchError> {
        Ok(i64::MAX)
    }

    async fn days(&self, view: &ViewId) -> Result<Vec<(i64, u64)>, BatchError> {
        let days: BTreeSet<i64> = self.days_of(view).into_iter().collect();
        Ok(days.into_iter().map(|day| (day, 100)).collect())
    }

    async fn read(&self, view: &ViewId, day: i64) -> Result<Vec<RecordBatch>, BatchError> {
        let is_of_day: BooleanArray =
            self.days_of(view).into_iter().map(|of| Some(of == day)).collect();
        Ok(vec![filter_record_batch(&self.0[view].0, &is_of_day).expect("one for each row")])
    }
}

/// The events of a source in two files of one format.
fn write_events(
    case: &Case,
    source: &SourcePlan,
    folder: &Path,
    ending: &str,
) -> anyhow::Result<()> {
    let none = unskew_cases::Events::Rows(Vec::new());
    let events = case.events.get(source.name.as_str()).unwrap_or(&none);
    let batch = event_batch(events, source)?;
    let schema = batch.schema();
    let half = batch.num_rows() / 2;
    // The later rows in the file that is read first.
    for (part, rows) in [("a", half..batch.num_rows()), ("b", 0..half)] {
        let path = folder.join(format!("{}.{part}.{ending}", source.name));
        let mut writer = TableWriter::create(&path, &schema, ParquetCompression::default(), 2)?;
        writer.write(&batch.slice(rows.start, rows.len()))?;
        writer.commit()?;
    }
    Ok(())
}

fn write_labels(case: &Case, questions: &[&Question], path: &Path) -> anyhow::Result<()> {
    let mut fields = vec![Field::new("label time", arrow::datatypes::DataType::Utf8, true)];
    let times = questions.iter().map(|question| question.at.clone());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(times))];
    let mut add = |of: &dyn Fn(&Question) -> &Map<String, Value>| -> anyhow::Result<()> {
        let names: BTreeSet<String> =
            questions.iter().flat_map(|question| of(question).keys().cloned()).collect();
        for name in names {
            let texts: Vec<Option<String>> =
                questions.iter().map(|question| spelled(of(question).get(&name))).collect();
            let column: ArrayRef = match case.label_types.get(&name) {
                None => Arc::new(StringArray::from(texts)),
                Some(data_type) => {
                    let mut column = ColumnBuilder::new(&data_type.parse()?, texts.len());
                    for text in texts {
                        match text {
                            None => column.push_null(),
                            Some(text) => column.push_text(&text)?,
                        }
                    }
                    column.finish()
                }
            };
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        Ok(())
    };
    add(&|question: &Question| &question.entity)?;
    add(&|question: &Question| &question.request)?;
    let schema = Arc::new(Schema::new(fields));
    let mut writer = TableWriter::create(path, &schema, ParquetCompression::default(), 2)?;
    writer.write(&RecordBatch::try_new(schema, columns)?)?;
    Ok(writer.commit()?)
}

fn read(path: &Path) -> anyhow::Result<RecordBatch> {
    let mut table = TableReader::open(path, None, None, &|| false)?;
    let mut batches = Vec::new();
    while let Some((_, batch)) = table.next_batch()? {
        batches.push(batch);
    }
    Ok(concat_batches(table.schema(), &batches)?)
}

fn compare(
    data_type: &DataType,
    values: &ArrayRef,
    row: usize,
    expected: &Answer,
) -> anyhow::Result<()> {
    let mut wanted = ColumnBuilder::new(data_type, 1);
    match &expected.value {
        Value::Null => wanted.push_null(),
        value => wanted.push_json(&RawValue::from_string(value.to_string())?)?,
    }
    let wanted = wanted.finish();
    let found = values.slice(row, 1);
    let shown = |column: &ArrayRef| -> anyhow::Result<String> {
        let mut text = Vec::new();
        ColumnPrinter::new(column)?.print_json(0, &mut text);
        Ok(String::from_utf8(text)?)
    };
    let (found, wanted) = (shown(&found)?, shown(&wanted)?);
    if let Some(tolerance) = expected.tolerance.filter(|_| found != "null" && wanted != "null") {
        let (found, wanted): (f64, f64) =
            (found.trim_matches('"').parse()?, wanted.trim_matches('"').parse()?);
        ensure!((found - wanted).abs() <= tolerance * wanted.abs(), "{found}, not {wanted}");
        return Ok(());
    }
    ensure!(found == wanted, "{found}, not {wanted}");
    Ok(())
}
