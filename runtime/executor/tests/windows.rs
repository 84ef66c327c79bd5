//! Windows that emit, against an oracle that scans all rows, over random logs,
//! cut and ordered at random, with operators stored and restored in between.

mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::ArrayRef;
use oracle::{
    Aggregates, Draws, Event, accepted, aggregates, closing, draw_event, records, values_of,
    visible, windows_of,
};
use unskew_executor::WatermarkSettings;
use unskew_executor::point_in_time::{Questions, latest_windows};
use unskew_executor::window::{
    EmittedWindows, EmittingWindow, LogOrder, NO_ENTITY, WindowOperator, WindowSettings,
};

const ENTITIES: u32 = 3;

struct World {
    settings: WindowSettings,
    partitions: Vec<u32>,
    log: Vec<Event>,
}

fn draw_world(draws: &mut Draws, window: EmittingWindow, order: LogOrder) -> World {
    let watermark = WatermarkSettings {
        out_of_orderness_us: draws.pick(&[0, 5, 20]),
        max_future_skew_us: draws.pick(&[0, 7, 1000]),
        allowed_lateness_us: draws.pick(&[0, 15, 60, 1000]),
    };
    let has_partitions = order != LogOrder::None;
    let partitions = if has_partitions { draws.range(1, 4) as u32 } else { 1 };
    let has_created = draws.chance(2);
    let mut clock: BTreeMap<u32, i64> = BTreeMap::new();
    let mut greatest: BTreeMap<u32, i64> = BTreeMap::new();
    let speed = draws.pick(&[1, 3, 10]);
    let log = (0..draws.range(0, 70)).map(|offset| {
        let mut event = draw_event(draws, ENTITIES, offset);
        event.partition = draws.range(0, partitions.into()) as u32;
        let now = clock.entry(event.partition).or_insert(-50);
        *now += draws.range(0, 2 * speed);
        if !draws.chance(10) {
            event.event = *now - draws.pick(&[0, 0, 0, 1, 3, 8, 20, 40]);
        }
        let greatest = greatest.entry(event.partition).or_insert(i64::MIN);
        *greatest = (*greatest).max(event.event);
        match order {
            LogOrder::Broker => {
                event.broker = Some(*now);
                event.created = has_created.then(|| *now + draws.range(-30, 30));
            }
            LogOrder::Offsets => {
                event.created = has_created.then(|| *greatest + draws.range(0, 30));
            }
            LogOrder::None => {
                event.created = has_created.then(|| event.event + draws.range(-20, 60));
            }
        }
        if draws.chance(12) {
            event.entity = NO_ENTITY;
        }
        event
    });
    let log = log.collect();
    let settings = WindowSettings { window, watermark, log: order };
    World { settings, partitions: (0..partitions).collect(), log }
}

/// Feeds the log in batches cut anywhere, of partitions in any order.
fn emitted(world: &World, aggregates: &Aggregates, draws: Option<&mut Draws>) -> EmittedWindows {
    let World { settings, partitions, log } = world;
    let has_partitions = settings.log != LogOrder::None;
    let kernels = || aggregates.kernels.clone();
    let mut operator = WindowOperator::new(*settings, partitions, kernels()).unwrap();
    let mut parts = Vec::new();
    match draws {
        None => parts.push(operator.push(records(log, aggregates, has_partitions)).unwrap()),
        Some(draws) => {
            let mut queues: Vec<Vec<&Event>> = partitions
                .iter()
                .map(|p| log.iter().rev().filter(|event| event.partition == *p).collect())
                .collect();
            while queues.iter().any(|queue| !queue.is_empty()) {
                let mut batch = Vec::new();
                for _ in 0..draws.range(1, 12) {
                    let queue = draws.range(0, queues.len() as i64) as usize;
                    batch.extend(queues[queue].pop().cloned());
                }
                parts.push(operator.push(records(&batch, aggregates, has_partitions)).unwrap());
                if settings.log != LogOrder::None && draws.chance(4) {
                    let bytes = operator.encode().unwrap();
                    operator = WindowOperator::decode(*settings, kernels(), &bytes).unwrap();
                    assert_eq!(operator.encode().unwrap(), bytes);
                }
            }
        }
    }
    parts.push(operator.finish().unwrap());
    EmittedWindows::concatenated(parts).unwrap().unwrap()
}

fn assert_same(a: &EmittedWindows, b: &EmittedWindows) {
    assert_eq!(a.entities, b.entities);
    assert_eq!(a.window_starts, b.window_starts);
    assert_eq!(a.window_ends, b.window_ends);
    assert_eq!(a.created_timestamps, b.created_timestamps);
    assert_eq!(a.revisions, b.revisions);
    assert_eq!(a.tombstones, b.tombstones);
    for (a, b) in a.values.iter().zip(&b.values) {
        assert_eq!(a.columns, b.columns);
        assert_eq!(a.errors, b.errors);
    }
}

/// All windows of an entity that are there at a time: their values by end.
fn live_by_oracle(
    world: &World,
    aggregates: &Aggregates,
    entity: u32,
    time: i64,
) -> BTreeMap<i64, (i64, Vec<ArrayRef>)> {
    let World { settings, partitions, log } = world;
    let rows = accepted(&settings.watermark, settings.log, log).into_iter();
    let rows: Vec<&Event> =
        rows.filter(|row| row.entity == entity && visible(row) <= time).collect();
    let windows = windows_of(settings.window, &rows).into_iter();
    let closed = windows.filter(|(_, end, _)| {
        closing(&settings.watermark, log, partitions, *end).is_some_and(|at| at <= time)
    });
    closed.map(|(start, end, rows)| (end, (start, values_of(&rows, aggregates)))).collect()
}

