//! `percentile`: how many values fell into each of the log-linear buckets.
//!
//! A bucket is a 64th of the numbers from one power of two to the next, so its
//! middle is within 1/128 of each of its numbers. The buckets follow from the
//! bits of a float by integer arithmetic alone.

use crate::bytes::{Reader, StateError, write_signed, write_unsigned};
use crate::quantile::Quantile;
use crate::value::one_nan;

/// Buckets of one power of two, as a power of two.
const OCTAVE_BITS: u32 = 6;
const OCTAVE: i32 = 1 << OCTAVE_BITS;

/// The bits of a float's mantissa that tell nothing of its bucket.
const BELOW_BITS: u32 = 52 - OCTAVE_BITS;

/// Of these powers of two are the subnormal numbers: 2^-1074 to 2^-1023.
const SUBNORMAL_OCTAVES: i32 = 52;

/// What is added to the upper bits of a normal number. Its exponent field is
/// at least 1, and the key of the least subnormal is 1.
const NORMAL_OFFSET: i32 = (SUBNORMAL_OCTAVES - 1) * OCTAVE + 1;

/// The key of the bucket with the greatest float; those of infinity and NaN
/// follow. Zero has 0, and what is below it the negated keys.
const LAST_FINITE: i32 = (2046 << OCTAVE_BITS) + OCTAVE - 1 + NORMAL_OFFSET;
const INFINITY: i32 = LAST_FINITE + 1;
const NOT_A_NUMBER: i32 = LAST_FINITE + 2;

/// The bucket of a number: keys have the order of the numbers.
#[inline(always)]
pub(crate) fn bucket_of(x: f64) -> i32 {
    let bits = x.to_bits();
    let magnitude = bits & (u64::MAX >> 1);
    let upper = (magnitude >> BELOW_BITS) as i32;
    // Below the exponent field 1 or in that of infinities and NaNs.
    if upper.wrapping_sub(OCTAVE) as u32 >= (2046 << OCTAVE_BITS) {
        return bucket_of_rare(x, magnitude);
    }
    let sign = (bits as i64 >> 63) as i32;
    ((upper + NORMAL_OFFSET) ^ sign) - sign
}

#[cold]
fn bucket_of_rare(x: f64, magnitude: u64) -> i32 {
    if x.is_nan() {
        return NOT_A_NUMBER;
    }
    let key = if x.is_infinite() {
        INFINITY
    } else if magnitude == 0 {
        0
    } else {
        // A subnormal number, with its first bit where a normal one has it.
        let power = 63 - magnitude.leading_zeros();
        let rest = (magnitude << (52 - power) >> BELOW_BITS) as i32 - OCTAVE;
        power as i32 * OCTAVE + rest + 1
    };
    if x.is_sign_negative() { -key } else { key }
}

/// The middle of a bucket; of one that holds a single number that number.
pub(crate) fn middle_of(key: i32) -> f64 {
    let magnitude = match key.unsigned_abs() as i32 {
        0 => 0.0,
        NOT_A_NUMBER => return one_nan(f64::NAN),
        INFINITY => f64::INFINITY,
        key if key > SUBNORMAL_OCTAVES * OCTAVE => {
            let upper = (key - NORMAL_OFFSET) as u64;
            f64::from_bits(upper << BELOW_BITS | 1 << (BELOW_BITS - 1))
        }
        key => {
            let (power, rest) = ((key - 1) / OCTAVE, (key - 1) % OCTAVE);
            // In halves of the bucket's width, then cut to whole subnormals.
            let halves = ((OCTAVE + rest) * 2 + 1) as u64;
            let shift = power - OCTAVE_BITS as i32 - 1;
            f64::from_bits(if shift >= 0 { halves << shift } else { halves >> -shift })
        }
    };
    if key < 0 { -magnitude } else { magnitude }
}

/// The state of `percentile`: of the numbers nothing is kept but how many fell
/// into each bucket.
#[derive(Clone, Debug)]
pub(crate) struct Histogram(Repr);

