//! Maps and sets by hash whose states and order follow from what is in them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use unskew_aggregate::pinned_hash;

use crate::state::{State, StateError, StateReader, StateWriter};

/// Hashes with [`pinned_hash`]: no keys of its own, the same in every module.
#[derive(Clone, Copy, Debug, Default)]
pub struct PinnedHasher(u64);

impl Hasher for PinnedHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(29) ^ pinned_hash(bytes);
    }

    fn write_u8(&mut self, x: u8) {
        self.write(&[x]);
    }

    fn write_u16(&mut self, x: u16) {
        self.write(&x.to_le_bytes());
    }

    fn write_u32(&mut self, x: u32) {
        self.write(&x.to_le_bytes());
    }

    fn write_u64(&mut self, x: u64) {
        self.write(&x.to_le_bytes());
    }

    fn write_u128(&mut self, x: u128) {
        self.write(&x.to_le_bytes());
    }

    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Hashed<K, V> = HashMap<K, V, BuildHasherDefault<PinnedHasher>>;

/// A map by hash for states: quicker than a `BTreeMap` where there are many
/// keys. It lists its entries by ascending keys, so that nothing depends on
/// how it came about; each listing sorts them.
#[derive(Clone)]
pub struct PinnedMap<K, V>(Hashed<K, V>);

impl<K: Ord + Hash, V> PinnedMap<K, V> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// The value of a key, to be changed; a new one where there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key).or_default()
    }

    /// Sets the value of a key, and gives the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes a key out, and gives its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// The entries, by ascending keys.
    pub fn sorted(&self) -> Vec<(&K, &V)> {
        let mut entries: Vec<(&K, &V)> = self.0.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        entries
    }
}

impl<K, V> Default for PinnedMap<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V: PartialEq> PartialEq for PinnedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq + Hash, V: Eq> Eq for PinnedMap<K, V> {}

impl<K: Ord + Hash + fmt::Debug, V: fmt::Debug> fmt::Debug for PinnedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.sorted()).finish()
    }
}

impl<K: Ord + Hash, V> FromIterator<(K, V)> for PinnedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// Written like a `BTreeMap` of the same entries.
impl<K: State + Ord + Hash, V: State> State for PinnedMap<K, V> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        to.write_length(self.len());
        for (key, value) in self.sorted() {
            key.encode(to);
            value.encode(to);
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let entries = Vec::<(K, V)>::decode(from)?;
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(StateError::invalid("keys that do not ascend"));
        }
        Ok(entries.into_iter().collect())
    }
}

/// A set by hash for states: see [`PinnedMap`].
#[derive(Clone, PartialEq, Eq)]
pub struct PinnedSet<T: Ord + Hash>(PinnedMap<T, Unit>);

/// What a set keeps beside its items: nothing, in no bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unit;

impl<T: Ord + Hash> PinnedSet<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an item is in it.
    pub fn contains(&self, item: &T) -> bool {
        self.0.get(item).is_some()
    }

    /// Puts an item in, and says whether it was not there.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, Unit).is_none()
    }

    /// Takes an item out, and says whether it was there.
    pub fn remove(&mut self, item: &T) -> bool {
        self.0.remove(item).is_some()
    }

    /// The items, ascending.
    pub fn sorted(&self) -> Vec<&T> {
        self.0.sorted().into_iter().map(|(item, _)| item).collect()
    }
}

impl<T: Ord + Hash> Default for PinnedSet<T> {
    fn default() -> Self {
        Self(PinnedMap::default())
    }
}

impl<T: Ord + Hash + fmt::Debug> fmt::Debug for PinnedSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.sorted()).finish()
    }
}

impl<T: Ord + Hash> FromIterator<T> for PinnedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().map(|item| (item, Unit)).collect())
    }
}

/// Written like a `BTreeSet` of the same items.
impl<T: State + Ord + Hash> State for PinnedSet<T> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        to.write_length(self.len());
        self.sorted().into_iter().for_each(|item| item.encode(to));
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let items = Vec::<T>::decode(from)?;
        if !items.is_sorted_by(|a, b| a < b) {
            return Err(StateError::invalid("keys that do not ascend"));
        }
        Ok(items.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::state::{decode_state, encode_state};

    /// Whatever came and went before, and however large it once was.
    #[test]
    fn maps_are_written_like_ordered_ones() {
        let mut map = PinnedMap::new();
        (0..5000_i64).rev().for_each(|key| *map.get_or_default(key) += key as u64);
        (100..5000).for_each(|key| assert!(map.remove(&key).is_some()));
        let ordered: BTreeMap<i64, u64> = (0..100).map(|key| (key, key as u64)).collect();
        assert_eq!(encode_state(&map), encode_state(&ordered));
        assert_eq!(map.sorted(), ordered.iter().collect::<Vec<_>>());
        let back: PinnedMap<i64, u64> = decode_state(&encode_state(&ordered)).unwrap();
        assert_eq!(back, map);
        assert!(decode_state::<PinnedMap<u8, u8>>(&[2, 0, 0, 0, 5, 0, 5, 0]).is_err());
    }

    #[test]
    fn sets_are_written_like_ordered_ones() {
        let words = ["b", "", "a", "b"].map(str::to_owned);
        let set: PinnedSet<String> = words.iter().cloned().collect();
        let ordered: BTreeSet<String> = words.into_iter().collect();
        assert_eq!(encode_state(&set), encode_state(&ordered));
        assert_eq!(decode_state::<PinnedSet<String>>(&encode_state(&ordered)).as_ref(), Ok(&set));
        assert!(set.contains(&"a".to_owned()) && set.len() == 3);
        assert!(decode_state::<PinnedSet<u8>>(&[2, 0, 0, 0, 5, 4]).is_err());
    }
}
