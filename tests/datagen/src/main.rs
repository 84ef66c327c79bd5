//! Writes a file of e-commerce events; the same options give the same data.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use unskew_datagen::{Compression, Format, Spec, write};

/// Writes a file of e-commerce events: views, clicks and purchases in order of
/// time. The same options give the same data on every machine.
#[derive(Parser)]
#[command(
    name = "unskew-datagen",
    version,
    after_help = "Example:\n  unskew-datagen --rows 1000000 --entities 100000 --days 30 --seed 1 --out events.parquet"
)]
struct Options {
    /// How many events
    #[arg(long, default_value_t = Spec::default().rows)]
    rows: u64,
    /// How many users; they are drawn by Zipf's law with exponent 1.1
    #[arg(long, default_value_t = Spec::default().entities)]
    entities: u64,
    /// How many products
    #[arg(long, default_value_t = Spec::default().products)]
    products: u64,
    /// How many days from 2026-01-01 on the events are spread over
    #[arg(long, default_value_t = Spec::default().days)]
    days: u64,
    /// Another seed gives other events
    #[arg(long, default_value_t = Spec::default().seed)]
    seed: u64,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The form of the file; by default the name's ending tells
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// How a Parquet file is packed
    #[arg(long, value_enum, default_value_t = Compression::Snappy)]
    compression: Compression,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let Options { rows, entities, products, days, seed, out, format, compression } = options;
    let Some(format) = format.or_else(|| format_of(&out)) else {
        eprintln!(
            "error: the name {} does not tell the form of the file: end it in .parquet, .csv or .jsonl, or give --format",
            out.display()
        );
        return ExitCode::from(2);
    };
    let spec = Spec { rows, entities, products, days, seed };
    match write(&spec, &out, format, compression) {
        Ok(()) => {
            println!("{}: {rows} events of {entities} users over {days} days", out.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if error.is_users_mistake() { 2 } else { 1 })
        }
    }
}

fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}
