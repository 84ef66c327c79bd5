//! The rows that are measured: the same in every run.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Times in microseconds, UTC.
pub(crate) fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

/// Writes a file as the library's defaults have it.
pub(crate) fn write_parquet(path: &Path, rows: &RecordBatch) -> anyhow::Result<()> {
    let mut writer = ArrowWriter::try_new(File::create(path)?, rows.schema(), None)?;
    writer.write(rows)?;
    writer.close()?;
    Ok(())
}

/// Rows of a full batch.
pub(crate) const ROWS: usize = 8192;

pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new() -> Self {
        Self(ChaCha8Rng::seed_from_u64(20_260_801))
    }

    /// A number from 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }

    fn floats(&mut self, rows: usize, low: f64, high: f64) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..rows).map(|_| self.between(low, high))))
    }

    /// Two points on a sphere, in degrees.
    pub(crate) fn points(&mut self, rows: usize) -> RecordBatch {
        let (lat1, lon1) = (self.floats(rows, -90.0, 90.0), self.floats(rows, -180.0, 180.0));
        let (lat2, lon2) = (self.floats(rows, -90.0, 90.0), self.floats(rows, -180.0, 180.0));
        batch(&[("lat1", lat1), ("lon1", lon1), ("lat2", lat2), ("lon2", lon2)])
    }

    pub(crate) fn one_float(&mut self, rows: usize) -> RecordBatch {
        batch(&[("x", self.floats(rows, -10.0, 10.0))])
    }

    pub(crate) fn two_floats(&mut self, rows: usize) -> RecordBatch {
        batch(&[
            ("x", self.floats(rows, -1000.0, 1000.0)),
            ("y", self.floats(rows, -1000.0, 1000.0)),
        ])
    }

    pub(crate) fn words(&mut self, rows: usize) -> RecordBatch {
        let words = UInt64Array::from_iter_values((0..rows).map(|_| self.0.next_u64()));
        batch(&[("x", Arc::new(words))])
    }

    /// Product titles as shops have them: mostly ASCII, with white space
    /// around them, and one in ten not there.
    pub(crate) fn titles(&mut self, rows: usize) -> RecordBatch {
        const WORDS: [&str; 12] = [
            "Running", "SHOES", "blue", "Cafe", "Müsli", "Red", "cotton", "T-Shirt", "XL", "Größe",
            "Set", "No. 7",
        ];
        let titles = StringArray::from_iter((0..rows).map(|_| {
            (self.below(10) != 0).then(|| {
                let count = 1 + self.below(5);
                let words: Vec<&str> = (0..count).map(|_| WORDS[self.below(WORDS.len())]).collect();
                let (before, after) = (self.below(3), self.below(3));
                format!("{}{}{}", " ".repeat(before), words.join(" "), " ".repeat(after))
            })
        }));
        batch(&[("text", Arc::new(titles))])
    }
}

pub(crate) fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let columns = columns.iter().map(|(name, column)| (*name, Arc::clone(column), true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("the columns are of one length")
}
