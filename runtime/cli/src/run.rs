use std::fmt::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;
use unskew_batch::{
    BatchError, FileFormat, Job, OutputStatistics, ParquetCompression, Progress, Summary,
};
use unskew_definition::{DataType, ModuleDigest};
use unskew_executor::{ColumnMapping, ModuleTransform, OnError};
use unskew_host::CompiledModule;

use crate::build;
use crate::context::Context;
use crate::failure::UserError;
use crate::interrupt::Interrupted;
use crate::project::Project;
use crate::terminal::{self, FAINT, GOOD, WARNING, harmless, paint, thousands};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew run shop.wasm --transform rate --input events.parquet --output rates.parquet
  unskew run shop --transform rate --input events.csv --output rates.jsonl.gz   builds the project first
  unskew run shop.wasm --transform rate --input e.parquet --output r.parquet --column views=page_views
  unskew run shop.wasm --transform rate --input e.parquet --output r.parquet --select user_id,ts
  unskew run shop.wasm --transform rate --input e.parquet --output r.parquet \\
      --on-error default --default rate=0 --max-errors 1000 --errors failed.csv

Files are Parquet (.parquet, .pq), CSV (.csv) and JSON lines (.jsonl, .ndjson, .json); text also
packed (.gz, .zst). The output has the input's columns, then the transform's outputs. It appears
when it is whole: after an error or Ctrl-C there is none.

In CSV an empty field is null and \"\" an empty text; binary is base64, times are RFC 3339. From text
to Parquet a column that feeds the transform gets its argument's type, any other is utf8 or what
--type says.";

/// Run a transform over a file
///
/// Every row goes through the transform in the sandbox, on all cores; rows that
/// fail are counted, and listed with --errors. The columns that feed the
/// arguments are found by name, and no value is changed on the way: a column of
/// a type that does not fit is refused.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The module's file, or a project's folder, whose module is built first
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// The transform; needed where the module has more than one
    #[arg(short, long, value_name = "T")]
    transform: Option<String>,
    /// The file that is read
    #[arg(short, long, value_name = "F")]
    input: PathBuf,
    /// The file that is written
    #[arg(short, long, value_name = "F")]
    output: PathBuf,

    /// Feed argument ARG from column COLUMN; without it, from that of its name
    #[arg(short, long, value_name = "ARG=COLUMN", value_parser = pair, help_heading = "Columns")]
    column: Vec<(String, String)>,
    /// Keep only these input columns in the output ('' keeps none)
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', help_heading = "Columns")]
    select: Option<Vec<String>>,
    /// Name the column of output OUT
    #[arg(long, value_name = "OUT=NAME", value_parser = pair, help_heading = "Columns")]
    output_column: Vec<(String, String)>,
    /// Read a column of a text file as this type, such as int64 or list<utf8?>
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = typed, help_heading = "Columns")]
    types: Vec<(String, DataType)>,

    /// What the outputs of a failed row become; fail stops at the first
    #[arg(
        long,
        value_name = "null|fail|default",
        default_value = "null",
        hide_default_value = false,
        help_heading = "Failed rows"
    )]
    on_error: OnError,
    /// The default of an output, for --on-error default
    #[arg(long, value_name = "OUT=VALUE", value_parser = pair, help_heading = "Failed rows")]
    default: Vec<(String, String)>,
    /// Stop, and write no output, when more than N rows failed [default: no bound]
    #[arg(long, value_name = "N", help_heading = "Failed rows")]
    max_errors: Option<u64>,
    /// List the failed rows there: row (from 0), transform, status, message
    #[arg(long, value_name = "F", help_heading = "Failed rows")]
    errors: Option<PathBuf>,

    /// The input's format, if its name does not tell it
    #[arg(long, value_name = "FORMAT", value_parser = format(), help_heading = "Files")]
    input_format: Option<FileFormat>,
    /// The output's format, if its name does not tell it
    #[arg(long, value_name = "FORMAT", value_parser = format(), help_heading = "Files")]
    output_format: Option<FileFormat>,
    /// How a Parquet output is compressed: none, snappy or zstd [default: zstd]
    #[arg(long, value_name = "CODEC", help_heading = "Files")]
    compression: Option<ParquetCompression>,
    /// How many batches are evaluated at a time [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Files")]
    threads: Option<NonZero<usize>>,
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn typed(text: &str) -> Result<(String, DataType), String> {
    // A column's name may have a `=`, a type has none.
    let (column, data_type) = text.rsplit_once('=').ok_or("expected COLUMN=TYPE")?;
    let data_type = data_type.parse().map_err(|error| format!("{error}"))?;
    Ok((column.to_owned(), data_type))
}

