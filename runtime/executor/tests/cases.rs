//! Every case of `tests/cases`, over the kernel alone: whatever the order in
//! which rows come, and however they are cut into pieces, each question is
//! answered as the case says, bit for bit.

mod shared;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use arrow::array::{Array, ArrayRef};
use serde_json::Value;
use serde_json::value::RawValue;
use unskew_cases::{Answer, Case, case_files, parse_time};
use unskew_definition::{DataType, Name};
use unskew_executor::NoModules;
use unskew_executor::rows::AcceptedRows;
use unskew_executor::service::{ServiceOperator, ViewOperator};
use unskew_executor::text::{ColumnBuilder, ColumnPrinter};
use unskew_plan::FeaturePlan;

use shared::case_rows::{Order, accepted, questions_of};

#[test]
fn every_case_is_answered_as_it_says() {
    let files = case_files().unwrap();
    assert!(files.len() >= 80, "only {} cases were found", files.len());
    let only = std::env::var("UNSKEW_CASE").ok();
    let mut wrong = Vec::new();
    for path in &files {
        let name = path.strip_prefix(unskew_cases::folder()).unwrap_or(path).display().to_string();
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        if let Err(error) = run(path) {
            wrong.push(format!("{name}: {error:#}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases are not as they say:\n{}", wrong.len(), wrong.join("\n"));
}

fn run(path: &Path) -> anyhow::Result<()> {
    let case = Case::read(path)?;
    // Mistakes of a labels' file are of the driver that reads it.
    if case.oracle == Some(Value::String("labels".to_owned())) {
        return Ok(());
    }
    for order in [Order::AsWritten, Order::Reversed, Order::Shuffled] {
        let outcome = evaluate(&case, path, order);
        match (&outcome, case.error.is_empty()) {
            (Ok(()), true) => {}
            (Err(_), true) => return outcome.with_context(|| format!("rows {order:?}")),
            (Ok(()), false) => bail!("it is refused with {:?}, and was not", case.error),
            (Err(error), false) => {
                let message = format!("{error:#}");
                let missing = case.error.iter().find(|part| !message.contains(part.as_str()));
                ensure!(missing.is_none(), "the message lacks {missing:?}: {message}");
            }
        }
    }
    Ok(())
}

fn evaluate(case: &Case, path: &Path, order: Order) -> anyhow::Result<()> {
    let plan = case.plan(path)?;
    let mut rows = BTreeMap::new();
    for source in &plan.sources {
        rows.insert(source.name.clone(), accepted(case, source, order)?);
    }
    check_views(case, &plan, &rows)?;
    for (names, features, questions) in case.asked(&plan)? {
        let operator = ServiceOperator::new(&features, &NoModules)?;
        let asked = questions_of(&operator, &questions)?;
        let answers = operator.answer(&rows, &asked)?;
        if let Some(warnings) = &case.warnings {
            ensure!(
                answers.at_event_time == warnings.labels_at_event_time,
                "{} labels are at the time of an event",
                answers.at_event_time
            );
        }
        for (name, answered) in names.iter().zip(&answers.features) {
            if let Some(expected) = case.types.get(name) {
                let found = answered.field.data_type.to_string();
                ensure!(found == *expected, "{name} is {found}, not {expected}");
            }
            for (row, question) in questions.iter().enumerate() {
                let Some(expected) = question.expect.get(name) else { continue };
                let status = answered.answers.statuses[row].as_str();
                let value = &answered.answers.values;
                compare(&answered.field.data_type, value, row, expected)
                    .and_then(|()| {
                        ensure!(
                            status == expected.status,
                            "status {status}, not {}",
                            expected.status
                        );
                        Ok(())
                    })
                    .with_context(|| {
                        format!("{name} at {} of {:?}", question.at, question.entity)
                    })?;
            }
        }
    }
    Ok(())
}

/// What views emit, and which rows count for nothing.
fn check_views(
    case: &Case,
    plan: &FeaturePlan,
    rows: &BTreeMap<Name, AcceptedRows>,
) -> anyhow::Result<()> {
    let mut letters: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for (source, rows) in rows {
        let of = letters.entry(source.to_string()).or_default();
        of.extend(rows.dead_letters.iter().map(|letter| (letter.row, letter.reason.to_string())));
    }
    for view in &plan.views {
        let operator = ViewOperator::new(Arc::clone(view), &NoModules)?;
        let prepared = operator.prepare(&rows[&view.source.name])?;
        let of = letters.entry(view.source.name.to_string()).or_default();
        of.extend(
            prepared.dead_letters().iter().map(|letter| (letter.row, letter.reason.to_string())),
        );
        let Some(expected) = case.emitted.get(view.id.name.as_str()) else { continue };
        let emitted = prepared.emitted().context("the view's window does not emit")?;
        let features = prepared.emitted_features()?;
        let printers: Vec<ColumnPrinter> =
            features.iter().map(ColumnPrinter::new).collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        for row in 0..emitted.len() {
            let values: Vec<String> =
                printers.iter().map(|printer| printed(printer, row)).collect();
            let values = if emitted.tombstones[row] { Vec::new() } else { values };
            found.push((
                emitted.entities[row],
                emitted.window_ends[row],
                emitted.created_timestamps[row],
                emitted.revisions[row],
                emitted.window_starts[row],
                emitted.tombstones[row],
                values,
            ));
        }
        // What is overwritten within one moment is not listed.
        found.sort();
        let overwritten: Vec<bool> = (0..found.len())
            .map(|at| {
                let next = found.get(at + 1);
                next.is_some_and(|n| (n.0, n.1, n.2) == (found[at].0, found[at].1, found[at].2))
            })
            .collect();
        let mut keep = overwritten.iter().map(|is_so| !is_so);
        found.retain(|_| keep.next().unwrap_or(true));

        let keys: Vec<(&Name, &DataType)> =
            view.join_keys.iter().map(|key| (&key.name, &key.data_type)).collect();
        let entities = expected.iter().map(|row| &row.entity).collect::<Vec<_>>();
        let key_columns = keys.iter().map(|(name, data_type)| {
            json_column(data_type, entities.iter().map(|e| e.get(name.as_str())))
        });
        let key_columns = key_columns.collect::<anyhow::Result<Vec<_>>>()?;
        let numbers = prepared
            .entities()
            .find(&unskew_executor::rows::CanonicalBytes::new(key_columns), expected.len());
        let mut wanted = Vec::new();
        for (row, number) in expected.iter().zip(numbers) {
            let time = |text: &str| parse_time(text);
            ensure!(
                row.event_timestamp == row.window_end,
                "an emission's event_timestamp is its end"
            );
            let mut values = Vec::new();
            if !row.tombstone {
                for feature in &view.features {
                    let column = json_column(
                        &feature.data_type,
                        [row.values.get(feature.name.as_str())].into_iter(),
                    )?;
                    values.push(printed(&ColumnPrinter::new(&column)?, 0));
                }
            }
            wanted.push((
                number.context("an emission of an unknown entity")?,
                time(&row.window_end)?,
                time(&row.created_timestamp)?,
                row.revision,
                time(&row.window_start)?,
                row.tombstone,
                values,
            ));
        }
        wanted.sort();
        ensure!(found == wanted, "view {} emitted\n  {found:?}\nnot\n  {wanted:?}", view.id);
    }
    for (source, mut found) in letters {
        let none = Vec::new();
        let wanted = case.dead_letters.get(&source).unwrap_or(&none).iter();
        let mut wanted: Vec<(u64, String)> = wanted.map(|l| (l.row, l.reason.clone())).collect();
        wanted.sort();
        found.sort();
        ensure!(found == wanted, "dead letters of {source}: {found:?}, not {wanted:?}");
    }
    Ok(())
}

fn printed(printer: &ColumnPrinter, row: usize) -> String {
    let mut text = Vec::new();
    printer.print_json(row, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn json_column<'a>(
    data_type: &DataType,
    values: impl ExactSizeIterator<Item = Option<&'a Value>>,
) -> anyhow::Result<ArrayRef> {
    let mut column = ColumnBuilder::new(data_type, values.len());
    for value in values {
        match value {
            None | Some(Value::Null) => column.push_null(),
            Some(value) => {
                let raw = RawValue::from_string(value.to_string())?;
                column.push_json(&raw)?;
            }
        }
    }
    Ok(column.finish())
}

fn compare(
    data_type: &DataType,
    values: &ArrayRef,
    row: usize,
    expected: &Answer,
) -> anyhow::Result<()> {
    let wanted = json_column(data_type, [Some(&expected.value)].into_iter())?;
    let found = values.slice(row, 1);
    let shown = |column: &ArrayRef| anyhow::Ok(printed(&ColumnPrinter::new(column)?, 0));
    if let Some(tolerance) = expected.tolerance.filter(|_| found.is_valid(0) && wanted.is_valid(0))
    {
        let float = |text: String| -> anyhow::Result<f64> { Ok(text.trim_matches('"').parse()?) };
        let (found, wanted) = (float(shown(&found)?)?, float(shown(&wanted)?)?);
        ensure!(
            (found - wanted).abs() <= tolerance * wanted.abs(),
            "{found}, not {wanted} within {tolerance}"
        );
        return Ok(());
    }
    ensure!(found.to_data() == wanted.to_data(), "{}, not {}", shown(&found)?, shown(&wanted)?);
    Ok(())
}
