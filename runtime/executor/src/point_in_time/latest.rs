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
    for (question, place) in latest_places_of(index, questions, |_| true) {
        latest[question] = Some(place);
    }
    latest
}

/// The places of the latest rows of some entities: questions, in the sorted
/// order, each with its place. Those for which there is none are left out.
pub(crate) fn latest_places_of(
    index: &EventIndex,
    questions: &Questions,
    is_wanted: impl Fn(u32) -> bool,
) -> Vec<(usize, u32)> {
    let mut latest = Vec::new();
    let visible = index.visible();
    let mut by_sight: Vec<u32> = Vec::new();
    for (entity, asked) in questions.by_entity(index.entity_count()) {
        if !is_wanted(entity) {
            continue;
        }
        let places = index.places(entity);
        if index.is_in_order(entity) {
            let mut next = places.start;
            for question in asked {
                let time = questions.times()[question];
                while next < places.end && visible[next] <= time {
                    next += 1;
                }
                latest.extend((next > places.start).then(|| (question, next as u32 - 1)));
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
            latest.extend(greatest.map(|place| (question, place)));
        }
    }
    latest
}
