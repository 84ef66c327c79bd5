//! Every built-in function: an ordinary row, one with edge values (NaN, the
//! least integer, an empty text), and one of nulls; each gives the same again,
//! alone and beside the others.

mod shared;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use shared::{batch_of, field, shown};
use unskew_expression::{NoFunctions, SqlExpression, built_in_functions};

fn rows() -> (Vec<unskew_definition::Field>, RecordBatch) {
    let fields = vec![
        field("x", "float64", true),
        field("i", "int64", true),
        field("s", "utf8", true),
        field("t", "timestamp", true),
        field("l", "list<int64?>", true),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None])),
        Arc::new(Int64Array::from(vec![Some(7), Some(i64::MIN), None])),
        Arc::new(StringArray::from(vec![Some("aXb"), Some(""), None])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(1_709_210_096_123_456), Some(-1), None])
                .with_timezone("UTC"),
        ),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(7), None, Some(9)]),
            Some(vec![]),
            None,
        ])),
    ];
    let batch = batch_of(&fields, columns);
    (fields, batch)
}

const OVERFLOW: &str = "!";

/// A function, a call of it, and what it yields; `!` is an error.
const CALLS: &[(&str, &str, [&str; 3])] = &[
    ("abs", "abs(i)", ["", "", ""]),
    ("acos", "acos(x)", ["", "", ""]),
    ("acosh", "acosh(x + 1)", ["", "", ""]),
    ("array_element", "array_element(l, 1)", ["", "", ""]),
    ("array_has", "array_has(l, 9)", ["", "", ""]),
    ("array_length", "array_length(l)", ["", "", ""]),
    ("array_position", "array_position(l, 9)", ["", "", ""]),
    ("ascii", "ascii(s)", ["", "", ""]),
    ("asin", "asin(x)", ["", "", ""]),
    ("asinh", "asinh(x)", ["", "", ""]),
    ("atan", "atan(x)", ["", "", ""]),
    ("atan2", "atan2(x, 2)", ["", "", ""]),
    ("atanh", "atanh(x)", ["", "", ""]),
    ("bit_length", "bit_length(s)", ["", "", ""]),
    ("btrim", "btrim(s, 'a')", ["", "", ""]),
    ("cardinality", "cardinality(l)", ["", "", ""]),
    ("cbrt", "cbrt(x)", ["", "", ""]),
    ("ceil", "ceil(x)", ["", "", ""]),
    ("ceiling", "ceiling(x)", ["", "", ""]),
    ("char_length", "char_length(s)", ["", "", ""]),
    ("character_length", "character_length(s)", ["", "", ""]),
    ("chr", "chr(i)", ["", "", ""]),
    ("coalesce", "coalesce(i, 1)", ["", "", ""]),
    ("concat", "concat(s, '-')", ["", "", ""]),
    ("concat_ws", "concat_ws('-', s, 'z')", ["", "", ""]),
    ("contains", "contains(s, 'X')", ["", "", ""]),
    ("cos", "cos(x)", ["", "", ""]),
    ("cosh", "cosh(x)", ["", "", ""]),
    ("date_bin", "date_bin(INTERVAL '1 hour', t)", ["", "", ""]),
    ("date_diff", "date_diff('day', t, TIMESTAMP '2024-03-05')", ["", "", ""]),
    ("date_part", "date_part('week', t)", ["", "", ""]),
    ("date_trunc", "date_trunc('month', t)", ["", "", ""]),
    ("datepart", "datepart('day', t)", ["", "", ""]),
    ("datetrunc", "datetrunc('second', t)", ["", "", ""]),
    ("degrees", "degrees(x)", ["", "", ""]),
    ("ends_with", "ends_with(s, 'b')", ["", "", ""]),
    ("exp", "exp(x)", ["", "", ""]),
    ("expm1", "expm1(x)", ["", "", ""]),
    ("floor", "floor(x)", ["", "", ""]),
    ("from_unix_micros", "from_unix_micros(i % 10)", ["", "", ""]),
    ("from_unix_millis", "from_unix_millis(i % 10)", ["", "", ""]),
    ("from_unix_seconds", "from_unix_seconds(i)", ["", "", ""]),
    ("greatest", "greatest(i, 8)", ["", "", ""]),
    ("ifnull", "ifnull(i, 1)", ["", "", ""]),
    ("initcap", "initcap(s)", ["", "", ""]),
    ("instr", "instr(s, 'X')", ["", "", ""]),
    ("isnan", "isnan(x)", ["", "", ""]),
    ("least", "least(x, 0.25)", ["", "", ""]),
    ("left", "left(s, 2)", ["", "", ""]),
    ("length", "length(s)", ["", "", ""]),
    ("levenshtein", "levenshtein(s, 'ab')", ["", "", ""]),
    ("list_contains", "list_contains(l, 7)", ["", "", ""]),
    ("list_has", "list_has(l, 8)", ["", "", ""]),
    ("ln", "ln(x)", ["", "", ""]),
    ("ln1p", "ln1p(x)", ["", "", ""]),
    ("log", "log(2, x)", ["", "", ""]),
    ("log10", "log10(x)", ["", "", ""]),
    ("log2", "log2(x)", ["", "", ""]),
    ("lower", "lower(s)", ["", "", ""]),
    ("lpad", "lpad(s, 4, '.')", ["", "", ""]),
    ("ltrim", "ltrim(s, 'a')", ["", "", ""]),
    ("make_date", "make_date(2024, 2, i)", ["", "", ""]),
    ("mod", "mod(i, 4)", ["", "", ""]),
    ("nanvl", "nanvl(x, 1)", ["", "", ""]),
    ("nullif", "nullif(i, 7)", ["", "", ""]),
    ("nvl", "nvl(i, 0)", ["", "", ""]),
    ("octet_length", "octet_length(s)", ["", "", ""]),
    ("pi", "pi() * x", ["", "", ""]),
    ("position", "position('b' IN s)", ["", "", ""]),
    ("pow", "pow(x, 2)", ["", "", ""]),
    ("power", "power(x, 0.5)", ["", "", ""]),
    ("radians", "radians(x)", ["", "", ""]),
    ("regexp_count", "regexp_count(s, '[a-z]')", ["", "", ""]),
    ("regexp_like", "regexp_like(s, '^A', 'i')", ["", "", ""]),
    ("regexp_match", "regexp_match(s, '[A-Z]')", ["", "", ""]),
    ("regexp_replace", "regexp_replace(s, '[a-z]', '.', 'g')", ["", "", ""]),
    ("repeat", "repeat(s, 2)", ["", "", ""]),
    ("replace", "replace(s, 'X', 'yy')", ["", "", ""]),
    ("reverse", "reverse(s)", ["", "", ""]),
    ("right", "right(s, 2)", ["", "", ""]),
    ("round", "round(x)", ["", "", ""]),
    ("rpad", "rpad(s, 4, '.')", ["", "", ""]),
    ("rtrim", "rtrim(s, 'b')", ["", "", ""]),
    ("sign", "sign(i)", ["", "", ""]),
    ("signum", "signum(x)", ["", "", ""]),
    ("sin", "sin(x)", ["", "", ""]),
    ("sinh", "sinh(x)", ["", "", ""]),
    ("split_part", "split_part(s, 'X', 2)", ["", "", ""]),
    ("sqrt", "sqrt(x)", ["", "", ""]),
    ("starts_with", "starts_with(s, 'a')", ["", "", ""]),
    ("strpos", "strpos(s, 'b')", ["", "", ""]),
    ("substr", "substr(s, 2)", ["", "", ""]),
    ("substring", "substring(s, 1, 2)", ["", "", ""]),
    ("tan", "tan(x)", ["", "", ""]),
    ("tanh", "tanh(x)", ["", "", ""]),
    ("to_hex", "to_hex(i)", ["", "", ""]),
    ("translate", "translate(s, 'ab', 'cd')", ["", "", ""]),
    ("trim", "trim(s)", ["", "", ""]),
    ("trunc", "trunc(x * 10)", ["", "", ""]),
    ("unix_micros", "unix_micros(t)", ["", "", ""]),
    ("unix_millis", "unix_millis(t)", ["", "", ""]),
    ("unix_seconds", "unix_seconds(t)", ["", "", ""]),
    ("upper", "upper(s)", ["", "", ""]),
];

