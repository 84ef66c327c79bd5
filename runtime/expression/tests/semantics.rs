//! What expressions mean, row by row: the sentences of docs/sql.md.

mod shared;

use shared::{analyze, values};

/// Holds the values of the six rows of `shared::batch`; `!text` is an error
/// whose message has that text.
fn check(text: &str, wanted: [&str; 6]) {
    let found = values(text);
    for (row, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let holds = match (wanted.strip_prefix('!'), found.strip_prefix('!')) {
            (Some(part), Some(message)) => message.contains(part),
            (None, None) => wanted == found,
            _ => false,
        };
        assert!(holds, "{text}: row {row} is {found}, not {wanted}; all: {found:?}");
    }
}

#[test]
fn integers_fail_on_overflow_and_never_wrap() {
    check("i + 1", ["2", "-6", "null", "!9223372036854775807 + 1", "-9223372036854775807", "1"]);
    check("i - 1", ["0", "-8", "null", "9223372036854775806", "!`i - 1`", "-1"]);
    check("i * 2", ["2", "-14", "null", "!9223372036854775807 * 2", "!`i * 2`", "0"]);
    check("-i", ["-1", "7", "null", "-9223372036854775807", "!`-i`", "0"]);
    check("abs(i)", ["1", "7", "null", "9223372036854775807", "!does not fit", "0"]);
    check("i / j", ["0", "!division by zero", "null", "9223372036854775807", "!`i / j`", "null"]);
    check("i % j", ["1", "!division by zero", "null", "0", "0", "null"]);
    check("mod(i, 3)", ["1", "-1", "null", "1", "-2", "0"]);
    check("tiny + tiny", ["2", "!127 + 127", "null", "!-128 + -128", "6", "0"]);
    check("tiny + 1", ["2", "128", "null", "-127", "4", "1"]);
    check("-tiny", ["-1", "-127", "null", "!-128", "-3", "0"]);
    check("big + 1", ["2", "!18446744073709551615 + 1", "null", "1", "8", "10"]);
    check("big - 1", ["0", "18446744073709551614", "null", "!0 - 1", "6", "8"]);
    check("big > i", ["false", "true", "null", "false", "true", "true"]);
    check("i & 3", ["1", "1", "null", "3", "0", "0"]);
    check("-9223372036854775808", ["-9223372036854775808"; 6]);
}

#[test]
fn floats_follow_ieee_and_have_one_nan_and_one_zero() {
    check("x / y", ["0.75", "NaN", "null", "NaN", "null", "-0.8333333333333334"]);
    check("1.0 / y", ["0.5", "inf", "inf", "1.0", "null", "-0.3333333333333333"]);
    check("x = 0", ["false", "true", "null", "false", "false", "false"]);
    check("x = x", ["true", "true", "null", "true", "true", "true"]);
    check("x > 1e300", ["false", "false", "null", "true", "true", "false"]);
    check("x IN (0, 2.5)", ["false", "true", "null", "false", "false", "true"]);
    check("x BETWEEN -1 AND 2", ["true", "true", "null", "false", "false", "false"]);
    check("nullif(x, 0)", ["1.5", "null", "null", "NaN", "inf", "2.5"]);
    check("isnan(x)", ["false", "false", "null", "true", "false", "false"]);
    check("nanvl(x, -1)", ["1.5", "-0.0", "null", "-1.0", "inf", "2.5"]);
    check("greatest(x, y)", ["2.0", "0.0", "0.0", "NaN", "inf", "2.5"]);
    check("least(x, y)", ["1.5", "-0.0", "0.0", "1.0", "inf", "-3.0"]);
    check("i + x", ["2.5", "-7.0", "null", "NaN", "inf", "2.5"]);
    check("x % 1", ["0.5", "-0.0", "null", "NaN", "NaN", "0.5"]);
    check("round(x)", ["2.0", "-0.0", "null", "NaN", "inf", "3.0"]);
    check("round(x / 10, 2)", ["0.15", "-0.0", "null", "NaN", "inf", "0.25"]);
}

#[test]
fn decimals_are_exact_and_fail_on_overflow() {
    check("m + 1", ["2.50", "-1.50", "null", "100000000.99", "1.00", "1.05"]);
    check("m * m", ["2.2500", "6.2500", "null", "9999999998000000.0001", "0.0000", "0.0025"]);
    check("round(m, 1)", ["1.50", "-2.50", "null", "!overflow", "0.00", "0.10"]);
    check(
        "CAST(x AS DECIMAL(5, 1))",
        ["1.5", "0.0", "null", "!Cannot cast", "!Cannot cast", "2.5"],
    );
    check(
        "CAST(i AS DECIMAL(3, 0))",
        ["1", "-7", "null", "!9223372036854775807", "!-9223372036854775808", "0"],
    );
    check(
        "m / 0",
        [
            "!division by zero",
            "!division by zero",
            "null",
            "!division by zero",
            "!division by zero",
            "!division by zero",
        ],
    );
    check("m > 1.4", ["true", "false", "null", "true", "false", "false"]);
    let all = "CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0))";
    let error = analyze(all).unwrap_err();
    assert!(error.message.contains("DECIMAL(38, 0)"), "{error}");
    check(
        "CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) + CAST(id AS DECIMAL(38, 0))",
        [
            "99999999999999999999999999999999999999",
            "!overflow",
            "!overflow",
            "!overflow",
            "!overflow",
            "!overflow",
        ],
    );
}

