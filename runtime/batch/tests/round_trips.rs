//! Every type makes the round trip through every format that can hold it:
//! without nulls, with some, all null, as a slice, and without rows.

mod shared;

use unskew_batch::{Job, ParquetCompression};
use unskew_definition::DataType;

use crate::shared::executor::every_type::{SHAPES, Shape, column, data_types};
use crate::shared::executor::{batch_of, identity};
use crate::shared::{Folder, run};

/// From Parquet through `name` and back, every column by the same transform.
fn through(folder: &Folder, data_type: &DataType, shape: Shape, name: &str) {
    let array = column(data_type, shape);
    folder.write_parquet("in.parquet", &batch_of("x", array.clone()));
    let there = folder.job("in.parquet", name);
    run(&there, identity(data_type)).unwrap();

    let types = vec![("x".to_owned(), data_type.clone()), ("y".to_owned(), data_type.clone())];
    let mut back = folder.job(name, "out.parquet");
    back.output_names = vec![("y".to_owned(), "again".to_owned())];
    if !name.ends_with("parquet") {
        back.types = types;
    }
    let summary = run(&back, identity(data_type)).unwrap();
    assert_eq!((summary.rows, summary.failed), (array.len() as u64, 0));

    let read = folder.read_parquet("out.parquet");
    for (name, found) in ["x", "y", "again"].into_iter().zip(read.columns()) {
        // A JSON file without an object says nothing of its columns' types.
        assert_eq!(found.data_type(), &data_type.to_arrow(), "{data_type} {shape:?}: {name}");
        assert_eq!(found, &array, "{data_type} {shape:?}: {name}");
    }
    assert_eq!(read.num_columns(), 3, "{data_type} {shape:?}");
}

fn all_through(names: &[&str], types: &[DataType]) {
    let folder = Folder::new();
    for data_type in types {
        for shape in SHAPES {
            for name in names {
                through(&folder, data_type, shape, name);
            }
        }
    }
}

#[test]
fn every_type_survives_parquet() {
    all_through(&["mid.parquet"], &data_types());
}

#[test]
fn every_type_survives_json_lines() {
    all_through(&["mid.jsonl", "mid.jsonl.gz"], &data_types());
}

#[test]
fn every_scalar_survives_csv() {
    let scalars: Vec<_> = data_types().into_iter().filter(DataType::is_scalar).collect();
    assert_eq!(scalars.len(), 18);
    all_through(&["mid.csv", "mid.csv.zst"], &scalars);
}

#[test]
fn csv_says_that_it_holds_no_nested_values() {
    let folder = Folder::new();
    for data_type in data_types().iter().filter(|data_type| !data_type.is_scalar()) {
        folder.write_parquet("in.parquet", &batch_of("x", column(data_type, Shape::SomeNulls)));
        let job = folder.job("in.parquet", "out.csv");
        let error = run(&job, identity(data_type)).unwrap_err();
        let message = error.to_string();
        assert!(error.is_users() && message.contains("column \"x\""), "{message}");
        assert!(message.contains("write Parquet or JSON lines"), "{message}");
        assert_eq!(folder.names(), ["in.parquet"]);
    }
}

#[test]
fn every_compression_of_parquet_holds_the_same() {
    let folder = Folder::new();
    let data_type = "utf8".parse().unwrap();
    let array = column(&data_type, Shape::SomeNulls);
    folder.write_parquet("in.parquet", &batch_of("x", array.clone()));
    for compression in
        [ParquetCompression::None, ParquetCompression::Snappy, ParquetCompression::Zstd]
    {
        let job = Job { compression: Some(compression), ..folder.job("in.parquet", "out.parquet") };
        run(&job, identity(&data_type)).unwrap();
        assert_eq!(folder.read_parquet("out.parquet").column(1), &array);
    }
}
