use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// What this process holds on to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    resident_mib: u64,
    threads: usize,
    files: usize,
}

/// How much more memory than in the beginning is no leak: the allocator keeps
/// some of what guests made the host use for a moment.
const MORE_MIB: u64 = 512;
/// How often, and after how long, to look again for threads that are to end.
const LOOKS: u32 = 1500;
const PAUSE: Duration = Duration::from_millis(20);

impl Process {
    pub(crate) fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|n| n.parse::<u64>().ok()).with_context(|| format!("no {key}"))
        };
        Ok(Self {
            resident_mib: number("VmRSS:")? >> 10,
            threads: number("Threads:")? as usize,
            files: fs::read_dir("/proc/self/fd")?.count(),
        })
    }

    /// What there is more of than in the beginning, once all threads have had
    /// time to end.
    pub(crate) fn compare(&self) -> Result<String> {
        let mut now = Self::now()?;
        for _ in 0..LOOKS {
            if now.threads <= self.threads {
                break;
            }
            sleep(PAUSE);
            now = Self::now()?;
        }
        let Self { resident_mib, threads, files } = now;
        ensure!(threads <= self.threads, "{threads} threads, {} before", self.threads);
        ensure!(files <= self.files, "{files} open files, {} before", self.files);
        let more = resident_mib.saturating_sub(self.resident_mib);
        ensure!(more <= MORE_MIB, "{more} MiB more memory than in the beginning");
        Ok(format!("+{more} MiB, {threads} threads, {files} files"))
    }
}
