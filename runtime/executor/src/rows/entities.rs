use std::collections::HashMap;

use crate::rows::canonical::CanonicalBytes;

/// The entities of one view, numbered densely in the order of their first row.
/// Two rows belong to one entity when the canonical bytes of their join keys
/// are the same.
#[derive(Clone, Debug, Default)]
pub struct Entities {
    numbers: HashMap<Box<[u8]>, u32>,
    first_rows: Vec<u32>,
}

impl Entities {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The numbers of the entities of all rows, new ones numbered on; `None`
    /// where a join key is null.
    pub fn number(&mut self, keys: &CanonicalBytes, rows: usize) -> Vec<Option<u32>> {
        let mut bytes = Vec::new();
        (0..rows).map(|row| self.number_of(keys, row, &mut bytes)).collect()
    }

    fn number_of(&mut self, keys: &CanonicalBytes, row: usize, bytes: &mut Vec<u8>) -> Option<u32> {
        if keys.has_null(row) {
            return None;
        }
        bytes.clear();
        keys.append(row, bytes);
        if let Some(number) = self.numbers.get(bytes.as_slice()) {
            return Some(*number);
        }
        // There are at most as many as rows, which 32 bits number.
        let number = self.numbers.len() as u32;
        self.numbers.insert(bytes.as_slice().into(), number);
        self.first_rows.push(row as u32);
        Some(number)
    }

    /// The first row of each entity, by its number.
    pub fn first_rows(&self) -> &[u32] {
        &self.first_rows
    }

    /// The numbers of the entities that are asked for; `None` for one that has
    /// no row, or a null in its key.
    pub fn find(&self, keys: &CanonicalBytes, rows: usize) -> Vec<Option<u32>> {
        let mut bytes = Vec::new();
        let find = |row| {
            bytes.clear();
            keys.append(row, &mut bytes);
            self.numbers.get(bytes.as_slice()).copied()
        };
        (0..rows).map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

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
}
