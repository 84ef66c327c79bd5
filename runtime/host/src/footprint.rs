//! Which pages of an instance's memory a call has written to: the next call of
//! the same function will write to nearly the same, and finds them quicker if
//! the system has given them before it comes.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::boundary::MemoryPlace;

/// Ranges of a memory in bytes from its begin, whole pages each.
#[derive(Debug)]
pub(crate) struct Footprint(Vec<Range<usize>>);

const PAGE: usize = 4096;
/// Of each page the system says eight bytes.
const ENTRY: usize = 8;
/// As `Documentation/admin-guide/mm/pagemap.rst` of Linux has them.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_A_FILE: u64 = 1 << 61;
/// To ask once more takes longer than to have so many pages for nothing.
const PAGES_BETWEEN: usize = 2;
/// A call that writes to more is not one for which a few pages matter.
const MOST_BYTES: usize = 4 << 20;

impl Footprint {
    /// What has been written to in `memory` since it was an untouched copy of
    /// its image. None where the system does not say, or it is too much.
    pub(crate) fn of(memory: MemoryPlace) -> Option<Self> {
        let mut entries = vec![0; memory.bytes / PAGE * ENTRY];
        let pagemap = File::open("/proc/self/pagemap").ok()?;
        pagemap.read_exact_at(&mut entries, (memory.at / PAGE * ENTRY) as u64).ok()?;
        let mut written: Vec<Range<usize>> = Vec::new();
        for (page, entry) in entries.as_chunks::<ENTRY>().0.iter().enumerate() {
            let entry = u64::from_ne_bytes(*entry);
            if entry & (PRESENT | SWAPPED) == 0 || entry & OF_A_FILE != 0 {
                continue;
            }
            let range = page * PAGE..(page + 1) * PAGE;
            match written.last_mut() {
                Some(last) if range.start - last.end <= PAGES_BETWEEN * PAGE => {
                    last.end = range.end;
                }
                _ => written.push(range),
            }
        }
        let bytes: usize = written.iter().map(Range::len).sum();
        (bytes <= MOST_BYTES).then_some(Self(written))
    }

    /// Has the system give these pages of `memory`, whose content stays.
    #[cfg(target_os = "linux")]
    pub(crate) fn populate(&self, memory: MemoryPlace) {
        for range in &self.0 {
            if range.end > memory.bytes {
                break;
            }
            let at = (memory.at + range.start) as *mut libc::c_void;
            // SAFETY: the range lies in a linear memory that its instance, held
            // by the caller, keeps mapped; what is asked for changes no byte.
            let given = unsafe { libc::madvise(at, range.len(), libc::MADV_POPULATE_WRITE) };
            if given != 0 {
                // Older than Linux 5.14: the call will ask for each.
                break;
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn populate(&self, _: MemoryPlace) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn written_pages_are_found_and_given() {
        const PAGES: usize = 64;
        let map = || memmap2::MmapMut::map_anon(PAGES * PAGE).unwrap();
        let place =
            |map: &memmap2::MmapMut| MemoryPlace { at: map.as_ptr() as usize, bytes: map.len() };
        let mut used = map();
        // A huge page would count for all of them.
        used.advise(memmap2::Advice::NoHugePage).unwrap();
        for page in [3, 4, 6, 40] {
            used[page * PAGE] = 1;
        }
        let footprint = Footprint::of(place(&used)).unwrap();
        assert_eq!(footprint.0, [3 * PAGE..7 * PAGE, 40 * PAGE..41 * PAGE]);
        let next = map();
        next.advise(memmap2::Advice::NoHugePage).unwrap();
        footprint.populate(place(&next));
        assert_eq!(Footprint::of(place(&next)).unwrap().0, footprint.0);
        assert!(next.iter().all(|byte| *byte == 0));
    }
}
