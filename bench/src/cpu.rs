//! How much processor time was used, which another process on the same cores
//! does not change.

use std::mem::MaybeUninit;
use std::time::Duration;

/// Of this process, all of its threads.
pub(crate) fn of_process() -> Duration {
    used(libc::RUSAGE_SELF)
}

fn used(who: libc::c_int) -> Duration {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: it writes the whole struct, unless it fails, which it does only
    // for a `who` that it does not know.
    let usage = unsafe {
        assert_eq!(libc::getrusage(who, usage.as_mut_ptr()), 0, "getrusage knows both");
        usage.assume_init()
    };
    [usage.ru_utime, usage.ru_stime]
        .map(|time| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000))
        .iter()
        .sum()
}

/// Of another process and all that descend from it, as far as they live (Linux).
pub(crate) fn of_other(process: u32) -> anyhow::Result<Duration> {
    // SAFETY: it only reads a setting of the system.
    let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as f64;
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        // It may have ended meanwhile.
        let Ok(text) = std::fs::read_to_string(path.join("stat")) else { continue };
        let id = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        // Behind the name, which is in brackets and may hold anything: from field 3 on, of which 4
        // is the parent, 14 and 15 are user and system time.
        let fields: Vec<&str> =
            text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        if let (Some(id), Some(parent), Some(user), Some(system)) =
            (id, field(4), field(14), field(15))
        {
            processes.push((id, parent as u32, user + system));
        }
    }
    let mut family = vec![process];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(processes.iter().filter(|other| other.1 == parent).map(|other| other.0));
        at += 1;
    }
    anyhow::ensure!(
        processes.iter().any(|other| other.0 == process),
        "process {process} has ended"
    );
    let used = processes.iter().filter(|other| family.contains(&other.0)).map(|other| other.2);
    Ok(Duration::from_secs_f64(used.sum::<u64>() as f64 / ticks_per_second))
}
