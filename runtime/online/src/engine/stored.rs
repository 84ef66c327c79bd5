//! Stored features: what questions need of the store, read for all views and
//! entities in one round trip, and restored to rows that the executor answers
//! from.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use bytes::Bytes;
use unskew_executor::EvaluationError;
use unskew_executor::service::{FeatureAnswers, Questions, ViewAnswers};
use unskew_executor::stored::{AskedEntities, FoundParts, Needs};
use unskew_host::RowError;
use unskew_store::{Answer, Found, Lookup, OnlineStore, StoreError, TableId};

use crate::engine::answer::ViewState;
use crate::engine::prepared::ServedView;
use crate::error::OnlineError;

/// What a request needs of the store.
pub(crate) struct Lookups {
    views: Vec<ViewLookup>,
}

struct ViewLookup {
    table: TableId,
    /// One for each moment of asking.
    groups: Vec<Group>,
}

/// Questions at one time.
struct Group {
    /// Their places among all; none where they are all.
    rows: Option<Vec<u32>>,
    questions: Arc<Questions>,
    asked: AskedEntities,
    needs: Needs,
    tiles: Vec<Bytes>,
}

impl Lookups {
    /// What `questions` need of `views`; with `all`, everything that could
    /// matter, not only what usually does.
    pub(crate) fn of(
        views: &[Arc<ServedView>],
        questions: &Arc<Questions>,
        all: bool,
    ) -> Result<Self, OnlineError> {
        let moments = moments(questions)?;
        let of = |view: &Arc<ServedView>| {
            let operator = &view.operator;
            let group = |(time, rows, questions): &(i64, Option<Vec<u32>>, Arc<Questions>)| {
                let mut needs = if all { operator.needs_all(*time) } else { operator.needs(*time) };
                let tiles = std::mem::take(&mut needs.tiles);
                Ok(Group {
                    rows: rows.clone(),
                    questions: Arc::clone(questions),
                    asked: operator.asked_entities(questions)?,
                    tiles: tiles.iter().map(|tile| Bytes::copy_from_slice(tile)).collect(),
                    needs: Needs { tiles, ..needs },
                })
            };
            let groups = moments.iter().map(group).collect::<Result<_, EvaluationError>>()?;
            Ok(ViewLookup { table: view.table.clone(), groups })
        };
        Ok(Self { views: views.iter().map(of).collect::<Result<_, OnlineError>>()? })
    }

    /// Reads all of it in one round trip.
    pub(crate) async fn read(&self, store: &dyn OnlineStore) -> Result<Answer, StoreError> {
        let mut lookups = Vec::new();
        for ViewLookup { table, groups } in &self.views {
            for Group { asked, needs, tiles, .. } in groups {
                lookups.extend(asked.keys.iter().map(|entity| Lookup {
                    table,
                    entity,
                    newest_row: needs.newest_row,
                    rows_from: needs.rows_from.as_deref(),
                    rows_below: needs.rows_below.as_deref(),
                    tiles,
                }));
            }
        }
        store.read(&lookups).await
    }

    /// What the views say, and whether what was read does not suffice for one
    /// of them.
    pub(crate) fn evaluate(
        &self,
        views: &[Arc<ServedView>],
        rows: usize,
        answer: &Answer,
    ) -> (Vec<ViewState>, bool) {
        let mut found = answer.found.as_slice();
        let mut states = Vec::with_capacity(views.len());
        let mut is_incomplete = false;
        for (view, lookup) in views.iter().zip(&self.views) {
            let begun = Instant::now();
            let covered = answer.state(&lookup.table).and_then(|state| state.covered_until);
            let mut answered = Vec::with_capacity(lookup.groups.len());
            let mut failed = None;
            for group in &lookup.groups {
                let (here, behind) = found.split_at(group.asked.keys.len().min(found.len()));
                found = behind;
                match group.answer(view, covered, here, &mut is_incomplete) {
                    Ok(answers) => answered.push((group.rows.as_deref(), answers)),
                    Err(error) => failed = Some(error),
                }
            }
            let merged = match failed {
                None => scattered(answered, rows),
                Some(error) => Err(error),
            };
            view.measure.note_rows(rows, begun.elapsed());
            states.push(match merged {
                Ok(answers) => ViewState::Answered(answers),
                Err(error) => {
                    let id = &view.operator.view().id;
                    tracing::warn!(view = %id, %error, "stored features could not be evaluated");
                    ViewState::Unavailable(OnlineError::from(error).told().into())
                }
            });
        }
        (states, is_incomplete)
    }
}

