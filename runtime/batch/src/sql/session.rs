use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParser, Statement as ParsedStatement};
use datafusion::sql::sqlparser::ast::Expr;
use unskew_definition::{DataType, Name, OnError, TransformSignature, listed, meant, similar};
use unskew_executor::{
    AggregateKernel as _, ErrorPolicy, ModuleAggregate, ModuleTransform, TransformKernel,
};
use unskew_host::CompiledModule;
use unskew_plan::SourcePlan;

use crate::format::FileFormat;
use crate::resources::Resources;
use crate::source_files::source_notes;
use crate::sql::aggregate_function::AggregateFunction;
use crate::sql::built_in_aggregate::BUILT_IN;
use crate::sql::error::SqlError;
use crate::sql::expression_function::ExpressionFunction;
use crate::sql::parquet_table::provider_of;
use crate::sql::query::{QueryColumn, QueryRows, Workers, located};
use crate::sql::row_failures::{FailurePolicy, FunctionDefault, RowFailures};
use crate::sql::source_table::SourceTable;
use crate::sql::statement::{check_kind, check_statement, fields_by_name, visit};
use crate::sql::table_files::{TableFiles, TableNote};
use crate::sql::transform_function::TransformFunction;

/// What queries may take, and what becomes of rows that fail in them.
#[derive(Clone, Debug, Default)]
pub struct SqlOptions {
    /// What queries may use of the machine: sorts, joins and aggregates spill
    /// beyond its memory.
    pub resources: Resources,
    /// What becomes of failed rows.
    pub on_error: OnError,
    /// Defaults of functions, for [`OnError::Default`].
    pub defaults: Vec<FunctionDefault>,
}

/// One statement of a text.
#[derive(Clone, Debug)]
pub struct Statement(pub(super) ParsedStatement);

/// A function as a statement calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionName {
    /// The module, where the statement says it.
    pub module: Option<String>,
    /// The function.
    pub function: String,
}

/// Tables and functions, and the queries over them.
pub struct SqlSession {
    workers: Arc<Workers>,
    context: SessionContext,
    policy: FailurePolicy,
    failures: RowFailures,
    /// Names that no function of a module may take.
    built_in: BTreeSet<String>,
    /// The modules that have a function, by its bare name.
    modules_of: BTreeMap<String, BTreeSet<String>>,
    modules: BTreeSet<String>,
    used_defaults: Vec<FunctionDefault>,
    /// What DataFusion would call and we do not.
    impure: BTreeSet<String>,
    tables: BTreeMap<String, Table>,
}

/// A table that was added.
struct Table {
    /// What it was made of, for people.
    what: String,
    made_of: MadeOf,
}

enum MadeOf {
    Files(Arc<TableFiles>),
    /// A source, and whether its files have been looked at.
    Source {
        source: Arc<SourcePlan>,
        files: Vec<PathBuf>,
        is_checked: bool,
    },
}

/// What sorts set aside for merging what they spilled, unless the limit is low.
const SPILL_RESERVATION_BYTES: usize = 10 << 20;

/// Functions of numbers that are ours though DataFusion has such, too: the bits
/// of definitions, the same on every CPU, with an error for each row that fails.
#[rustfmt::skip]
const OURS: &[&str] = &[
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "ceiling",
    "cos", "cosh", "degrees", "exp", "floor", "isnan", "ln", "log", "log10", "log2", "nanvl", "pow",
    "power", "radians", "round", "sign", "signum", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
];

