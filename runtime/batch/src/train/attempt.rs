use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::datatypes::UInt64Type;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use futures::StreamExt as _;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use unskew_definition::Name;
use unskew_executor::ModuleCatalog;
use unskew_executor::rows::DropRule;
use unskew_executor::service::ServiceOperator;

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operator, drained, said};
use crate::partition::{EntityPartition, NullKeys};
use crate::scan::{DropScan, ReadPlan, SourceCounts, SourceScan, TimeRange};
use crate::table_writer::TableWriter;
use crate::train::feature_names::feature_names;
use crate::train::label_columns::LabelColumns;
use crate::train::label_order::LabelOrder;
use crate::train::labels::Labels;
use crate::train::manifest::TrainingManifest;
use crate::train::offline_rows::OfflineRows;
use crate::train::offline_scan::OfflineScan;
use crate::train::point_in_time::{PointInTime, WorkingRoom};
use crate::train::questions::{LabelQuestions, QUESTION_KEYS, QUESTION_ROW};
use crate::train::tally::Tally;
use crate::train::training_set::TrainingSet;
use crate::train::view_group::{ViewGroup, view_groups};
use crate::train::{TrainingJob, TrainingProgress, TrainingSummary};

/// One run of a training job, from its labels to its output.
pub(crate) struct Attempt<'a> {
    pub(crate) job: &'a TrainingJob,
    pub(crate) service: &'a Arc<ServiceOperator>,
    /// The files of each source.
    pub(crate) inputs: &'a BTreeMap<Name, Vec<PathBuf>>,
    pub(crate) modules: &'a dyn ModuleCatalog,
    /// Sources whose rows are read with all of their columns.
    pub(crate) whole_rows: &'a BTreeSet<String>,
}

const DAY_US: i64 = 86_400_000_000;

/// How often progress is shown, and a wish to stop looked for.
const TICK: Duration = Duration::from_millis(100);

/// The plan of one group of views.
pub(crate) struct GroupPlan {
    pub(crate) group: ViewGroup,
    /// Of its rows, divided by entity.
    pub(crate) rows: Arc<dyn ExecutionPlan>,
    pub(crate) counts: Arc<Mutex<SourceCounts>>,
    /// In the labels' order.
    pub(crate) answers: Arc<dyn ExecutionPlan>,
}

/// The rows that a group's views are evaluated over.
struct GroupRows {
    /// Divided by entity.
    rows: Arc<dyn ExecutionPlan>,
    buckets: usize,
    /// The fields of the source that they have.
    fields: Vec<usize>,
    files: Arc<[Arc<str>]>,
    with_origins: bool,
    counts: Arc<Mutex<SourceCounts>>,
}

/// The rows of a source that other rows make count for nothing.
#[derive(Default)]
pub(crate) struct DroppedOfSource {
    /// Where they came from, ascending.
    pub(crate) origins: Arc<Vec<u64>>,
    pub(crate) counts: Arc<Mutex<SourceCounts>>,
}

/// What an attempt runs with.
struct Running<'a> {
    runtime: &'a Runtime,
    context: &'a Arc<TaskContext>,
    shared: &'a Shared,
    cancelled: &'a dyn Fn() -> bool,
}

/// What all operators of a plan share.
pub(crate) struct Shared {
    pub(crate) labels: Arc<Labels>,
    pub(crate) columns: Arc<LabelColumns>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) state: Arc<JobState>,
    pub(crate) room: Arc<WorkingRoom>,
}

