//! An aggregate whose input is known, and what can be done with its states.

use std::fmt;

use crate::approx_distinct::HyperLogLog;
use crate::bytes::{Reader, StateError, write_unsigned};
use crate::count_distinct::DistinctValues;
use crate::first_last::EndState;
use crate::function::AggregateFunction;
use crate::last_n::LastRows;
use crate::min_max::ExtremeState;
use crate::moments::{MomentsState, Spread};
use crate::most_frequent::Frequencies;
use crate::order_key::OrderKey;
use crate::percentile::Histogram;
use crate::round::{Ratio, limbs_of};
use crate::state::{Body, State};
use crate::sum::{Overflow, SumState, push_power_of_ten};
use crate::top_k::Greatest;
use crate::value::{Value, ValueRef};
use crate::value_kind::{NumberKind, ValueKind};

/// The second byte of every state. It rises when the form of any changes.
pub const STATE_VERSION: u8 = 1;

/// A function with the kind of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    function: AggregateFunction,
    input: Option<ValueKind>,
}

/// The type of what an aggregate gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputKind {
    /// One value.
    Scalar(ValueKind),
    /// Several values, without nulls among them.
    List(ValueKind),
}

impl fmt::Display for OutputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(kind) => kind.fmt(f),
            Self::List(kind) => write!(f, "list<{kind}>"),
        }
    }
}

/// Why a function does not take an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateError {
    /// Only `count` can do without.
    NoInput {
        /// The function's name.
        function: &'static str,
    },
    /// It takes numbers only.
    NotANumber {
        /// The function's name.
        function: &'static str,
        /// What it was given.
        found: ValueKind,
    },
}

impl fmt::Display for AggregateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInput { function } => {
                write!(f, "{function} needs a field to aggregate; only count can do without")
            }
            Self::NotANumber { function, found } => write!(
                f,
                "{function} takes int8 to int64, uint8 to uint64, float32, float64 and decimal128, not {found}; \
                 count, min, max, approx_distinct, count_distinct, first, last, last_n, top_k and most_frequent take any scalar"
            ),
        }
    }
}

impl std::error::Error for AggregateError {}

impl Aggregate {
    /// Resolves a function for its input. `count` alone may have none: then it
    /// counts rows, otherwise values that are not null.
    pub fn new(
        function: AggregateFunction,
        input: Option<ValueKind>,
    ) -> Result<Self, AggregateError> {
        use AggregateFunction as F;
        match (function, input) {
            (F::Count, _) => {}
            (_, None) => return Err(AggregateError::NoInput { function: function.name() }),
            (
                F::Sum
                | F::Avg
                | F::Variance
                | F::VariancePop
                | F::Stddev
                | F::StddevPop
                | F::Percentile { .. },
                Some(found),
            ) if found.number().is_none() => {
                return Err(AggregateError::NotANumber { function: function.name(), found });
            }
            _ => {}
        }
        Ok(Self { function, input })
    }

    /// The function.
    pub fn function(&self) -> AggregateFunction {
        self.function
    }

    /// What it takes; none for the `count` of rows.
    pub fn input(&self) -> Option<ValueKind> {
        self.input
    }

    fn kind(&self) -> ValueKind {
        self.input.expect("all but the count of rows have an input")
    }

    fn number(&self) -> NumberKind {
        self.kind().number().expect("only numbers were let in")
    }

    /// The type of its value.
    pub fn output(&self) -> OutputKind {
        use AggregateFunction as F;
        OutputKind::Scalar(match self.function {
            F::Count | F::ApproxDistinct | F::CountDistinct => ValueKind::Int64,
            F::Avg
            | F::Variance
            | F::VariancePop
            | F::Stddev
            | F::StddevPop
            | F::Percentile { .. } => ValueKind::Float64,
            F::Sum => match self.number() {
                NumberKind::Signed => ValueKind::Int64,
                NumberKind::Unsigned => ValueKind::UInt64,
                NumberKind::Float => ValueKind::Float64,
                NumberKind::Decimal { scale } => ValueKind::Decimal128 { precision: 38, scale },
            },
            F::Min | F::Max | F::First | F::Last => self.kind(),
            F::LastN { .. } | F::TopK { .. } | F::MostFrequent { .. } => {
                return OutputKind::List(self.kind());
            }
        })
    }

    /// Whether its value can be null: counts and lists never are.
    pub fn is_nullable(&self) -> bool {
        use AggregateFunction as F;
        let is_count = matches!(self.function, F::Count | F::ApproxDistinct | F::CountDistinct);
        !is_count && matches!(self.output(), OutputKind::Scalar(_))
    }

    /// Whether [`subtract`](Self::subtract) may be called.
    pub fn subtracts(&self) -> bool {
        self.function.subtracts()
    }

    /// Whether it looks at the keys of rows.
    pub fn needs_order(&self) -> bool {
        self.function.needs_order()
    }

