//! Ranges of rows folded by trees: for any kernel, any visibility.
//!
//! Over the rows of an entity stands a tree whose node is the merge of its two
//! children (a segment tree in an array, whose shape needs no power of two
//! since merges commute). A range is the merge of few nodes. Rows that are not
//! visible yet are missing from the tree; when one comes into sight, the nodes
//! above it are merged anew where they are asked for, and the old ones stay for
//! the questions before. So the work is at most a logarithm of the rows times
//! rows and questions, whatever the order in which rows become visible.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use unskew_host::{CallMetrics, Outcome, RowError};

use crate::aggregate_kernel::{AggregateKernel, KernelError};
use crate::fold_failures::FoldFailures;
use crate::merge_graph::{MergeGraph, NodeId};
use crate::point_in_time::event_index::EventIndex;
use crate::point_in_time::questions::{Part, Questions};
use crate::point_in_time::trailing::Ranges;
use crate::row_order::{RowOrder, RowTie};

const ROWS: usize = 0;
const EMPTY: usize = 1;

/// So many rows are folded together, unless one entity has more.
const ROWS_AT_A_TIME: usize = 1 << 15;
/// So many questions, times windows, are answered together.
const ANSWERS_AT_A_TIME: usize = 1 << 13;

/// What folds which rows.
pub(crate) struct Trees<'a> {
    pub(crate) kernel: &'a dyn AggregateKernel,
    pub(crate) index: &'a EventIndex,
    /// The kernel's inputs, by place.
    pub(crate) inputs: &'a [ArrayRef],
    pub(crate) questions: &'a Questions,
    pub(crate) ranges: &'a Ranges,
    /// Which windows of `ranges`.
    pub(crate) windows: &'a [usize],
}

/// One entity, or some of its questions.
struct Task {
    questions: Range<usize>,
    places: Range<usize>,
    is_in_order: bool,
}

/// Answers by window.
pub(crate) type Answers = Vec<Vec<Part>>;

impl Trees<'_> {
    /// Answers all questions about these entities, each given with its
    /// questions.
    pub(crate) fn evaluate(
        &self,
        entities: impl Iterator<Item = (u32, Range<usize>)>,
        answers: &mut Answers,
        failures: &mut FoldFailures,
    ) -> Result<(), KernelError> {
        let most = (ANSWERS_AT_A_TIME / self.windows.len().max(1)).max(1);
        let (mut tasks, mut rows, mut asked) = (Vec::new(), 0, 0);
        for (entity, questions) in entities {
            let is_in_order = self.index.is_in_order(entity);
            for start in questions.clone().step_by(most) {
                let questions = start..questions.end.min(start + most);
                let lows = questions.clone().flat_map(|question| {
                    self.windows.iter().map(move |window| self.ranges.low(*window, question))
                });
                let low = lows.min().unwrap_or(0) as usize;
                let high = questions.clone().map(|question| self.ranges.high(question)).max();
                let high = (high.unwrap_or(0) as usize).max(low);
                (rows, asked) = (rows + high - low, asked + questions.len());
                tasks.push(Task { questions, places: low..high, is_in_order });
                if rows >= ROWS_AT_A_TIME || asked >= most {
                    self.evaluate_tasks(&tasks, answers, failures)?;
                    tasks.clear();
                    (rows, asked) = (0, 0);
                }
            }
        }
        self.evaluate_tasks(&tasks, answers, failures)
    }

    fn evaluate_tasks(
        &self,
        tasks: &[Task],
        answers: &mut Answers,
        failures: &mut FoldFailures,
    ) -> Result<(), KernelError> {
        let asked = tasks.iter().flat_map(|task| task.questions.clone()).map(|at| at as u32);
        let asked: Arc<Vec<u32>> = Arc::new(asked.collect());
        if asked.is_empty() {
            return Ok(());
        }
        let mut graph = MergeGraph::default();
        let mut leaves = 0;
        let nothing = NodeId::leaf(EMPTY, 0);
        let mut nodes: Vec<Vec<NodeId>> = vec![Vec::with_capacity(asked.len()); self.windows.len()];
        for task in tasks {
            let mut tree = Tree::new(task, leaves, self.index);
            leaves += task.places.len();
            let mut order: Vec<usize> = (0..self.windows.len()).collect();
            for question in task.questions.clone() {
                tree.see(self.questions.times()[question]);
                let low = |at: usize| self.ranges.low(self.windows[at], question) as usize;
                // From the shortest window to the longest, each from the one
                // before.
                order.sort_by_key(|at| std::cmp::Reverse(low(*at)));
                let high = self.ranges.high(question) as usize;
                let (mut covered, mut node) = (high, None);
                for at in &order {
                    if low(*at) < covered {
                        node = tree.merged(low(*at)..covered, node, &mut graph);
                        covered = low(*at);
                    }
                    nodes[*at].push(node.unwrap_or(nothing));
                }
            }
        }
        let (inputs, order) = self.rows_of(tasks)?;
        let groups: Vec<u32> = (0..leaves as u32).collect();
        let mut states = self.kernel.partial(&inputs, &order, &groups, leaves)?;
        let errors = states.take_row_errors();
        if !errors.is_empty() {
            let places: Vec<usize> = tasks.iter().flat_map(|task| task.places.clone()).collect();
            failures.add(errors, |row| self.index.row(places[row]) as usize);
        }
        let none: Vec<ArrayRef> = inputs.iter().map(|input| input.slice(0, 0)).collect();
        states.append(self.kernel.partial(&none, &RowOrder::empty(), &[], 1)?);
        let schedule = graph.scheduled([leaves, 1, 0]);
        let states = schedule.run(states)?;
        let rows: Vec<u32> = nodes.iter().flatten().map(|node| schedule.row(*node)).collect();
        let Outcome { columns, errors, metrics } = states.finish_of(&rows)?;
        for (window, answers) in answers.iter_mut().enumerate() {
            let start = window * asked.len();
            let columns = columns.iter().map(|column| column.slice(start, asked.len()));
            let of_window = start..start + asked.len();
            let errors = errors.iter().filter(|error| of_window.contains(&error.row));
            let errors = errors.map(|e| RowError { row: e.row - start, ..e.clone() }).collect();
            let metrics = if window == 0 { metrics } else { CallMetrics::default() };
            let outcome = Outcome { columns: columns.collect(), errors, metrics };
            answers.push((outcome, Arc::clone(&asked)));
        }
        Ok(())
    }

    /// The rows of all tasks, one after the other.
    fn rows_of(&self, tasks: &[Task]) -> Result<(Vec<ArrayRef>, RowOrder), KernelError> {
        let events = self.index.events();
        let places: Vec<u32> =
            tasks.iter().flat_map(|task| task.places.clone()).map(|place| place as u32).collect();
        let times: Vec<i64> = places.iter().map(|place| events[*place as usize]).collect();
        let tie = RowTie::Position { positions: places.clone().into() };
        let order = RowOrder::new(times.into(), None, tie);
        let places = UInt32Array::from(places);
        let inputs = self.inputs.iter().map(|input| take(input, &places, None));
        let inputs = inputs.collect::<Result<_, _>>().map_err(|error| KernelError::WrongInput {
            aggregate: self.kernel.output().name.to_string(),
            reason: error.to_string(),
        })?;
        Ok((inputs, order))
    }
}

