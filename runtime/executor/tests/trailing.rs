//! Trailing windows and latest values against an oracle that scans all rows for
//! each question, over random rows in random order.

mod oracle;

use arrow::array::{ArrayRef, BinaryArray};
use oracle::{
    Aggregates, Columns, Draws, Event, aggregates, columns, draw_event, records, values_of,
};
use unskew_executor::TrailingWindow;
use unskew_executor::point_in_time::{
    EventIndex, Questions, TrailingAggregate, evaluate_trailing, latest_rows,
};
use unskew_executor::tiles::{TileResolutions, TiledAggregate, Tiles, evaluate_tiles};
use unskew_executor::window::NO_ENTITY;

const WINDOWS: [TrailingWindow; 5] = [
    TrailingWindow { size_us: 10, hop_us: 1 },
    TrailingWindow { size_us: 10, hop_us: 10 },
    TrailingWindow { size_us: 45, hop_us: 7 },
    TrailingWindow { size_us: 44, hop_us: 20 },
    TrailingWindow { size_us: 1000, hop_us: 100 },
];

/// How rows come to be visible.
#[derive(Clone, Copy)]
enum Sight {
    AtOnce,
    InOrder,
    Anyhow,
}

fn draw_rows(draws: &mut Draws, sight: Sight, entities: u32, rows: i64) -> Vec<Event> {
    let mut events: Vec<Event> =
        (0..rows).map(|offset| draw_event(draws, entities, offset)).collect();
    for event in &mut events {
        event.created = match sight {
            Sight::AtOnce => None,
            Sight::InOrder => Some(event.event + 3),
            Sight::Anyhow => Some(event.event + draws.pick(&[-5, 0, 1, 2, 30, 500])),
        };
    }
    // Some entities have numbers of one kind only, which quick ways might take.
    match draws.range(0, 6) {
        0 => events.iter_mut().for_each(|e| e.number = Some(draws.range(-9, 9) as f64 * 5e-324)),
        1 => events.iter_mut().for_each(|e| e.number = Some(draws.pick(&[1e308, -1e308, 1e300]))),
        2 => events.iter_mut().for_each(|e| e.number = Some(draws.pick(&[0.0, -0.0]))),
        3 => events.iter_mut().for_each(|e| e.number = Some(draws.range(-99, 99) as f64 * 0.01)),
        _ => {}
    }
    draws.shuffle(&mut events);
    events
}

fn is_seen(event: &Event, time: i64) -> bool {
    event.event <= time && event.created.is_none_or(|created| created <= time)
}

fn key(event: &Event) -> (i64, Option<i64>, u32, i64) {
    (event.event, event.created, event.partition, event.offset)
}

fn check(seed: u64, sight: Sight, entities: u32, rows: i64, asked: i64) {
    let draws = &mut Draws(seed);
    let aggregates: Aggregates = aggregates();
    let events = draw_rows(draws, sight, entities, rows);
    let Columns { values, filter, order } = columns(&events);
    let of_rows: Vec<u32> = events.iter().map(|event| event.entity).collect();
    let index = EventIndex::new(&of_rows, &order, entities as usize);
    let draw_question = |_| {
        let entity =
            if draws.chance(15) { NO_ENTITY } else { draws.range(0, entities.into()) as u32 };
        (entity, draws.range(-80, 700))
    };
    let asked: Vec<(u32, i64)> = (0..asked).map(draw_question).collect();
    let (of_questions, times): (Vec<u32>, Vec<i64>) = asked.iter().copied().unzip();
    let questions = Questions::new(&of_questions, &times);

    let latest = latest_rows(&index, &questions);
    for ((entity, time), latest) in asked.iter().zip(latest) {
        let seen = events.iter().filter(|e| e.entity == *entity && is_seen(e, *time));
        let expected = seen.max_by_key(|event| key(event)).map(|event| event.offset);
        assert_eq!(latest.map(|row| events[row as usize].offset), expected);
    }

    let mut trailing = Vec::new();
    let mut which = Vec::new();
    for (at, kernel) in aggregates.kernels.iter().enumerate() {
        for window in WINDOWS {
            which.push((at, window));
            trailing.push(TrailingAggregate {
                kernel: &**kernel,
                inputs: aggregates.columns[at].iter().map(|c| values[*c].clone()).collect(),
                filter: aggregates.filtered[at].then(|| filter.clone()),
                window,
            });
        }
    }
    let answers = evaluate_trailing(&index, &questions, &trailing).unwrap();
    for (question, (entity, time)) in asked.iter().enumerate() {
        let of_entity: Vec<&Event> = events.iter().filter(|e| e.entity == *entity).collect();
        let in_window = |window: &TrailingWindow| {
            let tail = (time - window.size_us).div_euclid(window.hop_us) * window.hop_us;
            let rows = of_entity.iter().filter(|e| tail <= e.event && is_seen(e, *time));
            (tail, rows.copied().collect::<Vec<&Event>>())
        };
        let longest = WINDOWS.iter().map(in_window).min_by_key(|(tail, _)| *tail).unwrap().1;
        let newest = longest.iter().map(|event| event.event).max();
        assert_eq!(answers.newest[question], newest);
        let expected: Vec<Vec<ArrayRef>> =
            WINDOWS.iter().map(|w| values_of(&in_window(w).1, &aggregates)).collect();
        for ((at, window), found) in which.iter().zip(&answers.values) {
            let window = WINDOWS.iter().position(|other| other == window).unwrap();
            assert_eq!(
                &found.columns[0].slice(question, 1),
                &expected[window][*at],
                "aggregate {at} over {window}, entity {entity} at {time}, seed {seed}"
            );
            let failed = found.errors.iter().any(|error| error.row == question);
            assert!(!failed || found.columns[0].is_null(question));
        }
    }
}