impl Group {
    fn answer(
        &self,
        view: &ServedView,
        covered_until: Option<i64>,
        found: &[Found],
        is_incomplete: &mut bool,
    ) -> Result<ViewAnswers, EvaluationError> {
        let parts: Vec<FoundParts<'_>> = found.iter().map(parts_of).collect();
        let operator = &view.operator;
        let rows = operator.restore_records(&self.needs, covered_until, &parts, &self.asked)?;
        *is_incomplete |= !rows.incomplete().is_empty();
        rows.answer(&self.questions)
    }
}

fn parts_of(found: &Found) -> FoundParts<'_> {
    FoundParts {
        rows: found.rows.iter().map(|row| (&*row.name, &*row.value)).collect(),
        tiles: found.tiles.iter().map(|tile| tile.as_ref().map(|tile| &*tile.value)).collect(),
    }
}

/// The moments of asking, each with its questions.
fn moments(
    questions: &Arc<Questions>,
) -> Result<Vec<(i64, Option<Vec<u32>>, Arc<Questions>)>, OnlineError> {
    let times = questions.times();
    let Some(first) = times.first() else { return Ok(Vec::new()) };
    if times.iter().all(|time| time == first) {
        return Ok(vec![(*first, None, Arc::clone(questions))]);
    }
    let mut order: Vec<u32> = (0..times.len() as u32).collect();
    order.sort_by_key(|row| times[*row as usize]);
    let mut moments = Vec::new();
    for rows in order.chunk_by(|a, b| times[*a as usize] == times[*b as usize]) {
        let places: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
        let part = Arc::new(questions.only(&places)?);
        moments.push((times[rows[0] as usize], Some(rows.to_vec()), part));
    }
    Ok(moments)
}

/// The answers of all moments in the order of the questions.
fn scattered(
    mut parts: Vec<(Option<&[u32]>, ViewAnswers)>,
    rows: usize,
) -> Result<ViewAnswers, EvaluationError> {
    if let [(None, _)] = parts.as_slice()
        && let Some((_, answers)) = parts.pop()
    {
        return Ok(answers);
    }
    // For each question its place among the parts, one behind the other.
    let mut places = vec![0_u32; rows];
    let asked = parts.iter().flat_map(|(rows, _)| rows.unwrap_or_default());
    for (place, row) in (0_u32..).zip(asked) {
        places[*row as usize] = place;
    }
    let places = UInt32Array::from(places);
    let features = parts.first().map_or(0, |(_, answers)| answers.features.len());
    let mut merged = Vec::with_capacity(features);
    for feature in 0..features {
        let of = parts.iter().map(|(_, answers)| answers.features[feature].values.as_ref());
        let values: ArrayRef = concat(&of.collect::<Vec<_>>())?;
        let mut statuses = Vec::with_capacity(rows);
        let mut errors = Vec::new();
        for (rows, answers) in &parts {
            let FeatureAnswers { statuses: of_part, errors: failed, values: _ } =
                &answers.features[feature];
            statuses.extend_from_slice(of_part);
            let rows = rows.unwrap_or_default();
            errors.extend(failed.iter().map(|error| RowError {
                row: rows.get(error.row).map_or(error.row, |row| *row as usize),
                ..error.clone()
            }));
        }
        errors.sort_by_key(|error| error.row);
        merged.push(FeatureAnswers {
            values: take(&values, &places, None)?,
            statuses: places.values().iter().map(|place| statuses[*place as usize]).collect(),
            errors,
        });
    }
    let times: Vec<Option<i64>> =
        parts.iter().flat_map(|(_, answers)| answers.event_timestamps.iter().copied()).collect();
    let event_timestamps = places.values().iter().map(|place| times[*place as usize]).collect();
    Ok(ViewAnswers {
        features: merged,
        event_timestamps,
        at_event_times: Vec::new(),
        fold_failures: Vec::new(),
    })
}
