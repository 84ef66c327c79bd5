//! The functions that an expression may call: immutable ones alone, whose
//! value hangs on nothing but their arguments.

use std::sync::Arc;

use datafusion_expr::ScalarUDF;
use datafusion_functions::{core, regex, string, unicode};
use datafusion_functions_nested as nested;

use crate::native::{self, Native};

/// How an accepted function is evaluated.
pub(crate) enum Allowed {
    /// Arguments from left to right until one is not null.
    Coalesce,
    /// The operator `%`.
    Modulo,
    /// Null where both arguments are equal.
    NullIf,
    /// A function of DataFusion over values of one type.
    Alike(Arc<ScalarUDF>),
    /// Our own.
    Native(&'static Native),
    /// A function of DataFusion.
    DataFusion(Arc<ScalarUDF>, Nulls),
}

/// When a function yields null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// When an argument is.
    OfArguments,
    /// When all arguments are, if ever.
    Never,
    /// When it has no answer, too.
    Any,
}

type Make = fn() -> Arc<ScalarUDF>;

/// Functions of DataFusion: name, how it is called, when it yields null.
const DATAFUSION: &[(&str, &str, Make, Nulls)] = &[
    ("array_element", "list[index]", nested::extract::array_element_udf, Nulls::Any),
    ("array_has", "array_has(list, value)", nested::array_has::array_has_udf, Nulls::Any),
    ("array_length", "array_length(list)", nested::length::array_length_udf, Nulls::Any),
    (
        "array_position",
        "array_position(list, value)",
        nested::position::array_position_udf,
        Nulls::Any,
    ),
    ("ascii", "ascii(text)", string::ascii, Nulls::OfArguments),
    ("bit_length", "bit_length(text)", string::bit_length, Nulls::OfArguments),
    ("btrim", "btrim(text[, characters])", string::btrim, Nulls::OfArguments),
    ("character_length", "length(text)", unicode::character_length, Nulls::OfArguments),
    ("chr", "chr(code)", string::chr, Nulls::OfArguments),
    ("concat", "concat(text, ...)", string::concat, Nulls::Never),
    ("concat_ws", "concat_ws(separator, text, ...)", string::concat_ws, Nulls::Any),
    ("contains", "contains(text, part)", string::contains, Nulls::OfArguments),
    ("ends_with", "ends_with(text, suffix)", string::ends_with, Nulls::OfArguments),
    ("initcap", "initcap(text)", unicode::initcap, Nulls::OfArguments),
    ("left", "left(text, count)", unicode::left, Nulls::OfArguments),
    ("levenshtein", "levenshtein(text, text)", string::levenshtein, Nulls::OfArguments),
    ("lower", "lower(text)", string::lower, Nulls::OfArguments),
    ("ltrim", "ltrim(text[, characters])", string::ltrim, Nulls::OfArguments),
    ("octet_length", "octet_length(text)", string::octet_length, Nulls::OfArguments),
    (
        "regexp_count",
        "regexp_count(text, pattern[, start[, flags]])",
        regex::regexp_count,
        Nulls::OfArguments,
    ),
    ("regexp_like", "regexp_like(text, pattern[, flags])", regex::regexp_like, Nulls::OfArguments),
    ("regexp_match", "regexp_match(text, pattern[, flags])", regex::regexp_match, Nulls::Any),
    (
        "regexp_replace",
        "regexp_replace(text, pattern, replacement[, flags])",
        regex::regexp_replace,
        Nulls::OfArguments,
    ),
    ("replace", "replace(text, from, to)", string::replace, Nulls::OfArguments),
    ("reverse", "reverse(text)", unicode::reverse, Nulls::OfArguments),
    ("right", "right(text, count)", unicode::right, Nulls::OfArguments),
    ("rtrim", "rtrim(text[, characters])", string::rtrim, Nulls::OfArguments),
    ("split_part", "split_part(text, separator, index)", string::split_part, Nulls::OfArguments),
    ("starts_with", "starts_with(text, prefix)", string::starts_with, Nulls::OfArguments),
    ("strpos", "strpos(text, part)", unicode::strpos, Nulls::OfArguments),
    ("substr", "substr(text, start[, count])", unicode::substr, Nulls::OfArguments),
    ("to_hex", "to_hex(integer)", string::to_hex, Nulls::OfArguments),
    ("translate", "translate(text, from, to)", unicode::translate, Nulls::OfArguments),
    ("upper", "upper(text)", string::upper, Nulls::OfArguments),
];

