//! Every type goes through the Rust SDK, in the sandbox, and comes back as it
//! was: without nulls, with some, with nothing else, as a slice, and empty.

mod projects;

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeListArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray,
    PrimitiveArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray, UInt16Array,
    UInt32Array, UInt64Array, new_empty_array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Int32Type};
use projects::{built, project};
use unskew_definition::DataType as ColumnType;
use unskew_host::{CompiledModule, Host, HostConfig, RowStatus};

const ROWS: usize = 150;

fn plain<T: ArrowPrimitiveType>(value: impl Fn(usize) -> T::Native) -> ArrayRef
where
    PrimitiveArray<T>: From<Vec<T::Native>>,
{
    Arc::new(PrimitiveArray::<T>::from((0..ROWS).map(value).collect::<Vec<_>>()))
}

fn some_null(i: usize) -> bool {
    i % 7 == 3
}

fn list(items: ArrayRef, nullable: bool) -> ArrayRef {
    let lengths = (0..ROWS).map(|i| i % 4);
    let offsets = OffsetBuffer::from_lengths(lengths);
    let count = *offsets.last().unwrap() as usize;
    let indices = Int32Array::from_iter_values((0..count).map(|i| (i % items.len()) as i32));
    let items = take(&items, &indices);
    let field = Field::new("item", items.data_type().clone(), nullable);
    Arc::new(ListArray::new(Arc::new(field), offsets, items, None))
}

fn take(items: &ArrayRef, indices: &PrimitiveArray<Int32Type>) -> ArrayRef {
    let pieces: Vec<ArrayRef> =
        indices.values().iter().map(|i| items.slice(*i as usize, 1)).collect();
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    arrow::compute::concat(&pieces).unwrap()
}

fn with_nulls(array: &ArrayRef, is_null: impl Fn(usize) -> bool) -> ArrayRef {
    let nulls: NullBuffer = (0..array.len()).map(|i| !is_null(i)).collect();
    let data = array.to_data().into_builder().nulls(Some(nulls)).build().unwrap();
    arrow::array::make_array(data)
}

/// A type in Rust and in the manifest, and values of it without nulls.
fn cases() -> Vec<(&'static str, &'static str, ArrayRef)> {
    let text = |i: usize| format!("{}é{}", "x".repeat(i % 5), i);
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(text)));
    let bytes: Vec<Vec<u8>> = (0..ROWS).map(|i| vec![i as u8; i % 3]).collect();
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(bytes));
    let integers: ArrayRef = Arc::new(Int64Array::from_iter_values(
        (0..ROWS as i64).map(|i| i64::MAX - i * i * 1_000_003),
    ));
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values((0..ROWS).map(|i| match i {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => f64::MIN_POSITIVE / 8.0,
        i => i as f64 / 7.0,
    })));
    let bools: ArrayRef = Arc::new((0..ROWS).map(|i| Some(i % 3 == 0)).collect::<BooleanArray>());
    let decimals: ArrayRef = Arc::new(
        Decimal128Array::from_iter_values((0..ROWS as i128).map(|i| (i - 70) * 10_i128.pow(35)))
            .with_precision_and_scale(38, 2)
            .unwrap(),
    );
    let times: ArrayRef = Arc::new(
        TimestampMicrosecondArray::from_iter_values((0..ROWS as i64).map(|i| i - 75))
            .with_timezone("UTC"),
    );
    let dates: ArrayRef = Arc::new(Date32Array::from_iter_values((0..ROWS as i32).map(|i| i - 75)));
    let uint8 = plain::<arrow::datatypes::UInt8Type>(|i| i as u8);
    let embedding: ArrayRef = Arc::new(FixedSizeListArray::new(
        Arc::new(Field::new("item", DataType::Float32, false)),
        3,
        Arc::new(Float32Array::from_iter_values((0..3 * ROWS).map(|i| i as f32 / 3.0))),
        None,
    ));
    let some_texts = with_nulls(&texts, some_null);
    let record: ArrayRef = Arc::new(StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int64, false)), Arc::clone(&integers)),
        (Arc::new(Field::new("b", DataType::Utf8, true)), Arc::clone(&some_texts)),
        (Arc::new(Field::new("c", DataType::Boolean, false)), Arc::clone(&bools)),
    ]));
    let list_of_bools = list(Arc::clone(&bools), false);
    vec![
        ("bool", "bool", bools),
        ("i8", "int8", Arc::new(Int8Array::from_iter_values((0..ROWS).map(|i| i as i8)))),
        ("i16", "int16", Arc::new(Int16Array::from_iter_values((0..ROWS).map(|i| i as i16 - 75)))),
        ("i32", "int32", Arc::new(Int32Array::from_iter_values((0..ROWS).map(|i| i as i32 - 75)))),
        ("i64", "int64", Arc::clone(&integers)),
        ("u8", "uint8", Arc::clone(&uint8)),
        (
            "u16",
            "uint16",
            Arc::new(UInt16Array::from_iter_values((0..ROWS).map(|i| i as u16 * 400))),
        ),
        (
            "u32",
            "uint32",
            Arc::new(UInt32Array::from_iter_values((0..ROWS).map(|i| u32::MAX - i as u32))),
        ),
        (
            "u64",
            "uint64",
            Arc::new(UInt64Array::from_iter_values((0..ROWS).map(|i| u64::MAX - i as u64))),
        ),
        (
            "f32",
            "float32",
            Arc::new(Float32Array::from_iter_values((0..ROWS).map(|i| i as f32 / 3.0))),
        ),
        ("f64", "float64", Arc::clone(&floats)),
        ("String", "utf8", Arc::clone(&texts)),
        ("&'a str", "utf8", Arc::clone(&texts)),
        ("Vec<u8>", "binary", Arc::clone(&bytes)),
        ("&'a [u8]", "binary", bytes),
        ("unskew::Date", "date32", dates),
        ("unskew::Timestamp", "timestamp", times),
        ("unskew::Decimal<38, 2>", "decimal128(38,2)", Arc::clone(&decimals)),
        ("Vec<i64>", "list<int64>", list(Arc::clone(&integers), false)),
        ("&'a [f64]", "list<float64>", list(floats, false)),
        ("Vec<Option<i64>>", "list<int64?>", list(with_nulls(&integers, some_null), true)),
        ("Vec<bool>", "list<bool>", list_of_bools),
        ("Vec<&'a str>", "list<utf8>", list(texts, false)),
        ("Vec<Option<String>>", "list<utf8?>", list(some_texts, true)),
        ("Vec<unskew::Decimal<38, 2>>", "list<decimal128(38,2)>", list(decimals, false)),
        ("unskew::Uint8List", "list<uint8>", list(uint8, false)),
        ("[f32; 3]", "fixed_size_list<float32,3>", Arc::clone(&embedding)),
        ("&'a [f32; 3]", "fixed_size_list<float32,3>", embedding),
        ("Record<'a>", "struct<a:int64,b:utf8?,c:bool>", record),
    ]
}

