//! The built-in aggregates as kernels: Arrow columns in and out, states by the
//! crate `unskew-aggregate`.

mod columns;
mod states;
mod values;

use arrow::array::{Array, ArrayRef, BinaryArray};
use unskew_aggregate::{Aggregate, AggregateError, AggregateFunction, OutputKind, ValueKind};
use unskew_definition::{DataType, Field, Name};

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::built_in::states::BuiltInStates;
use crate::row_order::RowOrder;

pub(crate) use columns::{column_of, slice_of};
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
        let data_type = match aggregate.output() {
            OutputKind::Scalar(kind) => data_type(kind),
            OutputKind::List(kind) => {
                DataType::List { item: Box::new(data_type(kind)), nullable: false }
            }
        };
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

/// None of lists and structs.
fn value_kind(data_type: &DataType) -> Option<ValueKind> {
    Some(match *data_type {
        DataType::Bool => ValueKind::Bool,
        DataType::Int8 => ValueKind::Int8,
        DataType::Int16 => ValueKind::Int16,
        DataType::Int32 => ValueKind::Int32,
        DataType::Int64 => ValueKind::Int64,
        DataType::UInt8 => ValueKind::UInt8,
        DataType::UInt16 => ValueKind::UInt16,
        DataType::UInt32 => ValueKind::UInt32,
        DataType::UInt64 => ValueKind::UInt64,
        DataType::Float32 => ValueKind::Float32,
        DataType::Float64 => ValueKind::Float64,
        DataType::Utf8 => ValueKind::Utf8,
        DataType::Binary => ValueKind::Binary,
        DataType::Date32 => ValueKind::Date32,
        DataType::Timestamp => ValueKind::Timestamp,
        DataType::Decimal128 { precision, scale } => ValueKind::Decimal128 { precision, scale },
        DataType::List { .. } | DataType::FixedSizeList { .. } | DataType::Struct(_) => {
            return None;
        }
    })
}

fn data_type(kind: ValueKind) -> DataType {
    match kind {
        ValueKind::Bool => DataType::Bool,
        ValueKind::Int8 => DataType::Int8,
        ValueKind::Int16 => DataType::Int16,
        ValueKind::Int32 => DataType::Int32,
        ValueKind::Int64 => DataType::Int64,
        ValueKind::UInt8 => DataType::UInt8,
        ValueKind::UInt16 => DataType::UInt16,
        ValueKind::UInt32 => DataType::UInt32,
        ValueKind::UInt64 => DataType::UInt64,
        ValueKind::Float32 => DataType::Float32,
        ValueKind::Float64 => DataType::Float64,
        ValueKind::Utf8 => DataType::Utf8,
        ValueKind::Binary => DataType::Binary,
        ValueKind::Date32 => DataType::Date32,
        ValueKind::Timestamp => DataType::Timestamp,
        ValueKind::Decimal128 { precision, scale } => DataType::Decimal128 { precision, scale },
    }
}