#[test]
fn every_function_yields_what_is_promised() {
    let (fields, batch) = rows();
    let mut wrong = Vec::new();
    for (name, text, wanted) in CALLS {
        let expression = match SqlExpression::analyze(text, &fields, &NoFunctions) {
            Ok(expression) => expression,
            Err(error) => {
                wrong.push(format!("{text}: {error}"));
                continue;
            }
        };
        assert!(text.contains(name), "{text} is to call {name}");
        let bound = expression.bind(&NoFunctions).unwrap();
        let whole = shown(&bound.evaluate(&batch, None).unwrap());
        let plain = |value: &String| match value.starts_with('!') {
            true => OVERFLOW.to_owned(),
            false => value.clone(),
        };
        let found: Vec<String> = whole.iter().map(plain).collect();
        if found != *wanted {
            wrong.push(format!("(\"{name}\", \"{text}\", {found:?}),"));
        }
        assert_eq!(whole, shown(&bound.evaluate(&batch, None).unwrap()), "{text}: again");
        for (row, of_all) in whole.iter().enumerate() {
            let alone = shown(&bound.evaluate(&batch.slice(row, 1), None).unwrap());
            assert_eq!(alone, [of_all.clone()], "{text}: row {row} alone");
        }
        if whole[2] != "null" {
            let says = expression.nullable();
            assert!(!says || whole[2].starts_with('!') || name.starts_with("concat") || *name == "coalesce", "{text}");
        } else {
            assert!(expression.nullable(), "{text} yields null and says it does not");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_is_tried_here_and_described_in_the_documentation() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sql.md");
    let page = std::fs::read_to_string(path).unwrap();
    for name in built_in_functions() {
        assert!(CALLS.iter().any(|(tried, ..)| *tried == name), "{name} is not tried");
        assert!(page.contains(&format!("`{name}")), "docs/sql.md does not describe {name}");
    }
}
