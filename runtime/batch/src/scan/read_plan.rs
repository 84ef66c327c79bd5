use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _};
use datafusion::arrow::datatypes::{DataType as ArrowType, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::RowGroupMetaData;
use unskew_executor::rows::{ColumnReader, SourceReader};
use unskew_plan::SourcePlan;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::open_file::OpenFile;
use crate::read_parquet::ParquetFile;
use crate::scan::positioned_file::PositionedFile;
use crate::scan::unit::{ParquetGroups, Unit};

/// Which rows of a source may matter, by their event times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeRange {
    /// Rows before it do not.
    pub(crate) from: Option<i64>,
    /// Rows after it do not.
    pub(crate) to: Option<i64>,
}

impl TimeRange {
    pub(crate) fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    pub(crate) fn contains(&self, time: i64) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time <= to)
    }

    fn meets(&self, least: i64, greatest: i64) -> bool {
        self.from.is_none_or(|from| from <= greatest) && self.to.is_none_or(|to| least <= to)
    }
}

/// What is to be read of a source's files, worked out from what they say of
/// themselves, before any row is read.
#[derive(Debug)]
pub(crate) struct ReadPlan {
    pub(crate) source: Arc<SourcePlan>,
    /// The names of the files.
    pub(crate) files: Arc<[Arc<str>]>,
    /// The fields that are read, ascending.
    pub(crate) fields: Vec<usize>,
    pub(crate) range: TimeRange,
    /// Pieces of the files, in their order.
    pub(crate) units: Vec<Unit>,
    /// Rows to read, as far as files say.
    pub(crate) rows: u64,
    /// About how many bytes the rows take in memory.
    pub(crate) bytes: u64,
    pub(crate) row_groups: usize,
    pub(crate) row_groups_pruned: usize,
    /// Columns of the files that are not read, of the first file.
    pub(crate) columns_pruned: usize,
    pub(crate) columns_read: usize,
}

/// Rows of a unit, about: small row groups are read together, so that threads
/// seldom ask for the next.
const UNIT_ROWS: u64 = 1 << 17;
/// What a text file's bytes become in memory, roughly; of packed ones it is not
/// known, and taken for this times as much.
const PACKED_BYTES: u64 = 6;

impl ReadPlan {
    /// Looks at all files.
    pub(crate) fn new(
        source: &Arc<SourcePlan>,
        files: &[PathBuf],
        fields: Vec<usize>,
        range: TimeRange,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, BatchError> {
        let names = files.iter().map(|file| Arc::from(file.display().to_string())).collect();
        let mut plan = Self {
            source: Arc::clone(source),
            files: names,
            fields,
            range,
            units: Vec::new(),
            rows: 0,
            bytes: 0,
            row_groups: 0,
            row_groups_pruned: 0,
            columns_pruned: 0,
            columns_read: 0,
        };
        for (file, path) in files.iter().enumerate() {
            if cancelled() {
                return Err(BatchError::Cancelled);
            }
            // What is no Parquet file of a local disk is read from its beginning to its end.
            match FileFormat::of(path) {
                Some(FileFormat::Parquet) if path.is_file() => plan.add_parquet(file, path)?,
                format => {
                    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
                    let is_packed = format.is_some_and(FileFormat::is_packed);
                    plan.bytes += if is_packed { bytes * PACKED_BYTES } else { bytes };
                    plan.units.push(Unit::Table { file, path: path.clone() });
                }
            }
        }
        Ok(plan)
    }

    fn add_parquet(&mut self, file: usize, path: &Path) -> Result<(), BatchError> {
        let needs = "a Parquet file is read from its end";
        let opened = ParquetFile::open(path, OpenFile::open_regular(path, needs)?)?;
        let reader = SourceReader::new(&self.source, &opened.schema)
            .map_err(|source| BatchError::Rows { path: path.to_owned(), source })?;
        let (_, columns) = reader.only(&self.fields);
        opened.check_columns(&columns)?;
        if self.columns_read == 0 {
            self.columns_read = columns.len();
            self.columns_pruned = opened.schema.fields().len() - columns.len();
        }
        let metadata = Arc::clone(opened.metadata.metadata());
        let groups = metadata.row_groups();
        let wanted = self.wanted_groups(&opened);
        self.row_groups += groups.len();
        self.row_groups_pruned += wanted.iter().filter(|wanted| !**wanted).count();
        let widths: u64 =
            columns.iter().map(|at| width(opened.schema.field(*at).data_type())).sum();
        let content = opened.file.local_file().and_then(PositionedFile::new);
        let content = content.map_err(|error| BatchError::reading(path, error))?;
        let opened = Arc::new(opened);
        let mut first_row = 0;
        let mut unit: Option<ParquetGroups> = None;
        for (group, is_wanted) in wanted.into_iter().enumerate() {
            let rows = u64::try_from(groups[group].num_rows()).unwrap_or(0);
            if is_wanted && rows > 0 {
                self.rows += rows;
                self.bytes += rows * widths + text_bytes(&groups[group], &opened, &columns);
                let unit = unit.get_or_insert_with(|| ParquetGroups {
                    file,
                    opened: Arc::clone(&opened),
                    content: content.clone(),
                    groups: Vec::new(),
                    rows: 0,
                });
                unit.groups.push((group, first_row));
                unit.rows += rows;
            }
            if unit.as_ref().is_some_and(|unit| unit.rows >= UNIT_ROWS) {
                self.units.extend(unit.take().map(Unit::Parquet));
            }
            first_row += rows;
        }
        self.units.extend(unit.map(Unit::Parquet));
        Ok(())
    }

    /// Of each row group, whether it may have rows of the range. One whose
    /// times are not known, or that has rows without a time (they are counted),
    /// is always read.
    fn wanted_groups(&self, opened: &ParquetFile) -> Vec<bool> {
        let groups = opened.metadata.metadata().row_groups();
        let all = vec![true; groups.len()];
        if self.range.is_whole() {
            return all;
        }
        let needed = [Some(self.source.event_timestamp), self.source.created_timestamp]
            .into_iter()
            .flatten();
        let has_nulls: Option<Vec<bool>> = needed
            .map(|field| nulls(opened, &self.source.fields[field].column, groups))
            .try_fold(vec![false; groups.len()], |any, nulls| {
                Some(any.iter().zip(nulls?).map(|(any, nulls)| *any || nulls).collect())
            });
        let time = &self.source.fields[self.source.event_timestamp].column;
        match (has_nulls, times(opened, time, groups)) {
            (Some(has_nulls), Some((least, greatest))) => {
                let is_known = |at: usize| least.is_valid(at) && greatest.is_valid(at);
                let meets = |at: usize| {
                    let value = |times: &ArrayRef| {
                        times.as_primitive::<TimestampMicrosecondType>().value(at)
                    };
                    self.range.meets(value(&least), value(&greatest))
                };
                let wanted = |at: usize| has_nulls[at] || !is_known(at) || meets(at);
                (0..groups.len()).map(wanted).collect()
            }
            _ => all,
        }
    }

    /// How rows come: the fields that are read, of exactly their types.
    pub(crate) fn field_names(&self) -> Vec<&str> {
        self.fields.iter().map(|at| self.source.fields[*at].name.as_str()).collect()
    }
}

/// The statistics of a column of times; only those whose type orders them as
/// their microseconds do.
fn converter<'a>(
    opened: &'a ParquetFile,
    schema: &'a SchemaRef,
    column: &str,
) -> Option<StatisticsConverter<'a>> {
    let descriptor = opened.metadata.parquet_schema();
    StatisticsConverter::try_new(column, schema, descriptor).ok()
}

