//! Instants and dates, in UTC. Years outside of about -262,000 to 262,000 have
//! no calendar here: such a row fails.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, PrimitiveArray,
};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, DurationMicrosecondType, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};
use datafusion_common::ScalarValue;

use super::{Native, Values, integer};
use crate::representation::{INSTANT, shown_type};

type Resolved = Result<(Vec<ArrowType>, ArrowType), String>;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Units of one length, and their microseconds.
const FIXED: [(&str, i64); 7] = [
    ("microsecond", 1),
    ("millisecond", 1_000),
    ("second", SECOND),
    ("minute", 60 * SECOND),
    ("hour", 3_600 * SECOND),
    ("day", DAY),
    ("week", 7 * DAY),
];
const PARTS: [&str; 15] = [
    "year",
    "isoyear",
    "quarter",
    "month",
    "week",
    "day",
    "dow",
    "isodow",
    "doy",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "epoch",
];

macro_rules! native {
    ($name:literal, $resolve:expr, $compute:expr) => {
        Native {
            name: $name,
            resolve: $resolve,
            compute: $compute,
            makes_nulls: false,
            fallible: true,
        }
    };
}

pub(super) static FUNCTIONS: &[Native] = &[
    native!("date_trunc", resolve_trunc, date_trunc),
    native!("date_part", resolve_part, date_part),
    native!("date_bin", resolve_bin, date_bin),
    native!("date_diff", resolve_diff, date_diff),
    native!("make_date", resolve_make, make_date),
    native!("unix_seconds", of_instant, |values| count(values, SECOND)),
    native!("unix_millis", of_instant, |values| count(values, 1_000)),
    native!("unix_micros", of_instant, |values| count(values, 1)),
    native!("from_unix_seconds", to_instant, |values| counted(values, SECOND)),
    native!("from_unix_millis", to_instant, |values| counted(values, 1_000)),
    native!("from_unix_micros", to_instant, |values| counted(values, 1)),
];

/// The word that the first argument is, without a plural's s.
fn unit<'a>(
    literals: &[Option<&ScalarValue>],
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<String, String> {
    let listed = known.clone().collect::<Vec<_>>().join(", ");
    match literals.first() {
        Some(Some(ScalarValue::Utf8(Some(text)))) => {
            let word = singular(&text.to_lowercase());
            match known.clone().any(|known| known == word) {
                true => Ok(word),
                false => Err(format!("there is no unit {text:?}; take one of {listed}")),
            }
        }
        _ => Err(format!("its first argument is a constant, one of {listed}")),
    }
}

fn singular(word: &str) -> String {
    match word {
        "dayofweek" => "dow".to_owned(),
        "dayofyear" => "doy".to_owned(),
        "milliseconds" | "microseconds" | "seconds" | "minutes" | "hours" | "days" | "weeks"
        | "months" | "quarters" | "years" => word[..word.len() - 1].to_owned(),
        _ => word.to_owned(),
    }
}

fn instant(data_type: &ArrowType) -> Result<(), String> {
    match data_type {
        ArrowType::Timestamp(_, _) | ArrowType::Date32 | ArrowType::Null | ArrowType::Utf8 => {
            Ok(())
        }
        other => Err(format!("it takes a timestamp or a date, and is given {}", shown_type(other))),
    }
}

fn of_instant(types: &[ArrowType], _: &[Option<&ScalarValue>]) -> Resolved {
    instant(super::one(types)?)?;
    Ok((vec![INSTANT], ArrowType::Int64))
}

fn to_instant(types: &[ArrowType], _: &[Option<&ScalarValue>]) -> Resolved {
    integer(super::one(types)?)?;
    Ok((vec![ArrowType::Int64], INSTANT))
}

fn resolve_trunc(types: &[ArrowType], literals: &[Option<&ScalarValue>]) -> Resolved {
    let [_, value] = types else {
        return Err("write date_trunc('hour', timestamp)".to_owned());
    };
    let known = FIXED.iter().map(|(name, _)| *name).chain(["month", "quarter", "year"]);
    unit(literals, known)?;
    instant(value)?;
    Ok((vec![ArrowType::Utf8, INSTANT], INSTANT))
}

fn resolve_part(types: &[ArrowType], literals: &[Option<&ScalarValue>]) -> Resolved {
    let [_, value] = types else {
        return Err("write date_part('hour', timestamp)".to_owned());
    };
    let part = unit(literals, PARTS.iter().copied())?;
    if let ArrowType::Duration(_) = value {
        return match part.as_str() {
            "epoch" => Ok((vec![ArrowType::Utf8, value.clone()], ArrowType::Float64)),
            _ => Err(format!(
                "of a duration write date_part('epoch', ...), its seconds, not {part:?}"
            )),
        };
    }
    instant(value)?;
    let yields = if part == "epoch" { ArrowType::Float64 } else { ArrowType::Int64 };
    Ok((vec![ArrowType::Utf8, INSTANT], yields))
}

