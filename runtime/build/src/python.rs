//! Builds a Python project.

use std::path::Path;

use crate::BuildOptions;
use crate::error::BuildError;

/// Builds the project in `dir` to a component.
pub(crate) fn build(_: &Path, _: &BuildOptions) -> Result<Vec<u8>, BuildError> {
    Err(BuildError::MissingToolchain {
        what: "the toolchain for Python modules".to_owned(),
        command: "this build of Unskew has none".to_owned(),
    })
}
