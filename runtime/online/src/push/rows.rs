//! The rows of a push: JSON columns to accepted rows of their source.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use serde::Serialize;
use unskew_executor::rows::{Acceptance, AcceptedRows, RowsError, SourceReader};
use unskew_plan::{FeaturePlan, SourcePlan};

use crate::engine::{RawColumns, unknown};
use crate::error::{OnlineError, UnknownKind};

/// What messages call the place of a pushed row.
const PLACE: &str = "push";

/// Rows of a push, judged.
pub(crate) struct Pushed {
    pub(crate) accepted: AcceptedRows,
}

/// A row of a push that was not taken.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PushedRow {
    /// From 0.
    pub(crate) row: u64,
    pub(crate) reason: String,
}

/// The source of this name, if rows may be pushed into it.
pub(crate) fn source_of(plan: &FeaturePlan, name: &str) -> Result<Arc<SourcePlan>, OnlineError> {
    let found = plan.sources.iter().find(|source| source.name == *name);
    match found {
        Some(source) if source.push => Ok(Arc::clone(source)),
        Some(_) => Err(OnlineError::Unknown {
            kind: UnknownKind::PushSource,
            what: format!("rows cannot be pushed into the source {name}"),
            fix: "write `push: true` into its definition, and serve again".to_owned(),
        }),
        None => {
            let open = plan.sources.iter().filter(|source| source.push);
            let names = open.map(|source| source.name.as_str());
            let what = format!("there is no source {name:?} to push rows into");
            Err(unknown(UnknownKind::PushSource, what, name, names))
        }
    }
}

impl Pushed {
    /// Reads rows; a value that is none of its field's type is a mistake of the
    /// whole request, which the client can mend.
    pub(crate) fn read(
        source: &Arc<SourcePlan>,
        columns: &RawColumns<'_>,
    ) -> Result<Self, OnlineError> {
        let rows = columns.rows()?;
        let mut fields = Vec::with_capacity(source.fields.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(source.fields.len());
        for field in &source.fields {
            if fields.iter().any(|known: &Field| *known.name() == field.column) {
                continue;
            }
            let values = columns.read(&field.column, "the column", &field.data_type)?;
            // What is missing is the reader's to tell.
            let Some(values) = values else { continue };
            fields.push(Field::new(&field.column, values.data_type().clone(), true));
            arrays.push(values);
        }
        let schema = Arc::new(Schema::new(fields));
        let reader = SourceReader::with_all_columns(source, &schema).map_err(told)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| OnlineError::Internal(error.to_string()))?;
        let mut acceptance = Acceptance::new(Arc::clone(source));
        acceptance.push(&reader.read(&batch).map_err(told)?, &PLACE.into(), 0).map_err(told)?;
        Ok(Self { accepted: acceptance.finish().map_err(told)? })
    }

    /// How many rows were accepted.
    pub(crate) fn rows(&self) -> usize {
        self.accepted.batch.num_rows()
    }

    /// Those that were not.
    pub(crate) fn dead_letters(&self) -> Vec<PushedRow> {
        let letters = self.accepted.dead_letters.iter();
        letters
            .map(|letter| PushedRow {
                row: letter.row,
                reason: format!("{}: {}", letter.reason, letter.detail),
            })
            .collect()
    }
}

fn told(error: RowsError) -> OnlineError {
    OnlineError::Invalid(error.to_string())
}
