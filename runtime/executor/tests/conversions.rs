//! A column becomes an argument without loss, or not at all.

mod shared;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array,
    Decimal32Array, Decimal128Array, Decimal256Array, DictionaryArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeBinaryArray, LargeListArray, LargeStringArray, ListArray, NullArray, StringArray,
    StringViewArray, StructArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field, Float32Type, Int8Type, Int64Type, i256};
use unskew_executor::{ColumnMapping, ErrorPolicy, TransformOperator};
use unskew_host::{Outcome, RowStatus};

use crate::shared::every_type::{SHAPES, column, data_types};
use crate::shared::{batch_of, identity};

fn evaluate(array: ArrayRef, wanted: &str) -> Result<Outcome, String> {
    let batch = batch_of("x", array);
    let kernel = identity(&wanted.parse().unwrap());
    let mapping = ColumnMapping::default();
    let operator =
        TransformOperator::new(kernel, &mapping, &batch.schema(), ErrorPolicy::default())
            .map_err(|error| error.to_string())?;
    operator.evaluate(&batch, None).map_err(|error| error.to_string())
}

fn converted(array: impl Array + 'static, wanted: &str) -> ArrayRef {
    let outcome = evaluate(Arc::new(array), wanted).unwrap();
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    Arc::clone(&outcome.columns[0])
}

#[test]
fn every_type_passes_as_it_is() {
    for data_type in data_types() {
        for shape in SHAPES {
            let array = column(&data_type, shape);
            let outcome = evaluate(Arc::clone(&array), &data_type.to_string()).unwrap();
            assert!(outcome.errors.is_empty());
            assert_eq!(&outcome.columns[0], &array, "{data_type} {shape:?}");
        }
    }
}

#[test]
fn what_widens_is_converted() {
    let ints = [Some(-128_i8), None, Some(127)];
    let wide: Int64Array = [Some(-128), None, Some(127)].into_iter().collect();
    assert_eq!(converted(Int8Array::from(ints.to_vec()), "int64").as_primitive(), &wide);
    let unsigned = converted(UInt32Array::from(vec![0, u32::MAX]), "int64");
    assert_eq!(unsigned.as_primitive(), &Int64Array::from(vec![0, i64::from(u32::MAX)]));
    let bytes = converted(UInt8Array::from(vec![0, 255]), "int16");
    assert_eq!(bytes.as_primitive(), &Int16Array::from(vec![0, 255]));
    let floats = converted(Float32Array::from(vec![0.1, f32::NAN]), "float64");
    assert_eq!(floats.as_primitive::<arrow::datatypes::Float64Type>().value(0), f64::from(0.1_f32));
    let halves = cast(&Float32Array::from(vec![1.5]), &ArrowType::Float16).unwrap();
    let outcome = evaluate(halves, "float32").unwrap();
    assert_eq!(outcome.columns[0].as_primitive(), &Float32Array::from(vec![1.5]));
    assert_eq!(converted(NullArray::new(2), "list<int64>").null_count(), 2);
}

#[test]
fn text_and_bytes_of_any_layout_are_converted() {
    let wanted = StringArray::from(vec![Some("a"), None, Some("")]);
    let values = || vec![Some("a"), None, Some("")];
    assert_eq!(converted(LargeStringArray::from(values()), "utf8").as_string(), &wanted);
    assert_eq!(converted(StringViewArray::from(values()), "utf8").as_string(), &wanted);
    let dictionary: DictionaryArray<Int8Type> = values().into_iter().collect();
    assert_eq!(converted(dictionary, "utf8").as_string(), &wanted);

    let wanted = BinaryArray::from(vec![Some(b"ab".as_ref()), None]);
    let values = || vec![Some(b"ab".as_ref()), None];
    assert_eq!(converted(LargeBinaryArray::from(values()), "binary").as_binary(), &wanted);
    assert_eq!(converted(BinaryViewArray::from(values()), "binary").as_binary(), &wanted);
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values().into_iter(), 2);
    assert_eq!(converted(fixed.unwrap(), "binary").as_binary(), &wanted);
}