impl SqlSession {
    /// A session with the built-in functions alone.
    pub fn new(options: &SqlOptions) -> Result<Self, SqlError> {
        let SqlOptions { resources, on_error, defaults } = options;
        resources.check()?;
        let Resources { memory_limit_bytes, threads, temp_dir, buckets: _ } = resources;
        let internal = |reason: String| SqlError::Internal { reason };
        let threads = *threads;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .thread_name("unskew-sql")
            .build()
            .map_err(|error| internal(format!("no threads can be started: {error}")))?;

        let mut config =
            SessionConfig::new().with_target_partitions(threads).with_information_schema(true);
        let settings = config.options_mut();
        // Names stand as they are written, as in the SQL of definitions.
        settings.sql_parser.enable_ident_normalization = false;
        settings.execution.parquet.schema_force_view_types = false;
        settings.execution.parquet.coerce_int96 = Some("us".to_owned());
        settings.sql_parser.map_string_types_to_utf8view = false;
        let limit = usize::try_from(*memory_limit_bytes).unwrap_or(usize::MAX);
        let consumers = NonZero::new(3).expect("three is not zero");
        let pool = TrackConsumersPool::new(FairSpillPool::new(limit), consumers);
        let reserved = SPILL_RESERVATION_BYTES.min(limit / (8 * threads));
        settings.execution.sort_spill_reservation_bytes = reserved;
        let mode = match temp_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
        let environment = environment.build_arc().map_err(SqlError::of)?;
        let context = SessionContext::new_with_config_rt(config, environment);

        let mut session = Self {
            workers: Arc::new(Workers::new(runtime)),
            context,
            policy: FailurePolicy { on_error: *on_error, defaults: defaults.clone() },
            failures: RowFailures::default(),
            built_in: BTreeSet::new(),
            modules_of: BTreeMap::new(),
            modules: BTreeSet::new(),
            used_defaults: Vec::new(),
            impure: BTreeSet::new(),
            tables: BTreeMap::new(),
        };
        if *on_error != OnError::Default && !defaults.is_empty() {
            let reason = format!(
                "--default {} is for --on-error default; failed rows get {on_error}",
                defaults[0]
            );
            return Err(SqlError::Option { reason });
        }
        session.take_out_impure_functions();
        session.add_built_in_functions()?;
        Ok(session)
    }

    /// What hangs on the time, on chance or on the session.
    fn take_out_impure_functions(&mut self) {
        use datafusion::logical_expr::Volatility;
        let state = self.context.state();
        let functions = state.scalar_functions().iter();
        let impure: Vec<String> = functions
            .filter(|(_, function)| function.signature().volatility != Volatility::Immutable)
            .map(|(name, _)| name.clone())
            .collect();
        impure.iter().for_each(|name| self.context.deregister_udf(name));
        self.impure.extend(impure);
        self.impure.extend(["random", "uuid"].map(str::to_owned));
    }

    fn add_built_in_functions(&mut self) -> Result<(), SqlError> {
        let policy = self.built_in_policy()?;
        for built_in in BUILT_IN {
            let function =
                AggregateFunction::built_in(built_in, policy.clone(), self.failures.clone());
            self.context.register_udaf(AggregateUDF::new_from_impl(function));
        }
        let known: BTreeSet<String> =
            self.context.state().scalar_functions().keys().cloned().collect();
        for name in unskew_expression::built_in_functions() {
            if !known.contains(name) || OURS.contains(&name) {
                let on_error = policy.on_error();
                let function = ExpressionFunction::new(name, on_error, self.failures.clone());
                self.context.register_udf(ScalarUDF::new_from_impl(function));
            }
        }
        let state = self.context.state();
        self.built_in.extend(state.scalar_functions().keys().cloned());
        self.built_in.extend(state.aggregate_functions().keys().cloned());
        self.built_in.extend(state.window_functions().keys().cloned());
        self.built_in.extend(state.higher_order_functions().keys().cloned());
        Ok(())
    }

