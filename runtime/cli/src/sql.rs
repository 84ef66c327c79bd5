//! `unskew sql`: queries over files and sources, with the functions of modules.

mod functions;
mod report;
mod rows_table;
mod shell;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use unskew_batch::sql::{
    FunctionDefault, QueryColumn, QueryRows, SqlError, SqlOptions, SqlSession, Statement,
};
use unskew_batch::{ParquetCompression, TableWriter, source_files};
use unskew_definition::{DataType, OnError};

use crate::config::PROJECT_FILE;
use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::interrupt::Interrupted;
use crate::run::pair;
use crate::sql::functions::SqlModules;
use crate::sql::report::{QueryReport, Written};
use crate::terminal::{self, FAINT, harmless, paint};
use crate::train::ResourceOptions;

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew sql \"SELECT count(*) FROM 'events.parquet'\"
  unskew sql --project shop \"SELECT user_id, rate(views, purchases) FROM events LIMIT 10\"
  unskew sql --module shop.wasm \"SELECT shop.rate(views, purchases) AS rate FROM 'events/*.csv.gz'\" -o rates.parquet
  unskew sql --table e=s3://bucket/events/ \"SELECT user_id, sum(amount), percentile(amount, 0.95) FROM e GROUP BY user_id\"
  unskew sql --project shop          a shell: statements end with ;  \\? shows its commands

A table is a file, a folder, a glob or a URL (in FROM in single quotes, or named by --table), or a source
of the project. Functions of the project's modules, and of those given by --module, are called by name, or
as module.function; one with several outputs gives a struct. A row that fails in a function yields null and
is counted; --on-error says otherwise. See docs/sql_command.md.";

/// Query files and sources by SQL, with the functions of modules
///
/// Without a query a shell begins; statements may also come from stdin or a
/// file. Sorts, joins and aggregates spill to disk beyond --memory-limit.
#[derive(Debug, Args)]
pub(crate) struct SqlArguments {
    /// The statements, each ended by ; where there are several
    #[arg(value_name = "QUERY", conflicts_with = "file")]
    query: Option<String>,
    /// Read the statements from a file; - is stdin
    #[arg(short, long, value_name = "F")]
    file: Option<PathBuf>,
    /// The project whose modules and sources are there
    /// [default: the current folder, if it has an unskew.toml]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// A module whose functions are there, by its file or its project's folder;
    /// may be given several times
    #[arg(short, long, value_name = "[NAME=]PATH")]
    module: Vec<String>,

    /// Make a file, folder, glob or URL the table NAME; may be given several
    /// times
    #[arg(short, long, value_name = "NAME=PATH", value_parser = pair, help_heading = "Tables")]
    table: Vec<(String, String)>,
    /// Read a column of a table's text files as this type, not as what its
    /// values look like
    #[arg(long = "type", value_name = "TABLE.COLUMN=TYPE", value_parser = typed, help_heading = "Tables")]
    types: Vec<(String, String, DataType)>,

    /// Write the rows to a file, whose name tells its format
    #[arg(short, long, value_name = "F", help_heading = "Output")]
    output: Option<PathBuf>,
    /// How a Parquet output is compressed: none, snappy or zstd [default: zstd]
    #[arg(long, value_name = "CODEC", requires = "output", help_heading = "Output")]
    compression: Option<ParquetCompression>,
    /// Print at most N rows; 0 prints all [default: 40 on a terminal, else all]
    #[arg(long, value_name = "N", help_heading = "Output")]
    rows: Option<usize>,

    /// What a row that fails in a function yields; fail stops at the first
    #[arg(
        long,
        value_name = "null|fail|default",
        default_value = "null",
        hide_default_value = false,
        help_heading = "Failed rows"
    )]
    on_error: OnError,
    /// The default of a function, for --on-error default: [MODULE.]FUNCTION=VALUE,
    /// or with .OUTPUT behind the function
    #[arg(long, value_name = "FUNCTION=VALUE", help_heading = "Failed rows")]
    default: Vec<FunctionDefault>,

    #[command(flatten)]
    resources: ResourceOptions,
}

fn typed(text: &str) -> Result<(String, String, DataType), String> {
    let expected = "expected TABLE.COLUMN=TYPE";
    let (column, data_type) = text.rsplit_once('=').ok_or(expected)?;
    let (table, column) = column.split_once('.').ok_or(expected)?;
    let data_type = data_type.parse().map_err(|error| format!("{error}"))?;
    Ok((table.to_owned(), column.to_owned(), data_type))
}

