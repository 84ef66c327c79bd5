use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use unskew_definition::{DataType, FeatureReference, Field, Name};
use unskew_host::{CallError, Outcome, TransformKernel};

use crate::catalog::{
    FunctionCatalog, FunctionRef, KernelCatalog, NoReferences, ReferenceResolver,
};
use crate::error::{BindError, ExpressionError};
use crate::evaluate::evaluate;
use crate::lower::{Lowered, lower};
use crate::parse::parse;
use crate::reference::{self, Extracted};
use crate::tree::{Call, Expression};

/// A SQL expression over known columns: parsed, typed and lowered.
///
/// Clones share what was lowered.
#[derive(Clone, Debug)]
pub struct SqlExpression(Arc<Analyzed>);

#[derive(Debug)]
struct Analyzed {
    text: String,
    inputs: Vec<Field>,
    root: Expression,
    data_type: DataType,
    calls: Vec<Call>,
    functions: Vec<FunctionRef>,
    references: Vec<FeatureReference>,
    paths: Vec<FieldPath>,
}

/// A column, or a field inside of a struct column, that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath {
    /// The column's index.
    pub column: usize,
    /// The field of its struct; none if the whole column is read.
    pub field: Option<Name>,
}

impl SqlExpression {
    /// Analyzes `text` over `columns`, in which transforms of `functions` may
    /// be called by name. References to upstream features are refused.
    pub fn analyze(
        text: &str,
        columns: &[Field],
        functions: &dyn FunctionCatalog,
    ) -> Result<Self, ExpressionError> {
        Self::analyze_with_references(text, columns, functions, &NoReferences)
    }

    /// [`Self::analyze`] for a text that may name upstream features as
    /// `{{view.feature}}`; `references` says which of the columns holds each.
    pub fn analyze_with_references(
        text: &str,
        columns: &[Field],
        functions: &dyn FunctionCatalog,
        references: &dyn ReferenceResolver,
    ) -> Result<Self, ExpressionError> {
        let Extracted { sql, references: found } = reference::extract(text)?;
        let parsed = parse(&sql)?;
        let Lowered { root, data_type, calls, paths } =
            lower(&parsed, text, columns, functions, references)?;
        let mut functions: Vec<FunctionRef> =
            calls.iter().map(|call| call.function.clone()).collect();
        functions.sort();
        functions.dedup();
        Ok(Self(Arc::new(Analyzed {
            text: text.to_owned(),
            inputs: columns.to_vec(),
            root,
            data_type,
            calls,
            functions,
            references: found,
            paths,
        })))
    }

    /// The upstream features that `text` names, each once, in their order:
    /// what a plan must make columns of before it analyzes the text.
    pub fn references_of(text: &str) -> Result<Vec<FeatureReference>, ExpressionError> {
        reference::extract(text).map(|extracted| extracted.references)
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The columns whose values it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.0.root.columns
    }

    /// What it reads, down to the fields of structs, ascending, each once.
    pub fn field_paths(&self) -> &[FieldPath] {
        &self.0.paths
    }

    /// The upstream features that it names.
    pub fn references(&self) -> &[FeatureReference] {
        &self.0.references
    }

    /// The type of what it yields.
    pub fn data_type(&self) -> &DataType {
        &self.0.data_type
    }

    /// Whether it may yield null for a row that does not fail.
    pub fn nullable(&self) -> bool {
        self.0.root.nullable
    }

    /// The transforms that it calls, each once.
    pub fn functions(&self) -> &[FunctionRef] {
        &self.0.functions
    }

    /// The expression together with what computes the transforms it calls.
    pub fn bind(&self, kernels: &dyn KernelCatalog) -> Result<BoundExpression, BindError> {
        let of = |call: &Call| {
            let function = || call.function.clone();
            let text = || self.0.text.clone();
            let kernel = kernels
                .kernel(&call.function)
                .ok_or_else(|| BindError::NoKernel { function: function(), text: text() })?;
            let signature = kernel.signature();
            if signature.inputs != call.inputs || signature.outputs != call.outputs {
                return Err(BindError::OtherSignature { function: function(), text: text() });
            }
            Ok(kernel)
        };
        let kernels = self.0.calls.iter().map(of).collect::<Result<_, _>>()?;
        Ok(BoundExpression { expression: self.clone(), kernels })
    }
}

/// An expression that can be evaluated, from any number of threads.
#[derive(Clone)]
pub struct BoundExpression {
    expression: SqlExpression,
    kernels: Vec<Arc<dyn TransformKernel>>,
}

impl std::fmt::Debug for BoundExpression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundExpression").field("text", &self.expression.text()).finish()
    }
}

impl BoundExpression {
    /// The expression.
    pub fn expression(&self) -> &SqlExpression {
        &self.expression
    }

    /// Evaluates it for every row of `batch`, whose columns are those that the
    /// text was analyzed with, in their order and of exactly their types.
    ///
    /// The outcome has one column; a row that failed is null in it, and listed.
    /// What a row yields, and how it fails, does not depend on the other rows.
    /// Above `max_errors` failed rows there is no outcome but
    /// [`CallError::TooManyErrors`], which lists the first of them.
    pub fn evaluate(
        &self,
        batch: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, CallError> {
        let Analyzed { text, inputs, root, data_type, calls, .. } = self.expression.0.as_ref();
        evaluate(text, inputs, root, data_type, calls, &self.kernels, batch, max_errors)
    }
}
