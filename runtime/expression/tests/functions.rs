//! Every built-in function: an ordinary row, one with edge values (NaN, the
//! least integer, an empty text), and one of nulls; each gives the same again,
//! alone and beside the others.

mod shared;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType as ArrowType, Int64Type};
use shared::{batch_of, field, shown};
use unskew_expression::{NoFunctions, SqlExpression, built_in_functions};

fn rows() -> (Vec<unskew_definition::Field>, RecordBatch) {
    let fields = vec![
        field("x", "float64", true),
        field("i", "int64", true),
        field("s", "utf8", true),
        field("t", "timestamp", true),
        field("l", "list<int64?>", true),
        field("e", "fixed_size_list<float32,2>", true),
        field("g", "fixed_size_list<float32,2>", false),
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
        embeddings(&[Some([3.0, 4.0]), Some([f32::NAN, 0.0]), None]),
        embeddings(&[Some([-4.0, 3.5]), Some([1.0, -0.0]), Some([1.0, 2.0])]),
    ];
    let batch = batch_of(&fields, columns);
    (fields, batch)
}

fn embeddings(rows: &[Option<[f32; 2]>]) -> ArrayRef {
    let items: Vec<f32> = rows.iter().flat_map(|row| row.unwrap_or_default()).collect();
    let item = Arc::new(arrow::datatypes::Field::new("item", ArrowType::Float32, false));
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    let items = Arc::new(Float32Array::from(items));
    Arc::new(FixedSizeListArray::new(item, 2, items, Some(nulls)))
}

const OVERFLOW: &str = "!";

