//! Transforms in queries: a Rust module beside a native function in the same
//! DataFusion plan, a Python module beside PySpark.

use std::sync::Arc;

use anyhow::{Context, ensure};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Float64Type, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt as _;
use tokio::runtime::Runtime;
use unskew_batch::sql::{RowFailures, scalar_function};
use unskew_executor::{ModuleTransform, TransformKernel};
use unskew_host::CompiledModule;

use super::Bench;
use crate::cpu;
use crate::native;
use crate::race::{median, timed};
use crate::report::Figure;
use crate::rows::{ROWS, Random};
use crate::spark::Spark;

/// Batches of a table: a million rows.
const BATCHES: usize = 122;

/// A query that calls `f` on all columns of a table in memory, planned once.
struct Query {
    runtime: Runtime,
    plan: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
}

impl Query {
    /// One partition: what is compared is the function, not the threads.
    fn new(function: ScalarUDF, batches: &[RecordBatch]) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config(config);
        let schema = batches[0].schema();
        let table = MemTable::try_new(Arc::clone(&schema), vec![batches.to_vec()])?;
        context.register_table("t", Arc::new(table))?;
        context.register_udf(function);
        let columns: Vec<String> =
            schema.fields().iter().map(|field| format!("\"{}\"", field.name())).collect();
        let query = format!("SELECT f({}) FROM t", columns.join(", "));
        let plan = runtime.block_on(async {
            let frame = context.sql(&query).await?;
            frame.create_physical_plan().await
        })?;
        Ok(Self { runtime, plan, task: context.task_ctx() })
    }

    /// All rows of the answer.
    fn rows(&self) -> anyhow::Result<Vec<RecordBatch>> {
        Ok(self.runtime.block_on(async {
            execute_stream(Arc::clone(&self.plan), Arc::clone(&self.task))?.try_collect().await
        })?)
    }

    /// How many rows there were, each batch dropped as soon as it came.
    fn run(&self) -> anyhow::Result<usize> {
        Ok(self.runtime.block_on(async {
            let stream = execute_stream(Arc::clone(&self.plan), Arc::clone(&self.task))?;
            stream.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await
        })?)
    }
}

/// A transform of a module as the function `f`.
fn of_module(module: &CompiledModule, transform: &str) -> anyhow::Result<ScalarUDF> {
    let kernel: Arc<dyn TransformKernel> = Arc::new(ModuleTransform::find(module, transform)?);
    Ok(scalar_function("f", kernel, &RowFailures::default())?)
}

type Native = fn(&RecordBatch) -> Vec<ArrayRef>;

/// A native function as the function `f`.
fn of_native(native: Native, schema: &SchemaRef, sample: &RecordBatch) -> ScalarUDF {
    let inputs = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let output = native(&sample.slice(0, 1))[0].data_type().clone();
    let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    let schema = Arc::new(Schema::new(fields));
    let evaluate = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        Ok(ColumnarValue::Array(native(&batch).swap_remove(0)))
    };
    create_udf("f", inputs, output, Volatility::Immutable, Arc::new(evaluate))
}

pub(super) fn udf(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let modules = bench.rust_modules()?;
    let mut random = Random::new();
    let mut table = |rows: fn(&mut Random, usize) -> RecordBatch| -> Vec<RecordBatch> {
        (0..BATCHES).map(|_| rows(&mut random, ROWS)).collect()
    };
    let functions: [(&str, Vec<RecordBatch>, Native); 3] = [
        ("haversine", table(Random::points), native::haversine),
        ("logistic", table(Random::one_float), native::logistic),
        ("mix", table(Random::words), native::mix),
    ];
    let against = "the same query with a native function as ScalarUDF, the same libm";
    let what =
        "haversine, logistic, 64-bit mixing in a query over 1 M rows in memory, geometric mean";
    let mut mean = Figure::ratio("batch.udf", what, against).held_to(1.7, 1.3);
    let mut figures = Vec::new();
    let (mut logs, mut strict_logs) = (0.0, 0.0);
    for (number, (name, batches, native)) in (1..).zip(functions) {
        let schema = batches[0].schema();
        let theirs = Query::new(of_native(native, &schema, &batches[0]), &batches)?;
        let expected = theirs.rows()?;
        let [boundary, strict] = {
            let ours = modules.each_ref().map(|module| {
                let query = Query::new(of_module(module, name)?, &batches)?;
                let found = query.rows()?;
                let same = found.len() == expected.len()
                    && found.iter().zip(&expected).all(|(a, b)| a.columns() == b.columns());
                ensure!(same, "{name}: the answers differ");
                Ok(query)
            });
            let [boundary, strict] = ours;
            [boundary?, strict?]
        };
        let [ours, strict, theirs] = bench.plan.race(
            &format!("udf.{name}"),
            [
                &mut timed(|| boundary.run()),
                &mut timed(|| strict.run()),
                &mut timed(|| theirs.run()),
            ],
        );
        logs += (ours / theirs).ln() / 3.0;
        strict_logs += (strict / theirs).ln() / 3.0;
        figures.push(
            Figure::ratio(format!("batch.udf.{number}"), name, against)
                .measured(ours, theirs, BATCHES * ROWS)
                .strict(strict, theirs),
        );
    }
    mean.value = logs.exp();
    mean.strict = Some(strict_logs.exp());
    figures.insert(0, mean);
    Ok(figures)
}

/// Turns of each side; each takes about a second of processor time.
const TURNS: usize = 5;

pub(super) fn pyspark(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let [boundary, strict] = bench.python_modules()?;
    let mut random = Random::new();
    let batches: Vec<RecordBatch> = (0..BATCHES).map(|_| random.two_floats(ROWS)).collect();
    let rows = BATCHES * ROWS;
    let queries = [
        Query::new(of_module(&boundary, "light")?, &batches)?,
        Query::new(of_module(&strict, "light")?, &batches)?,
    ];
    let mut spark = Spark::start(&bench.guests.cache_dir, &batches)?;
    // Answers first: theirs go through a file, in the order of the rows.
    let expected = spark.answers()?;
    for query in &queries {
        let found = query.rows()?;
        let found: Vec<f64> =
            found.iter().flat_map(|b| native::values::<Float64Type>(b, 0).to_vec()).collect();
        ensure!(found == expected, "the answers differ");
    }
    let mut samples: [Vec<f64>; 3] = Default::default();
    for _ in 0..TURNS {
        for (query, samples) in queries.iter().zip(&mut samples) {
            let before = cpu::of_process();
            ensure!(query.run()? == rows, "rows are missing");
            samples.push((cpu::of_process() - before).as_nanos() as f64);
        }
        let theirs = spark.run().context("PySpark")?;
        samples[2].push(theirs.as_nanos() as f64);
    }
    let [ours, strict, theirs] = samples.map(|mut samples| median(&mut samples));
    let what = "x*y+1 row by row in Python, 1 M rows, CPU seconds without start-up";
    let against = format!("Arrow-optimised Python UDF, PySpark {}", spark.version());
    Ok(vec![
        Figure::ratio("batch.pyspark", what, &against)
            .held_to(0.5, 0.25)
            .measured(ours, theirs, rows)
            .strict(strict, theirs),
    ])
}
