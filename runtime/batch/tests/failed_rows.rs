//! What becomes of rows that fail, and of their list.

mod shared;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date64Array};
use unskew_batch::{BatchError, Job};
use unskew_executor::OnError;

use crate::shared::executor::{field, native};
use crate::shared::{Folder, batch, double, int64, int64s, refused, run};

/// 20,000 rows, every hundredth of them negative, beginning with row 50.
fn input(folder: &Folder) {
    let rows = (0..20_000).map(|row| if row % 100 == 50 { -row } else { row });
    folder.write_parquet("in.parquet", &batch(vec![("x", int64(rows))]));
}

#[test]
fn failed_rows_are_null_counted_and_listed() {
    let folder = Folder::new();
    input(&folder);
    for errors in ["bad.csv", "bad.jsonl", "bad.parquet"] {
        let job =
            Job { errors: Some(folder.path(errors)), ..folder.job("in.parquet", "out.parquet") };
        let summary = run(&job, double()).unwrap();
        assert_eq!((summary.rows, summary.failed), (20_000, 200));
        assert_eq!(summary.failed_by_status["failed"], 200);
        assert_eq!(summary.first_failure.as_deref(), Some("row 50: failed: -50 is negative"));
        assert_eq!(summary.outputs[0].nulls, 200);
    }
    let read = folder.read_parquet("out.parquet");
    let y = int64s(&read, "y");
    assert_eq!((y[50], y[51], y[19_950]), (None, Some(102), None));

    let csv = folder.text("bad.csv");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 201);
    assert_eq!(lines[..2], ["row,transform,status,message", "50,double,failed,-50 is negative"]);
    assert_eq!(lines[200], "19950,double,failed,-19950 is negative");
    let json = folder.text("bad.jsonl");
    assert_eq!(
        json.lines().nth(1),
        Some(r#"{"row":150,"transform":"double","status":"failed","message":"-150 is negative"}"#)
    );
    let listed = folder.read_parquet("bad.parquet");
    assert_eq!(int64s(&listed, "row").len(), 200);
}

#[test]
fn defaults_stand_in() {
    let folder = Folder::new();
    folder.write("in.csv", "x\n-1\n\n2\n");
    let mut job = folder.job("in.csv", "out.csv");
    job.on_error = OnError::Default;
    job.defaults = vec![("y".to_owned(), "-7".to_owned())];
    run(&job, double()).unwrap();
    assert_eq!(folder.text("out.csv"), "x,y\n-1,-7\n,\n2,4\n");
    job.defaults = vec![("y".to_owned(), "seven".to_owned())];
    assert!(refused(&job, double()).contains("output y: \"seven\" is no int64"));
}

#[test]
fn fail_stops_at_the_first_failed_row_whatever_the_threads() {
    let folder = Folder::new();
    let rows = (0..100_000).map(|row| if row > 30_000 { -row } else { row });
    folder.write_parquet("in.parquet", &batch(vec![("x", int64(rows))]));
    for threads in 1..4 {
        let job = Job {
            on_error: OnError::Fail,
            errors: Some(folder.path("bad.csv")),
            threads: threads.try_into().ok(),
            ..folder.job("in.parquet", "out.parquet")
        };
        let message = refused(&job, double());
        assert!(
            message.contains("row 30001: transform double: failed: -30001 is negative; the job was stopped, as --on-error fail asks"),
            "{message}"
        );
        assert_eq!(folder.names(), ["bad.csv", "in.parquet"]);
        assert_eq!(folder.text("bad.csv").lines().count(), 2);
    }
}

#[test]
fn more_failed_rows_than_allowed_leave_no_output_but_their_list() {
    let folder = Folder::new();
    input(&folder);
    for (limit, threads) in [(0, 1), (7, 1), (150, 2), (199, 3)] {
        let job = Job {
            max_errors: Some(limit),
            errors: Some(folder.path("bad.csv")),
            threads: threads.try_into().ok(),
            ..folder.job("in.parquet", "out.parquet")
        };
        let message = refused(&job, double());
        assert!(message.contains(&format!("more than {limit} rows failed")), "{message}");
        assert!(message.contains("the first: row 50: failed: -50 is negative"), "{message}");
        assert!(message.contains(&format!("the first {} failed rows are listed in", limit + 1)));
        assert_eq!(folder.names(), ["bad.csv", "in.parquet"]);
        assert_eq!(folder.text("bad.csv").lines().count() as u64, 1 + limit + 1);
    }
    let job = Job { max_errors: Some(200), ..folder.job("in.parquet", "out.parquet") };
    assert_eq!(run(&job, double()).unwrap().failed, 200);
}

#[test]
fn a_value_that_is_none_of_the_argument_fails_its_row_alone() {
    let folder = Folder::new();
    let days = Date64Array::from(vec![86_400_000, 5, 0]);
    folder.write_parquet("in.parquet", &batch(vec![("d", Arc::new(days))]));
    let kernel = native("days", vec![field("d", "date32")], vec![field("y", "date32")], |batch| {
        (vec![batch.column(0).clone()], vec![])
    });
    let summary = run(&folder.job("in.parquet", "out.parquet"), kernel).unwrap();
    assert_eq!(summary.failed_by_status["invalid_input"], 1);
    assert!(
        summary.first_failure.unwrap().starts_with("row 1: invalid_input: argument d: the date64")
    );
    let read = folder.read_parquet("out.parquet");
    assert_eq!(read.column(1).as_primitive::<arrow::datatypes::Date32Type>().value(0), 1);
}

#[test]
fn a_panic_of_the_kernel_is_our_mistake_and_leaves_nothing() {
    let folder = Folder::new();
    input(&folder);
    let kernel = native("boom", vec![field("x", "int64")], vec![field("y", "int64")], |batch| {
        assert!(batch.num_rows() == 0, "on purpose");
        (vec![batch.column(0).clone() as ArrayRef], vec![])
    });
    let error = run(&folder.job("in.parquet", "out.parquet"), kernel).unwrap_err();
    assert!(matches!(error, BatchError::Internal { .. }), "{error}");
    assert!(!error.is_users() && error.to_string().contains("on purpose"), "{error}");
    assert_eq!(folder.names(), ["in.parquet"]);
}
