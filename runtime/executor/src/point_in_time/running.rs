//! Built-in aggregates that subtract, such as variances and percentiles: one
//! state for each window moves along with the questions. Rows come in at its
//! head and go out at its tail, each once.

use std::ops::Range;
use std::sync::Arc;

use unskew_aggregate::{Aggregate, Column, GroupStates};

use crate::built_in::{OutcomeBuilder, column_of, slice_of};
use crate::point_in_time::trailing::{Context, QuickAnswers};

/// A state of the rows of a range.
struct Running<'a> {
    column: &'a Column<'a>,
    /// Always 0: the states have one group.
    groups: &'a [u32],
    /// Of the rows in `range`.
    state: GroupStates,
    range: Range<usize>,
    /// Of rows that are to go out.
    leaving: GroupStates,
}

impl Running<'_> {
    fn add(state: &mut GroupStates, column: &Column<'_>, groups: &[u32], rows: Range<usize>) {
        let count = rows.len();
        if count > 0 {
            state.update(Some(&slice_of(column, rows)), &groups[..count], None);
        }
    }

    /// Bounds never move back.
    fn move_to(&mut self, range: Range<usize>) {
        let (column, groups) = (self.column, self.groups);
        let goes = range.start.min(self.range.end) - self.range.start;
        let stays = self.range.end.saturating_sub(range.start);
        if stays == 0 || goes > stays {
            // Less is folded anew than would be taken out.
            self.state.clear(0);
            Self::add(&mut self.state, column, groups, range.clone());
        } else {
            Self::add(&mut self.state, column, groups, self.range.end..range.end);
            if goes > 0 {
                self.leaving.clear(0);
                Self::add(&mut self.leaving, column, groups, self.range.start..range.start);
                self.state.subtract_state(0, &self.leaving.state(0));
            }
        }
        self.range = range;
    }
}

/// # Panics
///
/// When the aggregate does not subtract, or has no input.
pub(crate) fn evaluate_running(
    context: &Context<'_>,
    aggregate: &Aggregate,
    windows: &[usize],
) -> QuickAnswers {
    let input = aggregate.input().expect("only the count of rows has no input");
    let column = column_of(&context.inputs[0], input);
    let count = context.index.entity_count();
    let in_order = || {
        let asked = context.questions.by_entity(count);
        asked.filter(|(entity, _)| context.index.is_in_order(*entity))
    };
    let most = in_order().map(|(entity, _)| context.index.places(entity).len()).max();
    let groups = vec![0; most.unwrap_or(0)];
    let one = || {
        let mut states = GroupStates::new(*aggregate);
        states.resize(1);
        states
    };
    let mut is_done = vec![false; count];
    let mut places = Vec::new();
    for (entity, questions) in in_order() {
        is_done[entity as usize] = true;
        places.extend(questions.start as u32..questions.end as u32);
    }
    let outcomes = windows.iter().map(|window| {
        let mut values = OutcomeBuilder::new(aggregate.output(), places.len());
        for (entity, questions) in in_order() {
            let start = context.index.places(entity).start;
            let mut running = Running {
                column: &column,
                groups: &groups,
                state: one(),
                range: start..start,
                leaving: one(),
            };
            for question in questions {
                let low = context.ranges.low(*window, question) as usize;
                running.move_to(low..context.ranges.high(question) as usize);
                values.append(running.state.finish(0));
            }
        }
        values.finish()
    });
    QuickAnswers { outcomes: outcomes.collect(), places: Arc::new(places), is_done }
}