/// Other names of the same functions.
const ALIASES: &[(&str, &str)] = &[
    ("ceiling", "ceil"),
    ("char_length", "character_length"),
    ("cardinality", "array_length"),
    ("datepart", "date_part"),
    ("datetrunc", "date_trunc"),
    ("ifnull", "coalesce"),
    ("instr", "strpos"),
    ("length", "character_length"),
    ("list_contains", "array_has"),
    ("list_has", "array_has"),
    ("nvl", "coalesce"),
    ("position", "strpos"),
    ("pow", "power"),
    ("sign", "signum"),
    ("substring", "substr"),
    ("trim", "btrim"),
];

/// Functions that many know, and why they are not taken.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &[
            "now",
            "current_timestamp",
            "current_date",
            "current_time",
            "localtimestamp",
            "localtime",
            "today",
            "getdate",
            "clock_timestamp",
        ],
        "its value would hang on when it is asked; use the event's time, or request_timestamp in an on-demand view",
    ),
    (
        &["random", "rand", "uuid", "gen_random_uuid", "setseed", "shuffle"],
        "its value would be another each time; a row must yield the same always",
    ),
    (
        &[
            "version",
            "current_user",
            "user",
            "current_schema",
            "current_database",
            "input_file_name",
            "pg_backend_pid",
        ],
        "its value would hang on where it is asked",
    ),
    (
        &[
            "sum",
            "count",
            "avg",
            "mean",
            "min",
            "max",
            "median",
            "stddev",
            "stddev_pop",
            "stddev_samp",
            "variance",
            "var_pop",
            "var_samp",
            "array_agg",
            "string_agg",
            "first_value",
            "last_value",
            "approx_distinct",
            "percentile_cont",
            "percentile_disc",
            "approx_percentile_cont",
            "bool_and",
            "bool_or",
            "mode",
            "any_value",
            "corr",
            "covar_pop",
            "covar_samp",
        ],
        "it folds many rows, and an expression sees one; declare it in the view's `aggregates` (of several columns take greatest or least)",
    ),
    (
        &[
            "row_number",
            "rank",
            "dense_rank",
            "lag",
            "lead",
            "ntile",
            "percent_rank",
            "cume_dist",
            "nth_value",
        ],
        "it looks at other rows, and an expression sees one",
    ),
    (
        &[
            "to_timestamp",
            "to_timestamp_seconds",
            "to_timestamp_millis",
            "to_timestamp_micros",
            "to_timestamp_nanos",
            "from_unixtime",
            "to_date",
            "to_unixtime",
        ],
        "write CAST(text AS TIMESTAMP) or CAST(text AS DATE); for numbers from_unix_seconds(n), from_unix_millis(n), from_unix_micros(n), and unix_seconds(t) back",
    ),
    (
        &["to_char", "date_format", "strftime", "format"],
        "forms of dates are read differently by different people; join date_part(...) by ||, or write a transform",
    ),
    (
        &["to_local_time", "timezone", "convert_timezone"],
        "all times are UTC, and the rules of time zones change; add an INTERVAL for a fixed offset",
    ),
    (&["unnest", "explode"], "it makes several rows of one; write a transform"),
    (
        &["arrow_cast", "arrow_typeof", "try_cast"],
        "write CAST(value AS type) or TRY_CAST(value AS type)",
    ),
    (&["if", "iff", "iif", "decode"], "write CASE WHEN condition THEN value ELSE value END"),
];

/// The function called `name` (in small letters), if it is accepted.
pub(crate) fn find(name: &str) -> Option<Allowed> {
    let name = plain(name);
    match name {
        "coalesce" => return Some(Allowed::Coalesce),
        "mod" => return Some(Allowed::Modulo),
        "nullif" => return Some(Allowed::NullIf),
        "greatest" => return Some(Allowed::Alike(core::greatest())),
        "least" => return Some(Allowed::Alike(core::least())),
        _ => {}
    }
    if let Some(native) = native::find(name) {
        return Some(Allowed::Native(native));
    }
    DATAFUSION
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, _, make, nulls)| Allowed::DataFusion(make(), *nulls))
}

pub(crate) fn is_allowed(name: &str) -> bool {
    let name = plain(name);
    names().any(|known| known == name)
}

/// Why a known function is not accepted.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(names, _)| names.contains(&name)).map(|(_, reason)| *reason)
}

/// How a function of DataFusion is called.
pub(crate) fn form(name: &str) -> Option<&'static str> {
    let name = plain(name);
    DATAFUSION.iter().find(|(known, ..)| *known == name).map(|(_, form, ..)| *form)
}

/// The names of all accepted functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ["coalesce", "mod", "nullif", "greatest", "least"]
        .into_iter()
        .chain(native::names())
        .chain(DATAFUSION.iter().map(|(name, ..)| *name))
        .chain(ALIASES.iter().map(|(alias, _)| *alias))
}

/// The names of the functions that every expression may call.
pub fn built_in_functions() -> Vec<&'static str> {
    let mut names: Vec<&str> = names().collect();
    names.sort_unstable();
    names
}

fn plain(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, plain)| plain)
}