#[test]
fn trailing_windows_are_those_of_the_oracle() {
    for seed in 0..40 {
        let rows = [0, 1, 7, 40, 150][seed as usize % 5];
        for sight in [Sight::AtOnce, Sight::InOrder, Sight::Anyhow] {
            check(seed, sight, 3, rows, 40);
        }
    }
}

#[test]
fn one_entity_with_many_rows_is_answered_in_parts() {
    // More questions and rows than are worked through at a time.
    for sight in [Sight::InOrder, Sight::Anyhow] {
        check(77, sight, 1, 2000, 12);
        check_counts(78, sight);
    }
}

fn check_counts(seed: u64, sight: Sight) {
    let draws = &mut Draws(seed);
    let aggregates = aggregates();
    let events = draw_rows(draws, sight, 2, 50_000);
    let Columns { values, order, .. } = columns(&events);
    let of_rows: Vec<u32> = events.iter().map(|event| event.entity).collect();
    let index = EventIndex::new(&of_rows, &order, 2);
    let times: Vec<i64> = (0..3000).map(|_| draws.range(-80, 700)).collect();
    let of_questions: Vec<u32> = (0..3000).map(|_| draws.range(0, 2) as u32).collect();
    let questions = Questions::new(&of_questions, &times);
    // `top_k` has no quick way; `count` has one for rows in order.
    let kernels = [0, 14].map(|at| (at, &aggregates.kernels[at]));
    let trailing = kernels.map(|(at, kernel)| TrailingAggregate {
        kernel: &**kernel,
        inputs: aggregates.columns[at].iter().map(|c| values[*c].clone()).collect(),
        filter: None,
        window: WINDOWS[2],
    });
    let answers = evaluate_trailing(&index, &questions, &trailing).unwrap();
    for question in (0..3000).step_by(199) {
        let (entity, time) = (of_questions[question], times[question]);
        let tail = (time - 45).div_euclid(7) * 7;
        let rows =
            events.iter().filter(|e| e.entity == entity && tail <= e.event && is_seen(e, time));
        let expected = values_of(&rows.collect::<Vec<_>>(), &aggregates);
        for (answer, (at, _)) in answers.values.iter().zip(kernels) {
            assert_eq!(&answer.columns[0].slice(question, 1), &expected[at], "{time}");
        }
    }
}

#[test]
fn the_tail_moves_in_hops_and_the_head_is_exact() {
    let window = TrailingWindow { size_us: 3_600, hop_us: 300 };
    assert_eq!(window.tail(7_200), 3_600);
    assert_eq!(window.tail(7_199), 3_300);
    assert_eq!(window.tail(-1), -3_900);
    assert_eq!(window.tail(i64::MIN), i64::MIN);
    assert_eq!(TrailingWindow { size_us: i64::MAX, hop_us: 7 }.tail(i64::MIN + 3), i64::MIN);
}

