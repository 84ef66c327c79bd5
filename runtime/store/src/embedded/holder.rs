//! Who is writing: a note beside the environment, so that whoever waits too long can name it.
//!
//! LMDB's own lock knows no names. The note is written by whoever holds that lock, so no two write it at a time; it decides nothing, and may name a
//! process that is gone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Holder;

const FILE: &str = "writer";
const LENGTH: usize = 64;

#[derive(Debug)]
pub(super) struct HolderNote {
    file: File,
}

impl HolderNote {
    pub(super) fn open(folder: &Path) -> std::io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(FILE))?;
        // The room is taken now, so that a full disk later hinders no note.
        if file.metadata()?.len() < LENGTH as u64 {
            file.write_all_at(&[b' '; LENGTH], 0)?;
        }
        Ok(Self { file })
    }

    /// Notes that this process holds the lock.
    pub(super) fn take(&self) {
        self.write(&std::process::id().to_string());
    }

    /// Notes that nobody does.
    pub(super) fn leave(&self) {
        self.write("");
    }

    fn write(&self, text: &str) {
        let mut line = [b' '; LENGTH];
        line[..text.len()].copy_from_slice(text.as_bytes());
        line[LENGTH - 1] = b'\n';
        if let Err(error) = self.file.write_all_at(&line, 0) {
            tracing::debug!(%error, "the note of who writes could not be written");
        }
    }

    /// Another process that holds the lock, if it is there.
    pub(super) fn other(&self) -> Option<Holder> {
        let mut line = [0; LENGTH];
        self.file.read_exact_at(&mut line, 0).ok()?;
        let process: u32 = std::str::from_utf8(&line).ok()?.trim().parse().ok()?;
        if process == std::process::id() || !is_there(process) {
            return None;
        }
        let program = std::fs::read_to_string(format!("/proc/{process}/comm")).ok();
        Some(Holder { process, program: program.map(|name| name.trim().to_owned()) })
    }
}

fn is_there(process: u32) -> bool {
    // Where there is no /proc, it is not known; then it is better named than not.
    !Path::new("/proc/self").exists() || Path::new(&format!("/proc/{process}")).exists()
}

#[cfg(test)]
mod tests {
    use super::HolderNote;

    #[test]
    fn others_are_named_and_we_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let note = HolderNote::open(folder.path()).unwrap();
        assert_eq!(note.other(), None);
        note.take();
        assert_eq!(note.other(), None);
        note.write("1");
        let other = HolderNote::open(folder.path()).unwrap().other().unwrap();
        assert_eq!(other.process, 1);
        note.write("4194305");
        assert_eq!(note.other(), None, "no process has so great a number");
        note.leave();
        assert_eq!(note.other(), None);
    }
}
