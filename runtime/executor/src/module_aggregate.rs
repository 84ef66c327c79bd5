use std::any::Any;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryBuilder, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{Field as ArrowField, Schema};
use unskew_definition::{AggregateSignature, Field, listed, similar};
use unskew_host::{CallError, CallMetrics, CompiledModule, Fold, Outcome, RowError, RowStatus};

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::error::ArgumentError;
use crate::row_order::RowOrder;

/// An aggregate of a compiled module. All groups of a batch go into the
/// sandbox by one call; states are bytes, so that instances stay disposable
/// and a trap loses nothing but the group it happened on.
#[derive(Clone)]
pub struct ModuleAggregate(Arc<Inner>);

struct Inner {
    module: CompiledModule,
    index: usize,
    signature: AggregateSignature,
}

impl ModuleAggregate {
    /// The aggregate called `name`.
    pub fn find(module: &CompiledModule, name: &str) -> Result<Self, ArgumentError> {
        let manifest = module.manifest();
        let (index, signature) = manifest.aggregate(name).ok_or_else(|| {
            let names = || manifest.aggregates.iter().map(|aggregate| aggregate.name.as_str());
            let is_transform = manifest.transform(name).is_some();
            ArgumentError::UnknownAggregate {
                module: manifest.name.as_str().into(),
                aggregate: name.into(),
                known: listed(names()).into(),
                hint: match similar(name, names()) {
                    _ if is_transform => format!("; {name} is a transform"),
                    Some(similar) => format!("; did you mean {similar:?}?"),
                    None => String::new(),
                }
                .into(),
            }
        })?;
        let signature = signature.clone();
        Ok(Self(Arc::new(Inner { module: module.clone(), index, signature })))
    }
}

impl AggregateKernel for ModuleAggregate {
    fn inputs(&self) -> &[Field] {
        &self.0.signature.inputs
    }

    fn output(&self) -> &Field {
        &self.0.signature.output
    }

    fn subtracts(&self) -> bool {
        self.0.signature.subtract
    }

    fn needs_order(&self) -> bool {
        false
    }

