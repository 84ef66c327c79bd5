use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema, SchemaRef};
use std::sync::Arc;

use unskew_column::{Conversion, InputFault, arrow_name};
use unskew_definition::{DataType, Field, TransformSignature};
pub(crate) use unskew_definition::{listed, similar};

use crate::error::{ArgumentError, TransformError};

/// Which column feeds which argument where their names differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnMapping(Vec<(String, String)>);

impl ColumnMapping {
    /// From pairs of an argument and its column. Arguments that are not named
    /// take the column of their own name.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The name of the column that feeds `argument`.
    pub fn column_of<'a>(&'a self, argument: &'a str) -> &'a str {
        self.0.iter().find(|(name, _)| name == argument).map_or(argument, |(_, column)| column)
    }

    /// Refuses what is no argument of the transform, and arguments named twice.
    pub fn check(&self, signature: &TransformSignature) -> Result<(), ArgumentError> {
        let transform = || signature.name.as_str().into();
        for (i, (argument, _)) in self.0.iter().enumerate() {
            if signature.inputs.iter().all(|input| input.name.as_str() != argument) {
                return Err(ArgumentError::UnknownArgument {
                    transform: transform(),
                    argument: argument.as_str().into(),
                    known: listed(signature.inputs.iter().map(|input| input.name.as_str())).into(),
                });
            }
            if self.0[..i].iter().any(|(earlier, _)| earlier == argument) {
                let argument = argument.as_str().into();
                return Err(ArgumentError::MappedTwice { transform: transform(), argument });
            }
        }
        Ok(())
    }
}

/// The arguments of a transform, each bound to the column that feeds it.
#[derive(Debug)]
pub(crate) struct Arguments {
    bound: Vec<Bound>,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Bound {
    name: String,
    column_at: usize,
    conversion: Conversion,
}

impl Arguments {
    pub(crate) fn bind(
        signature: &TransformSignature,
        mapping: &ColumnMapping,
        schema: &Schema,
    ) -> Result<Self, ArgumentError> {
        mapping.check(signature)?;
        let bound =
            signature.inputs.iter().map(|input| bind_one(signature, input, mapping, schema));
        let fields: Vec<_> = signature
            .inputs
            .iter()
            .map(|input| ArrowField::new(input.name.as_str(), input.data_type.to_arrow(), true))
            .collect();
        Ok(Self { bound: bound.collect::<Result<_, _>>()?, schema: Arc::new(Schema::new(fields)) })
    }

    /// The columns of the arguments, of exactly their types, and the rows that
    /// have a value which no argument can take (null in the columns).
    pub(crate) fn of(
        &self,
        batch: &RecordBatch,
    ) -> Result<(RecordBatch, Vec<InputFault>), TransformError> {
        let mut faults: Vec<InputFault> = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.bound.len());
        for Bound { name, column_at, conversion } in &self.bound {
            let internal = |source| TransformError::Column { argument: name.clone(), source };
            let (column, column_faults) =
                conversion.apply(batch.column(*column_at)).map_err(internal)?;
            faults.extend(column_faults.into_iter().map(|fault| InputFault {
                row: fault.row,
                reason: format!("argument {name}: {}", fault.reason),
            }));
            columns.push(column);
        }
        // Stable: of several faults of a row that of the first argument stays.
        faults.sort_by_key(|fault| fault.row);
        faults.dedup_by_key(|fault| fault.row);
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let arguments =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
                .map_err(|source| TransformError::Columns { source })?;
        Ok((arguments, faults))
    }
}

fn bind_one(
    signature: &TransformSignature,
    input: &Field,
    mapping: &ColumnMapping,
    schema: &Schema,
) -> Result<Bound, ArgumentError> {
    let transform = || signature.name.as_str().into();
    let argument = || input.name.as_str().into();
    let column = mapping.column_of(input.name.as_str());
    let mut found = schema.fields().iter().enumerate().filter(|(_, field)| field.name() == column);
    let Some((column_at, field)) = found.next() else {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        return Err(ArgumentError::MissingColumn {
            transform: transform(),
            argument: argument(),
            column: column.into(),
            known: listed(names()).into(),
            hint: similar(column, names())
                .map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
                .into(),
        });
    };
    if found.next().is_some() {
        return Err(ArgumentError::AmbiguousColumn {
            transform: transform(),
            argument: argument(),
            column: column.into(),
        });
    }
    match Conversion::between(field.data_type(), &input.data_type) {
        Some(conversion) => Ok(Bound { name: input.name.to_string(), column_at, conversion }),
        None => Err(ArgumentError::WrongType {
            transform: transform(),
            argument: argument(),
            column: column.into(),
            found: arrow_name(field.data_type()).into(),
            wanted: input.data_type.to_string().into(),
            fix: fix(field.data_type(), &input.data_type).into(),
        }),
    }
}

/// What to do about a column whose type does not fit.
fn fix(found: &ArrowType, wanted: &DataType) -> String {
    let declare = fitting_type(found);
    let or_declare = declare
        .as_ref()
        .map_or_else(String::new, |declared| format!(", or declare the argument as {declared}"));
    let convert = format!("convert the column to {wanted} before{or_declare}");
    let is_float = |wanted: &DataType| wanted.is_float();
    match wanted {
        wanted if is_float(wanted) && found.is_integer() => {
            format!("whole numbers never become floats by themselves: {convert}")
        }
        DataType::Float32 if *found == ArrowType::Float64 => {
            format!("it would be rounded: {convert}")
        }
        wanted if found.is_integer() && is_integer(wanted) => {
            format!("{wanted} does not hold every {}: {convert}", arrow_name(found))
        }
        DataType::Decimal128 { .. } if is_decimal(found) => {
            format!("{wanted} does not hold every {}: {convert}", arrow_name(found))
        }
        DataType::FixedSizeList { length } => {
            format!("it takes lists of {length} float32: {convert}")
        }
        DataType::Struct(_) if matches!(found, ArrowType::Struct(_)) => {
            format!(
                "every field of the argument must be there, by name and with a type that fits: {convert}"
            )
        }
        _ => convert,
    }
}

fn is_integer(wanted: &DataType) -> bool {
    wanted.to_arrow().is_integer()
}

fn is_decimal(found: &ArrowType) -> bool {
    matches!(
        found,
        ArrowType::Decimal32(_, _)
            | ArrowType::Decimal64(_, _)
            | ArrowType::Decimal128(_, _)
            | ArrowType::Decimal256(_, _)
    )
}

/// The narrowest scalar type, in the order of their widths, that a column fits
/// without loss; none for lists, structs and columns of nulls alone.
pub fn fitting_type(found: &ArrowType) -> Option<DataType> {
    use DataType as D;
    let scalars = [
        D::Bool,
        D::Int8,
        D::Int16,
        D::Int32,
        D::Int64,
        D::UInt8,
        D::UInt16,
        D::UInt32,
        D::UInt64,
        D::Float32,
        D::Float64,
        D::Utf8,
        D::Binary,
        D::Date32,
        D::Timestamp,
    ];
    let decimal = match found {
        ArrowType::Decimal32(p, s)
        | ArrowType::Decimal64(p, s)
        | ArrowType::Decimal128(p, s)
        | ArrowType::Decimal256(p, s) => {
            u8::try_from(*s).ok().map(|scale| D::Decimal128 { precision: *p, scale })
        }
        _ => None,
    };
    decimal
        .into_iter()
        .chain(scalars)
        .find(|scalar| *found != ArrowType::Null && Conversion::between(found, scalar).is_some())
}