pub(crate) fn run(arguments: &SqlArguments, context: &Context) -> anyhow::Result<()> {
    unskew_batch::report_file_size_limit();
    let _cleans_up = context.interrupt.defer();
    let mut console = Console::open(arguments, context)?;
    let text = match (&arguments.query, &arguments.file) {
        (Some(query), _) => query.clone(),
        (None, Some(file)) if file.as_os_str() == "-" => stdin_text()?,
        (None, Some(file)) => std::fs::read_to_string(file).map_err(|error| {
            UserError::new(format!("the statements cannot be read: {error}"))
                .at(file.display().to_string())
                .help("check the path; the file is text in UTF-8")
        })?,
        (None, None) if io::stdin().is_terminal() => return shell::run(&mut console),
        (None, None) => stdin_text()?,
    };
    console.execute_all(&text)
}

fn stdin_text() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| {
        UserError::new(format!("the statements on stdin cannot be read: {error}"))
    })?;
    Ok(text)
}

/// A session, and how what comes of it is shown.
struct Console<'a> {
    session: SqlSession,
    modules: SqlModules<'a>,
    arguments: &'a SqlArguments,
    context: &'a Context,
    /// Whether each statement's time is said.
    timing: bool,
    /// How many rows are printed at most.
    row_limit: Option<usize>,
}

