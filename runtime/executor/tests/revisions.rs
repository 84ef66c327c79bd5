//! Revisions, tombstones and the times from which on they are visible, worked
//! out by hand from DESIGN section 5.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;
use unskew_aggregate::AggregateFunction;
use unskew_definition::Name;
use unskew_executor::window::{
    AggregateRows, EmittedWindows, EmittingWindow, LogOrder, LogRecords, WindowOperator,
    WindowSettings,
};
use unskew_executor::{AggregateKernel, BuiltInAggregate, RowOrder, RowTie, WatermarkSettings};

/// Of one partition, in the order of their offsets.
struct Record {
    entity: u32,
    event: i64,
    broker: Option<i64>,
}

fn at(entity: u32, event: i64, broker: i64) -> Record {
    Record { entity, event, broker: Some(broker) }
}

/// Of a row: entity, start, end, created, revision, and the count of rows
/// unless it is a tombstone.
type Row = (u32, i64, i64, i64, u64, Option<i64>);

fn emitted(window: EmittingWindow, records: &[Record]) -> Vec<Row> {
    let watermark = WatermarkSettings {
        out_of_orderness_us: 0,
        max_future_skew_us: 1000,
        allowed_lateness_us: 30,
    };
    let has_broker = records.iter().all(|record| record.broker.is_some());
    let log = if has_broker { LogOrder::Broker } else { LogOrder::Offsets };
    let settings = WindowSettings { window, watermark, log };
    let name = Name::new("rows").unwrap();
    let count = BuiltInAggregate::new(AggregateFunction::Count, None, name).unwrap();
    let kernel: Arc<dyn AggregateKernel> = Arc::new(count);
    let mut operator = WindowOperator::new(settings, &[0], vec![kernel]).unwrap();
    let events: Vec<i64> = records.iter().map(|record| record.event).collect();
    let offsets: Vec<i64> = (0..records.len() as i64).collect();
    let tie = RowTie::Log { partitions: vec![0; records.len()].into(), offsets: offsets.into() };
    let broker: Option<Vec<i64>> = records.iter().map(|record| record.broker).collect();
    let pushed = operator.push(LogRecords {
        order: RowOrder::new(events.into(), None, tie),
        broker_timestamps: broker.map(Into::into),
        partitions: None,
        entities: records.iter().map(|record| record.entity).collect::<Vec<_>>().into(),
        aggregates: vec![AggregateRows { inputs: vec![], filter: None }],
    });
    let parts = vec![pushed.unwrap(), operator.finish().unwrap()];
    let all = EmittedWindows::concatenated(parts).unwrap().unwrap();
    let counts = all.values[0].columns[0].as_primitive::<Int64Type>();
    let rows = (0..all.len()).map(|row| {
        let count = (!all.tombstones[row]).then(|| counts.value(row));
        let bounds = (all.window_starts[row], all.window_ends[row]);
        let (created, revision) = (all.created_timestamps[row], all.revisions[row]);
        (all.entities[row], bounds.0, bounds.1, created, revision, count)
    });
    rows.collect()
}

const SESSION: EmittingWindow = EmittingWindow::Session { gap_us: 10 };
const TUMBLING: EmittingWindow = EmittingWindow::Tumbling { size_us: 10, offset_us: 0 };

#[test]
fn a_late_row_revises_what_its_window_emitted() {
    // 31 closes [0, 10); 12 is late but for [10, 20), which 31 closed as well.
    let records = [at(0, 3, 3), at(0, 31, 32), at(0, 9, 40), at(0, 12, 41), at(0, 2, 42)];
    assert_eq!(
        emitted(TUMBLING, &records),
        [
            (0, 0, 10, 32, 0, Some(1)),
            (0, 0, 10, 40, 1, Some(2)),
            (0, 10, 20, 41, 0, Some(1)),
            (0, 0, 10, 42, 2, Some(3)),
        ]
    );
}

#[test]
fn a_row_may_be_as_late_as_allowed_and_no_later() {
    // The watermark is 50, so 20 is in time and 19 is not.
    let records = [at(0, 50, 50), at(1, 20, 51), at(2, 19, 52)];
    assert_eq!(emitted(TUMBLING, &records), [(1, 20, 30, 51, 0, Some(1))]);
}

#[test]
fn an_event_at_the_end_of_a_session_begins_another() {
    let records = [at(0, 0, 0), at(0, 10, 10), at(1, 40, 41)];
    assert_eq!(
        emitted(SESSION, &records),
        [(0, 0, 10, 10, 0, Some(1)), (0, 10, 20, 41, 0, Some(1))]
    );
}

#[test]
fn a_bridged_session_leaves_a_tombstone() {
    let records =
        [at(0, 0, 0), at(0, 5, 5), at(0, 20, 21), at(1, 30, 41), at(0, 12, 50), at(1, 44, 60)];
    assert_eq!(
        emitted(SESSION, &records),
        [
            (0, 0, 15, 21, 0, Some(2)),
            (0, 20, 30, 41, 0, Some(1)),
            (0, 0, 15, 50, 1, None),
            (0, 0, 30, 50, 1, Some(4)),
            (1, 30, 40, 60, 0, Some(1)),
        ]
    );
}

#[test]
fn its_revision_counts_from_the_first_of_its_parts_to_be_emitted() {
    // Rows 20 and 24 come after [0, 15) was emitted, so they count, too.
    let records = [
        at(0, 0, 0),
        at(0, 5, 5),
        at(1, 16, 16),
        at(0, 20, 21),
        at(0, 24, 24),
        at(1, 36, 37),
        at(0, 12, 50),
    ];
    assert_eq!(
        emitted(SESSION, &records),
        [
            (0, 0, 15, 16, 0, Some(2)),
            (1, 16, 26, 37, 0, Some(1)),
            (0, 20, 34, 37, 0, Some(2)),
            (0, 0, 15, 50, 1, None),
            (0, 0, 34, 50, 3, Some(5)),
        ]
    );
}

#[test]
fn a_session_that_becomes_longer_moves_to_its_new_end_when_that_is_reached() {
    let records = [at(0, 0, 0), at(1, 12, 12), at(0, 9, 13), at(1, 18, 19), at(1, 19, 25)];
    assert_eq!(
        emitted(SESSION, &records),
        [(0, 0, 10, 12, 0, Some(1)), (0, 0, 10, 13, 1, None), (0, 0, 19, 25, 1, Some(2))]
    );
}

#[test]
fn a_session_that_begins_earlier_is_revised_in_place() {
    let records = [at(0, 20, 20), at(1, 31, 32), at(0, 15, 40)];
    assert_eq!(
        emitted(SESSION, &records),
        [(0, 20, 30, 32, 0, Some(1)), (0, 15, 30, 40, 1, Some(2))]
    );
}

#[test]
fn without_broker_times_windows_are_visible_from_their_end_and_all_close() {
    let row = |entity, event| Record { entity, event, broker: None };
    let records = [row(0, 3), row(0, 25), row(0, 8), row(0, 27)];
    assert_eq!(
        emitted(TUMBLING, &records),
        [(0, 0, 10, 10, 0, Some(1)), (0, 0, 10, 10, 1, Some(2)), (0, 20, 30, 30, 0, Some(2))]
    );
}
