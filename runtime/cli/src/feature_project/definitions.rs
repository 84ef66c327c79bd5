//! The definitions of one module: from the module itself, or of a Python
//! project from the definer, without a build.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{Array as _, ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use unskew_build::{DefinerAnswer, Language};
use unskew_definition::{Mistakes, Place};
use unskew_host::{CallError, CompiledModule, Outcome, RowStatus};

use super::layout::ModulePlace;
use super::{prefix_of, told_mistake};
use crate::build;
use crate::context::{self, Context};
use crate::failure::UserError;
use crate::project::Project;

/// What a module says of itself.
pub(super) struct ModuleDefinitions {
    /// Its manifest as JSON, if it has come that far.
    pub(super) manifest: Option<String>,
    /// What stands before the file names in it.
    pub(super) prefix: String,
    /// What only its language could see to be wrong.
    pub(super) mistakes: Mistakes,
    /// The module itself, where it had to be compiled for this.
    pub(super) module: Option<CompiledModule>,
}

impl ModuleDefinitions {
    pub(super) fn of(place: &ModulePlace, context: &Context) -> anyhow::Result<Self> {
        match place {
            ModulePlace::File(path) => Ok(Self::of_module(context.load(path)?, String::new())),
            ModulePlace::Folder(dir) => {
                let project = Project::open(dir)?;
                match project.language {
                    Language::Python => Self::of_python(dir, context),
                    Language::Rust => Self::of_rust(&project, context),
                }
            }
        }
    }

    fn of_module(module: CompiledModule, prefix: String) -> Self {
        let manifest = Some(module.manifest_json().to_owned());
        Self { manifest, prefix, mistakes: Mistakes::new(), module: Some(module) }
    }

    fn of_rust(project: &Project, context: &Context) -> anyhow::Result<Self> {
        let prefix = prefix_of(&project.dir);
        match build::build(project, None, false, context) {
            Ok(built) => Ok(Self::of_module(built.module, prefix)),
            Err(error) => match manifest_mistakes(&error) {
                Some(found) => {
                    let mut mistakes = Mistakes::new();
                    for mistake in found {
                        let mut mistake = mistake.clone();
                        let file = format!("{prefix}{}", mistake.place.file());
                        mistake.place = Place::new(file, mistake.place.line());
                        mistakes.push(mistake);
                    }
                    Ok(Self { manifest: None, prefix, mistakes, module: None })
                }
                None => Err(error),
            },
        }
    }

    fn of_python(dir: &Path, context: &Context) -> anyhow::Result<Self> {
        let prefix = prefix_of(dir);
        let sources = unskew_build::python_sources(dir, &context.build_options())?;
        let DefinerAnswer { manifest, mistakes: told } = define(sources, dir, context)?;
        let mut mistakes = Mistakes::new();
        for text in &told {
            mistakes.push(told_mistake(text, &prefix, dir));
        }
        Ok(Self { manifest, prefix, mistakes, module: None })
    }
}

/// The mistakes in a module's own definitions, where those kept it from being
/// loaded.
fn manifest_mistakes(error: &anyhow::Error) -> Option<&Mistakes> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// Evaluates the definitions of a Python project in the sandbox.
fn define(sources: Vec<u8>, dir: &Path, context: &Context) -> anyhow::Result<DefinerAnswer> {
    let announce = || {
        if !context.quiet && !context.json {
            // Where stderr is gone nobody waits for this.
            let _ = writeln!(
                anstream::stderr(),
                "building the definer, which reads definitions in Python (once for this version of Unskew)"
            );
        }
    };
    let definer = unskew_build::definer(&context.build_options(), announce)?;
    let module = context::load(context.definer_host()?, &definer.component, &definer.path)?;
    let schema = Schema::new(vec![Field::new("project", DataType::Binary, false)]);
    let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![&sources]));
    let batch = RecordBatch::try_new(Arc::new(schema), vec![column])?;
    let outcome = match module.transform(0, &batch, None) {
        Ok(outcome) => outcome,
        Err(CallError::DeadlineExceeded { .. }) => {
            let what = "importing it takes too long; look for a loop at the top of a file";
            return Err(unread(dir, what));
        }
        Err(error) => return Err(error).context("the definer could not be called"),
    };
    answer(&outcome, dir)
}

fn answer(outcome: &Outcome, dir: &Path) -> anyhow::Result<DefinerAnswer> {
    if let Some(error) = outcome.errors.first() {
        let what = match error.status {
            RowStatus::OutOfFuel => {
                "importing it takes too many instructions; look for a loop without end at the top of a file".to_owned()
            }
            RowStatus::OutOfMemory => {
                "importing it takes more memory than a module can have; load less at the top of the files".to_owned()
            }
            RowStatus::StackOverflow => {
                "importing it overflows the stack; look for a recursion without end, or for code that is nested very deeply".to_owned()
            }
            _ => format!(
                "importing it ended Python itself ({}: {}); leave out parts of the code until it can be imported, to find which one it is",
                error.status, error.message
            ),
        };
        return Err(unread(dir, &what));
    }
    let text = outcome
        .columns
        .first()
        .and_then(|column| column.as_any().downcast_ref::<StringArray>())
        .filter(|column| column.len() == 1)
        .context("the definer replied nothing")?;
    Ok(DefinerAnswer::read(text.value(0))?)
}

fn unread(dir: &Path, what: &str) -> anyhow::Error {
    UserError::new(format!("the definitions cannot be read: {what}"))
        .at(dir.display().to_string())
        .into()
}
