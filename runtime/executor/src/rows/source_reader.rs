use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema, SchemaRef};
use unskew_column::{arrow_name, with_nulls};
use unskew_plan::{SourceField, SourcePlan};

use crate::arguments::{listed, similar};
use crate::rows::column_reader::ColumnReader;
use crate::rows::error::RowsError;

/// Makes the fields of a source out of the columns of a file, once it is
/// known which columns the file has.
///
/// Columns are found by the name that the source's field map gives, and read
/// by a [`ColumnReader`] each.
#[derive(Debug)]
pub struct SourceReader {
    /// None where a field is not wanted, or the file has no column for it.
    fields: Vec<Option<FieldReader>>,
    /// Fields for which the file has no column.
    missing: Vec<usize>,
    /// Fields that must fit a number of this type: places in a log.
    places: Vec<(usize, ArrowType)>,
    schema: SchemaRef,
}

#[derive(Debug)]
struct FieldReader {
    column_at: usize,
    values: ColumnReader,
}

/// Rows of a source.
#[derive(Clone, Debug)]
pub struct SourceRows {
    /// The fields of the source, of exactly their types, with canonical NaNs;
    /// null where a value could not be read.
    pub batch: RecordBatch,
    /// The values that could not be read, by row and then by field.
    pub faults: Vec<FieldFault>,
}

/// A value of a file that is none of its field's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The row, among those of the batch.
    pub row: usize,
    /// The field, by its index in the source.
    pub field: usize,
    /// What is wrong with the value.
    pub reason: String,
}

impl SourceReader {
    /// Finds the columns of `source` in a file's `schema`. A field that may be
    /// null may have none there: see [`Self::missing`].
    pub fn new(source: &SourcePlan, schema: &Schema) -> Result<Self, RowsError> {
        let mut missing = Vec::new();
        let mut fields = Vec::with_capacity(source.fields.len());
        for (at, field) in source.fields.iter().enumerate() {
            match FieldReader::new(source, field, schema) {
                Ok(reader) => fields.push(Some(reader)),
                Err(RowsError::MissingColumn { .. }) if field.nullable => {
                    fields.push(None);
                    missing.push(at);
                }
                Err(error) => return Err(error),
            }
        }
        let partition = source.partition.map(|field| (field, ArrowType::UInt32));
        let offset = source.offset.map(|field| (field, ArrowType::Int64));
        let places = partition.into_iter().chain(offset).collect();
        Ok(Self { fields, missing, places, schema: source_schema(source) })
    }

    /// As [`Self::new`], but every column has to be there.
    pub fn with_all_columns(source: &SourcePlan, schema: &Schema) -> Result<Self, RowsError> {
        let reader = Self::new(source, schema)?;
        let names = schema.fields().iter().map(|column| column.name().as_str());
        match reader.missing.first() {
            None => Ok(reader),
            Some(field) => Err(missing_column(source, &source.fields[*field], names)),
        }
    }

    /// The fields, ascending, for which the file has no column: they are null.
    /// That is for [`MissingFields`](crate::rows::MissingFields) to judge, which
    /// knows the other files.
    pub fn missing(&self) -> &[usize] {
        &self.missing
    }

    /// The same for these fields alone, all others are null; and the columns of
    /// the file that it reads, ascending: batches are to have these columns and
    /// no others.
    pub fn only(mut self, wanted: &[usize]) -> (Self, Vec<usize>) {
        for (at, field) in self.fields.iter_mut().enumerate() {
            if !wanted.contains(&at) {
                *field = None;
            }
        }
        let mut columns: Vec<usize> = self.fields.iter().flatten().map(|f| f.column_at).collect();
        columns.sort_unstable();
        columns.dedup();
        for field in self.fields.iter_mut().flatten() {
            field.column_at = columns.partition_point(|column| *column < field.column_at);
        }
        self.places.retain(|(field, _)| wanted.contains(field));
        (self, columns)
    }

    /// The rows of one batch of the file.
    pub fn read(&self, batch: &RecordBatch) -> Result<SourceRows, RowsError> {
        let mut faults = Vec::new();
        let mut columns = Vec::with_capacity(self.fields.len());
        for (field, reader) in self.fields.iter().enumerate() {
            let Some(reader) = reader else {
                let data_type = self.schema.field(field).data_type();
                columns.push(new_null_array(data_type, batch.num_rows()));
                continue;
            };
            let (column, unread) = reader.values.read(batch.column(reader.column_at))?;
            columns.push(column);
            faults.extend(unread.into_iter().map(|(row, reason)| FieldFault {
                row,
                field,
                reason,
            }));
        }
        for (field, number) in &self.places {
            columns[*field] = fitting(&columns[*field], number, *field, &mut faults)?;
        }
        faults.sort_by_key(|fault| (fault.row, fault.field));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(SourceRows { batch, faults })
    }
}

/// The columns that rows of `source` have: its fields in their order, each of
/// which may be null.
pub fn source_schema(source: &SourcePlan) -> SchemaRef {
    let fields = source.fields.iter().map(|SourceField { name, data_type, .. }| {
        ArrowField::new(name.as_str(), data_type.to_arrow(), true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl FieldReader {
    fn new(source: &SourcePlan, field: &SourceField, schema: &Schema) -> Result<Self, RowsError> {
        let names = || schema.fields().iter().map(|column| column.name().as_str());
        let mut places = names().enumerate().filter(|(_, name)| *name == field.column);
        let Some((column_at, _)) = places.next() else {
            return Err(missing_column(source, field, names()));
        };
        if places.next().is_some() {
            let (source_name, column) = (source.name.clone(), field.column.clone());
            return Err(RowsError::AmbiguousColumn { source_name, column });
        }
        let found = schema.field(column_at).data_type();
        let values = ColumnReader::new(found, &field.data_type).ok_or_else(|| {
            RowsError::WrongColumnType {
                source_name: source.name.clone(),
                field: field.name.clone(),
                column: field.column.clone(),
                found: arrow_name(found),
                wanted: field.data_type.to_string(),
            }
        })?;
        Ok(Self { column_at, values })
    }
}

/// The error for a field for which there is no column among `names`.
pub(super) fn missing_column<'a>(
    source: &SourcePlan,
    field: &SourceField,
    names: impl Iterator<Item = &'a str> + Clone,
) -> RowsError {
    let hint = similar(&field.column, names.clone())
        .map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
    RowsError::MissingColumn {
        source_name: source.name.clone(),
        field: field.name.clone(),
        column: field.column.clone(),
        known: listed(names),
        hint,
    }
}

/// The column with nulls, and faults, where a value is no number of the type.
fn fitting(
    column: &ArrayRef,
    number: &ArrowType,
    field: usize,
    faults: &mut Vec<FieldFault>,
) -> Result<ArrayRef, RowsError> {
    let numbers = cast(column, number)?;
    let beyond = (0..column.len()).filter(|row| numbers.is_null(*row) && column.is_valid(*row));
    let beyond: Vec<usize> = beyond.collect();
    if beyond.is_empty() {
        return Ok(ArrayRef::clone(column));
    }
    faults.extend(beyond.iter().map(|row| FieldFault {
        row: *row,
        field,
        reason: format!("it does not fit {}", arrow_name(number)),
    }));
    Ok(with_nulls(column, beyond.into_iter())?)
}