fn module() -> CompiledModule {
    let mut lib = String::from(
        "#[derive(unskew::Struct)]
         pub struct Record<'a> { a: i64, b: Option<&'a str>, c: bool }\n",
    );
    let mut names = Vec::new();
    for (i, (rust, _, _)) in cases().iter().enumerate() {
        for (kind, ty) in [("present", (*rust).to_owned()), ("optional", format!("Option<{rust}>"))]
        {
            let generics = if rust.contains("'a") { "<'a>" } else { "" };
            let name = format!("{kind}_{i}");
            let _ =
                writeln!(lib, "#[unskew::transform]\nfn {name}{generics}(x: {ty}) -> {ty} {{ x }}");
            names.push(name);
        }
    }
    lib.push_str(
        "#[unskew::transform]
         fn panics(x: i64) -> i64 { assert!(x % 3 != 0, \"three divides {x}\"); x }
         #[unskew::transform]
         fn overflows(x: i64) -> i64 { x + 1 }\n",
    );
    let _ =
        writeln!(lib, "unskew::module!(transforms = [{}, panics, overflows]);", names.join(", "));
    let component = built(&project("types", &lib)).component;
    let cache_dir = Some(projects::scratch("native"));
    let host = Host::new(HostConfig { cache_dir, ..HostConfig::default() }).unwrap();
    host.load(&component).unwrap()
}

fn call(module: &CompiledModule, name: &str, column: &ArrayRef) -> unskew_host::Outcome {
    let (index, _) = module.manifest().transform(name).unwrap();
    let batch =
        RecordBatch::try_from_iter_with_nullable([("x", Arc::clone(column), true)]).unwrap();
    module.transform(index, &batch, None).unwrap()
}

#[test]
fn every_type_comes_back_as_it_was() {
    let module = module();
    for (i, (rust, column_type, values)) in cases().into_iter().enumerate() {
        let signature = &module.manifest().transforms[2 * i];
        let expected: ColumnType = column_type.parse().unwrap();
        assert_eq!(signature.inputs[0].data_type, expected, "{rust}");
        assert_eq!(signature.outputs[0].data_type, expected, "{rust}");
        let some = with_nulls(&values, some_null);
        for (what, column) in [
            ("no nulls", Arc::clone(&values)),
            ("some nulls", Arc::clone(&some)),
            ("all null", new_null_array(values.data_type(), 70)),
            ("a slice", some.slice(13, 101)),
            ("a slice of one", values.slice(9, 1)),
            ("no rows", new_empty_array(values.data_type())),
        ] {
            for kind in ["present", "optional"] {
                let outcome = call(&module, &format!("{kind}_{i}"), &column);
                assert!(outcome.errors.is_empty(), "{rust}, {what}: {:?}", outcome.errors[0]);
                assert_eq!(&outcome.columns[0], &column, "{rust}, {what}, {kind}");
            }
        }
    }

    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=1000));
    let outcome = call(&module, "panics", &numbers);
    assert_eq!(outcome.errors.len(), 333);
    let first = &outcome.errors[0];
    assert_eq!((first.row, first.status), (2, RowStatus::Trapped));
    for part in ["three divides 3", "src/lib.rs"] {
        assert!(first.message.contains(part), "{}", first.message);
    }
    let most: ArrayRef = Arc::new(Int64Array::from(vec![1, i64::MAX, 2]));
    let outcome = call(&module, "overflows", &most);
    assert_eq!(outcome.errors.len(), 1);
    assert!(outcome.errors[0].message.contains("overflow"), "{}", outcome.errors[0].message);
}