#[test]
fn casts_fail_where_the_value_is_none_of_the_type() {
    check("CAST(s AS BIGINT)", ["!abc", "!Cannot cast", "null", "12", "!Ünï😀", "!x"]);
    check("TRY_CAST(s AS BIGINT)", ["null", "null", "null", "12", "null", "null"]);
    check(
        "CAST(i AS TINYINT)",
        ["1", "-7", "null", "!9223372036854775807", "!-9223372036854775808", "0"],
    );
    check("CAST(x AS INT)", ["1", "0", "null", "!NaN", "!inf", "2"]);
    check("x::int64", ["1", "0", "null", "!NaN", "!inf", "2"]);
    check("CAST(b AS INT)", ["1", "0", "null", "1", "0", "null"]);
    check("CAST(x AS TEXT)", ["1.5", "-0.0", "null", "NaN", "inf", "2.5"]);
    let error = analyze("CAST(id AS TIMESTAMP)").unwrap_err();
    assert!(error.message.contains("from_unix_seconds"), "{error}");
    let error = analyze("CAST('x' AS BIGINT)").unwrap_err();
    assert!(error.message.contains("is no int64"), "{error}");
}

#[test]
fn times_are_utc_microseconds() {
    check(
        "CAST(t AS DATE)",
        ["1970-01-01", "1969-12-31", "null", "2024-10-04", "9999-12-31", "1970-01-02"],
    );
    check(
        "date_trunc('hour', t)",
        [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:00:00Z",
            "null",
            "2024-10-04T01:00:00Z",
            "9999-12-31T23:00:00Z",
            "1970-01-02T00:00:00Z",
        ],
    );
    check(
        "date_trunc('week', t)",
        [
            "1969-12-29T00:00:00Z",
            "1969-12-29T00:00:00Z",
            "null",
            "2024-09-30T00:00:00Z",
            "9999-12-27T00:00:00Z",
            "1969-12-29T00:00:00Z",
        ],
    );
    check(
        "date_trunc('quarter', t)",
        [
            "1970-01-01T00:00:00Z",
            "1969-10-01T00:00:00Z",
            "null",
            "2024-10-01T00:00:00Z",
            "9999-10-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ],
    );
    check("extract(hour FROM t)", ["0", "23", "null", "1", "23", "0"]);
    check("date_part('dow', t)", ["4", "3", "null", "5", "5", "5"]);
    check(
        "extract(epoch FROM t)",
        ["0.0", "-1e-6", "null", "1728003661.000001", "253402300800.0", "86400.0"],
    );
    check("unix_seconds(t)", ["0", "-1", "null", "1728003661", "253402300799", "86400"]);
    check(
        "t + INTERVAL '1 day'",
        [
            "1970-01-02T00:00:00Z",
            "1970-01-01T23:59:59.999999Z",
            "null",
            "2024-10-05T01:01:01.000001Z",
            "+10000-01-01T23:59:59.999999Z",
            "1970-01-03T00:00:00Z",
        ],
    );
    check(
        "date_diff('hour', t, TIMESTAMP '1970-01-01T05:30:00+02:00')",
        ["3", "3", "null", "-479997", "-70389524", "-20"],
    );
    check(
        "extract(epoch FROM t - TIMESTAMP '1970-01-01')",
        ["0.0", "-1e-6", "null", "1728003661.000001", "253402300800.0", "86400.0"],
    );
    check("t > '1970-01-01'", ["false", "false", "null", "true", "true", "true"]);
    check("d = DATE '1969-12-31'", ["false", "true", "null", "false", "false", "false"]);
    check("d - DATE '1970-01-01'", ["0", "-1", "null", "20000", "19782", "1"]);
    check(
        "make_date(2024, 2, 28 + id)",
        ["2024-02-28", "2024-02-29", "!2024-2-30", "!2024-2-31", "!2024-2-32", "!2024-2-33"],
    );
    check(
        "unix_micros(from_unix_micros(i))",
        ["1", "-7", "null", "9223372036854775807", "-9223372036854775808", "0"],
    );
    check(
        "from_unix_seconds(i)",
        [
            "1970-01-01T00:00:01Z",
            "1969-12-31T23:59:53Z",
            "null",
            "!out of the range",
            "!out of the range",
            "1970-01-01T00:00:00Z",
        ],
    );
    check(
        "extract(year FROM from_unix_micros(i))",
        ["1970", "1969", "null", "!calendar", "!calendar", "1970"],
    );
    check(
        "unix_micros(date_trunc('day', from_unix_micros(i)))",
        ["0", "-86400000000", "null", "9223372022400000000", "!out of the range", "0"],
    );
    check(
        "date_bin(INTERVAL '15 minutes', t)",
        [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:45:00Z",
            "null",
            "2024-10-04T01:00:00Z",
            "9999-12-31T23:45:00Z",
            "1970-01-02T00:00:00Z",
        ],
    );
}

#[test]
fn what_a_row_does_not_need_is_not_evaluated_for_it() {
    check("j = 0 OR i / j > 0", ["false", "true", "null", "true", "!`i / j`", "null"]);
    check("j <> 0 AND i / j > 0", ["false", "false", "null", "true", "!`i / j`", "null"]);
    check(
        "CASE WHEN j = 0 THEN 0 ELSE i / j END",
        ["0", "0", "null", "9223372036854775807", "!`i / j`", "null"],
    );
    check(
        "CASE j WHEN 2 THEN 'two' WHEN i THEN 'i' END",
        ["two", "null", "null", "null", "null", "null"],
    );
    check("coalesce(b, i / (id - 2) > 0)", ["true", "false", "null", "true", "false", "false"]);
    check(
        "coalesce(i, 1 / (id - 2))",
        ["1", "-7", "!division by zero", "9223372036854775807", "-9223372036854775808", "0"],
    );
    check("b AND x > 1", ["true", "false", "null", "true", "false", "null"]);
    check("b OR 1 / (id - 4) > 0", ["true", "false", "null", "true", "!division by zero", "true"]);
}

#[test]
fn transforms_are_called_by_name_and_fail_for_their_rows_alone() {
    check("half(x) + 1", ["1.75", "1.0", "null", "NaN", "inf", "2.25"]);
    check("half(y)", ["1.0", "0.0", "0.0", "0.5", "null", "!negative"]);
    check("half(x => y) * 2", ["2.0", "0.0", "0.0", "1.0", "null", "!negative"]);
    check(
        "CASE WHEN y >= 0 THEN half(y) ELSE -1 END",
        ["1.0", "0.0", "0.0", "0.5", "-1.0", "-1.0"],
    );
    check("coalesce(half(y), 7)", ["1.0", "0.0", "0.0", "0.5", "7.0", "!negative"]);
    check(
        "shop.split(i, j).q",
        ["0", "!no quotient", "null", "9223372036854775807", "!no quotient", "null"],
    );
    check("(shop.split(i, 2)).r", ["1", "-1", "null", "1", "0", "0"]);
    let error = analyze("shop.split(i, half(y)).q").unwrap_err();
    assert!(
        error.message.contains("argument by of split is int64, and is given float64"),
        "{error}"
    );
    check("later(t + INTERVAL '1 hour') > t", ["true", "true", "null", "true", "true", "true"]);
    check(
        "half(half(y - 1)) IS NULL",
        ["false", "!negative", "!negative", "false", "true", "!negative"],
    );
}

#[test]
fn structs_lists_and_texts() {
    check("p.a + 1", ["11", "21", "null", "41", "51", "61"]);
    check("p.c || '+'", ["u+", "null", "null", "w+", "v+", "+"]);
    check("l[1]", ["1", "null", "null", "null", "-7", "0"]);
    check("array_length(l)", ["3", "0", "null", "1", "1", "2"]);
    check("array_has(l, 3)", ["true", "false", "null", "false", "false", "false"]);
    check("upper(s)", ["ABC", "", "null", "12", "ÜNÏ😀", "X"]);
    check("length(s)", ["3", "0", "null", "2", "4", "1"]);
    check("substr(s, 2, 1)", ["b", "", "null", "2", "n", ""]);
    check("s LIKE 'a%' OR s ~ '^[0-9]+$'", ["true", "false", "null", "true", "false", "false"]);
    check("lpad(s, 5, '*')", ["**abc", "*****", "null", "***12", "*Ünï😀", "****x"]);
    check(
        "repeat(s, 100000)",
        [
            "!more than 65536",
            "",
            "null",
            "!more than 65536",
            "!more than 65536",
            "!more than 65536",
        ],
    );
    check("concat(s, '-', s)", ["abc-abc", "-", "-", "12-12", "Ünï😀-Ünï😀", "x-x"]);
    check("s || '-'", ["abc-", "-", "null", "12-", "Ünï😀-", "x-"]);
    check("trim('  a ') || position('b' IN s)::text", ["a2", "a0", "null", "a0", "a0", "a0"]);
    check("CAST(NULL AS BIGINT) + i", ["null"; 6]);
}
