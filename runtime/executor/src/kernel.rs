use arrow::array::RecordBatch;
use unskew_definition::TransformSignature;
use unskew_host::{CallError, CompiledModule, Outcome, TransformKernel};

use crate::arguments::{listed, similar};
use crate::error::ArgumentError;

/// A transform of a compiled module.
#[derive(Clone)]
pub struct ModuleTransform {
    module: CompiledModule,
    index: usize,
    signature: TransformSignature,
}

impl ModuleTransform {
    /// The transform called `name`.
    pub fn find(module: &CompiledModule, name: &str) -> Result<Self, ArgumentError> {
        let manifest = module.manifest();
        let (index, signature) = manifest.transform(name).ok_or_else(|| {
            let names = || manifest.transforms.iter().map(|transform| transform.name.as_str());
            let is_aggregate = manifest.aggregate(name).is_some();
            ArgumentError::UnknownTransform {
                module: manifest.name.as_str().into(),
                transform: name.into(),
                known: listed(names()).into(),
                hint: match similar(name, names()) {
                    _ if is_aggregate => format!("; {name} is an aggregate"),
                    Some(similar) => format!("; did you mean {similar:?}?"),
                    None => String::new(),
                }
                .into(),
            }
        })?;
        Ok(Self { module: module.clone(), index, signature: signature.clone() })
    }
}

impl TransformKernel for ModuleTransform {
    fn signature(&self) -> &TransformSignature {
        &self.signature
    }

    fn transform(
        &self,
        arguments: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, CallError> {
        self.module.transform(self.index, arguments, max_errors)
    }
}
