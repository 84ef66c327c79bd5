//! `approx_distinct`: HyperLogLog with 2^14 registers (Flajolet, Fusy,
//! Gandouet and Meunier, 2007), estimated from the registers alone by the
//! improved raw estimator (O. Ertl, "New cardinality estimation algorithms for
//! HyperLogLog sketches", 2017, algorithm 6). The standard error is 0.8 %.

use crate::bytes::{Reader, StateError, write_unsigned};
use crate::hash::pinned_hash;
use crate::value::{ValueRef, one_nan};

const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The bits of a hash that give the rank, and the greatest rank's value less 1.
const RANK_BITS: u32 = 64 - INDEX_BITS;

/// So many registers are kept one by one in memory.
const FEW: usize = 256;
/// Up to so many registers are written one by one.
const SPARSE: usize = 4096;

/// The state: the greatest rank that each register has seen, 0 for none.
#[derive(Clone, Debug)]
pub(crate) struct HyperLogLog(Repr);

#[derive(Clone, Debug)]
enum Repr {
    /// Registers above 0, ascending.
    Few(Vec<(u16, u8)>),
    Many(Box<[u8; REGISTERS]>),
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self(Repr::Few(Vec::new()))
    }
}

impl HyperLogLog {
    pub(crate) fn update(&mut self, value: ValueRef<'_>) {
        let hash = hash_of(value);
        let index = (hash >> RANK_BITS) as u16;
        let rank = (hash << INDEX_BITS).leading_zeros().min(RANK_BITS) as u8 + 1;
        self.raise(index, rank);
    }

    fn raise(&mut self, index: u16, rank: u8) {
        match &mut self.0 {
            Repr::Many(registers) => {
                let register = &mut registers[usize::from(index)];
                *register = rank.max(*register);
            }
            Repr::Few(few) => match few.binary_search_by_key(&index, |(index, _)| *index) {
                Ok(at) => few[at].1 = rank.max(few[at].1),
                Err(at) if few.len() < FEW => few.insert(at, (index, rank)),
                Err(_) => {
                    let mut registers = Box::new([0; REGISTERS]);
                    few.iter().for_each(|(index, rank)| registers[usize::from(*index)] = *rank);
                    registers[usize::from(index)] = rank;
                    self.0 = Repr::Many(registers);
                }
            },
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.for_each(|index, rank| self.raise(index, rank));
    }

    /// Those above 0, ascending.
    fn for_each(&self, mut see: impl FnMut(u16, u8)) {
        match &self.0 {
            Repr::Few(few) => few.iter().for_each(|(index, rank)| see(*index, *rank)),
            Repr::Many(registers) => {
                let registers = (0..).zip(registers.iter()).filter(|(_, rank)| **rank > 0);
                registers.for_each(|(index, rank)| see(index, *rank));
            }
        }
    }

    /// The estimate, rounded. Only operations that IEEE 754 defines to the
    /// last bit are used, in a fixed order.
    pub(crate) fn finish(&self) -> i64 {
        let mut counts = [0_u32; RANK_BITS as usize + 2];
        counts[0] = REGISTERS as u32;
        self.for_each(|_, rank| {
            counts[0] -= 1;
            counts[usize::from(rank)] += 1;
        });
        let registers = REGISTERS as f64;
        let share = |count: u32| f64::from(count) / registers;
        let mut z = registers * tau(1.0 - share(counts[RANK_BITS as usize + 1]));
        for rank in (1..=RANK_BITS as usize).rev() {
            z = 0.5 * (z + f64::from(counts[rank]));
        }
        z += registers * sigma(share(counts[0]));
        // 1 / (2 ln 2)
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        (ALPHA * registers * registers / z).round_ties_even() as i64
    }

    /// How many registers are above 0. Up to 4,096 of them as their distance
    /// from the one before less 1, times 64, plus their rank; else all
    /// registers, 6 bits each, the lowest bits first.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let mut count = 0;
        self.for_each(|_, _| count += 1);
        write_unsigned(to, count as u64);
        if count <= SPARSE {
            let mut next = 0;
            self.for_each(|index, rank| {
                write_unsigned(to, u64::from(index - next) << 6 | u64::from(rank));
                next = index + 1;
            });
        } else if let Repr::Many(registers) = &self.0 {
            for four in registers.as_chunks::<4>().0 {
                let bits = four.iter().rev().fold(0_u32, |bits, rank| bits << 6 | u32::from(*rank));
                to.extend(&bits.to_le_bytes()[..3]);
            }
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, StateError> {
        const NO_REGISTER: StateError = StateError::invalid("a register is none of those that are");
        let count = from.unsigned()?;
        let count = usize::try_from(count).ok().filter(|count| *count <= REGISTERS);
        let count = count.ok_or(NO_REGISTER)?;
        let is_rank = |rank: u8| (1..=RANK_BITS as u8 + 1).contains(&rank);
        let mut state = Self::default();
        if count <= SPARSE {
            let mut next = 0_u64;
            for _ in 0..count {
                let head = from.unsigned()?;
                let (index, rank) = (next + (head >> 6), (head & 63) as u8);
                if index >= REGISTERS as u64 || !is_rank(rank) {
                    return Err(NO_REGISTER);
                }
                state.raise(index as u16, rank);
                next = index + 1;
            }
            return Ok(state);
        }
        let mut found = 0;
        let mut registers = Box::new([0; REGISTERS]);
        let bytes = from.bytes(REGISTERS / 4 * 3)?;
        for (four, bytes) in registers.as_chunks_mut::<4>().0.iter_mut().zip(bytes.as_chunks().0) {
            let [a, b, c] = *bytes;
            let bits = u32::from_le_bytes([a, b, c, 0]);
            for (at, rank) in four.iter_mut().enumerate() {
                *rank = (bits >> (6 * at) & 63) as u8;
                found += usize::from(*rank > 0);
                if *rank > 0 && !is_rank(*rank) {
                    return Err(NO_REGISTER);
                }
            }
        }
        if found != count {
            return Err(StateError::invalid("the number of registers is another"));
        }
        state.0 = Repr::Many(registers);
        Ok(state)
    }

    /// What it has allocated.
    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.0 {
            Repr::Few(few) => few.capacity() * 4,
            Repr::Many(_) => REGISTERS,
        }
    }
}

/// The pinned hash of a value: of 8 bytes for numbers, dates and times (floats
/// by their bits, with one zero and one NaN), 16 for decimals, 1 for bools,
/// the lowest first; of the bytes themselves for text and binary.
fn hash_of(value: ValueRef<'_>) -> u64 {
    match value.without_sign_of_zero() {
        ValueRef::Bool(x) => pinned_hash(&[u8::from(x)]),
        ValueRef::Int(x) | ValueRef::Timestamp(x) => pinned_hash(&x.to_le_bytes()),
        ValueRef::UInt(x) => pinned_hash(&x.to_le_bytes()),
        ValueRef::Float(x) => pinned_hash(&one_nan(x).to_le_bytes()),
        ValueRef::Decimal(x) => pinned_hash(&x.to_le_bytes()),
        ValueRef::Date(x) => pinned_hash(&i64::from(x).to_le_bytes()),
        ValueRef::Utf8(x) => pinned_hash(x.as_bytes()),
        ValueRef::Binary(x) => pinned_hash(x),
    }
}

/// `x + sum of x^(2^k) * 2^(k-1)` for k from 1 on, in Ertl's notation.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// `(1 - x - sum of (1 - x^(2^-k))^2 * 2^-k) / 3` for k from 1 on.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
