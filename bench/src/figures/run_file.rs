//! A whole job: a Parquet file through a transform into another.

use std::cell::RefCell;
use std::fs::File;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use unskew_batch::{Job, ParquetCompression};
use unskew_definition::TransformSignature;
use unskew_executor::{ModuleTransform, TransformKernel};
use unskew_host::{CallError, CallMetrics, CompiledModule, Outcome};

use super::Bench;
use crate::cpu;
use crate::native;
use crate::report::Figure;
use crate::rows::Random;

/// Rows of each file.
const FILE_ROWS: usize = 64 * crate::rows::ROWS;

/// A native function in the place of a module's transform.
struct NativeTransform {
    signature: TransformSignature,
    function: fn(&RecordBatch) -> Vec<ArrayRef>,
}

impl TransformKernel for NativeTransform {
    fn signature(&self) -> &TransformSignature {
        &self.signature
    }

    fn transform(&self, arguments: &RecordBatch, _: Option<u64>) -> Result<Outcome, CallError> {
        let columns = (self.function)(arguments);
        Ok(Outcome { columns, errors: Vec::new(), metrics: CallMetrics::default() })
    }
}

fn write(path: &Path, rows: &RecordBatch) -> anyhow::Result<()> {
    let uncompressed =
        WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, rows.schema(), Some(uncompressed))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(())
}

/// The job of `unskew run` on one thread: how often, and what processor time
/// it took.
fn run(
    input: &Path,
    output: &Path,
    kernel: &Arc<dyn TransformKernel>,
    times: u32,
) -> anyhow::Result<Duration> {
    let job = Job {
        compression: Some(ParquetCompression::None),
        threads: Some(NonZero::<usize>::MIN),
        ..Job::new(input, output)
    };
    let before = cpu::of_process();
    for _ in 0..times {
        let summary = unskew_batch::run(&job, Arc::clone(kernel), &mut |_| {}, &|| false);
        summary.map_err(|e| anyhow!("{e}"))?;
    }
    Ok(cpu::of_process() - before)
}

/// Ours and theirs: nanoseconds of processor time for a file.
fn compare(
    bench: &Bench,
    module: &CompiledModule,
    name: &str,
    rows: &RecordBatch,
    function: fn(&RecordBatch) -> Vec<ArrayRef>,
) -> anyhow::Result<[f64; 2]> {
    let dir = tempfile::tempdir()?;
    let input = dir.path().join("in.parquet");
    write(&input, rows)?;
    let ours = ModuleTransform::find(module, name).map_err(|e| anyhow!("{e}"))?;
    let native = NativeTransform { signature: ours.signature().clone(), function };
    let kernels: [(PathBuf, Arc<dyn TransformKernel>); 2] = [
        (dir.path().join("ours.parquet"), Arc::new(ours)),
        (dir.path().join("theirs.parquet"), Arc::new(native)),
    ];
    for (output, kernel) in &kernels {
        run(&input, output, kernel, 1)?;
    }
    let [ours, theirs] = kernels.each_ref().map(|(output, _)| std::fs::read(output));
    ensure!(ours? == theirs?, "{name}: the files differ");

    let failed = RefCell::new(None);
    let [mut ours, mut theirs] = kernels.each_ref().map(|(output, kernel)| {
        let (input, failed) = (&input, &failed);
        move |times| {
            run(input, output, kernel, times).unwrap_or_else(|error| {
                *failed.borrow_mut() = Some(error);
                Duration::ZERO
            })
        }
    });
    let times = bench.plan.race(&format!("run_file/{name}"), [&mut ours, &mut theirs]);
    failed.into_inner().map_or(Ok(times), Err)
}

pub(super) fn run_file(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let [module, _] = bench.rust_modules()?;
    let mut random = Random::new();
    type Native = fn(&RecordBatch) -> Vec<ArrayRef>;
    let functions: [(&str, RecordBatch, Native); 3] = [
        ("haversine", random.points(FILE_ROWS), native::haversine),
        ("logistic", random.one_float(FILE_ROWS), native::logistic),
        ("mix", random.words(FILE_ROWS), native::mix),
    ];
    let (mut ours, mut theirs) = (0.0, 0.0);
    for (name, rows, function) in functions {
        let [our_time, their_time] = compare(bench, &module, name, &rows, function)?;
        ours += our_time;
        theirs += their_time;
    }
    let what = "processor time of host.heavy's functions, each over an uncompressed Parquet file \
                of 524,288 rows";
    let rows = 3 * FILE_ROWS;
    Ok(vec![
        Figure::ratio("host.run_file", what, "the same job with native functions")
            .held_to(1.7, 1.3)
            .measured(ours, theirs, rows),
    ])
}