    /// The state of no rows.
    pub fn empty(&self) -> State {
        use AggregateFunction as F;
        State(match self.function {
            F::Count => Body::Count(0),
            F::Sum | F::Avg => Body::Sum(SumState::new(self.number())),
            F::Variance | F::VariancePop | F::Stddev | F::StddevPop => {
                Body::Moments(Box::new(MomentsState::new(self.number())))
            }
            F::Min | F::Max => Body::Extreme(ExtremeState::EMPTY),
            F::Percentile { .. } => Body::Histogram(Histogram::default()),
            F::ApproxDistinct => Body::HyperLogLog(HyperLogLog::default()),
            F::CountDistinct => Body::Distinct(DistinctValues::default()),
            F::First | F::Last => Body::End(Box::new(EndState::EMPTY)),
            F::LastN { .. } => Body::LastRows(LastRows::default()),
            F::TopK { .. } => Body::Greatest(Greatest::default()),
            F::MostFrequent { .. } => Body::Frequencies(Frequencies::default()),
        })
    }

    /// Takes a row in: its value, none for a null, and its key, at which only
    /// aggregates that [need the order](Self::needs_order) look.
    ///
    /// # Panics
    ///
    /// When the value is not of the input's kind, or the state another
    /// aggregate's.
    pub fn update(&self, state: &mut State, value: Option<ValueRef<'_>>, key: OrderKey<'_>) {
        if let (Body::Count(count), None) = (&mut state.0, self.input) {
            *count = count.wrapping_add(1);
            return;
        }
        let Some(value) = value else { return };
        let function = self.function;
        use AggregateFunction as F;
        match (&mut state.0, function) {
            (Body::Count(count), F::Count) => *count = count.wrapping_add(1),
            (Body::Sum(sum), _) => sum.update(value),
            (Body::Moments(moments), _) => moments.update(value),
            (Body::Extreme(extreme), _) => extreme.update(value, function == F::Max),
            (Body::Histogram(histogram), _) => histogram.update(self.number_to_f64(value)),
            (Body::HyperLogLog(registers), _) => registers.update(value),
            (Body::Distinct(values), _) => values.update(value),
            (Body::End(end), _) => end.update(key, value, function == F::Last),
            (Body::LastRows(rows), F::LastN { n }) => rows.update(key, value, n),
            (Body::Greatest(values), F::TopK { k }) => values.update(value, k),
            (Body::Frequencies(counts), _) => counts.update(value),
            _ => self.panic_of_another(),
        }
    }

    fn panic_of_another(&self) -> ! {
        panic!("the state is not one of {}", self.function)
    }

    /// The float nearest to a number.
    pub(crate) fn number_to_f64(&self, value: ValueRef<'_>) -> f64 {
        match (value, self.number()) {
            (ValueRef::Float(x), _) => x,
            (ValueRef::Int(x), _) => x as f64,
            (ValueRef::UInt(x), _) => x as f64,
            (ValueRef::Decimal(x), NumberKind::Decimal { scale }) => decimal_to_f64(x, scale),
            _ => panic!("{value:?} is no {}", self.kind()),
        }
    }

    /// Adds all rows of `other`.
    ///
    /// # Panics
    ///
    /// When one of the states is another aggregate's.
    pub fn merge(&self, state: &mut State, other: &State) {
        self.combine(&mut state.0, &other.0, false);
    }

    /// Takes all rows of `other` out, which must be among those of `state`:
    /// otherwise the state means nothing afterwards.
    ///
    /// # Panics
    ///
    /// When one of the states is another aggregate's, or the aggregate [does
    /// not subtract](Self::subtracts).
    pub fn subtract(&self, state: &mut State, other: &State) {
        assert!(self.subtracts(), "{} does not subtract", self.function);
        self.combine(&mut state.0, &other.0, true);
    }

    pub(crate) fn combine(&self, body: &mut Body, other: &Body, is_out: bool) {
        let function = self.function;
        use AggregateFunction as F;
        match (body, other, function) {
            (Body::Count(a), Body::Count(b), _) if is_out => *a = a.wrapping_sub(*b),
            (Body::Count(a), Body::Count(b), _) => *a = a.wrapping_add(*b),
            (Body::Sum(a), Body::Sum(b), _) => a.merge(b, is_out),
            (Body::Moments(a), Body::Moments(b), _) => a.merge(b, is_out),
            (Body::Extreme(a), Body::Extreme(b), _) => a.merge(b, function == F::Max),
            (Body::Histogram(a), Body::Histogram(b), _) if is_out => a.subtract(b),
            (Body::Histogram(a), Body::Histogram(b), _) => a.merge(b),
            (Body::HyperLogLog(a), Body::HyperLogLog(b), _) => a.merge(b),
            (Body::Distinct(a), Body::Distinct(b), _) => a.merge(b),
            (Body::End(a), Body::End(b), _) => a.merge(b, function == F::Last),
            (Body::LastRows(a), Body::LastRows(b), F::LastN { n }) => a.merge(b, n),
            (Body::Greatest(a), Body::Greatest(b), F::TopK { k }) => a.merge(b, k),
            (Body::Frequencies(a), Body::Frequencies(b), _) if is_out => a.subtract(b),
            (Body::Frequencies(a), Body::Frequencies(b), _) => a.merge(b),
            _ => self.panic_of_another(),
        }
    }

