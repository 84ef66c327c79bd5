//! Prints the first rows of a Parquet file, for a person to look at.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
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
}

fn main() -> ExitCode {
    let Options { file, rows, columns } = Options::parse();
    match show(&file, rows, &columns) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot show {}: {error}", file.display());
            ExitCode::from(2)
        }
    }
}

fn show(path: &Path, rows: usize, names: &[String]) -> Result<String, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema: SchemaRef = builder.schema().clone();
    let indices: Vec<usize> = if names.is_empty() {
        (0..schema.fields().len()).collect()
    } else {
        names.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?
    };
    let mut lines = vec![indices.iter().map(|i| schema.field(*i).name().clone()).collect()];
    for batch in builder.with_limit(rows).build()? {
        append_cells(&mut lines, &batch?.project(&indices)?)?;
    }
    Ok(aligned(&lines))
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
