//! The states of many groups, updated column by column.

mod extremes;
mod float_moments;
mod float_sums;
mod grid;
mod integer_sums;
mod lanes;
mod plain;
mod window;

use crate::aggregate::Aggregate;
use crate::bytes::StateError;
use crate::column::{Column, ColumnValues, RowKeys};
use crate::function::AggregateFunction;
use crate::order_key::OrderKey;
use crate::state::State;
use crate::sum::Overflow;
use crate::value::Value;
use crate::value_kind::NumberKind;
use extremes::{Extremes, float_key, unsigned_key};
use float_moments::FloatMoments;
use float_sums::FloatSums;
use integer_sums::IntegerSums;
use lanes::Lanes;
use plain::{Counts, Histograms, Plain};

/// One state of an aggregate for each of so many groups, in the form that is
/// quickest to update. Groups are numbered from 0.
#[derive(Clone, Debug)]
pub struct GroupStates {
    aggregate: Aggregate,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Counts(Counts),
    IntegerSums(IntegerSums),
    FloatSums(FloatSums),
    FloatMoments(FloatMoments),
    Extremes(Extremes),
    Histograms(Histograms),
    Plain(Plain),
}

impl Form {
    fn new(aggregate: Aggregate) -> Self {
        use AggregateFunction as F;
        let plain = || Self::Plain(Plain { aggregate, states: Vec::new() });
        let number = aggregate.input().and_then(|kind| kind.number());
        match (aggregate.function(), number) {
            (F::Count, _) => Self::Counts(Counts::default()),
            (F::Sum | F::Avg, Some(NumberKind::Float)) => Self::FloatSums(FloatSums::NONE),
            (F::Sum | F::Avg, Some(NumberKind::Signed | NumberKind::Unsigned)) => {
                Self::IntegerSums(IntegerSums::default())
            }
            (F::Variance | F::VariancePop | F::Stddev | F::StddevPop, Some(NumberKind::Float)) => {
                Self::FloatMoments(FloatMoments::NONE)
            }
            (F::Percentile { .. }, _) => Self::Histograms(Histograms::default()),
            (F::Min | F::Max, _) => aggregate
                .input()
                .and_then(|kind| Extremes::new(kind, aggregate.function() == F::Max))
                .map_or_else(plain, Self::Extremes),
            _ => plain(),
        }
    }

    fn lanes(&self) -> &dyn Lanes {
        match self {
            Self::Counts(lanes) => lanes,
            Self::IntegerSums(lanes) => lanes,
            Self::FloatSums(lanes) => lanes,
            Self::FloatMoments(lanes) => lanes,
            Self::Extremes(lanes) => lanes,
            Self::Histograms(lanes) => lanes,
            Self::Plain(lanes) => lanes,
        }
    }

    fn lanes_mut(&mut self) -> &mut dyn Lanes {
        match self {
            Self::Counts(lanes) => lanes,
            Self::IntegerSums(lanes) => lanes,
            Self::FloatSums(lanes) => lanes,
            Self::FloatMoments(lanes) => lanes,
            Self::Extremes(lanes) => lanes,
            Self::Histograms(lanes) => lanes,
            Self::Plain(lanes) => lanes,
        }
    }
}

/// Runs a loop over the rows that are not null, once for each type that the
/// values can have: `$rows` is an iterator of what `$of` makes of a value,
/// with its group.
macro_rules! over {
    ($values:expr, $column:expr, $groups:expr, $of:expr, |$rows:ident| $body:expr) => {
        match $column.validity {
            None => {
                let $rows = $values.iter().zip($groups).map(|(x, group)| ($of(*x), *group));
                $body
            }
            Some(validity) => {
                let $rows = $values
                    .iter()
                    .zip($groups)
                    .enumerate()
                    .filter(|(row, _)| validity.get(*row))
                    .map(|(_, (x, group))| ($of(*x), *group));
                $body
            }
        }
    };
}

impl GroupStates {
    /// No groups yet.
    pub fn new(aggregate: Aggregate) -> Self {
        Self { aggregate, form: Form::new(aggregate) }
    }

