//! The operator as a driver calls it: binding, failed rows, policies.

mod shared;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Int64Type, Schema};
use unskew_executor::{ColumnMapping, ErrorPolicy, OnError, TransformError, TransformOperator};
use unskew_host::{RowError, RowStatus};

use crate::shared::{Native, field, native};

/// `a / b` and a text; a row whose `b` is 0 fails.
fn divide() -> Arc<Native> {
    let inputs = vec![field("a", "int64"), field("b", "int64")];
    let outputs = vec![field("quotient", "int64"), field("note", "utf8")];
    native("divide", inputs, outputs, |batch| {
        let a = batch.column(0).as_primitive::<Int64Type>();
        let b = batch.column(1).as_primitive::<Int64Type>();
        let quotient: Int64Array = a.iter().zip(b).map(|(a, b)| a?.checked_div(b?)).collect();
        let notes: StringArray =
            (0..a.len()).map(|row| quotient.is_valid(row).then_some("fine")).collect();
        let zeros = b.iter().enumerate().filter(|(_, b)| *b == Some(0));
        let errors = zeros.map(|(row, _)| RowError {
            row,
            status: RowStatus::Failed,
            message: "b is 0".to_owned(),
        });
        (vec![Arc::new(quotient) as ArrayRef, Arc::new(notes)], errors.collect())
    })
}

fn batch() -> RecordBatch {
    let schema = Schema::new(vec![
        ArrowField::new("id", ArrowType::Int64, false),
        ArrowField::new("a", ArrowType::Int64, true),
        ArrowField::new("divisor", ArrowType::Int64, true),
    ]);
    let column = |values: &[Option<i64>]| Arc::new(values.iter().copied().collect::<Int64Array>());
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            column(&[Some(1), Some(2), Some(3), Some(4)]),
            column(&[Some(10), Some(11), None, Some(13)]),
            column(&[Some(2), Some(0), Some(0), None]),
        ],
    )
    .unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn operator(
    mapping: &[(&str, &str)],
    on_error: OnError,
    defaults: &[(&str, &str)],
) -> Result<TransformOperator, String> {
    let kernel = divide();
    let policy = ErrorPolicy::new(
        on_error,
        &pairs(defaults),
        unskew_executor::TransformKernel::signature(kernel.as_ref()),
    )
    .map_err(|error| error.to_string())?;
    TransformOperator::new(kernel, &ColumnMapping::new(pairs(mapping)), &batch().schema(), policy)
        .map_err(|error| error.to_string())
}

const MAPPING: &[(&str, &str)] = &[("b", "divisor")];

#[test]
fn failed_rows_are_null_and_listed() {
    let outcome = operator(MAPPING, OnError::Null, &[]).unwrap().evaluate(&batch(), None).unwrap();
    let wanted: Int64Array = [Some(5), None, None, None].into_iter().collect();
    assert_eq!(outcome.columns[0].as_primitive(), &wanted);
    assert_eq!(outcome.errors.iter().map(|e| e.row).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn defaults_stand_in_for_failed_rows_and_for_no_null_beside_them() {
    let operator = operator(MAPPING, OnError::Default, &[("quotient", "-1")]).unwrap();
    let outcome = operator.evaluate(&batch(), None).unwrap();
    let wanted: Int64Array = [Some(5), Some(-1), Some(-1), None].into_iter().collect();
    assert_eq!(outcome.columns[0].as_primitive(), &wanted);
    let notes: StringArray = [Some("fine"), None, None, None].into_iter().collect();
    assert_eq!(outcome.columns[1].as_string(), &notes);
    assert_eq!(outcome.errors.len(), 2);
}

#[test]
fn fail_stops_at_the_first_failed_row() {
    let operator = operator(MAPPING, OnError::Fail, &[]).unwrap();
    let error = operator.evaluate(&batch(), None).unwrap_err();
    assert!(matches!(error, TransformError::RowFailed { row: 1, .. }), "{error}");
    assert_eq!(error.to_string(), "transform divide: row 1: failed: b is 0");
}

#[test]
fn more_failed_rows_than_allowed_are_no_outcome() {
    let operator = operator(MAPPING, OnError::Null, &[]).unwrap();
    assert!(operator.evaluate(&batch(), Some(2)).is_ok());
    let error = operator.evaluate(&batch(), Some(0)).unwrap_err();
    let TransformError::TooManyErrors { limit: 0, errors, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].row, errors[0].message.as_str()), (1, "b is 0"));
}

#[test]
fn mistakes_in_the_binding_are_named() {
    for (mapping, part) in [
        (&[][..], "argument b: there is no column \"b\"; the columns: id, a, divisor"),
        (&[("b", "Divisor")], "did you mean \"divisor\"?"),
        (&[("c", "divisor")], "no argument \"c\"; its arguments: a, b"),
        (&[("b", "divisor"), ("b", "id")], "two columns are given"),
    ] {
        let error = operator(mapping, OnError::Null, &[]).err().unwrap();
        assert!(error.contains(part), "{error}");
    }
    let twice = Schema::new(vec![
        ArrowField::new("a", ArrowType::Int64, true),
        ArrowField::new("b", ArrowType::Int64, true),
        ArrowField::new("b", ArrowType::Int64, true),
    ]);
    let mapping = ColumnMapping::default();
    let error = TransformOperator::new(divide(), &mapping, &twice, ErrorPolicy::default());
    assert!(error.err().unwrap().to_string().contains("two columns are named \"b\""));
}

#[test]
fn mistakes_in_the_policy_are_named() {
    for (on_error, defaults, part) in [
        (OnError::Default, &[][..], "none is given"),
        (OnError::Null, &[("quotient", "1")], "failed rows get null"),
        (OnError::Default, &[("ratio", "1")], "transform divide yields quotient, note"),
        (OnError::Default, &[("quotient", "1.5")], "output quotient: \"1.5\" is no int64"),
        (OnError::Default, &[("note", ""), ("note", "x")], "two defaults"),
    ] {
        let error = operator(MAPPING, on_error, defaults).err().unwrap();
        assert!(error.contains(part), "{error}");
    }
    assert!("ignore".parse::<OnError>().unwrap_err().to_string().contains("null, fail or default"));
}

#[test]
fn a_transform_without_arguments_gets_the_number_of_rows() {
    let kernel = native("one", vec![], vec![field("y", "int64")], |batch| {
        (vec![Arc::new(Int64Array::from(vec![1; batch.num_rows()])) as ArrayRef], vec![])
    });
    let mapping = ColumnMapping::default();
    let operator =
        TransformOperator::new(kernel, &mapping, &batch().schema(), ErrorPolicy::default())
            .unwrap();
    assert_eq!(operator.evaluate(&batch(), None).unwrap().columns[0].len(), 4);
}

#[test]
fn a_kernel_that_breaks_its_promise_is_refused() {
    let kernel = native("short", vec![], vec![field("y", "int64")], |_| {
        (vec![Arc::new(Int64Array::from(vec![1])) as ArrayRef], vec![])
    });
    let mapping = ColumnMapping::default();
    let operator =
        TransformOperator::new(kernel, &mapping, &batch().schema(), ErrorPolicy::default())
            .unwrap();
    assert!(operator.evaluate(&batch(), None).is_err());
}
