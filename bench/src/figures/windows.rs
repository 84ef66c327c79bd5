//! The kernel's windows: tumbling ones over a whole log, and trailing ones at
//! many questions, on one core.

use std::sync::Arc;

use anyhow::{Context, ensure};
use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::Runtime;
use unskew_aggregate::AggregateFunction;
use unskew_datagen::{EventNumbers, Spec};
use unskew_definition::{DataType, Name};
use unskew_executor::point_in_time::{
    EventIndex, Questions, TrailingAggregate, TrailingAnswers, evaluate_trailing,
};
use unskew_executor::window::{
    AggregateRows, EmittedWindows, EmittingWindow, LogOrder, LogRecords, WindowOperator,
    WindowSettings,
};
use unskew_executor::{
    AggregateKernel, BuiltInAggregate, RowOrder, RowTie, TrailingWindow, WatermarkSettings,
};

use super::Bench;
use crate::race::timed;
use crate::report::Figure;
use crate::rows::Random;

const EVENTS: u64 = 10_000_000;
const ENTITIES: u64 = 100_000;
const QUESTIONS: usize = 1_000_000;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// With their default hops.
const WINDOWS: [TrailingWindow; 5] = [
    TrailingWindow { size_us: HOUR, hop_us: 5 * MINUTE },
    TrailingWindow { size_us: 6 * HOUR, hop_us: 5 * MINUTE },
    TrailingWindow { size_us: DAY, hop_us: HOUR },
    TrailingWindow { size_us: 7 * DAY, hop_us: HOUR },
    TrailingWindow { size_us: 30 * DAY, hop_us: DAY },
];

struct Events {
    entities: Vec<u32>,
    order: RowOrder,
    amounts: ArrayRef,
    peer: DataFusion,
}

/// The peer, held to one core as well.
struct DataFusion {
    runtime: Runtime,
    context: SessionContext,
}

impl DataFusion {
    fn new(entities: &[u32], times: &[i64], amounts: &[f64]) -> anyhow::Result<Self> {
        const ROWS: usize = 8192;
        let batches = (0..entities.len()).step_by(ROWS).map(|start| {
            let rows = start..entities.len().min(start + ROWS);
            let times = TimestampMicrosecondArray::from(times[rows.clone()].to_vec());
            let columns: [(&str, ArrayRef); 3] = [
                ("entity", Arc::new(UInt32Array::from(entities[rows.clone()].to_vec()))),
                ("happened", Arc::new(times)),
                ("amount", Arc::new(Float64Array::from(amounts[rows].to_vec()))),
            ];
            RecordBatch::try_from_iter(columns)
        });
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        let schema = batches.first().context("there are events")?.schema();
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        context.register_table("events", Arc::new(MemTable::try_new(schema, vec![batches])?))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, context })
    }

    fn run(&self, sql: &str) -> anyhow::Result<Vec<RecordBatch>> {
        self.runtime.block_on(async { Ok(self.context.sql(sql).await?.collect().await?) })
    }
}

impl Events {
    /// In the order of their times, or of entity and time.
    fn new(by_entity: bool) -> anyhow::Result<Self> {
        let spec = Spec { rows: EVENTS, entities: ENTITIES, days: 90, ..Spec::default() };
        let EventNumbers { mut event_timestamps, mut users, mut amounts } =
            EventNumbers::new(&spec)?;
        if by_entity {
            let mut rows: Vec<usize> = (0..users.len()).collect();
            rows.sort_by_key(|row| users[*row]);
            event_timestamps = rows.iter().map(|row| event_timestamps[*row]).collect();
            amounts = rows.iter().map(|row| amounts[*row]).collect();
            users = rows.iter().map(|row| users[*row]).collect();
        }
        let peer = DataFusion::new(&users, &event_timestamps, &amounts)?;
        let positions: Vec<u32> = (0..users.len() as u32).collect();
        let tie = RowTie::Position { positions: positions.into() };
        let order = RowOrder::new(event_timestamps.into(), None, tie);
        let amounts = Arc::new(Float64Array::from(amounts));
        Ok(Self { entities: users, order, amounts, peer })
    }
}

