use arrow::array::{ArrayRef, AsArray};

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::{EventIndex, Questions, TrailingAnswers};
use crate::row_order::RowOrder;
use crate::service::ViewOperator;
use crate::tiles::{TiledAggregate, Tiles, evaluate_tiles};

/// Tiles of a trailing view, and the rows of the head at one time of asking.
pub(crate) struct TiledRows {
    pub(crate) tiles: Tiles,
    pub(crate) index: EventIndex,
    pub(crate) order: RowOrder,
    /// The layout's columns of the head's rows.
    pub(crate) columns: Vec<ArrayRef>,
}

impl TiledRows {
    pub(crate) fn answer(
        &self,
        operator: &ViewOperator,
        questions: &Questions,
    ) -> Result<TrailingAnswers, EvaluationError> {
        let layout = operator.stored().trailing().expect("only a trailing view has tiles");
        let aggregates = layout.aggregates.iter().zip(&operator.trailing_windows);
        let aggregate = |(stored, window): (&super::layout::StoredAggregate, &_)| TiledAggregate {
            kernel: stored.kernel,
            inputs: stored.inputs.iter().map(|at| self.columns[*at].clone()).collect(),
            filter: stored
                .filter
                .map(|at| self.columns[layout.inputs.len() + at].as_boolean().clone()),
            window: *window,
        };
        let aggregates: Vec<TiledAggregate> = aggregates.map(aggregate).collect();
        let resolutions = &layout.resolutions;
        let Self { tiles, index, order, columns: _ } = self;
        Ok(evaluate_tiles(tiles, resolutions, index, order, questions, &aggregates)?)
    }
}
