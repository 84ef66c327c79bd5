//! A call of one row in an instance that was called before yields what the
//! same row yields in a fresh one, whatever the module does.

mod raw;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use raw::{component, each_row, host, module_with};
use unskew_host::{CallShape, Isolation, Limits, Outcome, RowStatus};

/// Doubles, but for the values that stand for a misdeed.
fn treacherous() -> String {
    let reply = 2_097_152;
    let misdeeds = format!(
        "(if (i64.eq (local.get $x) (i64.const 1)) (then unreachable))
         (if (i64.eq (local.get $x) (i64.const 2)) (then (loop $ever (br $ever))))
         (if (i64.eq (local.get $x) (i64.const 3)) (then
           (drop (call $reply (i32.const 1)))
           (i32.store (i32.const {length}) (i32.const 73)) (return (i32.const 32))))
         (if (i64.eq (local.get $x) (i64.const 4)) (then
           (drop (call $reply (i32.const 1)))
           (i32.store (i32.const {nulls}) (i32.const 1)) (return (i32.const 32))))
         (if (i64.eq (local.get $x) (i64.const 5)) (then
           (drop (call $reply (i32.const 1)))
           (i32.store (i32.const 36) (i32.const 64)) (return (i32.const 32))))
         (if (i64.eq (local.get $x) (i64.const 6)) (then
           (drop (call $reply (i32.const 1)))
           (i32.store (i32.const 32) (i32.const -16)) (return (i32.const 32))))
         (if (i64.eq (local.get $x) (i64.const 7)) (then
           ;; More than half of the fuel, less than all of it.
           (local.set $x (i64.const 700000))
           (loop $long
             (local.set $x (i64.sub (local.get $x) (i64.const 1)))
             (br_if $long (i64.ne (local.get $x) (i64.const 0))))
           (local.set $x (i64.const 7))))",
        length = reply + 12,
        nulls = reply + 20,
    );
    let put = "(call $put (local.get $row) (i64.mul (local.get $x) (i64.const 2)))";
    module_with(&each_row(&format!("{misdeeds} {put}")), "")
}

fn row(x: Option<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![x]));
    RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap()
}

fn seen(outcome: &Outcome) -> (Vec<ArrayRef>, Vec<(usize, RowStatus, String)>) {
    let errors = outcome.errors.iter().map(|e| (e.row, e.status, e.message.clone()));
    (outcome.columns.clone(), errors.collect())
}

#[test]
fn a_warm_row_yields_what_it_yields_alone() {
    // Fuel that the short loop above takes more than half of.
    let limits = Limits { fuel: 8_000_000, ..Limits::default() };
    let module = host(limits).load(&component(&treacherous())).unwrap();
    let fresh = CallShape { rows_per_call: 1, isolation: Isolation::Fresh };
    let healthy = module.transform(0, &row(Some(21)), None).unwrap();
    assert!(healthy.errors.is_empty());
    // Twice: after each misdeed the module is as good as before.
    for x in (0..40).chain(0..40).map(Some).chain([None, Some(i64::MIN), Some(i64::MAX)]) {
        // After a misdeed the first of these makes an instance.
        module.transform(0, &row(Some(19)), None).unwrap();
        let warm = module.transform(0, &row(Some(20)), None).unwrap();
        assert_eq!(warm.metrics.pool_hits, 1, "the instance is used again before {x:?}");
        let found = module.transform(0, &row(x), None).unwrap();
        let expected = module.transform_in_shape(0, &row(x), None, fresh).unwrap();
        assert_eq!(seen(&found), seen(&expected), "{x:?}");
        let failed = matches!(x, Some(1..=6));
        assert_eq!(found.errors.len(), usize::from(failed), "{x:?}: {:?}", found.errors);
        assert_eq!(found.metrics.rows > 0, x.is_some());
    }
}

#[test]
fn failed_rows_count_against_what_the_caller_bears() {
    let module = raw::load(&treacherous()).unwrap();
    module.transform(0, &row(Some(21)), Some(0)).unwrap();
    assert!(module.transform(0, &row(Some(1)), Some(0)).is_err());
    assert!(module.transform(0, &row(Some(1)), Some(1)).is_ok());
}

#[test]
fn totals_count_every_call() {
    let module = raw::load(&raw::doubling()).unwrap();
    let mut sum = unskew_host::CallMetrics::default();
    for x in 0..100 {
        sum += module.transform(0, &row(Some(x)), None).unwrap().metrics;
    }
    assert_eq!((sum.calls, sum.rows, sum.pool_hits, sum.faults), (100, 100, 100, 0));
    assert_eq!(module.metrics(), sum);
}
