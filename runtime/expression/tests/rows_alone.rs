//! What a row yields is what it yields alone: random expressions over random
//! rows, evaluated all at once, in pieces, and one row at a time.

mod shared;

use arrow::array::{Array, RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, concat_batches, take_record_batch};
use proptest::prelude::*;
use shared::{Transforms, analyze, batch};
use unskew_expression::BoundExpression;
use unskew_host::{CallError, Outcome};

/// Texts that fail for some rows and are lazy about others.
fn number() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("i".to_owned()),
        Just("j".to_owned()),
        Just("id".to_owned()),
        Just("CAST(tiny AS BIGINT)".to_owned()),
        Just("p.a".to_owned()),
        Just("length(s)".to_owned()),
        (-3i64..4).prop_map(|n| n.to_string()),
        Just("9223372036854775807".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*/%]", inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("abs({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("coalesce({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("nullif({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("shop.split({a}, {b}).q")),
            (condition(inner.clone()), inner.clone(), inner.clone())
                .prop_map(|(c, a, b)| format!("CASE WHEN {c} THEN {a} ELSE {b} END")),
            (inner.clone(), inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(x, a, b, c)| format!("CASE {x} WHEN {a} THEN {b} WHEN 1 THEN {c} END")),
        ]
    })
    .boxed()
}

fn condition(number: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (number.clone(), prop_oneof![Just("="), Just("<"), Just(">="), Just("<>")], number.clone())
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        number.clone().prop_map(|a| format!("({a}) IS NULL")),
        (number.clone(), number).prop_map(|(a, b)| format!("{a} IN ({b}, 2, NULL)")),
        Just("b".to_owned()),
        Just("half(y) > 0.5".to_owned()),
        Just("x / y < 1".to_owned()),
        Just("CAST(s AS BIGINT) > 0".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.clone().prop_map(|a| format!("(NOT {a})")),
            inner.prop_map(|a| format!("({a}) IS TRUE")),
        ]
    })
    .boxed()
}

fn bound(text: &str) -> BoundExpression {
    analyze(text).unwrap_or_else(|e| panic!("{text}: {e}")).bind(&Transforms::new()).unwrap()
}

fn same(text: &str, whole: &Outcome, order: &[u32], other: &Outcome, start: usize) {
    let (one, two) = (&whole.columns[0], &other.columns[0]);
    let compare = make_comparator(one, two, SortOptions::default()).unwrap();
    for at in 0..two.len() {
        let row = order[start + at] as usize;
        assert!(compare(row, at).is_eq(), "{text}: row {row} differs");
        let error = |outcome: &Outcome, row: usize| {
            outcome.errors.iter().find(|e| e.row == row).map(|e| (e.status, e.message.clone()))
        };
        assert_eq!(error(whole, row), error(other, at), "{text}: row {row}");
    }
}

fn check(text: &str, batch: &RecordBatch, order: &[u32], piece: usize) {
    let bound = bound(text);
    let whole = bound.evaluate(batch, None).unwrap();
    let permuted = take_record_batch(batch, &UInt32Array::from(order.to_vec())).unwrap();
    for length in [1, piece, order.len()] {
        for start in (0..order.len()).step_by(length) {
            let length = length.min(order.len() - start);
            let part = bound.evaluate(&permuted.slice(start, length), None).unwrap();
            same(text, &whole, order, &part, start);
        }
    }
    // A limit gives the first that fail, however they are found.
    for limit in [0, 1, 3] {
        match bound.evaluate(batch, Some(limit)) {
            Ok(outcome) => assert_eq!(outcome.errors, whole.errors, "{text}"),
            Err(CallError::TooManyErrors { errors, .. }) => {
                assert_eq!(errors, whole.errors[..limit as usize + 1], "{text}");
            }
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

/// Rows of the shared batch again and again, so that parts are needed by few
/// and by many.
fn rows(of: &[u32]) -> RecordBatch {
    take_record_batch(&batch(), &UInt32Array::from(of.to_vec())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn numbers(
        text in number(),
        of in prop::collection::vec(0u32..6, 1..40),
        piece in 2usize..9,
        seed in any::<u64>(),
    ) {
        let batch = rows(&of);
        let mut order: Vec<u32> = (0..of.len() as u32).collect();
        order.sort_by_key(|&row| (u64::from(row) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        check(&text, &batch, &order, piece);
    }

    #[test]
    fn conditions(
        text in condition(number()),
        of in prop::collection::vec(0u32..6, 1..40),
        piece in 2usize..9,
    ) {
        let batch = rows(&of);
        let order: Vec<u32> = (0..of.len() as u32).rev().collect();
        check(&text, &batch, &order, piece);
    }
}

#[test]
fn many_rows_that_all_fail_are_each_found() {
    let one = batch();
    let many = concat_batches(&one.schema(), std::iter::repeat_n(&one, 3000)).unwrap();
    let outcome = bound("1 / (id - id) + half(y - 100)").evaluate(&many, None).unwrap();
    assert_eq!(outcome.errors.len(), many.num_rows());
    let order: Vec<u32> = (0..many.num_rows() as u32).collect();
    check("CASE WHEN b THEN half(y) ELSE i / j END", &many.slice(0, 600), &order[..600], 97);
}
