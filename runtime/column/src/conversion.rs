use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, ListArray,
    NullBufferBuilder, PrimitiveArray, StructArray, TimestampMicrosecondArray, UInt64Array,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{TakeOptions, cast, filter, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, Field, FieldRef, Float32Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::error::ArrowError;
use unskew_definition::DataType;

use crate::arrow_name::arrow_name;

/// How the values of a column become those of an argument: worked out once
/// from the two types, and refused there if any value could change.
///
/// What only the data can tell (a date64 within a day, a null inside of a list
/// whose items are never null) is a fault of that row alone.
#[derive(Clone, Debug)]
pub struct Conversion(Rule);

impl Conversion {
    /// From a column's type to an argument's; `None` if values could change.
    pub fn between(found: &ArrowType, wanted: &DataType) -> Option<Self> {
        Rule::between(found, wanted).map(Self)
    }

    /// A column of the argument's type and the rows, ascending, that have no
    /// place in it. `array` has the type that the conversion was made for.
    pub fn apply(&self, array: &ArrayRef) -> Result<Converted, ArrowError> {
        self.0.apply(array)
    }
}

#[derive(Clone, Debug)]
enum Rule {
    /// The same type already.
    Keep,
    /// A column of the type `null`.
    Nulls(ArrowType),
    /// Arrow's own kernel, for pairs of types where it is exact.
    Cast(ArrowType),
    Timestamp(TimeUnit),
    Date64,
    Decimal {
        found_scale: i8,
        precision: u8,
        scale: u8,
    },
    Dictionary {
        values: Box<Rule>,
    },
    List {
        found_item: FieldRef,
        item: Box<Rule>,
        wanted_item: FieldRef,
    },
    FixedSizeList {
        found_item: FieldRef,
        item: Box<Rule>,
        length: usize,
    },
    Struct {
        fields: Vec<FieldConversion>,
        wanted: ArrowType,
    },
}

#[derive(Clone, Debug)]
struct FieldConversion {
    found_at: usize,
    conversion: Rule,
    name: String,
    nullable: bool,
}

/// A row whose value is not one of the argument's, and why. The value is null
/// in the converted column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFault {
    /// The row's index.
    pub row: usize,
    /// Why.
    pub reason: String,
}

/// What a conversion gives: a column of the argument's type and the rows,
/// ascending, that have no place in it.
pub type Converted = (ArrayRef, Vec<InputFault>);

impl Rule {
    fn between(found: &ArrowType, wanted: &DataType) -> Option<Self> {
        use ArrowType as T;
        let target = wanted.to_arrow();
        match (found, wanted) {
            (T::Null, _) => Some(Self::Nulls(target)),
            (T::Dictionary(_, values), _) => {
                let values = Box::new(Self::between(values, wanted)?);
                Some(Self::Dictionary { values })
            }
            (T::Timestamp(unit, _), DataType::Timestamp) => Some(Self::Timestamp(*unit)),
            (T::Date64, DataType::Date32) => Some(Self::Date64),
            (
                T::Decimal32(digits, found_scale)
                | T::Decimal64(digits, found_scale)
                | T::Decimal128(digits, found_scale)
                | T::Decimal256(digits, found_scale),
                DataType::Decimal128 { precision, scale },
            ) => {
                let before = i16::from(*digits) - i16::from(*found_scale);
                let fits = i16::from(*found_scale) <= i16::from(*scale)
                    && before <= i16::from(*precision) - i16::from(*scale);
                let (found_scale, precision, scale) = (*found_scale, *precision, *scale);
                fits.then_some(Self::Decimal { found_scale, precision, scale })
            }
            (
                T::List(found_item)
                | T::LargeList(found_item)
                | T::ListView(found_item)
                | T::LargeListView(found_item)
                | T::FixedSizeList(found_item, _),
                DataType::List { item, nullable },
            ) => Some(Self::List {
                found_item: Arc::clone(found_item),
                item: Box::new(Self::between(found_item.data_type(), item)?),
                wanted_item: Arc::new(Field::new("item", item.to_arrow(), *nullable)),
            }),
            (T::FixedSizeList(_, found_length), DataType::FixedSizeList { length })
                if *found_length as i64 != i64::from(*length) =>
            {
                None
            }
            (
                T::FixedSizeList(found_item, _)
                | T::List(found_item)
                | T::LargeList(found_item)
                | T::ListView(found_item)
                | T::LargeListView(found_item),
                DataType::FixedSizeList { length },
            ) => Some(Self::FixedSizeList {
                found_item: Arc::clone(found_item),
                item: Box::new(Self::between(found_item.data_type(), &DataType::Float32)?),
                length: *length as usize,
            }),
            (T::Struct(found_fields), DataType::Struct(wanted_fields)) => {
                let fields = wanted_fields.iter().map(|field| {
                    let (found_at, found) = found_fields.find(field.name.as_str())?;
                    let conversion = Self::between(found.data_type(), &field.data_type)?;
                    let name = field.name.as_str().to_owned();
                    Some(FieldConversion { found_at, conversion, name, nullable: field.nullable })
                });
                Some(Self::Struct { fields: fields.collect::<Option<_>>()?, wanted: target })
            }
            _ if *found == target => Some(Self::Keep),
            _ if widens(found, wanted) => Some(Self::Cast(target)),
            _ => None,
        }
    }

