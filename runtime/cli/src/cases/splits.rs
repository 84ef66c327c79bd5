//! The ways to split the rows of a case into parts.

use std::collections::HashMap;
use std::fmt;

use arrow::array::UInt32Array;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The parts of a split, of which some may be empty.
pub(super) const PARTS: usize = 3;
/// Up to so many rows are split in every way, ...
const FULLY: usize = 6;
/// ... more rows in so many ways, by a fixed seed, ...
const SAMPLED: usize = 200;
/// ... or fewer, so that all parts together have no more rows than this.
const SAMPLED_ROWS: usize = 200_000;

/// For each row the part that it falls into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Split(Vec<u8>);

impl Split {
    fn rows_of(&self, part: u8) -> Vec<u32> {
        let rows = self.0.iter().enumerate().filter(|(_, p)| **p == part);
        rows.map(|(row, _)| row as u32).collect()
    }
}

impl fmt::Display for Split {
    /// `split into a = rows 0, 2; b = row 1; c = nothing`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        f.write_str("split into ")?;
        for part in 0..PARTS as u8 {
            let comma = if part == 0 { "" } else { "; " };
            let name = (b'a' + part) as char;
            let rows = self.rows_of(part);
            let shown: Vec<_> = rows.iter().take(SHOWN).map(u32::to_string).collect();
            let shown = match rows.len() {
                0 => "nothing".to_owned(),
                1 => format!("row {}", shown[0]),
                n if n > SHOWN => format!("rows {}, ... ({n} rows)", shown.join(", ")),
                _ => format!("rows {}", shown.join(", ")),
            };
            write!(f, "{comma}{name} = {shown}")?;
        }
        Ok(())
    }
}

/// The splits of `rows` rows that are tried: all of them, or a sample.
pub(super) fn splits(rows: usize) -> Vec<Split> {
    if rows <= FULLY {
        let count = PARTS.pow(rows as u32);
        return (0..count)
            .map(|mut number| {
                let mut digit = || {
                    let digit = number % PARTS;
                    number /= PARTS;
                    digit as u8
                };
                Split((0..rows).map(|_| digit()).collect())
            })
            .collect();
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let count = (SAMPLED_ROWS / rows).clamp(8, SAMPLED);
    let whole = |part| Split(vec![part; rows]);
    let mut splits: Vec<Split> = (0..PARTS as u8).map(whole).collect();
    // As batches and slices of time cut: at two places.
    for _ in 0..count / 2 {
        let (x, y) = (random.random_range(0..=rows), random.random_range(0..=rows));
        let (x, y) = (x.min(y), x.max(y));
        splits.push(Split((0..rows).map(|row| u8::from(row >= x) + u8::from(row >= y)).collect()));
    }
    // As keys cut: anyhow.
    for _ in 0..count / 2 {
        splits.push(Split((0..rows).map(|_| random.random_range(0..PARTS as u8)).collect()));
    }
    splits
}

/// Every distinct part of some splits, once, as groups of one batch.
pub(super) struct Parts {
    /// The rows of the case, again and again, ...
    pub(super) rows: UInt32Array,
    /// ... and the group of each.
    pub(super) groups: UInt32Array,
    pub(super) group_count: usize,
    /// For each split the groups that its parts are.
    pub(super) of_split: Vec<[usize; PARTS]>,
}

impl Parts {
    pub(super) fn of(splits: &[Split]) -> Self {
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        let (mut rows, mut groups) = (Vec::new(), Vec::new());
        let of_split = splits
            .iter()
            .map(|split| {
                std::array::from_fn(|part| {
                    let part_rows = split.rows_of(part as u8);
                    let next = known.len();
                    *known.entry(part_rows).or_insert_with_key(|part_rows| {
                        rows.extend_from_slice(part_rows);
                        groups.extend(part_rows.iter().map(|_| next as u32));
                        next
                    })
                })
            })
            .collect();
        Self { rows: rows.into(), groups: groups.into(), group_count: known.len(), of_split }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn few_rows_are_split_in_every_way() {
        for rows in 0..=FULLY {
            let all = splits(rows);
            assert_eq!(all.len(), PARTS.pow(rows as u32));
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        }
    }

    #[test]
    fn many_rows_are_split_within_bounds() {
        for rows in [FULLY + 1, 1000, 100_000] {
            let sample = splits(rows);
            assert!(sample.len() >= 8 + PARTS && sample.len() <= SAMPLED + PARTS);
            assert!(sample.iter().all(|split| split.0.len() == rows));
            assert_eq!(sample, splits(rows), "a failure must come again");
        }
    }

    #[test]
    fn parts_are_folded_once() {
        let splits = splits(3);
        let parts = Parts::of(&splits);
        assert_eq!(parts.group_count, 8, "the subsets of three rows");
        for (split, groups) in splits.iter().zip(&parts.of_split) {
            for (part, group) in groups.iter().enumerate() {
                let found: Vec<u32> = parts
                    .groups
                    .values()
                    .iter()
                    .zip(parts.rows.values())
                    .filter(|(g, _)| **g as usize == *group)
                    .map(|(_, row)| *row)
                    .collect();
                assert_eq!(found, split.rows_of(part as u8));
            }
        }
    }

    #[test]
    fn a_split_says_which_rows() {
        let text = Split(vec![0, 1, 0]).to_string();
        assert_eq!(text, "split into a = rows 0, 2; b = row 1; c = nothing");
    }
}
