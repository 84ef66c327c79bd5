use arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{interleave, take};
use unskew_definition::OnError;
use unskew_host::{RowError, RowStatus};
use unskew_plan::FeatureField;

use crate::evaluation_error::EvaluationError;
use crate::feature_status::FeatureStatus;
use crate::stored::Inexact;

/// The answers of one view, one row for each question.
#[derive(Clone, Debug)]
pub struct ViewAnswers {
    /// One for each feature of the view.
    pub features: Vec<FeatureAnswers>,
    /// The event time of what was found, in microseconds: of a trailing window
    /// that of the newest event in the longest one.
    pub event_timestamps: Vec<Option<i64>>,
    /// The questions, ascending, that are at the very time of an event of their
    /// entity whose source does not say when it was known.
    pub at_event_times: Vec<usize>,
}

/// The answers of one feature.
#[derive(Clone, Debug)]
pub struct FeatureAnswers {
    /// Its values, of the feature's type; a default where the status calls for
    /// one.
    pub values: ArrayRef,
    /// The true statuses, also where a default stands in.
    pub statuses: Vec<FeatureStatus>,
    /// Why rows have the status ERROR, ascending by row.
    pub errors: Vec<RowError>,
}

/// Whether a view has something to answer a question with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// This row of what was evaluated.
    Row(u32),
    NotFound,
    OutsideMaxAge,
    /// An online store does not hold what an exact answer needs.
    Inexact(Inexact),
}

/// Where a value comes from.
#[derive(Clone, Copy)]
enum Place {
    Row(u32),
    Default,
    Null,
}

/// The answers of one feature, from its column over evaluated rows and from
/// what was found for each question.
pub(crate) fn answers(
    feature: &FeatureField,
    on_error: OnError,
    column: &ArrayRef,
    failed: &[RowError],
    findings: &[Finding],
) -> Result<FeatureAnswers, EvaluationError> {
    let mut failure_of: Vec<Option<&RowError>> = vec![None; column.len()];
    failed.iter().for_each(|error| failure_of[error.row] = Some(error));
    let nulls = column.logical_nulls();
    let is_null = |row: u32| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row as usize));
    let mut statuses = Vec::with_capacity(findings.len());
    let mut errors = Vec::new();
    let mut places: Vec<Place> = Vec::with_capacity(findings.len());
    let of_error = match on_error {
        OnError::Default => Place::Default,
        _ => Place::Null,
    };
    for (question, finding) in findings.iter().enumerate() {
        let (status, place) = match finding {
            Finding::NotFound => (FeatureStatus::NotFound, Place::Default),
            Finding::OutsideMaxAge => (FeatureStatus::OutsideMaxAge, Place::Default),
            Finding::Inexact(why) => {
                let (status, message) = (RowStatus::Failed, why.message());
                errors.push(RowError { row: question, status, message });
                (FeatureStatus::Error, of_error)
            }
            Finding::Row(row) => match failure_of[*row as usize] {
                Some(error) => {
                    errors.push(RowError { row: question, ..error.clone() });
                    (FeatureStatus::Error, of_error)
                }
                None if is_null(*row) => (FeatureStatus::NullValue, Place::Row(*row)),
                None => (FeatureStatus::Present, Place::Row(*row)),
            },
        };
        statuses.push(status);
        places.push(place);
    }
    Ok(FeatureAnswers { values: placed(feature, column, &places)?, statuses, errors })
}

/// The values at these places of the column.
fn placed(
    feature: &FeatureField,
    column: &ArrayRef,
    places: &[Place],
) -> Result<ArrayRef, EvaluationError> {
    let Some(default) = &feature.default else {
        let row = |place: &Place| match place {
            Place::Row(row) => Some(*row),
            Place::Default | Place::Null => None,
        };
        return Ok(take(column, &UInt32Array::from_iter(places.iter().map(row)), None)?);
    };
    if places.is_empty() {
        return Ok(column.slice(0, 0));
    }
    let null = new_null_array(column.data_type(), 1);
    let of = |place: &Place| match place {
        Place::Row(row) => (0, *row as usize),
        Place::Default => (1, 0),
        Place::Null => (2, 0),
    };
    let places: Vec<(usize, usize)> = places.iter().map(of).collect();
    Ok(interleave(&[column.as_ref(), default.as_ref(), null.as_ref()], &places)?)
}