#[derive(Clone, Copy)]
enum TreeNode {
    /// No row of it is visible yet.
    Empty,
    /// To be merged from its children.
    Stale,
    Known(NodeId),
}

struct Tree {
    /// The place of the first row.
    first: usize,
    rows: usize,
    first_leaf: usize,
    /// The children of i are 2 i and 2 i + 1, row k is at `rows + k`.
    nodes: Vec<TreeNode>,
    /// Rows that are not visible yet, the next one last: times and rows.
    unseen: Vec<(i64, u32)>,
    parts: Vec<NodeId>,
}

impl Tree {
    fn new(task: &Task, first_leaf: usize, index: &EventIndex) -> Self {
        let rows = task.places.len();
        let mut nodes = vec![TreeNode::Stale; rows];
        let mut unseen = Vec::new();
        if task.is_in_order {
            nodes.extend(
                (first_leaf..first_leaf + rows)
                    .map(|leaf| TreeNode::Known(NodeId::leaf(ROWS, leaf as u32))),
            );
        } else {
            nodes = vec![TreeNode::Empty; 2 * rows];
            let visible = index.visible()[task.places.clone()].iter();
            unseen.extend(visible.zip(0..).map(|(visible, row)| (*visible, row)));
            unseen.sort_unstable_by_key(|(visible, row)| std::cmp::Reverse((*visible, *row)));
        }
        Self { first: task.places.start, rows, first_leaf, nodes, unseen, parts: Vec::new() }
    }

    /// Rows that are visible at `time` take their places.
    fn see(&mut self, time: i64) {
        while let Some((_, row)) = self.unseen.pop_if(|(visible, _)| *visible <= time) {
            let mut at = self.rows + row as usize;
            let leaf = self.first_leaf + row as usize;
            self.nodes[at] = TreeNode::Known(NodeId::leaf(ROWS, leaf as u32));
            while at > 1 {
                at /= 2;
                if matches!(self.nodes[at], TreeNode::Stale) {
                    break;
                }
                self.nodes[at] = TreeNode::Stale;
            }
        }
    }

    /// The merge of the visible rows at these places, and of another node.
    fn merged(
        &mut self,
        places: Range<usize>,
        other: Option<NodeId>,
        graph: &mut MergeGraph,
    ) -> Option<NodeId> {
        let mut parts = std::mem::take(&mut self.parts);
        parts.extend(other);
        let mut low = places.start - self.first + self.rows;
        let mut high = places.end - self.first + self.rows;
        while low < high {
            if low % 2 == 1 {
                parts.extend(self.known(low, graph));
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                parts.extend(self.known(high, graph));
            }
            (low, high) = (low / 2, high / 2);
        }
        let merged = graph.merge_all(&mut parts);
        self.parts = parts;
        merged
    }

    fn known(&mut self, at: usize, graph: &mut MergeGraph) -> Option<NodeId> {
        match self.nodes[at] {
            TreeNode::Empty => None,
            TreeNode::Known(node) => Some(node),
            TreeNode::Stale => {
                let node = match (self.known(2 * at, graph), self.known(2 * at + 1, graph)) {
                    (Some(left), Some(right)) => Some(graph.merge(left, right)),
                    (one, other) => one.or(other),
                };
                self.nodes[at] = node.map_or(TreeNode::Empty, TreeNode::Known);
                node
            }
        }
    }
}
