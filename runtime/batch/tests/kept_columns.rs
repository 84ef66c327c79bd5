//! What the output keeps of the input, and under which names.

mod shared;

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Int32Type, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use unskew_batch::Job;
use unskew_definition::ModuleDigest;

use crate::shared::executor::{field, native};
use crate::shared::{Folder, batch, double, int64, int64s, refused, run, schema_names};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn csv_keeps_the_texts_of_its_fields() {
    let folder = Folder::new();
    folder.write(
        "in.csv",
        "\u{feff}id,x,\"a \"\"name\"\"\"\r\n007,+5,\"\"\r\n1.50,,\r\n\"a,b\",6,\" two\r\nlines\"\r\n,-0,\"x\"\r\n",
    );
    run(&folder.job("in.csv", "out.csv"), double()).unwrap();
    assert_eq!(
        folder.text("out.csv"),
        "id,x,\"a \"\"name\"\"\",y\n007,+5,\"\",10\n1.50,,,\n\"a,b\",6,\" two\r\nlines\",12\n,-0,x,0\n"
    );
}

#[test]
fn json_lines_keep_whole_objects_as_they_are_spelled() {
    let folder = Folder::new();
    folder.write(
        "in.jsonl",
        "{ \"b\" : 1.50,\t\"x\": \"4\", \"u\": \"\\u00e9\", \"n\": [1 ,2] } \r\n\n{\"x\":3}\n{}\n{\"x\":null,\"z\":12345678901234567890}",
    );
    let summary = run(&folder.job("in.jsonl", "out.jsonl"), double()).unwrap();
    assert_eq!(summary.rows, 4);
    assert_eq!(
        folder.text("out.jsonl"),
        "{ \"b\" : 1.50,\t\"x\": \"4\", \"u\": \"\\u00e9\", \"n\": [1 ,2],\"y\":8}\n{\"x\":3,\"y\":6}\n{\"y\":null}\n{\"x\":null,\"z\":12345678901234567890,\"y\":null}\n"
    );
}

#[test]
fn selected_members_keep_their_spelling_and_order() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"c\":1.0,\"x\":1,\"a\":\"\\t\"}\n{\"a\":{\"d\":1e5},\"x\":2}\n");
    let job = Job {
        select: Some(vec!["a".to_owned(), "c".to_owned()]),
        ..folder.job("in.jsonl", "out.jsonl")
    };
    run(&job, double()).unwrap();
    assert_eq!(
        folder.text("out.jsonl"),
        "{\"c\":1.0,\"a\":\"\\t\",\"y\":2}\n{\"a\":{\"d\":1e5},\"y\":4}\n"
    );
    let job = Job { select: Some(vec![]), ..folder.job("in.jsonl", "out.csv") };
    run(&job, double()).unwrap();
    assert_eq!(folder.text("out.csv"), "y\n2\n4\n");
}

#[test]
fn members_of_every_line_become_columns_in_the_order_in_which_they_occur() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"x\":1,\"a\":\"t\"}\n{\"b\":[1, 2],\"x\":2}\n{\"a\":1.50}\n");
    run(&folder.job("in.jsonl", "out.csv"), double()).unwrap();
    assert_eq!(folder.text("out.csv"), "x,a,b,y\n1,t,,2\n2,,\"[1, 2]\",4\n,1.50,,\n");

    let mut job = folder.job("in.jsonl", "out.parquet");
    job.types = vec![("b".to_owned(), "list<int8>".parse().unwrap())];
    run(&job, double()).unwrap();
    let read = folder.read_parquet("out.parquet");
    assert_eq!(schema_names(&read.schema()), ["x", "a", "b", "y"]);
    assert_eq!(int64s(&read, "x"), [Some(1), Some(2), None]);
    let types: Vec<_> = read.columns().iter().map(|c| c.data_type().to_string()).collect();
    assert_eq!(types[1], "Utf8");
    assert!(types[2].contains("List") && types[2].contains("Int8"), "{types:?}");
}

#[test]
fn a_csv_column_is_typed_where_the_output_has_types() {
    let folder = Folder::new();
    folder.write("in.csv", "id,x,n\n01,5,7\n");
    let job = Job {
        types: vec![("n".to_owned(), "decimal128(5,2)".parse().unwrap())],
        ..folder.job("in.csv", "out.jsonl")
    };
    run(&job, double()).unwrap();
    assert_eq!(folder.text("out.jsonl"), "{\"id\":\"01\",\"x\":5,\"n\":\"7.00\",\"y\":10}\n");
}

#[test]
fn outputs_never_take_the_name_of_another_column() {
    let folder = Folder::new();
    folder.write_parquet("in.parquet", &batch(vec![("x", int64([1])), ("y", int64([2]))]));
    folder.write("in.csv", "x,y\n1,2\n");
    folder.write("in.jsonl", "{\"x\":1}\n{\"x\":1,\"y\":2}\n");
    for (input, part) in [
        ("in.parquet", "rename the output (--output-column y=NAME)"),
        ("in.csv", "rename the output (--output-column y=NAME)"),
        ("in.jsonl", "line 2: it has a member \"y\" already"),
    ] {
        let extension = input.rsplit_once('.').unwrap().1;
        let mut job = folder.job(input, &format!("out.{extension}"));
        let message = refused(&job, double());
        assert!(message.contains(part), "{message}");
        job.select = Some(vec!["x".to_owned()]);
        run(&job, double()).unwrap();
        job.select = None;
        job.output_names = pairs(&[("y", "doubled")]);
        run(&job, double()).unwrap();
    }
    assert_eq!(folder.text("out.csv"), "x,y,doubled\n1,2,2\n");

    let mut job = folder.job("in.csv", "out.csv");
    job.output_names = pairs(&[("z", "a")]);
    assert!(refused(&job, double()).contains("no output \"z\""));
    job.output_names = pairs(&[("y", "a"), ("y", "b")]);
    assert!(refused(&job, double()).contains("twice"));
    let twins = native(
        "twins",
        vec![field("x", "int64")],
        vec![field("a", "int64"), field("b", "int64")],
        |batch| (vec![batch.column(0).clone(), batch.column(0).clone()], vec![]),
    );
    job.output_names = pairs(&[("a", "b")]);
    assert!(refused(&job, twins).contains("two outputs of the transform"));
}

