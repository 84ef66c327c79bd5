use std::collections::BTreeMap;

use crate::point_in_time::questions::Questions;
use crate::window::EmittedWindows;

/// For each question the row of `emitted` that is the value of its entity's
/// windows: of the windows that end at or before t, by what of them is visible
/// at t, the one that ends last; none where there is none. Its age is
/// `t - window_ends[row]`.
///
/// `emitted` is in the order in which it came; entities are numbered below
/// `entity_count`.
pub fn latest_windows(
    emitted: &EmittedWindows,
    entity_count: usize,
    questions: &Questions,
) -> Vec<Option<u32>> {
    let seen_from = |row: u32| {
        let row = row as usize;
        emitted.created_timestamps[row].max(emitted.window_ends[row])
    };
    let mut rows: Vec<u32> = (0..emitted.len() as u32).collect();
    // Stable: what came later revises what came before.
    rows.sort_by_key(|row| (emitted.entities[*row as usize], seen_from(*row)));
    let mut latest = vec![None; questions.len()];
    let mut start = 0;
    for (entity, asked) in questions.by_entity(entity_count) {
        start += rows[start..].partition_point(|row| emitted.entities[*row as usize] < entity);
        let mut live: BTreeMap<i64, u32> = BTreeMap::new();
        let mut seen = rows[start..]
            .iter()
            .take_while(|row| emitted.entities[**row as usize] == entity)
            .peekable();
        for question in asked {
            let time = questions.times()[question];
            while let Some(row) = seen.next_if(|row| seen_from(**row) <= time) {
                let end = emitted.window_ends[*row as usize];
                if emitted.tombstones[*row as usize] {
                    live.remove(&end);
                } else {
                    live.insert(end, *row);
                }
            }
            latest[question] = live.last_key_value().map(|(_, row)| *row);
        }
    }
    questions.unsorted(latest)
}
