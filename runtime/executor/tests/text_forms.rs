//! Every type, through JSON and through bare text, is what it was.

mod shared;

use arrow::array::ArrayRef;
use serde_json::value::RawValue;
use unskew_definition::DataType;
use unskew_executor::text::{ColumnBuilder, ColumnPrinter, TextForm};

use crate::shared::every_type::{SHAPES, column, data_types};

fn through_json(data_type: &DataType, array: &ArrayRef) -> ArrayRef {
    ColumnPrinter::check(array.data_type(), TextForm::Json).unwrap();
    let printer = ColumnPrinter::new(array).unwrap();
    let mut builder = ColumnBuilder::new(data_type, array.len());
    for row in 0..array.len() {
        let mut json = Vec::new();
        printer.print_json(row, &mut json);
        let json = String::from_utf8(json).unwrap();
        builder.push_json(&RawValue::from_string(json).unwrap()).unwrap();
    }
    builder.finish()
}

fn through_text(data_type: &DataType, array: &ArrayRef) -> ArrayRef {
    let printer = ColumnPrinter::new(array).unwrap();
    let mut builder = ColumnBuilder::new(data_type, array.len());
    for row in 0..array.len() {
        if printer.is_null(row) {
            builder.push_null();
        } else {
            let mut text = Vec::new();
            printer.print_bare(row, &mut text);
            builder.push_text(std::str::from_utf8(&text).unwrap()).unwrap();
        }
    }
    builder.finish()
}

#[test]
fn every_type_and_shape_survives_json_and_text() {
    for data_type in data_types() {
        for shape in SHAPES {
            let array = column(&data_type, shape);
            // Equality of arrays goes by the bits of floats: -0.0 is not 0.0, NaN is NaN.
            let read = through_json(&data_type, &array);
            assert_eq!(&read, &array, "{data_type} {shape:?} through JSON");
            let read = through_text(&data_type, &array);
            assert_eq!(&read, &array, "{data_type} {shape:?} through text");
            assert_eq!(read.data_type(), &data_type.to_arrow());
        }
    }
}

#[test]
fn scalars_have_bare_text_and_nested_values_have_none() {
    for data_type in data_types() {
        let checked = ColumnPrinter::check(&data_type.to_arrow(), TextForm::Bare);
        assert_eq!(checked.is_ok(), data_type.is_scalar(), "{data_type}");
    }
}

fn json(data_type: &str, json: &str) -> Result<String, String> {
    let data_type: DataType = data_type.parse().unwrap();
    let mut builder = ColumnBuilder::new(&data_type, 1);
    let value: &RawValue = serde_json::from_str(json).unwrap();
    builder.push_json(value).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    ColumnPrinter::new(&builder.finish()).unwrap().print_json(0, &mut out);
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn json_has_one_spelling_for_each_value() {
    for (data_type, read, printed) in [
        ("int64", "9007199254740992", "9007199254740992"),
        ("int64", "9007199254740993", "\"9007199254740993\""),
        ("int64", "\"-5\"", "-5"),
        ("uint64", "18446744073709551615", "\"18446744073709551615\""),
        ("float64", "1e2", "100.0"),
        ("float64", "-0", "-0.0"),
        ("float64", "\"-Infinity\"", "\"-inf\""),
        ("float64", "\"nan\"", "\"NaN\""),
        ("float64", "0.1000000000000000055511151231257827", "0.1"),
        ("float32", "0.1", "0.1"),
        ("decimal128(10,2)", "1.5", "\"1.50\""),
        ("decimal128(10,2)", "\"-0.05\"", "\"-0.05\""),
        ("timestamp", "\"2024-02-29T13:00:00+01:00\"", "\"2024-02-29T12:00:00.000000Z\""),
        ("utf8", r#""\u00e9\n""#, "\"é\\n\""),
        ("binary", "\"AP8=\"", "\"AP8=\""),
        ("list<int8?>", "[1, null, \"3\"]", "[1,null,3]"),
        ("fixed_size_list<float32,2>", "[1, \"inf\"]", "[1.0,\"inf\"]"),
        ("struct<a:int8,b:utf8?>", r#"{"b": null, "a": 1}"#, r#"{"a":1,"b":null}"#),
        ("struct<a:int8,b:utf8?>", r#"{"a": 1}"#, r#"{"a":1,"b":null}"#),
        ("bool", "true", "true"),
        ("int8", "null", "null"),
    ] {
        assert_eq!(json(data_type, read).as_deref(), Ok(printed), "{data_type} {read}");
    }
}

#[test]
fn wrong_json_says_what_is_wrong() {
    for (data_type, read, part) in [
        ("int64", "1.0", "without point"),
        ("int64", "true", "a number was expected"),
        ("int8", "128", "-128 to 127"),
        ("int64", "\"\"", "empty"),
        ("bool", "1", "true or false"),
        ("bool", "\"true\"", "true or false"),
        ("utf8", "12", "a string was expected"),
        ("utf8", r#""\ud800""#, "well formed"),
        ("binary", "\"AP8\"", "base64"),
        ("timestamp", "1700000000", "a string was expected"),
        ("date32", "\"2024-02-30\"", "no such day"),
        ("decimal128(4,2)", "1.234", "2 digits behind"),
        ("list<int64>", "[1,null]", "null, which the type does not allow"),
        ("list<int64>", "1", "array"),
        ("fixed_size_list<float32,2>", "[1]", "1 items"),
        ("fixed_size_list<float32,1>", "[null]", "a number"),
        ("struct<a:int8>", "{\"a\":1,\"c\":2}", "no field \"c\""),
        ("struct<a:int8>", "{}", "field a is missing"),
        ("struct<a:int8>", "{\"a\":null}", "field a is null"),
        ("struct<a:int8>", "{\"a\":1,\"a\":2}", "two members"),
        ("struct<a:int8>", "[1]", "object"),
    ] {
        let error = json(data_type, read).unwrap_err();
        assert!(error.contains(part), "{data_type} {read}: {error}");
    }
}
