use std::fmt;

use serde::Serialize;
use unskew_definition::{DataType, Name, TransformSignature};
use unskew_expression::SqlExpression;

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnPlan {
    /// Its name.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
}

/// One row-wise step. Its outputs follow the columns that were there before
/// it, in this order.
#[derive(Clone, Debug)]
pub enum StepPlan {
    /// SQL expressions, which all see the columns before this step.
    Sql {
        /// each new column and its expression
        outputs: Vec<(ColumnPlan, SqlExpression)>,
    },
    /// A transform of a module.
    Module {
        /// the module's name in the project
        module: Name,
        /// the transform's name
        transform: Name,
        /// what it takes and gives
        signature: TransformSignature,
        /// the column of each argument
        inputs: Vec<usize>,
        /// the new columns, one for each output
        outputs: Vec<ColumnPlan>,
    },
}

impl StepPlan {
    /// Its SQL expressions; none of a module's transform.
    pub fn expressions(&self) -> impl Iterator<Item = &SqlExpression> + '_ {
        let outputs: &[(ColumnPlan, SqlExpression)] = match self {
            Self::Sql { outputs } => outputs,
            Self::Module { .. } => &[],
        };
        outputs.iter().map(|(_, expression)| expression)
    }

    /// The columns that it adds.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = &ColumnPlan> + '_ {
        let (sql, module): (&[(ColumnPlan, SqlExpression)], &[ColumnPlan]) = match self {
            Self::Sql { outputs } => (outputs, &[]),
            Self::Module { outputs, .. } => (&[], outputs),
        };
        let of = move |at: usize| match sql.get(at) {
            Some((column, _)) => column,
            None => &module[at],
        };
        (0..sql.len() + module.len()).map(of)
    }
}

/// A view and its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ViewId {
    /// The view's name.
    pub name: Name,
    /// Its version, from 1.
    pub version: u32,
}

impl ViewId {
    /// The name of the view's table in stores and in the registry:
    /// `name@version`.
    pub fn table_name(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl fmt::Display for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@v{}", self.name, self.version)
    }
}
