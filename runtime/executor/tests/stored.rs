//! What a store keeps of a view's rows answers as the rows do: every case of
//! `tests/cases`, as a table and as records, whatever was materialized, pushed
//! and compacted, in whatever pieces. "As the rows do" is to the bit, statuses
//! and errors included; a store may only refuse what lies before the time from
//! which on it is exact.

mod oracle;
mod shared;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use serde_json::Value;
use unskew_cases::{Case, case_files};
use unskew_executor::rows::AcceptedRows;
use unskew_executor::service::{Questions, ServiceOperator, ViewAnswers, ViewOperator};
use unskew_executor::stored::{
    AskedEntities, EntityRecord, FoundParts, Needs, PartKind, PartVersion, RecordSlice,
};
use unskew_executor::{FeatureStatus, NoModules};

use oracle::Draws;
use shared::case_rows::{Order, accepted, questions_of};

#[test]
fn every_case_is_answered_from_a_store_as_from_rows() {
    let files = case_files().unwrap();
    let only = std::env::var("UNSKEW_CASE").ok();
    let mut wrong = Vec::new();
    let mut counts = Counts::default();
    for (at, path) in files.iter().enumerate() {
        let name = path.strip_prefix(unskew_cases::folder()).unwrap_or(path).display().to_string();
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        if std::env::var_os("UNSKEW_CASE_NAMES").is_some() {
            eprintln!("{name}");
        }
        if let Err(error) = run(path, &mut Draws(at as u64), &mut counts) {
            wrong.push(format!("{name}: {error:#}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    if only.is_none() {
        // What is said to be tested was tested.
        let Counts { tables, exact, refused, compacted, errors } = counts;
        assert!(tables > 100 && exact > 1_000, "{tables} tables, {exact} exact answers");
        assert!(refused > 50 && compacted > 50, "{refused} refused, {compacted} compactions");
        assert!(errors > 0, "{errors} answers that are errors");
    }
}

#[derive(Default)]
struct Counts {
    tables: usize,
    exact: usize,
    refused: usize,
    compacted: usize,
    errors: usize,
}

fn run(path: &Path, draws: &mut Draws, counts: &mut Counts) -> anyhow::Result<()> {
    let case = Case::read(path)?;
    if case.oracle == Some(Value::String("labels".to_owned())) {
        return Ok(());
    }
    // Cases about definitions that are refused have nothing to store.
    let Ok(plan) = case.plan(path) else { return Ok(()) };
    let mut rows = BTreeMap::new();
    for source in &plan.sources {
        let Ok(accepted) = accepted(&case, source, Order::AsWritten) else { return Ok(()) };
        rows.insert(source.name.clone(), accepted);
    }
    let Ok(asked) = case.asked(&plan) else { return Ok(()) };
    for (_, features, questions) in asked {
        let Ok(operator) = ServiceOperator::new(&features, &NoModules) else { continue };
        let questions = questions_of(&operator, &questions)?;
        for view in operator.views() {
            let operator = ViewOperator::new(Arc::clone(view), &NoModules)?;
            let rows = &rows[&view.source.name];
            check_view(&operator, rows, &questions, draws, counts)
                .with_context(|| format!("view {}", view.id))?;
        }
    }
    Ok(())
}

fn check_view(
    operator: &ViewOperator,
    rows: &AcceptedRows,
    questions: &Questions,
    draws: &mut Draws,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let Ok(prepared) = operator.prepare(rows) else { return Ok(()) };
    let table = prepared.table(rows)?;
    ensure!(table.schema() == operator.table_schema(), "the table's columns");
    counts.tables += 1;
    let expected = prepared.answer(questions);
    for table in [table.clone(), in_pieces(&table, draws)?] {
        let restored = operator.restore_table(&table)?;
        match (&expected, restored.answer(questions)) {
            (Ok(expected), Ok(found)) => {
                let keeps_instants = prepared.emitted().is_none();
                compare(expected, &found, &|_| true).context("from a table")?;
                ensure!(
                    !keeps_instants || expected.at_event_times == found.at_event_times,
                    "questions at the time of events"
                );
            }
            (Err(expected), Err(found)) => {
                ensure!(expected.to_string() == found.to_string(), "{found}, not {expected}");
            }
            (expected, found) => anyhow::bail!("{found:?}, not {expected:?}"),
        }
    }
    let Ok(expected) = expected else { return Ok(()) };
    if rows.event_timestamps.len() > 50_000 {
        return Ok(());
    }
    let mut times: Vec<i64> = questions.times().to_vec();
    times.sort_unstable();
    times.dedup();
    // A case with many rows is asked at fewer times.
    let is_large = rows.event_timestamps.len() > 2_000;
    while times.len() > if is_large { 1 } else { 4 } {
        times.remove(draws.range(0, times.len() as i64) as usize);
    }
    for time in times {
        let newest = rows.event_timestamps.last().copied().unwrap_or(0);
        let first = rows.event_timestamps.first().copied().unwrap_or(0);
        let some = draws.range(first - 1, newest.max(first) + 2);
        for covered in if is_large { vec![some] } else { vec![time, some, newest + 1] } {
            // What windows emit after the time that is covered is not pushed.
            let covered = if operator.takes_pushed_rows() { covered } else { covered.max(time) };
            let setting = Setting { covered, time, compacts: draws.chance(2) };
            check_records(operator, rows, &table, questions, &expected, setting, draws, counts)
                .with_context(|| format!("{setting:?}"))?;
        }
    }
    Ok(())
}

/// Rows in another order and in several batches.
fn in_pieces(table: &RecordBatch, draws: &mut Draws) -> anyhow::Result<RecordBatch> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < table.num_rows() {
        let length = (draws.range(1, 50) as usize).min(table.num_rows() - from);
        pieces.push(table.slice(from, length));
        from += length;
    }
    draws.shuffle(&mut pieces);
    Ok(concat_batches(&table.schema(), &pieces)?)
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    covered: i64,
    time: i64,
    compacts: bool,
}

#[expect(clippy::too_many_arguments, reason = "one step of one test")]
fn check_records(
    operator: &ViewOperator,
    rows: &AcceptedRows,
    table: &RecordBatch,
    questions: &Questions,
    expected: &ViewAnswers,
    setting: Setting,
    draws: &mut Draws,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let Setting { covered, time, compacts } = setting;
    let mut store = Store::default();
    // Rows that are pushed come before, between and after what materialize
    // writes; those before the time that is covered count for nothing.
    let all: Vec<u32> = (0..rows.event_timestamps.len() as u32).collect();
    let (before, after): (Vec<u32>, Vec<u32>) =
        all.into_iter().partition(|row| rows.event_timestamps[*row as usize] < covered);
    let pushed: Vec<u32> = match operator.view().window {
        unskew_plan::WindowPlan::Latest => after.clone(),
        _ => before.iter().copied().filter(|_| draws.chance(3)).chain(after.clone()).collect(),
    };
    let halves = [pushed.iter().copied().step_by(2).collect::<Vec<u32>>(), pushed];
    let push = |store: &mut Store, rows_pushed: &[u32]| -> anyhow::Result<()> {
        for records in operator.pushed_records(&rows.only(rows_pushed)?)? {
            store.write(records);
        }
        Ok(())
    };
    push(&mut store, &halves[0])?;
    for slice in slices(operator, rows, covered, draws) {
        for record in operator.records(&within(operator, table, &slice)?, &slice)? {
            store.write(record);
        }
    }
    push(&mut store, &halves[1])?;
    if compacts {
        counts.compacted += store.compact(operator, covered)?;
        // What was compacted and is pushed again changes nothing.
        push(&mut store, &halves[1])?;
    }
    let chosen: Vec<usize> =
        (0..questions.len()).filter(|question| questions.times()[*question] == time).collect();
    let asked = questions.only(&chosen)?;
    let entities = operator.asked_entities(&asked)?;
    let mut needs = operator.needs(time);
    let answers = loop {
        let found = entities.keys.iter().map(|key| store.read(key, &needs)).collect::<Vec<_>>();
        // While materialize is at work the table lags behind its entities.
        let lags = operator.tile_span(covered).is_some() && draws.chance(2);
        let table_says = (!lags).then_some(covered);
        let restored = operator.restore_records(&needs, table_says, &found, &entities)?;
        if needs.is_complete || restored.incomplete().is_empty() {
            break restored.answer(&asked)?;
        }
        needs = operator.needs_all(time);
    };
    let is_exact = time >= operator.exact_since(covered) && !compacts;
    let answered = |question: usize| {
        let is_refused = is_refused(&answers, question);
        !is_refused || is_exact
    };
    counts.refused += (0..chosen.len()).filter(|question| !answered(*question)).count();
    counts.exact += (0..chosen.len()).filter(|question| answered(*question)).count();
    counts.errors += answers.features.iter().map(|feature| feature.errors.len()).sum::<usize>();
    compare(&picked(expected, &chosen)?, &answers, &answered).context("from records")
}

/// Slices that cover all before `covered`, cut anywhere they may be.
fn slices(
    operator: &ViewOperator,
    rows: &AcceptedRows,
    covered: i64,
    draws: &mut Draws,
) -> Vec<RecordSlice> {
    let first = rows.event_timestamps.first().copied().unwrap_or(covered);
    let mut slices = Vec::new();
    let (mut from, step) = match operator.tile_span(covered) {
        Some(span) => {
            let from = first.div_euclid(span.coarsest_us) * span.coarsest_us;
            let least = ((covered - from) / 5).max(1);
            (from, (least / span.coarsest_us + 1) * span.coarsest_us)
        }
        None => {
            let least = ((covered - first) / 8).max(1);
            (first, draws.range(least, (covered - first).max(0) + 3))
        }
    };
    // Windows belong to the time before their end.
    let end = if operator.takes_pushed_rows() { covered } else { covered.max(from) };
    while from < end {
        let until = from.saturating_add(step).min(covered);
        slices.push(RecordSlice { from, until, covered_until: covered });
        from = until;
    }
    slices
}

/// The rows of a slice.
fn within(
    operator: &ViewOperator,
    table: &RecordBatch,
    slice: &RecordSlice,
) -> anyhow::Result<RecordBatch> {
    let times = table.column_by_name("event_timestamp").or_else(|| {
        table.column_by_name("event_timestamp_").filter(|_| operator.view().join_keys.len() < 9)
    });
    let times = times.context("the column of times")?;
    let times =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(times);
    let is_first = |time: i64| !operator.takes_pushed_rows() && time > slice.from;
    let is_in = |time: i64| match operator.takes_pushed_rows() {
        true => time >= slice.from && time < slice.until,
        false => is_first(time) && time <= slice.until,
    };
    let rows: Vec<u32> =
        (0..table.num_rows() as u32).filter(|row| is_in(times.value(*row as usize))).collect();
    Ok(arrow::compute::take_record_batch(table, &arrow::array::UInt32Array::from(rows))?)
}

/// An online store in few words.
#[derive(Default)]
struct Store {
    entities: BTreeMap<Vec<u8>, BTreeMap<(PartKind, Vec<u8>), (PartVersion, Vec<u8>)>>,
}

impl Store {
    fn write(&mut self, record: EntityRecord) {
        let EntityRecord { entity, parts, drop_rows_below } = record;
        let of = self.entities.entry(entity).or_default();
        for part in parts {
            let known = of.get(&(part.kind, part.name.clone()));
            if known.is_none_or(|(version, _)| *version <= part.version) {
                of.insert((part.kind, part.name), (part.version, part.value));
            }
        }
        if let Some(bound) = drop_rows_below {
            of.retain(|(kind, name), _| *kind == PartKind::Tile || *name >= bound);
        }
    }

    fn read(&self, entity: &[u8], needs: &Needs) -> FoundParts<'_> {
        let Some(of) = self.entities.get(entity) else {
            return FoundParts { rows: Vec::new(), tiles: vec![None; needs.tiles.len()] };
        };
        let is_below = |name: &Vec<u8>| needs.rows_below.as_ref().is_none_or(|below| name < below);
        let rows = of.iter().filter(|((kind, name), _)| *kind == PartKind::Row && is_below(name));
        let rows: Vec<(&[u8], &[u8])> =
            rows.map(|((_, name), (_, value))| (name.as_slice(), value.as_slice())).collect();
        let newest = rows.len().saturating_sub(1);
        let wanted = rows.iter().enumerate().filter(|(at, (name, _))| {
            let in_range = needs.rows_from.as_ref().is_some_and(|from| *name >= from.as_slice());
            in_range || (needs.newest_row && *at == newest)
        });
        let tile = |name: &Vec<u8>| {
            let found = of.get(&(PartKind::Tile, name.clone()));
            found.map(|(_, value)| value.as_slice())
        };
        FoundParts {
            rows: wanted.map(|(_, row)| *row).collect(),
            tiles: needs.tiles.iter().map(tile).collect(),
        }
    }

    /// Compacts what can be, and counts it.
    fn compact(&mut self, operator: &ViewOperator, covered: i64) -> anyhow::Result<usize> {
        let mut count = 0;
        let needs = Needs {
            time: i64::MAX,
            newest_row: false,
            rows_from: Some(Vec::new()),
            rows_below: None,
            tiles: Vec::new(),
            is_complete: true,
        };
        for entity in self.entities.keys().cloned().collect::<Vec<_>>() {
            let mut found = self.read(&entity, &needs);
            found.tiles.push(None);
            let Some(compaction) = operator.compact(Some(covered), &found, 1)? else { continue };
            let of = self.entities.get_mut(&entity).context("the entity")?;
            for expected in &compaction.expected {
                let is_there = of.contains_key(&(PartKind::Row, expected.name.clone()));
                ensure!(is_there == expected.is_there, "what a compaction expects");
            }
            for name in compaction.remove {
                of.remove(&(PartKind::Row, name));
            }
            for part in compaction.put {
                of.insert((part.kind, part.name), (part.version, part.value));
            }
            count += 1;
        }
        Ok(count)
    }
}

/// Whether the store says that it cannot answer.
fn is_refused(answers: &ViewAnswers, question: usize) -> bool {
    answers.features.iter().any(|feature| {
        feature.statuses[question] == FeatureStatus::Error
            && feature.errors.iter().any(|error| {
                error.row == question && error.message.contains("online store answers exactly")
            })
    })
}

/// The answers to these questions alone.
fn picked(answers: &ViewAnswers, questions: &[usize]) -> anyhow::Result<ViewAnswers> {
    let rows: Vec<u32> = questions.iter().map(|question| *question as u32).collect();
    let rows = arrow::array::UInt32Array::from(rows);
    let mut picked = answers.clone();
    picked.event_timestamps = questions.iter().map(|q| answers.event_timestamps[*q]).collect();
    for feature in &mut picked.features {
        feature.values = arrow::compute::take(&feature.values, &rows, None)?;
        feature.statuses = questions.iter().map(|question| feature.statuses[*question]).collect();
        let place = |row: usize| questions.iter().position(|question| *question == row);
        feature.errors = feature
            .errors
            .iter()
            .filter_map(|error| {
                place(error.row).map(|row| unskew_host::RowError { row, ..error.clone() })
            })
            .collect();
    }
    Ok(picked)
}

fn compare(
    expected: &ViewAnswers,
    found: &ViewAnswers,
    counts: &dyn Fn(usize) -> bool,
) -> anyhow::Result<()> {
    for (question, (wanted, time)) in
        expected.event_timestamps.iter().zip(&found.event_timestamps).enumerate()
    {
        ensure!(
            !counts(question) || wanted == time,
            "question {question}: {time:?}, not {wanted:?}"
        );
    }
    for (at, (expected, found)) in expected.features.iter().zip(&found.features).enumerate() {
        ensure!(expected.values.len() == found.values.len(), "feature {at}: its length");
        for question in 0..expected.values.len() {
            if !counts(question) {
                continue;
            }
            let errors = |errors: &[unskew_host::RowError]| {
                let of = errors.iter().filter(|error| error.row == question);
                of.map(|error| (error.status, error.message.clone())).collect::<Vec<_>>()
            };
            let context = || format!("feature {at}, question {question}");
            let (wanted, status) = (expected.statuses[question], found.statuses[question]);
            ensure!(wanted == status, "{}: {status}, not {wanted}", context());
            let (wanted, told) = (errors(&expected.errors), errors(&found.errors));
            ensure!(wanted == told, "{}: {told:?}, not {wanted:?}", context());
            let wanted = expected.values.slice(question, 1);
            let value = found.values.slice(question, 1);
            ensure!(
                wanted.to_data() == value.to_data(),
                "{}: {value:?}, not {wanted:?}",
                context()
            );
        }
    }
    Ok(())
}

/// Questions that were not read for are refused, as is a damaged part.
#[test]
fn damaged_parts_are_errors() {
    let path = case_files().unwrap().into_iter().find(|path| path.ends_with("trailing/basic.yaml"));
    let path = path.or_else(|| {
        case_files().unwrap().into_iter().find(|path| path.to_string_lossy().contains("/trailing/"))
    });
    let path = path.expect("there are cases of trailing windows");
    let case = Case::read(&path).unwrap();
    let plan = case.plan(&path).unwrap();
    let view = plan.views.iter().find(|view| !view.aggregates.is_empty()).unwrap();
    let operator = ViewOperator::new(Arc::clone(view), &NoModules).unwrap();
    let rows = accepted(&case, &view.source, Order::AsWritten).unwrap();
    let records = operator.pushed_records(&rows).unwrap();
    let record = records.first().expect("the case has rows");
    let time = rows.event_timestamps.last().copied().unwrap();
    let needs = operator.needs(time);
    let asked = AskedEntities { keys: vec![record.entity.clone()], of_questions: vec![Some(0)] };
    let part = record.parts.last().unwrap();
    let mut draws = Draws(7);
    for cut in 0..part.value.len() {
        let mut changed = part.value[..cut].to_vec();
        if draws.chance(2) {
            changed = part.value.clone();
            changed[cut] ^= 1 << draws.range(0, 8);
        }
        let found =
            FoundParts { rows: vec![(&part.name, &changed)], tiles: vec![None; needs.tiles.len()] };
        // Any other bytes may be another row; they must only not be a panic.
        if let Ok(restored) = operator.restore_records(&needs, None, &[found], &asked) {
            drop(restored);
        }
    }
    let found = FoundParts { rows: vec![(&part.name, b"\x09")], tiles: Vec::new() };
    let error = operator.restore_records(&needs, None, &[found], &asked).err().unwrap().to_string();
    assert!(error.contains("another version") && error.contains("materialize"), "{error}");
    let found = FoundParts { rows: vec![(b"x", &part.value)], tiles: Vec::new() };
    assert!(operator.restore_records(&needs, None, &[found], &asked).is_err());
}
