//! What a row may expect of the host, shown on modules made by hand: nulls,
//! faults of every kind, halving, limits, reuse.

mod raw;

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use raw::{doubling, each_row, host, load, module_with};
use unskew_host::{CallError, CompiledModule, HostConfig, Isolation, Limits, RowStatus};

fn batch(values: impl IntoIterator<Item = Option<i64>>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter(values));
    RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap()
}

fn numbers(count: i64) -> RecordBatch {
    batch((0..count).map(Some))
}

fn values(outcome: &unskew_host::Outcome) -> Vec<Option<i64>> {
    outcome.columns[0].as_primitive::<Int64Type>().iter().collect()
}

/// Fails on every row for which `x` divides by `divisor`.
fn failing_on_multiples(divisor: i64, how: &str) -> String {
    module_with(
        &each_row(&format!(
            "(if (i64.eqz (i64.rem_s (local.get $x) (i64.const {divisor}))) (then {how}))
             (call $put (local.get $row) (i64.mul (local.get $x) (i64.const 2)))"
        )),
        "",
    )
}

fn check_multiples_fail(module: &CompiledModule, divisor: i64, status: RowStatus) {
    let outcome = module.transform(0, &numbers(3000), None).unwrap();
    for (x, value) in values(&outcome).into_iter().enumerate() {
        let expected = (x as i64 % divisor != 0).then_some(2 * x as i64);
        assert_eq!(value, expected, "row {x}");
    }
    let rows: Vec<usize> = outcome.errors.iter().map(|e| e.row).collect();
    let expected: Vec<usize> = (0..3000).step_by(divisor as usize).collect();
    assert_eq!(rows, expected);
    assert!(outcome.errors.iter().all(|e| e.status == status), "{:?}", outcome.errors[0]);
    // Nothing is left of it: the next call is as good as the first.
    let healthy = module.transform(0, &batch([Some(divisor + 1)]), None).unwrap();
    assert_eq!(values(&healthy), [Some(2 * (divisor + 1))]);
}

#[test]
fn rows_come_back_in_order_over_many_calls() {
    let module = load(&doubling()).unwrap();
    let outcome = module.transform(0, &numbers(20_000), None).unwrap();
    assert!(outcome.errors.is_empty());
    assert!(values(&outcome).into_iter().eq((0..20_000).map(|x| Some(2 * x))));
    assert!(outcome.metrics.calls >= 3);
    assert!(outcome.metrics.fuel > 0 && outcome.metrics.bytes_out > 160_000);
    assert_eq!(module.metrics(), outcome.metrics);
}

#[test]
fn a_null_in_an_argument_that_is_never_null_is_null_without_a_call() {
    let module = load(&doubling()).unwrap();
    let rows = batch([None, Some(1), None, Some(2), None]);
    let outcome = module.transform(0, &rows, None).unwrap();
    assert_eq!(values(&outcome), [None, Some(2), None, Some(4), None]);
    assert!(outcome.errors.is_empty());
    assert_eq!(outcome.metrics.rows, 2);

    let nothing = module.transform(0, &batch([None, None]), None).unwrap();
    assert_eq!(values(&nothing), [None, None]);
    assert_eq!(nothing.metrics.calls, 0);
}

#[test]
fn slices_and_empty_batches_are_fine() {
    let module = load(&doubling()).unwrap();
    let slice = numbers(100).slice(37, 5);
    let outcome = module.transform(0, &slice, None).unwrap();
    assert_eq!(values(&outcome), (37..42).map(|x| Some(2 * x)).collect::<Vec<_>>());
    let empty = module.transform(0, &numbers(0), None).unwrap();
    assert_eq!(empty.columns[0].len(), 0);
}

#[test]
fn a_trap_is_an_error_of_its_row_alone() {
    for divisor in [2, 100, 2999] {
        let module = load(&failing_on_multiples(divisor, "unreachable")).unwrap();
        check_multiples_fail(&module, divisor, RowStatus::Trapped);
    }
}

#[test]
fn all_rows_may_fail_without_costing_more_than_a_call_each() {
    let module = load(&failing_on_multiples(1, "unreachable")).unwrap();
    let outcome = module.transform(0, &numbers(3000), None).unwrap();
    assert_eq!(outcome.errors.len(), 3000);
    // A few calls to find out, then one for each row.
    assert!(outcome.metrics.calls < 3100, "{:?}", outcome.metrics);
}

