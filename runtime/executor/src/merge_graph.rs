//! Which states are merged into which, written down first and computed later:
//! level by level, all merges of a level in one call to the kernel, whatever
//! entities and windows they belong to.
//!
//! The same graph serves every aggregate that folds the same rows.

use crate::aggregate_kernel::{GroupStates, KernelError};

/// A state of a graph: a leaf, which is given, or a merge of two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(u32);

/// The leaves of a graph may come from up to three places.
pub(crate) const LEAF_SOURCES: usize = 3;

const INDEX_BITS: u32 = 30;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const MERGED: u32 = LEAF_SOURCES as u32;

impl NodeId {
    /// The leaf that is row `index` of those from `source`.
    pub(crate) fn leaf(source: usize, index: u32) -> Self {
        assert!(source < LEAF_SOURCES && index <= INDEX_MASK, "a graph has fewer than 2^30 leaves");
        Self((source as u32) << INDEX_BITS | index)
    }

    fn merged(index: usize) -> Self {
        assert!(index <= INDEX_MASK as usize, "a graph has fewer than 2^30 merges");
        Self(MERGED << INDEX_BITS | index as u32)
    }

    /// Of a merge its index, otherwise the leaf's source and index.
    fn parts(self) -> Result<usize, (usize, u32)> {
        let (source, index) = (self.0 >> INDEX_BITS, self.0 & INDEX_MASK);
        if source == MERGED { Ok(index as usize) } else { Err((source as usize, index)) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct MergeGraph {
    operands: Vec<[NodeId; 2]>,
    /// Of each merge, how many follow on each other up to it.
    depths: Vec<u32>,
}

impl MergeGraph {
    /// The state that has the rows of both.
    pub(crate) fn merge(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let node = NodeId::merged(self.operands.len());
        self.depths.push(1 + self.depth(a).max(self.depth(b)));
        self.operands.push([a, b]);
        node
    }

    /// The state that has the rows of all, with as few merges following on
    /// each other as can be; none of none. Empties `nodes`.
    pub(crate) fn merge_all(&mut self, nodes: &mut Vec<NodeId>) -> Option<NodeId> {
        while nodes.len() > 1 {
            // The shallow ones first, so that depths even out.
            nodes.sort_unstable_by_key(|node| (self.depth(*node), node.0));
            let pairs = nodes.len() / 2;
            for pair in 0..pairs {
                nodes[pair] = self.merge(nodes[2 * pair], nodes[2 * pair + 1]);
            }
            if nodes.len() % 2 == 1 {
                let odd = nodes[nodes.len() - 1];
                nodes[pairs] = odd;
                nodes.truncate(pairs + 1);
            } else {
                nodes.truncate(pairs);
            }
        }
        nodes.pop()
    }

    fn depth(&self, node: NodeId) -> u32 {
        node.parts().map_or(0, |index| self.depths[index])
    }

    /// Puts the merges into an order in which kernels can do them, given how
    /// many leaves there are from each source.
    pub(crate) fn scheduled(self, leaves: [usize; LEAF_SOURCES]) -> MergeSchedule {
        let Self { operands, depths } = self;
        let total = leaves.iter().sum::<usize>();
        let mut starts = [0; LEAF_SOURCES];
        for source in 1..LEAF_SOURCES {
            starts[source] = starts[source - 1] + leaves[source - 1] as u32;
        }
        let levels = depths.iter().max().map_or(0, |depth| *depth as usize);
        let mut ends = vec![0_u32; levels + 1];
        depths.iter().for_each(|depth| ends[*depth as usize] += 1);
        let mut start = u32::try_from(total).expect("fewer than 2^32 leaves");
        for end in &mut ends {
            (*end, start) = (start, start + *end);
        }
        // `ends[d]` is where level d begins by now, and then moves to its end.
        let places = depths.iter().map(|depth| {
            let next = &mut ends[*depth as usize];
            *next += 1;
            *next - 1
        });
        let places: Vec<u32> = places.collect();
        ends.remove(0);
        let count = operands.len();
        let (lefts, rights) = (vec![0; count], vec![0; count]);
        let mut schedule = MergeSchedule { starts, leaves: total, places, lefts, rights, ends };
        for (index, [left, right]) in operands.into_iter().enumerate() {
            let at = schedule.places[index] as usize - total;
            schedule.lefts[at] = schedule.row(left);
            schedule.rights[at] = schedule.row(right);
        }
        schedule
    }
}

/// A graph whose merges stand in the order of their levels.
#[derive(Debug)]
pub(crate) struct MergeSchedule {
    /// The row of the first leaf from each source.
    starts: [u32; LEAF_SOURCES],
    leaves: usize,
    /// Of each merge of the graph, the row of its state.
    places: Vec<u32>,
    /// The operands of each merge, as rows, in the order of the rows.
    lefts: Vec<u32>,
    rights: Vec<u32>,
    /// Of each level, one past the row of its last merge.
    ends: Vec<u32>,
}

impl MergeSchedule {
    /// The row of a node in what [`run`](Self::run) gives.
    pub(crate) fn row(&self, node: NodeId) -> u32 {
        match node.parts() {
            Ok(index) => self.places[index],
            Err((source, index)) => self.starts[source] + index,
        }
    }

    /// Computes every node: leaves come in, in the order of
    /// their sources; leaves and merges go out.
    pub(crate) fn run(
        &self,
        mut states: Box<dyn GroupStates>,
    ) -> Result<Box<dyn GroupStates>, KernelError> {
        assert_eq!(states.len(), self.leaves, "the leaves of the graph");
        let mut done = 0;
        let all: Vec<u32> = (0..self.lefts.len() as u32).collect();
        for end in &self.ends {
            let until = *end as usize - self.leaves;
            let mut level = states.take(&self.lefts[done..until]);
            level.merge(&all[..until - done], &*states, &self.rights[done..until])?;
            states.append(level);
            done = until;
        }
        Ok(states)
    }
}
