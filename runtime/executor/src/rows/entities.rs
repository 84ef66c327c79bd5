use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType as ArrowType, Int64Type};

use crate::rows::canonical::CanonicalBytes;
use crate::rows::key_hash::{bytes_hash, key_hashes};

/// The entities of one view, numbered densely in the order of their first row.
/// Two rows belong to one entity when the canonical bytes of their join keys
/// are the same.
#[derive(Clone, Debug, Default)]
pub struct Entities {
    /// Places of `keys`, by hash: open addressing, at most half full.
    table: Vec<u32>,
    hashes: Vec<u64>,
    keys: Keys,
    first_rows: Vec<u32>,
}

/// The keys of the entities, by their number.
#[derive(Clone, Debug)]
enum Keys {
    /// Of one column of whole numbers of 64 bits.
    Numbers(Vec<i64>),
    /// Canonical bytes, one after the other, and where each ends.
    Bytes { bytes: Vec<u8>, ends: Vec<usize> },
}

impl Default for Keys {
    fn default() -> Self {
        Self::Bytes { bytes: Vec::new(), ends: Vec::new() }
    }
}

impl Keys {
    fn bytes_at(bytes: &[u8], ends: &[usize], entity: usize) -> std::ops::Range<usize> {
        debug_assert!(ends[entity] <= bytes.len());
        let start = if entity == 0 { 0 } else { ends[entity - 1] };
        start..ends[entity]
    }
}

const FREE: u32 = u32::MAX;
const BYTES_SEED: u64 = 0x082e_fa98_ec4e_6c89;

impl Entities {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.first_rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first_rows.is_empty()
    }

    /// The numbers of the entities of all rows, new ones numbered on; `None`
    /// where a join key is null.
    ///
    /// # Panics
    ///
    /// When the keys are of other types than those before.
    pub fn number(&mut self, keys: &CanonicalBytes, rows: usize) -> Vec<Option<u32>> {
        if let Some(numbers) = numbers_of(keys) {
            if self.is_empty() {
                self.keys = Keys::Numbers(Vec::new());
            }
            let hashes = key_hashes(keys.columns(), rows);
            return (0..rows)
                .map(|row| {
                    if numbers.is_null(row) {
                        return None;
                    }
                    let number = numbers.value(row);
                    let place = self.place_of_number(hashes[row], number);
                    if self.table[place] != FREE {
                        return Some(self.table[place]);
                    }
                    let Keys::Numbers(known) = &mut self.keys else { unreachable!("{MIXED}") };
                    known.push(number);
                    Some(self.add(place, hashes[row], row))
                })
                .collect();
        }
        let mut key = Vec::new();
        (0..rows)
            .map(|row| {
                if keys.has_null(row) {
                    return None;
                }
                key.clear();
                keys.append(row, &mut key);
                let hash = bytes_hash(BYTES_SEED, &key);
                let place = self.place_of_bytes(hash, &key);
                if self.table[place] != FREE {
                    return Some(self.table[place]);
                }
                let Keys::Bytes { bytes, ends } = &mut self.keys else { unreachable!("{MIXED}") };
                bytes.extend_from_slice(&key);
                ends.push(bytes.len());
                Some(self.add(place, hash, row))
            })
            .collect()
    }

    /// Gives the free place of the table to a new entity.
    fn add(&mut self, place: usize, hash: u64, row: usize) -> u32 {
        // There are at most as many as rows, which 32 bits number.
        let number = self.first_rows.len() as u32;
        self.table[place] = number;
        self.hashes.push(hash);
        self.first_rows.push(row as u32);
        number
    }

    /// The place of a key in the table, or the free one where it belongs. The
    /// table has room for one more afterwards.
    fn place_of(&mut self, hash: u64, is_same: impl Fn(&Keys, usize) -> bool) -> usize {
        if self.table.len() < 2 * (self.hashes.len() + 1) {
            self.grow();
        }
        place_in(&self.table, &self.hashes, hash, |entity| is_same(&self.keys, entity))
    }

    fn place_of_number(&mut self, hash: u64, number: i64) -> usize {
        self.place_of(hash, |keys, entity| is_number(keys, entity, number))
    }

    fn place_of_bytes(&mut self, hash: u64, key: &[u8]) -> usize {
        self.place_of(hash, |keys, entity| is_bytes(keys, entity, key))
    }

    fn grow(&mut self) {
        let size = (4 * (self.hashes.len() + 1)).next_power_of_two().max(16);
        self.table = vec![FREE; size];
        for (entity, hash) in self.hashes.iter().enumerate() {
            let mut place = *hash as usize & (size - 1);
            while self.table[place] != FREE {
                place = (place + 1) & (size - 1);
            }
            self.table[place] = entity as u32;
        }
    }

    /// The first row of each entity, by its number.
    pub fn first_rows(&self) -> &[u32] {
        &self.first_rows
    }

    /// The numbers of the entities that are asked for; `None` for one that has
    /// no row, or a null in its key.
    pub fn find(&self, keys: &CanonicalBytes, rows: usize) -> Vec<Option<u32>> {
        if self.is_empty() {
            return vec![None; rows];
        }
        let known = |place: usize| (self.table[place] != FREE).then(|| self.table[place]);
        if let Some(numbers) = numbers_of(keys) {
            let hashes = key_hashes(keys.columns(), rows);
            let find = |row: usize| {
                let number = (!numbers.is_null(row)).then(|| numbers.value(row))?;
                known(place_in(&self.table, &self.hashes, hashes[row], |entity| {
                    is_number(&self.keys, entity, number)
                }))
            };
            return (0..rows).map(find).collect();
        }
        let mut key = Vec::new();
        let find = |row| {
            key.clear();
            keys.append(row, &mut key);
            let hash = bytes_hash(BYTES_SEED, &key);
            known(place_in(&self.table, &self.hashes, hash, |entity| {
                is_bytes(&self.keys, entity, &key)
            }))
        };
        (0..rows).map(find).collect()
    }
}

