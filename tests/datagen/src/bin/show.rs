//! Prints the first rows of a Parquet file, for a person to look at.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::Parser;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

/// Prints the first rows of a Parquet file.
#[derive(Parser)]
#[command(name = "unskew-show", version)]
struct Options {
    /// The file to read
    file: PathBuf,
    /// How many rows to print
    #[arg(long, default_value_t = 5)]
    rows: usize,
    /// Only these columns, in this order
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Only rows in which this column is not null
    #[arg(long, value_name = "COLUMN")]
    with: Option<String>,
    /// Only every N-th of these rows
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// As CSV, not for a person to look at
    #[arg(long)]
    csv: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match show(&options) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot show {}: {error}", options.file.display());
            ExitCode::from(2)
        }
    }
}

fn show(options: &Options) -> Result<String, ParquetError> {
    let Options { file, rows, columns, with, every, csv } = options;
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let schema: SchemaRef = builder.schema().clone();
    let indices: Vec<usize> = if columns.is_empty() {
        (0..schema.fields().len()).collect()
    } else {
        columns.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?
    };
    let with = with.as_ref().map(|name| schema.index_of(name)).transpose()?;
    let mut lines = vec![indices.iter().map(|i| schema.field(*i).name().clone()).collect()];
    let mut seen = 0;
    for batch in builder.build()? {
        let mut batch = batch?;
        if let Some(column) = with {
            batch = filter_record_batch(&batch, &is_not_null(batch.column(column))?)?;
        }
        if *every > 1 {
            let next = seen + batch.num_rows() as u64;
            let nth: BooleanArray = (seen..next).map(|row| Some(row % every == 0)).collect();
            batch = filter_record_batch(&batch, &nth)?;
            seen = next;
        }
        let missing = rows + 1 - lines.len();
        batch = batch.slice(0, missing.min(batch.num_rows()));
        append_cells(&mut lines, &batch.project(&indices)?)?;
        if lines.len() > *rows {
            break;
        }
    }
    Ok(if *csv { comma_separated(&lines) } else { aligned(&lines) })
}

/// Lines of CSV; every field stands in quotes.
fn comma_separated(lines: &[Vec<String>]) -> String {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |cells: &Vec<String>| cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
    lines.iter().map(line).collect()
}

/// Appends the values of each row as text.
fn append_cells(lines: &mut Vec<Vec<String>>, batch: &RecordBatch) -> Result<(), ArrowError> {
    let options = FormatOptions::new().with_null("null");
    let columns: Vec<ArrayRef> =
        batch.columns().iter().map(without_zone).collect::<Result<_, _>>()?;
    let formatters: Vec<ArrayFormatter<'_>> = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        lines.push(formatters.iter().map(|f| f.value(row).to_string()).collect());
    }
    Ok(())
}

/// Times without the name of their zone, which Arrow cannot print without a
/// table of zones; all of ours are UTC.
fn without_zone(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(..) => cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None)),
        _ => Ok(column.clone()),
    }
}

/// Lines whose columns begin below each other.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}
