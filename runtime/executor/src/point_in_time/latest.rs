use crate::point_in_time::event_index::EventIndex;
use crate::point_in_time::questions::Questions;

/// For each question the row that is its latest value: of the rows with
/// `event_timestamp <= t` that are visible at t the one with the greatest order
/// key; none where there is none.
pub fn latest_rows(index: &EventIndex, questions: &Questions) -> Vec<Option<u32>> {
    let places = latest_places(index, questions);
    let rows = places.into_iter().map(|place| place.map(|place| index.row(place as usize)));
    questions.unsorted(rows.collect())
}

/// The same as places, in the sorted order of the questions.
pub(crate) fn latest_places(index: &EventIndex, questions: &Questions) -> Vec<Option<u32>> {
    let mut latest = vec![None; questions.len()];
    let visible = index.visible();
    let mut by_sight: Vec<u32> = Vec::new();
    for (entity, asked) in questions.by_entity(index.entity_count()) {
        let places = index.places(entity);
        if index.is_in_order(entity) {
            let mut next = places.start;
            for question in asked {
                let time = questions.times()[question];
                while next < places.end && visible[next] <= time {
                    next += 1;
                }
                latest[question] = (next > places.start).then(|| next as u32 - 1);
            }
            continue;
        }
        by_sight.clear();
        by_sight.extend(places.start as u32..places.end as u32);
        by_sight.sort_by_key(|place| visible[*place as usize]);
        let mut seen = by_sight.iter().peekable();
        let mut greatest = None;
        for question in asked {
            let time = questions.times()[question];
            while let Some(place) = seen.next_if(|place| visible[**place as usize] <= time) {
                greatest = greatest.max(Some(*place));
            }
            latest[question] = greatest;
        }
    }
    latest
}
