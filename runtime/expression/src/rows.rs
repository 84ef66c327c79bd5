use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::error::ArrowError;
use unskew_host::RowStatus;

/// A row that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) row: u32,
    pub(crate) status: RowStatus,
    pub(crate) message: String,
}

/// What an expression yields for some rows. The values of rows that failed
/// are of no account.
pub(crate) struct Evaluated {
    pub(crate) values: ArrayRef,
    /// Ascending by row, each row once.
    pub(crate) failures: Vec<Failure>,
}

/// The rows that are evaluated: the columns that an expression reads, the
/// others left out.
pub(crate) struct Rows {
    pub(crate) columns: Vec<Option<ArrayRef>>,
    pub(crate) count: usize,
}

impl Rows {
    /// Some of these rows, with the columns named by `columns` alone.
    pub(crate) fn take(&self, columns: &[usize], rows: &[u32]) -> Result<Self, ArrowError> {
        let indices = UInt32Array::from(rows.to_vec());
        let mut taken = vec![None; self.columns.len()];
        for &column in columns {
            let values = self.columns[column].as_ref();
            taken[column] = values.map(|values| take(values, &indices, None)).transpose()?;
        }
        Ok(Self { columns: taken, count: rows.len() })
    }
}

/// Puts the values of some rows in their places among `count` rows, the others
/// null.
pub(crate) fn scatter(
    values: &ArrayRef,
    rows: &[u32],
    count: usize,
) -> Result<ArrayRef, ArrowError> {
    let mut places: Vec<Option<u32>> = vec![None; count];
    for (at, &row) in rows.iter().enumerate() {
        places[row as usize] = Some(at as u32);
    }
    take(values, &UInt32Array::from(places), None)
}

/// The failures of rows that were evaluated apart, as those of the rows they
/// are.
pub(crate) fn among(failures: Vec<Failure>, rows: &[u32]) -> Vec<Failure> {
    failures.into_iter().map(|f| Failure { row: rows[f.row as usize], ..f }).collect()
}

/// Two lists of failures as one; of a row that is in both the first counts.
pub(crate) fn both(mut first: Vec<Failure>, second: Vec<Failure>) -> Vec<Failure> {
    if second.is_empty() {
        return first;
    }
    first.extend(second);
    // Stable, so that of two of a row that of the first list stays.
    first.sort_by_key(|failure| failure.row);
    first.dedup_by_key(|failure| failure.row);
    first
}

/// The rows below `count` that have not failed.
pub(crate) fn sound(failures: &[Failure], count: usize) -> Vec<u32> {
    let mut failed = failures.iter().map(|failure| failure.row).peekable();
    (0..count as u32).filter(|row| failed.next_if_eq(row).is_none()).collect()
}

/// A mask without the rows that failed: what they yield decides nothing.
pub(crate) fn without_failed(mask: &BooleanArray, failures: &[Failure]) -> BooleanArray {
    if failures.is_empty() {
        return mask.clone();
    }
    let mut valid = vec![true; mask.len()];
    for failure in failures {
        valid[failure.row as usize] = false;
    }
    let nulls = NullBuffer::union(mask.nulls(), Some(&NullBuffer::from(valid)));
    BooleanArray::new(mask.values().clone(), nulls)
}
