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
