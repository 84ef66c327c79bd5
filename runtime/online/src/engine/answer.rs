//! What a request is answered with.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, BooleanArray, new_null_array};
use arrow::compute::nullif;
use unskew_definition::OnError;
use unskew_executor::FeatureStatus;
use unskew_executor::service::{FeatureAnswers, ViewAnswers};
use unskew_plan::{FeatureField, ViewId};

use crate::engine::measured::ViewMeasure;
use crate::engine::prepared::{FromView, Output, Prepared};
use crate::error::OnlineError;

/// What a view came to.
pub(crate) enum ViewState {
    Answered(ViewAnswers),
    /// The store or the computation did not answer: why, for every entity.
    Unavailable(Arc<str>),
}

/// The answer to a request: of each feature a value and a status for each
/// entity.
pub struct Answer {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) times: Vec<i64>,
    pub(crate) keys: Vec<(String, ArrayRef)>,
    /// One for each of `prepared.outputs`.
    pub(crate) features: Vec<Answered>,
    /// Why some of it could not be had at all.
    pub(crate) missing: Vec<Arc<str>>,
}

/// The answer of one feature.
pub(crate) struct Answered {
    pub(crate) values: ArrayRef,
    pub(crate) statuses: Vec<FeatureStatus>,
    /// Whether a default stands in where the status is not PRESENT.
    pub(crate) defaulted: bool,
    pub(crate) event_timestamps: Arc<[Option<i64>]>,
    /// Why values have the status ERROR, by row.
    pub(crate) errors: Vec<(usize, String)>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

impl Answer {
    /// How many entities.
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// How many values.
    pub fn values(&self) -> usize {
        self.times.len() * self.features.len()
    }

    /// Puts the views' states together.
    pub(crate) fn of(
        prepared: Arc<Prepared>,
        times: Vec<i64>,
        keys: Vec<(String, ArrayRef)>,
        stored: Vec<ViewState>,
        on_demand: Vec<ViewState>,
    ) -> Result<Self, OnlineError> {
        let rows = times.len();
        let failed = failed_entities(&prepared, &stored, &on_demand, rows);
        let mut missing: Vec<Arc<str>> = Vec::new();
        let times_of = |state: &ViewState| -> Arc<[Option<i64>]> {
            match state {
                ViewState::Answered(answers) => answers.event_timestamps.as_slice().into(),
                ViewState::Unavailable(_) => vec![None; rows].into(),
            }
        };
        let stored_times: Vec<_> = stored.iter().map(times_of).collect();
        let on_demand_times: Vec<_> = on_demand.iter().map(times_of).collect();
        let mut features = Vec::with_capacity(prepared.outputs.len());
        for output in &prepared.outputs {
            let (state, event_timestamps, measure, on_error) = match output.from {
                FromView::Stored(at) => {
                    let view = &prepared.views[at];
                    let on_error = view.operator.view().on_error;
                    (&stored[at], &stored_times[at], &view.measure, on_error)
                }
                FromView::OnDemand(at) => {
                    let view = &prepared.on_demand[at];
                    let on_error = view.operator.view().on_error;
                    (&on_demand[at], &on_demand_times[at], &view.measure, on_error)
                }
            };
            let event_timestamps = Arc::clone(event_timestamps);
            let mut answered = match state {
                ViewState::Answered(answers) => {
                    let FeatureAnswers { values, statuses, errors } =
                        &answers.features[output.feature];
                    let told = |error: &unskew_host::RowError| {
                        (error.row, format!("{}: {}", error.status, error.message))
                    };
                    Answered {
                        values: ArrayRef::clone(values),
                        statuses: statuses.clone(),
                        defaulted: output.field.default.is_some(),
                        event_timestamps,
                        errors: errors.iter().map(told).collect(),
                    }
                }
                ViewState::Unavailable(why) => {
                    if !missing.contains(why) {
                        missing.push(Arc::clone(why));
                    }
                    unavailable(&output.field, on_error, rows, why, event_timestamps)?
                }
            };
            if let Some(failed) = &failed {
                fail_entities(&mut answered, failed)?;
            }
            count(measure, &answered, &times, matches!(output.from, FromView::Stored(_)));
            features.push(answered);
        }
        Ok(Self { prepared, times, keys, features, missing })
    }

