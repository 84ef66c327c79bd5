//! Native code, kept between processes. A file is loaded only if this
//! installation wrote and signed it, for this module, this engine and this CPU.
//!
//! **Invariant**: what does not carry a valid signature is compiled anew, and
//! never reaches wasmtime, whose loader trusts what it is given.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use unskew_definition::ModuleDigest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::config::NanPolicy;
use crate::error::HostError;
use crate::signer::{KEY_BYTES, Signer};

/// A folder of signed native code.
pub(crate) struct NativeCache {
    folder: PathBuf,
    signer: Signer,
}

/// Raised when files are signed in another way: their names change with it.
const FORM: u32 = 2;
const KEY_FILE: &str = "signing-key";
/// Where it is written down which component has which digest.
const DIGESTS: &str = "digests";
const DIGEST_BYTES: usize = 32;
/// The SHA-256 of a smaller component takes less time than to look it up.
const LEAST_BYTES_LOOKED_UP: usize = 1 << 20;
const SIGNATURE_BYTES: u64 = 32;

impl NativeCache {
    /// Opens the cache below `folder`, made with a new signing key if it is
    /// not there. Only its owner may read or write it.
    pub(crate) fn open(folder: &Path) -> Result<Self, HostError> {
        let folder = folder.join("native");
        let failed = |e: io::Error| HostError::Cache {
            path: folder.display().to_string(),
            reason: e.to_string(),
        };
        make_private_folder(&folder).map_err(failed)?;
        let key = read_or_make_key(&folder).map_err(failed)?;
        Ok(Self { folder, signer: Signer::new(&key) })
    }

    /// The digest of a component. SHA-256 takes several times as long as our
    /// own hash, so what it yields for large ones is written down and signed.
    pub(crate) fn digest_of(&self, component: &[u8]) -> ModuleDigest {
        let compute = || ModuleDigest::from_bytes(Sha256::digest(component).into());
        if component.len() < LEAST_BYTES_LOOKED_UP {
            return compute();
        }
        let name = self.signer.sign("component", component).to_hex();
        if let Some(digest) = self.known_digest(&name) {
            return digest;
        }
        let digest = compute();
        if let Err(e) = self.note_digest(&name, digest) {
            let folder = self.folder.join(DIGESTS);
            tracing::warn!(folder = %folder.display(), "a digest is not kept: {e}");
        }
        digest
    }

    fn known_digest(&self, name: &str) -> Option<ModuleDigest> {
        let mut record = Vec::new();
        let most = (DIGEST_BYTES + blake3::OUT_LEN + 1) as u64;
        let file = File::open(self.folder.join(DIGESTS).join(name)).ok()?;
        file.take(most).read_to_end(&mut record).ok()?;
        let (digest, signature) = record.split_first_chunk::<DIGEST_BYTES>()?;
        let signature = blake3::Hash::from_slice(signature).ok()?;
        let is_ours = signature == self.signer.sign(&digest_of(name), digest);
        is_ours.then(|| ModuleDigest::from_bytes(*digest))
    }

    fn note_digest(&self, name: &str, digest: ModuleDigest) -> io::Result<()> {
        let folder = self.folder.join(DIGESTS);
        make_private_folder(&folder)?;
        let digest = digest.as_bytes();
        let mut record = tempfile::NamedTempFile::new_in(&folder)?;
        record.write_all(digest)?;
        record.write_all(self.signer.sign(&digest_of(name), digest).as_bytes())?;
        record.persist(folder.join(name))?;
        Ok(())
    }

    /// The native code of a module, if it is here and in order.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        digest: ModuleDigest,
        nan: NanPolicy,
    ) -> Option<Component> {
        let name = self.name(engine, digest, nan);
        let path = self.folder.join(&name);
        let signed = match self.is_signed(&path, &name) {
            Ok(signed) => signed,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            Err(e) => {
                tracing::warn!(path = %path.display(), "cached native code cannot be read: {e}");
                return None;
            }
        };
        if !signed {
            tracing::warn!(
                path = %path.display(),
                "cached native code is not what this installation wrote; it is compiled again"
            );
            return None;
        }
        // SAFETY: the signature says that this installation serialised it, and
        // nobody but its owner can write to the folder.
        match unsafe { Component::deserialize_file(engine, &path) } {
            Ok(component) => Some(component),
            Err(e) => {
                tracing::warn!(path = %path.display(), "cached native code does not fit: {e:#}");
                None
            }
        }
    }

    /// Keeps the native code of a module. A failure costs only time later on.
    pub(crate) fn keep(
        &self,
        engine: &Engine,
        digest: ModuleDigest,
        nan: NanPolicy,
        component: &Component,
    ) {
        let name = self.name(engine, digest, nan);
        let kept = component
            .serialize()
            .map_err(|e| io::Error::other(format!("{e:#}")))
            .and_then(|native| self.write(&name, &native));
        if let Err(e) = kept {
            tracing::warn!(folder = %self.folder.display(), "native code is not cached: {e}");
        }
    }

    fn write(&self, name: &str, native: &[u8]) -> io::Result<()> {
        let mut code = tempfile::NamedTempFile::new_in(&self.folder)?;
        code.write_all(native)?;
        let mut signature = tempfile::NamedTempFile::new_in(&self.folder)?;
        signature.write_all(self.signer.sign(name, native).as_bytes())?;
        // A reader between the two sees a signature that does not fit, and compiles.
        signature.persist(self.signature_path(name))?;
        code.persist(self.folder.join(name))?;
        Ok(())
    }

    fn is_signed(&self, path: &Path, name: &str) -> io::Result<bool> {
        let code = File::open(path)?;
        let mut expected = Vec::new();
        File::open(self.signature_path(name))?
            .take(SIGNATURE_BYTES + 1)
            .read_to_end(&mut expected)?;
        if code.metadata()?.len() == 0 {
            return Ok(false);
        }
        // SAFETY: files here are replaced and never written to again, and
        // nobody but their owner can do so. wasmtime maps them likewise.
        let code = unsafe { Mmap::map(&code)? };
        // `blake3::Hash` compares in constant time.
        Ok(blake3::Hash::from_slice(&expected).is_ok_and(|e| e == self.signer.sign(name, &code)))
    }

    fn signature_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.signature"))
    }

    /// The file's name holds all that its content depends on. wasmtime's hash
    /// covers its version, the compiler's settings and the CPU's features.
    fn name(&self, engine: &Engine, digest: ModuleDigest, nan: NanPolicy) -> String {
        let mut settings = DefaultHasher::new();
        FORM.hash(&mut settings);
        engine.precompile_compatibility_hash().hash(&mut settings);
        nan.hash(&mut settings);
        format!("{}-{:016x}", digest.to_hex(), settings.finish())
    }
}

/// What a record of a digest is signed as.
fn digest_of(component: &str) -> String {
    format!("digest of {component}")
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let mode = fs::metadata(folder)?.permissions().mode();
            if mode & 0o077 != 0 {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        }
        made => made,
    }
}

fn read_or_make_key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = folder.join(KEY_FILE);
    loop {
        match fs::read(&path) {
            Ok(key) => {
                if let Ok(key) = key.try_into() {
                    return Ok(key);
                }
                // Damaged: what it has signed is worth nothing any more.
                fs::remove_file(&path)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let mut key = [0; KEY_BYTES];
        OsRng.try_fill_bytes(&mut key).map_err(io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&key)?;
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(key),
            // Another process was faster: its key is the key.
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e.error),
        }
    }
}
