//! From a request to its answer: what it needs is looked up, stored features
//! are read in one round trip and evaluated, then on-demand views over all
//! entities as one batch. Nothing here computes a value: that is the
//! executor's business.

mod answer;
mod columns;
mod lanes;
mod measured;
mod prepared;
mod stored;
mod wanted;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use unskew_executor::EvaluationError;
use unskew_executor::service::{Questions, ViewAnswers};
use unskew_plan::{OnDemandOrigin, ViewId};
use unskew_store::OnlineStore;

pub use answer::Answer;
pub(crate) use answer::Answered;
pub use columns::{AskedTime, RawColumns, RawRow};
pub(crate) use measured::{MeasuredModules, ViewMeasure};
pub(crate) use prepared::{Output, ServedView};
pub use wanted::Wanted;
pub(crate) use wanted::{unknown, view_of};

use crate::error::OnlineError;
use crate::measure::Histogram;
use crate::project::OnlineProject;
use answer::{ViewState, stand_in};
use lanes::SlowLane;
use prepared::{Preparations, Prepared, ServedOnDemand};

/// Work that takes longer than this is not done on a thread that serves.
const IN_PLACE: Duration = Duration::from_millis(1);
/// A view whose single row takes longer than this is slow.
const SLOW_ROW: Duration = Duration::from_millis(10);

/// What answers requests.
pub struct Engine {
    project: OnlineProject,
    store: Arc<dyn OnlineStore>,
    preparations: Preparations,
    slow: SlowLane,
    pub(crate) stages: Stages,
}

/// How long each stage of requests takes.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// From the request's columns to typed ones.
    pub(crate) parse: Histogram,
    /// The store's round trip.
    pub(crate) retrieve: Histogram,
    /// From stored bytes to the values of feature views.
    pub(crate) evaluate: Histogram,
    /// On-demand views.
    pub(crate) on_demand: Histogram,
    /// The answer as text or Arrow.
    pub(crate) write: Histogram,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("store", &self.store).finish_non_exhaustive()
    }
}

/// A request, as far as the engine sees it.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Which features.
    pub wanted: Wanted<'a>,
    /// Join keys and request fields by their names.
    pub columns: &'a RawColumns<'a>,
    /// As of when.
    pub time: AskedTime,
    /// The most entities.
    pub max_entities: usize,
    /// When the answer must be there, with what is known by then.
    pub until: Instant,
}