#[test]
fn timestamps_are_floored_to_microseconds_of_utc() {
    let micros = |array: ArrayRef| -> Vec<Option<i64>> {
        array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().iter().collect()
    };
    let nanos = TimestampNanosecondArray::from(vec![Some(1_999), Some(-1), None]);
    assert_eq!(micros(converted(nanos, "timestamp")), [Some(1), Some(-1), None]);
    // An Arrow timestamp with a zone counts from the epoch in UTC already.
    let zoned = TimestampMillisecondArray::from(vec![5]).with_timezone("+02:00");
    assert_eq!(micros(converted(zoned, "timestamp")), [Some(5_000)]);
    let seconds = TimestampSecondArray::from(vec![1, i64::MAX]);
    let outcome = evaluate(Arc::new(seconds), "timestamp").unwrap();
    assert_eq!(micros(Arc::clone(&outcome.columns[0])), [Some(1_000_000), None]);
    assert_eq!(outcome.errors[0].row, 1);
    assert_eq!(outcome.errors[0].status, RowStatus::InvalidInput);
    assert!(outcome.errors[0].message.contains("argument x: the time is beyond"));
}

#[test]
fn a_date64_within_a_day_is_a_fault_of_its_row() {
    const DAY: i64 = 86_400_000;
    let dates = Date64Array::from(vec![Some(-DAY), Some(1), None, Some(i64::MAX / DAY * DAY)]);
    let outcome = evaluate(Arc::new(dates), "date32").unwrap();
    let wanted = Date32Array::from(vec![Some(-1), None, None, None]);
    assert_eq!(outcome.columns[0].as_primitive(), &wanted);
    let rows: Vec<_> = outcome.errors.iter().map(|error| error.row).collect();
    assert_eq!(rows, [1, 3]);
    assert!(outcome.errors[0].message.contains("beginning of a day"), "{:?}", outcome.errors);
}

#[test]
fn decimals_keep_their_value() {
    let found = Decimal128Array::from(vec![Some(12345), None, Some(-1)])
        .with_precision_and_scale(5, 2)
        .unwrap();
    let wanted = Decimal128Array::from(vec![Some(1_234_500), None, Some(-100)])
        .with_precision_and_scale(10, 4)
        .unwrap();
    assert_eq!(converted(found, "decimal128(10,4)").as_primitive(), &wanted);
    let small = Decimal32Array::from(vec![7]).with_precision_and_scale(3, 0).unwrap();
    let wanted = Decimal128Array::from(vec![700]).with_precision_and_scale(5, 2).unwrap();
    assert_eq!(converted(small, "decimal128(5,2)").as_primitive(), &wanted);
    // Values beyond their own type's precision are met in files.
    let large = Decimal256Array::from(vec![i256::from_i128(3), i256::MAX])
        .with_precision_and_scale(38, 0)
        .unwrap();
    let outcome = evaluate(Arc::new(large), "decimal128(38,0)").unwrap();
    assert_eq!(outcome.errors.len(), 1);
    assert_eq!(outcome.errors[0].row, 1);
}

#[test]
fn lists_of_any_layout_are_converted() {
    let rows = || vec![Some(vec![Some(1), Some(2)]), None, Some(vec![])];
    let wanted = ListArray::from_iter_primitive::<Int64Type, _, _>(rows());
    let large = LargeListArray::from_iter_primitive::<Int64Type, _, _>(rows());
    assert_eq!(converted(large.clone(), "list<int64?>").as_list::<i32>(), &wanted);
    let strict = converted(large.slice(0, 2), "list<int64>");
    assert_eq!(strict.as_list::<i32>().value(0).as_primitive(), &Int64Array::from(vec![1, 2]));
    let small = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(vec![
        None,
        Some(vec![Some(3), None]),
    ]);
    let wide =
        ListArray::from_iter_primitive::<Int64Type, _, _>(vec![None, Some(vec![Some(3), None])]);
    assert_eq!(converted(small, "list<int64?>").as_list::<i32>(), &wide);
}

#[test]
fn a_null_among_items_that_are_never_null_is_a_fault_of_its_row() {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
        Some(vec![Some(1)]),
        Some(vec![Some(2), None, None]),
        None,
        Some(vec![Some(3), Some(4)]),
    ]);
    let outcome = evaluate(Arc::new(lists), "list<int64>").unwrap();
    let column = outcome.columns[0].as_list::<i32>();
    assert_eq!(
        column.iter().map(|row| row.is_some()).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    assert_eq!(column.value(3).as_primitive(), &Int64Array::from(vec![3, 4]));
    assert_eq!(outcome.errors.len(), 1);
    assert_eq!(outcome.errors[0].row, 1);
    assert!(outcome.errors[0].message.contains("item 1 of the list is null"));
}