fn nulls(opened: &ParquetFile, column: &str, groups: &[RowGroupMetaData]) -> Option<Vec<bool>> {
    let converter = converter(opened, opened.metadata.schema(), column)?;
    let converter = converter.with_missing_null_counts_as_zero(false);
    let counts = converter.row_group_null_counts(groups).ok()?;
    Some((0..groups.len()).map(|at| counts.is_null(at) || counts.value(at) > 0).collect())
}

/// The least and the greatest event time of each row group, in microseconds.
fn times(
    opened: &ParquetFile,
    column: &str,
    groups: &[RowGroupMetaData],
) -> Option<(ArrayRef, ArrayRef)> {
    let schema = opened.metadata.schema();
    let converter = converter(opened, schema, column)?;
    let field = schema.field_with_name(column).ok()?;
    if !matches!(field.data_type(), ArrowType::Timestamp(_, _)) {
        return None;
    }
    let micros = |times: ArrayRef| {
        let reader = ColumnReader::new(times.data_type(), &unskew_definition::DataType::Timestamp)?;
        let (times, faults) = reader.read(&times).ok()?;
        faults.is_empty().then_some(times)
    };
    let least = micros(converter.row_group_mins(groups).ok()?)?;
    let greatest = micros(converter.row_group_maxes(groups).ok()?)?;
    Some((least, greatest))
}

/// Bytes of a value in memory, without those of texts.
fn width(data_type: &ArrowType) -> u64 {
    match data_type {
        ArrowType::Struct(fields) => fields.iter().map(|field| width(field.data_type())).sum(),
        ArrowType::FixedSizeList(item, length) => {
            width(item.data_type()) * u64::try_from(*length).unwrap_or(0)
        }
        other => other.primitive_width().map_or(4, |width| width as u64),
    }
}

/// Bytes of the texts and lists of a row group.
fn text_bytes(group: &RowGroupMetaData, opened: &ParquetFile, columns: &[usize]) -> u64 {
    let schema = opened.metadata.parquet_schema();
    let leaves = group.columns().iter().enumerate();
    leaves
        .filter(|(leaf, _)| {
            let root = schema.get_column_root_idx(*leaf);
            columns.contains(&root)
                && opened.schema.field(root).data_type().primitive_width().is_none()
        })
        .map(|(_, column)| {
            let unpacked = column.unencoded_byte_array_data_bytes().unwrap_or(0);
            u64::try_from(column.uncompressed_size().max(unpacked)).unwrap_or(0)
        })
        .sum()
}
