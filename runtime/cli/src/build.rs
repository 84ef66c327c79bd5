use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use unskew_host::CompiledModule;

use crate::context::Context;
use crate::failure::UserError;
use crate::gate;
use crate::interrupt::Interrupt;
use crate::module_report::ModuleReport;
use crate::project::Project;
use crate::terminal::{self, GOOD, paint};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew build shop                         writes shop/shop.wasm, named as in its Cargo.toml or pyproject.toml
  unskew build shop -o modules/shop.wasm
  unskew build shop --json | jq -r .digest";

/// Build a project into a module
///
/// Finds the language, runs its toolchain, and evaluates every transform in the
/// sandbox on generated rows: one whose results depend on other rows or on
/// earlier calls is refused, with a row that shows it. Where the source is what
/// an existing module was built from, nothing is done.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// The project's folder, with Cargo.toml or pyproject.toml
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where the module goes [default: DIR/NAME.wasm, NAME being the project's]
    #[arg(short, long, value_name = "F.wasm")]
    output: Option<PathBuf>,
    /// Build even if the source did not change
    #[arg(long)]
    force: bool,
}

/// A module that came from a project.
pub(crate) struct ProjectModule {
    pub(crate) path: PathBuf,
    pub(crate) component: Vec<u8>,
    pub(crate) module: CompiledModule,
    /// Whether it was there already, built from the same source.
    pub(crate) up_to_date: bool,
}

pub(crate) fn run(arguments: &BuildArguments, context: &Context) -> anyhow::Result<()> {
    let BuildArguments { dir, output, force } = arguments;
    let project = Project::open(dir)?;
    let built = build(&project, output.as_deref(), *force, context)?;
    let report = ModuleReport::new(&built.path, &built.component, &built.module);
    if context.json {
        #[derive(Serialize)]
        struct Document {
            up_to_date: bool,
            #[serde(flatten)]
            module: ModuleReport,
        }
        terminal::print_json(&Document { up_to_date: built.up_to_date, module: report })
    } else {
        let headline = match built.up_to_date {
            true => "up to date (the source did not change; --force builds again)",
            false => "built",
        };
        Ok(terminal::print(&format!("{}\n{}", paint(GOOD, headline), report.to_text()))?)
    }
}

/// Builds `project` into `output`, unless what lies there was built from the
/// same source and `force` is not given.
pub(crate) fn build(
    project: &Project,
    output: Option<&Path>,
    force: bool,
    context: &Context,
) -> anyhow::Result<ProjectModule> {
    let path = output.map_or_else(|| project.default_output(), Path::to_owned);
    check_output(&path)?;
    // Where it is a link, what the link points to is replaced.
    let path = if path.is_symlink() { fs::canonicalize(&path).unwrap_or(path) } else { path };
    if !force && let Some(current) = current_module(project, &path, context)? {
        return Ok(current);
    }
    announce(project, context);
    let component = unskew_build::build(&project.dir, &context.build_options())?.component;
    let (component, module) = gate::settle_nan_policy(component, &project.dir, context)?;
    gate::check(&module, &project.dir, context)?;
    write_whole(&path, &component, &context.interrupt)?;
    Ok(ProjectModule { path, component, module, up_to_date: false })
}

/// The module at `path`, if it was built from what the project is now.
fn current_module(
    project: &Project,
    path: &Path,
    context: &Context,
) -> anyhow::Result<Option<ProjectModule>> {
    let Ok(component) = fs::read(path) else { return Ok(None) };
    let Some(recorded) = unskew_build::read_source_digest(&component) else { return Ok(None) };
    if recorded != unskew_build::source_digest(&project.dir)? {
        return Ok(None);
    }
    // One that this version does not accept is built again.
    let Ok(module) = context.host()?.load(&component) else { return Ok(None) };
    Ok(Some(ProjectModule { path: path.to_owned(), component, module, up_to_date: true }))
}

fn announce(project: &Project, context: &Context) {
    if !context.quiet && !context.json {
        let Project { dir, language, name } = project;
        // Where stderr is gone nobody waits for this.
        let _ = writeln!(anstream::stderr(), "building {name} ({language}) in {}", dir.display());
    }
}

/// Refuses an output that cannot be, before the build takes its time.
fn check_output(path: &Path) -> anyhow::Result<()> {
    let place = || path.display().to_string();
    // Its place is taken by the new file, which must not happen to `/dev/null`.
    if let Ok(found) = fs::metadata(path)
        && !found.is_file()
    {
        let what = if found.is_dir() { "is a folder" } else { "is there, and is no file" };
        let help = "give the path of a file, such as modules/shop.wasm";
        return Err(UserError::new(format!("the output {what}")).at(place()).help(help).into());
    }
    if !parent(path).is_dir() {
        let help = format!("make it first: `mkdir -p {}`", parent(path).display());
        return Err(UserError::new("the output's folder does not exist")
            .at(place())
            .help(help)
            .into());
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8], interrupt: &Interrupt) -> anyhow::Result<()> {
    let _cleans_up = interrupt.defer();
    let write = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".unskew-").suffix(".tmp");
        // The permissions that the user's mask gives to any new file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(parent(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    match write() {
        Ok(()) => Ok(interrupt.check()?),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Err(UserError::new(format!("the module cannot be written: {error}"))
                .at(path.display().to_string())
                .help("give a place that you may write to with -o")
                .into())
        }
        Err(error) => Err(error).with_context(|| {
            format!("{} could not be written; nothing was left there", path.display())
        }),
    }
}
