//! What is refused, where, and what the message says to do.

mod shared;

use shared::{Transforms, analyze, columns};
use unskew_definition::FeatureReference;
use unskew_expression::{NoFunctions, ReferenceResolver, SqlExpression};

#[test]
fn mistakes_say_where_and_what_to_do() {
    let mut wrong = Vec::new();
    for (text, character, part) in [
        ("", 1, "empty"),
        ("  ", 1, "empty"),
        ("i +", 4, ""),
        ("i + amuont", 5, "no column \"amuont\""),
        ("ix", 1, "no column"),
        ("tinyy + 1", 1, "did you mean \"tiny\""),
        ("i + \"abc\"", 5, "single quotes"),
        ("uper(s)", 1, "did you mean \"upper\""),
        ("halff(x)", 1, "did you mean \"half\""),
        ("i, j", 2, "one expression"),
        ("i AS total", 3, "alias"),
        ("SELECT i", 1, "without SELECT"),
        ("i FROM orders", 3, "FROM has no place"),
        ("*", 1, ""),
        ("i;", 2, "semicolon"),
        ("sum(x)", 1, "aggregates"),
        ("count(*)", 1, "aggregates"),
        ("row_number() OVER ()", 1, "window function"),
        ("max(x) FILTER (WHERE b)", 1, "aggregate"),
        ("(SELECT 1)", 2, "subqueries"),
        ("EXISTS (SELECT 1)", 9, "subqueries"),
        ("i IN (SELECT 1)", 1, "subqueries"),
        ("now()", 1, "event's time"),
        ("current_timestamp", 1, ""),
        ("random() < 0.5", 1, "another each time"),
        ("uuid()", 1, "another each time"),
        ("version()", 1, "where it is asked"),
        ("t AT TIME ZONE 'Europe/Vienna'", 1, "UTC"),
        ("to_char(t, '%Y')", 1, "date_part"),
        ("to_timestamp(i)", 1, "from_unix_seconds"),
        ("s + 1", 1, "cast the text"),
        ("s = 1", 1, "cast the text"),
        ("t + 1", 1, "INTERVAL"),
        ("upper(i)", 1, "upper(text)"),
        ("x AND b", 1, "must be true or false"),
        ("CASE WHEN b THEN 1 ELSE 'a' END", 1, "do not go together"),
        ("NULL", 1, "CAST(NULL AS"),
        ("t - t", 1, "date_diff"),
        ("INTERVAL '1 day'", 10, "add it to a date"),
        ("p.zz", 1, "no field \"zz\""),
        ("i.a", 1, "has no fields"),
        ("orders.i", 1, "without a table"),
        ("CAST(i AS INT8)", 6, "TINYINT"),
        ("CAST(i AS POINT)", 6, "no type to cast to"),
        ("CAST(s AS DECIMAL(40, 2))", 6, "1 to 38 digits"),
        ("date_trunc('fortnight', t)", 1, "fortnight"),
        ("date_trunc(s, t)", 1, "a constant"),
        ("split(i, 2)", 1, "shop.split(...) or other.split(...)"),
        ("shop.nothing(i)", 1, "no transform \"nothing\""),
        ("nowhere.half(x)", 1, "no module \"nowhere\""),
        ("half(i)", 6, "CAST(i AS float64)"),
        ("half()", 1, "argument x is missing"),
        ("half(x, y)", 1, "2 arguments"),
        ("half(z => x)", 1, "no argument \"z\""),
        ("half(x, x => y)", 1, "given twice"),
        ("shop.split(i, j)", 1, ""),
        ("$1 + i", 1, "placeholder"),
        ("99999999999999999999", 1, "DECIMAL(38, 0)"),
        ("s LIKE 'a!%' ESCAPE '!'", 1, "backslash"),
        ("i << 2", 1, "operator"),
        ("ARRAY[1, 2]", 7, "transform"),
        ("substr(s, 1, 2, 3)", 1, "substr(text"),
        ("{{a.b}} + 1", 1, "on-demand view"),
        ("1 +\n  nope", 3, "no column \"nope\""),
        ("x'1'", 1, ""),
        ("round(x, i)", 1, "constant"),
        ("-big", 2, "unsigned"),
    ] {
        match analyze(text) {
            Ok(accepted) if part.is_empty() => {
                // Either way is fine so long as it does not panic.
                let _ = accepted.data_type();
            }
            Ok(_) => wrong.push(format!("{text:?} was accepted")),
            Err(error) => {
                let holds = error.message.contains(part)
                    && (part.is_empty() || error.character == character);
                if !holds {
                    wrong.push(format!("{text:?}: {error}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn texts_without_bound_are_refused_and_none_overflows_the_stack() {
    let deep = |open: &str, inside: &str, close: &str, n: usize| {
        format!("{}{inside}{}", open.repeat(n), close.repeat(n))
    };
    let texts = [
        deep("(", "i", ")", 3000),
        deep("-", "i", "", 1900),
        deep("NOT ", "b", "", 3000),
        deep("abs(", "i", ")", 900),
        deep("CASE WHEN b THEN ", "i", " END", 700),
        format!("i{}", " + i".repeat(1900)),
        format!("b{}", " AND b".repeat(1900)),
        format!("s{}", " || s".repeat(30_000)),
        format!("p{}", ".a".repeat(1900)),
        format!("i IN ({})", vec!["1"; 1800].join(", ")),
        "i".repeat(100_000),
    ];
    // As small a stack as a thread of a server may have.
    let check = move || {
        for text in texts {
            let shown: String = text.chars().take(20).collect();
            match analyze(&text) {
                Ok(_) => assert!(shown.starts_with("i IN"), "{shown} was accepted"),
                Err(error) => assert!(!error.message.is_empty()),
            }
        }
        let accepted = format!("i{}", " + i".repeat(150));
        let outcome = shared::outcome(&accepted, &shared::batch());
        assert!(!outcome.errors.is_empty());
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap().join().unwrap();
}

struct Upstream;

impl ReferenceResolver for Upstream {
    fn resolve(&self, reference: &FeatureReference) -> Result<usize, String> {
        match reference.to_string().as_str() {
            "orders:spend" => Ok(5),
            "orders:spend@v2" => Ok(6),
            other => Err(format!("there is no feature {other}")),
        }
    }
}

#[test]
fn references_lineage_and_types_are_reported() {
    let text = "{{orders.spend}} / {{ orders.spend@v2 }} + p.a";
    let found = SqlExpression::references_of(text).unwrap();
    assert_eq!(found.len(), 2);
    let expression =
        SqlExpression::analyze_with_references(text, &columns(), &NoFunctions, &Upstream).unwrap();
    assert_eq!(expression.columns(), [5, 6, 14]);
    assert_eq!(expression.references(), found);
    assert_eq!(expression.text(), text);
    let paths: Vec<_> = expression
        .field_paths()
        .iter()
        .map(|path| (path.column, path.field.as_ref().map(ToString::to_string)))
        .collect();
    assert_eq!(paths, [(5, None), (6, None), (14, Some("a".to_owned()))]);
    let error = SqlExpression::analyze_with_references(
        "1 + {{orders.x}}",
        &columns(),
        &NoFunctions,
        &Upstream,
    )
    .unwrap_err();
    assert_eq!(error.character, 5);
    assert!(error.message.contains("there is no feature orders:x"), "{error}");

    for (text, data_type, nullable) in [
        ("id", "int64", false),
        ("id + 1", "int64", false),
        ("i", "int64", true),
        ("coalesce(i, 0)", "int64", false),
        ("i IS NULL", "bool", false),
        ("CASE WHEN b THEN 1 END", "int64", true),
        ("CASE WHEN b THEN 1 ELSE 2.5 END", "float64", false),
        ("half(x)", "float64", true),
        ("half(1)", "float64", false),
        ("shop.split(id, 2)", "struct<q:int64?,r:int64?>", false),
        ("l", "list<int64?>", true),
        ("t", "timestamp", true),
        ("m * 2", "decimal128(30,2)", true),
        ("regexp_match(s, 'a')", "list<utf8?>", true),
        ("later(t)", "timestamp", true),
        ("sqrt(id)", "float64", false),
        ("f * 2", "float64", true),
        ("f * f", "float32", true),
    ] {
        let expression = analyze(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            (expression.data_type().to_string().as_str(), expression.nullable()),
            (data_type, nullable),
            "{text}"
        );
    }
    let functions = analyze("half(half(x)) + shop.split(i, 2).q").unwrap();
    let functions: Vec<String> = functions.functions().iter().map(ToString::to_string).collect();
    assert_eq!(functions, ["shop.half", "shop.split"]);
    assert!(analyze("half(x)").unwrap().bind(&NoFunctions).is_err());
    assert!(analyze("half(x)").unwrap().bind(&Transforms::new()).is_ok());
}
