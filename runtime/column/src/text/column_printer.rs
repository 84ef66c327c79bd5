use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array,
    FixedSizeBinaryArray, PrimitiveArray, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Date64Type, Decimal128Type,
    Decimal256Type, DecimalType, Field, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::calendar::{print_date, print_time, print_timestamp};
use super::number::{print_float, print_integer};
use crate::arrow_name::arrow_name;

/// In which form a column is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// As JSON values.
    Json,
    /// As bare text: scalars only.
    Bare,
}

/// A column's type has no text form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} has no form in {form}")]
pub struct UnprintableType {
    found: String,
    form: &'static str,
}

/// Prints the values of one column, of our types or any other that Arrow can
/// hold and text can show.
pub struct ColumnPrinter {
    validity: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Null,
    Bool(BooleanArray),
    Int8(ScalarBuffer<i8>),
    Int16(ScalarBuffer<i16>),
    Int32(ScalarBuffer<i32>),
    Int64(ScalarBuffer<i64>),
    UInt8(ScalarBuffer<u8>),
    UInt16(ScalarBuffer<u16>),
    UInt32(ScalarBuffer<u32>),
    UInt64(ScalarBuffer<u64>),
    Float32(ScalarBuffer<f32>),
    Float64(ScalarBuffer<f64>),
    Utf8(StringArray),
    Binary(BinaryArray),
    FixedSizeBinary(FixedSizeBinaryArray),
    Date32(ScalarBuffer<i32>),
    Date64(ScalarBuffer<i64>),
    Timestamp { values: ScalarBuffer<i64>, unit: TimeUnit, utc: bool },
    Time32 { values: ScalarBuffer<i32>, unit: TimeUnit },
    Time64 { values: ScalarBuffer<i64>, unit: TimeUnit },
    Decimal128 { values: Decimal128Array, precision: u8, scale: i8 },
    Decimal256 { values: Decimal256Array, precision: u8, scale: i8 },
    List { offsets: OffsetBuffer<i32>, items: Box<ColumnPrinter> },
    FixedSizeList { length: usize, items: Box<ColumnPrinter> },
    Struct(Vec<(String, ColumnPrinter)>),
    Map { offsets: OffsetBuffer<i32>, keys: StringArray, values: Box<ColumnPrinter> },
}

/// Whole numbers up to this are exact in every JSON reader.
const EXACT_IN_JSON: u64 = 1 << 53;

impl ColumnPrinter {
    /// Whether columns of a type can be printed.
    pub fn check(data_type: &ArrowType, form: TextForm) -> Result<(), UnprintableType> {
        use ArrowType as T;
        let nested = match data_type {
            T::Null
            | T::Boolean
            | T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float16
            | T::Float32
            | T::Float64
            | T::Utf8
            | T::LargeUtf8
            | T::Utf8View
            | T::Binary
            | T::LargeBinary
            | T::BinaryView
            | T::FixedSizeBinary(_)
            | T::Date32
            | T::Date64
            | T::Timestamp(_, _)
            | T::Time32(_)
            | T::Time64(_)
            | T::Decimal32(_, _)
            | T::Decimal64(_, _)
            | T::Decimal128(_, _)
            | T::Decimal256(_, _) => return Ok(()),
            T::Dictionary(_, values) => return Self::check(values, form),
            T::RunEndEncoded(_, values) => return Self::check(values.data_type(), form),
            T::List(item)
            | T::LargeList(item)
            | T::ListView(item)
            | T::LargeListView(item)
            | T::FixedSizeList(item, _) => Some(vec![item.data_type()]),
            T::Struct(fields) => Some(fields.iter().map(|field| field.data_type()).collect()),
            T::Map(entries, _) => match entries.data_type() {
                T::Struct(fields) if fields.len() == 2 && is_text(fields[0].data_type()) => {
                    Some(vec![fields[1].data_type()])
                }
                _ => None,
            },
            T::Duration(_) | T::Interval(_) | T::Union(_, _) => None,
        };
        match nested {
            Some(inside) if form == TextForm::Json => {
                inside.into_iter().try_for_each(|inside| Self::check(inside, form))
            }
            _ => Err(UnprintableType {
                found: arrow_name(data_type),
                form: match form {
                    TextForm::Json => "JSON",
                    TextForm::Bare => "a text field",
                },
            }),
        }
    }