fn live_by_emissions(
    emitted: &EmittedWindows,
    entity: u32,
    time: i64,
) -> BTreeMap<i64, (i64, Vec<ArrayRef>)> {
    let mut live = BTreeMap::new();
    for row in 0..emitted.len() {
        if emitted.entities[row] != entity || emitted.created_timestamps[row] > time {
            continue;
        }
        let end = emitted.window_ends[row];
        if emitted.tombstones[row] {
            assert!(live.remove(&end).is_some(), "a tombstone for nothing");
        } else {
            let values = emitted.values.iter().map(|value| value.columns[0].slice(row, 1));
            live.insert(end, (emitted.window_starts[row], values.collect()));
        }
    }
    live
}

/// Revisions of a fixed window count from 0 on without gaps, and never become
/// visible before what they revise.
fn check_revisions(emitted: &EmittedWindows, window: EmittingWindow) {
    let mut last: BTreeMap<(u32, i64), (u64, i64)> = BTreeMap::new();
    for row in 0..emitted.len() {
        let key = (emitted.entities[row], emitted.window_ends[row]);
        let (revision, visible) = (emitted.revisions[row], emitted.created_timestamps[row]);
        let before = last.insert(key, (revision, visible));
        match (before, window) {
            (Some((before, seen)), EmittingWindow::Session { .. }) => {
                assert!(revision > before && visible >= seen);
            }
            (Some((before, seen)), _) => assert!(revision == before + 1 && visible >= seen),
            (None, EmittingWindow::Session { .. }) => {}
            (None, _) => assert_eq!(revision, 0),
        }
    }
}

fn check(window: EmittingWindow, order: LogOrder, seed: u64) {
    let mut draws = Draws(seed);
    let aggregates = aggregates();
    let world = draw_world(&mut draws, window, order);
    let at_once = emitted(&world, &aggregates, None);
    check_revisions(&at_once, window);
    for _ in 0..2 {
        assert_same(&at_once, &emitted(&world, &aggregates, Some(&mut draws)));
    }
    let mut times: BTreeSet<i64> = at_once.created_timestamps.iter().copied().collect();
    times.extend(world.log.iter().map(visible));
    times.extend(at_once.window_ends.iter().copied());
    let mut times: Vec<i64> = times.into_iter().flat_map(|time| [time - 1, time]).collect();
    // The oracle is slow: some times have to do.
    draws.shuffle(&mut times);
    times.truncate(25);
    let (mut asked_entities, mut asked_times, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for entity in 0..ENTITIES {
        for time in &times {
            let oracle = live_by_oracle(&world, &aggregates, entity, *time);
            let live = live_by_emissions(&at_once, entity, *time);
            assert_eq!(live, oracle, "entity {entity} at {time}, seed {seed}, {order:?}");
            asked_entities.push(entity);
            asked_times.push(*time);
            expected.push(oracle.range(..=*time).next_back().map(|(end, _)| *end));
        }
    }
    let questions = Questions::new(&asked_entities, &asked_times);
    let latest = latest_windows(&at_once, ENTITIES as usize, &questions);
    let latest: Vec<Option<i64>> =
        latest.iter().map(|row| row.map(|row| at_once.window_ends[row as usize])).collect();
    assert_eq!(latest, expected);
}

const ORDERS: [LogOrder; 3] = [LogOrder::Broker, LogOrder::Offsets, LogOrder::None];

#[test]
fn tumbling_windows_are_those_of_the_oracle() {
    for seed in 0..90 {
        let (size_us, offset_us) = [(10, 0), (7, 3), (40, -13)][seed as usize % 3];
        let window = EmittingWindow::Tumbling { size_us, offset_us };
        ORDERS.into_iter().for_each(|order| check(window, order, seed));
    }
}

#[test]
fn sliding_windows_are_those_of_the_oracle() {
    for seed in 1000..1045 {
        let (size_us, hop_us, offset_us) =
            [(12, 5, 2), (10, 10, 0), (30, 29, -100), (9, 3, 1)][seed as usize % 4];
        let window = EmittingWindow::Sliding { size_us, hop_us, offset_us };
        ORDERS.into_iter().for_each(|order| check(window, order, seed));
    }
}

#[test]
fn sessions_are_those_of_the_oracle() {
    for seed in 2000..2240 {
        let window = EmittingWindow::Session { gap_us: [4, 9, 25][seed as usize % 3] };
        ORDERS.into_iter().for_each(|order| check(window, order, seed));
    }
}

#[test]
fn damaged_states_are_refused_and_never_panic() {
    let draws = &mut Draws(9);
    let aggregates = aggregates();
    for window in [
        EmittingWindow::Tumbling { size_us: 10, offset_us: 0 },
        EmittingWindow::Session { gap_us: 9 },
    ] {
        let World { settings, partitions, log } = draw_world(draws, window, LogOrder::Broker);
        let kernels = || aggregates.kernels.clone();
        let mut operator = WindowOperator::new(settings, &partitions, kernels()).unwrap();
        operator.push(records(&log, &aggregates, true)).unwrap();
        let bytes = operator.encode().unwrap();
        for length in (0..bytes.len()).step_by(7) {
            assert!(WindowOperator::decode(settings, kernels(), &bytes[..length]).is_err());
        }
        for _ in 0..2000 {
            let mut damaged = bytes.clone();
            let at = draws.range(0, bytes.len() as i64) as usize;
            damaged[at] ^= 1 << draws.range(0, 8);
            drop(WindowOperator::decode(settings, kernels(), &damaged));
        }
        let other = EmittingWindow::Session { gap_us: 10 };
        let settings = WindowSettings { window: other, ..settings };
        let error = WindowOperator::decode(settings, kernels(), &bytes).err().unwrap();
        assert!(error.to_string().contains("other settings"), "{error}");
    }
}
