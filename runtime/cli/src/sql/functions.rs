//! The modules whose functions queries call, each compiled when it is first
//! needed.

use std::path::{Path, PathBuf};

use unskew_batch::sql::{SqlSession, Statement};
use unskew_definition::Name;

use crate::build;
use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::project::Project;
use crate::sql::explained;

/// The modules of the project, and those that options name.
pub(super) struct SqlModules<'a> {
    project: Option<FeatureProject>,
    /// By the name that the user gives; one without a name is called what its
    /// manifest says, and so must be loaded at once.
    given: Vec<(Name, PathBuf)>,
    unnamed: Vec<PathBuf>,
    context: &'a Context,
}

impl<'a> SqlModules<'a> {
    pub(super) fn new(
        project: Option<FeatureProject>,
        options: &[String],
        context: &'a Context,
    ) -> anyhow::Result<Self> {
        let (mut given, mut unnamed): (Vec<(Name, PathBuf)>, Vec<PathBuf>) = Default::default();
        for option in options {
            let named = option.split_once('=').filter(|_| !Path::new(option).exists());
            let Some((name, path)) = named else {
                unnamed.push(PathBuf::from(option));
                continue;
            };
            let name = Name::new(name)
                .map_err(|error| UserError::new(format!("--module {option}: {error}")))?;
            let twice = given.iter().any(|(known, _)| *known == name)
                || project.as_ref().is_some_and(|project| project.has_module(&name));
            if twice {
                let what = format!("--module {option}: there is a module {name} already");
                return Err(UserError::new(what).help("give it another name: NAME=PATH").into());
            }
            given.push((name, PathBuf::from(path)));
        }
        Ok(Self { project, given, unnamed, context })
    }

    /// Loads what a statement needs: the modules that it names, or all where it
    /// calls a function by its bare name.
    pub(super) fn load_for(
        &mut self,
        statement: &Statement,
        session: &mut SqlSession,
    ) -> anyhow::Result<()> {
        for called in session.functions_of(statement) {
            match &called.module {
                None => self.load_all(session)?,
                Some(module) => {
                    self.load_unnamed(session)?;
                    if let Ok(name) = Name::new(module.clone()) {
                        self.load(&name, session)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Loads every module.
    pub(super) fn load_all(&mut self, session: &mut SqlSession) -> anyhow::Result<()> {
        self.load_unnamed(session)?;
        for name in self.names() {
            self.load(&name, session)?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<Name> {
        let of_project = self.project.iter().flat_map(FeatureProject::module_names);
        of_project.chain(self.given.iter().map(|(name, _)| name)).cloned().collect()
    }

    fn load_unnamed(&mut self, session: &mut SqlSession) -> anyhow::Result<()> {
        for path in std::mem::take(&mut self.unnamed) {
            let module = self.open(&path)?;
            let name = module.manifest().name.clone();
            if session.has_module(name.as_str()) || self.names().contains(&name) {
                return Err(UserError::new(format!("there is a module {name} already"))
                    .at(path.display().to_string())
                    .help(format!("give it another name: --module NAME={}", path.display()))
                    .into());
            }
            session.add_module(name.as_str(), &module).map_err(explained)?;
        }
        Ok(())
    }

    fn load(&self, name: &Name, session: &mut SqlSession) -> anyhow::Result<()> {
        if session.has_module(name.as_str()) {
            return Ok(());
        }
        let module = match self.given.iter().find(|(known, _)| known == name) {
            Some((_, path)) => self.open(path)?,
            None => match &self.project {
                Some(project) if project.has_module(name) => project.module(name, self.context)?,
                // The session says that there is no such function.
                _ => return Ok(()),
            },
        };
        session.add_module(name.as_str(), &module).map_err(explained)
    }

    fn open(&self, path: &Path) -> anyhow::Result<unskew_host::CompiledModule> {
        match path.is_dir() {
            true => Ok(build::build(&Project::open(path)?, None, false, self.context)?.module),
            false => self.context.load(path),
        }
    }
}
