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
    let heads = Heads::new(resolutions, head, head_order, questions);
    let mut windows: Vec<TrailingWindow> = Vec::new();
    for aggregate in aggregates {
        if !windows.contains(&aggregate.window) {
            windows.push(aggregate.window);
        }
    }
    let longest = |time: i64| windows.iter().copied().min_by_key(|window| window.tail(time));
    let mut newest = vec![None; questions.len()];
    let mut read = HashMap::new();
    for (question, (entity, time)) in questions.entities().iter().zip(questions.times()).enumerate()
    {
        for window in &windows {
            let mut places = Vec::new();
            for slice in resolutions.cover(window, *time) {
                let found = by_entity.get(&(*entity, slice.resolution, slice.start));
                places.extend(found.into_iter().flatten().copied());
            }
            if let Some(place) =
                places.iter().find(|place| tiles.facts[**place as usize].visible > *time)
            {
                return Err(not_visible(&tiles.keys[*place as usize], *time));
            }
            if Some(*window) == longest(*time) {
                let facts = places.iter().map(|place| tiles.facts[*place as usize].newest_event);
                newest[question] = facts.max().max(heads.newest[question]);
            }
            read.insert((question, *window), places);
        }
    }
    let mut values: Vec<Option<Outcome>> = aggregates.iter().map(|_| None).collect();
    let mut failures = vec![FoldFailures::default(); aggregates.len()];
    for kernel in 0..tiles.kernels.len() {
        let of_kernel: Vec<usize> =
            (0..aggregates.len()).filter(|at| aggregates[*at].kernel == kernel).collect();
        if of_kernel.is_empty() {
            continue;
        }
        let (found, failed) = answers_of(tiles, &heads, questions, aggregates, &of_kernel, &read)?;
        for (at, found) in of_kernel.into_iter().zip(found) {
            (values[at], failures[at]) = (Some(found), failed.clone());
        }
    }
    let values = values.into_iter().map(|found| found.expect("each has a kernel")).collect();
    Ok(TrailingAnswers { newest: questions.unsorted(newest), values, failures })
}

/// The answers of all aggregates of one kernel, which differ in their windows
/// alone: one graph of merges has all of them, so that each of its levels is
/// one call. And the rows of the head that failed.
fn answers_of(
    tiles: &Tiles,
    heads: &Heads<'_>,
    questions: &Questions,
    aggregates: &[TiledAggregate],
    of_kernel: &[usize],
    read: &HashMap<(usize, TrailingWindow), Vec<u32>>,
) -> Result<(Vec<Outcome>, FoldFailures), KernelError> {
    let first = &aggregates[of_kernel[0]];
    let kernel = &*tiles.kernels[first.kernel];
    let mut graph = MergeGraph::default();
    let mut used = Vec::new();
    let mut leaves: HashMap<u32, NodeId> = HashMap::new();
    let mut windows: Vec<(TrailingWindow, Vec<NodeId>)> = Vec::new();
    for at in of_kernel {
        let window = aggregates[*at].window;
        if windows.iter().any(|(known, _)| *known == window) {
            continue;
        }
        let node = |question: usize| {
            let leaf = |place: &u32| {
                *leaves.entry(*place).or_insert_with(|| {
                    used.push(*place);
                    NodeId::leaf(TILE, used.len() as u32 - 1)
                })
            };
            let mut parts: Vec<NodeId> = read[&(question, window)].iter().map(leaf).collect();
            parts.push(NodeId::leaf(HEAD, question as u32));
            graph.merge_all(&mut parts).unwrap_or(NodeId::leaf(EMPTY, 0))
        };
        windows.push((window, (0..questions.len()).map(node).collect()));
    }
    let mut states = tiles.states(first.kernel).take(&used);
    let (rows, groups) = heads.counted(first.filter.as_ref());
    let indices = UInt32Array::from(rows.clone());
    let inputs = first.inputs.iter().map(|input| take(input, &indices, None));
    let inputs = inputs.collect::<Result<Vec<_>, _>>().map_err(|error| {
        let aggregate = kernel.output().name.to_string();
        KernelError::WrongInput { aggregate, reason: error.to_string() }
    })?;
    let order = heads.order.take(&rows);
    let mut of_head = kernel.partial(&inputs, &order, &groups, questions.len())?;
    let mut failed = FoldFailures::default();
    failed.add(of_head.take_row_errors(), |row| rows[row] as usize);
    states.append(of_head);
    states.append(nothing(kernel, 1)?);
    let schedule = graph.scheduled([used.len(), questions.len(), 1]);
    let states = schedule.run(states)?;
    let places: Vec<u32> = (0..questions.len() as u32).collect();
    let data_type = kernel.output().data_type.to_arrow();
    let mut answers = Vec::with_capacity(of_kernel.len());
    for at in of_kernel {
        let window = aggregates[*at].window;
        let nodes = windows.iter().find(|(known, _)| *known == window);
        let nodes = nodes.map_or(&[][..], |(_, nodes)| nodes);
        let rows: Vec<u32> = nodes.iter().map(|node| schedule.row(*node)).collect();
        let outcome: Outcome = states.finish_of(&rows)?;
        answers.push(questions.outcome(vec![(outcome, places.clone().into())], &data_type)?);
    }
    Ok((answers, failed))
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
struct Heads<'a> {
    /// The keys of all rows.
    order: &'a RowOrder,
    rows: Vec<u32>,
    /// The question of each, by its place in the sorted order.
    questions: Vec<u32>,
    /// By question.
    newest: Vec<Option<i64>>,
}

impl<'a> Heads<'a> {
    fn new(
        resolutions: &TileResolutions,
        head: &EventIndex,
        order: &'a RowOrder,
        questions: &Questions,
    ) -> Self {
        let newest = vec![None; questions.len()];
        let mut heads = Self { order, rows: Vec::new(), questions: Vec::new(), newest };
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
