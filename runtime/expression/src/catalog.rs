use std::fmt;
use std::sync::Arc;

use unskew_definition::{FeatureReference, Name, TransformSignature};
use unskew_host::TransformKernel;

/// A transform of a module, as an expression calls it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionRef {
    /// The module that has it.
    pub module: Name,
    /// Its name there.
    pub transform: Name,
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.transform)
    }
}

/// A transform that an expression may call.
#[derive(Clone, Copy, Debug)]
pub struct Callable<'a> {
    /// The module that has it.
    pub module: &'a Name,
    /// What it takes and gives.
    pub signature: &'a TransformSignature,
}

/// The transforms that expressions may call by name.
pub trait FunctionCatalog {
    /// All of them, those of every module that is in sight.
    fn callables(&self) -> Vec<Callable<'_>>;
}

/// What computes the transforms that expressions call.
pub trait KernelCatalog {
    /// The kernel of `function`, if there is one.
    fn kernel(&self, function: &FunctionRef) -> Option<Arc<dyn TransformKernel>>;
}

/// Which column holds the value of an upstream feature.
pub trait ReferenceResolver {
    /// The index, among the columns that the text is analyzed with, of the
    /// column that holds `reference`; or why there is none, and what to do.
    fn resolve(&self, reference: &FeatureReference) -> Result<usize, String>;
}

/// No transforms: for texts of SQL alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFunctions;

impl FunctionCatalog for NoFunctions {
    fn callables(&self) -> Vec<Callable<'_>> {
        Vec::new()
    }
}

impl KernelCatalog for NoFunctions {
    fn kernel(&self, _function: &FunctionRef) -> Option<Arc<dyn TransformKernel>> {
        None
    }
}

/// No upstream features: for texts over the rows of a source.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoReferences;

impl ReferenceResolver for NoReferences {
    fn resolve(&self, _reference: &FeatureReference) -> Result<usize, String> {
        Err("only an on-demand view reads features of other views; take the value from a column"
            .to_owned())
    }
}
