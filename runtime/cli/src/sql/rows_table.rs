//! Rows as a table for people.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unskew_batch::sql::QueryRows;
use unskew_executor::text::{ColumnPrinter, TextForm};

use crate::sql::explained;
use crate::sql::report::Written;
use crate::terminal::{self, FAINT, HEADING, harmless, paint, thousands};

/// A longer value is cut, for a person to read the others beside it.
const CELL_CHARACTERS: usize = 60;
/// Without a limit rows are printed in tables of so many, to bound memory.
const BLOCK_ROWS: usize = 10_000;

/// Prints at most `limit` rows.
pub(super) fn print(
    mut rows: QueryRows,
    limit: Option<usize>,
    cancelled: &dyn Fn() -> bool,
) -> anyhow::Result<Written> {
    let schema = rows.schema().clone();
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| shortened(harmless(field.name()).into_owned()))
        .collect();
    let right: Vec<bool> =
        schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
    let is_plan = names == ["plan_type", "plan"];
    let mut block: Vec<Vec<Cell>> = Vec::new();
    let mut printed = 0;
    let mut more = false;
    let mut is_first = true;
    'batches: while let Some(batch) = rows.next_batch(cancelled).map_err(explained)? {
        if is_plan {
            terminal::print(&plans(&batch))?;
            continue;
        }
        let columns = RowCells::of(&batch)?;
        for row in 0..batch.num_rows() {
            if limit.is_some_and(|limit| printed >= limit) {
                more = true;
                break 'batches;
            }
            block.push(columns.row(row)?);
            printed += 1;
            if block.len() == BLOCK_ROWS {
                terminal::print(&table(&names, &right, &block, is_first))?;
                (is_first, block) = (false, Vec::new());
            }
        }
    }
    if is_plan {
        return Ok(Written { rows: 0, more: false });
    }
    let mut text = String::new();
    // A statement without columns (CREATE VIEW) has no table.
    if !names.is_empty() && (is_first || !block.is_empty()) {
        text = table(&names, &right, &block, is_first);
    }
    if !names.is_empty() {
        let rows = if printed == 1 { "row" } else { "rows" };
        let count = match more {
            false => format!("({} {rows})", thousands(printed as u64)),
            true => format!(
                "(the first {} {rows}; more with --rows N, all of them with --output F)",
                thousands(printed as u64)
            ),
        };
        let _ = writeln!(text, "{}", paint(FAINT, count));
    }
    terminal::print(&text)?;
    Ok(Written { rows: printed as u64, more })
}

/// The plans of EXPLAIN, line by line.
fn plans(batch: &RecordBatch) -> String {
    let mut text = String::new();
    let (kinds, plans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
    for row in 0..batch.num_rows() {
        let _ = writeln!(text, "{}", paint(HEADING, harmless(kinds.value(row))));
        for line in plans.value(row).lines() {
            let _ = writeln!(text, "  {}", harmless(line));
        }
    }
    text
}

/// What stands in a place of the table; none for null.
type Cell = Option<String>;

/// The columns of a batch, ready to be shown.
struct RowCells<'a>(Vec<CellsOf<'a>>);

enum CellsOf<'a> {
    Bare(ColumnPrinter),
    Json(ColumnPrinter),
    /// Of a type that we do not print: an interval, a duration.
    Other(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> RowCells<'a> {
    fn of(batch: &'a RecordBatch) -> anyhow::Result<Self> {
        let mut cells = Vec::with_capacity(batch.num_columns());
        for column in batch.columns() {
            let form = |form| ColumnPrinter::check(column.data_type(), form).is_ok();
            cells.push(if form(TextForm::Bare) {
                CellsOf::Bare(ColumnPrinter::new(column)?)
            } else if form(TextForm::Json) {
                CellsOf::Json(ColumnPrinter::new(column)?)
            } else {
                let formatter = ArrayFormatter::try_new(column, &FormatOptions::default())?;
                CellsOf::Other(column.as_ref(), formatter)
            });
        }
        Ok(Self(cells))
    }

    fn row(&self, row: usize) -> anyhow::Result<Vec<Cell>> {
        let cells = self.0.iter().map(|cells| {
            let mut bytes = Vec::new();
            match cells {
                CellsOf::Bare(printer) | CellsOf::Json(printer) if printer.is_null(row) => {
                    return Ok(None);
                }
                CellsOf::Bare(printer) => printer.print_bare(row, &mut bytes),
                CellsOf::Json(printer) => printer.print_json(row, &mut bytes),
                CellsOf::Other(array, _) if array.is_null(row) => return Ok(None),
                CellsOf::Other(_, other) => {
                    return Ok(Some(cleaned(&other.value(row).to_string())));
                }
            }
            Ok(Some(cleaned(&String::from_utf8(bytes)?)))
        });
        cells.collect()
    }
}

/// One line, harmless to the terminal, and not too long.
fn cleaned(text: &str) -> String {
    let line = text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    shortened(harmless(&line).into_owned())
}

fn shortened(text: String) -> String {
    if text.chars().count() <= CELL_CHARACTERS {
        return text;
    }
    text.chars().take(CELL_CHARACTERS - 1).chain(['…']).collect()
}

/// The rows below the names of their columns; numbers stand at the right.
fn table(names: &[String], right: &[bool], rows: &[Vec<Cell>], with_names: bool) -> String {
    const NULL: &str = "null";
    let width_of = |cell: &Cell| cell.as_deref().unwrap_or(NULL).chars().count();
    let widths: Vec<usize> = (0..names.len())
        .map(|column| {
            let cells = rows.iter().map(|row| width_of(&row[column]));
            cells.chain([names[column].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let padded = |text: &str, shown: String, column: usize, last: bool| {
        let blanks = " ".repeat(widths[column] - text.chars().count());
        match (right[column], last) {
            (true, _) => format!("{blanks}{shown}"),
            (false, true) => shown,
            (false, false) => format!("{shown}{blanks}"),
        }
    };
    let mut text = String::new();
    let line = |cells: Vec<String>, text: &mut String| {
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    };
    let last = names.len().saturating_sub(1);
    if with_names {
        let heads = names
            .iter()
            .enumerate()
            .map(|(at, name)| padded(name, paint(HEADING, name), at, at == last));
        line(heads.collect(), &mut text);
    }
    for row in rows {
        let cells = row.iter().enumerate().map(|(at, cell)| match cell {
            Some(value) => padded(value, value.clone(), at, at == last),
            None => padded(NULL, paint(FAINT, NULL), at, at == last),
        });
        line(cells.collect(), &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right_and_nulls_are_seen() {
        let names = ["user".to_owned(), "n".to_owned()];
        let cell = |text: &str| Some(text.to_owned());
        let rows = [vec![cell("anna"), cell("12")], vec![None, cell("3")]];
        let text =
            anstream::adapter::strip_str(&table(&names, &[false, true], &rows, true)).to_string();
        assert_eq!(text, "user   n\nanna  12\nnull   3\n");
        assert_eq!(cleaned("a\nb\x1b"), "a\\nb\u{fffd}");
        assert_eq!(shortened("x".repeat(100)).chars().count(), CELL_CHARACTERS);
    }
}
