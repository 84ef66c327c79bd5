//! An LMDB environment that grows by itself, and what its errors mean.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, MdbError, RoTxn, RwTxn};

use super::holder::HolderNote;
use super::writer::Writer;
use super::{EmbeddedSettings, Shared, key, place_of};
use crate::StoreError;

const DATA_FILE: &str = "data.mdb";
const MOST_READERS: u32 = 4096;
/// Below this no store is opened, where the system does not give more address space.
const LEAST_MAP_BYTES: usize = 1 << 20;
const MAP_UNIT: usize = 1 << 16;
/// A map that others grow again and again is followed so many times within one call.
const MOST_TRIES: u32 = 8;
const CLOSING: Duration = Duration::from_secs(10);

pub(super) struct Environment {
    env: Env,
    parts: Database<'static, Bytes, Bytes>,
    /// Held for reading by every transaction; for writing while the map is moved, which no transaction may see.
    map: RwLock<()>,
    pub(super) holder: HolderNote,
    place: String,
    folder: PathBuf,
    size_limit_bytes: usize,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The stores that this process has open, by folder.
static OPEN: Mutex<Option<HashMap<PathBuf, Weak<Shared>>>> = Mutex::new(None);

/// Opens a folder's environment and its writer, or joins those that this process has open.
pub(super) fn open_shared(settings: &EmbeddedSettings) -> Result<Arc<Shared>, StoreError> {
    let place = place_of(&settings.path);
    let folder = fs::create_dir_all(&settings.path)
        .and_then(|()| settings.path.canonicalize())
        .map_err(|error| io_error(&place, "open", &error))?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_default();
    open.retain(|_, shared| shared.strong_count() > 0);
    if let Some(shared) = open.get(&folder).and_then(Weak::upgrade) {
        return Ok(shared);
    }
    // Its last user may be about to close it.
    if let Some(closing) = heed::env_closing_event(&folder) {
        closing.wait_timeout(CLOSING);
    }
    let environment = Arc::new(Environment::open(settings, place, folder.clone())?);
    let writer = Writer::start(environment.clone())?;
    let shared = Arc::new(Shared { environment, writer });
    open.insert(folder, Arc::downgrade(&shared));
    Ok(shared)
}

impl Environment {
    fn open(
        settings: &EmbeddedSettings,
        place: String,
        folder: PathBuf,
    ) -> Result<Self, StoreError> {
        let failed = |error: &heed::Error| store_error(&place, "open", error);
        let holder = HolderNote::open(&folder).map_err(|error| io_error(&place, "open", &error))?;
        let mut map = settings.map_size_bytes.min(settings.size_limit_bytes).max(LEAST_MAP_BYTES)
            / MAP_UNIT
            * MAP_UNIT;
        let env = loop {
            let mut options = EnvOpenOptions::new();
            options.map_size(map).max_readers(MOST_READERS);
            // SAFETY: the files are changed by LMDB alone, under its locks; each process opens them once (`OPEN`, and heed's own list).
            match unsafe { options.open(&folder) } {
                Ok(env) => break env,
                // Where address space is limited, less of it will do.
                Err(heed::Error::Io(error))
                    if error.kind() == ErrorKind::OutOfMemory && map > LEAST_MAP_BYTES =>
                {
                    map = (map / 2).max(LEAST_MAP_BYTES);
                }
                Err(error) => return Err(failed(&error)),
            }
        };
        check_length(&env, &place, &folder)?;
        env.clear_stale_readers().map_err(|error| failed(&error))?;
        let parts = open_parts(&env, &place)?;
        let size_limit_bytes = settings.size_limit_bytes;
        Ok(Self { env, parts, map: RwLock::new(()), holder, place, folder, size_limit_bytes })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn parts(&self) -> &Database<'static, Bytes, Bytes> {
        &self.parts
    }

    pub(super) fn disk_bytes(&self) -> Result<u64, StoreError> {
        let read = |error: heed::Error| self.error("read", &error);
        self.env.real_disk_size().map_err(read)
    }

    pub(super) fn error(&self, operation: &'static str, error: &heed::Error) -> StoreError {
        store_error(&self.place, operation, error)
    }

    pub(super) fn corrupted(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupted { place: self.place.clone(), what: what.into() }
    }