    /// The aggregate.
    pub fn aggregate(&self) -> &Aggregate {
        &self.aggregate
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.form.lanes().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes it so many groups; new ones have seen no rows.
    pub fn resize(&mut self, groups: usize) {
        self.form.lanes_mut().resize(groups);
    }

    /// Takes rows in: row i into the group `groups[i]`. `column` is the input,
    /// none for the count of rows; `keys` are those of the rows, which only
    /// aggregates that need the order look at.
    ///
    /// # Panics
    ///
    /// When a group is not there, the column is not of the input's kind or has
    /// fewer rows, or keys are needed and not given.
    pub fn update(
        &mut self,
        column: Option<&Column<'_>>,
        groups: &[u32],
        keys: Option<&RowKeys<'_>>,
    ) {
        assert!(keys.is_some() || !self.aggregate.needs_order(), "the rows need keys");
        let Some(column) = column.filter(|_| self.aggregate.input().is_some()) else {
            return self.count_rows(groups);
        };
        assert!(column.values.len() >= groups.len(), "the column has too few rows");
        use ColumnValues as C;
        match (&mut self.form, &column.values) {
            (Form::FloatSums(sums), C::Float64(values)) if column.validity.is_none() => {
                sums.update_all(&values[..groups.len()], groups);
            }
            (Form::FloatSums(sums), C::Float64(values)) => {
                over!(values, column, groups, |x: f64| x, |rows| sums.update(rows));
            }
            (Form::FloatSums(sums), C::Float32(values)) => {
                over!(values, column, groups, f64::from, |rows| sums.update(rows));
            }
            (Form::FloatMoments(moments), C::Float64(values)) => {
                over!(values, column, groups, |x: f64| x, |rows| moments.update(rows));
            }
            (Form::FloatMoments(moments), C::Float32(values)) => {
                over!(values, column, groups, f64::from, |rows| moments.update(rows));
            }
            (Form::Extremes(extremes), C::Float64(values)) => {
                over!(values, column, groups, float_key, |rows| extremes.update(rows));
            }
            (Form::Extremes(extremes), C::Float32(values)) => {
                let key = |x: f32| float_key(x.into());
                over!(values, column, groups, key, |rows| extremes.update(rows));
            }
            (Form::Extremes(extremes), C::Int64(values) | C::Timestamp(values)) => {
                over!(values, column, groups, |x: i64| x, |rows| extremes.update(rows));
            }
            (Form::Extremes(extremes), C::Int32(values) | C::Date32(values)) => {
                over!(values, column, groups, i64::from, |rows| extremes.update(rows));
            }
            (Form::Extremes(extremes), C::UInt64(values)) => {
                over!(values, column, groups, unsigned_key, |rows| extremes.update(rows));
            }
            (Form::IntegerSums(sums), C::Int64(values)) => {
                over!(values, column, groups, i128::from, |rows| sums.update(rows));
            }
            (Form::IntegerSums(sums), C::Int32(values)) => {
                over!(values, column, groups, i128::from, |rows| sums.update(rows));
            }
            (Form::IntegerSums(sums), C::UInt32(values)) => {
                over!(values, column, groups, i128::from, |rows| sums.update(rows));
            }
            (Form::IntegerSums(sums), C::UInt64(values)) => {
                over!(values, column, groups, i128::from, |rows| sums.update(rows));
            }
            (Form::Histograms(histograms), C::Float64(values)) => {
                over!(values, column, groups, |x: f64| x, |rows| {
                    for (x, group) in rows {
                        histograms.0[group as usize].update(x);
                    }
                });
            }
            _ => self.update_row_by_row(column, groups, keys),
        }
    }

    fn count_rows(&mut self, groups: &[u32]) {
        let Form::Counts(counts) = &mut self.form else {
            panic!("{} needs a column", self.aggregate.function())
        };
        for group in groups {
            let count = &mut counts.0[*group as usize];
            *count = count.wrapping_add(1);
        }
    }

    fn update_row_by_row(
        &mut self,
        column: &Column<'_>,
        groups: &[u32],
        keys: Option<&RowKeys<'_>>,
    ) {
        const NO_KEY: OrderKey<'_> = OrderKey { event_timestamp: 0, tie: &[] };
        let aggregate = self.aggregate;
        let rows = groups.iter().enumerate();
        match &mut self.form {
            Form::Counts(counts) => {
                for (row, group) in rows {
                    let is_there = column.validity.is_none_or(|validity| validity.get(row));
                    let count = &mut counts.0[*group as usize];
                    *count = count.wrapping_add(u64::from(is_there));
                }
            }
            Form::Histograms(histograms) => {
                for (row, group) in rows {
                    if let Some(value) = column.get(row) {
                        histograms.0[*group as usize].update(aggregate.number_to_f64(value));
                    }
                }
            }
            Form::Plain(plain) => {
                for (row, group) in rows {
                    let key = keys.map_or(NO_KEY, |keys| keys.get(row));
                    aggregate.update(&mut plain.states[*group as usize], column.get(row), key);
                }
            }
            form => {
                let mut one = aggregate.empty();
                for (row, group) in rows {
                    if let Some(value) = column.get(row) {
                        aggregate.update(&mut one, Some(value), NO_KEY);
                        form.lanes_mut().merge(*group as usize, &one.0, false);
                        one = aggregate.empty();
                    }
                }
            }
        }
    }

    /// Merges group i of `other` into the group `groups[i]`.
    ///
    /// # Panics
    ///
    /// When a group is not there, or `other` is of another aggregate.
    pub fn merge(&mut self, other: &Self, groups: &[u32]) {
        self.combine_all(other, groups, false);
    }

    /// Takes group i of `other` out of the group `groups[i]`.
    ///
    /// # Panics
    ///
    /// As of [`merge`](Self::merge), and when the aggregate does not subtract.
    pub fn subtract(&mut self, other: &Self, groups: &[u32]) {
        self.combine_all(other, groups, true);
    }

    fn combine_all(&mut self, other: &Self, groups: &[u32], is_out: bool) {
        let function = self.aggregate.function();
        assert!(!is_out || function.subtracts(), "{function} does not subtract");
        let aggregate = self.aggregate;
        for (from, group) in groups.iter().take(other.len()).enumerate() {
            let to = *group as usize;
            // What may be large is not copied.
            match (&mut self.form, &other.form) {
                (Form::Plain(states), Form::Plain(others)) => {
                    aggregate.combine(&mut states.states[to].0, &others.states[from].0, is_out);
                }
                (Form::Histograms(states), Form::Histograms(others)) if is_out => {
                    states.0[to].subtract(&others.0[from]);
                }
                (Form::Histograms(states), Form::Histograms(others)) => {
                    states.0[to].merge(&others.0[from]);
                }
                (_, form) => self.combine(*group, &State(form.lanes().body(from)), is_out),
            }
        }
    }

    fn combine(&mut self, group: u32, state: &State, is_out: bool) {
        let function = self.aggregate.function();
        assert!(!is_out || function.subtracts(), "{function} does not subtract");
        let is_one = self.form.lanes_mut().merge(group as usize, &state.0, is_out);
        assert!(is_one, "the state is not one of {function}");
    }

    /// The state of a group.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn state(&self, group: u32) -> State {
        State(self.form.lanes().body(group as usize))
    }

