//! Rows put together by entity.

use crate::window::NO_ENTITY;

/// Sorts the rows of one window after the other by entity.
pub(crate) struct EntityRuns {
    /// A bit for each entity that has rows.
    words: Vec<u64>,
    /// Of each word, how many entities come before its first.
    before: Vec<u32>,
    /// Of the rows at hand: the run that each belongs to.
    runs: Vec<u32>,
    /// Of each run, where its next row goes.
    next: Vec<u32>,
    /// (entity, row), where entities are few and far between.
    pairs: Vec<u64>,
}

/// So many words may be looked at for each row, and some.
const WORDS_PER_ROW: usize = 4;
const WORDS: usize = 64;

/// Rows by window and entity: run i has `rows[bounds[i]..bounds[i + 1]]`.
pub(crate) struct Runs {
    pub(crate) rows: Vec<u32>,
    pub(crate) bounds: Vec<u32>,
}

impl Runs {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new(), bounds: vec![0] }
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.bounds.truncate(1);
    }
}

impl EntityRuns {
    /// For rows of these entities, of which the greatest is given.
    pub(crate) fn new(greatest: u32, rows: usize) -> Self {
        // Numbers that are not dense are sorted.
        let words = greatest as usize / 64 + 1;
        let words = if words > WORDS + rows { 0 } else { words };
        Self {
            words: vec![0; words],
            before: vec![0; words],
            runs: Vec::new(),
            next: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// Appends the runs of these rows, and says of which entities they are,
    /// ascending. Rows that belong to none are left out.
    pub(crate) fn append(
        &mut self,
        rows: impl Iterator<Item = u32> + Clone,
        entities: &[u32],
        to: &mut Runs,
        found: &mut Vec<u32>,
    ) {
        let (mut count, mut least, mut greatest) = (0, u32::MAX, 0);
        for row in rows.clone() {
            let entity = entities[row as usize];
            if entity != NO_ENTITY {
                count += 1;
                least = least.min(entity);
                greatest = greatest.max(entity);
            }
        }
        if count == 0 {
            return;
        }
        let words = least as usize / 64..=greatest as usize / 64;
        let is_dense = words.end() - words.start() <= WORDS + WORDS_PER_ROW * count;
        if is_dense && *words.end() < self.words.len() {
            self.append_dense(rows, entities, words, to, found);
        } else {
            self.append_sorted(rows, entities, to, found);
        }
    }

    fn append_dense(
        &mut self,
        rows: impl Iterator<Item = u32> + Clone,
        entities: &[u32],
        touched: std::ops::RangeInclusive<usize>,
        to: &mut Runs,
        found: &mut Vec<u32>,
    ) {
        let Self { words, before, runs, next, .. } = self;
        for row in rows.clone() {
            let entity = entities[row as usize];
            if entity != NO_ENTITY {
                words[entity as usize / 64] |= 1 << (entity % 64);
            }
        }
        let mut count = 0;
        for at in touched.clone() {
            before[at] = count;
            let mut word = words[at];
            while word != 0 {
                found.push(at as u32 * 64 + word.trailing_zeros());
                word &= word - 1;
                count += 1;
            }
        }
        next.clear();
        next.resize(count as usize, 0);
        runs.clear();
        for row in rows.clone() {
            let entity = entities[row as usize];
            if entity != NO_ENTITY {
                let word = words[entity as usize / 64];
                let below = word & ((1 << (entity % 64)) - 1);
                let run = before[entity as usize / 64] + below.count_ones();
                runs.push(run);
                next[run as usize] += 1;
            }
        }
        let mut start = to.rows.len() as u32;
        for next in &mut *next {
            let length = *next;
            *next = start;
            start += length;
            to.bounds.push(start);
        }
        to.rows.resize(start as usize, 0);
        let rows = rows.filter(|row| entities[*row as usize] != NO_ENTITY);
        for (row, run) in rows.zip(&*runs) {
            let next = &mut next[*run as usize];
            to.rows[*next as usize] = row;
            *next += 1;
        }
        words[touched].fill(0);
    }

    fn append_sorted(
        &mut self,
        rows: impl Iterator<Item = u32>,
        entities: &[u32],
        to: &mut Runs,
        found: &mut Vec<u32>,
    ) {
        let pair = |row: u32| u64::from(entities[row as usize]) << 32 | u64::from(row);
        self.pairs.clear();
        self.pairs.extend(rows.map(pair).filter(|pair| (pair >> 32) as u32 != NO_ENTITY));
        self.pairs.sort_unstable();
        for run in self.pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
            found.push((run[0] >> 32) as u32);
            to.rows.extend(run.iter().map(|pair| *pair as u32));
            to.bounds.push(to.rows.len() as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sorted_runs_are_the_same() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for below in [1, 3, 64, 65, 1000, 1 << 31] {
            let entities: Vec<u32> = (0..500)
                .map(|_| if random(9) == 0 { NO_ENTITY } else { random(below) as u32 })
                .collect();
            let greatest = *entities.iter().filter(|e| **e != NO_ENTITY).max().unwrap();
            let mut by_bits = EntityRuns::new(greatest, 500);
            let mut by_sort = EntityRuns::new(greatest, 500);
            let (mut one, mut two) = (Runs::new(), Runs::new());
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            for rows in [0..500, 100..100, 20..90] {
                by_bits.append(rows.clone(), &entities, &mut one, &mut found);
                by_sort.append_sorted(rows, &entities, &mut two, &mut expected);
            }
            assert_eq!((one.rows, one.bounds, found), (two.rows, two.bounds, expected));
        }
    }
}