fn resolve_bin(types: &[ArrowType], literals: &[Option<&ScalarValue>]) -> Resolved {
    let form = "write date_bin(INTERVAL '15 minutes', timestamp[, origin])";
    if !(2..=3).contains(&types.len()) {
        return Err(form.to_owned());
    }
    match literals[0] {
        Some(ScalarValue::IntervalMonthDayNano(Some(interval))) => {
            if interval.months != 0 {
                return Err(
                    "months are of different lengths; write date_trunc('month', timestamp)"
                        .to_owned(),
                );
            }
            if width(interval.days, interval.nanoseconds).is_none() {
                return Err("the width must be above 0".to_owned());
            }
        }
        _ => return Err(form.to_owned()),
    }
    for value in &types[1..] {
        instant(value)?;
    }
    let mut takes = vec![ArrowType::Interval(IntervalUnit::MonthDayNano), INSTANT, INSTANT];
    takes.truncate(types.len());
    Ok((takes, INSTANT))
}

fn resolve_diff(types: &[ArrowType], literals: &[Option<&ScalarValue>]) -> Resolved {
    let [_, from, to] = types else {
        return Err("write date_diff('second', earlier, later)".to_owned());
    };
    unit(literals, FIXED.iter().map(|(name, _)| *name))?;
    instant(from)?;
    instant(to)?;
    Ok((vec![ArrowType::Utf8, INSTANT, INSTANT], ArrowType::Int64))
}

fn resolve_make(types: &[ArrowType], _: &[Option<&ScalarValue>]) -> Resolved {
    if types.len() != 3 {
        return Err("write make_date(year, month, day)".to_owned());
    }
    for given in types {
        integer(given)?;
    }
    Ok((vec![ArrowType::Int64; 3], ArrowType::Date32))
}

fn out_of_range(what: &str) -> ArrowError {
    ArrowError::ComputeError(format!("{what} is out of the range of timestamps"))
}

fn calendar(micros: i64) -> Result<NaiveDateTime, ArrowError> {
    DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc()).ok_or_else(|| {
        ArrowError::ComputeError(format!(
            "{micros} us since 1970 is in a year that the calendar does not reach"
        ))
    })
}

fn floor(micros: i64, width: i64, origin: i64) -> Result<i64, ArrowError> {
    let (micros, width, origin) = (i128::from(micros), i128::from(width), i128::from(origin));
    let start = (micros - origin).div_euclid(width) * width + origin;
    i64::try_from(start).map_err(|_| out_of_range("its start"))
}

fn instants(
    values: &Values<'_>,
    at: usize,
) -> Result<PrimitiveArray<TimestampMicrosecondType>, ArrowError> {
    Ok(values.array(at)?.as_primitive::<TimestampMicrosecondType>().clone())
}

fn date_trunc(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let unit = singular(&values.word(0)?);
    let fixed = FIXED.iter().find(|(name, _)| *name == unit).map(|(_, width)| *width);
    // Weeks begin on Monday; 1970-01-01 was a Thursday.
    let origin = if unit == "week" { -3 * DAY } else { 0 };
    let start = |micros: i64| {
        if let Some(width) = fixed {
            return floor(micros, width, origin);
        }
        let date = calendar(micros)?.date();
        let month = match unit.as_str() {
            "year" => 1,
            "quarter" => (date.month0() / 3) * 3 + 1,
            _ => date.month(),
        };
        NaiveDate::from_ymd_opt(date.year(), month, 1)
            .map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros())
            .ok_or_else(|| out_of_range("its start"))
    };
    let truncated: PrimitiveArray<TimestampMicrosecondType> =
        instants(values, 1)?.try_unary(start)?;
    Ok(Arc::new(truncated))
}

