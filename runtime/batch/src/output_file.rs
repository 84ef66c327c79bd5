use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::error::BatchError;
use crate::remote::is_url;

/// A file that appears under its name when it is whole, and not before.
///
/// It is written to a temporary file in the same folder, which
/// [`OutputFile::commit`] renames and everything else (an error, a panic, a
/// cancelled job) removes. A device or a pipe is written directly: there
/// is nothing to rename.
#[derive(Debug)]
pub(crate) struct OutputFile {
    target: Target,
    failure: WriteFailure,
}

/// Why a file could not be written.
///
/// Writers of formats wrap what the system says until nobody can tell what it
/// was, or lose the file with it; so the first failure is kept here.
#[derive(Clone, Debug)]
pub(crate) struct WriteFailure {
    path: PathBuf,
    first: Arc<Mutex<Option<io::Error>>>,
}

/// Makes a file that grows past the limit of `ulimit -f` an error of the write,
/// as a full disk is; by default the system ends the process there, which then
/// has no chance to remove what it began. For programs to call at their start.
pub fn report_file_size_limit() {
    #[cfg(unix)]
    // SAFETY: ignoring a signal installs no handler, and this program has none
    // for this one.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

impl WriteFailure {
    /// The error for a failure to write: what the system said, where it said
    /// anything, else `otherwise`.
    pub(crate) fn error(&self, otherwise: impl ToString) -> BatchError {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let source = first.unwrap_or_else(|| io::Error::other(otherwise.to_string()));
        BatchError::writing(&self.path, source)
    }

    fn note(&self, error: &io::Error) {
        if error.kind() != io::ErrorKind::Interrupted {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| copied(error));
        }
    }
}

#[derive(Debug)]
enum Target {
    Temporary { file: NamedTempFile, destination: PathBuf },
    Direct(File),
}

/// What temporary files are called; a name of their own, so that a stray one
/// (after a power cut) is known for what it is.
const PREFIX: &str = ".unskew-";
const SUFFIX: &str = ".tmp";

impl OutputFile {
    pub(crate) fn create(path: &Path) -> Result<Self, BatchError> {
        if is_url(path) {
            let reason = "it is a URL; files are written to a local disk".to_owned();
            return Err(BatchError::WrongFile { path: path.to_owned(), reason });
        }
        let failed = |source| BatchError::Create { path: path.to_owned(), source };
        // The target of a symbolic link is replaced, not the link.
        let (destination, existing) = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(BatchError::IsFolder { path: path.to_owned() });
            }
            Ok(metadata) => (fs::canonicalize(path).map_err(failed)?, Some(metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), None),
            Err(error) => return Err(failed(error)),
        };
        let target = match existing {
            Some(metadata) if !metadata.is_file() => {
                Target::Direct(File::options().write(true).open(path).map_err(failed)?)
            }
            existing => {
                let permissions = existing.map(|metadata| metadata.permissions());
                if permissions.as_ref().is_some_and(fs::Permissions::readonly) {
                    return Err(failed(io::ErrorKind::PermissionDenied.into()));
                }
                let folder = match destination.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder,
                    _ => Path::new("."),
                };
                let file = temporary(folder, permissions).map_err(failed)?;
                Target::Temporary { file, destination }
            }
        };
        let failure = WriteFailure { path: path.to_owned(), first: Arc::default() };
        Ok(Self { target, failure })
    }

    /// Where failures to write it are kept.
    pub(crate) fn failure(&self) -> WriteFailure {
        self.failure.clone()
    }

    /// Brings everything to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), BatchError> {
        let synced = match &mut self.target {
            Target::Temporary { file, .. } => file.as_file().sync_all(),
            Target::Direct(file) => file.flush(),
        };
        synced.map_err(|source| BatchError::writing(&self.failure.path, source))
    }

    /// Gives the file its name. To be called after [`OutputFile::sync`].
    pub(crate) fn commit(self) -> Result<(), BatchError> {
        match self.target {
            Target::Temporary { file, destination } => file
                .persist(destination)
                .map(drop)
                .map_err(|error| BatchError::writing(&self.failure.path, error.error)),
            Target::Direct(_) => Ok(()),
        }
    }
}

fn temporary(folder: &Path, permissions: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // A new file gets what a program's files usually get, not tempfile's 0600.
    #[cfg(unix)]
    let permissions = permissions.or_else(|| {
        use std::os::unix::fs::PermissionsExt as _;
        Some(fs::Permissions::from_mode(0o666))
    });
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder)
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.target {
            Target::Temporary { file, .. } => file.write(bytes),
            Target::Direct(file) => file.write(bytes),
        };
        written.inspect_err(|error| self.failure.note(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Temporary { file, .. } => file.flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}

fn copied(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let mut file = OutputFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert!(names(folder.path()).is_empty());

        let mut file = OutputFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        file.sync().unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out.csv"]);
    }

    #[test]
    fn a_panic_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let panicked = std::panic::catch_unwind(|| {
            let mut file = OutputFile::create(&path).unwrap();
            file.write_all(b"half").unwrap();
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(panicked.is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_are_kept() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        fs::write(&real, "before").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        let mut file = OutputFile::create(&link).unwrap();
        file.write_all(b"after").unwrap();
        file.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"after");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named_and_a_device_stays_a_device() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        symlink("/dev/full", &path).unwrap();
        let mut file = OutputFile::create(&path).unwrap();
        let wrapped = file.write_all(b"x").map_err(|_| "lost in a wrapper").unwrap_err();
        let error = file.failure().error(wrapped);
        assert!(matches!(error, BatchError::DiskFull { .. }), "{error}");
        assert!(error.to_string().contains("the disk is full"), "{error}");
        drop(file);
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    }

    #[test]
    fn what_cannot_be_created_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = OutputFile::create(folder.path()).unwrap_err();
        assert!(matches!(error, BatchError::IsFolder { .. }));
        let error = OutputFile::create(&folder.path().join("no/such/out.csv")).unwrap_err();
        assert!(
            error.is_users() && error.to_string().contains("no such file or folder"),
            "{error}"
        );
    }
}