impl Engine {
    /// Answers for `project` out of `store`.
    pub fn new(project: OnlineProject, store: Arc<dyn OnlineStore>) -> std::io::Result<Self> {
        let modules = MeasuredModules::new(Arc::clone(&project.modules));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            project,
            store,
            preparations: Preparations::new(modules),
            slow: SlowLane::start((cores / 2).max(1))?,
            stages: Stages::default(),
        })
    }

    /// Binds every view of the project to its modules, so that no request is
    /// the first, and what cannot be bound is known before anybody asks.
    pub fn warm(&self) -> Result<(), OnlineError> {
        let plan = &self.project.plan;
        for service in &plan.services {
            self.preparations.of(&self.project, Wanted::Service(service.name.as_str()))?;
        }
        let views = plan.views.iter().map(|view| &view.id);
        for id in views.chain(plan.on_demand_views.iter().map(|view| &view.id)) {
            let name = [format!("{}@v{}", id.name, id.version)];
            self.preparations.of(&self.project, Wanted::Features(&name))?;
        }
        Ok(())
    }

    /// What is served.
    pub fn project(&self) -> &OnlineProject {
        &self.project
    }

    /// Where features are read from.
    pub fn store(&self) -> &Arc<dyn OnlineStore> {
        &self.store
    }

    pub(crate) fn preparations(&self) -> &Preparations {
        &self.preparations
    }

    /// Answers a request. What cannot be had in time has the status ERROR.
    pub async fn answer(&self, ask: Ask<'_>) -> Result<Answer, OnlineError> {
        let Ask { wanted, columns, time, max_entities, until } = ask;
        let begun = Instant::now();
        let prepared = self.preparations.of(&self.project, wanted)?;
        let asked = columns::asked(&prepared, columns, time, max_entities)?;
        let columns::Asked { questions, keys } = asked;
        let parsed = Instant::now();
        self.stages.parse.record(parsed - begun);
        let questions = Arc::new(questions);
        let stored = self.stored(&prepared, &questions, parsed, until).await;
        let on_demand = self.on_demand(&prepared, &questions, &stored, until).await?;
        Answer::of(prepared, questions.times().to_vec(), keys, stored, on_demand)
    }

    /// The states of all feature views, read in one round trip.
    async fn stored(
        &self,
        prepared: &Arc<Prepared>,
        questions: &Arc<Questions>,
        begun: Instant,
        until: Instant,
    ) -> Vec<ViewState> {
        if prepared.views.is_empty() || questions.is_empty() {
            let empty = |_| ViewState::Unavailable("nothing was asked".into());
            return prepared.views.iter().map(empty).collect();
        }
        let all = |why: String| {
            let why: Arc<str> = why.into();
            prepared.views.iter().map(|_| ViewState::Unavailable(Arc::clone(&why))).collect()
        };
        let lookups = match stored::Lookups::of(&prepared.views, questions, false) {
            Ok(lookups) => lookups,
            Err(error) => return all(told(&error)),
        };
        let answer = match self.read(&lookups, begun, until).await {
            Ok(answer) => answer,
            Err(why) => return all(why),
        };
        match self.evaluate(prepared, questions, lookups, answer, until).await {
            Ok((states, false)) => states,
            // Something newer than the moment of asking hides what is wanted: rare.
            Ok((_, true)) => {
                let again = stored::Lookups::of(&prepared.views, questions, true);
                let lookups = match again {
                    Ok(lookups) => lookups,
                    Err(error) => return all(told(&error)),
                };
                match self.read(&lookups, Instant::now(), until).await {
                    Ok(answer) => {
                        let done = self.evaluate(prepared, questions, lookups, answer, until);
                        done.await.map_or_else(|error| all(error.told()), |(states, _)| states)
                    }
                    Err(why) => all(why),
                }
            }
            Err(error) => all(error.told()),
        }
    }

    /// One round trip to the store; or why there is no answer.
    async fn read(
        &self,
        lookups: &stored::Lookups,
        begun: Instant,
        until: Instant,
    ) -> Result<unskew_store::Answer, String> {
        let left = until.saturating_duration_since(begun);
        let answer = match tokio::time::timeout(left, lookups.read(&*self.store)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the online store did not answer");
                return Err(error.to_string());
            }
            Err(_) => {
                tracing::warn!(deadline = ?left, "the online store did not answer in time");
                return Err(format!(
                    "the online store at {} did not answer within the request's deadline",
                    self.store.place()
                ));
            }
        };
        self.stages.retrieve.record(begun.elapsed());
        Ok(answer)
    }

    /// From stored bytes to the views' states; and whether more must be read.
    async fn evaluate(
        &self,
        prepared: &Arc<Prepared>,
        questions: &Arc<Questions>,
        lookups: stored::Lookups,
        answer: unskew_store::Answer,
        until: Instant,
    ) -> Result<(Vec<ViewState>, bool), OnlineError> {
        let begun = Instant::now();
        let rows = questions.len();
        let mut expected = Duration::ZERO;
        let mut is_slow = false;
        for view in &prepared.views {
            let row = view.measure.row_time();
            expected += row * rows as u32;
            is_slow |= row > SLOW_ROW;
        }
        let done = if expected <= IN_PLACE {
            Ok(lookups.evaluate(&prepared.views, rows, &answer))
        } else {
            let prepared = Arc::clone(prepared);
            let job = move || lookups.evaluate(&prepared.views, rows, &answer);
            self.elsewhere(is_slow, until, job).await
        };
        self.stages.evaluate.record(begun.elapsed());
        done
    }

    /// Does work that would hold up others: of modules that are known to be
    /// slow behind everything else, any other beside it.
    async fn elsewhere<T: Send + 'static>(
        &self,
        is_slow: bool,
        until: Instant,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OnlineError> {
        let left = until.saturating_duration_since(Instant::now());
        if is_slow {
            return self.slow.run(left, job).await;
        }
        match tokio::time::timeout(left, tokio::task::spawn_blocking(job)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(OnlineError::Internal(error.to_string())),
            Err(_) => Err(OnlineError::Unavailable(format!(
                "no answer within the request's deadline ({left:?} were left); see serve.deadline"
            ))),
        }
    }

    /// The states of all on-demand views, each behind those that it reads.
    async fn on_demand(
        &self,
        prepared: &Arc<Prepared>,
        questions: &Arc<Questions>,
        stored: &[ViewState],
        until: Instant,
    ) -> Result<Vec<ViewState>, OnlineError> {
        let mut states: Vec<ViewState> = Vec::with_capacity(prepared.on_demand.len());
        if prepared.on_demand.is_empty() {
            return Ok(states);
        }
        let begun = Instant::now();
        let mut last = begun;
        let rows = questions.len();
        for view in &prepared.on_demand {
            let inputs = match inputs_of(view, prepared, stored, &states, rows)? {
                Ok(inputs) => inputs,
                Err(why) => {
                    states.push(ViewState::Unavailable(why));
                    continue;
                }
            };
            let row = view.measure.row_time();
            let answered = if row * rows as u32 <= IN_PLACE {
                evaluate(view, questions, &inputs)
            } else {
                let (there, questions) = (Arc::clone(view), Arc::clone(questions));
                let job = move || evaluate(&there, &questions, &inputs);
                match self.elsewhere(row > SLOW_ROW, until, job).await {
                    Ok(answered) => answered,
                    Err(error) => {
                        let id = &view.operator.view().id;
                        let why = format!("the view {id}: {}", error.told());
                        states.push(ViewState::Unavailable(why.into()));
                        last = Instant::now();
                        continue;
                    }
                }
            };
            let now = Instant::now();
            view.measure.note_rows(rows, now - last);
            last = now;
            states.push(match answered {
                Ok(answers) => ViewState::Answered(answers),
                Err(error) => {
                    let id = &view.operator.view().id;
                    tracing::warn!(view = %id, %error, "an on-demand view could not be evaluated");
                    ViewState::Unavailable(told(&OnlineError::from(error)).into())
                }
            });
        }
        self.stages.on_demand.record(last - begun);
        Ok(states)
    }
}

