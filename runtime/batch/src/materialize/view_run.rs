//! One view's run: what it is to do, and the doing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};
use unskew_definition::Name;
use unskew_executor::rows::AcceptedRows;
use unskew_executor::service::{RowWarning, ViewOperator};
use unskew_plan::{AggregateFunctionPlan, StepPlan, ViewPlan};
use unskew_registry::{Job, JobKind, NewJob, ProcessingState, Slice};
use unskew_store::TableId;

use crate::error::BatchError;
use crate::materialize::inputs::Inputs;
use crate::materialize::job::{MaterializeJob, MaterializeRange, MaterializeStores, Surroundings};
use crate::materialize::online::OnlineFiller;
use crate::materialize::slices::{
    Day, date_of, day_of, days_touched, days_within, digest_of, hex, replaced, rows_within,
    slice_times, times_of,
};
use crate::materialize::source_rows::rows_of_slice;
use crate::materialize::summary::{MaterializeProgress, PlannedSlice, ViewSummary};
use crate::source_files::source_notes;

/// A view's run, planned.
pub(crate) struct ViewRun<'a> {
    job: &'a MaterializeJob,
    stores: &'a MaterializeStores<'a>,
    around: &'a Surroundings<'a>,
    operator: ViewOperator,
    /// Name, `@` and version.
    name: String,
    table: TableId,
    inputs: Inputs,
    /// What the registry knew, if it is of the same definition.
    before: Option<ProcessingState>,
    /// Whether the definition is another one than what was materialized by.
    is_redefined: bool,
    definition: String,
    /// What is covered once the run is done.
    covered: Range<i64>,
    /// The times that are computed.
    range: Range<i64>,
    /// The days that are computed.
    days: BTreeSet<Day>,
    /// Whether the online store gets a new generation.
    rebuilds: bool,
}

impl<'a> ViewRun<'a> {
    /// Looks at files and state, and decides what is to be done.
    pub(crate) async fn plan(
        job: &'a MaterializeJob,
        view: &Arc<ViewPlan>,
        stores: &'a MaterializeStores<'a>,
        around: &'a Surroundings<'a>,
    ) -> Result<Self, BatchError> {
        let failed = |source| BatchError::Training { source: Box::new(source) };
        let operator = ViewOperator::new(Arc::clone(view), around.modules).map_err(failed)?;
        let name = view.id.table_name();
        let table = TableId::new(&name)?;
        let definition = definition_digest(view, around)?;
        let state = stores.registry.processing(&name).await?;
        let is_redefined = state.as_ref().is_some_and(|state| state.definition != definition);
        let before = state.filter(|state| state.definition == definition);
        let known = before.as_ref().map_or(&[][..], |state| &state.inputs);
        let paths = (around.files)(&view.source)?;
        // Files may lack columns, but not all of them the same one.
        source_notes(&view.source, &paths, around.cancelled)?;
        let inputs = Inputs::look(&view.source, &paths, known, around.cancelled)?;

        let covered_before = before
            .as_ref()
            .and_then(|state| Some(state.covered_from?..state.watermark?))
            .filter(|covered| !covered.is_empty());
        let times = inputs.times();
        let (range, days, rebuilds) = match (job.range, &covered_before) {
            (MaterializeRange::Between(start, end), _) => {
                let range = start..end;
                let days = days_with_rows(&range, times, view);
                (range, days, true)
            }
            (MaterializeRange::Until(end), None) => {
                let first = times.map_or(end, |times| times.0.min(end));
                let range = first..end;
                let days = days_with_rows(&range, times, view);
                (range, days, true)
            }
            (MaterializeRange::Until(end), Some(covered)) => {
                let range = covered.start..end.max(covered.end);
                let mut days = days_with_rows(&(covered.end..range.end), times, view);
                let is_touched =
                    |(first, last): &&(i64, i64)| *first < covered.end && *last >= covered.start;
                let touched: Vec<(i64, i64)> = inputs
                    .touched
                    .iter()
                    .filter(is_touched)
                    .map(|(first, last)| {
                        ((*first).max(covered.start), (*last).min(covered.end - 1))
                    })
                    .collect();
                if view.window.emits() && !inputs.touched.is_empty() {
                    // Any record may have moved the watermark, or revised.
                    days.extend(days_with_rows(&range, times, view));
                    days.extend(
                        before.iter().flat_map(|b| b.slices.iter().map(|s| day_of(s.start))),
                    );
                } else {
                    days.extend(days_touched(&touched));
                }
                (range, days, !touched.is_empty())
            }
        };
        let covered = match &covered_before {
            Some(before) => before.start.min(range.start)..before.end.max(range.end),
            None => range.clone(),
        };
        Ok(Self {
            job,
            stores,
            around,
            operator,
            name,
            table,
            inputs,
            before,
            is_redefined,
            definition,
            covered,
            range,
            days,
            rebuilds,
        })
    }

