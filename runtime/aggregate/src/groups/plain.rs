//! States of many groups where each is kept as it is alone: counts, histograms
//! and all that has no form of its own.

use super::lanes::Lanes;
use crate::aggregate::Aggregate;
use crate::percentile::Histogram;
use crate::state::{Body, State};

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(pub(super) Vec<u64>);

impl Lanes for Counts {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, 0);
    }

    fn clear(&mut self, group: usize) {
        self.0[group] = 0;
    }

    fn body(&self, group: usize) -> Body {
        Body::Count(self.0[group])
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let Body::Count(other) = other else { return false };
        let count = &mut self.0[group];
        *count = if is_out { count.wrapping_sub(*other) } else { count.wrapping_add(*other) };
        true
    }

    fn allocated_bytes(&self) -> usize {
        self.0.capacity() * 8
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Histograms(pub(super) Vec<Histogram>);

impl Lanes for Histograms {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn resize(&mut self, groups: usize) {
        self.0.resize_with(groups, Histogram::default);
    }

    fn clear(&mut self, group: usize) {
        self.0[group] = Histogram::default();
    }

    fn body(&self, group: usize) -> Body {
        Body::Histogram(self.0[group].clone())
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let Body::Histogram(other) = other else { return false };
        if is_out {
            self.0[group].subtract(other)
        } else {
            self.0[group].merge(other)
        }
        true
    }

    fn allocated_bytes(&self) -> usize {
        let of_each: usize = self.0.iter().map(Histogram::allocated_bytes).sum();
        self.0.capacity() * size_of::<Histogram>() + of_each
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plain {
    pub(super) aggregate: Aggregate,
    pub(super) states: Vec<State>,
}

impl Lanes for Plain {
    fn len(&self) -> usize {
        self.states.len()
    }

    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups, || self.aggregate.empty());
    }

    fn clear(&mut self, group: usize) {
        self.states[group] = self.aggregate.empty();
    }

    fn body(&self, group: usize) -> Body {
        self.states[group].0.clone()
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let state = &mut self.states[group];
        if std::mem::discriminant(&state.0) != std::mem::discriminant(other) {
            return false;
        }
        self.aggregate.combine(&mut state.0, other, is_out);
        true
    }

    fn allocated_bytes(&self) -> usize {
        let of_each: usize = self.states.iter().map(State::allocated_bytes).sum();
        self.states.capacity() * size_of::<State>() + of_each
    }
}
