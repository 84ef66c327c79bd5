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
        Ok(Self {
            resident_mib: status("VmRSS:")? >> 10,
            threads: status("Threads:")? as usize,
            files: fs::read_dir("/proc/self/fd")?.count(),
        })
    }

    /// Bytes of memory that it has more than `before`.
    pub(crate) fn more_bytes_than(&self, before: &Self) -> usize {
        (self.resident_mib.saturating_sub(before.resident_mib) << 20) as usize
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
        Ok(format!("+{more} MiB"))
    }
}

/// What this process spends from a moment on.
pub struct Stopwatch {
    cpu: Duration,
    resident_mib: u64,
}

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        // Makes the peak of memory begin anew; where it cannot, the peak of the
        // whole process stands for it, which is more.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let resident_mib = status("VmRSS:").unwrap_or(0) >> 10;
        Self { cpu: cpu_time().unwrap_or_default(), resident_mib }
    }

    /// Time on the CPU, over all threads: unlike the wall clock it does not
    /// depend on what else the machine does.
    pub fn cpu(&self) -> Duration {
        cpu_time().unwrap_or(Duration::MAX).saturating_sub(self.cpu)
    }

    /// The most memory at any moment, less that at the start.
    pub(crate) fn more_memory_mib(&self) -> Result<u64> {
        Ok((status("VmHWM:")? >> 10).saturating_sub(self.resident_mib))
    }
}

fn cpu_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold anything; then fields 14 and 15.
    let fields = stat.rsplit_once(')').context("no name in /proc/self/stat")?.1;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
    ensure!(ticks.len() == 2, "no times in /proc/self/stat");
    // Linux counts a hundred ticks a second, whatever its own clock does.
    Ok(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}

fn status(key: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).with_context(|| format!("no {key}"))
}
