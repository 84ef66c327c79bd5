//! `min`, `max`, `top_k` by the total order of values; `first`, `last`,
//! `last_n` by that of rows.

mod shared;

use AggregateFunction::*;
use shared::{FLOATS, Row, fold};
use unskew_aggregate::{
    Aggregate, AggregateError, AggregateFunction, ListSize, MAX_LIST_ITEMS, Value, ValueKind,
};

fn rows(values: &[Value]) -> Vec<Row> {
    values
        .iter()
        .map(|value| Row { value: Some(value.clone()), time: 0, tie: Vec::new() })
        .collect()
}

fn finish(function: AggregateFunction, kind: ValueKind, rows: &[Row]) -> Option<Value> {
    let aggregate = Aggregate::new(function, Some(kind)).unwrap();
    aggregate.finish(&fold(&aggregate, rows)).unwrap()
}

fn floats(xs: &[f64]) -> Vec<Row> {
    rows(&xs.iter().map(|x| Value::Float(*x)).collect::<Vec<_>>())
}

fn bits(value: Option<Value>) -> u64 {
    match value {
        Some(Value::Float(x)) => x.to_bits(),
        other => panic!("{other:?} is no float"),
    }
}

#[test]
fn the_order_of_floats_is_total() {
    let kind = ValueKind::Float64;
    let nan = 0x7ff8_0000_0000_0000;
    assert_eq!(bits(finish(Max, kind, &floats(&FLOATS))), nan);
    assert_eq!(bits(finish(Min, kind, &floats(&FLOATS))), f64::NEG_INFINITY.to_bits());
    assert_eq!(bits(finish(Min, kind, &floats(&[0.0, -0.0, 1.0]))), (-0.0_f64).to_bits());
    assert_eq!(bits(finish(Max, kind, &floats(&[-0.0, 0.0, -1.0]))), 0);
    assert_eq!(bits(finish(Min, kind, &floats(&[-f64::NAN, f64::NAN]))), nan);
    assert_eq!(
        bits(finish(Min, kind, &floats(&[-f64::NAN, f64::INFINITY]))),
        f64::INFINITY.to_bits()
    );
    let k = ListSize::new(3).unwrap();
    let Some(Value::List(top)) =
        finish(TopK { k }, kind, &floats(&[1.0, f64::NAN, 7.0, 7.0, -3.0]))
    else {
        panic!("a list")
    };
    assert_eq!(top, [f64::NAN, 7.0, 7.0].map(Value::Float));
}

#[test]
fn texts_are_ordered_by_their_bytes() {
    let of = |function| {
        let texts = ["b", "", "a\0", "a", "é", "z"].map(|text| Value::Utf8(text.into()));
        finish(function, ValueKind::Utf8, &rows(&texts)).unwrap()
    };
    assert_eq!(of(Min), Value::Utf8("".into()));
    assert_eq!(of(Max), Value::Utf8("é".into()));
    let k = ListSize::new(2).unwrap();
    assert_eq!(of(TopK { k }), Value::List(["é", "z"].map(|t| Value::Utf8(t.into())).to_vec()));
}

fn at(time: i64, tie: &[u8], value: Option<i64>) -> Row {
    Row { value: value.map(Value::Int), time, tie: tie.to_vec() }
}

#[test]
fn rows_are_ordered_by_time_then_tie_then_value_and_nulls_are_skipped() {
    let kind = ValueKind::Int64;
    let all = [
        at(5, &[2], Some(1)),
        at(5, &[2, 0], Some(2)),
        at(-7, &[9], None),
        at(9, &[], None),
        at(5, &[1, 9], Some(3)),
        at(-1, &[3], Some(9)),
        at(-1, &[3], Some(8)),
    ];
    assert_eq!(finish(First, kind, &all), Some(Value::Int(8)));
    assert_eq!(finish(Last, kind, &all), Some(Value::Int(2)));
    let list = |n: u64| {
        let n = ListSize::new(n).unwrap();
        finish(LastN { n }, kind, &all).unwrap()
    };
    let ints = |xs: &[i64]| Value::List(xs.iter().map(|x| Value::Int(*x)).collect());
    assert_eq!(list(2), ints(&[1, 2]), "oldest first");
    assert_eq!(list(9), ints(&[8, 9, 3, 1, 2]));
    assert_eq!(finish(Last, kind, &all[2..4]), None);
    let n = ListSize::new(2).unwrap();
    assert_eq!(finish(LastN { n }, kind, &all[2..4]), Some(ints(&[])));
}

#[test]
fn counts_skip_nulls_unless_they_count_rows() {
    let all = [at(0, &[], None), at(0, &[], Some(1)), at(0, &[], None)];
    let of_rows = Aggregate::new(Count, None).unwrap();
    assert_eq!(of_rows.finish(&fold(&of_rows, &all)), Ok(Some(Value::Int(3))));
    assert_eq!(finish(Count, ValueKind::Int64, &all), Some(Value::Int(1)));
}

#[test]
fn sizes_and_inputs_have_bounds() {
    assert!(ListSize::new(0).is_none());
    assert!(ListSize::new(u64::from(MAX_LIST_ITEMS) + 1).is_none());
    assert_eq!(ListSize::new(MAX_LIST_ITEMS.into()).unwrap().get(), 1024);
    assert_eq!(Aggregate::new(Max, None), Err(AggregateError::NoInput { function: "max" }));
    for kind in [ValueKind::Bool, ValueKind::Utf8, ValueKind::Date32, ValueKind::Timestamp] {
        let error = Aggregate::new(Sum, Some(kind)).unwrap_err().to_string();
        assert!(error.contains(&format!("not {kind};")), "{error}");
    }
}