    /// The value; none where there is nothing to say (null).
    ///
    /// # Panics
    ///
    /// When the state is another aggregate's.
    pub fn finish(&self, state: &State) -> Result<Option<Value>, Overflow> {
        let function = self.function;
        use AggregateFunction as F;
        Ok(match (&state.0, function) {
            (Body::Count(count), _) => Some(Value::Int(*count as i64)),
            (Body::Sum(sum), F::Sum) => return sum.finish_sum(self.number()),
            (Body::Sum(sum), F::Avg) => sum.finish_avg(self.number()),
            (Body::Moments(moments), _) => {
                let spread = Spread {
                    of_population: matches!(function, F::VariancePop | F::StddevPop),
                    is_root: matches!(function, F::Stddev | F::StddevPop),
                };
                moments.finish(spread, self.number())
            }
            (Body::Extreme(extreme), _) => extreme.value.clone(),
            (Body::Histogram(histogram), F::Percentile { q }) => {
                histogram.finish(q).map(Value::Float)
            }
            (Body::HyperLogLog(registers), _) => Some(Value::Int(registers.finish())),
            (Body::Distinct(values), _) => Some(values.finish()),
            (Body::End(end), _) => end.row.as_ref().map(|(_, value)| value.clone()),
            (Body::LastRows(rows), _) => Some(rows.finish()),
            (Body::Greatest(values), _) => Some(values.finish()),
            (Body::Frequencies(counts), F::MostFrequent { k }) => Some(counts.finish(k)),
            _ => self.panic_of_another(),
        })
    }

    /// Appends the canonical bytes: the function's id, the version, and a body
    /// that is a function of the rows alone, taken together.
    ///
    /// # Panics
    ///
    /// When the state is another aggregate's.
    pub fn encode(&self, state: &State, to: &mut Vec<u8>) {
        to.extend([self.function.id(), STATE_VERSION]);
        match &state.0 {
            Body::Count(count) => write_unsigned(to, *count),
            Body::Sum(sum) => sum.encode(to),
            Body::Moments(moments) => moments.encode(to),
            Body::Extreme(extreme) => extreme.encode(to),
            Body::Histogram(histogram) => histogram.encode(to),
            Body::HyperLogLog(registers) => registers.encode(to),
            Body::Distinct(values) => values.encode(to),
            Body::End(end) => end.encode(to),
            Body::LastRows(rows) => rows.encode(to),
            Body::Greatest(values) => values.encode(to),
            Body::Frequencies(counts) => counts.encode(to),
        }
    }

    /// Reads what [`encode`](Self::encode) wrote for this aggregate, and
    /// refuses all else: what it takes is written as the same bytes again.
    pub fn decode(&self, bytes: &[u8]) -> Result<State, StateError> {
        use AggregateFunction as F;
        let mut reader = Reader::open(bytes, self.function.id(), STATE_VERSION)?;
        let from = &mut reader;
        let body = match self.function {
            F::Count => Body::Count(from.count()?),
            F::Sum | F::Avg => Body::Sum(SumState::decode(from, self.number())?),
            F::Variance | F::VariancePop | F::Stddev | F::StddevPop => {
                Body::Moments(Box::new(MomentsState::decode(from, self.number())?))
            }
            F::Min | F::Max => Body::Extreme(ExtremeState::decode(from, self.kind())?),
            F::Percentile { .. } => Body::Histogram(Histogram::decode(from)?),
            F::ApproxDistinct => Body::HyperLogLog(HyperLogLog::decode(from)?),
            F::CountDistinct => Body::Distinct(DistinctValues::decode(from, self.kind())?),
            F::First | F::Last => Body::End(Box::new(EndState::decode(from, self.kind())?)),
            F::LastN { n } => Body::LastRows(LastRows::decode(from, self.kind(), n)?),
            F::TopK { k } => Body::Greatest(Greatest::decode(from, self.kind(), k)?),
            F::MostFrequent { .. } => Body::Frequencies(Frequencies::decode(from, self.kind())?),
        };
        reader.close()?;
        Ok(State(body))
    }
}

/// The float nearest to `units / 10^scale`.
fn decimal_to_f64(units: i128, scale: u8) -> f64 {
    const EXACT: u128 = 1 << 53;
    let magnitude = units.unsigned_abs();
    if magnitude <= EXACT && scale <= 15 {
        // Both are floats, so that dividing rounds once.
        return units as f64 / 10_u64.pow(scale.into()) as f64;
    }
    let mut divisors = Vec::new();
    push_power_of_ten(&mut divisors, scale.into());
    let nearest = Ratio { limbs: limbs_of(magnitude), exponent: 0, divisors: &divisors }.to_f64();
    if units < 0 { -nearest } else { nearest }
}
