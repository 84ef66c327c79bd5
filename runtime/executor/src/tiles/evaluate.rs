use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use unskew_host::Outcome;

use crate::aggregate_kernel::KernelError;
use crate::fold_failures::FoldFailures;
use crate::merge_graph::{MergeGraph, NodeId};
use crate::point_in_time::{EventIndex, Questions, TrailingAnswers};
use crate::row_order::RowOrder;
use crate::tiles::{TileKey, TileResolutions, Tiles, nothing};
use crate::trailing_window::TrailingWindow;

const TILE: usize = 0;
const HEAD: usize = 1;
const EMPTY: usize = 2;

/// One aggregate of a trailing view, to be answered from tiles.
#[derive(Clone)]
pub struct TiledAggregate {
    /// Which of the tiles' kernels it is.
    pub kernel: usize,
    /// The kernel's columns of the head's rows.
    pub inputs: Vec<ArrayRef>,
    /// Its `where`, of the head's rows.
    pub filter: Option<BooleanArray>,
    /// How far back.
    pub window: TrailingWindow,
}

/// Answers questions from tiles and from the rows of the head: the same bits as
/// [`evaluate_trailing`](crate::point_in_time::evaluate_trailing) over all rows.
///
/// `tiles` hold all rows before [`TileResolutions::head_start`] of each
/// question, and perhaps more; `head` indexes all rows from there on, and
/// perhaps more, whose keys are in `head_order`. A tile with rows that are not visible yet at a question's time
/// is an error: such questions are about the past, and need the rows.
pub fn evaluate_tiles(
    tiles: &Tiles,
    resolutions: &TileResolutions,
    head: &EventIndex,
    head_order: &RowOrder,
    questions: &Questions,
    aggregates: &[TiledAggregate],
) -> Result<TrailingAnswers, KernelError> {
    let mut by_entity: HashMap<(u32, u8, i64), Vec<u32>> = HashMap::new();
    for (place, TileKey { entity, partition: _, resolution, start }) in (0..).zip(&tiles.keys) {
        by_entity.entry((*entity, *resolution, *start)).or_default().push(place);
    }
    let heads = Heads::new(resolutions, head, questions);
    let longest = |time: i64| aggregates.iter().map(|a| a.window).min_by_key(|w| w.tail(time));
    let mut newest = vec![None; questions.len()];
    let mut read = HashMap::new();
    for (question, (entity, time)) in questions.entities().iter().zip(questions.times()).enumerate()
    {
        let mut windows: Vec<TrailingWindow> = aggregates.iter().map(|a| a.window).collect();
        windows.dedup();
        for window in windows {
            let mut places = Vec::new();
            for slice in resolutions.cover(&window, *time) {
                let found = by_entity.get(&(*entity, slice.resolution, slice.start));
                places.extend(found.into_iter().flatten().copied());
            }
            if let Some(place) =
                places.iter().find(|place| tiles.facts[**place as usize].visible > *time)
            {
                return Err(not_visible(&tiles.keys[*place as usize], *time));
            }
            if Some(window) == longest(*time) {
                let facts = places.iter().map(|place| tiles.facts[*place as usize].newest_event);
                newest[question] = facts.max().max(heads.newest[question]);
            }
            read.insert((question, window), places);
        }
    }
    let (mut values, mut failures) = (Vec::new(), Vec::new());
    for aggregate in aggregates {
        let kernel = &*tiles.kernels[aggregate.kernel];
        let mut graph = MergeGraph::default();
        let mut used = Vec::new();
        let nodes: Vec<NodeId> = (0..questions.len())
            .map(|question| {
                let mut parts: Vec<NodeId> = Vec::new();
                for place in &read[&(question, aggregate.window)] {
                    parts.push(NodeId::leaf(TILE, used.len() as u32));
                    used.push(*place);
                }
                parts.push(NodeId::leaf(HEAD, question as u32));
                graph.merge_all(&mut parts).unwrap_or(NodeId::leaf(EMPTY, 0))
            })
            .collect();
        let mut states = tiles.states(aggregate.kernel).take(&used);
        let (rows, groups) = heads.counted(aggregate.filter.as_ref());
        let indices = UInt32Array::from(rows.clone());
        let inputs = aggregate.inputs.iter().map(|input| take(input, &indices, None));
        let inputs = inputs.collect::<Result<Vec<_>, _>>().map_err(|error| {
            let aggregate = kernel.output().name.to_string();
            KernelError::WrongInput { aggregate, reason: error.to_string() }
        })?;
        let order = head_order.take(&rows);
        let mut of_head = kernel.partial(&inputs, &order, &groups, questions.len())?;
        let mut failed = FoldFailures::default();
        failed.add(of_head.take_row_errors(), |row| rows[row] as usize);
        failures.push(failed);
        states.append(of_head);
        states.append(nothing(kernel, 1)?);
        let schedule = graph.scheduled([used.len(), questions.len(), 1]);
        let states = schedule.run(states)?;
        let rows: Vec<u32> = nodes.iter().map(|node| schedule.row(*node)).collect();
        let outcome: Outcome = states.finish_of(&rows)?;
        let places: Vec<u32> = (0..questions.len() as u32).collect();
        let data_type = kernel.output().data_type.to_arrow();
        values.push(questions.outcome(vec![(outcome, places.into())], &data_type)?);
    }
    Ok(TrailingAnswers { newest: questions.unsorted(newest), values, failures })
}

fn not_visible(key: &TileKey, time: i64) -> KernelError {
    let TileKey { entity, start, .. } = key;
    KernelError::WrongInput {
        aggregate: "of tiles".to_owned(),
        reason: format!(
            "the tile of entity {entity} from {start} us on has rows that are not visible yet at {time} us; answer questions about the past from rows"
        ),
    }
}

/// The rows of the head that each question sees.
struct Heads {
    rows: Vec<u32>,
    /// The question of each, by its place in the sorted order.
    questions: Vec<u32>,
    /// By question.
    newest: Vec<Option<i64>>,
}

impl Heads {
    fn new(resolutions: &TileResolutions, head: &EventIndex, questions: &Questions) -> Self {
        let mut heads =
            Self { rows: Vec::new(), questions: Vec::new(), newest: vec![None; questions.len()] };
        for (entity, asked) in questions.by_entity(head.entity_count()) {
            let places = head.places(entity);
            let events = &head.events()[places.clone()];
            for question in asked {
                let time = questions.times()[question];
                let start = resolutions.head_start(time);
                let first = events.partition_point(|event| *event < start);
                let end = events.partition_point(|event| *event <= time);
                let within = places.start + first..places.start + end;
                for place in within.filter(|place| head.visible()[*place] <= time) {
                    heads.rows.push(head.row(place));
                    heads.questions.push(question as u32);
                    heads.newest[question] = Some(head.events()[place]);
                }
            }
        }
        heads
    }

    /// The rows that an aggregate sees, and the question of each.
    fn counted(&self, filter: Option<&BooleanArray>) -> (Vec<u32>, Vec<u32>) {
        let counts = |row: u32| {
            let row = row as usize;
            filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
        };
        let rows = self.rows.iter().zip(&self.questions);
        rows.filter(|(row, _)| counts(**row)).unzip()
    }
}
