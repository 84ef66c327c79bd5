//! PySpark beside us, with the function that the module has.
//!
//! It is installed into an environment of its own in the cache when it is first
//! measured; it needs a Java runtime of version 17 or later.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::guests::project;
use crate::rows::write_parquet;

/// What is installed; a change installs anew.
const PACKAGES: [&str; 4] = ["pyspark==4.3.0", "pyarrow==26.0.1", "pandas==2.3.3", "numpy==2.3.5"];

/// A running PySpark, its table in memory; it ends when this is dropped.
pub(crate) struct Spark {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    version: String,
    folder: tempfile::TempDir,
}

impl Spark {
    /// Starts it, with the two columns of these batches.
    pub(crate) fn start(cache_dir: &Path, batches: &[RecordBatch]) -> anyhow::Result<Self> {
        let python = installed(cache_dir)?;
        let folder = tempfile::tempdir()?;
        let table = folder.path().join("table.parquet");
        write(&table, batches)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/spark_udf.py");
        let mut child = Command::new(&python)
            .arg(script)
            .arg(project("python"))
            .arg(&table)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()
            .with_context(|| format!("cannot run {}", python.display()))?;
        let input = child.stdin.take().context("it has no input")?;
        let output = BufReader::new(child.stdout.take().context("it has no output")?);
        let mut spark = Self { child, input, output, version: String::new(), folder };
        spark.version = spark.line()?;
        Ok(spark)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        ensure!(
            !line.is_empty(),
            "PySpark has ended; it needs Java 17 or later (apt-get install openjdk-17-jre-headless): {}",
            log()
        );
        Ok(line.trim().to_owned())
    }

    /// The processor time of one query, of all its processes.
    pub(crate) fn run(&mut self) -> anyhow::Result<Duration> {
        writeln!(self.input, "run")?;
        Ok(Duration::from_nanos(self.line()?.parse()?))
    }

    /// What the function yields, in the order of the rows.
    pub(crate) fn answers(&mut self) -> anyhow::Result<Vec<f64>> {
        let path = self.folder.path().join("answers.parquet");
        writeln!(self.input, "answers {}", path.display())?;
        self.line()?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
        let mut answers = Vec::new();
        for batch in reader {
            answers.extend(batch?.column(0).as_primitive::<Float64Type>().values().iter());
        }
        Ok(answers)
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        // It ends its own Java and its workers when it is told so.
        let _ = writeln!(self.input, "stop");
        let _ = self.child.wait();
    }
}

/// The Python that has PySpark.
fn installed(cache_dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = cache_dir.join("bench/python-pyspark");
    let (python, stamp) = (folder.join("bin/python"), folder.join("packages"));
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("installing {} into {}", PACKAGES.join(" "), folder.display());
    let ran = |command: &mut Command| -> anyhow::Result<()> {
        let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
        ensure!(status.success(), "{command:?} failed");
        Ok(())
    };
    ran(Command::new(crate::peer::program()).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    ran(Command::new(&python).args(pip).args(PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// The batches as one Parquet file, the rows numbered.
fn write(path: &Path, batches: &[RecordBatch]) -> anyhow::Result<()> {
    let all = concat_batches(&batches[0].schema(), batches)?;
    let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..all.num_rows() as i64));
    let (x, y) = (Arc::clone(all.column(0)), Arc::clone(all.column(1)));
    let table = RecordBatch::try_from_iter([("row", rows), ("x", x), ("y", y)])?;
    write_parquet(path, &table)
}