fn date_part(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let part = singular(&values.word(0)?);
    let array = values.array(1)?;
    if let ArrowType::Duration(_) = array.data_type() {
        let seconds: Float64Array =
            array.as_primitive::<DurationMicrosecondType>().unary(|v| v as f64 / 1e6);
        return Ok(Arc::new(seconds));
    }
    let instants = array.as_primitive::<TimestampMicrosecondType>();
    if *values.yields == ArrowType::Float64 {
        let seconds: Float64Array = instants.unary(|v| v as f64 / 1e6);
        return Ok(Arc::new(seconds));
    }
    let of = |micros: i64| -> Result<i64, ArrowError> {
        let at = calendar(micros)?;
        let in_minute = micros.rem_euclid(60 * SECOND);
        Ok(match part.as_str() {
            "year" => i64::from(at.year()),
            "isoyear" => i64::from(at.iso_week().year()),
            "quarter" => i64::from(at.month0() / 3 + 1),
            "month" => i64::from(at.month()),
            "week" => i64::from(at.iso_week().week()),
            "day" => i64::from(at.day()),
            "dow" => i64::from(at.weekday().num_days_from_sunday()),
            "isodow" => i64::from(at.weekday().number_from_monday()),
            "doy" => i64::from(at.ordinal()),
            "hour" => i64::from(at.hour()),
            "minute" => i64::from(at.minute()),
            // As in PostgreSQL these count from the start of the minute.
            "second" => in_minute / SECOND,
            "millisecond" => in_minute / 1_000,
            _ => in_minute,
        })
    };
    let parts: Int64Array = instants.try_unary(of)?;
    Ok(Arc::new(parts))
}

fn width(days: i32, nanoseconds: i64) -> Option<i64> {
    i64::from(days).checked_mul(DAY)?.checked_add(nanoseconds / 1_000).filter(|width| *width > 0)
}

fn date_bin(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let widths = values.array(0)?;
    let widths = widths.as_primitive::<IntervalMonthDayNanoType>();
    let at = instants(values, 1)?;
    let origins = if values.len() == 3 { Some(instants(values, 2)?) } else { None };
    let bins = (0..at.len()).map(|row| {
        let origin = match &origins {
            Some(origins) if origins.is_null(row) => return Ok(None),
            Some(origins) => origins.value(row),
            None => 0,
        };
        if at.is_null(row) {
            return Ok(None);
        }
        let interval = widths.value(row);
        let width = width(interval.days, interval.nanoseconds)
            .ok_or_else(|| ArrowError::ComputeError("the width must be above 0".to_owned()))?;
        floor(at.value(row), width, origin).map(Some)
    });
    let bins: PrimitiveArray<TimestampMicrosecondType> =
        bins.collect::<Result<Vec<Option<i64>>, ArrowError>>()?.into();
    Ok(Arc::new(bins))
}

fn date_diff(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let unit = singular(&values.word(0)?);
    let width = FIXED.iter().find(|(name, _)| *name == unit).map_or(1, |(_, width)| *width);
    let (from, to) = (instants(values, 1)?, instants(values, 2)?);
    let diff: Int64Array = arrow::compute::try_binary(&from, &to, |from: i64, to: i64| {
        // Whole units, towards zero.
        i64::try_from((i128::from(to) - i128::from(from)) / i128::from(width)).map_err(|_| {
            ArrowError::ArithmeticOverflow("overflow: the difference does not fit".to_owned())
        })
    })?;
    Ok(Arc::new(diff))
}

fn make_date(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let columns = [values.array(0)?, values.array(1)?, values.array(2)?];
    let [years, months, days] = [0, 1, 2].map(|at| columns[at].as_primitive::<Int64Type>());
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
    let dates = (0..years.len()).map(|row| {
        if years.is_null(row) || months.is_null(row) || days.is_null(row) {
            return Ok(None);
        }
        let (year, month, day) = (years.value(row), months.value(row), days.value(row));
        let date = || {
            NaiveDate::from_ymd_opt(
                year.try_into().ok()?,
                month.try_into().ok()?,
                day.try_into().ok()?,
            )
        };
        let date = date().ok_or_else(|| {
            ArrowError::ComputeError(format!("there is no day {year}-{month}-{day}"))
        })?;
        Ok(Some(date.signed_duration_since(epoch).num_days() as i32))
    });
    let dates: Date32Array = dates.collect::<Result<Vec<Option<i32>>, ArrowError>>()?.into();
    let dates: PrimitiveArray<Date32Type> = dates;
    Ok(Arc::new(dates))
}

/// How many units have passed since 1970, whole ones.
fn count(values: &Values<'_>, width: i64) -> Result<ArrayRef, ArrowError> {
    let counts: Int64Array = instants(values, 0)?.unary(|micros| micros.div_euclid(width));
    Ok(Arc::new(counts))
}

fn counted(values: &Values<'_>, width: i64) -> Result<ArrayRef, ArrowError> {
    let array = values.array(0)?;
    let instants: PrimitiveArray<TimestampMicrosecondType> = array
        .as_primitive::<Int64Type>()
        .try_unary(|n| n.checked_mul(width).ok_or_else(|| out_of_range(&n.to_string())))?;
    Ok(Arc::new(instants))
}