    /// Built-in functions have no defaults: where they fail, null stands.
    fn built_in_policy(&self) -> Result<ErrorPolicy, SqlError> {
        let on_error = match self.policy.on_error {
            OnError::Fail => OnError::Fail,
            OnError::Null | OnError::Default => OnError::Null,
        };
        let signature = TransformSignature {
            name: Name::new("built_in").expect("a constant name is a name"),
            description: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        ErrorPolicy::new(on_error, &[], &signature)
            .map_err(|error| SqlError::Option { reason: error.to_string() })
    }

    /// Makes the transforms and aggregates of a module callable as
    /// `module.function`, and by their bare names where nothing else is called
    /// so.
    pub fn add_module(&mut self, module: &str, compiled: &CompiledModule) -> Result<(), SqlError> {
        if !self.modules.insert(module.to_owned()) {
            return Ok(());
        }
        let missing = |error: unskew_executor::ArgumentError| SqlError::Internal {
            reason: error.to_string(),
        };
        let manifest = compiled.manifest();
        for signature in &manifest.transforms {
            let name = signature.name.as_str();
            let kernel: Arc<dyn TransformKernel> =
                Arc::new(ModuleTransform::find(compiled, name).map_err(missing)?);
            let policy = self.policy.of(Some(module), signature, &mut self.used_defaults)?;
            let label = format!("{module}.{name}");
            for called in self.names_of(module, name) {
                let function = TransformFunction::new(
                    called,
                    label.clone(),
                    Arc::clone(&kernel),
                    policy.clone(),
                    self.failures.clone(),
                )
                .map_err(SqlError::of)?;
                self.context.register_udf(ScalarUDF::new_from_impl(function));
            }
        }
        for signature in &manifest.aggregates {
            let name = signature.name.as_str();
            let aggregate = ModuleAggregate::find(compiled, name).map_err(missing)?;
            let as_transform = TransformSignature {
                name: signature.name.clone(),
                description: String::new(),
                inputs: signature.inputs.clone(),
                outputs: vec![aggregate.output().clone()],
            };
            let policy = self.policy.of(Some(module), &as_transform, &mut self.used_defaults)?;
            let label = format!("{module}.{name}");
            for called in self.names_of(module, name) {
                let function = AggregateFunction::of_module(
                    called,
                    label.clone(),
                    aggregate.clone(),
                    policy.clone(),
                    self.failures.clone(),
                );
                self.context.register_udaf(AggregateUDF::new_from_impl(function));
            }
        }
        Ok(())
    }

    /// The names by which a function of a module is called. A bare name that a
    /// second module has, too, is taken back.
    fn names_of(&mut self, module: &str, function: &str) -> Vec<String> {
        let mut names = vec![format!("{module}.{function}")];
        // The planner looks for bare names in small letters.
        let bare = function.to_lowercase();
        if self.built_in.contains(&bare) {
            return names;
        }
        let modules = self.modules_of.entry(bare.clone()).or_default();
        modules.insert(module.to_owned());
        if modules.len() == 1 {
            names.push(bare);
        } else {
            self.context.deregister_udf(&bare);
            self.context.deregister_udaf(&bare);
        }
        names
    }

    /// Whether the module's functions are there already.
    pub fn has_module(&self, module: &str) -> bool {
        self.modules.contains(module)
    }

    /// The functions of modules, as `module.function(argument: type, ...)`.
    pub fn module_functions(&self) -> Vec<String> {
        let state = self.context.state();
        let scalar = state.scalar_functions().keys();
        let mut names: Vec<String> = scalar
            .chain(state.aggregate_functions().keys())
            .filter(|name| name.contains('.'))
            .cloned()
            .collect();
        names.sort();
        names
    }

    /// Complains of defaults that are about no function of the modules added so
    /// far.
    pub fn check_defaults(&self) -> Result<(), SqlError> {
        let unused = |default: &&FunctionDefault| !self.used_defaults.contains(default);
        match self.policy.defaults.iter().find(unused) {
            None => Ok(()),
            Some(default) => Err(SqlError::Option {
                reason: format!(
                    "--default {default}: no module has such a function and output; the functions: {}",
                    listed(self.module_functions().iter().map(String::as_str))
                ),
            }),
        }
    }

    /// Makes files a table: a file, a folder, a glob or a URL, seen from
    /// `folder`. Columns of text files that `types` names have that type.
    pub fn add_files(
        &mut self,
        table: &str,
        folder: &Path,
        pattern: &str,
        types: &[(String, DataType)],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, SqlError> {
        let files = Arc::new(TableFiles::open(table, folder, pattern, types, cancelled)?);
        let notes = files.notes.clone();
        self.register(table, provider_of(&files, &self.context)?)?;
        let made_of = MadeOf::Files(files);
        self.tables.insert(table.to_owned(), Table { what: pattern.to_owned(), made_of });
        Ok(notes.iter().map(TableNote::to_string).collect())
    }

    /// Makes a source of the project a table: its fields, of all its rows.
    pub fn add_source(
        &mut self,
        source: &Arc<SourcePlan>,
        files: Vec<PathBuf>,
    ) -> Result<(), SqlError> {
        let what = format!("source of {} files", files.len());
        let table = SourceTable::new(Arc::clone(source), files.clone(), self.failures.clone());
        self.register(source.name.as_str(), Arc::new(table))?;
        let made_of = MadeOf::Source { source: Arc::clone(source), files, is_checked: false };
        self.tables.insert(source.name.to_string(), Table { what, made_of });
        Ok(())
    }

    fn register(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<(), SqlError> {
        let name = TableReference::bare(name);
        self.context.deregister_table(name.clone()).map_err(SqlError::of)?;
        self.context.register_table(name, table).map_err(SqlError::of)?;
        Ok(())
    }

    /// The tables that were added, each with what it was made of.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.iter().map(|(name, table)| (name.as_str(), table.what.as_str()))
    }

    /// The columns of a table, or of a file that its name tells.
    pub fn describe(
        &mut self,
        table: &str,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<QueryColumn>, SqlError> {
        let reference = TableReference::bare(table);
        self.open_tables(vec![reference.clone()], cancelled)?;
        let context = &self.context;
        let provider = self.workers.wait(context.table_provider(reference));
        let schema = provider.map_err(SqlError::of)?.schema();
        let columns = schema.fields().iter().map(|field| QueryColumn {
            name: field.name().clone(),
            data_type: unskew_column::arrow_name(field.data_type()),
        });
        Ok(columns.collect())
    }

    /// The statements of a text, which stand apart by `;`.
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>, SqlError> {
        let statements = DFParser::parse_sql(text).map_err(SqlError::of)?;
        let mut statements: Vec<Statement> = statements.into_iter().map(Statement).collect();
        statements.iter_mut().for_each(|statement| fields_by_name(&mut statement.0));
        Ok(statements)
    }

    /// The functions that a statement calls and that are not built in.
    pub fn functions_of(&self, statement: &Statement) -> Vec<FunctionName> {
        let mut names = BTreeSet::new();
        let mut see = |expression: &Expr| {
            if let Expr::Function(function) = expression {
                let parts: Vec<String> = function
                    .name
                    .0
                    .iter()
                    .filter_map(|part| part.as_ident().map(|ident| ident.value.clone()))
                    .collect();
                match parts.as_slice() {
                    [function] if !self.built_in.contains(&function.to_lowercase()) => {
                        names.insert(FunctionName { module: None, function: function.clone() });
                    }
                    [module, function] => {
                        let module = Some(module.clone());
                        names.insert(FunctionName { module, function: function.clone() });
                    }
                    _ => {}
                }
            }
            ControlFlow::<()>::Continue(())
        };
        visit(&statement.0, &mut see);
        names.into_iter().collect()
    }

    /// Plans a statement and begins it. Files that it names in FROM are opened
    /// as tables, seen from the current folder.
    pub fn run(
        &mut self,
        statement: &Statement,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(QueryRows, Vec<String>), SqlError> {
        check_statement(&statement.0).map_err(SqlError::of)?;
        self.check_functions(statement)?;
        let references =
            self.context.state().resolve_table_references(&statement.0).map_err(SqlError::of)?;
        let Opened { notes, files } = self.open_tables(references, cancelled)?;
        let context = &self.context;
        let parsed = statement.0.clone();
        let stream = self.workers.wait(async {
            let plan = context.state().statement_to_plan(parsed).await?;
            check_kind(&plan)?;
            let frame = context.execute_logical_plan(plan).await?;
            frame.execute_stream().await
        });
        let stream = stream.map_err(|error| located(SqlError::of(error), &files, cancelled))?;
        Ok((QueryRows::new(Arc::clone(&self.workers), stream, files), notes))
    }

    /// Says better than the planner what is wrong with a function's name.
    fn check_functions(&self, statement: &Statement) -> Result<(), SqlError> {
        let known = self.module_functions();
        for FunctionName { module, function } in self.functions_of(statement) {
            let bare = function.to_lowercase();
            let of_bare = self.modules_of.get(&bare);
            let reason = match (&module, of_bare.map_or(0, BTreeSet::len)) {
                (Some(module), _) => {
                    let name = format!("{module}.{function}");
                    if known.contains(&name) {
                        continue;
                    }
                    let hint = meant(&name, known.iter().map(String::as_str));
                    format!("there is no function {name}; {hint}")
                }
                (None, 1) => continue,
                (None, 0) if self.impure.contains(&bare) => format!(
                    "{function}() is not taken: its value would hang on when or how often it is asked, and a query gives the same rows always; write the value itself"
                ),
                (None, 0) => {
                    let bare_names =
                        known.iter().filter_map(|name| name.split_once('.').map(|(_, f)| f));
                    let names = bare_names.chain(self.built_in.iter().map(String::as_str));
                    match similar(&bare, names) {
                        Some(similar) => {
                            format!("there is no function {function}; did you mean {similar}?")
                        }
                        None if known.is_empty() => format!(
                            "there is no function {function}; functions of modules are there with --project DIR or --module PATH"
                        ),
                        None => format!(
                            "there is no function {function}; the modules have {}",
                            listed(known.iter().map(String::as_str))
                        ),
                    }
                }
                (None, _) => {
                    let modules = of_bare.into_iter().flatten();
                    let ways: Vec<String> =
                        modules.map(|module| format!("{module}.{function}")).collect();
                    format!(
                        "several modules have a function {function}; write {}",
                        ways.join(" or ")
                    )
                }
            };
            return Err(SqlError::Query { reason });
        }
        Ok(())
    }

    /// Looks at the tables that a statement names; files among them become
    /// tables.
    fn open_tables(
        &mut self,
        references: Vec<TableReference>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Opened, SqlError> {
        let mut opened = Opened::default();
        for reference in references {
            if reference.schema() == Some("information_schema") {
                continue;
            }
            let name = reference.table().to_owned();
            match (&reference, self.tables.get_mut(&name)) {
                (TableReference::Bare { .. }, Some(table)) => match &mut table.made_of {
                    MadeOf::Files(files) => opened.files.push(Arc::clone(files)),
                    MadeOf::Source { source, files, is_checked } => {
                        if !*is_checked {
                            opened.notes.extend(source_notes(source, files, cancelled)?);
                            *is_checked = true;
                        }
                    }
                },
                // Looked at anew each time: files change.
                (TableReference::Bare { table }, None) if is_file_name(table) => {
                    let files = TableFiles::open(table, Path::new(""), table, &[], cancelled)?;
                    let files = Arc::new(files);
                    opened.notes.extend(files.notes.iter().map(TableNote::to_string));
                    self.register(table, provider_of(&files, &self.context)?)?;
                    opened.files.push(files);
                }
                _ if self.context.table_exist(reference.clone()).unwrap_or(false)
                    || self.context.state().table_functions().contains_key(&name) => {}
                _ => return Err(self.no_table(&reference)),
            }
        }
        Ok(opened)
    }

    fn no_table(&self, reference: &TableReference) -> SqlError {
        let name = reference.to_string();
        let hint = if is_file_name(&name) {
            format!("a file stands in single quotes: FROM '{name}'")
        } else if let Some(meant) = similar(&name, self.tables.keys().map(String::as_str)) {
            format!("did you mean {meant}?")
        } else if self.tables.is_empty() {
            "name a file in single quotes (FROM 'events.parquet'), or give --table NAME=PATH or --project DIR".to_owned()
        } else {
            format!("there are: {}", listed(self.tables.keys().map(String::as_str)))
        };
        SqlError::Query { reason: format!("there is no table {name}; {hint}") }
    }

    /// What failed, and what calls took, since this was asked last.
    pub fn failures(&self) -> &RowFailures {
        &self.failures
    }
}

/// What the tables of a statement turned out to be.
#[derive(Default)]
struct Opened {
    /// What is worth knowing of them.
    notes: Vec<String>,
    files: Vec<Arc<TableFiles>>,
}

/// Whether a name in FROM is that of a file, and not of a table.
fn is_file_name(name: &str) -> bool {
    name.contains("://")
        || name.contains(['/', '*', '?'])
        || FileFormat::of(Path::new(name)).is_some()
        || Path::new(name).exists()
}
