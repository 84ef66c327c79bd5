//! What is said of a query beside its rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use unskew_batch::sql::{FailuresOfFunction, QueryColumn, QueryRows};
use unskew_executor::text::{ColumnPrinter, TextForm};
use unskew_host::CallMetrics;

use crate::context::Context;
use crate::failure::UserError;
use crate::sql::explained;
use crate::terminal::{self, FAINT, GOOD, WARNING, harmless, paint, thousands};

/// What a query came to.
pub(super) struct QueryReport {
    pub(super) columns: Vec<QueryColumn>,
    pub(super) written: Written,
    pub(super) failures: BTreeMap<String, FailuresOfFunction>,
    pub(super) calls: CallMetrics,
    pub(super) elapsed: Duration,
}

/// What became of the rows.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub(super) rows: u64,
    /// Whether there are more, which were not asked for.
    pub(super) more: bool,
}

impl QueryReport {
    pub(super) fn print(
        &self,
        output: Option<&Path>,
        timing: bool,
        context: &Context,
    ) -> anyhow::Result<()> {
        if context.json {
            return self.print_json(output);
        }
        for (function, FailuresOfFunction { rows, by_status, example }) in &self.failures {
            let statuses: Vec<String> = by_status
                .iter()
                .map(|(status, count)| format!("{} {status}", thousands(*count)))
                .collect();
            warning(
                &format!(
                    "{} rows failed in {function} ({}), such as: {}",
                    thousands(*rows),
                    statuses.join(", "),
                    harmless(example)
                ),
                context,
            );
        }
        let mut text = String::new();
        let seconds = self.elapsed.as_secs_f64();
        if let Some(output) = output {
            let _ = writeln!(
                text,
                "{} {} rows in {} {}",
                paint(GOOD, "written"),
                thousands(self.written.rows),
                output.display(),
                paint(FAINT, format!("({seconds:.1} s)"))
            );
        }
        if timing {
            let calls = match self.calls.calls {
                0 => String::new(),
                calls => format!(", {} calls into modules", thousands(calls)),
            };
            let _ = writeln!(text, "{}", paint(FAINT, format!("{seconds:.3} s{calls}")));
        }
        Ok(terminal::print(&text)?)
    }

    /// The end of the document, whose rows, if any, are printed already.
    fn print_json(&self, output: Option<&Path>) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Document<'a> {
            columns: &'a [QueryColumn],
            row_count: u64,
            more: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            output: Option<&'a Path>,
            failures: &'a BTreeMap<String, FailuresOfFunction>,
            calls: &'a CallMetrics,
            elapsed_seconds: f64,
        }
        let document = Document {
            columns: &self.columns,
            row_count: self.written.rows,
            more: self.written.more,
            output,
            failures: &self.failures,
            calls: &self.calls,
            elapsed_seconds: self.elapsed.as_secs_f64(),
        };
        if output.is_some() {
            return terminal::print_json(&document);
        }
        let text = serde_json::to_string(&document)?;
        let mut out = io::stdout().lock();
        // The rows stand before it: `{"rows":[...]`.
        out.write_all(text.replacen('{', ",", 1).as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }
}

/// Prints the rows as the first member of a document, piece by piece, so that
/// memory stays bounded; [`QueryReport::print`] ends it.
pub(super) fn print_json_rows(
    mut rows: QueryRows,
    limit: Option<usize>,
    cancelled: &dyn Fn() -> bool,
) -> anyhow::Result<Written> {
    let schema = rows.schema().clone();
    for (at, field) in schema.fields().iter().enumerate() {
        ColumnPrinter::check(field.data_type(), TextForm::Json).map_err(|error| {
            UserError::new(format!("column {:?}: {error}", field.name()))
                .help("write a CAST to a type that has")
        })?;
        if schema.fields()[..at].iter().any(|earlier| earlier.name() == field.name()) {
            return Err(UserError::new(format!("two columns are named {:?}", field.name()))
                .help("give one another name with AS")
                .into());
        }
    }
    let mut out = io::stdout().lock();
    let mut printed: u64 = 0;
    let mut more = false;
    let mut bytes = Vec::new();
    // Nothing is printed before the first rows are there: most errors come
    // before them, and then stdout stays empty.
    let mut begun = false;
    'batches: while let Some(batch) = rows.next_batch(cancelled).map_err(explained)? {
        let printers = batch.columns().iter().map(ColumnPrinter::new);
        let printers = printers.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            if limit.is_some_and(|limit| printed >= limit as u64) {
                more = true;
                break 'batches;
            }
            bytes.extend_from_slice(match (begun, printed) {
                (false, _) => b"{\"rows\":[",
                _ => b",",
            });
            begun = true;
            bytes.push(b'{');
            for (at, (printer, field)) in printers.iter().zip(schema.fields()).enumerate() {
                if at > 0 {
                    bytes.push(b',');
                }
                serde_json::to_writer(&mut bytes, field.name())?;
                bytes.push(b':');
                printer.print_json(row, &mut bytes);
            }
            bytes.push(b'}');
            printed += 1;
        }
        out.write_all(&bytes)?;
        bytes.clear();
    }
    if !begun {
        bytes.extend_from_slice(b"{\"rows\":[");
    }
    bytes.push(b']');
    out.write_all(&bytes)?;
    Ok(Written { rows: printed, more })
}

/// Says what is worth knowing of the tables.
pub(super) fn notes(notes: &[String], context: &Context) {
    const SHOWN: usize = 5;
    for note in notes.iter().take(SHOWN) {
        warning(note, context);
    }
    if notes.len() > SHOWN {
        warning(&format!("and so it is with {} more", notes.len() - SHOWN), context);
    }
}

/// Writes a warning to stderr.
pub(super) fn warning(text: &str, context: &Context) {
    if !context.quiet {
        // Where stderr is gone there is nobody left to tell.
        let _ = writeln!(anstream::stderr(), "{}: {}", paint(WARNING, "warning"), harmless(text));
    }
}