    fn apply(&self, array: &ArrayRef) -> Result<Converted, ArrowError> {
        match self {
            Self::Keep => Ok((Arc::clone(array), Vec::new())),
            Self::Nulls(target) => Ok((new_null_array(target, array.len()), Vec::new())),
            Self::Cast(target) => Ok((cast(array, target)?, Vec::new())),
            Self::Timestamp(unit) => Ok(timestamp(array, *unit)),
            Self::Date64 => Ok(date64(array)),
            Self::Decimal { found_scale, precision, scale } => {
                decimal(array, *found_scale, *precision, *scale)
            }
            Self::Dictionary { values } => dictionary(array, values),
            Self::List { found_item, item, wanted_item } => {
                list(array, found_item, item, wanted_item)
            }
            Self::FixedSizeList { found_item, item, length } => {
                fixed_size_list(array, found_item, item, *length)
            }
            Self::Struct { fields, wanted } => structure(array, fields, wanted),
        }
    }
}

/// Whether a column of type `found` can feed an argument of type `wanted`
/// without loss.
pub fn converts(found: &ArrowType, wanted: &DataType) -> bool {
    Rule::between(found, wanted).is_some()
}

/// Whether every value of `found` is a value of `wanted`, by Arrow's cast.
fn widens(found: &ArrowType, wanted: &DataType) -> bool {
    use ArrowType as T;
    match wanted {
        DataType::Int16 => matches!(found, T::Int8 | T::UInt8),
        DataType::Int32 => matches!(found, T::Int8 | T::Int16 | T::UInt8 | T::UInt16),
        DataType::Int64 => {
            matches!(found, T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32)
        }
        DataType::UInt16 => matches!(found, T::UInt8),
        DataType::UInt32 => matches!(found, T::UInt8 | T::UInt16),
        DataType::UInt64 => matches!(found, T::UInt8 | T::UInt16 | T::UInt32),
        DataType::Float32 => matches!(found, T::Float16),
        DataType::Float64 => matches!(found, T::Float16 | T::Float32),
        DataType::Utf8 => matches!(found, T::LargeUtf8 | T::Utf8View),
        DataType::Binary => {
            matches!(found, T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_))
        }
        _ => false,
    }
}

/// Converts value by value; what `convert` refuses becomes null and a fault.
fn each<T: ArrowPrimitiveType, U: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    convert: impl Fn(T::Native) -> Result<U::Native, String>,
) -> (PrimitiveArray<U>, Vec<InputFault>) {
    let mut faults = Vec::new();
    let values = array.values().iter().enumerate().map(|(row, value)| {
        if array.is_null(row) {
            return U::default_value();
        }
        convert(*value).unwrap_or_else(|reason| {
            faults.push(InputFault { row, reason });
            U::default_value()
        })
    });
    let values = values.collect();
    let validity = without(array.nulls(), array.len(), &faults);
    (PrimitiveArray::new(values, validity), faults)
}

