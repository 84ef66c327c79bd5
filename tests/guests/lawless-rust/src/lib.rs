//! Aggregates that break a law, each one of its own, and some that only look
//! as if they did. The law gate must tell them apart.

use std::cell::Cell;
use std::collections::BTreeMap;

use unskew::{State, StateError, StateReader, StateWriter};

/// A mean of means, which weighs parts and not rows.
#[derive(Default, State)]
pub struct MeanOfMeans {
    mean: Option<f64>,
}

#[unskew::aggregate]
impl MeanOfMeans {
    fn update(&mut self, x: f64) {
        self.merge(&Self { mean: Some(x) });
    }

    fn merge(&mut self, other: &Self) {
        self.mean = match (self.mean, other.mean) {
            (Some(one), Some(other)) => Some((one + other) / 2.0),
            (one, other) => one.or(other),
        };
    }

    fn finish(&self) -> Option<f64> {
        self.mean
    }
}

/// The value of whichever row came last.
#[derive(Default, State)]
pub struct LastSeen {
    value: Option<i64>,
}

#[unskew::aggregate]
impl LastSeen {
    fn update(&mut self, x: i64) {
        self.value = Some(x);
    }

    fn merge(&mut self, other: &Self) {
        self.value = other.value.or(self.value);
    }

    fn finish(&self) -> Option<i64> {
        self.value
    }
}

/// A sum of floats, which drifts with the order of its parts.
#[derive(Default, State)]
pub struct FloatSum {
    sum: f64,
}

#[unskew::aggregate]
impl FloatSum {
    fn update(&mut self, x: f64) {
        self.sum += x;
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
    }

    fn finish(&self) -> f64 {
        self.sum
    }
}

/// All values, in an order of their own: right, but without bound.
#[derive(Default, State)]
pub struct Median {
    values: Vec<i64>,
}

#[unskew::aggregate]
impl Median {
    fn update(&mut self, x: i64) {
        let at = self.values.partition_point(|&value| value < x);
        self.values.insert(at, x);
    }

    fn merge(&mut self, other: Self) {
        self.values.extend(other.values);
        self.values.sort_unstable();
    }

    fn finish(&self) -> Option<i64> {
        self.values.get(self.values.len() / 2).copied()
    }
}

/// Takes no state above 500, which it writes all the same.
#[derive(Default)]
pub struct Picky {
    sum: u64,
}

impl State for Picky {
    fn encode(&self, to: &mut StateWriter<'_>) {
        self.sum.encode(to);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let sum = u64::decode(from)?;
        assert!(sum <= 500, "a sum above 500");
        Ok(Self { sum })
    }
}

#[unskew::aggregate]
impl Picky {
    fn update(&mut self, x: u16) {
        self.sum += u64::from(x);
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
    }

    fn finish(&self) -> u64 {
        self.sum
    }
}

/// A greatest value, of which it says that it could be taken out again.
#[derive(Default, State)]
pub struct Greatest {
    value: Option<i32>,
}

#[unskew::aggregate]
impl Greatest {
    fn update(&mut self, x: i32) {
        self.value = self.value.max(Some(x));
    }

    fn merge(&mut self, other: &Self) {
        self.value = self.value.max(other.value);
    }

    fn subtract(&mut self, other: &Self) {
        if self.value == other.value {
            self.value = None;
        }
    }

    fn finish(&self) -> Option<i32> {
        self.value
    }
}

thread_local! {
    static ROWS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what it saw outside of its state.
#[derive(Default, State)]
pub struct Remembers {
    sum: u64,
}

#[unskew::aggregate]
impl Remembers {
    fn update(&mut self, x: u8) {
        ROWS.set(ROWS.get() + 1);
        self.sum += u64::from(x) + u64::from(ROWS.get() % 300 == 0);
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
    }

    fn finish(&self) -> u64 {
        self.sum
    }
}

/// Lawful: counts by value grow with values, not with rows.
#[derive(Default, State)]
pub struct MostFrequent {
    counts: BTreeMap<i64, u64>,
}

#[unskew::aggregate]
impl MostFrequent {
    fn update(&mut self, x: i64) -> Result<(), &'static str> {
        if x == 7 {
            return Err("seven is refused");
        }
        *self.counts.entry(x).or_default() += 1;
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        for (value, count) in other.counts {
            *self.counts.entry(value).or_default() += count;
        }
    }

    fn finish(&self) -> Result<i64, &'static str> {
        let greatest = self.counts.iter().max_by_key(|&(value, count)| (count, -i128::from(*value)));
        greatest.map(|(value, _)| *value).ok_or("there were no rows")
    }
}

/// Lawful: whole numbers wrap the same in any order.
#[derive(Default, State)]
pub struct MeanCents {
    cents: i64,
    rows: i64,
}

#[unskew::aggregate]
impl MeanCents {
    fn update(&mut self, x: f64) {
        self.cents = self.cents.wrapping_add((x * 100.0) as i64);
        self.rows += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.cents = self.cents.wrapping_add(other.cents);
        self.rows += other.rows;
    }

    fn subtract(&mut self, other: &Self) {
        self.cents = self.cents.wrapping_sub(other.cents);
        self.rows -= other.rows;
    }

    fn finish(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.cents as f64 / self.rows as f64 / 100.0)
    }
}

/// Lawful: the ten greatest, and no more.
#[derive(Default, State)]
pub struct TopTen {
    values: Vec<i64>,
}

#[unskew::aggregate]
impl TopTen {
    fn update(&mut self, x: i64) {
        self.merge(Self { values: vec![x] });
    }

    fn merge(&mut self, other: Self) {
        self.values.extend(other.values);
        self.values.sort_unstable_by(|one, other| other.cmp(one));
        self.values.truncate(10);
    }

    fn finish(self) -> Vec<i64> {
        self.values
    }
}

/// Lawful, if of no use: it takes no row.
#[derive(Default, State)]
pub struct TakesNothing {
    rows: u64,
}

#[unskew::aggregate]
impl TakesNothing {
    fn update(&mut self, x: &str) -> Result<(), String> {
        Err(format!("{x:.10} is refused"))
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
    }

    fn finish(&self) -> u64 {
        self.rows
    }
}

unskew::module!(
    name = "lawless_rust",
    aggregates = [
        MeanOfMeans,
        LastSeen,
        FloatSum,
        Median,
        Picky,
        Greatest,
        Remembers,
        MostFrequent,
        MeanCents,
        TopTen,
        TakesNothing,
    ]
);
