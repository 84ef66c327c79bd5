use arrow::datatypes::{DataType as ArrowType, IntervalUnit, TimeUnit};

/// The name of an Arrow type in the spelling of `wit/README.md`, carried on to
/// the types that only files have: `int64`, `large_utf8`, `timestamp(ns, UTC)`,
/// `dictionary<int32,utf8>`, `list<int64?>`.
pub fn arrow_name(data_type: &ArrowType) -> String {
    use ArrowType as T;
    let mark = |nullable: bool| if nullable { "?" } else { "" };
    let item = |name: &str, field: &arrow::datatypes::Field| {
        format!("{name}<{}{}>", arrow_name(field.data_type()), mark(field.is_nullable()))
    };
    match data_type {
        T::Null => "null".into(),
        T::Boolean => "bool".into(),
        T::Int8 => "int8".into(),
        T::Int16 => "int16".into(),
        T::Int32 => "int32".into(),
        T::Int64 => "int64".into(),
        T::UInt8 => "uint8".into(),
        T::UInt16 => "uint16".into(),
        T::UInt32 => "uint32".into(),
        T::UInt64 => "uint64".into(),
        T::Float16 => "float16".into(),
        T::Float32 => "float32".into(),
        T::Float64 => "float64".into(),
        T::Utf8 => "utf8".into(),
        T::LargeUtf8 => "large_utf8".into(),
        T::Utf8View => "utf8_view".into(),
        T::Binary => "binary".into(),
        T::LargeBinary => "large_binary".into(),
        T::BinaryView => "binary_view".into(),
        T::FixedSizeBinary(length) => format!("fixed_size_binary({length})"),
        T::Date32 => "date32".into(),
        T::Date64 => "date64".into(),
        T::Timestamp(unit, None) => format!("timestamp({})", unit_name(*unit)),
        T::Timestamp(unit, Some(zone)) => format!("timestamp({}, {zone})", unit_name(*unit)),
        T::Time32(unit) | T::Time64(unit) => format!("time({})", unit_name(*unit)),
        T::Duration(unit) => format!("duration({})", unit_name(*unit)),
        T::Interval(unit) => match unit {
            IntervalUnit::YearMonth => "interval(months)".into(),
            IntervalUnit::DayTime => "interval(days, ms)".into(),
            IntervalUnit::MonthDayNano => "interval(months, days, ns)".into(),
        },
        T::Decimal32(precision, scale) => format!("decimal32({precision},{scale})"),
        T::Decimal64(precision, scale) => format!("decimal64({precision},{scale})"),
        T::Decimal128(precision, scale) => format!("decimal128({precision},{scale})"),
        T::Decimal256(precision, scale) => format!("decimal256({precision},{scale})"),
        T::List(field) => item("list", field),
        T::LargeList(field) => item("large_list", field),
        T::ListView(field) => item("list_view", field),
        T::LargeListView(field) => item("large_list_view", field),
        T::FixedSizeList(field, length) => format!(
            "fixed_size_list<{}{},{length}>",
            arrow_name(field.data_type()),
            mark(field.is_nullable())
        ),
        T::Struct(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|field| {
                    let (name, inside) = (field.name(), arrow_name(field.data_type()));
                    format!("{name}:{inside}{}", mark(field.is_nullable()))
                })
                .collect();
            format!("struct<{}>", fields.join(","))
        }
        T::Map(entries, _) => format!("map<{}>", arrow_name(entries.data_type())),
        T::Dictionary(keys, values) => {
            format!("dictionary<{},{}>", arrow_name(keys), arrow_name(values))
        }
        T::RunEndEncoded(_, values) => {
            format!("run_end_encoded<{}>", arrow_name(values.data_type()))
        }
        T::Union(_, _) => "union".into(),
    }
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}
