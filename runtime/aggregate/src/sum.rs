//! `sum` and `avg`: how many numbers there were, and their exact total.

use crate::bytes::{Reader, StateError, write_signed_wide, write_unsigned};
use crate::exact_float::ExactSum;
use crate::round::{Ratio, limbs_of};
use crate::value::{Value, ValueRef};
use crate::value_kind::{NumberKind, ValueKind};
use crate::wide::Wide;

/// The integers whose sums are decimals: 38 digits, 2^63 times.
pub(crate) type DecimalUnits = Wide<3>;

/// The exact result does not fit in the output's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The type that is too small.
    pub kind: ValueKind,
}

impl std::fmt::Display for Overflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind } = self;
        write!(
            f,
            "the exact sum does not fit in {kind}; sum a float64 or a decimal128 of fewer digits instead"
        )
    }
}

impl std::error::Error for Overflow {}

/// An exact total of numbers of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Total {
    Integer(i128),
    Decimal(DecimalUnits),
    Float(ExactSum),
}

impl Total {
    pub(crate) fn new(kind: NumberKind) -> Self {
        match kind {
            NumberKind::Signed | NumberKind::Unsigned => Self::Integer(0),
            NumberKind::Decimal { .. } => Self::Decimal(Wide::ZERO),
            NumberKind::Float => Self::Float(ExactSum::new()),
        }
    }

    pub(crate) fn add(&mut self, value: ValueRef<'_>) {
        match (self, value) {
            (Self::Integer(total), ValueRef::Int(x)) => *total = total.wrapping_add(x.into()),
            (Self::Integer(total), ValueRef::UInt(x)) => *total = total.wrapping_add(x.into()),
            (Self::Decimal(total), ValueRef::Decimal(x)) => total.add(&Wide::from_i128(x)),
            (Self::Float(total), ValueRef::Float(x)) => total.add(x),
            (total, value) => panic!("{value:?} is no number to be added to {total:?}"),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, is_out: bool) {
        match (self, other) {
            (Self::Integer(total), Self::Integer(other)) if is_out => {
                *total = total.wrapping_sub(*other);
            }
            (Self::Integer(total), Self::Integer(other)) => *total = total.wrapping_add(*other),
            (Self::Decimal(total), Self::Decimal(other)) if is_out => total.subtract(other),
            (Self::Decimal(total), Self::Decimal(other)) => total.add(other),
            (Self::Float(total), Self::Float(other)) if is_out => total.subtract(other),
            (Self::Float(total), Self::Float(other)) => total.merge(other),
            (total, other) => panic!("{total:?} and {other:?} are of different kinds"),
        }
    }

    /// The total as a value of the kind that sums have.
    fn finish(&self, input: NumberKind) -> Result<Value, Overflow> {
        match (self, input) {
            (Self::Integer(total), NumberKind::Unsigned) => u64::try_from(*total)
                .map(Value::UInt)
                .map_err(|_| Overflow { kind: ValueKind::UInt64 }),
            (Self::Integer(total), _) => i64::try_from(*total)
                .map(Value::Int)
                .map_err(|_| Overflow { kind: ValueKind::Int64 }),
            (Self::Decimal(total), NumberKind::Decimal { scale }) => total
                .to_i128()
                .filter(|total| total.unsigned_abs() < 10_u128.pow(38))
                .map(Value::Decimal)
                .ok_or(Overflow { kind: ValueKind::Decimal128 { precision: 38, scale } }),
            (Self::Decimal(_), _) => unreachable!("only decimals have a decimal total"),
            (Self::Float(total), _) => Ok(Value::Float(total.value())),
        }
    }

    /// The total divided by `count`, rounded once.
    fn divide(&self, count: u64, input: NumberKind) -> f64 {
        let (is_negative, limbs) = match self {
            Self::Float(total) => return total.divided_by(&[count]),
            Self::Integer(total) => (*total < 0, limbs_of(total.unsigned_abs())),
            Self::Decimal(total) => total.magnitude(),
        };
        let mut divisors = vec![count];
        if let NumberKind::Decimal { scale } = input {
            push_power_of_ten(&mut divisors, scale.into());
        }
        let mean = Ratio { limbs, exponent: 0, divisors: &divisors }.to_f64();
        if is_negative && mean != 0.0 { -mean } else { mean }
    }

    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Integer(total) => write_signed_wide(to, *total),
            Self::Decimal(total) => total.encode(to),
            Self::Float(total) => total.encode(to),
        }
    }

    fn decode(from: &mut Reader<'_>, kind: NumberKind) -> Result<Self, StateError> {
        Ok(match kind {
            NumberKind::Signed | NumberKind::Unsigned => Self::Integer(from.signed_wide()?),
            NumberKind::Decimal { .. } => Self::Decimal(Wide::decode(from)?),
            NumberKind::Float => Self::Float(ExactSum::decode(from)?),
        })
    }
}

/// Appends factors whose product is `10^power`.
pub(crate) fn push_power_of_ten(divisors: &mut Vec<u64>, mut power: u32) {
    while power > 0 {
        let part = power.min(19);
        divisors.push(10_u64.pow(part));
        power -= part;
    }
}

/// The state of `sum` and `avg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SumState {
    pub(crate) count: u64,
    pub(crate) total: Total,
}

impl SumState {
    pub(crate) fn new(kind: NumberKind) -> Self {
        Self { count: 0, total: Total::new(kind) }
    }

    pub(crate) fn update(&mut self, value: ValueRef<'_>) {
        self.count = self.count.wrapping_add(1);
        self.total.add(value);
    }

    pub(crate) fn merge(&mut self, other: &Self, is_out: bool) {
        let Self { count, total } = other;
        self.count =
            if is_out { self.count.wrapping_sub(*count) } else { self.count.wrapping_add(*count) };
        self.total.merge(total, is_out);
    }

    pub(crate) fn finish_sum(&self, input: NumberKind) -> Result<Option<Value>, Overflow> {
        if self.count == 0 { Ok(None) } else { self.total.finish(input).map(Some) }
    }

    pub(crate) fn finish_avg(&self, input: NumberKind) -> Option<Value> {
        (self.count > 0).then(|| Value::Float(self.total.divide(self.count, input)))
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.total {
            Total::Float(sum) => sum.allocated_bytes(),
            Total::Integer(_) | Total::Decimal(_) => 0,
        }
    }

    /// The count; the total unless that is 0.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let Self { count, total } = self;
        write_unsigned(to, *count);
        if *count > 0 {
            total.encode(to);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>, kind: NumberKind) -> Result<Self, StateError> {
        let count = from.count()?;
        let total = if count == 0 { Total::new(kind) } else { Total::decode(from, kind)? };
        if let Total::Float(sum) = &total
            && !sum.is_of(count)
        {
            return Err(StateError::invalid("there are more NaNs and infinities than values"));
        }
        Ok(Self { count, total })
    }
}