#[test]
fn columns_that_options_name_must_be_there() {
    let folder = Folder::new();
    folder.write("in.csv", "x,other\n1,2\n");
    folder.write("in.jsonl", "{\"x\":1,\"other\":2}\n");
    for input in ["in.csv", "in.jsonl"] {
        let mut job = folder.job(input, "out.parquet");
        job.select = Some(vec!["Other".to_owned()]);
        let message = refused(&job, double());
        assert!(
            message.contains("no column \"Other\", which --select names; the columns: x, other"),
            "{message}"
        );
        job.select = None;
        job.types = vec![("z".to_owned(), "int64".parse().unwrap())];
        assert!(refused(&job, double()).contains("which --type names"));
    }
    let mut job = folder.job("in.csv", "out.csv");
    job.compression = Some(unskew_batch::ParquetCompression::None);
    assert!(refused(&job, double()).contains("--compression is for Parquet"));
}

#[test]
fn one_text_column_may_feed_arguments_of_several_types() {
    let folder = Folder::new();
    folder.write("in.csv", "v\n5\n");
    let kernel = native(
        "both",
        vec![field("a", "int64"), field("b", "int32")],
        vec![field("y", "int64")],
        |batch| {
            assert_eq!(batch.column(1).data_type(), &ArrowType::Int32);
            (vec![batch.column(0).clone()], vec![])
        },
    );
    let mut job = folder.job("in.csv", "out.csv");
    job.columns = unskew_executor::ColumnMapping::new(pairs(&[("a", "v"), ("b", "v")]));
    run(&job, kernel).unwrap();
    assert_eq!(folder.text("out.csv"), "v,y\n5,5\n");
}

#[test]
fn parquet_keeps_types_names_and_metadata() {
    let folder = Folder::new();
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("a"), None, Some("a")].into_iter().collect();
    let fields = vec![
        Field::new("x", ArrowType::Int64, false),
        Field::new("d", dictionary.data_type().clone(), true)
            .with_metadata(HashMap::from([("unit".to_owned(), "kg".to_owned())])),
        Field::new("l", ArrowType::LargeUtf8, true),
        Field::new("t", ArrowType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None), true),
    ];
    let metadata = HashMap::from([("pandas".to_owned(), "{}".to_owned())]);
    let input = RecordBatch::try_new(
        Arc::new(Schema::new_with_metadata(fields, metadata)),
        vec![
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(dictionary),
            Arc::new(LargeStringArray::from(vec!["a", "b", "c"])),
            Arc::new(TimestampNanosecondArray::from(vec![1, 2, 3])),
        ],
    )
    .unwrap();
    folder.write_parquet("in.parquet", &input);
    let digest = ModuleDigest::from_bytes([7; 32]);
    let job = Job { digest: Some(digest), ..folder.job("in.parquet", "out.parquet") };
    run(&job, double()).unwrap();

    let read = folder.read_parquet("out.parquet");
    assert_eq!(read.columns()[..4], *input.columns());
    assert_eq!(read.schema().fields()[..4], input.schema().fields()[..]);
    let metadata = read.schema().metadata().clone();
    assert_eq!(metadata["pandas"], "{}");
    assert_eq!(metadata["unskew.transform"], "double");
    assert_eq!(metadata["unskew.digest"], digest.to_string());
    assert_eq!(read.schema().field(4).metadata()["unskew.digest"], digest.to_string());

    let file = File::open(folder.path("out.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let keys: Vec<_> = pairs.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["pandas", "unskew.digest", "unskew.transform", "ARROW:schema"]);
}

#[test]
fn other_types_of_parquet_are_printed_too() {
    let folder = Folder::new();
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", int64([1, 2])),
        ("d", Arc::new(dictionary)),
        ("t", Arc::new(TimestampNanosecondArray::from(vec![Some(-1), None]))),
        ("s", Arc::new(StringArray::from(vec!["", "q\"q"]))),
        ("i", Arc::new(Int32Array::from(vec![None, Some(-3)]))),
    ];
    folder.write_parquet("in.parquet", &batch(columns));
    run(&folder.job("in.parquet", "out.csv"), double()).unwrap();
    assert_eq!(
        folder.text("out.csv"),
        "x,d,t,s,i,y\n1,a,1969-12-31T23:59:59.999999999,\"\",,2\n2,,,\"q\"\"q\",-3,4\n"
    );
    run(&folder.job("in.parquet", "out.jsonl"), double()).unwrap();
    assert_eq!(
        folder.text("out.jsonl").lines().next().unwrap(),
        r#"{"x":1,"d":"a","t":"1969-12-31T23:59:59.999999999","s":"","i":null,"y":2}"#
    );
}