    /// A printer of `array`, whose type has passed [`ColumnPrinter::check`].
    pub fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        use ArrowType as T;
        let values = match array.data_type() {
            T::Null => {
                let validity = Some(NullBuffer::new_null(array.len()));
                return Ok(Self { validity, values: Values::Null });
            }
            T::Boolean => Values::Bool(array.as_boolean().clone()),
            T::Int8 => Values::Int8(native::<Int8Type>(array)),
            T::Int16 => Values::Int16(native::<Int16Type>(array)),
            T::Int32 => Values::Int32(native::<Int32Type>(array)),
            T::Int64 => Values::Int64(native::<Int64Type>(array)),
            T::UInt8 => Values::UInt8(native::<UInt8Type>(array)),
            T::UInt16 => Values::UInt16(native::<UInt16Type>(array)),
            T::UInt32 => Values::UInt32(native::<UInt32Type>(array)),
            T::UInt64 => Values::UInt64(native::<UInt64Type>(array)),
            T::Float16 => {
                let array: &PrimitiveArray<Float16Type> = array.as_primitive();
                Values::Float32(array.values().iter().map(|value| value.to_f32()).collect())
            }
            T::Float32 => Values::Float32(native::<Float32Type>(array)),
            T::Float64 => Values::Float64(native::<Float64Type>(array)),
            T::Utf8 => Values::Utf8(array.as_string().clone()),
            T::Binary => Values::Binary(array.as_binary().clone()),
            T::FixedSizeBinary(_) => Values::FixedSizeBinary(array.as_fixed_size_binary().clone()),
            T::Date32 => Values::Date32(native::<Date32Type>(array)),
            T::Date64 => Values::Date64(native::<Date64Type>(array)),
            T::Timestamp(unit, zone) => {
                let values = match unit {
                    TimeUnit::Second => native::<TimestampSecondType>(array),
                    TimeUnit::Millisecond => native::<TimestampMillisecondType>(array),
                    TimeUnit::Microsecond => native::<TimestampMicrosecondType>(array),
                    TimeUnit::Nanosecond => native::<TimestampNanosecondType>(array),
                };
                Values::Timestamp { values, unit: *unit, utc: zone.is_some() }
            }
            T::Time32(unit) => {
                let values = match unit {
                    TimeUnit::Second => native::<Time32SecondType>(array),
                    _ => native::<Time32MillisecondType>(array),
                };
                Values::Time32 { values, unit: *unit }
            }
            T::Time64(unit) => {
                let values = match unit {
                    TimeUnit::Microsecond => native::<Time64MicrosecondType>(array),
                    _ => native::<Time64NanosecondType>(array),
                };
                Values::Time64 { values, unit: *unit }
            }
            T::Decimal128(precision, scale) => Values::Decimal128 {
                values: array.as_primitive().clone(),
                precision: *precision,
                scale: *scale,
            },
            T::Decimal256(precision, scale) => Values::Decimal256 {
                values: array.as_primitive().clone(),
                precision: *precision,
                scale: *scale,
            },
            T::List(_) => {
                let list = array.as_list::<i32>();
                let items = Box::new(Self::new(list.values())?);
                Values::List { offsets: list.offsets().clone(), items }
            }
            T::FixedSizeList(_, length) => {
                let list = array.as_fixed_size_list();
                let items = Box::new(Self::new(list.values())?);
                Values::FixedSizeList { length: *length as usize, items }
            }
            T::Struct(fields) => {
                let columns = array.as_struct().columns();
                let printers = fields
                    .iter()
                    .zip(columns)
                    .map(|(field, column)| Ok((field.name().clone(), Self::new(column)?)));
                Values::Struct(printers.collect::<Result<_, ArrowError>>()?)
            }
            T::Map(_, _) => {
                let map = array.as_map();
                let keys = cast(map.keys(), &T::Utf8)?;
                Values::Map {
                    offsets: map.offsets().clone(),
                    keys: keys.as_string().clone(),
                    values: Box::new(Self::new(map.values())?),
                }
            }
            other => return Self::new(&cast(array, &plain(other)?)?),
        };
        Ok(Self { validity: array.logical_nulls(), values })
    }

    /// Whether there is no value in `row`.
    pub fn is_null(&self, row: usize) -> bool {
        self.validity.as_ref().is_some_and(|validity| validity.is_null(row))
    }

    /// Appends the value in `row` as JSON.
    pub fn print_json(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match &self.values {
            Values::Int64(values) if values[row].unsigned_abs() > EXACT_IN_JSON => {
                self.print_quoted(row, out);
            }
            Values::UInt64(values) if values[row] > EXACT_IN_JSON => self.print_quoted(row, out),
            Values::Float32(values) if !values[row].is_finite() => self.print_quoted(row, out),
            Values::Float64(values) if !values[row].is_finite() => self.print_quoted(row, out),
            Values::Utf8(values) => print_json_string(values.value(row), out),
            Values::Null
            | Values::Bool(_)
            | Values::Int8(_)
            | Values::Int16(_)
            | Values::Int32(_)
            | Values::Int64(_)
            | Values::UInt8(_)
            | Values::UInt16(_)
            | Values::UInt32(_)
            | Values::UInt64(_)
            | Values::Float32(_)
            | Values::Float64(_) => self.print_bare(row, out),
            Values::Binary(_)
            | Values::FixedSizeBinary(_)
            | Values::Date32(_)
            | Values::Date64(_)
            | Values::Timestamp { .. }
            | Values::Time32 { .. }
            | Values::Time64 { .. }
            | Values::Decimal128 { .. }
            | Values::Decimal256 { .. } => self.print_quoted(row, out),
            Values::List { offsets, items } => {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                print_json_array(items, range, out);
            }
            Values::FixedSizeList { length, items } => {
                print_json_array(items, row * length..(row + 1) * length, out);
            }
            Values::Struct(fields) => {
                out.push(b'{');
                for (i, (name, values)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    print_json_string(name, out);
                    out.push(b':');
                    values.print_json(row, out);
                }
                out.push(b'}');
            }
            Values::Map { offsets, keys, values } => {
                out.push(b'{');
                let start = offsets[row] as usize;
                for entry in start..offsets[row + 1] as usize {
                    if entry > start {
                        out.push(b',');
                    }
                    print_json_string(keys.value(entry), out);
                    out.push(b':');
                    values.print_json(entry, out);
                }
                out.push(b'}');
            }
        }
    }

    fn print_quoted(&self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        self.print_bare(row, out);
        out.push(b'"');
    }

    /// Appends the scalar in `row` as bare text; a null gives nothing.
    pub fn print_bare(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return;
        }
        match &self.values {
            Values::Null => {}
            Values::Bool(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            Values::Int8(values) => print_integer(values[row], out),
            Values::Int16(values) => print_integer(values[row], out),
            Values::Int32(values) => print_integer(values[row], out),
            Values::Int64(values) => print_integer(values[row], out),
            Values::UInt8(values) => print_integer(values[row], out),
            Values::UInt16(values) => print_integer(values[row], out),
            Values::UInt32(values) => print_integer(values[row], out),
            Values::UInt64(values) => print_integer(values[row], out),
            Values::Float32(values) => print_float(values[row], out),
            Values::Float64(values) => print_float(values[row], out),
            Values::Utf8(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Binary(values) => print_base64(values.value(row), out),
            Values::FixedSizeBinary(values) => print_base64(values.value(row), out),
            Values::Date32(values) => print_date(values[row].into(), out),
            Values::Date64(values) => {
                const DAY: i64 = 86_400_000;
                if values[row].rem_euclid(DAY) == 0 {
                    print_date(values[row].div_euclid(DAY), out);
                } else {
                    print_timestamp(values[row], TimeUnit::Millisecond, false, out);
                }
            }
            Values::Timestamp { values, unit, utc } => {
                print_timestamp(values[row], *unit, *utc, out);
            }
            Values::Time32 { values, unit } => print_time(values[row].into(), *unit, out),
            Values::Time64 { values, unit } => print_time(values[row], *unit, out),
            Values::Decimal128 { values, precision, scale } => {
                let text = Decimal128Type::format_decimal(values.value(row), *precision, *scale);
                out.extend_from_slice(text.as_bytes());
            }
            Values::Decimal256 { values, precision, scale } => {
                let text = Decimal256Type::format_decimal(values.value(row), *precision, *scale);
                out.extend_from_slice(text.as_bytes());
            }
            Values::List { .. }
            | Values::FixedSizeList { .. }
            | Values::Struct(_)
            | Values::Map { .. } => self.print_json(row, out),
        }
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn print_json_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text is written into memory");
}

fn print_json_array(items: &ColumnPrinter, range: std::ops::Range<usize>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, item) in range.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        items.print_json(item, out);
    }
    out.push(b']');
}

fn print_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(BASE64.encode(bytes).as_bytes());
}

fn native<T: ArrowPrimitiveType>(array: &ArrayRef) -> ScalarBuffer<T::Native> {
    array.as_primitive::<T>().values().clone()
}

fn is_text(data_type: &ArrowType) -> bool {
    matches!(data_type, ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View)
}

/// The type of the same values laid out in the one way that is printed.
fn plain(data_type: &ArrowType) -> Result<ArrowType, ArrowError> {
    use ArrowType as T;
    let list = |item: &Arc<Field>| T::List(Arc::clone(item));
    Ok(match data_type {
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView => T::Binary,
        T::Dictionary(_, values) => values.as_ref().clone(),
        T::RunEndEncoded(_, values) => values.data_type().clone(),
        T::LargeList(item) | T::ListView(item) | T::LargeListView(item) => list(item),
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) => {
            T::Decimal128(*precision, *scale)
        }
        other => {
            return Err(ArrowError::NotYetImplemented(format!(
                "{} has no text form",
                arrow_name(other)
            )));
        }
    })
}