#[test]
fn embeddings_come_from_lists_of_their_length() {
    let lists = ListArray::from_iter_primitive::<Float32Type, _, _>(vec![
        Some(vec![Some(1.0), Some(2.0)]),
        None,
        Some(vec![Some(1.0)]),
        Some(vec![None, Some(2.0)]),
        Some(vec![Some(3.0), Some(4.0)]),
    ]);
    let outcome = evaluate(Arc::new(lists), "fixed_size_list<float32,2>").unwrap();
    let column = outcome.columns[0].as_fixed_size_list();
    assert_eq!(column.value(4).as_primitive(), &Float32Array::from(vec![3.0, 4.0]));
    assert_eq!(
        (0..5).map(|row| column.is_valid(row)).collect::<Vec<_>>(),
        [true, false, false, false, true]
    );
    let messages: Vec<_> = outcome.errors.iter().map(|e| (e.row, e.message.as_str())).collect();
    assert_eq!(messages.len(), 2);
    assert!(
        messages[0].0 == 2 && messages[0].1.contains("1 items, the argument 2"),
        "{messages:?}"
    );
    assert!(messages[1].0 == 3 && messages[1].1.contains("item 0"), "{messages:?}");

    let wrong = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        vec![Some(vec![Some(1.0); 3])],
        3,
    );
    assert!(
        evaluate(Arc::new(wrong), "fixed_size_list<float32,2>").unwrap_err().contains("2 float32")
    );
}

#[test]
fn structs_go_by_the_names_of_their_fields() {
    let found = StructArray::from(vec![
        (
            Arc::new(Field::new("b", ArrowType::LargeUtf8, true)),
            Arc::new(LargeStringArray::from(vec![Some("x"), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("more", ArrowType::Boolean, true)),
            Arc::new(BooleanArray::from(vec![true, true])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("a", ArrowType::Int32, true)),
            Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef,
        ),
    ]);
    let outcome = evaluate(Arc::new(found.clone()), "struct<a:int64,b:utf8>").unwrap();
    let column = outcome.columns[0].as_struct();
    assert_eq!(column.column(0).as_primitive(), &Int64Array::from(vec![1, 2]));
    assert!(column.is_valid(0) && column.is_null(1));
    assert!(outcome.errors[0].message.contains("field b is null"), "{:?}", outcome.errors);
    assert!(evaluate(Arc::new(found), "struct<a:int64,c:utf8>").unwrap_err().contains("by name"));
}

#[test]
fn what_could_lose_something_is_refused_with_what_to_do() {
    let cases: [(ArrayRef, &str, &str); 12] = [
        (
            Arc::new(StringArray::from(vec!["1"])),
            "int64",
            "transform identity, argument x: column \"x\" is utf8, the argument is int64; convert the column to int64 before, or declare the argument as utf8",
        ),
        (Arc::new(Int64Array::from(vec![1])), "float64", "never become floats by themselves"),
        (Arc::new(Int8Array::from(vec![1])), "float32", "never become floats by themselves"),
        (Arc::new(Int64Array::from(vec![1])), "int32", "int32 does not hold every int64"),
        (Arc::new(UInt64Array::from(vec![1])), "int64", "or declare the argument as uint64"),
        (Arc::new(Int8Array::from(vec![1])), "uint64", "does not hold every int8"),
        (Arc::new(Float64Array::from(vec![1.0])), "float32", "it would be rounded"),
        (Arc::new(Float64Array::from(vec![1.0])), "int64", "or declare the argument as float64"),
        (Arc::new(BinaryArray::from(vec![b"a".as_ref()])), "utf8", "column \"x\" is binary"),
        (
            Arc::new(Decimal128Array::from(vec![1]).with_precision_and_scale(10, 3).unwrap()),
            "decimal128(38,2)",
            "does not hold every decimal128(10,3)",
        ),
        (Arc::new(Date32Array::from(vec![1])), "timestamp", "declare the argument as date32"),
        (
            Arc::new(TimestampSecondArray::from(vec![1])),
            "int64",
            "column \"x\" is timestamp(s), the argument is int64",
        ),
    ];
    for (array, wanted, part) in cases {
        let error = evaluate(array, wanted).unwrap_err();
        assert!(error.contains(part), "{wanted}: {error}");
    }
}
