use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use unskew_definition::{Name, OnError};
use unskew_host::{Outcome, RowError};
use unskew_plan::{FeatureField, ViewPlan};

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::{
    EventIndex, Questions as Asked, TrailingAggregate, evaluate_trailing, latest_rows,
    latest_windows,
};
use crate::rows::{DeadLetter, Entities};
use crate::service::answers::{Finding, ViewAnswers, answers};
use crate::service::on_demand::{failures_of, refuse_failures};
use crate::service::questions::Questions;
use crate::service::row_warning::RowWarning;
use crate::service::view::ViewOperator;
use crate::steps::StepFailures;
use crate::stored::{Inexact, ReadRows, StoredError, TiledRows};
use crate::window::{EmittedWindows, NO_ENTITY};

/// The rows of a source as one view sees them, ready for questions.
pub struct ViewRows<'a> {
    pub(crate) operator: &'a ViewOperator,
    pub(crate) entities: Entities,
    /// The join keys of each entity, by its number.
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) contents: Contents,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) warnings: Vec<RowWarning>,
    pub(crate) instants: Instants,
    /// The rows of the source that these were prepared from; none if they were
    /// restored.
    pub(crate) rows: Vec<u32>,
    /// What these can answer, if they were read from an online store.
    pub(crate) read: Option<ReadRows>,
}

/// The moments of events, of which nobody says when they were known.
pub(crate) enum Instants {
    /// The source says when.
    Known,
    /// Those in the index of the contents.
    Indexed,
    /// These entities and times.
    OfRows(Vec<(u32, i64)>),
}

/// What a view's answers are found in.
pub(crate) enum Contents {
    /// Rows with the outputs of all steps.
    Latest {
        index: EventIndex,
        event_timestamps: Vec<i64>,
        columns: Vec<ArrayRef>,
        failures: Vec<StepFailures>,
    },
    /// Rows, with what each aggregate sees of them.
    Trailing { index: EventIndex, aggregates: Vec<SeenRows> },
    /// Tiles, and rows since then.
    Tiled(Box<TiledRows>),
    /// What windows emitted.
    Emitted(EmittedWindows),
}

/// What an aggregate sees of the rows.
#[derive(Clone)]
pub(crate) struct SeenRows {
    pub(crate) inputs: Vec<ArrayRef>,
    pub(crate) filter: Option<arrow::array::BooleanArray>,
}

/// What was found for questions, before post-transforms.
struct Found {
    findings: Vec<Finding>,
    event_timestamps: Vec<Option<i64>>,
    /// One row for each that [`Finding::Row`] counts.
    columns: Vec<ArrayRef>,
    failures: Vec<StepFailures>,
}

