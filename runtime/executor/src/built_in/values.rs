//! Values of aggregates as Arrow columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, ListArray, PrimitiveBuilder, StringBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Field as ArrowField,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use unskew_aggregate::{OutputKind, Overflow, Value, ValueKind};
use unskew_host::{CallMetrics, Outcome, RowError, RowStatus};
use unskew_plan::data_type;

/// The values of an aggregate in the making, of which some may be errors.
pub(crate) struct OutcomeBuilder {
    values: ValueBuilder,
    rows: usize,
    errors: Vec<RowError>,
}

impl OutcomeBuilder {
    /// For about so many rows.
    pub(crate) fn new(output: OutputKind, rows: usize) -> Self {
        Self { values: ValueBuilder::new(output, rows), rows: 0, errors: Vec::new() }
    }

    pub(crate) fn append(&mut self, value: Result<Option<Value>, Overflow>) {
        match value {
            Ok(value) => self.values.append(value.as_ref()),
            Err(overflow) => {
                self.values.append(None);
                let (row, message) = (self.rows, overflow.to_string());
                self.errors.push(RowError { row, status: RowStatus::Failed, message });
            }
        }
        self.rows += 1;
    }

    pub(crate) fn finish(self) -> Outcome {
        let Self { values, rows: _, errors } = self;
        let failed: Vec<usize> = errors.iter().map(|error| error.row).collect();
        let columns = vec![values.finish(&failed)];
        Outcome { columns, errors, metrics: CallMetrics::default() }
    }
}

/// A column of an aggregate's output in the making.
enum ValueBuilder {
    Scalar(ScalarBuilder),
    List {
        items: ScalarBuilder,
        /// Where each list begins, and the last one ends.
        offsets: Vec<i32>,
    },
}

macro_rules! scalar_builder {
    ($($variant:ident($arrow:ty) = $value:ident $(as $native:ty)?),* $(,)?) => {
        enum ScalarBuilder {
            Bool(BooleanBuilder),
            Utf8(StringBuilder),
            Binary(BinaryBuilder),
            $($variant(PrimitiveBuilder<$arrow>),)*
        }

        impl ScalarBuilder {
            /// # Panics
            ///
            /// When the value is of another kind.
            fn append(&mut self, value: Option<&Value>) {
                match (self, value) {
                    (Self::Bool(to), None) => to.append_null(),
                    (Self::Utf8(to), None) => to.append_null(),
                    (Self::Binary(to), None) => to.append_null(),
                    $((Self::$variant(to), None) => to.append_null(),)*
                    (Self::Bool(to), Some(Value::Bool(value))) => to.append_value(*value),
                    (Self::Utf8(to), Some(Value::Utf8(value))) => to.append_value(value),
                    (Self::Binary(to), Some(Value::Binary(value))) => to.append_value(value),
                    $((Self::$variant(to), Some(Value::$value(value))) => {
                        to.append_value(*value $(as $native)?);
                    })*
                    (_, Some(value)) => panic!("{value:?} is not of the column's type"),
                }
            }

            fn finish(&mut self) -> ArrayRef {
                match self {
                    Self::Bool(to) => Arc::new(to.finish()),
                    Self::Utf8(to) => Arc::new(to.finish()),
                    Self::Binary(to) => Arc::new(to.finish()),
                    $(Self::$variant(to) => Arc::new(to.finish()),)*
                }
            }
        }
    };
}

// A narrow column's aggregate gives values of that column, so none is cut.
scalar_builder! {
    Int8(Int8Type) = Int as i8,
    Int16(Int16Type) = Int as i16,
    Int32(Int32Type) = Int as i32,
    Int64(Int64Type) = Int,
    UInt8(UInt8Type) = UInt as u8,
    UInt16(UInt16Type) = UInt as u16,
    UInt32(UInt32Type) = UInt as u32,
    UInt64(UInt64Type) = UInt,
    Float32(Float32Type) = Float as f32,
    Float64(Float64Type) = Float,
    Date32(Date32Type) = Date,
    Timestamp(TimestampMicrosecondType) = Timestamp,
    Decimal128(Decimal128Type) = Decimal,
}

impl ScalarBuilder {
    fn new(kind: ValueKind, rows: usize) -> Self {
        fn primitive<T: ArrowPrimitiveType>(kind: ValueKind, rows: usize) -> PrimitiveBuilder<T> {
            PrimitiveBuilder::with_capacity(rows).with_data_type(data_type(kind).to_arrow())
        }
        match kind {
            ValueKind::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            ValueKind::Int8 => Self::Int8(primitive(kind, rows)),
            ValueKind::Int16 => Self::Int16(primitive(kind, rows)),
            ValueKind::Int32 => Self::Int32(primitive(kind, rows)),
            ValueKind::Int64 => Self::Int64(primitive(kind, rows)),
            ValueKind::UInt8 => Self::UInt8(primitive(kind, rows)),
            ValueKind::UInt16 => Self::UInt16(primitive(kind, rows)),
            ValueKind::UInt32 => Self::UInt32(primitive(kind, rows)),
            ValueKind::UInt64 => Self::UInt64(primitive(kind, rows)),
            ValueKind::Float32 => Self::Float32(primitive(kind, rows)),
            ValueKind::Float64 => Self::Float64(primitive(kind, rows)),
            ValueKind::Utf8 => Self::Utf8(StringBuilder::with_capacity(rows, 0)),
            ValueKind::Binary => Self::Binary(BinaryBuilder::with_capacity(rows, 0)),
            ValueKind::Date32 => Self::Date32(primitive(kind, rows)),
            ValueKind::Timestamp => Self::Timestamp(primitive(kind, rows)),
            ValueKind::Decimal128 { .. } => Self::Decimal128(primitive(kind, rows)),
        }
    }
}

impl ValueBuilder {
    /// A column for about so many rows.
    fn new(output: OutputKind, rows: usize) -> Self {
        match output {
            OutputKind::Scalar(kind) => Self::Scalar(ScalarBuilder::new(kind, rows)),
            OutputKind::List(kind) => {
                Self::List { items: ScalarBuilder::new(kind, rows), offsets: vec![0] }
            }
        }
    }

    /// Appends a value, or null. Only a failed row has a null list: as a list
    /// column has no nulls of its own here, `finish` is told of those.
    fn append(&mut self, value: Option<&Value>) {
        match self {
            Self::Scalar(to) => to.append(value),
            Self::List { items, offsets } => {
                let mut end = offsets[offsets.len() - 1];
                if let Some(Value::List(values)) = value {
                    values.iter().for_each(|value| items.append(Some(value)));
                    end += values.len() as i32;
                }
                offsets.push(end);
            }
        }
    }

    /// The column; `failed` rows, ascending, are null in it.
    fn finish(self, failed: &[usize]) -> ArrayRef {
        match self {
            Self::Scalar(mut to) => to.finish(),
            Self::List { mut items, offsets } => {
                let items = items.finish();
                let rows = offsets.len() - 1;
                let nulls = (!failed.is_empty())
                    .then(|| (0..rows).map(|row| failed.binary_search(&row).is_err()).collect());
                let field = ArrowField::new("item", items.data_type().clone(), false);
                debug_assert!(!matches!(items.data_type(), ArrowType::List(_)));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(Arc::new(field), offsets, items, nulls))
            }
        }
    }
}