#[test]
fn the_row_that_a_module_names_is_a_hint_and_no_more() {
    // It blames row 0 for every trap: wrong, and yet no other row suffers.
    let blame = "(call $log (i32.const 4) (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 8)) unreachable";
    let module = load(&failing_on_multiples(100, blame)).unwrap();
    check_multiples_fail(&module, 100, RowStatus::Trapped);
    let honest = "(call $log (i32.const 4) (i32.const 1) (local.get $row) (i32.const 1024) (i32.const 8)) unreachable";
    let module = load(&failing_on_multiples(100, honest)).unwrap();
    check_multiples_fail(&module, 100, RowStatus::Trapped);
    let outcome = module.transform(0, &batch([Some(0)]), None).unwrap();
    assert_eq!(outcome.errors[0].message, r#"{"manife"#, "the fatal message is the row's");
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let module = load(&failing_on_multiples(1000, "(loop $ever (br $ever))")).unwrap();
    check_multiples_fail(&module, 1000, RowStatus::OutOfFuel);
}

#[test]
fn growing_past_the_limit_traps_even_if_the_module_would_bear_it() {
    let bomb = "(drop (memory.grow (i32.const 60000)))";
    let module = load(&failing_on_multiples(1000, bomb)).unwrap();
    check_multiples_fail(&module, 1000, RowStatus::OutOfMemory);
}

#[test]
fn deep_recursion_is_flagged() {
    let deep = module_with(
        &each_row(
            "(if (i64.eqz (i64.rem_s (local.get $x) (i64.const 1000))) (then (call $deep (i64.const 0))))
             (call $put (local.get $row) (i64.mul (local.get $x) (i64.const 2)))",
        ),
        "(func $deep (param i64) (call $deep (i64.add (local.get 0) (i64.const 1))))",
    );
    check_multiples_fail(&load(&deep).unwrap(), 1000, RowStatus::StackOverflow);
}

#[test]
fn many_costly_rows_each_get_the_fuel_of_a_call() {
    // About 30 M fuel a row: no two of them fit one call.
    let spin = "(local.set $x (i64.const 5000000))
      (block $spun (loop $spin
        (br_if $spun (i64.eqz (local.get $x)))
        (local.set $x (i64.sub (local.get $x) (i64.const 1)))
        (br $spin)))
      (call $put (local.get $row) (i64.const 7))";
    let module = load(&module_with(&each_row(spin), "")).unwrap();
    let outcome = module.transform(0, &numbers(20), None).unwrap();
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    assert!(values(&outcome).iter().all(|v| *v == Some(7)));
}

#[test]
fn a_row_that_alone_is_out_of_fuel_fails_in_company_too() {
    let limits = Limits { fuel: 100_000, ..Limits::default() };
    // Row x spins x times; somewhere near 20,000 spins the fuel ends.
    let spin = "(block $spun (loop $spin
        (br_if $spun (i64.eqz (local.get $x)))
        (local.set $x (i64.sub (local.get $x) (i64.const 1)))
        (br $spin)))
      (call $put (local.get $row) (i64.const 7))";
    let module = host(limits).load(&raw::component(&module_with(&each_row(spin), ""))).unwrap();
    let spins: Vec<i64> = (0..400).map(|i| i * 97 % 400 * 100).collect();
    let together = module.transform(0, &batch(spins.iter().map(|x| Some(*x))), None).unwrap();
    let together = values(&together);
    for (x, value) in spins.iter().zip(&together) {
        let alone = module.transform(0, &batch([Some(*x)]), None).unwrap();
        assert_eq!(values(&alone), [*value], "{x} spins");
    }
    assert!(together.contains(&None) && together.contains(&Some(7)));
}

#[test]
fn max_errors_bounds_the_work() {
    let module = load(&failing_on_multiples(1, "unreachable")).unwrap();
    let error = module.transform(0, &numbers(3000), Some(5)).unwrap_err();
    let CallError::TooManyErrors { limit: 5, errors, .. } = error else { panic!("{error:?}") };
    assert!(errors.iter().map(|e| e.row).eq(0..6), "{errors:?}");
    assert!(module.metrics().calls < 100, "the work stopped");
    assert!(module.transform(0, &numbers(5), Some(5)).is_ok());
}

#[test]
fn a_deadline_fails_the_call_and_decides_nothing() {
    let limits = Limits {
        fuel: u64::MAX / 4,
        deadline: std::time::Duration::from_millis(60),
        ..Limits::default()
    };
    let forever = raw::component(&failing_on_multiples(1000, "(loop $ever (br $ever))"));
    let module = host(limits).load(&forever).unwrap();
    let error = module.transform(0, &numbers(3000), None).unwrap_err();
    assert!(matches!(error, CallError::DeadlineExceeded { .. }), "{error:?}");
    assert_eq!(values(&module.transform(0, &batch([Some(1)]), None).unwrap()), [Some(2)]);
}

#[test]
fn an_instance_sees_one_zero_row_call_first() {
    // Yields how many calls the instance has seen: with fresh instances
    // always the zero-row call and this one.
    let count = each_row("(call $put (local.get $row) (i64.extend_i32_u (global.get $calls)))");
    let component = raw::component(&module_with(&count, ""));
    let fresh = HostConfig { isolation: Isolation::Fresh, ..HostConfig::default() };
    let module = unskew_host::Host::new(fresh).unwrap().load(&component).unwrap();
    for _ in 0..3 {
        assert_eq!(values(&module.transform(0, &numbers(1), None).unwrap()), [Some(2)]);
    }
    let metrics = module.metrics();
    assert_eq!(metrics.pool_hits + metrics.pool_misses, 3, "made ahead, or for the call");

    let module = host(Limits::default()).load(&component).unwrap();
    for calls in 2..5 {
        assert_eq!(values(&module.transform(0, &numbers(1), None).unwrap()), [Some(calls)]);
    }
    // The first of them used the instance that gave the manifest.
    assert_eq!((module.metrics().pool_hits, module.metrics().pool_misses), (3, 0));
}

#[test]
fn more_modules_than_instances_share_what_there_is() {
    let limits = Limits { instances: 2, ..Limits::default() };
    let host = host(limits);
    let modules: Vec<_> = (1..6)
        .map(|factor| {
            let body = format!(
                "(call $put (local.get $row) (i64.mul (local.get $x) (i64.const {factor})))"
            );
            host.load(&raw::component(&module_with(&each_row(&body), ""))).unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    for (module, factor) in modules.iter().zip(1..) {
                        let outcome = module.transform(0, &numbers(10), None).unwrap();
                        assert_eq!(values(&outcome)[9], Some(9 * factor));
                    }
                }
            });
        }
    });
}