fn kernel(
    function: AggregateFunction,
    has_input: bool,
) -> anyhow::Result<(Arc<dyn AggregateKernel>, bool)> {
    let input = has_input.then_some(&DataType::Float64);
    Ok((Arc::new(BuiltInAggregate::new(function, input, Name::new(function.name())?)?), has_input))
}

pub(super) fn tumbling(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let events = Events::new(false)?;
    let kernels = [
        kernel(AggregateFunction::Count, false)?,
        kernel(AggregateFunction::Sum, true)?,
        kernel(AggregateFunction::Avg, true)?,
        kernel(AggregateFunction::Percentile { q: "0.95".parse()? }, true)?,
    ];
    let settings = WindowSettings {
        window: EmittingWindow::Tumbling { size_us: HOUR, offset_us: 0 },
        watermark: WatermarkSettings::default(),
        log: LogOrder::None,
    };
    let records = LogRecords {
        order: events.order.clone(),
        broker_timestamps: None,
        partitions: None,
        entities: events.entities.clone().into(),
        aggregates: kernels
            .iter()
            .map(|(_, has_input)| AggregateRows {
                inputs: has_input.then(|| events.amounts.clone()).into_iter().collect(),
                filter: None,
            })
            .collect(),
    };
    let ours = || -> anyhow::Result<EmittedWindows> {
        let kernels = kernels.iter().map(|(kernel, _)| Arc::clone(kernel)).collect();
        let mut operator = WindowOperator::new(settings, &[0], kernels)?;
        operator.push(records.clone())?;
        Ok(operator.finish()?)
    };
    let sql = "SELECT entity, date_bin(INTERVAL '1 hour', happened), count(*), sum(amount), avg(amount) FROM events GROUP BY 1, 2";
    let theirs = || events.peer.run(sql);
    let (found, expected) = (ours()?, theirs()?);
    let windows: usize = expected.iter().map(RecordBatch::num_rows).sum();
    ensure!(found.len() == windows, "{} windows, DataFusion has {windows}", found.len());
    let total: i64 = found.values[0].columns[0].as_primitive::<Int64Type>().values().iter().sum();
    ensure!(total == EVENTS as i64, "{total} events were counted");
    let [ours, theirs] = bench.plan.long_race("tumbling", [&mut timed(ours), &mut timed(theirs)]);
    let what = "tumbling windows of 1 h: count, sum, avg and p95 of each entity, one core";
    let against = "DataFusion's GROUP BY entity, date_bin with count, sum and avg, one core";
    let figure = Figure::ratio("kernel.tumbling", what, against).held_to(2.0, 1.2);
    Ok(vec![figure.measured(ours, theirs, EVENTS as usize)])
}

/// Questions in the order of entity and time, each soon after an event.
fn questions(events: &Events) -> (Vec<u32>, Vec<i64>) {
    let mut random = Random::new();
    let times = events.order.event_timestamps();
    let mut asked: Vec<(u32, i64)> = (0..QUESTIONS)
        .map(|_| {
            let row = random.below(times.len());
            (events.entities[row], times[row] + random.below(2 * HOUR as usize) as i64)
        })
        .collect();
    asked.sort_unstable();
    asked.into_iter().unzip()
}

