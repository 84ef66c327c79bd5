use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, FixedSizeListArray, Float32Array, ListArray,
    NullBufferBuilder, PrimitiveBuilder, StringBuilder, StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Field as ArrowField,
    Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use unskew_definition::DataType;

use super::calendar::{parse_date, parse_timestamp};
use super::number::{Reason, parse_decimal, parse_float, parse_integer};

/// A text is not a value of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is no {expected}: {reason}")]
pub struct ValueError {
    text: String,
    expected: String,
    reason: Reason,
}

impl ValueError {
    /// Long texts are shown by their beginning.
    const SHOWN: usize = 60;

    #[cold]
    fn new(text: &str, expected: impl ToString, reason: Reason) -> Self {
        let shown: String = text.chars().take(Self::SHOWN).collect();
        let more = if shown.len() < text.len() { "..." } else { "" };
        Self { text: format!("{shown:?}{more}"), expected: expected.to_string(), reason }
    }
}

/// Builds one column of a [`DataType`] from texts or JSON values.
///
/// The column has the type [`DataType::to_arrow`] gives. Nulls are taken
/// anywhere at the top, and inside of lists and structs where the type says
/// so. After an error the builder is of no use.
pub struct ColumnBuilder {
    data_type: DataType,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    UInt8(PrimitiveBuilder<UInt8Type>),
    UInt16(PrimitiveBuilder<UInt16Type>),
    UInt32(PrimitiveBuilder<UInt32Type>),
    UInt64(PrimitiveBuilder<UInt64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Utf8(StringBuilder),
    Binary(BinaryBuilder),
    Date32(PrimitiveBuilder<Date32Type>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
    Decimal {
        values: PrimitiveBuilder<Decimal128Type>,
        precision: u8,
        scale: u8,
    },
    List {
        offsets: Vec<i32>,
        validity: NullBufferBuilder,
        items: Box<ColumnBuilder>,
        nullable: bool,
    },
    FixedSizeList {
        values: Vec<f32>,
        validity: NullBufferBuilder,
        length: usize,
    },
    Struct {
        fields: Vec<FieldBuilder>,
        validity: NullBufferBuilder,
    },
}

struct FieldBuilder {
    name: String,
    nullable: bool,
    values: ColumnBuilder,
}

impl ColumnBuilder {
    /// A builder with room for `capacity` rows.
    pub fn new(data_type: &DataType, capacity: usize) -> Self {
        let values = match data_type {
            DataType::Bool => Values::Bool(BooleanBuilder::with_capacity(capacity)),
            DataType::Int8 => Values::Int8(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Int16 => Values::Int16(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Int32 => Values::Int32(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Int64 => Values::Int64(PrimitiveBuilder::with_capacity(capacity)),
            DataType::UInt8 => Values::UInt8(PrimitiveBuilder::with_capacity(capacity)),
            DataType::UInt16 => Values::UInt16(PrimitiveBuilder::with_capacity(capacity)),
            DataType::UInt32 => Values::UInt32(PrimitiveBuilder::with_capacity(capacity)),
            DataType::UInt64 => Values::UInt64(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Float32 => Values::Float32(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Float64 => Values::Float64(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Utf8 => Values::Utf8(StringBuilder::with_capacity(capacity, capacity * 8)),
            DataType::Binary => {
                Values::Binary(BinaryBuilder::with_capacity(capacity, capacity * 8))
            }
            DataType::Date32 => Values::Date32(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Timestamp => Values::Timestamp(PrimitiveBuilder::with_capacity(capacity)),
            DataType::Decimal128 { precision, scale } => Values::Decimal {
                values: PrimitiveBuilder::with_capacity(capacity),
                precision: *precision,
                scale: *scale,
            },
            DataType::List { item, nullable } => Values::List {
                offsets: vec![0],
                validity: NullBufferBuilder::new(capacity),
                items: Box::new(Self::new(item, capacity)),
                nullable: *nullable,
            },
            DataType::FixedSizeList { length } => Values::FixedSizeList {
                values: Vec::new(),
                validity: NullBufferBuilder::new(capacity),
                length: *length as usize,
            },
            DataType::Struct(fields) => Values::Struct {
                fields: fields
                    .iter()
                    .map(|field| FieldBuilder {
                        name: field.name.as_str().to_owned(),
                        nullable: field.nullable,
                        values: Self::new(&field.data_type, capacity),
                    })
                    .collect(),
                validity: NullBufferBuilder::new(capacity),
            },
        };
        Self { data_type: data_type.clone(), values }
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.append_null(),
            Values::Int8(values) => values.append_null(),
            Values::Int16(values) => values.append_null(),
            Values::Int32(values) => values.append_null(),
            Values::Int64(values) => values.append_null(),
            Values::UInt8(values) => values.append_null(),
            Values::UInt16(values) => values.append_null(),
            Values::UInt32(values) => values.append_null(),
            Values::UInt64(values) => values.append_null(),
            Values::Float32(values) => values.append_null(),
            Values::Float64(values) => values.append_null(),
            Values::Utf8(values) => values.append_null(),
            Values::Binary(values) => values.append_null(),
            Values::Date32(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::Decimal { values, .. } => values.append_null(),
            Values::List { offsets, validity, items, .. } => {
                offsets.push(items.len() as i32);
                validity.append_null();
            }
            Values::FixedSizeList { values, validity, length } => {
                values.resize(values.len() + *length, 0.0);
                validity.append_null();
            }
            Values::Struct { fields, validity } => {
                fields.iter_mut().for_each(|field| field.values.push_null());
                validity.append_null();
            }
        }
    }

    /// Adds the value that `text` spells. Lists and structs are spelled in JSON.
    pub fn push_text(&mut self, text: &str) -> Result<(), ValueError> {
        let pushed = match &mut self.values {
            Values::Bool(values) => parse_bool(text).map(|value| values.append_value(value)),
            Values::Int8(values) => append(values, parse_integer(text)),
            Values::Int16(values) => append(values, parse_integer(text)),
            Values::Int32(values) => append(values, parse_integer(text)),
            Values::Int64(values) => append(values, parse_integer(text)),
            Values::UInt8(values) => append(values, parse_integer(text)),
            Values::UInt16(values) => append(values, parse_integer(text)),
            Values::UInt32(values) => append(values, parse_integer(text)),
            Values::UInt64(values) => append(values, parse_integer(text)),
            Values::Float32(values) => append(values, parse_float(text)),
            Values::Float64(values) => append(values, parse_float(text)),
            Values::Utf8(values) => {
                values.append_value(text);
                Ok(())
            }
            Values::Binary(values) => BASE64
                .decode(text)
                .map(|bytes| values.append_value(bytes))
                .map_err(|error| format!("base64 with padding was expected ({error})").into()),
            Values::Date32(values) => append(values, parse_date32(text)),
            Values::Timestamp(values) => {
                append(values, parse_timestamp(text).map_err(Reason::from))
            }
            Values::Decimal { values, precision, scale } => {
                append(values, parse_decimal(text, *precision, *scale))
            }
            Values::List { .. } | Values::FixedSizeList { .. } | Values::Struct { .. } => {
                return match serde_json::from_str::<&RawValue>(text) {
                    Ok(value) => self.push_json(value),
                    Err(error) => {
                        let reason = format!("JSON was expected ({error})").into();
                        Err(ValueError::new(text, &self.data_type, reason))
                    }
                };
            }
        };
        pushed.map_err(|reason| ValueError::new(text, &self.data_type, reason))
    }

    /// Adds a JSON value, read from its digits, so that it is rounded once.
    pub fn push_json(&mut self, value: &RawValue) -> Result<(), ValueError> {
        let json = value.get();
        if json == "null" {
            self.push_null();
            return Ok(());
        }
        let wrong = |expected: &DataType, reason: Reason| ValueError::new(json, expected, reason);
        match &mut self.values {
            Values::List { offsets, validity, items, nullable } => {
                for item in array_of(json).map_err(|reason| wrong(&self.data_type, reason))? {
                    push_inside(items, item, *nullable, "an item")?;
                }
                let end = i32::try_from(items.len())
                    .map_err(|_| wrong(&self.data_type, "the column has too many items".into()))?;
                offsets.push(end);
                validity.append_non_null();
                Ok(())
            }
            Values::FixedSizeList { values, validity, length } => {
                let items = array_of(json).map_err(|reason| wrong(&self.data_type, reason))?;
                if items.len() != *length {
                    let reason = format!("it has {} items", items.len()).into();
                    return Err(wrong(&self.data_type, reason));
                }
                for item in items {
                    values.push(float32_of(item)?);
                }
                validity.append_non_null();
                Ok(())
            }
            Values::Struct { fields, validity } => {
                let Members(members) = serde_json::from_str(json).map_err(|error| {
                    wrong(&self.data_type, format!("an object was expected ({error})").into())
                })?;
                if let Some((name, _)) =
                    members.iter().find(|(name, _)| fields.iter().all(|field| field.name != *name))
                {
                    let reason = format!("it has no field {name:?}").into();
                    return Err(wrong(&self.data_type, reason));
                }
                for FieldBuilder { name, nullable, values } in fields {
                    match members.iter().find(|(member, _)| member == name) {
                        Some((_, value)) => {
                            push_inside(values, value, *nullable, &format!("field {name}"))?;
                        }
                        None if *nullable => values.push_null(),
                        None => {
                            let reason = format!("field {name} is missing").into();
                            return Err(wrong(&self.data_type, reason));
                        }
                    }
                }
                validity.append_non_null();
                Ok(())
            }
            _ => self.push_json_scalar(json),
        }
    }

    fn push_json_scalar(&mut self, json: &str) -> Result<(), ValueError> {
        use DataType::{Binary, Bool, Date32, Timestamp, Utf8};
        let first = json.as_bytes().first().copied().unwrap_or(b' ');
        let text_only = matches!(self.data_type, Utf8 | Binary | Date32 | Timestamp);
        match first {
            b'"' if self.data_type != Bool => {
                let text = unquoted(json).map_err(|reason| self.refusal(json, reason))?;
                self.push_text(&text)
            }
            b't' | b'f' if self.data_type == Bool => self.push_text(json),
            b'-' | b'0'..=b'9' if !text_only && self.data_type != Bool => self.push_text(json),
            _ if self.data_type == Bool => {
                Err(self.refusal(json, "true or false was expected".into()))
            }
            _ if text_only => Err(self.refusal(json, "a string was expected".into())),
            _ => {
                Err(self.refusal(json, "a number was expected, or a string that holds one".into()))
            }
        }
    }

    fn refusal(&self, text: &str, reason: Reason) -> ValueError {
        ValueError::new(text, &self.data_type, reason)
    }

    /// How many rows it holds.
    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match &self.values {
            Values::Bool(values) => values.len(),
            Values::Int8(values) => values.len(),
            Values::Int16(values) => values.len(),
            Values::Int32(values) => values.len(),
            Values::Int64(values) => values.len(),
            Values::UInt8(values) => values.len(),
            Values::UInt16(values) => values.len(),
            Values::UInt32(values) => values.len(),
            Values::UInt64(values) => values.len(),
            Values::Float32(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Utf8(values) => values.len(),
            Values::Binary(values) => values.len(),
            Values::Date32(values) => values.len(),
            Values::Timestamp(values) => values.len(),
            Values::Decimal { values, .. } => values.len(),
            Values::List { validity, .. }
            | Values::FixedSizeList { validity, .. }
            | Values::Struct { validity, .. } => validity.len(),
        }
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column.
    pub fn finish(self) -> ArrayRef {
        let arrow_type = self.data_type.to_arrow();
        match self.values {
            Values::Bool(mut values) => Arc::new(values.finish()),
            Values::Int8(values) => primitive(values, arrow_type),
            Values::Int16(values) => primitive(values, arrow_type),
            Values::Int32(values) => primitive(values, arrow_type),
            Values::Int64(values) => primitive(values, arrow_type),
            Values::UInt8(values) => primitive(values, arrow_type),
            Values::UInt16(values) => primitive(values, arrow_type),
            Values::UInt32(values) => primitive(values, arrow_type),
            Values::UInt64(values) => primitive(values, arrow_type),
            Values::Float32(values) => primitive(values, arrow_type),
            Values::Float64(values) => primitive(values, arrow_type),
            Values::Utf8(mut values) => Arc::new(values.finish()),
            Values::Binary(mut values) => Arc::new(values.finish()),
            Values::Date32(values) => primitive(values, arrow_type),
            Values::Timestamp(values) => primitive(values, arrow_type),
            Values::Decimal { values, .. } => primitive(values, arrow_type),
            Values::List { offsets, mut validity, items, nullable } => {
                let items = items.finish();
                let field = ArrowField::new("item", items.data_type().clone(), nullable);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(Arc::new(field), offsets, items, validity.finish()))
            }
            Values::FixedSizeList { values, mut validity, length } => {
                let rows = validity.len();
                let field = Arc::new(ArrowField::new("item", ArrowType::Float32, false));
                let values = Arc::new(Float32Array::from(values));
                let list = FixedSizeListArray::try_new_with_length(
                    field,
                    length as i32,
                    values,
                    validity.finish(),
                    rows,
                );
                Arc::new(list.expect("every row has pushed `length` values"))
            }
            Values::Struct { fields, mut validity } => {
                let ArrowType::Struct(arrow_fields) = arrow_type else {
                    unreachable!("a struct's Arrow type is a struct")
                };
                let arrow_fields: Fields = arrow_fields;
                let columns = fields.into_iter().map(|field| field.values.finish()).collect();
                Arc::new(StructArray::new(arrow_fields, columns, validity.finish()))
            }
        }
    }
}

fn append<T: ArrowPrimitiveType>(
    values: &mut PrimitiveBuilder<T>,
    value: Result<T::Native, Reason>,
) -> Result<(), Reason> {
    value.map(|value| values.append_value(value))
}

fn primitive<T: ArrowPrimitiveType>(mut values: PrimitiveBuilder<T>, to: ArrowType) -> ArrayRef {
    Arc::new(values.finish().with_data_type(to))
}

fn push_inside(
    values: &mut ColumnBuilder,
    value: &RawValue,
    nullable: bool,
    what: &str,
) -> Result<(), ValueError> {
    if !nullable && value.get() == "null" {
        let reason = format!("{what} is null, which the type does not allow").into();
        return Err(values.refusal("null", reason));
    }
    values.push_json(value)
}

fn parse_bool(text: &str) -> Result<bool, Reason> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err("true or false was expected".into())
    }
}

fn parse_date32(text: &str) -> Result<i32, Reason> {
    let days = parse_date(text)?;
    i32::try_from(days).map_err(|_| "it is beyond what 32 bits of days can hold".into())
}

fn float32_of(item: &RawValue) -> Result<f32, ValueError> {
    let json = item.get();
    let text = match json.as_bytes().first() {
        Some(b'"') => unquoted(json),
        Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(json)),
        _ => Err("a number was expected".into()),
    };
    text.and_then(|text| parse_float(&text))
        .map_err(|reason| ValueError::new(json, &DataType::Float32, reason))
}

fn array_of(json: &str) -> Result<Vec<&RawValue>, Reason> {
    serde_json::from_str(json).map_err(|error| format!("an array was expected ({error})").into())
}

/// A JSON value as bare text: a string without its quotes, anything else as it
/// is spelled.
pub fn json_text(value: &RawValue) -> Result<Cow<'_, str>, ValueError> {
    let json = value.get();
    if !json.starts_with('"') {
        return Ok(Cow::Borrowed(json));
    }
    unquoted(json).map_err(|reason| ValueError::new(json, DataType::Utf8, reason))
}

/// The text of a JSON string.
fn unquoted(json: &str) -> Result<Cow<'_, str>, Reason> {
    let inside = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside {
        Some(inside) if !inside.contains('\\') => Ok(Cow::Borrowed(inside)),
        _ => serde_json::from_str::<String>(json)
            .map(Cow::Owned)
            .map_err(|error| format!("the string is not well formed ({error})").into()),
    }
}

/// The members of a JSON object, each name once.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format_args!("two members {name:?}")));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}
