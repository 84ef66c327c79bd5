use crate::evaluation_error::EvaluationError;
use crate::service::{Questions, ViewOperator};
use crate::stored::layout::StoredContents;
use crate::stored::part::{COVERED_MARK, least_row_name, tile_name};

/// What a question at one time reads of an entity's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The moment of asking, in microseconds.
    pub time: i64,
    /// The row with the greatest name below `rows_below`.
    pub newest_row: bool,
    /// All rows from this name on, below `rows_below`.
    pub rows_from: Option<Vec<u8>>,
    /// No row with this name or a greater one.
    pub rows_below: Option<Vec<u8>>,
    /// The tiles with these names.
    pub tiles: Vec<Vec<u8>>,
    /// Whether nothing else could matter. Otherwise
    /// [`ViewRows::incomplete`](crate::service::ViewRows::incomplete) names
    /// the entities for which it does.
    pub is_complete: bool,
}

/// The parts of one entity that were read for [`Needs`].
#[derive(Clone, Debug, Default)]
pub struct FoundParts<'a> {
    /// Names and values, ascending by name, each once.
    pub rows: Vec<(&'a [u8], &'a [u8])>,
    /// The value of each tile that was asked for, in that order; the last one
    /// says until when files are covered for this entity.
    pub tiles: Vec<Option<&'a [u8]>>,
}

/// The entities that questions ask about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedEntities {
    /// The canonical bytes of their join keys, each entity once.
    pub keys: Vec<Vec<u8>>,
    /// By question the index of its entity; none where a join key is null.
    pub of_questions: Vec<Option<u32>>,
}

/// So far back, beside the newest row, rows are read at once: those that may
/// hide an older one while they are not visible yet.
const USUAL_DELAY_US: i64 = 60_000_000;

impl ViewOperator {
    /// The entities of these questions, each once.
    pub fn asked_entities(&self, questions: &Questions) -> Result<AskedEntities, EvaluationError> {
        let keys = questions.keys_of(self.view())?;
        let mut asked: Vec<(Vec<u8>, usize)> = Vec::with_capacity(questions.len());
        let mut of_questions = vec![None; questions.len()];
        for question in 0..questions.len() {
            if !keys.has_null(question) {
                asked.push((keys.of(question), question));
            }
        }
        // Most requests name each entity once, and keep their order.
        asked.sort_by(|a, b| a.0.cmp(&b.0));
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(asked.len());
        for (key, question) in asked {
            if keys.last() != Some(&key) {
                keys.push(key);
            }
            of_questions[question] = Some(keys.len() as u32 - 1);
        }
        Ok(AskedEntities { keys, of_questions })
    }

    /// What a question at `time`, in microseconds, reads.
    pub fn needs(&self, time: i64) -> Needs {
        let layout = self.stored();
        if layout.trailing().is_some() {
            return self.needs_all(time);
        }
        let delay = match layout.has_created || matches!(layout.contents, StoredContents::Emitted) {
            true => USUAL_DELAY_US.saturating_add(self.view().source.out_of_orderness_us),
            false => 0,
        };
        // Later rows, too: one of them may say that older ones were dropped.
        Needs {
            time,
            newest_row: true,
            rows_from: Some(least_row_name(time.saturating_sub(delay))),
            rows_below: None,
            tiles: Vec::new(),
            is_complete: false,
        }
    }

    /// All that could matter to a question at `time`, in microseconds.
    pub fn needs_all(&self, time: i64) -> Needs {
        let mut needs = Needs {
            time,
            newest_row: false,
            rows_from: Some(Vec::new()),
            rows_below: None,
            tiles: Vec::new(),
            is_complete: true,
        };
        let Some(trailing) = self.stored().trailing() else { return needs };
        let windows = &self.trailing_windows;
        let tail = windows.iter().map(|window| window.tail(time)).min().unwrap_or(time);
        needs.rows_from = Some(least_row_name(tail));
        needs.rows_below = time.checked_add(1).map(least_row_name);
        let mut seen = Vec::new();
        for window in windows {
            if seen.contains(window) {
                continue;
            }
            seen.push(*window);
            for slice in trailing.resolutions.cover(window, time) {
                needs.tiles.push(tile_name(slice.resolution, slice.start));
            }
        }
        needs.tiles.sort_unstable();
        needs.tiles.dedup();
        // Behind all tiles, where it is looked for.
        needs.tiles.push(COVERED_MARK.to_vec());
        needs
    }

    /// From which time on an as-of read over what was materialized until
    /// `covered_until` is exact, both in microseconds.
    pub fn exact_since(&self, covered_until: i64) -> i64 {
        match self.stored().trailing() {
            Some(trailing) => trailing.tiled_until(covered_until).saturating_add(trailing.grace_us),
            None => covered_until,
        }
    }
}