/// All that is done at a time over sorted events and questions in memory.
fn answers(
    events: &Events,
    (entities, times): &(Vec<u32>, Vec<i64>),
    windows: &[TrailingWindow],
) -> anyhow::Result<TrailingAnswers> {
    let kernels = [
        kernel(AggregateFunction::Count, false)?,
        kernel(AggregateFunction::Sum, true)?,
        kernel(AggregateFunction::Avg, true)?,
        kernel(AggregateFunction::Max, true)?,
    ];
    let index = EventIndex::new(&events.entities, &events.order, ENTITIES as usize);
    let questions = Questions::new(entities, times);
    let aggregates: Vec<TrailingAggregate<'_>> = windows
        .iter()
        .flat_map(|window| {
            kernels.iter().map(|(kernel, has_input)| TrailingAggregate {
                kernel: &**kernel,
                inputs: has_input.then(|| events.amounts.clone()).into_iter().collect(),
                filter: None,
                window: *window,
            })
        })
        .collect();
    Ok(evaluate_trailing(&index, &questions, &aggregates)?)
}

pub(super) fn trailing(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let events = Events::new(true)?;
    let asked = questions(&events);
    check(&events, &asked)?;
    let sql = "SELECT entity, count(*), sum(amount), avg(amount), max(amount) FROM events GROUP BY entity";
    let entities = events.peer.run(sql)?.iter().map(RecordBatch::num_rows).sum::<usize>();
    ensure!(entities <= ENTITIES as usize && entities > 0, "{entities} entities");
    let [ours, theirs] = bench.plan.long_race(
        "trailing",
        [&mut timed(|| answers(&events, &asked, &WINDOWS)), &mut timed(|| events.peer.run(sql))],
    );
    let what = "count, sum, avg, max over 5 trailing windows at 1 M times, 10 M events, one core";
    let against = "DataFusion's hash aggregate of the same events: count, sum, avg, max by entity";
    let figure = Figure::ratio("kernel.trailing", what, against).held_to(6.0, 3.0);
    Ok(vec![figure.measured(ours, theirs, EVENTS as usize)])
}

/// A few answers, against a scan of all events.
fn check(events: &Events, asked: &(Vec<u32>, Vec<i64>)) -> anyhow::Result<()> {
    let answers = answers(events, asked, &WINDOWS)?;
    let times = events.order.event_timestamps();
    let amounts = events.amounts.as_primitive::<Float64Type>().values();
    for question in (0..QUESTIONS).step_by(QUESTIONS / 7) {
        let (entity, time) = (asked.0[question], asked.1[question]);
        let first = events.entities.partition_point(|other| *other < entity);
        let end = events.entities.partition_point(|other| *other <= entity);
        for (window, values) in WINDOWS.iter().zip(answers.values.chunks(4)) {
            let within =
                (first..end).filter(|row| window.tail(time) <= times[*row] && times[*row] <= time);
            let within: Vec<f64> = within.map(|row| amounts[row]).collect();
            let count = values[0].columns[0].as_primitive::<Int64Type>().value(question);
            let float = |at: usize| {
                let column = values[at].columns[0].as_primitive::<Float64Type>();
                if column.is_null(question) { 0.0 } else { column.value(question) }
            };
            let (sum, max) = (float(1), float(3));
            let expected = within.iter().sum::<f64>();
            let fits = count == within.len() as i64
                && (sum - expected).abs() <= 1e-9 * expected
                && within.iter().copied().fold(0.0, f64::max) == max;
            ensure!(fits, "question {question}: {count}, {sum}, {max} for {within:?}");
        }
    }
    Ok(())
}

pub(super) fn trailing_size(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let events = Events::new(true)?;
    let asked = questions(&events);
    let [long, short] =
        [30 * DAY, HOUR].map(|size_us| TrailingWindow { size_us, hop_us: 5 * MINUTE });
    let [ours, theirs] = bench.plan.long_race(
        "trailing_size",
        [
            &mut timed(|| answers(&events, &asked, &[long])),
            &mut timed(|| answers(&events, &asked, &[short])),
        ],
    );
    let what = "count, sum, avg, max over a trailing window of 30 d, hop 5 min, at 1 M times";
    let against = "the same over 1 h, hop 5 min";
    let figure = Figure::ratio("kernel.trailing_size", what, against).held_to(1.5, 1.05);
    Ok(vec![figure.measured(ours, theirs, QUESTIONS)])
}