    /// Merges a state into a group.
    ///
    /// # Panics
    ///
    /// When the group is not there, or the state is another aggregate's.
    pub fn merge_state(&mut self, group: u32, state: &State) {
        self.combine(group, state, false);
    }

    /// Takes a state out of a group.
    ///
    /// # Panics
    ///
    /// As of [`merge_state`](Self::merge_state), and when the aggregate does
    /// not subtract.
    pub fn subtract_state(&mut self, group: u32, state: &State) {
        self.combine(group, state, true);
    }

    /// Makes a group one that has seen no rows.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn clear(&mut self, group: u32) {
        self.form.lanes_mut().clear(group as usize);
    }

    /// The value of a group, as [`Aggregate::finish`] says.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn finish(&self, group: u32) -> Result<Option<Value>, Overflow> {
        match &self.form {
            // Without a copy of what may be large.
            Form::Plain(plain) => self.aggregate.finish(&plain.states[group as usize]),
            Form::Histograms(histograms) => {
                let AggregateFunction::Percentile { q } = self.aggregate.function() else {
                    unreachable!("only percentiles have histograms")
                };
                Ok(histograms.0[group as usize].finish(q).map(Value::Float))
            }
            _ => self.aggregate.finish(&self.state(group)),
        }
    }

    /// Appends the canonical bytes of a group's state.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn encode(&self, group: u32, to: &mut Vec<u8>) {
        match &self.form {
            Form::Plain(plain) => self.aggregate.encode(&plain.states[group as usize], to),
            _ => self.aggregate.encode(&self.state(group), to),
        }
    }

    /// Merges a state that is given as its bytes into a group.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn merge_bytes(&mut self, group: u32, bytes: &[u8]) -> Result<(), StateError> {
        let state = self.aggregate.decode(bytes)?;
        self.merge_state(group, &state);
        Ok(())
    }

    /// The memory that all states have allocated, about.
    pub fn allocated_bytes(&self) -> usize {
        self.form.lanes().allocated_bytes()
    }
}