impl<'a> Console<'a> {
    fn open(arguments: &'a SqlArguments, context: &'a Context) -> anyhow::Result<Self> {
        let project = match &arguments.project {
            Some(dir) => Some(FeatureProject::open(dir, context)?),
            None if PathBuf::from(PROJECT_FILE).is_file() => {
                Some(FeatureProject::open(&PathBuf::from("."), context)?)
            }
            None => None,
        };
        let options = SqlOptions {
            resources: arguments
                .resources
                .resources(project.as_ref().map(|project| &project.config.batch)),
            on_error: arguments.on_error,
            defaults: arguments.default.clone(),
        };
        let mut session = SqlSession::new(&options).map_err(explained)?;
        let cancelled = || context.interrupt.raised();
        for (name, pattern) in &arguments.table {
            let types: Vec<(String, DataType)> = arguments
                .types
                .iter()
                .filter(|(table, ..)| table == name)
                .map(|(_, column, data_type)| (column.clone(), data_type.clone()))
                .collect();
            let notes = session
                .add_files(name, &PathBuf::new(), pattern, &types, &cancelled)
                .map_err(explained)?;
            report::notes(&notes, context);
        }
        let tables: Vec<&str> = arguments.table.iter().map(|(name, _)| name.as_str()).collect();
        if let Some((unknown, ..)) =
            arguments.types.iter().find(|(table, ..)| !tables.contains(&table.as_str()))
        {
            let help = unskew_definition::meant(unknown, tables.iter().copied());
            let what = format!("--type names the table {unknown}, which no --table does");
            return Err(UserError::new(what).help(help).into());
        }
        if let Some(project) = &project {
            for source in &project.plan.sources {
                // A source of a topic alone has no files to query.
                if source.files.is_empty() || tables.contains(&source.name.as_str()) {
                    continue;
                }
                match source_files(source, &project.dir, &source.files) {
                    Ok(files) => session.add_source(source, files).map_err(explained)?,
                    Err(error) if error.is_users() => report::warning(
                        &format!("{error}; there is no table {} here", source.name),
                        context,
                    ),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let mut modules = SqlModules::new(project, &arguments.module, context)?;
        if !arguments.default.is_empty() {
            modules.load_all(&mut session)?;
            session.check_defaults().map_err(explained)?;
        }
        let on_terminal = io::stdout().is_terminal() && !context.json;
        let row_limit = match arguments.rows {
            Some(0) => None,
            Some(rows) => Some(rows),
            None => on_terminal.then_some(40),
        };
        Ok(Self { session, modules, arguments, context, timing: false, row_limit })
    }

    /// Runs the statements of a text one after the other.
    fn execute_all(&mut self, text: &str) -> anyhow::Result<()> {
        let statements = self.session.parse(text).map_err(explained)?;
        if statements.is_empty() {
            return Err(UserError::new("there is no statement")
                .help("write one, such as: unskew sql \"SELECT * FROM 'events.parquet' LIMIT 5\"")
                .into());
        }
        if self.arguments.output.is_some() && statements.len() > 1 {
            return Err(UserError::new(format!(
                "--output takes the rows of one statement, and there are {}",
                statements.len()
            ))
            .help("run them one by one")
            .into());
        }
        for statement in &statements {
            self.execute(statement)?;
        }
        Ok(())
    }

    fn execute(&mut self, statement: &Statement) -> anyhow::Result<()> {
        let begun = Instant::now();
        // What an earlier statement left behind that failed.
        let _ = self.session.failures().take();
        self.modules.load_for(statement, &mut self.session)?;
        let interrupt = self.context.interrupt.clone();
        let cancelled = move || interrupt.raised();
        let (rows, notes) = self.session.run(statement, &cancelled).map_err(explained)?;
        report::notes(&notes, self.context);
        let columns = rows.columns();
        let written = match &self.arguments.output {
            Some(output) => self.write(rows, output, &cancelled)?,
            None if self.context.json => report::print_json_rows(rows, self.row_limit, &cancelled)?,
            None => rows_table::print(rows, self.row_limit, &cancelled)?,
        };
        let (failures, calls) = self.session.failures().take();
        let elapsed = begun.elapsed();
        let report = QueryReport { columns, written, failures, calls, elapsed };
        report.print(self.arguments.output.as_deref(), self.timing, self.context)
    }

    fn write(
        &self,
        mut rows: QueryRows,
        output: &std::path::Path,
        cancelled: &dyn Fn() -> bool,
    ) -> anyhow::Result<Written> {
        let compression = self.arguments.compression.unwrap_or_default();
        let failed = |error| explained(SqlError::Files(error));
        // The query has threads of its own, and computes meanwhile.
        let mut writer =
            TableWriter::create(output, rows.schema(), compression, 1).map_err(failed)?;
        let mut written = 0;
        while let Some(batch) = rows.next_batch(cancelled).map_err(explained)? {
            writer.write(&batch).map_err(failed)?;
            written += batch.num_rows() as u64;
        }
        if cancelled() {
            return Err(Interrupted.into());
        }
        writer.commit().map_err(failed)?;
        Ok(Written { rows: written, more: false })
    }
}

/// Sorts a query's error by whose it is.
fn explained(error: SqlError) -> anyhow::Error {
    match error {
        SqlError::Cancelled => Interrupted.into(),
        SqlError::Files(error) => crate::run::explained(error),
        error if error.is_users() => UserError::new(error.to_string()).into(),
        error => error.into(),
    }
}

impl Console<'_> {
    /// Does what the shell's command says, without its backslash; false where
    /// the user leaves.
    fn command(&mut self, command: &str) -> anyhow::Result<bool> {
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let argument = argument.trim();
        match (name, argument) {
            ("q" | "quit", "") => return Ok(false),
            ("?" | "h" | "help", "") => terminal::print(shell::HELP)?,
            ("timing", "") => {
                self.timing = !self.timing;
                terminal::print(if self.timing { "timing is on\n" } else { "timing is off\n" })?;
            }
            ("d", "") => {
                let mut text = String::new();
                for (table, what) in self.session.tables() {
                    let _ = writeln!(text, "{}  {}", harmless(table), paint(FAINT, harmless(what)));
                }
                if text.is_empty() {
                    text = "no tables; name a file in FROM '...', or give --table or --project\n"
                        .to_owned();
                }
                terminal::print(&text)?;
            }
            ("d", table) => {
                let table = table.trim_matches(['\'', '"']);
                let interrupt = self.context.interrupt.clone();
                let columns = self.session.describe(table, &move || interrupt.raised());
                let mut text = String::new();
                for column in columns.map_err(explained)? {
                    let QueryColumn { name, data_type } = column;
                    let _ = writeln!(text, "{}  {}", harmless(&name), paint(FAINT, data_type));
                }
                terminal::print(&text)?;
            }
            ("df", "") => {
                self.modules.load_all(&mut self.session)?;
                let mut text = String::new();
                for function in self.session.module_functions() {
                    let _ = writeln!(text, "{}", harmless(&function));
                }
                if text.is_empty() {
                    text = "no modules; give --project or --module\n".to_owned();
                }
                terminal::print(&text)?;
            }
            ("i", file) if !file.is_empty() => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    UserError::new(format!("the statements cannot be read: {error}")).at(file)
                })?;
                self.execute_all(&text)?;
            }
            _ => {
                return Err(UserError::new(format!("there is no command \\{command}"))
                    .help("\\? shows the commands")
                    .into());
            }
        }
        Ok(true)
    }
}
