//! Raw rows of a source in: judged, filtered and transformed by the executor
//! as any other rows, and written to the online store for every view of that
//! source; or logged first, and applied in order.

mod compaction;
mod log;
mod rows;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use unskew_executor::rows::{AcceptedRows, CanonicalBytes};
use unskew_plan::{SourcePlan, ViewReference};
use unskew_store::{
    OnlineStore, Part, PartKind, PartVersion, Record, TableId, TableState, WriteMode, Written,
};

pub(crate) use log::{LogReader, PushLog};
pub(crate) use rows::{Pushed, PushedRow, source_of};

use crate::engine::{Engine, RawColumns};
use crate::error::OnlineError;
use crate::measure::{Counter, Histogram};
use values::written_values;

/// Where pushed rows go, in Feast's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushTo {
    /// The online store alone.
    Online,
    /// The archive in the offline store alone.
    Offline,
    /// Both, so that training sees what serving does.
    #[default]
    OnlineAndOffline,
}

impl PushTo {
    fn online(self) -> bool {
        self != Self::Offline
    }

    fn offline(self) -> bool {
        self != Self::Online
    }
}

/// When a push is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PushMode {
    /// When the store has it.
    #[default]
    Store,
    /// When the write-ahead log has it.
    Log,
}

/// Where accepted rows are kept for training: the archive of a source, which
/// `train` and `materialize` read as part of it.
#[async_trait]
pub trait PushArchive: Send + Sync {
    /// Appends rows of `source`. The name stands for exactly these rows: where
    /// it is there already nothing is done.
    async fn append(
        &self,
        source: &SourcePlan,
        name: &str,
        rows: &RecordBatch,
    ) -> Result<(), OnlineError>;
}

/// What a push did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PushReport {
    /// Rows that were taken.
    pub(crate) accepted: usize,
    /// Rows that were not, and why.
    pub(crate) dead_letters: Vec<PushedRow>,
    /// Parts of the online store that are new.
    pub(crate) written: u64,
    /// Parts that were left as they are: what is there is newer.
    pub(crate) older: u64,
    /// Parts that were there already.
    pub(crate) unchanged: u64,
    /// Whether the rows are in the log, and in the stores soon.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) logged: bool,
}

/// A push as the log keeps it.
#[derive(Serialize, Deserialize)]
struct LoggedPush<'a> {
    source: &'a str,
    to: PushTo,
    #[serde(borrow)]
    columns: &'a serde_json::value::RawValue,
}

/// What is counted about pushes.
#[derive(Debug, Default)]
pub(crate) struct PushMeasure {
    pub(crate) rows: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) requests: Histogram,
    /// Bytes of the log that are not applied yet.
    pub(crate) lag_bytes: AtomicU64,
    /// Logged pushes that could not be applied, as definitions changed.
    pub(crate) lost: Counter,
}

/// Takes pushes.
pub(crate) struct Pusher {
    engine: Arc<Engine>,
    archive: Option<Arc<dyn PushArchive>>,
    log: PushLog,
    pub(crate) measure: PushMeasure,
    /// Records that were written, to look at one in so many.
    written: AtomicU64,
    /// Lets one entity be compacted at a time.
    compacting: Arc<tokio::sync::Semaphore>,
}

impl Pusher {
    pub(crate) fn new(
        engine: Arc<Engine>,
        archive: Option<Arc<dyn PushArchive>>,
        log: PushLog,
    ) -> Self {
        Self {
            engine,
            archive,
            log,
            measure: PushMeasure::default(),
            written: AtomicU64::new(0),
            compacting: Arc::new(tokio::sync::Semaphore::new(1)),
        }
    }

    /// Takes rows of the source `name`. `columns` as they stood in the request.
    pub(crate) async fn push(
        &self,
        name: &str,
        columns: &serde_json::value::RawValue,
        to: PushTo,
        mode: PushMode,
        now: i64,
    ) -> Result<PushReport, OnlineError> {
        let source = source_of(&self.engine.project().plan, name)?;
        let pushed = read(&source, columns)?;
        match mode {
            PushMode::Store => self.apply(pushed, to, now).await,
            PushMode::Log => {
                // Whatever could be wrong with the rows is known before they are logged.
                records(&self.engine, &pushed)?;
                let record = LoggedPush { source: name, to, columns };
                let payload = serde_json::to_vec(&record)
                    .map_err(|error| OnlineError::Internal(error.to_string()))?;
                self.log.append(payload).await?;
                let accepted = pushed.rows();
                let dead_letters = pushed.dead_letters();
                Ok(PushReport { accepted, dead_letters, logged: true, ..PushReport::default() })
            }
        }
    }

