use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use unskew_definition::SourceDigest;

use crate::cases;
use crate::context::Context;
use crate::failure::{Diagnosis, UserError};
use crate::interrupt::Interrupted;
use crate::project::Project;
use crate::terminal::{FAINT, paint};
use crate::test;

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew dev shop           builds, tests, and does so again whenever a file of ./shop changes
  unskew dev shop --json    a line of JSON for each round, as of `unskew test --json`";

/// A change is complete when nothing more has come for so long, ...
const QUIET: Duration = Duration::from_millis(200);
/// ... or the first of it is so old.
const LONGEST_CHANGE: Duration = Duration::from_secs(2);

/// Watch a project: build it and run its golden cases at every change
///
/// Goes on after errors, and ends with Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// The project's folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(arguments: &DevArguments, context: &Context) -> anyhow::Result<()> {
    let DevArguments { dir } = arguments;
    // A folder that is no project is a mistake now; later it is a project in the making.
    Project::open(dir)?;
    let mut watch = Watch::start(dir)?;
    loop {
        let tried = Fingerprint::of(dir);
        let good = attempt(dir, context)?;
        say(context, &format!("watching {}; Ctrl-C ends", dir.display()));
        // The builder may itself have touched files, so what came meanwhile
        // counts only if the sources are not what was tried.
        watch.settle(dir, Duration::ZERO);
        while Fingerprint::of(dir) == tried {
            watch.wait(dir)?;
            // Saving again without a change is how to ask for another try.
            if !good {
                break;
            }
        }
        say(context, "changed");
    }
}

/// One round. Whether it came to the end, with cases passed or not.
fn attempt(dir: &Path, context: &Context) -> anyhow::Result<bool> {
    match test::test_project(dir, None, context) {
        Ok(report) => {
            test::print(&report, context)?;
            Ok(true)
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            Diagnosis::of(&error).print(context.json);
            Ok(false)
        }
    }
}

/// Tells a person what goes on.
fn say(context: &Context, line: &str) {
    if !context.json && !context.quiet {
        // Where stderr is gone nobody waits for this.
        let _ = writeln!(anstream::stderr(), "{}", paint(FAINT, line));
    }
}

/// What a round depends on.
#[derive(PartialEq, Eq)]
struct Fingerprint {
    /// None while the sources cannot be read.
    source: Option<SourceDigest>,
    cases: Option<Vec<u8>>,
}

impl Fingerprint {
    fn of(dir: &Path) -> Self {
        Self {
            source: unskew_build::source_digest(dir).ok(),
            cases: std::fs::read(dir.join(cases::FILE_NAME)).ok(),
        }
    }
}

/// The file system's notices about one project.
struct Watch {
    watcher: RecommendedWatcher,
    events: Receiver<notify::Result<Event>>,
    /// The folders that are watched with all that is below them.
    below: HashSet<PathBuf>,
}

impl Watch {
    fn start(dir: &Path) -> anyhow::Result<Self> {
        let (sender, events) = channel();
        let watcher = notify::recommended_watcher(sender).context("files cannot be watched")?;
        let mut watch = Self { watcher, events, below: HashSet::new() };
        let watched = |result: notify::Result<()>| {
            result.with_context(|| {
                format!(
                    "{} cannot be watched (on Linux: is fs.inotify.max_user_watches reached?)",
                    dir.display()
                )
            })
        };
        watched(watch.watcher.watch(dir, RecursiveMode::NonRecursive))?;
        watched(watch.cover(dir))?;
        Ok(watch)
    }

    /// Watches the folders of `dir` that it does not watch yet. Those that are
    /// ignored are left out one by one: a `target` alone may have thousands.
    fn cover(&mut self, dir: &Path) -> notify::Result<()> {
        for entry in dir.read_dir()?.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && !ignored(&entry.file_name())
                && !self.below.contains(&path)
            {
                self.watcher.watch(&path, RecursiveMode::Recursive)?;
                self.below.insert(path);
            }
        }
        Ok(())
    }

    /// Waits until something that matters changed, and the change is complete.
    fn wait(&mut self, dir: &Path) -> anyhow::Result<()> {
        loop {
            let event = self.events.recv().context("the watch over the files broke off")?;
            if !dir.is_dir() {
                let what = "the project's folder is gone";
                return Err(UserError::new(what).at(dir.display().to_string()).into());
            }
            self.note(&event);
            if matters(&event, dir) {
                break;
            }
        }
        self.settle(dir, LONGEST_CHANGE);
        Ok(())
    }

    /// Takes in what still comes, until it is quiet or `longest` is over.
    fn settle(&mut self, dir: &Path, longest: Duration) {
        let begin = Instant::now();
        let wait = || QUIET.min(longest.saturating_sub(begin.elapsed()));
        while let Ok(event) = self.events.recv_timeout(wait()) {
            self.note(&event);
        }
        // A folder that came and went again is no trouble.
        let _ = self.cover(dir);
    }

    /// A folder that was moved or removed has lost its watch; one may come
    /// again under its name.
    fn note(&mut self, event: &notify::Result<Event>) {
        let Ok(Event { kind, paths, .. }) = event else { return };
        if kind.is_remove() || matches!(kind, EventKind::Modify(ModifyKind::Name(_))) {
            for path in paths.iter().filter(|path| self.below.remove(*path)) {
                let _ = self.watcher.unwatch(path);
            }
        }
    }
}

/// Whether a notice is about a file that a round may depend on. A notice that
/// some were lost is about any.
fn matters(event: &notify::Result<Event>, dir: &Path) -> bool {
    let Ok(event) = event else { return true };
    if event.kind.is_access() {
        return false;
    }
    event.need_rescan()
        || event.paths.iter().any(|path| {
            let inside = path.strip_prefix(dir).unwrap_or(path);
            !inside.components().any(|part| ignored(part.as_os_str()))
        })
}

/// What builds, editors and version control write.
fn ignored(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    (name.starts_with('.') && name != "." && name != "..")
        || name.ends_with('~')
        || name.ends_with(".wasm")
        || matches!(&*name, "target" | "__pycache__" | "venv" | "node_modules")
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind};

    use super::*;

    #[test]
    fn only_what_a_round_depends_on_matters() {
        let dir = Path::new("/p/.hidden/shop");
        let about = |path: &str, kind| matters(&Ok(Event::new(kind).add_path(path.into())), dir);
        let modified = EventKind::Modify(ModifyKind::Any);
        for path in ["src/lib.rs", "cases.json", "data/table.csv", "features.py"] {
            assert!(about(&format!("/p/.hidden/shop/{path}"), modified), "{path}");
        }
        for path in [
            "target/debug/x.rs",
            ".unskew/sdk-rust/lib.rs",
            "__pycache__/features.pyc",
            "shop.wasm",
            ".git/index",
            "src/.lib.rs.swp",
            "src/lib.rs~",
        ] {
            assert!(!about(&format!("/p/.hidden/shop/{path}"), modified), "{path}");
        }
        let read = EventKind::Access(AccessKind::Any);
        assert!(!about("/p/.hidden/shop/src/lib.rs", read));
        assert!(about("/p/.hidden/shop/new", EventKind::Create(CreateKind::Folder)));
        assert!(matters(&Err(notify::Error::generic("lost")), dir));
    }
}
