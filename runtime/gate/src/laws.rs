//! The laws of aggregates (DESIGN, section 6), on generated rows: a state is a
//! function of the multiset of rows alone.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use unskew_host::{CallShape, CompiledModule, Isolation, RowStatus};

use crate::purity::GateError;
use crate::rows::{RowGenerator, Taste};
use crate::states::{Folder, State};
use crate::unlawful::{Law, Side, Unlawful};

/// Checks aggregates for the laws that make their states mergeable.
#[derive(Clone, Copy, Debug)]
pub struct LawGate {
    /// Rows generated for each aggregate.
    pub rows: usize,
    /// Of these, how many are also folded alone in a fresh instance each.
    pub alone: usize,
    /// What the rows and orders are made from.
    pub seed: u64,
}

/// How thoroughly an aggregate was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// laws that hold
    pub laws: usize,
    /// rows that the aggregate took
    pub rows: usize,
    /// rows that it refused, which count for no state
    pub refused_rows: usize,
}

impl Default for LawGate {
    fn default() -> Self {
        Self { rows: 512, alone: 64, seed: 0x5eed }
    }
}

/// Rows of the largest folds: states that still grow then grow without bound.
const MANY_ROWS: usize = 1 << 16;
/// Values that these rows repeat.
const REPEATED_ROWS: usize = 64;

type Checked = Result<Result<(), Unlawful>, GateError>;

macro_rules! hold {
    ($checked:expr) => {
        if let Err(unlawful) = $checked? {
            return Ok(Err(unlawful));
        }
    };
}

impl LawGate {
    /// Holds the aggregate at `index` to every law. `Err` of the inner result
    /// is the first breach found, with the rows that show it.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn check(
        &self,
        module: &CompiledModule,
        index: usize,
    ) -> Result<Result<Tried, Unlawful>, GateError> {
        let signature = &module.manifest().aggregates[index];
        let batch = RowGenerator::new(self.seed, Taste::Edges).batch(&signature.inputs, self.rows);
        let folder = Folder { module, index, batch: &batch };
        let generated = batch.num_rows() as u32;
        let all: Vec<u32> = (0..generated).collect();
        let each: Vec<u32> = all.clone();

        let whole = CallShape { rows_per_call: usize::MAX, isolation: Isolation::Fresh };
        let folded = folder.partial(&all, &each, all.len(), whole)?;
        // Rows that it refuses count for no state, whatever they stand beside.
        let sound: Vec<u32> =
            all.iter().copied().filter(|&row| !folded.failed[row as usize]).collect();
        let laws = Laws {
            folder,
            singles: sound.iter().map(|&row| folded.states[row as usize].clone()).collect(),
            empty: folder.empty()?,
            rows: sound,
            seed: self.seed,
        };
        hold!(laws.folds_each_row_alone(&all, &folded.failed, self.alone));
        hold!(laws.identity());
        hold!(laws.commutative());
        hold!(laws.associative());
        hold!(laws.partial_is_merge());
        hold!(laws.any_order());
        hold!(laws.any_tree());
        hold!(laws.finish_is_a_function());
        let mut held = 7;
        if signature.subtract {
            hold!(laws.subtract_undoes_merge());
            held += 1;
        }
        hold!(laws.bounded());
        let tried = Tried {
            laws: held + 1,
            rows: laws.rows.len(),
            refused_rows: generated as usize - laws.rows.len(),
        };
        Ok(Ok(tried))
    }

    /// Whether states of the aggregate at `index` differ between the two
    /// compiled forms of the module: whether it keeps the bits of NaNs that it
    /// made, which are not the same on every machine.
    pub fn keeps_nan_bits(
        &self,
        boundary: &CompiledModule,
        strict: &CompiledModule,
        index: usize,
    ) -> Result<bool, GateError> {
        let signature = &boundary.manifest().aggregates[index];
        let batch = RowGenerator::new(self.seed, Taste::NaNs).batch(&signature.inputs, self.rows);
        let rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
        let threes: Vec<u32> = rows.iter().map(|row| row / 3).collect();
        let shape = CallShape { rows_per_call: usize::MAX, isolation: Isolation::Reuse };
        let run = |module| -> Result<Vec<State>, GateError> {
            let folder = Folder { module, index, batch: &batch };
            let states = folder.partial(&rows, &threes, rows.len().div_ceil(3), shape)?.states;
            let reversed: Vec<State> = states.iter().rev().cloned().collect();
            let merged = folder.merge(&states, &reversed, shape)?;
            Ok(states.into_iter().chain(merged).collect())
        };
        Ok(run(boundary)? != run(strict)?)
    }
}