fn format() -> impl clap::builder::TypedValueParser<Value = FileFormat> {
    use clap::builder::TypedValueParser as _;
    let names: Vec<&'static str> = FileFormat::names().collect();
    clap::builder::PossibleValuesParser::new(names).try_map(|name| name.parse::<FileFormat>())
}

pub(crate) fn run(arguments: &RunArguments, context: &Context) -> anyhow::Result<()> {
    let module = load(&arguments.module, context)?;
    let name = transform_name(arguments.transform.as_deref(), &module, &arguments.module)?;
    let kernel = ModuleTransform::find(&module, &name)
        .map_err(|error| UserError::new(error.to_string()).at(place(&arguments.module)))?;
    let job = job(arguments, module.digest());

    unskew_batch::report_file_size_limit();
    let bar = Bar::new(context.progress_wanted());
    let _cleans_up = context.interrupt.defer();
    let begun = Instant::now();
    let done =
        unskew_batch::run(&job, Arc::new(kernel), &mut |progress| bar.show(progress), &|| {
            context.interrupt.raised()
        });
    bar.finish();
    let summary = done.map_err(explained)?;
    report(&summary, begun.elapsed(), &module, context)
}

fn place(path: &Path) -> String {
    path.display().to_string()
}

/// The module in a file, or that of a project, built first.
fn load(path: &Path, context: &Context) -> anyhow::Result<CompiledModule> {
    if path.is_dir() {
        let project = Project::open(path)?;
        Ok(build::build(&project, None, false, context)?.module)
    } else {
        context.load(path)
    }
}

/// The transform that was asked for, or the only one there is.
fn transform_name(
    given: Option<&str>,
    module: &CompiledModule,
    path: &Path,
) -> Result<String, UserError> {
    if let Some(name) = given {
        return Ok(name.to_owned());
    }
    match module.manifest().transforms.as_slice() {
        [only] => Ok(only.name.to_string()),
        [] => Err(UserError::new("the module has no transform").at(place(path))),
        several => {
            let names: Vec<_> = several.iter().map(|transform| transform.name.as_str()).collect();
            Err(UserError::new("the module has several transforms")
                .at(place(path))
                .help(format!("name one with --transform: {}", names.join(", "))))
        }
    }
}

fn job(arguments: &RunArguments, digest: ModuleDigest) -> Job {
    let RunArguments {
        module: _,
        transform: _,
        input,
        output,
        column,
        select,
        output_column,
        types,
        on_error,
        default,
        max_errors,
        errors,
        input_format,
        output_format,
        compression,
        threads,
    } = arguments;
    Job {
        input: input.clone(),
        input_format: *input_format,
        types: types.clone(),
        columns: ColumnMapping::new(column.iter().cloned()),
        output: output.clone(),
        output_format: *output_format,
        compression: *compression,
        // `--select ''` is one empty name.
        select: select
            .as_ref()
            .map(|names| names.iter().filter(|name| !name.is_empty()).cloned().collect()),
        output_names: output_column.clone(),
        on_error: *on_error,
        defaults: default.clone(),
        max_errors: *max_errors,
        errors: errors.clone(),
        threads: *threads,
        digest: Some(digest),
    }
}

/// Sorts a job's error by whose it is.
pub(crate) fn explained(error: BatchError) -> anyhow::Error {
    match error {
        BatchError::Cancelled => Interrupted.into(),
        error if error.is_users() => UserError::new(error.to_string()).into(),
        error => error.into(),
    }
}