const MIXED: &str = "join keys keep their types";

fn is_number(keys: &Keys, entity: usize, number: i64) -> bool {
    matches!(keys, Keys::Numbers(known) if known[entity] == number)
}

fn is_bytes(keys: &Keys, entity: usize, key: &[u8]) -> bool {
    match keys {
        Keys::Bytes { bytes, ends } => bytes[Keys::bytes_at(bytes, ends, entity)] == *key,
        Keys::Numbers(_) => false,
    }
}

fn place_in(table: &[u32], hashes: &[u64], hash: u64, is_same: impl Fn(usize) -> bool) -> usize {
    let mask = table.len() - 1;
    let mut place = hash as usize & mask;
    loop {
        let entity = table[place];
        if entity == FREE || (hashes[entity as usize] == hash && is_same(entity as usize)) {
            return place;
        }
        place = (place + 1) & mask;
    }
}

/// The one column of whole numbers that keys consist of, if they do.
fn numbers_of(keys: &CanonicalBytes) -> Option<&arrow::array::PrimitiveArray<Int64Type>> {
    match keys.columns() {
        [column] if *column.data_type() == ArrowType::Int64 => Some(column.as_primitive()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn several_columns_make_one_key() {
        let rows = CanonicalBytes::new(vec![
            Arc::new(StringArray::from(vec![Some("a"), Some("a\0"), None, Some("a")])),
            Arc::new(Int64Array::from(vec![Some(1), Some(1), Some(1), Some(1)])),
        ]);
        let mut entities = Entities::default();
        assert_eq!(entities.number(&rows, 4), [Some(0), Some(1), None, Some(0)]);
        assert_eq!(entities.find(&rows, 4), [Some(0), Some(1), None, Some(0)]);
        assert_eq!(entities.len(), 2);
        let other = CanonicalBytes::new(vec![
            Arc::new(StringArray::from(vec!["a"])),
            Arc::new(Int64Array::from(vec![2])),
        ]);
        assert_eq!(entities.find(&other, 1), [None]);
    }

    #[test]
    fn many_keys_of_one_column_are_told_apart() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter(
            (0..5000).map(|x| (x % 7 != 0).then_some(x % 1000 - 500)),
        ));
        let texts: ArrayRef = arrow::compute::cast(&numbers, &ArrowType::Utf8).unwrap();
        for column in [numbers, texts] {
            let keys = CanonicalBytes::new(vec![ArrayRef::clone(&column)]);
            let mut entities = Entities::default();
            let first = entities.number(&keys, 5000);
            assert_eq!(entities.len(), 1000);
            assert_eq!(entities.find(&keys, 5000), first);
            for row in 0..5000 {
                assert_eq!(first[row].is_none(), row % 7 == 0);
                if let Some(entity) = first[row] {
                    let first_row = entities.first_rows()[entity as usize] as usize;
                    assert_eq!(first_row % 1000, row % 1000);
                }
            }
            let mut again = Entities::default();
            assert_eq!(again.find(&keys, 1), [None]);
            assert_eq!(again.number(&keys, 5000), first);
        }
    }
}
