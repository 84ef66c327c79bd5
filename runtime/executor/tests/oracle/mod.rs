//! What windows and point-in-time evaluation ought to give, by the words of
//! DESIGN sections 5 and 6: a scan over all rows for each question. Nothing
//! here is quick, and nothing of the operators is used but the kernels, one
//! state at a time.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, UInt32Array};
use arrow::compute::take;
use unskew_aggregate::{AggregateFunction, ListSize};
use unskew_definition::{DataType, Name};
use unskew_executor::window::{AggregateRows, EmittingWindow, LogOrder, LogRecords, NO_ENTITY};
use unskew_executor::{AggregateKernel, BuiltInAggregate, RowOrder, RowTie, WatermarkSettings};

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high - 1`.
    pub(crate) fn range(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low) as u64) as i64
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.next().is_multiple_of(one_in)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
    }
}

/// A record of a log.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) partition: u32,
    pub(crate) offset: i64,
    pub(crate) event: i64,
    pub(crate) created: Option<i64>,
    pub(crate) broker: Option<i64>,
    pub(crate) entity: u32,
    pub(crate) number: Option<f64>,
    pub(crate) count: Option<i64>,
    pub(crate) is_wanted: Option<bool>,
}

/// The aggregates under test, and whether each has the `where`.
pub(crate) struct Aggregates {
    pub(crate) kernels: Vec<Arc<dyn AggregateKernel>>,
    /// Which column each takes: 0 for number, 1 for count, none for rows.
    pub(crate) columns: Vec<Option<usize>>,
    pub(crate) filtered: Vec<bool>,
}

pub(crate) fn aggregates() -> Aggregates {
    use AggregateFunction as F;
    let two = ListSize::new(2).unwrap();
    let median = F::Percentile { q: "0.5".parse().unwrap() };
    let functions = [
        (F::Count, None, false),
        (F::Count, Some(0), true),
        (F::Sum, Some(0), false),
        (F::Sum, Some(0), true),
        (F::Avg, Some(0), false),
        (F::Max, Some(0), false),
        (F::Min, Some(0), true),
        (F::Sum, Some(1), false),
        (F::Avg, Some(1), true),
        (F::Min, Some(1), false),
        (F::First, Some(1), false),
        (F::Last, Some(0), false),
        (F::Last, Some(1), true),
        (F::LastN { n: two }, Some(1), false),
        (F::TopK { k: two }, Some(0), false),
        (F::CountDistinct, Some(1), false),
        (F::Variance, Some(0), false),
        (median, Some(0), false),
    ];
    let name = |at: usize| Name::new(format!("a{at}")).unwrap();
    let types = [DataType::Float64, DataType::Int64];
    let kernels = functions.iter().enumerate().map(|(at, (function, column, _))| {
        let input = column.map(|column: usize| &types[column]);
        Arc::new(BuiltInAggregate::new(*function, input, name(at)).unwrap())
            as Arc<dyn AggregateKernel>
    });
    Aggregates {
        kernels: kernels.collect(),
        columns: functions.iter().map(|(_, column, _)| *column).collect(),
        filtered: functions.iter().map(|(_, _, filtered)| *filtered).collect(),
    }
}

/// The columns of events.
pub(crate) struct Columns {
    pub(crate) values: [ArrayRef; 2],
    pub(crate) filter: BooleanArray,
    pub(crate) order: RowOrder,
}

pub(crate) fn columns(events: &[Event]) -> Columns {
    let created: Option<Vec<i64>> = events.iter().map(|event| event.created).collect();
    let created = created.filter(|_| !events.is_empty());
    let tie = RowTie::Log {
        partitions: events.iter().map(|event| event.partition).collect::<Vec<_>>().into(),
        offsets: events.iter().map(|event| event.offset).collect::<Vec<_>>().into(),
    };
    let times: Vec<i64> = events.iter().map(|event| event.event).collect();
    Columns {
        values: [
            Arc::new(events.iter().map(|event| event.number).collect::<Float64Array>()),
            Arc::new(events.iter().map(|event| event.count).collect::<Int64Array>()),
        ],
        filter: events.iter().map(|event| event.is_wanted).collect(),
        order: RowOrder::new(times.into(), created.map(Into::into), tie),
    }
}

pub(crate) fn records(
    events: &[Event],
    aggregates: &Aggregates,
    has_partitions: bool,
) -> LogRecords {
    let Columns { values, filter, order } = columns(events);
    let broker: Option<Vec<i64>> = events.iter().map(|event| event.broker).collect();
    let rows = aggregates.columns.iter().zip(&aggregates.filtered).map(|(column, filtered)| {
        AggregateRows {
            inputs: column.iter().map(|column| values[*column].clone()).collect(),
            filter: filtered.then(|| filter.clone()),
        }
    });
    let partitions: Vec<u32> = events.iter().map(|event| event.partition).collect();
    LogRecords {
        order,
        broker_timestamps: broker.filter(|_| !events.is_empty()).map(Into::into),
        partitions: has_partitions.then(|| partitions.into()),
        entities: events.iter().map(|event| event.entity).collect::<Vec<_>>().into(),
        aggregates: rows.collect(),
    }
}

/// The value that each aggregate has of these rows, by a fold of one group; the
/// sum of the first column also by integers.
pub(crate) fn values_of(events: &[&Event], aggregates: &Aggregates) -> Vec<ArrayRef> {
    let events: Vec<Event> = events.iter().map(|event| (*event).clone()).collect();
    let Columns { values, filter, order } = columns(&events);
    let each = aggregates.kernels.iter().enumerate();
    let folded = each.map(|(at, kernel)| {
        let rows: Vec<u32> = (0..events.len() as u32)
            .filter(|row| {
                let row = *row as usize;
                !aggregates.filtered[at] || (filter.is_valid(row) && filter.value(row))
            })
            .collect();
        let indices = UInt32Array::from(rows.clone());
        let column = aggregates.columns[at].map(|column| &values[column]);
        let inputs: Vec<ArrayRef> =
            column.iter().map(|column| take(column, &indices, None).unwrap()).collect();
        let groups = vec![0; rows.len()];
        let states = kernel.partial(&inputs, &order.take(&rows), &groups, 1).unwrap();
        states.finish().unwrap().columns[0].clone()
    });
    let folded: Vec<ArrayRef> = folded.collect();
    let numbers: Vec<f64> = events.iter().filter_map(|event| event.number).collect();
    // Most numbers that are drawn are multiples of 2^-10.
    if numbers.iter().all(|x| x.abs() < 2e18 && (x * 1024.0).fract() == 0.0) {
        let exact: i128 = numbers.iter().map(|x| (x * 1024.0) as i128).sum();
        let expected = (!numbers.is_empty()).then(|| exact as f64 / 1024.0);
        let expected: ArrayRef = Arc::new(Float64Array::from(vec![expected]));
        assert_eq!(&folded[2], &expected, "the sum of {numbers:?}");
    }
    folded
}

pub(crate) fn draw_number(draws: &mut Draws) -> Option<f64> {
    match draws.range(0, 40) {
        0..4 => None,
        4 => Some(-0.0),
        5 => Some(1e18),
        6 => Some(-1e18),
        7 => Some(f64::from_bits(0x4330_0000_0000_0001)),
        8 if draws.chance(4) => Some(f64::NAN),
        9 if draws.chance(4) => Some(f64::INFINITY),
        10 if draws.chance(4) => Some(f64::NEG_INFINITY),
        11 if draws.chance(4) => Some(draws.pick(&[5e-324, -2e-310, f64::MIN_POSITIVE])),
        12 if draws.chance(4) => Some(draws.pick(&[1e308, -1.5e308, f64::MAX])),
        _ => Some(draws.range(-1 << 40, 1 << 40) as f64 / 1024.0),
    }
}

/// A row of a window or a question in time, without its place in a log.
pub(crate) fn draw_event(draws: &mut Draws, entities: u32, offset: i64) -> Event {
    Event {
        partition: 0,
        offset,
        event: draws.range(-50, 150),
        created: None,
        broker: None,
        entity: draws.range(0, entities.into()) as u32,
        number: draw_number(draws),
        count: (!draws.chance(6)).then(|| draws.range(-9, 9) * draws.pick(&[1, 1 << 60])),
        is_wanted: draws.pick(&[Some(true), Some(true), Some(false), None]),
    }
}

/// From when on a row of a window that emits is visible.
pub(crate) fn visible(event: &Event) -> i64 {
    match (event.created, event.broker) {
        (Some(created), Some(broker)) => created.max(broker),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => event.event,
    }
}

/// `W(p,i)` as DESIGN has it: of the record at `at`, the greatest that the
/// records before it in its partition show, less out_of_orderness.
fn watermark(settings: &WatermarkSettings, log: &[Event], at: usize) -> Option<i64> {
    let before = log
        .iter()
        .filter(|other| other.partition == log[at].partition && other.offset < log[at].offset);
    before.map(|other| shown(settings, other)).max().map(|max| max - settings.out_of_orderness_us)
}

fn shown(settings: &WatermarkSettings, event: &Event) -> i64 {
    match event.broker {
        Some(broker) => event.event.min(broker + settings.max_future_skew_us),
        None => event.event,
    }
}

/// The rows that are not too late.
pub(crate) fn accepted<'a>(
    settings: &WatermarkSettings,
    order: LogOrder,
    log: &'a [Event],
) -> Vec<&'a Event> {
    let is_in_time = |at: &usize| match watermark(settings, log, *at) {
        Some(watermark) if order != LogOrder::None => {
            log[*at].event >= watermark - settings.allowed_lateness_us
        }
        _ => true,
    };
    let rows = (0..log.len()).filter(is_in_time).map(|at| &log[at]);
    rows.filter(|event| event.entity != NO_ENTITY).collect()
}

/// From when on a window with this end is visible, if ever.
pub(crate) fn closing(
    settings: &WatermarkSettings,
    log: &[Event],
    partitions: &[u32],
    end: i64,
) -> Option<i64> {
    if log.iter().all(|event| event.broker.is_none()) {
        return Some(end + settings.out_of_orderness_us);
    }
    // The first record of each partition that shows that the end has come; the
    // last of these closes.
    let firsts = partitions.iter().map(|partition| {
        let reaching = log.iter().filter(|event| {
            event.partition == *partition
                && shown(settings, event) - settings.out_of_orderness_us >= end
        });
        reaching.min_by_key(|event| event.offset).and_then(|event| event.broker)
    });
    firsts.collect::<Option<Vec<i64>>>()?.into_iter().max()
}

/// The windows of some rows of one entity: bounds and rows.
pub(crate) fn windows_of<'a>(
    window: EmittingWindow,
    rows: &[&'a Event],
) -> Vec<(i64, i64, Vec<&'a Event>)> {
    let (size, hop, offset) = match window {
        EmittingWindow::Tumbling { size_us, offset_us } => (size_us, size_us, offset_us),
        EmittingWindow::Sliding { size_us, hop_us, offset_us } => (size_us, hop_us, offset_us),
        EmittingWindow::Session { gap_us } => {
            let mut sorted = rows.to_vec();
            sorted.sort_by_key(|row| row.event);
            let sessions = sorted.chunk_by(|a, b| b.event < a.event + gap_us);
            return sessions
                .map(|rows| (rows[0].event, rows[rows.len() - 1].event + gap_us, rows.to_vec()))
                .collect();
        }
    };
    // All aligned starts that could hold a row drawn here.
    let starts = (-1000..1000).map(|k| k * hop + offset.rem_euclid(hop));
    let windows = starts.map(|start| {
        let within = |row: &&&Event| start <= row.event && row.event < start + size;
        (start, start + size, rows.iter().filter(within).copied().collect::<Vec<_>>())
    });
    windows.filter(|(_, _, rows)| !rows.is_empty()).collect()
}