impl ViewRows<'_> {
    fn view(&self) -> &Arc<ViewPlan> {
        self.operator.view()
    }

    /// What windows emitted, if the view has such windows.
    pub fn emitted(&self) -> Option<&EmittedWindows> {
        match &self.contents {
            Contents::Emitted(emitted) => Some(emitted),
            Contents::Latest { .. } | Contents::Trailing { .. } | Contents::Tiled(_) => None,
        }
    }

    /// The numbers of the entities.
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    /// The rows that the view leaves out beyond those that its source does.
    pub fn dead_letters(&self) -> &[DeadLetter] {
        &self.dead_letters
    }

    /// What is worth a second look: rows that failed.
    pub fn warnings(&self) -> &[RowWarning] {
        &self.warnings
    }

    fn entity_count(&self) -> usize {
        self.read.as_ref().map_or(self.entities.len(), |read| read.inexact.len())
    }

    /// The questions that are asked at the very moment of an event of their
    /// entity, of which nobody says when it was known.
    fn at_event_times(&self, asked: &[u32], questions: &Questions) -> Vec<usize> {
        let asked = asked.iter().zip(questions.times()).enumerate();
        match (&self.instants, &self.contents) {
            (
                Instants::Indexed,
                Contents::Latest { index, .. } | Contents::Trailing { index, .. },
            ) => {
                let has_event = |entity: u32, time: i64| {
                    (entity as usize) < index.entity_count()
                        && index.events()[index.places(entity)].binary_search(&time).is_ok()
                };
                let same = asked.filter(|(_, (entity, time))| has_event(**entity, **time));
                same.map(|(question, _)| question).collect()
            }
            (Instants::OfRows(rows), _) => {
                let instants: HashSet<&(u32, i64)> = rows.iter().collect();
                let same =
                    asked.filter(|(_, (entity, time))| instants.contains(&(**entity, **time)));
                same.map(|(question, _)| question).collect()
            }
            (Instants::Known | Instants::Indexed, _) => Vec::new(),
        }
    }

    /// The features of every row that windows emitted; a tombstone's are null.
    pub fn emitted_features(&self) -> Result<Vec<ArrayRef>, EvaluationError> {
        let view = self.view();
        let Some(emitted) = self.emitted() else { return Ok(Vec::new()) };
        let rows: Vec<u32> = (0..emitted.len() as u32).collect();
        let keys = taken(&self.keys, &emitted.entities)?;
        let (columns, failures) = self.with_values(keys, &emitted.values, &rows)?;
        let stepped = self.operator.post_steps.evaluate(columns, rows.len())?;
        let failures: Vec<StepFailures> = failures.into_iter().chain(stepped.failures).collect();
        let is_tombstone = arrow::array::BooleanArray::from(emitted.tombstones.clone());
        let findings: Vec<Finding> = rows.iter().map(|row| Finding::Row(*row)).collect();
        let of = |feature: &FeatureField| {
            let failed = failures_of(&failures, feature.column);
            let column = &stepped.columns[feature.column];
            let answers = answers(feature, view.on_error, column, failed, &findings)?;
            Ok(arrow::compute::nullif(&answers.values, &is_tombstone)?)
        };
        view.features.iter().map(of).collect()
    }

    fn asked_entities(&self, questions: &Questions) -> Result<Vec<u32>, EvaluationError> {
        if let Some(read) = &self.read {
            let other = questions.times().iter().find(|time| **time != read.time);
            if let Some(asked) =
                other.copied().or((read.asked.len() != questions.len()).then_some(read.time))
            {
                let view = self.view().id.clone();
                return Err(StoredError::OtherQuestions { view, read: read.time, asked }.into());
            }
            return Ok(read.asked.clone());
        }
        let keys = questions.keys_of(self.view())?;
        let found = self.entities.find(&keys, questions.len());
        Ok(found.into_iter().map(|entity| entity.unwrap_or(NO_ENTITY)).collect())
    }

    /// Answers all questions.
    pub fn answer(&self, questions: &Questions) -> Result<ViewAnswers, EvaluationError> {
        let view = self.view();
        let asked = self.asked_entities(questions)?;
        let Found { findings, event_timestamps, columns, failures } =
            self.find(&asked, questions)?;
        let rows = columns.first().map_or(0, |column| column.len());
        let stepped = self.operator.post_steps.evaluate(columns, rows)?;
        let failures: Vec<StepFailures> = failures.into_iter().chain(stepped.failures).collect();
        if view.on_error == OnError::Fail {
            refuse_failures(&view.id, &failures, |row| {
                let question = findings.iter().position(|f| *f == Finding::Row(row as u32));
                question.map_or_else(String::new, |question| format!("question {question}"))
            })?;
        }
        let of = |feature: &FeatureField| {
            let failed = failures_of(&failures, feature.column);
            answers(feature, view.on_error, &stepped.columns[feature.column], failed, &findings)
        };
        let features = view.features.iter().map(of).collect::<Result<_, _>>()?;
        let at_event_times = self.at_event_times(&asked, questions);
        Ok(ViewAnswers { features, event_timestamps, at_event_times })
    }

    /// `asked` are the entities of the questions.
    fn find(&self, asked: &[u32], questions: &Questions) -> Result<Found, EvaluationError> {
        let asked = Asked::new(asked, questions.times());
        match &self.contents {
            Contents::Latest { index, event_timestamps, columns, failures } => {
                let rows = latest_rows(index, &asked);
                let time = |row: Option<u32>| row.map(|row| event_timestamps[row as usize]);
                let times: Vec<Option<i64>> = rows.iter().map(|row| time(*row)).collect();
                let (findings, places) = self.judged(questions, &times);
                let rows: Vec<u32> = places.iter().filter_map(|place| rows[*place]).collect();
                let columns = taken(columns, &rows)?;
                let failures = failures.iter().map(|failure| taken_failures(failure, &rows));
                let failures = failures.filter(|failure| !failure.errors.is_empty()).collect();
                Ok(Found { findings, event_timestamps: times, columns, failures })
            }
            Contents::Trailing { index, aggregates } => {
                let aggregates: Vec<TrailingAggregate<'_>> = self.trailing(aggregates).collect();
                let answered = evaluate_trailing(index, &asked, &aggregates)?;
                let (findings, places) = self.judged(questions, &answered.newest);
                let rows: Vec<u32> = places.iter().map(|place| *place as u32).collect();
                let (columns, failures) =
                    self.with_keys(questions, &places, &answered.values, &rows)?;
                Ok(Found { findings, event_timestamps: answered.newest, columns, failures })
            }
            Contents::Tiled(tiled) => {
                let answered = tiled.answer(self.operator, &asked)?;
                let (findings, places) = self.judged(questions, &answered.newest);
                let rows: Vec<u32> = places.iter().map(|place| *place as u32).collect();
                let (columns, failures) =
                    self.with_keys(questions, &places, &answered.values, &rows)?;
                Ok(Found { findings, event_timestamps: answered.newest, columns, failures })
            }
            Contents::Emitted(emitted) => {
                let rows = latest_windows(emitted, self.entity_count(), &asked);
                let end = |row: Option<u32>| row.map(|row| emitted.window_ends[row as usize]);
                let ends: Vec<Option<i64>> = rows.iter().map(|row| end(*row)).collect();
                let (findings, places) = self.judged(questions, &ends);
                let rows: Vec<u32> = places.iter().filter_map(|place| rows[*place]).collect();
                let (columns, failures) =
                    self.with_keys(questions, &places, &emitted.values, &rows)?;
                Ok(Found { findings, event_timestamps: ends, columns, failures })
            }
        }
    }

    fn trailing<'b>(
        &'b self,
        rows: &'b [SeenRows],
    ) -> impl Iterator<Item = TrailingAggregate<'b>> + 'b {
        let windows = self.operator.trailing_windows.iter();
        self.operator.kernels.iter().zip(windows).zip(rows).map(|((kernel, window), seen)| {
            TrailingAggregate {
                kernel: &**kernel,
                inputs: seen.inputs.clone(),
                filter: seen.filter.clone(),
                window: *window,
            }
        })
    }

    /// Why what was read has no exact answer to a question.
    fn inexact(&self, question: usize) -> Option<Inexact> {
        let read = self.read.as_ref()?;
        read.inexact.get(read.asked[question] as usize).copied().flatten()
    }

    /// The findings, and the questions with a row, which is their place here.
    fn judged(&self, questions: &Questions, times: &[Option<i64>]) -> (Vec<Finding>, Vec<usize>) {
        let ttl = self.view().ttl_us;
        let mut places = Vec::new();
        let found =
            times.iter().zip(questions.times()).enumerate().map(|(question, (time, now))| {
                if let Some(inexact) = self.inexact(question) {
                    return Finding::Inexact(inexact);
                }
                let Some(time) = time else { return Finding::NotFound };
                if ttl.is_some_and(|ttl| now.saturating_sub(*time) > ttl) {
                    return Finding::OutsideMaxAge;
                }
                places.push(question);
                Finding::Row(places.len() as u32 - 1)
            });
        (found.collect(), places)
    }

    /// The join keys of the questions at `places`, then the aggregates' values
    /// at `rows`.
    fn with_keys(
        &self,
        questions: &Questions,
        places: &[usize],
        values: &[Outcome],
        rows: &[u32],
    ) -> Result<(Vec<ArrayRef>, Vec<StepFailures>), EvaluationError> {
        let view = self.view();
        let places: Vec<u32> = places.iter().map(|place| *place as u32).collect();
        let names: Vec<&Name> = view.join_keys.iter().map(|key| &key.name).collect();
        self.with_values(taken(&questions.columns_of(&names)?, &places)?, values, rows)
    }

    /// The columns that are given, then the aggregates' values at `rows`.
    fn with_values(
        &self,
        mut columns: Vec<ArrayRef>,
        values: &[Outcome],
        rows: &[u32],
    ) -> Result<(Vec<ArrayRef>, Vec<StepFailures>), EvaluationError> {
        let mut failures = Vec::new();
        for (aggregate, Outcome { columns: made, errors, metrics: _ }) in
            self.view().aggregates.iter().zip(values)
        {
            let range = columns.len()..columns.len() + 1;
            columns.extend(taken(made, rows)?);
            let name = aggregate.name.to_string();
            let failure = StepFailures { columns: range, name, errors: errors.clone() };
            let failure = taken_failures(&failure, rows);
            if !failure.errors.is_empty() {
                failures.push(failure);
            }
        }
        Ok((columns, failures))
    }

    /// The dead letters.
    pub(crate) fn into_dead_letters(self) -> Vec<DeadLetter> {
        self.dead_letters
    }
}

fn taken(columns: &[ArrayRef], rows: &[u32]) -> Result<Vec<ArrayRef>, EvaluationError> {
    let rows = UInt32Array::from(rows.to_vec());
    Ok(columns.iter().map(|column| take(column, &rows, None)).collect::<Result<_, _>>()?)
}

/// The failures of these rows, in this order.
fn taken_failures(failure: &StepFailures, rows: &[u32]) -> StepFailures {
    let StepFailures { columns, name, errors } = failure;
    let at = |row: u32| errors.binary_search_by_key(&(row as usize), |error| error.row).ok();
    let errors = rows.iter().enumerate().filter_map(|(place, row)| {
        at(*row).map(|at| RowError { row: place, ..errors[at].clone() })
    });
    StepFailures { columns: columns.clone(), name: name.clone(), errors: errors.collect() }
}