/// `validity` with the rows of `faults` null.
fn without(
    validity: Option<&NullBuffer>,
    rows: usize,
    faults: &[InputFault],
) -> Option<NullBuffer> {
    if faults.is_empty() {
        return validity.cloned();
    }
    let mut valid = vec![true; rows];
    faults.iter().for_each(|fault| valid[fault.row] = false);
    NullBuffer::union(validity, Some(&NullBuffer::from(valid)))
}

fn timestamp(array: &ArrayRef, unit: TimeUnit) -> Converted {
    let beyond = |_| "the time is beyond what 64 bits of microseconds can hold".to_owned();
    let scaled = |value: i64, factor: i64| value.checked_mul(factor).ok_or(()).map_err(beyond);
    let (values, faults): (TimestampMicrosecondArray, _) = match unit {
        TimeUnit::Second => {
            each::<TimestampSecondType, TimestampMicrosecondType>(array.as_primitive(), |value| {
                scaled(value, 1_000_000)
            })
        }
        TimeUnit::Millisecond => each::<TimestampMillisecondType, TimestampMicrosecondType>(
            array.as_primitive(),
            |value| scaled(value, 1_000),
        ),
        TimeUnit::Microsecond => (array.as_primitive().clone(), Vec::new()),
        // Floored, before 1970 too.
        TimeUnit::Nanosecond => each::<TimestampNanosecondType, TimestampMicrosecondType>(
            array.as_primitive(),
            |value| Ok(value.div_euclid(1_000)),
        ),
    };
    (Arc::new(values.with_data_type(DataType::Timestamp.to_arrow())), faults)
}

fn date64(array: &ArrayRef) -> Converted {
    const DAY: i64 = 86_400_000;
    let (values, faults) =
        each::<Date64Type, arrow::datatypes::Date32Type>(array.as_primitive(), |millis| {
            if millis.rem_euclid(DAY) != 0 {
                return Err(format!("the date64 {millis} ms is not the beginning of a day"));
            }
            i32::try_from(millis.div_euclid(DAY))
                .map_err(|_| "the date is beyond what 32 bits of days can hold".to_owned())
        });
    (Arc::new(values), faults)
}

fn decimal(
    array: &ArrayRef,
    found_scale: i8,
    precision: u8,
    scale: u8,
) -> Result<Converted, ArrowError> {
    let beyond = || format!("the value has more digits than decimal128({precision},{scale}) holds");
    // At most 38 more digits where the precision fits; a larger value is beyond anyway.
    let factor = 10_i128.checked_pow((i32::from(scale) - i32::from(found_scale)) as u32);
    let bound = 10_i128.pow(precision.into());
    let convert = |value: i128| {
        let scaled = if value == 0 { Some(0) } else { factor.and_then(|f| value.checked_mul(f)) };
        scaled.filter(|v| v.unsigned_abs() < bound.unsigned_abs()).ok_or_else(beyond)
    };
    let (values, faults) = match array.data_type() {
        ArrowType::Decimal32(_, _) => {
            each::<Decimal32Type, Decimal128Type>(array.as_primitive(), |v| convert(v.into()))
        }
        ArrowType::Decimal64(_, _) => {
            each::<Decimal64Type, Decimal128Type>(array.as_primitive(), |v| convert(v.into()))
        }
        ArrowType::Decimal256(_, _) => {
            each::<Decimal256Type, Decimal128Type>(array.as_primitive(), |v| {
                v.to_i128().ok_or_else(beyond).and_then(convert)
            })
        }
        _ => each::<Decimal128Type, Decimal128Type>(array.as_primitive(), convert),
    };
    Ok((Arc::new(values.with_precision_and_scale(precision, scale as i8)?), faults))
}

