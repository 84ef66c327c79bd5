//! Training sets: labels in, what a service would have answered at each
//! label's time out.

mod labels;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, FieldRef, Schema};
use serde::Serialize;
use unskew_definition::Name;
use unskew_executor::rows::{AcceptedRows, DeadLetter};
use unskew_executor::service::{ServiceAnswers, ServiceFeatureAnswers, ServiceOperator};
use unskew_executor::{FeatureStatus, ModuleCatalog};
use unskew_plan::{ServiceFeature, SourcePlan};

use crate::error::BatchError;
use crate::job::ParquetCompression;
use crate::source_files::read_source;
use crate::table_writer::TableWriter;
use crate::train::labels::LabelFile;

/// What a training set is made of.
#[derive(Clone, Debug)]
pub struct TrainingJob {
    /// The file of labels: entities, times, and whatever else it has, which is
    /// kept.
    pub labels: PathBuf,
    /// The file that is written.
    pub output: PathBuf,
    /// The column of the labels that holds their times.
    pub label_time: String,
    /// Columns of join keys and request fields, where they have other names:
    /// (join key or field, column).
    pub columns: Vec<(String, String)>,
    /// Whether a status column stands beside each feature.
    pub statuses: bool,
    /// Whether features are named `view__feature`.
    pub full_feature_names: bool,
    /// How a Parquet output is compressed.
    pub compression: ParquetCompression,
}

/// What became of a training set.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingSummary {
    /// The file that was written.
    pub output: PathBuf,
    /// Labels read and rows written.
    pub labels: u64,
    /// What was read of each source.
    pub sources: Vec<SourceSummary>,
    /// How many labels got which status, by feature.
    pub features: Vec<FeatureSummary>,
    /// Rows that views left out: how many, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// How many labels are at the very time of an event of their entity, whose
    /// source does not say when it was known.
    pub labels_at_event_time: usize,
    /// What is worth a second look.
    pub warnings: Vec<String>,
}

/// What was read of a source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceSummary {
    /// Its name.
    pub source: Name,
    /// Files read.
    pub files: usize,
    /// Rows that count.
    pub rows: u64,
    /// Rows that do not: how many, by reason.
    pub dead_letters: BTreeMap<String, u64>,
    /// The first of them, in words.
    pub first_dead_letter: Option<String>,
}

/// How the answers of a feature turned out.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureSummary {
    /// Its column.
    pub column: String,
    /// How many labels have which status.
    pub statuses: BTreeMap<FeatureStatus, u64>,
    /// The first error, in words.
    pub first_error: Option<String>,
}

/// Builds a training set in memory: reads the labels and all events, answers
/// each label as of its time, writes labels and features together. The output
/// appears when it is whole, or not at all.
pub fn train(
    job: &TrainingJob,
    features: &[ServiceFeature],
    files: &dyn Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError>,
    modules: &dyn ModuleCatalog,
    progress: &mut dyn FnMut(&str, u64),
    cancelled: &dyn Fn() -> bool,
) -> Result<TrainingSummary, BatchError> {
    let failed = |source| BatchError::Training { source: Box::new(source) };
    let operator = ServiceOperator::new(features, modules).map_err(failed)?;
    let labels = LabelFile::read(&job.labels, cancelled)?;
    let questions = labels.questions(job, &operator)?;
    let names = column_names(job, features, &labels.batch)?;

    let mut rows: BTreeMap<Name, AcceptedRows> = BTreeMap::new();
    let mut sources = Vec::new();
    let mut notes = Vec::new();
    for source in operator.sources() {
        let files = files(&source)?;
        let name = source.name.to_string();
        let accepted =
            read_source(&source, &files, &mut |rows| progress(&name, rows), &mut notes, cancelled)?;
        sources.push(SourceSummary::new(&accepted, files.len()));
        rows.insert(source.name.clone(), accepted);
    }
    let answers = operator.answer(&rows, &questions).map_err(failed)?;
    if cancelled() {
        return Err(BatchError::Cancelled);
    }

    let table = table(job, &labels.batch, &names, &answers)?;
    let mut writer = TableWriter::create(&job.output, &table.schema(), job.compression)?;
    writer.write(&table)?;
    writer.commit()?;
    let ServiceAnswers { features, dead_letters, mut warnings, at_event_time } = answers;
    warnings.extend(notes);
    if at_event_time > 0 {
        warnings.push(format!(
            "{at_event_time} of {} labels are at the very time of an event of their entity, which counts; if events are known only later, give their source a created_timestamp",
            table.num_rows()
        ));
    }
    Ok(TrainingSummary {
        output: job.output.clone(),
        labels: table.num_rows() as u64,
        sources,
        features: features
            .iter()
            .zip(&names)
            .map(|(f, name)| FeatureSummary::new(f, name))
            .collect(),
        left_out: by_reason(&dead_letters),
        labels_at_event_time: at_event_time,
        warnings,
    })
}