    fn view(&self) -> &Arc<ViewPlan> {
        self.operator.view()
    }

    /// Does it; `whole` keeps the rows of sources that are read whole.
    pub(crate) async fn execute(
        self,
        whole: &mut BTreeMap<Name, AcceptedRows>,
        warnings: &mut Vec<RowWarning>,
    ) -> Result<ViewSummary, BatchError> {
        let mut summary = self.new_summary();
        let mut slices = SliceReader { run: &self, whole, table: None, timeless: true };
        if self.job.dry_run {
            for day in &self.days {
                let rows = slices.rows_of(*day, &mut summary, warnings)?;
                self.report(&mut summary, *day, &rows);
                summary.bytes += parquet_size(&rows).map_err(|error| BatchError::Internal {
                    path: self.name.clone().into(),
                    reason: error.to_string(),
                })?;
            }
            return Ok(summary);
        }
        let job = self.open_job(&mut summary).await?;
        let done = self.stores.registry.slices(&self.name, job.begun.generation).await?;
        if self.is_redefined {
            self.forget_other_definition().await?;
        }
        for day in &self.days {
            let range = self.range_of(*day);
            // Slices of the current generation were noted by earlier runs, too;
            // those that this run did have a digest of its inputs.
            let tag = self.tag();
            let is_done = |slice: &Slice| {
                (slice.start, slice.end) == (range.start, range.end) && slice.digest.ends_with(&tag)
            };
            if done.iter().any(is_done) {
                summary.slices.push(planned(*day, &range, 0));
                continue;
            }
            let rows = slices.rows_of(*day, &mut summary, warnings)?;
            self.report(&mut summary, *day, &rows);
            self.write_slice(&job, *day, rows, &mut summary).await?;
        }
        self.fill_online(&job, &mut summary).await?;
        let covered = &self.covered;
        self.stores
            .registry
            .finish_job(
                &job,
                Some(covered.start),
                Some(covered.end),
                &self.inputs.known(),
                self.job.now,
            )
            .await?;
        self.passed("finished");
        Ok(summary)
    }

    /// Goes on with the job that an earlier run left, if it is the same, or
    /// begins one.
    async fn open_job(&self, summary: &mut ViewSummary) -> Result<Job, BatchError> {
        let (registry, online) = (self.stores.registry, self.stores.online);
        let detail = self.detail();
        let kind = if self.rebuilds { JobKind::Backfill } else { JobKind::Incremental };
        if let Some(job) = registry.resume_job(&self.name).await? {
            let begun = &job.begun;
            let is_same = begun.kind == kind
                && (begun.start, begun.end) == (self.range.start, self.range.end)
                && begun.definition == self.definition
                && begun.detail == detail;
            if is_same {
                summary.resumed = true;
                self.begin_generation(&job).await?;
                summary.generation = job.begun.generation;
                return Ok(job);
            }
            let state = self.table_state().await?;
            if state.building.contains(&begun.generation) {
                online.drop_generation(&self.table, begun.generation).await?;
            }
            registry.abandon_job(&job).await?;
        }
        let state = self.table_state().await?;
        let generation = match self.rebuilds {
            true => state.begun.max(state.generation) + 1,
            false => state.generation,
        };
        let job = registry
            .begin_job(&NewJob {
                view: self.name.clone(),
                kind,
                generation,
                start: self.range.start,
                end: self.range.end,
                definition: self.definition.clone(),
                detail,
                started_at: self.job.now,
            })
            .await?;
        self.passed("begun");
        self.begin_generation(&job).await?;
        summary.generation = generation;
        Ok(job)
    }

