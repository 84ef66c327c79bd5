//! The built-in aggregates as kernels: Arrow columns in and out, states by the
//! crate `unskew-aggregate`.

mod columns;
mod runs;
mod states;
mod values;

use arrow::array::{Array, ArrayRef, BinaryArray};
use unskew_aggregate::{Aggregate, AggregateError, AggregateFunction};
use unskew_definition::{DataType, Field, Name};
use unskew_plan::{output_type, value_kind};

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::built_in::states::BuiltInStates;
use crate::row_order::RowOrder;

pub(crate) use columns::{column_of, slice_of};
pub(crate) use runs::RunFold;
pub(crate) use values::OutcomeBuilder;

/// A built-in aggregate with the type of its input.
#[derive(Clone, Debug)]
pub struct BuiltInAggregate {
    aggregate: Aggregate,
    inputs: Vec<Field>,
    output: Field,
}

/// Why a built-in aggregate does not take an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuiltInError {
    /// Its input is a list or a struct.
    #[error(
        "{function} takes scalars, not {found}; take a field of it with a SQL transform, or write an aggregate of your own"
    )]
    NotAScalar {
        /// the function's name
        function: &'static str,
        /// the input's type
        found: DataType,
    },
    /// It has no input, or one of another kind.
    #[error("{0}")]
    Input(AggregateError),
}

impl BuiltInAggregate {
    /// The aggregate that yields the column `output`, of a column of type
    /// `input`; only the count of rows has none.
    pub fn new(
        function: AggregateFunction,
        input: Option<&DataType>,
        output: Name,
    ) -> Result<Self, BuiltInError> {
        let kind = match input {
            Some(input) => Some(value_kind(input).ok_or_else(|| BuiltInError::NotAScalar {
                function: function.name(),
                found: input.clone(),
            })?),
            None => None,
        };
        let aggregate = Aggregate::new(function, kind).map_err(BuiltInError::Input)?;
        let data_type = output_type(aggregate.output());
        let name = Name::new("value").expect("a constant name is a name");
        let field = |data_type: &DataType| Field {
            name: name.clone(),
            data_type: data_type.clone(),
            nullable: true,
        };
        Ok(Self {
            aggregate,
            inputs: input.into_iter().map(field).collect(),
            output: Field { name: output, data_type, nullable: aggregate.is_nullable() },
        })
    }

    /// What computes it.
    pub fn aggregate(&self) -> &Aggregate {
        &self.aggregate
    }

    fn wrong(&self, reason: String) -> KernelError {
        KernelError::WrongInput { aggregate: self.output.name.to_string(), reason }
    }

    /// Complains of columns that are not those of `inputs`.
    pub(crate) fn check(&self, inputs: &[ArrayRef], rows: usize) -> Result<(), KernelError> {
        let fits = inputs.len() == self.inputs.len()
            && inputs.iter().zip(&self.inputs).all(|(column, input)| {
                column.len() == rows && *column.data_type() == input.data_type.to_arrow()
            });
        if fits {
            return Ok(());
        }
        let found: Vec<String> = inputs
            .iter()
            .map(|column| format!("{} of {}", column.len(), column.data_type()))
            .collect();
        let wanted: Vec<String> =
            self.inputs.iter().map(|input| format!("{rows} of {}", input.data_type)).collect();
        Err(self.wrong(format!(
            "it takes columns [{}], not [{}]",
            wanted.join(", "),
            found.join(", ")
        )))
    }
}

impl AggregateKernel for BuiltInAggregate {
    fn inputs(&self) -> &[Field] {
        &self.inputs
    }

    fn output(&self) -> &Field {
        &self.output
    }

    fn subtracts(&self) -> bool {
        self.aggregate.subtracts()
    }

    fn needs_order(&self) -> bool {
        self.aggregate.needs_order()
    }

    fn partial(
        &self,
        inputs: &[ArrayRef],
        order: &RowOrder,
        groups: &[u32],
        group_count: usize,
    ) -> Result<Box<dyn GroupStates>, KernelError> {
        self.check(inputs, groups.len())?;
        if groups.iter().any(|group| *group as usize >= group_count) {
            return Err(self.wrong(format!("a row's group is not below {group_count}")));
        }
        let states = BuiltInStates::folded(self, inputs, order, groups, group_count)?;
        Ok(Box::new(states))
    }

    fn decode(&self, states: &BinaryArray) -> Result<Box<dyn GroupStates>, KernelError> {
        Ok(Box::new(BuiltInStates::decoded(self, states)?))
    }

    fn as_built_in(&self) -> Option<&BuiltInAggregate> {
        Some(self)
    }
}