    /// Reads within one transaction. `work` must not begin another.
    pub(super) fn read<T>(
        &self,
        mut work: impl FnMut(&RoTxn<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tries = 0;
        loop {
            let guard = self.map.read().unwrap_or_else(PoisonError::into_inner);
            let error = match self.env.read_txn() {
                Ok(txn) => return work(&txn),
                Err(error) => error,
            };
            drop(guard);
            tries += 1;
            match error {
                _ if tries > MOST_TRIES => return Err(self.error("read", &error)),
                heed::Error::Mdb(MdbError::MapResized) => self.follow_map()?,
                // Readers that were killed leave their places behind.
                heed::Error::Mdb(MdbError::ReadersFull) => {
                    self.env.clear_stale_readers().map_err(|error| self.error("read", &error))?;
                }
                error => return Err(self.error("read", &error)),
            }
        }
    }

    /// Writes within one transaction, and commits it if `work` says so. Only the writer's thread calls it.
    pub(super) fn write<E>(
        &self,
        work: impl FnOnce(&mut RwTxn<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<heed::Error>,
    {
        let _guard = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let mut txn = self.env.write_txn()?;
        let _note = NoteGuard::take(&self.holder);
        work(&mut txn)?;
        Ok(txn.commit()?)
    }

    /// Takes over the size that another process gave the map.
    pub(super) fn follow_map(&self) -> Result<(), StoreError> {
        let _guard = self.map.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: every transaction of this process holds `map` for reading, so none is active.
        unsafe { self.env.resize(0) }.map_err(|error| self.error("open", &error))
    }

    /// Doubles the map.
    pub(super) fn grow(&self) -> Result<(), StoreError> {
        let guard = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.env.info().map_size;
        let next = now.saturating_mul(2).min(self.size_limit_bytes) / MAP_UNIT * MAP_UNIT;
        if next <= now {
            return Err(StoreError::Full {
                place: self.place.clone(),
                why: format!("it may not grow beyond {} bytes", self.size_limit_bytes),
            });
        }
        // SAFETY: every transaction of this process holds `map` for reading, so none is active.
        let grown = unsafe { self.env.resize(next) };
        drop(guard);
        grown.map_err(|error| self.error("grow", &error))
    }
}

/// The note of who writes, for as long as a transaction lasts.
struct NoteGuard<'a>(&'a HolderNote);

impl<'a> NoteGuard<'a> {
    fn take(note: &'a HolderNote) -> Self {
        note.take();
        Self(note)
    }
}

impl Drop for NoteGuard<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A file that ends before its last page would end this process when that page is touched.
fn check_length(env: &Env, place: &str, folder: &Path) -> Result<(), StoreError> {
    let page = u64::from(env.unnamed_database_stat().page_size);
    let last = env.info().last_page_number as u64;
    let length = File::open(folder.join(DATA_FILE))
        .and_then(|file| file.metadata())
        .map_err(|error| io_error(place, "open", &error))?
        .len();
    if length / page.max(1) <= last {
        return Err(StoreError::Corrupted {
            place: format!("{place}, file {DATA_FILE}"),
            what: format!(
                "it has {length} bytes where its index says {}; it was cut off",
                (last + 1) * page
            ),
        });
    }
    Ok(())
}

/// Opens the one database, and writes or checks the mark of its layout.
fn open_parts(env: &Env, place: &str) -> Result<Database<'static, Bytes, Bytes>, StoreError> {
    let failed = |error: heed::Error| store_error(place, "open", &error);
    let txn = env.read_txn().map_err(failed)?;
    let parts = env
        .open_databases_and_commit(txn, |opener, txn| {
            opener.open_database::<Bytes, Bytes>(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        })
        .map_err(failed)?
        .unwrap_commit()
        .ok_or_else(|| StoreError::Corrupted {
            place: place.into(),
            what: "it has no main table".into(),
        })?;
    let txn = env.read_txn().map_err(failed)?;
    let format = parts.get(&txn, key::FORMAT_KEY).map_err(failed)?.map(<[u8]>::to_vec);
    let empty = parts.is_empty(&txn).map_err(failed)?;
    drop(txn);
    match format {
        Some(format) if format == key::FORMAT => Ok(parts),
        None if empty => {
            let mut txn = env.write_txn().map_err(failed)?;
            parts.put(&mut txn, key::FORMAT_KEY, key::FORMAT).map_err(failed)?;
            txn.commit().map_err(failed)?;
            Ok(parts)
        }
        Some(_) => Err(StoreError::Invalid {
            what: format!(
                "{place} was written by another version of Unskew; materialize into a new folder, or use that version"
            ),
        }),
        None => Err(StoreError::Invalid {
            what: format!(
                "{place} holds another program's LMDB files; name another folder in `online_store.path`"
            ),
        }),
    }
}

/// What LMDB says of a write of which the system took only a part, as it does when a disk fills: "input/output error".
const SHORT_WRITE: i32 = 5;

fn io_error(place: &str, operation: &'static str, error: &std::io::Error) -> StoreError {
    if error.raw_os_error() == Some(SHORT_WRITE) && operation != "read" {
        let why = format!(
            "the disk took only a part of what was written, as it is full, or failing ({error})"
        );
        return StoreError::Full { place: place.into(), why };
    }
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::Full { place: place.into(), why: error.to_string() }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::Refused {
            place: place.into(),
            operation,
            why: format!("{error}; give this user the right to write there"),
        },
        _ => StoreError::Refused { place: place.into(), operation, why: error.to_string() },
    }
}

fn store_error(place: &str, operation: &'static str, error: &heed::Error) -> StoreError {
    let corrupted = |what: String| StoreError::Corrupted { place: place.into(), what };
    match error {
        heed::Error::Io(error) => io_error(place, operation, error),
        heed::Error::Mdb(error) => match error {
            MdbError::MapFull => {
                StoreError::Full { place: place.into(), why: "its map is full".into() }
            }
            MdbError::Invalid => corrupted(format!("{DATA_FILE} is not an LMDB file")),
            MdbError::VersionMismatch => {
                corrupted(format!("{DATA_FILE} has another version of LMDB's format"))
            }
            MdbError::Corrupted | MdbError::PageNotFound | MdbError::Panic | MdbError::Problem => {
                corrupted(error.to_string())
            }
            MdbError::ReadersFull => StoreError::Refused {
                place: place.into(),
                operation,
                why: format!(
                    "{MOST_READERS} readers are at work, which is the most; end some processes"
                ),
            },
            error => StoreError::Refused { place: place.into(), operation, why: error.to_string() },
        },
        error => StoreError::Refused { place: place.into(), operation, why: error.to_string() },
    }
}
