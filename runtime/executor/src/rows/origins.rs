use std::sync::Arc;

/// Where rows came from: a file, and the row there, counted from 0. Eight bytes
/// for each row.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    files: Arc<[Arc<str>]>,
    rows: Vec<u64>,
}

/// So many bits of an origin number the row in its file.
const ROW_BITS: u32 = 40;

impl Origins {
    /// Of rows that [`Self::pack`] made numbers of; `files` by their index.
    pub fn new(files: Arc<[Arc<str>]>, rows: Vec<u64>) -> Self {
        Self { files, rows }
    }

    /// Nobody will ask where these rows came from.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// The file at `file` and the row `row` in it as one number. There are at
    /// most 2^24 files of 2^40 rows.
    pub fn pack(file: usize, row: u64) -> u64 {
        (file as u64) << ROW_BITS | (row & ((1 << ROW_BITS) - 1))
    }

    /// The file and the row of one number.
    pub fn unpack(origin: u64) -> (usize, u64) {
        ((origin >> ROW_BITS) as usize, origin & ((1 << ROW_BITS) - 1))
    }

    /// Where the row at `row` came from, if that is known.
    pub fn get(&self, row: usize) -> Option<(Arc<str>, u64)> {
        let (file, row) = Self::unpack(*self.rows.get(row)?);
        Some((Arc::clone(self.files.get(file)?), row))
    }

    /// Files whose names ascend, and the numbers of the rows that go with them.
    pub(crate) fn sorted(mut files: Vec<Arc<str>>, mut rows: Vec<u64>) -> Self {
        let before = files.clone();
        files.sort();
        files.dedup();
        if files != before {
            let place = |name: &Arc<str>| files.partition_point(|file| file < name);
            let places: Vec<usize> = before.iter().map(place).collect();
            for origin in &mut rows {
                let (file, row) = Self::unpack(*origin);
                *origin = Self::pack(places[file], row);
            }
        }
        Self { files: files.into(), rows }
    }

    /// The number of one row; they ascend by file name and row.
    pub(crate) fn number(&self, row: usize) -> u64 {
        self.rows.get(row).copied().unwrap_or(0)
    }

    /// Those of these rows, in this order.
    pub(crate) fn take(&self, rows: &[u32]) -> Self {
        let numbers = match self.rows.is_empty() {
            true => Vec::new(),
            false => rows.iter().map(|row| self.rows[*row as usize]).collect(),
        };
        Self { files: Arc::clone(&self.files), rows: numbers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_files_when_names_are_sorted() {
        let files = vec![Arc::from("b"), Arc::from("a"), Arc::from("b")];
        let rows = vec![Origins::pack(0, 7), Origins::pack(1, 3), Origins::pack(2, 9)];
        let origins = Origins::sorted(files, rows);
        let of = |row| origins.get(row).map(|(file, row)| (file.to_string(), row));
        assert_eq!(of(0), Some(("b".to_owned(), 7)));
        assert_eq!(of(1), Some(("a".to_owned(), 3)));
        assert_eq!(of(2), Some(("b".to_owned(), 9)));
        assert!(origins.number(1) < origins.number(0) && origins.number(0) < origins.number(2));
        assert_eq!(Origins::unknown().get(0), None);
    }
}