#[derive(Clone, Debug)]
enum Repr {
    /// The keys of all values, in any order.
    Few(Vec<i32>),
    Many(Octaves),
}

/// So many values are kept one by one.
const FEW: usize = 32;

/// Counts of buckets, 64 together, for those powers of two that occur.
#[derive(Clone, Debug, Default)]
struct Octaves {
    /// `key >> 6` of the first of `places`.
    first: i32,
    /// Where the counts of an octave begin, in 64s, plus one; 0 where there
    /// are none.
    places: Vec<u16>,
    counts: Vec<u64>,
}

impl Octaves {
    #[inline(always)]
    fn add(&mut self, key: i32) {
        let count = self.count_mut(key);
        *count = count.wrapping_add(1);
    }

    #[inline(always)]
    fn count_mut(&mut self, key: i32) -> &mut u64 {
        let octave = key >> OCTAVE_BITS;
        let slot = (key & (OCTAVE - 1)) as usize;
        let place = match self.places.get(octave.wrapping_sub(self.first) as usize) {
            Some(place) if *place != 0 => usize::from(*place) - 1,
            _ => self.place_of_new(octave),
        };
        &mut self.counts[place << OCTAVE_BITS | slot]
    }

    #[cold]
    fn place_of_new(&mut self, octave: i32) -> usize {
        if self.places.is_empty() {
            self.first = octave;
        }
        if octave < self.first {
            let more = (self.first - octave) as usize;
            self.places.splice(0..0, std::iter::repeat_n(0, more));
            self.first = octave;
        }
        let at = (octave - self.first) as usize;
        if at >= self.places.len() {
            self.places.resize(at + 1, 0);
        }
        let place = self.counts.len() >> OCTAVE_BITS;
        self.counts.resize(self.counts.len() + OCTAVE as usize, 0);
        self.places[at] = place as u16 + 1;
        place
    }

    /// Ascending, those that are not 0.
    fn buckets(&self) -> impl Iterator<Item = (i32, u64)> {
        let octaves = (self.first..).zip(&self.places).filter(|(_, place)| **place != 0);
        octaves.flat_map(|(octave, place)| {
            let start = (usize::from(*place) - 1) << OCTAVE_BITS;
            let counts = &self.counts[start..start + OCTAVE as usize];
            let keys = octave << OCTAVE_BITS..;
            keys.zip(counts.iter().copied()).filter(|(_, count)| *count != 0)
        })
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self(Repr::Few(Vec::new()))
    }
}

impl Histogram {
    #[inline]
    pub(crate) fn update(&mut self, x: f64) {
        self.add(bucket_of(x));
    }

    #[inline]
    fn add(&mut self, key: i32) {
        match &mut self.0 {
            Repr::Many(octaves) => octaves.add(key),
            Repr::Few(keys) if keys.len() < FEW => keys.push(key),
            Repr::Few(_) => self.many().add(key),
        }
    }

    fn many(&mut self) -> &mut Octaves {
        if let Repr::Few(keys) = &self.0 {
            let mut octaves = Octaves::default();
            keys.iter().for_each(|key| octaves.add(*key));
            self.0 = Repr::Many(octaves);
        }
        match &mut self.0 {
            Repr::Many(octaves) => octaves,
            Repr::Few(_) => unreachable!("they were made many just now"),
        }
    }