    async fn apply(&self, pushed: Pushed, to: PushTo, now: i64) -> Result<PushReport, OnlineError> {
        let mut report = PushReport {
            accepted: pushed.rows(),
            dead_letters: pushed.dead_letters(),
            ..PushReport::default()
        };
        self.measure.rows.add(report.accepted as u64);
        self.measure.dead_letters.add(report.dead_letters.len() as u64);
        if report.accepted == 0 {
            return Ok(report);
        }
        if to.offline() && self.archive.is_none() {
            return Err(OnlineError::Unavailable(
                "this server has no offline store to keep rows in; push with \"to\": \"online\""
                    .to_owned(),
            ));
        }
        let tables = if to.online() { records(&self.engine, &pushed)? } else { Vec::new() };
        if to.offline()
            && let Some(archive) = &self.archive
        {
            let AcceptedRows { source, batch, .. } = &pushed.accepted;
            archive.append(source, &name_of(batch), batch).await?;
        }
        let Written { written, older, unchanged } =
            write_live(&**self.engine.store(), &tables).await?;
        (report.written, report.older, report.unchanged) = (written, older, unchanged);
        self.compact_some(&tables, now);
        Ok(report)
    }

    /// Looks at one in so many of the entities that were written; beside
    /// requests, and at one at a time.
    fn compact_some(&self, tables: &[(TableId, Vec<Record>)], now: i64) {
        for (table, records) in tables {
            let before = self.written.fetch_add(records.len() as u64, Relaxed);
            let to_next = (compaction::EVERY - before % compaction::EVERY) as usize - 1;
            let Some(record) = records.get(to_next) else { continue };
            let Ok(place) = Arc::clone(&self.compacting).try_acquire_owned() else { return };
            let (views, _) = self.engine.preparations().served();
            let Some(view) = views.into_iter().find(|view| view.table == *table) else { continue };
            let (engine, entity) = (Arc::clone(&self.engine), record.entity.clone());
            tokio::spawn(async move {
                let _place = place;
                let done = compaction::compact(&**engine.store(), &view, &entity, now).await;
                if let Err(error) = done {
                    tracing::warn!(%error, "pushed rows could not be compacted");
                }
            });
        }
    }

    /// Takes values of a latest view's features that were computed elsewhere.
    pub(crate) async fn write_values(
        &self,
        view: &ViewReference,
        columns: &serde_json::value::RawValue,
        now: i64,
    ) -> Result<PushReport, OnlineError> {
        let view = match view {
            ViewReference::View(view) => view,
            ViewReference::OnDemand(view) => {
                return Err(OnlineError::Invalid(format!(
                    "{} is computed when it is asked for; it holds no values",
                    view.id
                )));
            }
        };
        let columns: RawColumns<'_> =
            serde_json::from_str(columns.get()).map_err(|error| OnlineError::of_json(&error))?;
        let served = self.engine.preparations().view(view)?;
        let values = written_values(&served.operator, &columns, now)?;
        let records = served.operator.written_records(&values)?;
        let accepted = values.num_rows();
        let mut records: Vec<Record> = records.into_iter().map(record_of).collect();
        // Of two values of one time the one that was written later counts.
        for part in records.iter_mut().flat_map(|record| &mut record.parts) {
            part.version.revision = now.max(0).unsigned_abs();
        }
        let tables = [(served.table.clone(), records)];
        let Written { written, older, unchanged } =
            write_live(&**self.engine.store(), &tables).await?;
        Ok(PushReport { accepted, written, older, unchanged, ..PushReport::default() })
    }