struct Laws<'a> {
    folder: Folder<'a>,
    /// The rows that it takes.
    rows: Vec<u32>,
    /// The state of each of them alone.
    singles: Vec<State>,
    /// The state of no rows.
    empty: State,
    seed: u64,
}

const REUSED: CallShape = CallShape { rows_per_call: usize::MAX, isolation: Isolation::Reuse };

impl Laws<'_> {
    fn shuffled(&self, salt: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed ^ salt));
        order
    }

    fn of(&self, order: &[usize]) -> Vec<State> {
        order.iter().map(|&at| self.singles[at].clone()).collect()
    }

    fn merge(&self, left: &[State], right: &[State]) -> Result<Vec<State>, GateError> {
        self.folder.merge(left, right, REUSED)
    }

    /// The breach at the first place where two ways give different states.
    fn agree(
        &self,
        law: Law,
        one: (&str, &[State]),
        other: (&str, &[State]),
        rows_of: impl Fn(usize) -> Vec<u32>,
    ) -> Checked {
        let broken = (0..one.1.len())
            .find(|&at| one.1[at] != other.1[at] || one.1[at].is_trap() || other.1[at].is_trap());
        match broken {
            None => Ok(Ok(())),
            Some(at) => {
                self.breach(law, (one.0, &one.1[at]), (other.0, &other.1[at]), &rows_of(at))
            }
        }
    }

    fn breach(
        &self,
        law: Law,
        one: (&str, &State),
        other: (&str, &State),
        rows: &[u32],
    ) -> Checked {
        let side = |(way, state): (&str, &State)| -> Result<Side, GateError> {
            Ok(Side { way: way.to_owned(), result: self.folder.shown(state)? })
        };
        let (one, other) = (side(one)?, side(other)?);
        Ok(Err(Unlawful {
            aggregate: self.folder.name(),
            law,
            rows: self.folder.shown_rows(rows)?,
            one,
            other,
        }))
    }

    /// A row and a group yield the same whatever is folded in the same call or
    /// was before in the same instance.
    fn folds_each_row_alone(&self, all: &[u32], failed: &[bool], alone: usize) -> Checked {
        let reversed: Vec<u32> = all.iter().rev().copied().collect();
        let folder = &self.folder;
        let small = |rows_per_call, isolation| CallShape { rows_per_call, isolation };
        let few: Vec<u32> = all.iter().copied().take(alone).collect();
        for (rows, shape, way) in [
            (&few, small(1, Isolation::Fresh), "alone in a fresh instance"),
            (&reversed, small(97, Isolation::Reuse), "in reverse, in calls of 97 rows"),
        ] {
            let groups: Vec<u32> = (0..rows.len() as u32).collect();
            let other = folder.partial(rows, &groups, rows.len(), shape)?;
            for (at, &row) in rows.iter().enumerate() {
                let single = self.rows.binary_search(&row).ok().map(|at| &self.singles[at]);
                let here = if other.failed[at] { None } else { Some(&other.states[at]) };
                debug_assert_eq!(single.is_none(), failed[row as usize]);
                if single != here || here.is_some_and(State::is_trap) {
                    let refused = State::refused();
                    return self.breach(
                        Law::Alone,
                        ("beside other rows", single.unwrap_or(&refused)),
                        (way, here.unwrap_or(&refused)),
                        &[row],
                    );
                }
            }
        }
        Ok(Ok(()))
    }

    /// Merging the state of no rows, on either side, changes nothing; so a
    /// state is also read back as it was written.
    fn identity(&self) -> Checked {
        let empties = vec![self.empty.clone(); self.singles.len()];
        let rows_of = |at: usize| vec![self.rows[at]];
        for (left, right, way) in [
            (&self.singles, &empties, "merged with the state of no rows"),
            (&empties, &self.singles, "the state of no rows merged with it"),
        ] {
            let merged = self.merge(left, right)?;
            let before = ("the state of this row", self.singles.as_slice());
            // What was a state and cannot be merged with nothing is not read.
            let unread = |at: &usize| {
                matches!(merged[*at], State::Failed(..))
                    && !matches!(before.1[*at], State::Failed(..))
            };
            if let Some(at) = (0..merged.len()).find(unread) {
                let (one, other) = ((before.0, &before.1[at]), (way, &merged[at]));
                return self.breach(Law::Reads, one, other, &rows_of(at));
            }
            hold!(self.agree(Law::Identity, before, (way, &merged), rows_of));
        }
        let empty = std::slice::from_ref(&self.empty);
        let merged = self.merge(empty, empty)?;
        let ways = (("the state of no rows", empty), ("merged with itself", merged.as_slice()));
        self.agree(Law::Identity, ways.0, ways.1, |_| Vec::new())
    }

    fn commutative(&self) -> Checked {
        let order = self.shuffled(1);
        let others = self.of(&order);
        let one = self.merge(&self.singles, &others)?;
        let other = self.merge(&others, &self.singles)?;
        self.agree(
            Law::Commutative,
            ("the first row's state merged with the second's", &one),
            ("the second's merged with the first's", &other),
            |at| vec![self.rows[at], self.rows[order[at]]],
        )
    }

    fn associative(&self) -> Checked {
        let (second, third) = (self.shuffled(2), self.shuffled(3));
        let (b, c) = (self.of(&second), self.of(&third));
        let one = self.merge(&self.merge(&self.singles, &b)?, &c)?;
        let other = self.merge(&self.singles, &self.merge(&b, &c)?)?;
        self.agree(
            Law::Associative,
            ("the first two merged, then the third", &one),
            ("the last two merged, then the first with it", &other),
            |at| vec![self.rows[at], self.rows[second[at]], self.rows[third[at]]],
        )
    }

    /// Folding rows together is merging their states.
    fn partial_is_merge(&self) -> Checked {
        let half = self.rows.len() / 2;
        let order = self.shuffled(4);
        let (left, right) = (&order[..half], &order[half..2 * half]);
        let rows: Vec<u32> = left.iter().chain(right).map(|&at| self.rows[at]).collect();
        let groups: Vec<u32> = (0..half as u32).chain(0..half as u32).collect();
        let folded = self.folder.partial(&rows, &groups, half, REUSED)?.states;
        let merged = self.merge(&self.of(left), &self.of(right))?;
        self.agree(
            Law::PartialIsMerge,
            ("folded together", &folded),
            ("folded apart, then merged", &merged),
            |at| vec![rows[at], rows[half + at]],
        )
    }

    /// Rows of groups of three, and of all at once, in several orders.
    fn any_order(&self) -> Checked {
        for width in [3, self.rows.len().max(1)] {
            let group_of = |at: usize| (at / width) as u32;
            let count = self.rows.len().div_ceil(width);
            let mut first: Option<Vec<State>> = None;
            for (salt, way) in [(0, "in order"), (5, "in another order"), (6, "in a third order")] {
                let order =
                    if salt == 0 { (0..self.rows.len()).collect() } else { self.shuffled(salt) };
                let rows: Vec<u32> = order.iter().map(|&at| self.rows[at]).collect();
                let groups: Vec<u32> = order.iter().map(|&at| group_of(at)).collect();
                let states = self.folder.partial(&rows, &groups, count, REUSED)?.states;
                let Some(first) = &first else {
                    first = Some(states);
                    continue;
                };
                hold!(self.agree(Law::Order, ("in order", first), (way, &states), |at| {
                    let end = self.rows.len().min((at + 1) * width);
                    self.rows[at * width..end].to_vec()
                }));
            }
        }
        Ok(Ok(()))
    }

    /// All rows: folded at once, and merged as a balanced tree, one after
    /// another, and in a shuffled order.
    fn any_tree(&self) -> Checked {
        if self.rows.is_empty() {
            return Ok(Ok(()));
        }
        let groups = vec![0; self.rows.len()];
        let folded = self.folder.partial(&self.rows, &groups, 1, REUSED)?.states;
        let mut ways = vec![("merged as a tree", self.tree(self.singles.clone())?)];
        ways.push(("merged as a tree, shuffled", self.tree(self.of(&self.shuffled(7)))?));
        // One after another takes a call each, so of groups of rows.
        const PARTS: usize = 16;
        let part = |at: usize| (at * PARTS / self.rows.len()) as u32;
        let parts: Vec<u32> = (0..self.rows.len()).map(part).collect();
        let parts = self.folder.partial(&self.rows, &parts, PARTS, REUSED)?.states;
        let mut chain = parts[0].clone();
        for state in parts[1..].iter().rev() {
            chain = self.one(self.merge(std::slice::from_ref(state), &[chain])?);
        }
        ways.push(("in sixteen parts, merged one after another", chain));
        for (way, state) in ways {
            let (one, other) = (("folded at once", folded.as_slice()), (way, &[state][..]));
            hold!(self.agree(Law::Tree, one, other, |_| self.rows.clone()));
        }
        Ok(Ok(()))
    }

    fn tree(&self, mut states: Vec<State>) -> Result<State, GateError> {
        while states.len() > 1 {
            let odd = if states.len() % 2 == 1 { states.pop() } else { None };
            let right = states.split_off(states.len() / 2);
            states = self.merge(&states, &right)?;
            states.extend(odd);
        }
        Ok(self.one(states))
    }

    fn one(&self, mut states: Vec<State>) -> State {
        states.pop().expect("one state")
    }

    /// Equal states give equal values, in any company; and it does not trap on
    /// what it made itself.
    fn finish_is_a_function(&self) -> Checked {
        let mut states = self.singles.clone();
        states.push(self.empty.clone());
        let values = self.folder.finish(&states, REUSED)?;
        if let Some(at) = values.iter().position(State::is_trap) {
            let rows: Vec<u32> = self.rows.get(at).copied().into_iter().collect();
            let value = Side { way: "finish".to_owned(), result: values[at].to_string() };
            return Ok(Err(Unlawful {
                aggregate: self.folder.name(),
                law: Law::Reads,
                rows: self.folder.shown_rows(&rows)?,
                one: Side { way: "the state".to_owned(), result: states[at].to_string() },
                other: value,
            }));
        }
        let order = self.shuffled(8);
        let permuted: Vec<State> = order.iter().map(|&at| states[at].clone()).collect();
        let shape = CallShape { rows_per_call: 61, isolation: Isolation::Reuse };
        let mut again = vec![State::refused(); values.len()];
        for (value, &at) in self.folder.finish(&permuted, shape)?.into_iter().zip(&order) {
            again[at] = value;
        }
        let last = values.len() - 1;
        let fresh = CallShape { rows_per_call: usize::MAX, isolation: Isolation::Fresh };
        again[last] = self.one(self.folder.finish(&states[last..], fresh)?);
        match (0..values.len()).find(|&at| values[at] != again[at]) {
            None => Ok(Ok(())),
            Some(at) => Ok(Err(Unlawful {
                aggregate: self.folder.name(),
                law: Law::Finish,
                rows: self.folder.shown_rows(self.rows.get(at..=at).unwrap_or_default())?,
                one: Side {
                    way: "finished beside other states".to_owned(),
                    result: values[at].to_string(),
                },
                other: Side {
                    way: "finished in another order".to_owned(),
                    result: again[at].to_string(),
                },
            })),
        }
    }

    fn subtract_undoes_merge(&self) -> Checked {
        let order = self.shuffled(9);
        let others = self.of(&order);
        let merged = self.merge(&self.singles, &others)?;
        let undone = self.folder.subtract(&merged, &others)?;
        hold!(self.agree(
            Law::Subtract,
            ("the first row's state", &self.singles),
            ("merged with the second's, which is then subtracted", &undone),
            |at| vec![self.rows[at], self.rows[order[at]]],
        ));
        let nothing = self.folder.subtract(&self.singles, &self.singles)?;
        let empties = vec![self.empty.clone(); nothing.len()];
        hold!(self.agree(
            Law::Subtract,
            ("the state of no rows", &empties),
            ("the row's state, subtracted from itself", &nothing),
            |at| vec![self.rows[at]],
        ));
        if self.rows.is_empty() {
            return Ok(Ok(()));
        }
        let halves: Vec<u32> = (0..self.rows.len()).map(|at| (at % 2) as u32).collect();
        let halves = self.folder.partial(&self.rows, &halves, 2, REUSED)?.states;
        let whole = self.merge(&halves[..1], &halves[1..])?;
        let undone = self.folder.subtract(&whole, &halves[1..])?;
        let (one, other) =
            (("every second row", &halves[..1]), ("all rows, less the others", undone.as_slice()));
        self.agree(Law::Subtract, one, other, |_| self.rows.iter().copied().step_by(2).collect())
    }

    /// The same rows again and again: a state may grow with different values,
    /// and a little with counts of more digits, but not with rows.
    fn bounded(&self) -> Checked {
        let rows = &self.rows[..self.rows.len().min(REPEATED_ROWS)];
        if rows.is_empty() {
            return Ok(Ok(()));
        }
        let mut state =
            self.one(self.folder.partial(rows, &vec![0; rows.len()], 1, REUSED)?.states);
        let mut sizes = vec![(rows.len(), state.len())];
        let mut count = rows.len();
        while count < MANY_ROWS {
            let merged =
                self.one(self.merge(std::slice::from_ref(&state), std::slice::from_ref(&state))?);
            count *= 2;
            if let State::Failed(status, _) = &merged
                && *status != RowStatus::Failed
            {
                return self.grown(rows, &sizes, count, merged.to_string());
            }
            if merged.len() > 1 << 24 {
                sizes.push((count, merged.len()));
                return self.grown(rows, &sizes, count, format!("{} bytes", merged.len()));
            }
            state = merged;
            sizes.push((count, state.len()));
        }
        let (last, before) = (sizes[sizes.len() - 1], sizes[sizes.len().saturating_sub(3)]);
        let bound = before.1 + before.1 / 4 + 256;
        match last.1 > bound {
            false => Ok(Ok(())),
            true => {
                self.grown(rows, &sizes[..sizes.len() - 1], last.0, format!("{} bytes", last.1))
            }
        }
    }

    fn grown(
        &self,
        rows: &[u32],
        sizes: &[(usize, usize)],
        count: usize,
        result: String,
    ) -> Checked {
        let (first_count, first) = sizes[0];
        let values = rows.len();
        Ok(Err(Unlawful {
            aggregate: self.folder.name(),
            law: Law::Bounded,
            rows: self.folder.shown_rows(&rows[..1])?,
            one: Side {
                way: format!("the state of {first_count} rows"),
                result: format!("{first} bytes"),
            },
            other: Side { way: format!("of {count} rows with the same {values} values"), result },
        }))
    }
}