    fn partial(
        &self,
        inputs: &[ArrayRef],
        _order: &RowOrder,
        groups: &[u32],
        group_count: usize,
    ) -> Result<Box<dyn GroupStates>, KernelError> {
        let Inner { module, index, signature } = self.0.as_ref();
        let wrong = |reason: String| KernelError::WrongInput {
            aggregate: signature.name.to_string(),
            reason,
        };
        let fields: Vec<ArrowField> = signature
            .inputs
            .iter()
            .map(|input| ArrowField::new(input.name.as_str(), input.data_type.to_arrow(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new_with_options(schema, inputs.to_vec(), &options)
            .map_err(|error| wrong(error.to_string()))?;
        // A row that fails counts for no state, as in a module's golden cases:
        // its neighbours are untouched.
        let Fold { states, row_errors, group_errors, metrics: _ } =
            module.partial(*index, &batch, &UInt32Array::from(groups.to_vec()), group_count)?;
        let mut states = ModuleStates::of(&self.0, &states);
        states.row_errors = row_errors;
        // The host has left those null that it could not merge.
        for RowError { row: group, status, message } in group_errors {
            states.states[group] = State::Failed(Arc::new(Failure { status, message }));
        }
        Ok(Box::new(states))
    }

    fn decode(&self, states: &BinaryArray) -> Result<Box<dyn GroupStates>, KernelError> {
        Ok(Box::new(ModuleStates::of(&self.0, states)))
    }
}

/// A group's state, as the module gave it, or why there is none.
#[derive(Clone)]
enum State {
    Bytes(Arc<[u8]>),
    Failed(Arc<Failure>),
}

#[derive(Debug)]
struct Failure {
    status: RowStatus,
    message: String,
}

struct ModuleStates {
    aggregate: Arc<Inner>,
    states: Vec<State>,
    /// Of the fold that made them, until they are told.
    row_errors: Vec<RowError>,
}

impl ModuleStates {
    fn of(aggregate: &Arc<Inner>, states: &BinaryArray) -> Self {
        let failed = || {
            let message = "it had failed before its state was stored".to_owned();
            State::Failed(Arc::new(Failure { status: RowStatus::Failed, message }))
        };
        let states = states
            .iter()
            .map(|state| state.map_or_else(failed, |bytes| State::Bytes(bytes.into())))
            .collect();
        Self { aggregate: Arc::clone(aggregate), states, row_errors: Vec::new() }
    }

    /// Of several failures of a group the first counts.
    fn fail(&mut self, group: usize, RowError { row: _, status, message }: RowError) {
        if let State::Bytes(_) = self.states[group] {
            self.states[group] = State::Failed(Arc::new(Failure { status, message }));
        }
    }

    /// Combines pairs of states by one call, and puts the results in the place
    /// of the left ones.
    fn combine(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
        call: impl FnOnce(&Inner, &BinaryArray, &BinaryArray) -> Result<Outcome, CallError>,
    ) -> Result<(), KernelError> {
        let other = same_kernel(other.as_any());
        let mut pairs = Vec::with_capacity(into.len());
        let (mut left, mut right) = (BinaryBuilder::new(), BinaryBuilder::new());
        for (&into, &from) in into.iter().zip(from) {
            match (&self.states[into as usize], &other.states[from as usize]) {
                (State::Bytes(one), State::Bytes(two)) => {
                    left.append_value(one);
                    right.append_value(two);
                    pairs.push(into as usize);
                }
                (State::Bytes(_), State::Failed(failure)) => {
                    self.states[into as usize] = State::Failed(Arc::clone(failure));
                }
                (State::Failed(_), _) => {}
            }
        }
        if pairs.is_empty() {
            return Ok(());
        }
        let Outcome { columns, errors, .. } =
            call(&self.aggregate, &left.finish(), &right.finish())?;
        let combined = columns[0].as_binary::<i32>();
        for (row, &into) in pairs.iter().enumerate() {
            if combined.is_valid(row) {
                self.states[into] = State::Bytes(combined.value(row).into());
            }
        }
        for error in errors {
            self.fail(pairs[error.row], error);
        }
        Ok(())
    }
}

fn same_kernel(other: &dyn Any) -> &ModuleStates {
    other.downcast_ref().expect("states of the same kernel")
}

impl GroupStates for ModuleStates {
    fn len(&self) -> usize {
        self.states.len()
    }

    fn merge(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError> {
        self.combine(into, other, from, |Inner { module, index, .. }, left, right| {
            module.merge(*index, left, right)
        })
    }

    fn subtract(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError> {
        self.combine(into, other, from, |Inner { module, index, .. }, left, right| {
            module.subtract(*index, left, right)
        })
    }

    fn assign(&mut self, into: &[u32], other: &dyn GroupStates, from: &[u32]) {
        let other = same_kernel(other.as_any());
        for (&into, &from) in into.iter().zip(from) {
            self.states[into as usize] = other.states[from as usize].clone();
        }
    }

    fn append(&mut self, other: Box<dyn GroupStates>) {
        let other: Box<Self> = other.into_any().downcast().expect("states of the same kernel");
        self.states.extend(other.states);
    }

    fn take(&self, groups: &[u32]) -> Box<dyn GroupStates> {
        let states = groups.iter().map(|&group| self.states[group as usize].clone()).collect();
        Box::new(Self { aggregate: Arc::clone(&self.aggregate), states, row_errors: Vec::new() })
    }

    fn finish(&self) -> Result<Outcome, KernelError> {
        let Inner { module, index, signature } = self.aggregate.as_ref();
        let mut bytes = BinaryBuilder::new();
        let mut places: Vec<Option<u32>> = Vec::with_capacity(self.states.len());
        let mut groups = Vec::new();
        let mut failed = Vec::new();
        for (group, state) in self.states.iter().enumerate() {
            match state {
                State::Bytes(state) => {
                    places.push(Some(groups.len() as u32));
                    groups.push(group);
                    bytes.append_value(state);
                }
                State::Failed(failure) => {
                    let Failure { status, message } = failure.as_ref();
                    places.push(None);
                    failed.push(RowError { row: group, status: *status, message: message.clone() });
                }
            }
        }
        if groups.is_empty() {
            let column = new_null_array(&signature.output.data_type.to_arrow(), self.states.len());
            let metrics = CallMetrics::default();
            return Ok(Outcome { columns: vec![column], errors: failed, metrics });
        }
        let Outcome { columns, errors, metrics } = module.finish(*index, &bytes.finish())?;
        let column = match failed.is_empty() {
            true => Arc::clone(&columns[0]),
            false => take(&columns[0], &UInt32Array::from(places), None).map_err(|error| {
                CallError::Host {
                    function: format!("aggregate {}", signature.name),
                    reason: error.to_string(),
                }
            })?,
        };
        failed.extend(errors.into_iter().map(|error| RowError { row: groups[error.row], ..error }));
        failed.sort_by_key(|error| error.row);
        Ok(Outcome { columns: vec![column], errors: failed, metrics })
    }

    fn take_row_errors(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.row_errors)
    }

    fn encode(&self) -> BinaryArray {
        self.states
            .iter()
            .map(|state| match state {
                State::Bytes(bytes) => Some(bytes.as_ref()),
                State::Failed(_) => None,
            })
            .collect()
    }

    fn memory_bytes(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        let of = |state: &State| match state {
            State::Bytes(bytes) => bytes.len() + COUNTS,
            State::Failed(failure) => failure.message.len() + size_of::<Failure>() + COUNTS,
        };
        self.states.capacity() * size_of::<State>() + self.states.iter().map(of).sum::<usize>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