    /// Applies what is logged, in order, for as long as the log is open. When
    /// the store does not take it, it is tried again: nothing is passed over.
    pub(crate) async fn apply_log(&self, mut reader: LogReader, now: impl Fn() -> i64) {
        /// Applied records until the position is noted: so many may be applied again.
        const NOTE_EVERY: u32 = 256;
        let mut unnoted = 0;
        loop {
            self.measure.lag_bytes.store(reader.lag_bytes(), Relaxed);
            let payload = match reader.next().await {
                Ok(Some(payload)) => payload,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the push log cannot be read; trying again in a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let mut pause = Duration::from_millis(20);
            while let Err(error) = self.apply_logged(&payload, now()).await {
                if !matches!(error, OnlineError::Store(_) | OnlineError::Unavailable(_)) {
                    // It was good when it was logged, so the definitions are others now.
                    self.measure.lost.add(1);
                    tracing::error!(%error, record = %String::from_utf8_lossy(&payload), "a logged push does not fit the project any more and is left out");
                    break;
                }
                tracing::warn!(%error, "a logged push cannot be applied yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            unnoted += 1;
            if (unnoted >= NOTE_EVERY || reader.lag_bytes() == 0)
                && let Err(error) = reader.applied()
            {
                tracing::warn!(%error, "how far the push log is applied could not be noted");
            } else if unnoted >= NOTE_EVERY {
                unnoted = 0;
            }
        }
    }

    async fn apply_logged(&self, payload: &[u8], now: i64) -> Result<(), OnlineError> {
        let LoggedPush { source, to, columns } =
            serde_json::from_slice(payload).map_err(|error| OnlineError::of_json(&error))?;
        let source = source_of(&self.engine.project().plan, source)?;
        let pushed = read(&source, columns)?;
        self.apply(pushed, to, now).await.map(|_| ())
    }
}

fn read(
    source: &Arc<SourcePlan>,
    columns: &serde_json::value::RawValue,
) -> Result<Pushed, OnlineError> {
    let columns: RawColumns<'_> =
        serde_json::from_str(columns.get()).map_err(|error| OnlineError::of_json(&error))?;
    Pushed::read(source, &columns)
}

/// A name for rows, made of their bytes: the same rows have the same name.
fn name_of(batch: &RecordBatch) -> String {
    let rows = CanonicalBytes::new(batch.columns().to_vec());
    let mut hasher = blake3::Hasher::new();
    let mut bytes = Vec::new();
    for row in 0..batch.num_rows() {
        bytes.clear();
        rows.append(row, &mut bytes);
        hasher.update(&bytes);
    }
    format!("push-{}", &hasher.finalize().to_hex()[..32])
}

/// The records of every view of the rows' source.
fn records(engine: &Engine, pushed: &Pushed) -> Result<Vec<(TableId, Vec<Record>)>, OnlineError> {
    let mut tables = Vec::new();
    let source = &pushed.accepted.source.name;
    for view in engine.project().plan.views.iter().filter(|view| view.source.name == *source) {
        let served = engine.preparations().view(view)?;
        let records = served.operator.pushed_records(&pushed.accepted)?;
        tables.push((served.table.clone(), records.into_iter().map(record_of).collect()));
    }
    Ok(tables)
}

/// Writes records into every generation that is read or being built; and into
/// those that began meanwhile, so that none lacks them.
pub(crate) async fn write_live(
    store: &dyn OnlineStore,
    tables: &[(TableId, Vec<Record>)],
) -> Result<Written, OnlineError> {
    let mut total = Written::default();
    if tables.is_empty() {
        return Ok(total);
    }
    let ids: Vec<TableId> = tables.iter().map(|(table, _)| table.clone()).collect();
    let mut done: Vec<Vec<u64>> = vec![Vec::new(); tables.len()];
    // Backfills begin rarely; more than a few within one push would be strange.
    for _ in 0..8 {
        let states = store.tables(&ids).await?;
        let mut is_new = false;
        for (((table, records), state), done) in tables.iter().zip(&states).zip(&mut done) {
            let missing = |generation: &u64| !done.contains(generation);
            let generations: Vec<u64> = TableState::live(state).filter(missing).collect();
            for generation in generations {
                is_new = true;
                match store.write(table, generation, records, WriteMode::Newer).await {
                    Ok(written) if generation == state.generation => total += written,
                    Ok(_) => {}
                    // Another took its place meanwhile, which the next look shows.
                    Err(unskew_store::StoreError::Superseded { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                done.push(generation);
            }
        }
        if !is_new {
            return Ok(total);
        }
    }
    Err(OnlineError::Unavailable(
        "backfills of the same view began again and again; try again".to_owned(),
    ))
}

/// A record of the executor as the store takes it.
pub(crate) fn record_of(record: unskew_executor::stored::EntityRecord) -> Record {
    use unskew_executor::stored::{EntityRecord, PartKind as Kind};
    let EntityRecord { entity, parts, drop_rows_below } = record;
    let part = |part: unskew_executor::stored::Part| {
        let unskew_executor::stored::Part { kind, name, version, value } = part;
        Part {
            kind: match kind {
                Kind::Tile => PartKind::Tile,
                Kind::Row => PartKind::Row,
            },
            name: name.into(),
            version: PartVersion {
                event_timestamp: version.event_timestamp,
                created_timestamp: version.created_timestamp,
                revision: version.revision,
            },
            value: value.into(),
        }
    };
    Record {
        entity: entity.into(),
        parts: parts.into_iter().map(part).collect(),
        drop_rows_below: drop_rows_below.map(Bytes::from),
    }
}

/// Writes rows of one source of `engine`'s project into the online store; a row
/// that is not taken refuses all.
pub(crate) async fn write_rows(
    engine: &Engine,
    source: &str,
    columns: &RawColumns<'_>,
) -> Result<Written, OnlineError> {
    let source = source_of(&engine.project().plan, source)?;
    let pushed = Pushed::read(&source, columns)?;
    if let Some(first) = pushed.dead_letters().first() {
        return Err(OnlineError::Invalid(format!("row {}: {}", first.row, first.reason)));
    }
    let tables = records(engine, &pushed)?;
    write_live(&**engine.store(), &tables).await
}