    async fn table_state(&self) -> Result<unskew_store::TableState, BatchError> {
        let states = self.stores.online.tables(std::slice::from_ref(&self.table)).await?;
        Ok(states.into_iter().next().unwrap_or_default())
    }

    /// Begins the job's generation, unless that was done.
    async fn begin_generation(&self, job: &Job) -> Result<(), BatchError> {
        let wanted = job.begun.generation;
        let state = self.table_state().await?;
        if !self.rebuilds || state.is_live(wanted) {
            return Ok(());
        }
        let begun = self.stores.online.begin_generation(&self.table).await?;
        if begun == wanted {
            self.passed("generation");
            return Ok(());
        }
        self.stores.online.drop_generation(&self.table, begun).await?;
        self.stores.registry.abandon_job(job).await?;
        Err(BatchError::WrongRange {
            reason: format!(
                "another process began a generation of {} meanwhile; run again",
                self.name
            ),
        })
    }

    /// What an earlier definition left in the offline store is no row of this
    /// one.
    async fn forget_other_definition(&self) -> Result<(), BatchError> {
        let nothing = RecordBatch::new_empty(self.operator.table_schema());
        for day in self.stores.offline.days(&self.table).await? {
            if !self.days.contains(&day) {
                self.stores.offline.write_day(&self.table, day, &nothing).await?;
            }
        }
        Ok(())
    }

    async fn write_slice(
        &self,
        job: &Job,
        day: Day,
        rows: RecordBatch,
        summary: &mut ViewSummary,
    ) -> Result<(), BatchError> {
        let (offline, registry) = (self.stores.offline, self.stores.registry);
        let range = self.range_of(day);
        registry.pass_phase(job, range.start, "offline").await?;
        let before = match self.is_redefined {
            true => None,
            false => offline.read_day(&self.table, day, &self.operator.table_schema()).await?,
        };
        let known = before.as_ref().map(digest_of).transpose()?;
        let times = |rows: &RecordBatch| self.times_of(rows);
        let all = replaced(before, rows, &range, times)?;
        let digest = digest_of(&all)?;
        if known.as_ref() == Some(&digest) {
            summary.unchanged_slices += 1;
        } else {
            summary.bytes += offline.write_day(&self.table, day, &all).await?;
        }
        self.passed(&format!("offline:{}", date_of(day)));
        let slice = Slice {
            start: range.start,
            end: range.end,
            digest: format!("{digest}{}", self.tag()),
            rows: all.num_rows() as u64,
        };
        registry.finish_slice(job, &slice).await?;
        self.passed(&format!("slice:{}", date_of(day)));
        self.progress(summary, "offline store");
        Ok(())
    }

    async fn fill_online(&self, job: &Job, summary: &mut ViewSummary) -> Result<(), BatchError> {
        let online = self.stores.online;
        let generation = job.begun.generation;
        let state = self.table_state().await?;
        let mut filler = OnlineFiller {
            operator: &self.operator,
            table: &self.table,
            offline: self.stores.offline,
            online,
            cancelled: self.around.cancelled,
            entities: 0,
            parts: 0,
        };
        self.progress(summary, "online store");
        if !self.rebuilds {
            let from = state.covered_until.unwrap_or(self.covered.start);
            filler.extend(generation, from, self.covered.end, self.job.now).await?;
            self.passed("current");
        } else {
            // It may have been swapped in before a crash.
            if state.generation != generation {
                filler.rebuild(generation, self.covered.end).await?;
                self.passed("online");
                online
                    .swap_generation(&self.table, generation, self.covered.end, self.job.now)
                    .await?;
                self.passed("current");
            }
            for old in generation.saturating_sub(KEPT_GENERATIONS)..generation {
                online.drop_generation(&self.table, old).await?;
            }
            self.passed("dropped");
        }
        summary.online_entities += filler.entities;
        summary.online_parts += filler.parts;
        Ok(())
    }