/// The names of the features' columns, none of which may be one of the labels'.
fn column_names(
    job: &TrainingJob,
    features: &[ServiceFeature],
    labels: &RecordBatch,
) -> Result<Vec<String>, BatchError> {
    let of = |feature: &ServiceFeature| {
        let (id, name) = (feature.view.id(), &feature.field().name);
        let is_other = |other: &ServiceFeature| {
            other.view.id().name == id.name && other.view.id().version != id.version
        };
        match job.full_feature_names {
            // Versions of one view stand side by side.
            true if features.iter().any(is_other) => format!("{}_v{}__{name}", id.name, id.version),
            true => format!("{}__{name}", id.name),
            false => name.to_string(),
        }
    };
    let names: Vec<String> = features.iter().map(of).collect();
    let schema = labels.schema();
    for (at, name) in names.iter().enumerate() {
        let status = status_name(name);
        let is_twice = names[..at].contains(name);
        let is_label = schema.column_with_name(name).is_some()
            || (job.statuses && schema.column_with_name(&status).is_some());
        if is_twice || is_label {
            return Err(BatchError::NameClash {
                column: name.clone(),
                which: match is_twice {
                    true => "two features of the service".to_owned(),
                    false => "a column of the labels and a feature".to_owned(),
                },
                advice: "name features by their views, too, with --full-feature-names, or rename the labels' column".to_owned(),
            });
        }
    }
    Ok(names)
}

fn status_name(feature: &str) -> String {
    format!("{feature}__status")
}

/// The labels, then the features.
fn table(
    job: &TrainingJob,
    labels: &RecordBatch,
    names: &[String],
    answers: &ServiceAnswers,
) -> Result<RecordBatch, BatchError> {
    let mut fields: Vec<FieldRef> = labels.schema().fields().iter().cloned().collect();
    let mut columns: Vec<ArrayRef> = labels.columns().to_vec();
    for (ServiceFeatureAnswers { answers, .. }, name) in answers.features.iter().zip(names) {
        fields.push(Arc::new(Field::new(name, answers.values.data_type().clone(), true)));
        columns.push(Arc::clone(&answers.values));
        if job.statuses {
            fields.push(Arc::new(Field::new(
                status_name(name),
                arrow::datatypes::DataType::Utf8,
                false,
            )));
            let statuses = answers.statuses.iter().map(|status| status.as_str());
            columns.push(Arc::new(StringArray::from_iter_values(statuses)));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| {
        BatchError::Internal { path: job.output.clone(), reason: error.to_string() }
    })
}

fn by_reason(dead_letters: &[DeadLetter]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for letter in dead_letters {
        *counts.entry(letter.reason.to_string()).or_insert(0) += 1;
    }
    counts
}

impl SourceSummary {
    fn new(rows: &AcceptedRows, files: usize) -> Self {
        let first = rows.dead_letters.first().map(|letter| {
            format!("{}, row {}: {}: {}", letter.place, letter.row, letter.reason, letter.detail)
        });
        Self {
            source: rows.source.name.clone(),
            files,
            rows: rows.batch.num_rows() as u64,
            dead_letters: by_reason(&rows.dead_letters),
            first_dead_letter: first,
        }
    }
}

impl FeatureSummary {
    fn new(feature: &ServiceFeatureAnswers, column: &str) -> Self {
        let mut statuses = BTreeMap::new();
        for status in &feature.answers.statuses {
            *statuses.entry(*status).or_insert(0) += 1;
        }
        let first = feature.answers.errors.first();
        Self {
            column: column.to_owned(),
            statuses,
            first_error: first
                .map(|error| format!("label {}: {}: {}", error.row, error.status, error.message)),
        }
    }
}