impl Attempt<'_> {
    pub(crate) fn run(
        &self,
        progress: &mut dyn FnMut(TrainingProgress),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<TrainingSummary, BatchError> {
        let Self { job, service, .. } = self;
        let calls_before = self.modules.call_metrics();
        let context = job.resources.context(job.resources.runtime()?);
        let metrics = ExecutionPlanMetricsSet::new();
        let labels = Labels::read(job, &job.resources, &context, &metrics, cancelled)?;
        let columns = LabelColumns::find(job, &labels, service)?;
        let names = feature_names(job, service.features(), labels.schema())?;
        let shared = Shared {
            labels: Arc::new(labels),
            columns: Arc::new(columns),
            tally: Arc::default(),
            state: Arc::default(),
            room: Arc::new(WorkingRoom::new(job.resources.memory_limit_bytes / 3)),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(job.resources.threads)
            .thread_name("unskew-train")
            // Modules run on the stacks of these threads.
            .thread_stack_size(8 << 20)
            .enable_time()
            .build()
            .map_err(|error| BatchError::Plan { reason: format!("no threads: {error}") })?;
        let running = Running { runtime: &runtime, context: &context, shared: &shared, cancelled };
        let groups = view_groups(service, job.offline.is_some());
        let dropped = match job.offline {
            Some(_) => BTreeMap::new(),
            None => self.dropped(&groups, &running, progress)?,
        };
        let groups: Vec<GroupPlan> = groups
            .into_iter()
            .map(|group| self.group_plan(group, &dropped, &running))
            .collect::<Result<_, _>>()?;
        let top = TrainingSet::new(
            Arc::clone(service),
            groups.iter().map(|plan| plan.group.clone()).collect(),
            Arc::clone(&shared.labels),
            Arc::clone(&shared.columns),
            &names,
            job.statuses,
            Arc::clone(&shared.tally),
            Arc::clone(&shared.state),
            metrics.clone(),
        )?;
        let schema = Arc::clone(top.schema());
        let answers = groups.iter().map(|plan| Arc::clone(&plan.answers)).collect();
        let plan = Operator::plan(top, answers, Arc::clone(&schema), 1);

        let output = job.output.as_ref();
        let mut writer = output
            .map(|path| TableWriter::create(path, &schema, job.compression, job.resources.threads))
            .transpose()?;
        let mut write = |batch: RecordBatch| match &mut writer {
            Some(writer) => writer.write(&batch),
            None => Ok(()),
        };
        self.execute(&plan, &running, &mut write, progress)?;
        if cancelled() {
            return Err(BatchError::Cancelled);
        }
        if let (Some(writer), Some(path)) = (writer, output) {
            // What stands beside an output is never the manifest of another.
            TrainingManifest::remove(path)?;
            writer.commit()?;
        }

        let calls = self.modules.call_metrics();
        let (calls, rows) = (calls.calls - calls_before.calls, calls.rows - calls_before.rows);
        MetricBuilder::new(&metrics).global_counter("wasm_calls").add(calls as usize);
        MetricBuilder::new(&metrics).global_counter("wasm_rows").add(rows as usize);
        Ok(self.summary(&plan, &groups, &dropped, &names, &shared))
    }

    /// Rows and labels by entity, answered bucket by bucket, back in the labels'
    /// order.
    fn group_plan(
        &self,
        group: ViewGroup,
        dropped: &BTreeMap<Name, DroppedOfSource>,
        running: &Running<'_>,
    ) -> Result<GroupPlan, BatchError> {
        let Self { job, service, .. } = self;
        let resources = &job.resources;
        let Shared { labels, columns, tally, state, room } = running.shared;
        let GroupRows { rows, buckets, fields, files, with_origins, counts } = match &job.offline {
            None => self.source_rows(&group, dropped, running)?,
            Some(offline) => self.table_rows(&group, offline, running)?,
        };

        let questions = LabelQuestions::new(
            Arc::clone(labels),
            Arc::clone(columns),
            &group,
            service,
            Arc::clone(state),
        )?;
        let schema = Arc::clone(questions.schema());
        let divided = EntityPartition::new(
            "labels".to_owned(),
            Arc::clone(&schema),
            (QUESTION_KEYS..schema.fields().len()).collect(),
            QUESTION_ROW,
            buckets,
            NullKeys::Keep,
            resources.chunk_bytes(),
            Arc::clone(state),
        );
        let questions =
            Operator::plan(questions, Vec::new(), Arc::clone(&schema), resources.threads);
        let questions = Operator::plan(divided, vec![questions], schema, buckets);

        let answers = PointInTime::new(
            Arc::clone(service),
            group.clone(),
            fields,
            files,
            with_origins,
            job.statuses,
            job.offline.is_some(),
            Arc::clone(tally),
            Arc::clone(&counts),
            Arc::clone(state),
            Arc::clone(room),
        );
        let schema = Arc::clone(answers.schema());
        let answers = Operator::plan(
            answers,
            vec![Arc::clone(&rows), questions],
            Arc::clone(&schema),
            buckets,
        );
        let order = LabelOrder {
            schema: Arc::clone(&schema),
            labels: labels.rows(),
            threads: resources.threads,
            chunk_bytes: resources.chunk_bytes(),
            job: Arc::clone(state),
            metrics: ExecutionPlanMetricsSet::new(),
        };
        let progress = state.progress();
        progress.add(&progress.labels_asked, labels.rows() as u64);
        let answers = Operator::plan(order, vec![answers], schema, 1);
        Ok(GroupPlan { group, rows, counts, answers })
    }

    /// The rows of a group's source, divided by its join keys.
    fn source_rows(
        &self,
        group: &ViewGroup,
        dropped: &BTreeMap<Name, DroppedOfSource>,
        running: &Running<'_>,
    ) -> Result<GroupRows, BatchError> {
        let Self { job, service, inputs, whole_rows, .. } = self;
        let (resources, source) = (&job.resources, &group.source);
        let state = Arc::clone(&running.shared.state);
        let fields = match whole_rows.contains(source.name.as_str()) || group.is_whole {
            true => (0..source.fields.len()).collect(),
            false => group.fields(service),
        };
        let range = group.range(service, running.shared.labels.times());
        let read = ReadPlan::new(source, &inputs[&source.name], fields, range, running.cancelled)?;
        let with_origins = group.may_fail(service) || group.is_whole;
        let buckets = match group.is_whole {
            true => 1,
            false => resources.buckets_for(read.bytes),
        };
        let (fields, files) = (read.fields.clone(), Arc::clone(&read.files));
        let counts: Arc<Mutex<SourceCounts>> = Arc::default();
        let dropped = dropped.get(&source.name).filter(|_| !group.is_whole);
        let dropped = dropped.map_or_else(Arc::default, |dropped| Arc::clone(&dropped.origins));
        let scan =
            SourceScan::new(read, with_origins, dropped, Arc::clone(&counts), Arc::clone(&state));
        let schema = Arc::clone(scan.schema());
        let place = |field: &usize| fields.binary_search(field).unwrap_or(0);
        let divided = EntityPartition::new(
            format!("rows of {}", source.name),
            Arc::clone(&schema),
            group.keys.iter().map(place).collect(),
            place(&source.event_timestamp),
            buckets,
            // Where the whole log counts, rows without a key move its watermark.
            if group.is_whole { NullKeys::Keep } else { NullKeys::LeaveOut },
            resources.chunk_bytes(),
            Arc::clone(&state),
        );
        let scan = Operator::plan(scan, Vec::new(), Arc::clone(&schema), resources.threads);
        let rows = Operator::plan(divided, vec![scan], schema, buckets);
        Ok(GroupRows { rows, buckets, fields, files, with_origins, counts })
    }

    /// The rows that the view of a group left in the offline store, divided by
    /// its join keys.
    fn table_rows(
        &self,
        group: &ViewGroup,
        offline: &Arc<dyn OfflineRows>,
        running: &Running<'_>,
    ) -> Result<GroupRows, BatchError> {
        let Self { job, service, .. } = self;
        let (resources, state) = (&job.resources, &running.shared.state);
        let operator = &service.view_operators()[group.views[0]];
        let view = operator.view().id.clone();
        let until = running.runtime.block_on(offline.covered_until(&view))?;
        if running.shared.labels.times().is_some_and(|(_, last)| last >= until) {
            return Err(BatchError::WrongSource {
                source_name: format!("{view} in {}", offline.place()),
                reason: "it is not materialized up to the last label; run `unskew materialize-incremental` first, or train from the source's files".to_owned(),
            });
        }
        let days = running.runtime.block_on(offline.days(&view))?;
        let range = group.range(service, running.shared.labels.times());
        let day_of = |time: i64| time.div_euclid(DAY_US);
        let days: Vec<(i64, u64)> = days
            .into_iter()
            .filter(|(day, _)| {
                range.from.is_none_or(|from| day_of(from) <= *day)
                    && range.to.is_none_or(|to| *day <= day_of(to))
            })
            .collect();
        // What is packed in a file takes some times as much in memory.
        let buckets = resources.buckets_for(days.iter().map(|(_, bytes)| bytes * 6).sum());
        let days = days.into_iter().map(|(day, _)| day).collect();
        let schema = operator.table_schema();
        let keys = operator.view().join_keys.len();
        let scan = OfflineScan::new(
            view.clone(),
            Arc::clone(offline),
            days,
            Arc::clone(&schema),
            Arc::clone(state),
        );
        let divided = EntityPartition::new(
            format!("rows of {view}"),
            Arc::clone(&schema),
            (0..keys).collect(),
            // Behind the join keys stand event times.
            keys,
            buckets,
            NullKeys::LeaveOut,
            resources.chunk_bytes(),
            Arc::clone(state),
        );
        let scan = Operator::plan(scan, Vec::new(), Arc::clone(&schema), resources.threads);
        let rows = Operator::plan(divided, vec![scan], schema, buckets);
        let (fields, files, counts) = (Vec::new(), Arc::from(Vec::new()), Arc::default());
        Ok(GroupRows { rows, buckets, fields, files, with_origins: false, counts })
    }

    /// The rows of each source that other rows make count for nothing, where a
    /// source has such rules and they are not decided with the evaluation.
    fn dropped(
        &self,
        groups: &[ViewGroup],
        running: &Running<'_>,
        progress: &mut dyn FnMut(TrainingProgress),
    ) -> Result<BTreeMap<Name, DroppedOfSource>, BatchError> {
        let mut dropped: BTreeMap<Name, DroppedOfSource> = BTreeMap::new();
        for group in groups.iter().filter(|group| !group.is_whole) {
            let source = &group.source;
            let log = source.partition.map(|field| (DropRule::Log, field));
            let copies = source.event_id.map(|field| (DropRule::Copies, field));
            if dropped.contains_key(&source.name) || (log.is_none() && copies.is_none()) {
                continue;
            }
            let mut found = DroppedOfSource::default();
            for (rule, key) in [log, copies].into_iter().flatten() {
                let plan = self.drop_plan(group, rule, key, &found, running)?;
                let threads = self.job.resources.threads;
                let (context, state) =
                    (Arc::clone(running.context), Arc::clone(&running.shared.state));
                let take = |origins: &mut Vec<u64>, batch: RecordBatch| {
                    origins.extend(batch.column(0).as_primitive::<UInt64Type>().values());
                    Ok(())
                };
                let task =
                    async move { drained(&plan, threads, &context, &state, Vec::new, take).await };
                let task = running.runtime.spawn(task);
                let mut origins: Vec<u64> =
                    running.wait(task, progress)?.into_iter().flatten().collect();
                origins.extend(found.origins.iter());
                origins.sort_unstable();
                found.origins = Arc::new(origins);
            }
            dropped.insert(source.name.clone(), found);
        }
        Ok(dropped)
    }

    /// Finds what one rule drops; `key` is the field whose equal values it looks
    /// at together.
    fn drop_plan(
        &self,
        group: &ViewGroup,
        rule: DropRule,
        key: usize,
        before: &DroppedOfSource,
        running: &Running<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>, BatchError> {
        let (source, resources) = (&group.source, &self.job.resources);
        let state = &running.shared.state;
        let fields = match self.whole_rows.contains(source.name.as_str()) {
            true => (0..source.fields.len()).collect(),
            false => DropScan::fields(source, rule),
        };
        let files = &self.inputs[&source.name];
        let range = TimeRange::default();
        let read = ReadPlan::new(source, files, fields, range, running.cancelled)?;
        let buckets = resources.buckets_for(read.bytes);
        let (fields, files) = (read.fields.clone(), Arc::clone(&read.files));
        let (ignored, dropped) = (Arc::default(), Arc::clone(&before.origins));
        let scan = SourceScan::new(read, true, dropped, ignored, Arc::clone(state));
        let schema = Arc::clone(scan.schema());
        let place = |field: usize| fields.binary_search(&field).unwrap_or(0);
        let divided = EntityPartition::new(
            format!("rows of {}", source.name),
            Arc::clone(&schema),
            vec![place(key)],
            place(source.event_timestamp),
            buckets,
            // A null id is never a copy.
            NullKeys::LeaveOut,
            resources.chunk_bytes(),
            Arc::clone(state),
        );
        let (counts, state) = (Arc::clone(&before.counts), Arc::clone(state));
        let drops = DropScan::new(Arc::clone(source), rule, fields, files, counts, state);
        let scan = Operator::plan(scan, Vec::new(), Arc::clone(&schema), resources.threads);
        let rows = Operator::plan(divided, vec![scan], schema, buckets);
        let schema = Arc::clone(drops.schema());
        Ok(Operator::plan(drops, vec![rows], schema, buckets))
    }

    /// Runs the plan on the runtime's threads; its rows are written by this one.
    fn execute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        running: &Running<'_>,
        write: &mut dyn FnMut(RecordBatch) -> Result<(), BatchError>,
        progress: &mut dyn FnMut(TrainingProgress),
    ) -> Result<(), BatchError> {
        let Running { runtime, context, shared, cancelled } = running;
        let state = &shared.state;
        let failed = |error: DataFusionError| state.failure(&error);
        let mut rows = {
            let _inside = runtime.enter();
            plan.execute(0, Arc::clone(context)).map_err(failed)?
        };
        let (sender, mut receiver) = mpsc::channel(1);
        let task = runtime.spawn(async move {
            while let Some(batch) = rows.next().await {
                if sender.send(batch?).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        runtime.block_on(async {
            let mut ticks = ticks();
            loop {
                tokio::select! {
                    biased;
                    _ = ticks.tick() => {
                        progress(shared.progress());
                        if cancelled() {
                            state.cancel();
                            return Err(BatchError::Cancelled);
                        }
                    }
                    batch = receiver.recv() => match batch {
                        Some(batch) => {
                            let rows = batch.num_rows() as u64;
                            if let Err(error) = write(batch) {
                                state.cancel();
                                return Err(error);
                            }
                            let progress = state.progress();
                            progress.add(&progress.labels_written, rows);
                        }
                        None => return Ok(()),
                    },
                }
            }
        })?;
        running.wait(task, progress)
    }
}

/// When progress is shown, and a wish to stop looked for.
fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

impl Running<'_> {
    /// What a task gives, once it is done.
    fn wait<T: 'static>(
        &self,
        mut task: JoinHandle<Result<T, DataFusionError>>,
        progress: &mut dyn FnMut(TrainingProgress),
    ) -> Result<T, BatchError> {
        let Self { runtime, context: _, shared, cancelled } = self;
        runtime.block_on(async {
            let mut ticks = ticks();
            loop {
                tokio::select! {
                    biased;
                    done = &mut task => return match done {
                        Ok(done) => done.map_err(|error| shared.state.failure(&error)),
                        Err(error) => Err(BatchError::Plan { reason: said(error) }),
                    },
                    _ = ticks.tick() => {
                        progress(shared.progress());
                        if cancelled() {
                            shared.state.cancel();
                            return Err(BatchError::Cancelled);
                        }
                    }
                }
            }
        })
    }
}

impl Shared {
    fn progress(&self) -> TrainingProgress {
        let progress = self.state.progress();
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        TrainingProgress {
            rows_read: of(&progress.rows_read),
            rows_known: of(&progress.rows_known),
            labels_answered: of(&progress.labels_answered),
            labels_asked: of(&progress.labels_asked),
            labels_written: of(&progress.labels_written),
            labels: self.labels.rows() as u64,
        }
    }
}
