//! Prints the first rows of a Parquet file and a line of figures for each of
//! its columns, for a person to look at.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::Parser;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

/// Prints the first rows of a Parquet file and what its columns hold.
#[derive(Parser)]
#[command(name = "unskew-show", version)]
struct Options {
    /// The file to read
    file: PathBuf,
    /// How many rows to print
    #[arg(long, default_value_t = 5)]
    rows: usize,
}

fn main() -> ExitCode {
    let Options { file, rows } = Options::parse();
    match show(&file, rows) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot read {}: {error}", file.display());
            ExitCode::from(2)
        }
    }
}

fn show(path: &Path, rows: usize) -> Result<String, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema: SchemaRef = builder.schema().clone();
    let mut first: Vec<RecordBatch> = Vec::new();
    let mut first_rows = 0;
    let mut columns = vec![ColumnFigures::default(); schema.fields().len()];
    for batch in builder.with_batch_size(65_536).build()? {
        let batch = batch?;
        let missing = (rows - first_rows).min(batch.num_rows());
        if missing > 0 {
            first.push(batch.slice(0, missing));
            first_rows += missing;
        }
        for (figures, column) in columns.iter_mut().zip(batch.columns()) {
            figures.add(column)?;
        }
    }
    let mut text = aligned(&cells(&schema, &first)?);
    text.push('\n');
    let figures = columns.iter().zip(schema.fields());
    text += &aligned(
        &figures.map(|(f, field)| vec![field.name().clone(), f.line()]).collect::<Vec<_>>(),
    );
    Ok(text)
}

/// The names of the columns, then the values of each row, as text.
fn cells(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::new().with_null("null");
    let mut rows = vec![schema.fields().iter().map(|f| f.name().clone()).collect()];
    for batch in batches {
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(without_zone).collect::<Result<_, _>>()?;
        let formatters: Vec<ArrayFormatter<'_>> = columns
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            rows.push(formatters.iter().map(|f| f.value(row).to_string()).collect());
        }
    }
    Ok(rows)
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
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!(" {cell:<width$} ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[derive(Clone, Default)]
struct ColumnFigures {
    rows: u64,
    nulls: u64,
    numbers: u64,
    sum: f64,
    least: Option<f64>,
    greatest: Option<f64>,
}

impl ColumnFigures {
    fn add(&mut self, column: &ArrayRef) -> Result<(), ParquetError> {
        self.rows += column.len() as u64;
        self.nulls += column.null_count() as u64;
        if !column.data_type().is_numeric() {
            return Ok(());
        }
        let numbers = cast(column, &DataType::Float64)?;
        for number in numbers.as_primitive::<Float64Type>().iter().flatten() {
            self.numbers += 1;
            self.sum += number;
            self.least = Some(self.least.map_or(number, |least| least.min(number)));
            self.greatest = Some(self.greatest.map_or(number, |most| most.max(number)));
        }
        Ok(())
    }

    fn line(&self) -> String {
        let mut line = format!("{} rows, {} null", self.rows, self.nulls);
        if let (Some(least), Some(greatest)) = (self.least, self.greatest) {
            let mean = self.sum / self.numbers as f64;
            line += &format!("; least {least:.4}, mean {mean:.4}, greatest {greatest:.4}");
        }
        line
    }
}