/// The progress bar, on a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new(wanted: bool) -> Self {
        Self(terminal::progress_bar(wanted))
    }

    fn show(&self, progress: &Progress) {
        let Progress { rows, total_rows, bytes, total_bytes, failed } = *progress;
        let (done, total) = match (total_rows, total_bytes) {
            (Some(total), _) => (rows, Some(total)),
            (None, total) => (bytes, total),
        };
        if let (Some(total), None) = (total, self.0.length()) {
            self.0.set_length(total);
            let template = "{wide_bar} {percent}% {msg}, {eta} left";
            let style = ProgressStyle::with_template(template);
            self.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.0.set_position(done);
        let mut message = format!("{} rows", HumanCount(rows));
        if total.is_none() {
            let _ = write!(message, " of {} read", HumanBytes(bytes));
        }
        if failed > 0 {
            let _ = write!(message, ", {} failed", HumanCount(failed));
        }
        self.0.set_message(message);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn report(
    summary: &Summary,
    elapsed: Duration,
    module: &CompiledModule,
    context: &Context,
) -> anyhow::Result<()> {
    if context.json {
        #[derive(Serialize)]
        struct Document<'a> {
            module: &'a str,
            digest: ModuleDigest,
            elapsed_seconds: f64,
            #[serde(flatten)]
            summary: &'a Summary,
        }
        terminal::print_json(&Document {
            module: module.manifest().name.as_str(),
            digest: module.digest(),
            elapsed_seconds: elapsed.as_secs_f64(),
            summary,
        })
    } else {
        Ok(terminal::print(&text(summary, elapsed))?)
    }
}

/// The report for people.
fn text(summary: &Summary, elapsed: Duration) -> String {
    let Summary {
        transform,
        input,
        output,
        errors,
        rows,
        failed,
        failed_by_status,
        first_failure,
        outputs,
        calls,
    } = summary;
    let seconds = elapsed.as_secs_f64();
    let mut text = String::new();
    let headline = format!("{}: {} rows in {seconds:.2} s", transform, thousands(*rows));
    let rate = if seconds > 0.0 { *rows as f64 / seconds } else { 0.0 };
    let _ = writeln!(text, "{} ({} rows/s)", paint(GOOD, headline), thousands(rate as u64));
    let mut line = |name: &str, value: &str| {
        let name = paint(FAINT, format_args!("{name:<10}"));
        let _ = writeln!(text, "{name} {}", harmless(value));
    };
    line("input", &place(input));
    line("output", &place(output));
    for OutputStatistics { name, data_type, nulls, nans, min, max, mean } in outputs {
        let mut found = format!("{name}: {data_type}, {} nulls", thousands(*nulls));
        if let Some(nans) = nans.filter(|nans| *nans > 0) {
            let _ = write!(found, ", {} NaN", thousands(nans));
        }
        if let (Some(min), Some(max), Some(mean)) = (min, max, mean) {
            let _ = write!(found, ", from {min} to {max}, mean {mean}");
        }
        line("column", &found);
    }
    let sandbox = calls.run.as_secs_f64();
    line("sandbox", &format!("{} calls, {sandbox:.2} s", thousands(calls.calls)));
    if *failed > 0 {
        let by_status = failed_by_status
            .iter()
            .map(|(status, rows)| format!("{} {status}", thousands(*rows)))
            .collect::<Vec<_>>();
        let headline = format!("{} rows failed", thousands(*failed));
        let first = first_failure.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "{}: {}; the first: {}",
            paint(WARNING, headline),
            by_status.join(", "),
            harmless(first)
        );
        let _ = match errors {
            Some(path) => writeln!(text, "they are listed in {}", harmless(&place(path))),
            None => writeln!(text, "list them with --errors F"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_cut_where_names_end() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=b").is_err());
        let (column, data_type) = typed("a=b=list<utf8?>").unwrap();
        assert_eq!((column.as_str(), data_type.to_string().as_str()), ("a=b", "list<utf8?>"));
        assert!(typed("a=int").unwrap_err().contains("unknown type"));
    }
}