    fn add_many(&mut self, key: i32, count: u64) {
        if let Repr::Few(keys) = &mut self.0
            && count <= (FEW - keys.len().min(FEW)) as u64
        {
            keys.extend(std::iter::repeat_n(key, count as usize));
        } else {
            let total = self.many().count_mut(key);
            *total = total.wrapping_add(count);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        match &other.0 {
            Repr::Few(keys) => keys.iter().for_each(|key| self.add(*key)),
            Repr::Many(octaves) => {
                let to = self.many();
                for (key, count) in octaves.buckets() {
                    let total = to.count_mut(key);
                    *total = total.wrapping_add(count);
                }
            }
        }
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        for (key, count) in other.buckets() {
            match &mut self.0 {
                Repr::Few(keys) => {
                    for _ in 0..count {
                        let Some(at) = keys.iter().position(|found| *found == key) else { break };
                        keys.swap_remove(at);
                    }
                }
                Repr::Many(octaves) => {
                    let total = octaves.count_mut(key);
                    *total = total.wrapping_sub(count);
                }
            }
        }
    }

    /// Ascending, with counts above 0.
    fn buckets(&self) -> Vec<(i32, u64)> {
        match &self.0 {
            Repr::Many(octaves) => octaves.buckets().collect(),
            Repr::Few(keys) => {
                let mut keys = keys.clone();
                keys.sort_unstable();
                keys.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
            }
        }
    }

    /// Nearest rank: the middle of the bucket of the value with that rank.
    pub(crate) fn finish(&self, q: Quantile) -> Option<f64> {
        match &self.0 {
            Repr::Few(keys) => {
                let mut keys = keys.clone();
                let at = (q.rank(keys.len() as u64) - 1) as usize;
                (at < keys.len()).then(|| middle_of(*keys.select_nth_unstable(at).1))
            }
            Repr::Many(octaves) => {
                let count = octaves.counts.iter().fold(0_u64, |sum, n| sum.wrapping_add(*n));
                let mut left = q.rank(count);
                for (key, count) in octaves.buckets() {
                    if left <= count {
                        return Some(middle_of(key));
                    }
                    left -= count;
                }
                None
            }
        }
    }

    /// The number of buckets, the first's key; then for each twice its count
    /// less 2, plus one if its neighbour is empty: then the number of empty
    /// buckets up to the next, less 1, follows.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let buckets = self.buckets();
        write_unsigned(to, buckets.len() as u64);
        let Some((first, _)) = buckets.first() else { return };
        write_signed(to, (*first).into());
        for (at, (key, count)) in buckets.iter().enumerate() {
            let gap = buckets.get(at + 1).map_or(0, |(next, _)| next - key - 1);
            write_unsigned(to, (count - 1) << 1 | u64::from(gap > 0));
            if gap > 0 {
                write_unsigned(to, gap as u64 - 1);
            }
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, StateError> {
        const NO_BUCKET: StateError = StateError::invalid("a bucket is none of those that are");
        let length = from.length()?;
        let mut histogram = Self::default();
        if length == 0 {
            return Ok(histogram);
        }
        let mut key = i32::try_from(from.signed()?).map_err(|_| NO_BUCKET)?;
        let mut total = 0_u64;
        for at in 0..length {
            if !(-INFINITY..=NOT_A_NUMBER).contains(&key) {
                return Err(NO_BUCKET);
            }
            let head = from.unsigned()?;
            let count = (head >> 1) + 1;
            total = total
                .checked_add(count)
                .filter(|total| *total <= i64::MAX as u64)
                .ok_or(StateError::invalid("a count is beyond 2^63 - 1"))?;
            histogram.add_many(key, count);
            let gap = match head & 1 {
                1 => from.unsigned()?.checked_add(1).ok_or(NO_BUCKET)?,
                _ => 0,
            };
            if at + 1 == length && gap > 0 {
                return Err(StateError::invalid("a gap leads to no bucket"));
            }
            let next = i64::from(key).checked_add_unsigned(gap).and_then(|key| key.checked_add(1));
            key = next.and_then(|key| i32::try_from(key).ok()).ok_or(NO_BUCKET)?;
        }
        Ok(histogram)
    }

    /// What it has allocated.
    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.0 {
            Repr::Few(keys) => keys.capacity() * 4,
            Repr::Many(Octaves { first: _, places, counts }) => {
                places.capacity() * 2 + counts.capacity() * 8
            }
        }
    }
}
