//! Builds a Python project: its code, the SDK, its packages and its data files
//! go into one folder, of which componentize-py makes a component.

mod componentize;
mod definer;
mod environment;
mod packages;
mod project;
mod sources;
mod stage;

pub use definer::{Definer, DefinerAnswer, definer};
pub use sources::python_sources;

use std::path::Path;

use wasmparser::{Encoding, Parser, Payload};

use crate::BuildOptions;
use crate::error::BuildError;
use crate::language::Language;
use crate::sdk::unpack_sdk;

use componentize::ComponentizePy;
use project::PythonProject;
use stage::Stage;

/// Builds the project in `dir` to a component.
pub(crate) fn build(dir: &Path, options: &BuildOptions) -> Result<Vec<u8>, BuildError> {
    let project = PythonProject::read(dir)?;
    let tool = ComponentizePy::find(options)?;
    let packages = match &project.lock {
        Some(lock) => Some(packages::vendored(lock, &tool, options)?),
        None => None,
    };
    let sdk = unpack_sdk(dir, Language::Python)?;
    let stage = Stage::lay_out(&project, &sdk, packages.as_deref())?;
    let component = tool.run(&project, &stage)?;
    check_imports(&component)?;
    Ok(component)
}

const LOG: &str = "unskew:module/log@1.0.0";

/// componentize-py replaces WASI by traps, so that nothing but the log is left.
fn check_imports(component: &[u8]) -> Result<(), BuildError> {
    let wrong = |error: wasmparser::BinaryReaderError| {
        BuildError::Internal(format!("componentize-py made no component: {error}"))
    };
    let mut depth = 0_usize;
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(wrong)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(BuildError::Internal(
                    "componentize-py made a core module, no component".to_owned(),
                ));
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let name = import.map_err(wrong)?.name.name;
                    if name != LOG {
                        imports.push(format!("`{name}`"));
                    }
                }
            }
            _ => {}
        }
    }
    if imports.is_empty() {
        return Ok(());
    }
    let help = "In Python they come from a package that brings a WIT file of its own; leave it out"
        .to_owned();
    Err(BuildError::ForeignImports { imports, help })
}