    /// The features with what they are.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&Output, &Answered)> {
        self.prepared.outputs.iter().zip(&self.features)
    }
}

/// The default in every row where it stands in for errors, else nulls.
pub(crate) fn stand_in(
    field: &FeatureField,
    on_error: OnError,
    rows: usize,
) -> Result<ArrayRef, OnlineError> {
    match &field.default {
        Some(default) if on_error == OnError::Default => {
            let places = vec![(0, 0); rows];
            if rows == 0 {
                return Ok(default.slice(0, 0));
            }
            arrow::compute::interleave(&[default.as_ref()], &places)
                .map_err(|error| OnlineError::Internal(error.to_string()))
        }
        _ => Ok(new_null_array(&field.data_type.to_arrow(), rows)),
    }
}

fn unavailable(
    field: &FeatureField,
    on_error: OnError,
    rows: usize,
    why: &str,
    event_timestamps: Arc<[Option<i64>]>,
) -> Result<Answered, OnlineError> {
    Ok(Answered {
        values: stand_in(field, on_error, rows)?,
        statuses: vec![FeatureStatus::Error; rows],
        defaulted: field.default.is_some() && on_error == OnError::Default,
        event_timestamps,
        errors: (0..rows).map(|row| (row, why.to_owned())).collect(),
    })
}

/// Which entities fail as a whole: those for which something failed in a view
/// whose `on_error` is `fail`.
fn failed_entities(
    prepared: &Prepared,
    stored: &[ViewState],
    on_demand: &[ViewState],
    rows: usize,
) -> Option<Vec<Option<(ViewId, String)>>> {
    let strict = prepared.views.iter().any(|view| view.fails_entities)
        || prepared.on_demand.iter().any(|view| view.fails_entities);
    if !strict {
        return None;
    }
    let mut failed = vec![None; rows];
    let views = prepared.views.iter().zip(stored);
    let views = views.filter(|(view, _)| view.fails_entities);
    let views = views.map(|(view, state)| (&view.operator.view().id, state));
    let others = prepared.on_demand.iter().zip(on_demand);
    let others = others.filter(|(view, _)| view.fails_entities);
    let others = others.map(|(view, state)| (&view.operator.view().id, state));
    for (id, state) in views.chain(others) {
        let ViewState::Answered(answers) = state else { continue };
        for error in answers.features.iter().flat_map(|feature| &feature.errors) {
            failed[error.row].get_or_insert_with(|| {
                (id.clone(), format!("{}: {}", error.status, error.message))
            });
        }
    }
    failed.iter().any(Option::is_some).then_some(failed)
}

fn fail_entities(
    answered: &mut Answered,
    failed: &[Option<(ViewId, String)>],
) -> Result<(), OnlineError> {
    let mask: BooleanArray = failed.iter().map(|failure| Some(failure.is_some())).collect();
    answered.values = nullif(&answered.values, &mask)
        .map_err(|error| OnlineError::Internal(error.to_string()))?;
    for (row, failure) in failed.iter().enumerate() {
        let Some((view, why)) = failure else { continue };
        answered.statuses[row] = FeatureStatus::Error;
        if !answered.errors.iter().any(|(known, _)| *known == row) {
            let why = format!("the view {view}, whose `on_error` is fail, failed: {why}");
            answered.errors.push((row, why));
        }
    }
    answered.errors.sort_by_key(|(row, _)| *row);
    Ok(())
}

fn count(measure: &ViewMeasure, answered: &Answered, times: &[i64], has_age: bool) {
    measure.count(&answered.statuses);
    if has_age {
        let found = answered.event_timestamps.iter().zip(times);
        let ages = found.filter_map(|(event, now)| event.map(|event| now.saturating_sub(event)));
        if let Some(oldest) = ages.max() {
            measure.note_age(oldest);
        }
    }
}

impl Answered {
    /// The status as Feast's shapes have it: a default that stands in is
    /// PRESENT, and what failed is a null.
    pub(crate) fn feast_status(&self, row: usize) -> &'static str {
        let status = self.statuses[row];
        let replaced = !matches!(status, FeatureStatus::Present | FeatureStatus::NullValue);
        if replaced && self.defaulted && self.values.is_valid(row) {
            return FeatureStatus::Present.as_str();
        }
        match status {
            FeatureStatus::Error => FeatureStatus::NullValue.as_str(),
            other => other.as_str(),
        }
    }
}