fn told(error: &OnlineError) -> String {
    error.told()
}

fn evaluate(
    view: &ServedOnDemand,
    questions: &Questions,
    inputs: &[(ViewId, usize, ArrayRef)],
) -> Result<ViewAnswers, EvaluationError> {
    view.operator.answer(questions, &|id, feature| {
        let of = inputs.iter().find(|(view, at, _)| view == id && *at == feature);
        let lost = || EvaluationError::Labels(format!("no values of {id}"));
        of.map(|(_, _, values)| ArrayRef::clone(values)).ok_or_else(lost)
    })
}

/// The upstream features of an on-demand view; or why it has none.
fn inputs_of(
    view: &ServedOnDemand,
    prepared: &Prepared,
    stored: &[ViewState],
    on_demand: &[ViewState],
    rows: usize,
) -> Result<Result<Vec<(ViewId, usize, ArrayRef)>, Arc<str>>, OnlineError> {
    let mut inputs = Vec::new();
    for input in &view.operator.view().inputs {
        let OnDemandOrigin::Feature { view: upstream, feature } = &input.from else { continue };
        let id = upstream.id();
        let at = prepared.views.iter().position(|view| view.operator.view().id == *id);
        let state = match at {
            Some(at) => &stored[at],
            None => {
                let views = &prepared.on_demand;
                let at = views.iter().position(|view| view.operator.view().id == *id);
                match at.and_then(|at| on_demand.get(at)) {
                    Some(state) => state,
                    None => {
                        let reader = &view.operator.view().id;
                        let what = format!("{id} is not evaluated ahead of {reader}");
                        return Err(OnlineError::Internal(what));
                    }
                }
            }
        };
        let values = match state {
            ViewState::Answered(answers) => ArrayRef::clone(&answers.features[*feature].values),
            ViewState::Unavailable(why) => {
                let field = &upstream.features()[*feature];
                let on_error = upstream.on_error();
                if field.default.is_none() || on_error != unskew_definition::OnError::Default {
                    return Ok(Err(Arc::clone(why)));
                }
                stand_in(field, on_error, rows)?
            }
        };
        inputs.push((id.clone(), *feature, values));
    }
    Ok(Ok(inputs))
}