#[test]
fn tiles_and_heads_answer_as_all_rows_do() {
    for seed in 500..530 {
        let draws = &mut Draws(seed);
        let aggregates = aggregates();
        let windows = match seed % 3 {
            0 => vec![WINDOWS[2]],
            1 => vec![
                TrailingWindow { size_us: 20, hop_us: 2 },
                TrailingWindow { size_us: 60, hop_us: 6 },
                TrailingWindow { size_us: 200, hop_us: 24 },
            ],
            _ => WINDOWS.to_vec(),
        };
        let resolutions = TileResolutions::of(&windows);
        let sight = [Sight::AtOnce, Sight::Anyhow][seed as usize % 2];
        let mut events = draw_rows(draws, sight, 3, 120);
        let times: Vec<i64> = (0..30).map(|_| draws.range(140, 160)).collect();
        let of_questions: Vec<u32> =
            times.iter().map(|_| draws.pick(&[0, 1, 2, NO_ENTITY])).collect();
        let questions = Questions::new(&of_questions, &times);
        let first = resolutions.head_start(times.iter().copied().max().unwrap());
        for event in &mut events {
            event.partition = draws.range(0, 2) as u32;
            // All tiles shall be visible, though not all of the head.
            if event.event < first {
                let visible = event.event.max(140);
                event.created = event.created.map(|created| created.min(visible));
            }
        }
        // Tiles come from batches of their own, in any order, and hold more
        // than the earlier questions read.
        let old: Vec<Event> = events.iter().filter(|e| e.event < first).cloned().collect();
        let mut tiles = Tiles::new(aggregates.kernels.clone()).unwrap();
        for batch in old.chunks(17) {
            let records = records(batch, &aggregates, true);
            let more = Tiles::build(aggregates.kernels.clone(), &resolutions, &records).unwrap();
            tiles.merge(&more).unwrap();
        }
        let stored: Vec<BinaryArray> =
            (0..aggregates.kernels.len()).map(|at| tiles.states(at).encode()).collect();
        let tiles =
            Tiles::restored(aggregates.kernels.clone(), tiles.tiles().collect(), &stored).unwrap();

        let of_rows: Vec<u32> = events.iter().map(|event| event.entity).collect();
        let Columns { values, filter, order } = columns(&events);
        let index = EventIndex::new(&of_rows, &order, 3);
        let (mut trailing, mut tiled) = (Vec::new(), Vec::new());
        for (at, kernel) in aggregates.kernels.iter().enumerate() {
            for window in &windows {
                let inputs: Vec<ArrayRef> =
                    aggregates.columns[at].iter().map(|c| values[*c].clone()).collect();
                let filter = aggregates.filtered[at].then(|| filter.clone());
                let (window, kernel) = (*window, &**kernel);
                tiled.push(TiledAggregate {
                    kernel: at,
                    inputs: inputs.clone(),
                    filter: filter.clone(),
                    window,
                });
                trailing.push(TrailingAggregate { kernel, inputs, filter, window });
            }
        }
        let by_rows = evaluate_trailing(&index, &questions, &trailing).unwrap();
        let by_tiles =
            evaluate_tiles(&tiles, &resolutions, &index, &order, &questions, &tiled).unwrap();
        assert_eq!(by_tiles.newest, by_rows.newest, "seed {seed}");
        for (a, b) in by_tiles.values.iter().zip(&by_rows.values) {
            assert_eq!(a.columns, b.columns, "seed {seed}");
            assert_eq!(a.errors, b.errors);
        }
    }
}

#[test]
fn a_tile_that_a_question_may_not_see_whole_is_refused() {
    let aggregates = aggregates();
    let mut event = draw_event(&mut Draws(1), 1, 0);
    (event.event, event.created) = (5, Some(40));
    let resolutions = TileResolutions::of(&WINDOWS[1..2]);
    let records = records(&[event], &aggregates, false);
    let tiles = Tiles::build(aggregates.kernels.clone(), &resolutions, &records).unwrap();
    let head = EventIndex::new(&[], &columns(&[]).order, 0);
    let tiled = TiledAggregate { kernel: 0, inputs: vec![], filter: None, window: WINDOWS[1] };
    let ask = |time: i64| {
        let questions = Questions::new(&[0], &[time]);
        let order = columns(&[]).order;
        evaluate_tiles(
            &tiles,
            &resolutions,
            &head,
            &order,
            &questions,
            std::slice::from_ref(&tiled),
        )
    };
    let error = ask(19).unwrap_err().to_string();
    assert!(error.contains("not visible yet at 19 us"), "{error}");
    assert_eq!(ask(41).unwrap().newest, [None]);
}