    /// The times of a day that are computed.
    fn range_of(&self, day: Day) -> Range<i64> {
        let times = times_of(day);
        times.start.max(self.range.start)..times.end.min(self.range.end)
    }

    fn times_of(&self, rows: &RecordBatch) -> Vec<i64> {
        slice_times(rows, self.view().join_keys.len(), self.view().window.emits())
    }

    /// What tells slices of this run from those of others.
    fn tag(&self) -> String {
        format!(" {}", &self.inputs.digest()[..16])
    }

    fn detail(&self) -> String {
        serde_json::json!({ "inputs": self.inputs.digest() }).to_string()
    }

    fn passed(&self, point: &str) {
        (self.around.commit_point)(&format!("{}:{point}", self.name));
    }

    fn progress(&self, summary: &ViewSummary, doing: &'static str) {
        (self.around.progress)(&MaterializeProgress {
            view: self.name.clone(),
            doing,
            done: summary.slices.len() as u64,
            total: self.days.len() as u64,
            rows: summary.rows,
        });
    }

    fn report(&self, summary: &mut ViewSummary, day: Day, rows: &RecordBatch) {
        let count = rows.num_rows() as u64;
        summary.rows += count;
        summary.slices.push(planned(day, &self.range_of(day), count));
    }

    fn new_summary(&self) -> ViewSummary {
        ViewSummary {
            view: self.name.clone(),
            start: self.range.start,
            end: self.range.end,
            new_generation: self.rebuilds,
            generation: self.before.as_ref().map_or(0, |before| before.generation),
            resumed: false,
            slices: Vec::new(),
            unchanged_slices: 0,
            rows: 0,
            bytes: 0,
            online_entities: 0,
            online_parts: 0,
            files_read: self.inputs.files.len() as u64 - self.inputs.unchanged,
            files_unchanged: self.inputs.unchanged,
            left_out: BTreeMap::new(),
        }
    }
}

/// So many generations behind the current one are looked for and removed: a
/// crash may have left one.
const KEPT_GENERATIONS: u64 = 8;

fn planned(day: Day, range: &Range<i64>, rows: u64) -> PlannedSlice {
    PlannedSlice { date: date_of(day), start: range.start, end: range.end, rows }
}