fn dictionary(array: &ArrayRef, values: &Rule) -> Result<Converted, ArrowError> {
    let dictionary = array.as_any_dictionary();
    let (values, value_faults) = values.apply(dictionary.values())?;
    let keys = cast(dictionary.keys(), &ArrowType::UInt64)?;
    let keys: &UInt64Array = keys.as_primitive();
    let mut faults = Vec::new();
    if !value_faults.is_empty() {
        for (row, key) in keys.iter().enumerate() {
            let fault = key.and_then(|key| value_faults.iter().find(|f| f.row as u64 == key));
            faults.extend(fault.map(|f| InputFault { row, reason: f.reason.clone() }));
        }
    }
    // A key without a value is an error of the file, not a panic.
    let options = TakeOptions { check_bounds: true };
    Ok((take(&values, keys, Some(options))?, faults))
}

/// Any kind of list as one with 32-bit offsets and the same items.
fn as_list(array: &ArrayRef, found_item: &FieldRef) -> Result<ListArray, ArrowError> {
    let list = cast(array, &ArrowType::List(Arc::clone(found_item)))?;
    let list = list.as_list::<i32>();
    let (first, last) = (list.offsets()[0], list.offsets()[list.len()]);
    if first == 0 && last as usize == list.values().len() {
        return Ok(list.clone());
    }
    // A slice: only its own items are looked at.
    let offsets = list.offsets().iter().map(|offset| offset - first).collect();
    let items = list.values().slice(first as usize, (last - first) as usize);
    ListArray::try_new(
        Arc::clone(found_item),
        OffsetBuffer::new(offsets),
        items,
        list.nulls().cloned(),
    )
}

fn list(
    array: &ArrayRef,
    found_item: &FieldRef,
    item: &Rule,
    wanted_item: &FieldRef,
) -> Result<Converted, ArrowError> {
    let list = as_list(array, found_item)?;
    let (items, faults) = items(&list, item, wanted_item.is_nullable())?;
    let validity = without(list.nulls(), list.len(), &faults);
    let offsets = list.offsets();
    if items.null_count() == 0 || wanted_item.is_nullable() {
        let list = ListArray::try_new(
            Arc::clone(wanted_item),
            offsets.clone(),
            without_validity(items, wanted_item),
            validity,
        )?;
        return Ok((Arc::new(list), faults));
    }
    // What stands under a null list is left out, so that no null is left among
    // items that are never null.
    let mut kept = vec![false; items.len()];
    let mut lengths = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        if validity.as_ref().is_none_or(|v| v.is_valid(row)) {
            lengths.push(range.len());
            kept[range].fill(true);
        } else {
            lengths.push(0);
        }
    }
    let items = filter(&items, &BooleanArray::from(kept))?;
    let list = ListArray::try_new(
        Arc::clone(wanted_item),
        OffsetBuffer::from_lengths(lengths),
        without_validity(items, wanted_item),
        validity,
    )?;
    Ok((Arc::new(list), faults))
}

/// Converts the items of a list. The faults are rows of the list.
fn items(list: &ListArray, item: &Rule, nullable: bool) -> Result<Converted, ArrowError> {
    let (items, item_faults) = item.apply(list.values())?;
    let mut faults = Vec::new();
    if item_faults.is_empty() && (nullable || items.logical_null_count() == 0) {
        return Ok((items, faults));
    }
    let nulls = items.logical_nulls();
    let mut item_faults = item_faults.into_iter().peekable();
    for row in 0..list.len() {
        let (start, end) = (list.offsets()[row] as usize, list.offsets()[row + 1] as usize);
        while item_faults.next_if(|fault| fault.row < start).is_some() {}
        if list.is_null(row) {
            continue;
        }
        if let Some(fault) = item_faults.peek().filter(|fault| fault.row < end) {
            let reason = format!("item {} of the list: {}", fault.row - start, fault.reason);
            faults.push(InputFault { row, reason });
        } else if !nullable
            && let Some(at) = nulls.as_ref().and_then(|n| (start..end).find(|i| n.is_null(*i)))
        {
            let reason = format!(
                "item {} of the list is null, and the argument's items are never null",
                at - start
            );
            faults.push(InputFault { row, reason });
        }
    }
    Ok((items, faults))
}