/// A function, a call of it, and what it yields; `!` is an error.
const CALLS: &[(&str, &str, [&str; 3])] = &[
    ("abs", "abs(i)", ["7", "!", "null"]),
    ("acos", "acos(x)", ["1.0471975511965979", "NaN", "null"]),
    ("acosh", "acosh(x + 1)", ["0.9624236501192069", "NaN", "null"]),
    ("array_element", "array_element(l, 1)", ["7", "null", "null"]),
    ("array_has", "array_has(l, 9)", ["true", "false", "null"]),
    ("array_length", "array_length(l)", ["3", "0", "null"]),
    ("array_position", "array_position(l, 9)", ["3", "null", "null"]),
    ("ascii", "ascii(s)", ["97", "0", "null"]),
    ("asin", "asin(x)", ["0.5235987755982989", "NaN", "null"]),
    ("asinh", "asinh(x)", ["0.48121182505960347", "NaN", "null"]),
    ("atan", "atan(x)", ["0.4636476090008061", "NaN", "null"]),
    ("atan2", "atan2(x, 2)", ["0.24497866312686414", "NaN", "null"]),
    ("atanh", "atanh(x)", ["0.5493061443340548", "NaN", "null"]),
    ("bit_length", "bit_length(s)", ["24", "0", "null"]),
    ("btrim", "btrim(s, 'a')", ["Xb", "", "null"]),
    ("cardinality", "cardinality(l)", ["3", "0", "null"]),
    ("cbrt", "cbrt(x)", ["0.7937005259840998", "NaN", "null"]),
    ("ceil", "ceil(x)", ["1.0", "NaN", "null"]),
    ("ceiling", "ceiling(x)", ["1.0", "NaN", "null"]),
    ("char_length", "char_length(s)", ["3", "0", "null"]),
    ("character_length", "character_length(s)", ["3", "0", "null"]),
    ("chr", "chr(i)", ["\u{7}", "!", "null"]),
    ("coalesce", "coalesce(i, 1)", ["7", "-9223372036854775808", "1"]),
    ("concat", "concat(s, '-')", ["aXb-", "-", "-"]),
    ("concat_ws", "concat_ws('-', s, 'z')", ["aXb-z", "-z", "z"]),
    ("contains", "contains(s, 'X')", ["true", "false", "null"]),
    ("cos", "cos(x)", ["0.8775825618903728", "NaN", "null"]),
    ("cosine_similarity", "cosine_similarity(e, g)", ["0.07525766947068778", "NaN", "null"]),
    ("cosh", "cosh(x)", ["1.1276259652063807", "NaN", "null"]),
    (
        "date_bin",
        "date_bin(INTERVAL '1 hour', t)",
        ["2024-02-29T12:00:00Z", "1969-12-31T23:00:00Z", "null"],
    ),
    ("date_diff", "date_diff('day', t, TIMESTAMP '2024-03-05')", ["4", "19787", "null"]),
    ("date_part", "date_part('week', t)", ["9", "1", "null"]),
    (
        "date_trunc",
        "date_trunc('month', t)",
        ["2024-02-01T00:00:00Z", "1969-12-01T00:00:00Z", "null"],
    ),
    ("datepart", "datepart('day', t)", ["29", "31", "null"]),
    (
        "datetrunc",
        "datetrunc('second', t)",
        ["2024-02-29T12:34:56Z", "1969-12-31T23:59:59Z", "null"],
    ),
    ("degrees", "degrees(x)", ["28.64788975654116", "NaN", "null"]),
    ("dot", "dot(e, g)", ["2.0", "NaN", "null"]),
    ("ends_with", "ends_with(s, 'b')", ["true", "false", "null"]),
    ("exp", "exp(x)", ["1.6487212707001282", "NaN", "null"]),
    ("expm1", "expm1(x)", ["0.6487212707001282", "NaN", "null"]),
    ("floor", "floor(x)", ["0.0", "NaN", "null"]),
    (
        "from_unix_micros",
        "from_unix_micros(i % 10)",
        ["1970-01-01T00:00:00.000007Z", "1969-12-31T23:59:59.999992Z", "null"],
    ),
    (
        "from_unix_millis",
        "from_unix_millis(i % 10)",
        ["1970-01-01T00:00:00.007Z", "1969-12-31T23:59:59.992Z", "null"],
    ),
    ("from_unix_seconds", "from_unix_seconds(i)", ["1970-01-01T00:00:07Z", "!", "null"]),
    ("greatest", "greatest(i, 8)", ["8", "8", "8"]),
    ("ifnull", "ifnull(i, 1)", ["7", "-9223372036854775808", "1"]),
    ("initcap", "initcap(s)", ["Axb", "", "null"]),
    ("instr", "instr(s, 'X')", ["2", "0", "null"]),
    ("isnan", "isnan(x)", ["false", "true", "null"]),
    ("least", "least(x, 0.25)", ["0.25", "0.25", "0.25"]),
    ("left", "left(s, 2)", ["aX", "", "null"]),
    ("length", "length(s)", ["3", "0", "null"]),
    ("levenshtein", "levenshtein(s, 'ab')", ["1", "2", "null"]),
    ("list_contains", "list_contains(l, 7)", ["true", "false", "null"]),
    ("list_has", "list_has(l, 8)", ["false", "false", "null"]),
    ("ln", "ln(x)", ["-0.6931471805599453", "NaN", "null"]),
    ("ln1p", "ln1p(x)", ["0.4054651081081644", "NaN", "null"]),
    ("log", "log(2, x)", ["-1.0", "NaN", "null"]),
    ("log10", "log10(x)", ["-0.3010299956639812", "NaN", "null"]),
    ("log2", "log2(x)", ["-1.0", "NaN", "null"]),
    ("l2_distance", "l2_distance(e, e)", ["0.0", "NaN", "null"]),
    ("lower", "lower(s)", ["axb", "", "null"]),
    ("lpad", "lpad(s, 4, '.')", [".aXb", "....", "null"]),
    ("ltrim", "ltrim(s, 'a')", ["Xb", "", "null"]),
    ("make_date", "make_date(2024, 2, i)", ["2024-02-07", "!", "null"]),
    ("mod", "mod(i, 4)", ["3", "0", "null"]),
    ("nanvl", "nanvl(x, 1)", ["0.5", "1.0", "null"]),
    ("nullif", "nullif(i, 7)", ["null", "-9223372036854775808", "null"]),
    ("nvl", "nvl(i, 0)", ["7", "-9223372036854775808", "0"]),
    ("octet_length", "octet_length(s)", ["3", "0", "null"]),
    ("pi", "pi() * x", ["1.5707963267948966", "NaN", "null"]),
    ("position", "position('b' IN s)", ["3", "0", "null"]),
    ("pow", "pow(x, 2)", ["0.25", "NaN", "null"]),
    ("power", "power(x, 0.5)", ["0.7071067811865476", "NaN", "null"]),
    ("radians", "radians(x)", ["0.008726646259971648", "NaN", "null"]),
    ("regexp_count", "regexp_count(s, '[a-z]')", ["2", "0", "null"]),
    ("regexp_like", "regexp_like(s, '^A', 'i')", ["true", "false", "null"]),
    ("regexp_match", "regexp_match(s, '[A-Z]')", ["[X]", "null", "null"]),
    ("regexp_replace", "regexp_replace(s, '[a-z]', '.', 'g')", [".X.", "", "null"]),
    ("repeat", "repeat(s, 2)", ["aXbaXb", "", "null"]),
    ("replace", "replace(s, 'X', 'yy')", ["ayyb", "", "null"]),
    ("reverse", "reverse(s)", ["bXa", "", "null"]),
    ("right", "right(s, 2)", ["Xb", "", "null"]),
    ("round", "round(x)", ["1.0", "NaN", "null"]),
    ("rpad", "rpad(s, 4, '.')", ["aXb.", "....", "null"]),
    ("rtrim", "rtrim(s, 'b')", ["aX", "", "null"]),
    ("sign", "sign(i)", ["1", "-1", "null"]),
    ("signum", "signum(x)", ["1.0", "NaN", "null"]),
    ("sin", "sin(x)", ["0.479425538604203", "NaN", "null"]),
    ("sinh", "sinh(x)", ["0.5210953054937474", "NaN", "null"]),
    ("split_part", "split_part(s, 'X', 2)", ["b", "", "null"]),
    ("sqrt", "sqrt(x)", ["0.7071067811865476", "NaN", "null"]),
    ("starts_with", "starts_with(s, 'a')", ["true", "false", "null"]),
    ("strpos", "strpos(s, 'b')", ["3", "0", "null"]),
    ("substr", "substr(s, 2)", ["Xb", "", "null"]),
    ("substring", "substring(s, 1, 2)", ["aX", "", "null"]),
    ("tan", "tan(x)", ["0.5463024898437905", "NaN", "null"]),
    ("tanh", "tanh(x)", ["0.46211715726000974", "NaN", "null"]),
    ("to_hex", "to_hex(i)", ["7", "8000000000000000", "null"]),
    ("translate", "translate(s, 'ab', 'cd')", ["cXd", "", "null"]),
    ("trim", "trim(s)", ["aXb", "", "null"]),
    ("trunc", "trunc(x * 10)", ["5.0", "NaN", "null"]),
    ("unix_micros", "unix_micros(t)", ["1709210096123456", "-1", "null"]),
    ("unix_millis", "unix_millis(t)", ["1709210096123", "-1", "null"]),
    ("unix_seconds", "unix_seconds(t)", ["1709210096", "-1", "null"]),
    ("upper", "upper(s)", ["AXB", "", "null"]),
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
            assert_eq!(alone.as_slice(), std::slice::from_ref(of_all), "{text}: row {row} alone");
        }
        if whole[2] != "null" {
            let says = expression.nullable();
            assert!(
                !says
                    || whole[2].starts_with('!')
                    || name.starts_with("concat")
                    || *name == "coalesce",
                "{text}"
            );
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

#[test]
fn embeddings_that_do_not_go_together_are_refused() {
    let fields = [
        field("a", "fixed_size_list<float32,2>", true),
        field("b", "fixed_size_list<float32,3>", true),
        field("l", "list<float64>", true),
    ];
    for (text, part) in [
        ("dot(a, b)", "2 and 3 numbers"),
        ("cosine_similarity(a, l)", "argument 2 is list<float64>"),
        ("l2_distance(a)", "given 1 arguments"),
        ("dot(NULL, NULL)", "both arguments are null"),
    ] {
        let refused = SqlExpression::analyze(text, &fields, &NoFunctions).unwrap_err().to_string();
        assert!(refused.contains(part), "{text}: {refused}");
    }
    assert!(SqlExpression::analyze("dot(a, NULL)", &fields, &NoFunctions).is_ok());
}

#[test]
fn embeddings_of_slices_are_those_of_their_rows() {
    let fields = [
        field("a", "fixed_size_list<float32,2>", false),
        field("b", "fixed_size_list<float32,2>", true),
    ];
    let a = [[1.0, 2.0], [-0.0, 0.0], [3.0e38, -3.0e38], [1.0e-45, 0.0], [0.1, 0.2]];
    let b = [Some([2.0, 4.0]), Some([0.0, -1.0]), Some([3.0e38, -3.0e38]), None, Some([-0.3, 0.7])];
    let batch = batch_of(&fields, vec![embeddings(&a.map(Some)), embeddings(&b)]);
    let of = |text: &str, batch: &RecordBatch| {
        let analyzed = SqlExpression::analyze(text, &fields, &NoFunctions).unwrap();
        shown(&analyzed.bind(&NoFunctions).unwrap().evaluate(batch, None).unwrap())
    };
    for text in ["dot(a, b)", "cosine_similarity(a, b)", "l2_distance(a, b)", "dot(b, a)"] {
        let whole = of(text, &batch);
        for first in 0..batch.num_rows() {
            for end in first + 1..=batch.num_rows() {
                let slice = batch.slice(first, end - first);
                assert_eq!(of(text, &slice), whole[first..end], "{text} of {first}..{end}");
            }
        }
    }
    assert_eq!(of("dot(a, b)", &batch)[..2], ["10.0", "0.0"], "never -0");
    assert_eq!(of("cosine_similarity(a, b)", &batch)[..4], ["1.0", "NaN", "1.0", "null"]);
    assert_eq!(of("l2_distance(a, b)", &batch)[1], "1.0");
}