/// About how many bytes rows take as a Parquet file.
fn parquet_size(rows: &RecordBatch) -> Result<u64, parquet::errors::ParquetError> {
    if rows.num_rows() == 0 {
        return Ok(0);
    }
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(std::io::sink(), rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.finish()?;
    Ok(writer.bytes_written() as u64)
}

/// The days of a range in which there may be rows: files have none before or
/// after their times. Windows may end later than their rows.
fn days_with_rows(range: &Range<i64>, times: Option<(i64, i64)>, view: &ViewPlan) -> BTreeSet<Day> {
    let Some((first, last)) = times else { return BTreeSet::new() };
    let end = match view.window.emits() {
        true => range.end,
        false => range.end.min(last.saturating_add(1)),
    };
    days_within(range.start.max(first)..end).collect()
}

/// Gives the rows of slices.
struct SliceReader<'r, 'a> {
    run: &'r ViewRun<'a>,
    whole: &'r mut BTreeMap<Name, AcceptedRows>,
    /// All rows of a view whose windows emit.
    table: Option<(RecordBatch, Vec<i64>)>,
    /// Whether rows without a time are still to be judged.
    timeless: bool,
}

impl SliceReader<'_, '_> {
    fn rows_of(
        &mut self,
        day: Day,
        summary: &mut ViewSummary,
        warnings: &mut Vec<RowWarning>,
    ) -> Result<RecordBatch, BatchError> {
        let run = self.run;
        let range = run.range_of(day);
        let source = &run.view().source;
        let is_whole = run.view().window.emits() || source.partition.is_some();
        if is_whole && !self.whole.contains_key(&source.name) {
            let all = i64::MIN..i64::MAX;
            let files = &run.inputs.files;
            let rows = rows_of_slice(source, files, &all, true, run.around.cancelled)?;
            self.whole.insert(source.name.clone(), rows);
        }
        if is_whole && self.timeless {
            note_letters(&self.whole[&source.name].dead_letters, summary);
            self.timeless = false;
        }
        if run.view().window.emits() {
            if self.table.is_none() {
                let rows = &self.whole[&source.name];
                let table = self.table_of(rows, summary, warnings)?;
                let times = run.times_of(&table);
                self.table = Some((table, times));
            }
            let Some((table, times)) = &self.table else { unreachable!("it was made above") };
            return rows_within(table, times, &range);
        }
        if is_whole {
            let rows = &self.whole[&source.name];
            let start = rows.event_timestamps.partition_point(|time| *time < range.start);
            let end = rows.event_timestamps.partition_point(|time| *time < range.end);
            let wanted: Vec<u32> = (start as u32..end as u32).collect();
            let path = || run.inputs.files.first().map(|f| f.0.clone()).unwrap_or_default();
            let only = rows.only(&wanted);
            let only = only.map_err(|source| BatchError::Rows { path: path(), source })?;
            return self.table_of(&only, summary, warnings);
        }
        let timeless = std::mem::take(&mut self.timeless);
        let files = &run.inputs.files;
        let rows = rows_of_slice(source, files, &range, timeless, run.around.cancelled)?;
        note_letters(&rows.dead_letters, summary);
        self.table_of(&rows, summary, warnings)
    }

    fn table_of(
        &self,
        rows: &AcceptedRows,
        summary: &mut ViewSummary,
        warnings: &mut Vec<RowWarning>,
    ) -> Result<RecordBatch, BatchError> {
        let failed = |source| BatchError::Training { source: Box::new(source) };
        let prepared = self.run.operator.prepare(rows).map_err(failed)?;
        note_letters(prepared.dead_letters(), summary);
        for warning in prepared.warnings() {
            let is_same = |known: &&mut RowWarning| {
                (&known.view, &known.what) == (&warning.view, &warning.what)
            };
            match warnings.iter_mut().find(is_same) {
                Some(known) => known.add(warning),
                None => warnings.push(warning.clone()),
            }
        }
        prepared.table(rows).map_err(failed)
    }
}

fn note_letters(letters: &[unskew_executor::rows::DeadLetter], summary: &mut ViewSummary) {
    for letter in letters {
        *summary.left_out.entry(letter.reason.to_string()).or_default() += 1;
    }
}

/// A digest of all that decides a view's rows: its definition, that of its
/// source but for where its files are, and the code of its modules.
fn definition_digest(view: &ViewPlan, around: &Surroundings<'_>) -> Result<String, BatchError> {
    let plan = around.plan.to_json();
    let at = around.plan.views.iter().position(|known| known.id == view.id);
    let source = around.plan.sources.iter().position(|known| known.name == view.source.name);
    let mut digest = Sha256::new();
    digest.update(at.map_or_else(String::new, |at| plan["feature_views"][at].to_string()));
    if let Some(at) = source {
        let mut source = plan["sources"][at].clone();
        if let Some(source) = source.as_object_mut() {
            source.remove("files");
        }
        digest.update(source.to_string());
    }
    let steps = view.steps.iter().filter_map(|step| match step {
        StepPlan::Module { module, .. } => Some(module),
        StepPlan::Sql { .. } => None,
    });
    let aggregates = view.aggregates.iter().filter_map(|aggregate| match &aggregate.function {
        AggregateFunctionPlan::Module { module, .. } => Some(module),
        AggregateFunctionPlan::BuiltIn(_) => None,
    });
    let functions = view.functions.iter().map(|function| &function.module);
    let modules: BTreeSet<&Name> = steps.chain(aggregates).chain(functions).collect();
    for module in modules {
        digest.update(format!("{module}\0{}\n", (around.module_digest)(module)?));
    }
    Ok(hex(&digest.finalize()))
}