/// Takes away a bitmap that says of each item that it is valid, where the
/// field has no nulls.
fn without_validity(items: ArrayRef, field: &Field) -> ArrayRef {
    if field.is_nullable() || items.nulls().is_none() || items.null_count() > 0 {
        return items;
    }
    arrow::array::make_array(
        items
            .to_data()
            .into_builder()
            .nulls(None)
            .build()
            .expect("an array stays valid when a bitmap without nulls is taken away"),
    )
}

fn fixed_size_list(
    array: &ArrayRef,
    found_item: &FieldRef,
    item: &Rule,
    length: usize,
) -> Result<Converted, ArrowError> {
    let list = as_list(array, found_item)?;
    let (items, mut faults) = items(&list, item, false)?;
    let items = items.as_primitive::<Float32Type>().values();
    let mut values = Vec::with_capacity(list.len() * length);
    let mut known = std::mem::take(&mut faults).into_iter().peekable();
    for row in 0..list.len() {
        let range = list.offsets()[row] as usize..list.offsets()[row + 1] as usize;
        let fault = known.next_if(|fault| fault.row == row);
        if list.is_null(row) {
            values.resize(values.len() + length, 0.0);
        } else if range.len() != length {
            let reason = format!("the list has {} items, the argument {length}", range.len());
            faults.push(InputFault { row, reason });
            values.resize(values.len() + length, 0.0);
        } else if let Some(fault) = fault {
            faults.push(fault);
            values.resize(values.len() + length, 0.0);
        } else {
            values.extend_from_slice(&items[range]);
        }
    }
    let validity = without(list.nulls(), list.len(), &faults);
    let field = Arc::new(Field::new("item", ArrowType::Float32, false));
    let values = Arc::new(Float32Array::from(values));
    let list = FixedSizeListArray::try_new_with_length(
        field,
        length as i32,
        values,
        validity,
        list.len(),
    )?;
    Ok((Arc::new(list), faults))
}

fn structure(
    array: &ArrayRef,
    fields: &[FieldConversion],
    wanted: &ArrowType,
) -> Result<Converted, ArrowError> {
    let found = array.as_struct();
    let mut columns = Vec::with_capacity(fields.len());
    let mut faults: Vec<InputFault> = Vec::new();
    for FieldConversion { found_at, conversion, name, nullable } in fields {
        let (column, column_faults) = conversion.apply(found.column(*found_at))?;
        faults.extend(column_faults.into_iter().map(|fault| InputFault {
            row: fault.row,
            reason: format!("field {name}: {}", fault.reason),
        }));
        if !nullable && let Some(nulls) = column.logical_nulls() {
            let empty = (0..found.len()).filter(|row| nulls.is_null(*row));
            faults.extend(empty.map(|row| InputFault {
                row,
                reason: format!("field {name} is null, and the argument's is never null"),
            }));
        }
        columns.push(column);
    }
    faults.retain(|fault| found.is_valid(fault.row));
    // Stable, so that of several faults of a row that of the first field stays.
    faults.sort_by_key(|fault| fault.row);
    faults.dedup_by_key(|fault| fault.row);
    let validity = without(found.nulls(), found.len(), &faults);
    let ArrowType::Struct(wanted) = wanted else {
        return Err(ArrowError::SchemaError(format!("{} is no struct", arrow_name(wanted))));
    };
    let columns = StructArray::try_new_with_length(wanted.clone(), columns, validity, found.len())?;
    Ok((Arc::new(columns), faults))
}

/// `array` with the rows in `rows` null.
pub fn with_nulls(
    array: &ArrayRef,
    rows: impl Iterator<Item = usize>,
) -> Result<ArrayRef, ArrowError> {
    let mut failed = vec![false; array.len()];
    rows.for_each(|row| failed[row] = true);
    let mut validity = NullBufferBuilder::new(array.len());
    failed.iter().for_each(|failed| validity.append(!failed));
    let validity = NullBuffer::union(array.nulls(), validity.finish().as_ref());
    let data = array.to_data().into_builder().nulls(validity).build()?;
    Ok(arrow::array::make_array(data))
}
