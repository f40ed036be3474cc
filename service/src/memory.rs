// SPDX-License-Identifier: GPL-3.0-or-later
//! Giving memory back to the system after a rush.
//!
//! The engine forgets what is over, but the C library keeps what was freed for the next time: after
//! a hundred thousand transactions some 80 MB, for ever. And the kernel keeps mapped whatever of the
//! program has run once, 64 KiB around each page: after a start some 6 MB. A service that lies idle
//! in everybody's session must not.

use std::time::{Duration, Instant};

/// Notices that a rush of one kind of things is over.
#[derive(Debug, Default)]
pub struct Rush {
    highest: usize,
    /// A rush has ebbed, and its last drops are still to fall.
    is_ebbing: bool,
}

/// Below this many things at once there is nothing worth giving back.
const WORTH_IT: usize = 2000;
/// Below this a rush is wholly over.
const QUIET: usize = 100;

impl Rush {
    /// Takes how much is under way, and says whether it has fallen to a quarter of what it was, or
    /// after that to next to nothing.
    pub const fn is_over(&mut self, under_way: usize) -> bool {
        if under_way > self.highest {
            self.highest = under_way;
        }
        let is_over = self.highest >= WORTH_IT && under_way < self.highest / 4;
        let is_quiet = self.is_ebbing && under_way < QUIET;
        if is_over || is_quiet {
            self.highest = under_way;
            self.is_ebbing = under_way >= QUIET;
        }
        is_over || is_quiet
    }
}

/// Notices that nothing has happened for a while.
#[derive(Debug)]
pub struct Rest {
    /// When something happened last.
    last: Instant,
    /// When to look whether that is long ago. Not moved by each thing that happens, so that under
    /// load nothing is woken more often.
    due: Option<Instant>,
}

/// How long nothing must have happened: the pages that are let go are wanted again at once where one
/// request follows the other.
const PAUSE: Duration = Duration::from_secs(1);

impl Rest {
    /// Something has just happened, the start included.
    #[must_use]
    pub fn after(now: Instant) -> Self {
        Self { last: now, due: Some(now + PAUSE) }
    }

    /// Something happens.
    pub fn stirred(&mut self, now: Instant) {
        self.last = now;
        self.due.get_or_insert_with(|| now + PAUSE);
    }

    /// Whether nothing has happened for a while; true once, until something happens.
    pub fn has_come(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        let at = self.last + PAUSE;
        self.due = (now < at).then_some(at);
        self.due.is_none()
    }

    /// When to ask again, if nothing happens before.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

/// Lets go the pages of the program itself: they stay in the system's page cache as long as the
/// system likes, and come back without reading as they run. Takes some microseconds.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "dl_iterate_phdr(3) and madvise(2) have no safe face")]
pub fn let_program_go() {
    /// The first object is the program; no other is wanted, since libraries are shared.
    unsafe extern "C" fn first(
        object: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        _data: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the C library hands out a valid object, whose headers are that many
        // (dl_iterate_phdr(3)).
        let (base, headers) = unsafe {
            let object = &*object;
            let count = usize::from(object.dlpi_phnum);
            (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, count))
        };
        // What can be written holds what the loader and we have written: only pages that are as
        // they are in the file may be dropped.
        let unwritten =
            headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0);
        for header in unwritten {
            let page = 4096;
            let begin = (base + header.p_vaddr).next_multiple_of(page);
            let end = (base + header.p_vaddr + header.p_memsz) / page * page;
            if begin < end {
                // SAFETY: the range lies within one private mapping of the program's file that was
                // never written to, so that the kernel maps the same octets again when they are
                // wanted (madvise(2), MADV_DONTNEED). Where pages are larger it refuses.
                unsafe {
                    libc::madvise(
                        std::ptr::with_exposed_provenance_mut(begin as usize),
                        (end - begin) as usize,
                        libc::MADV_DONTNEED,
                    );
                }
            }
        }
        1
    }
    // SAFETY: the callback keeps nothing and calls nothing that takes the loader's lock.
    unsafe {
        libc::dl_iterate_phdr(Some(first), std::ptr::null_mut());
    }
}

/// Other systems have their own ways.
#[cfg(not(target_os = "linux"))]
pub const fn let_program_go() {}

/// Gives back to the system what the allocators keep: ours, and that of the C library, which serves
/// SQLite. Takes some milliseconds after a big rush.
#[expect(unsafe_code, reason = "mi_collect and malloc_trim(3) have no safe face")]
pub fn give_back() {
    // SAFETY: both take no pointer and may be called at any time from any thread; they only return
    // pages of free memory.
    unsafe {
        libmimalloc_sys::mi_collect(true);
        #[cfg(target_env = "gnu")]
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_is_over_once_and_small_ones_never_were() {
        let mut rush = Rush::default();
        let over: Vec<usize> = [10, 1000, 5, 4000, 3000, 1001, 999, 998, 99, 98, 0]
            .into_iter()
            .filter(|under_way| rush.is_over(*under_way))
            .collect();
        assert_eq!(over, [999, 99]);
        give_back();
    }

    #[test]
    fn rest_comes_once_after_each_time_of_work() {
        let start = Instant::now();
        let at = |tenths: u32| start + tenths * Duration::from_millis(100);
        let mut rest = Rest::after(start);
        rest.stirred(at(5));
        assert_eq!(rest.deadline(), Some(at(10)), "work does not move it");
        assert!(!rest.has_come(at(10)));
        assert_eq!(rest.deadline(), Some(at(15)));
        assert!(!rest.has_come(at(14)));
        assert!(rest.has_come(at(15)));
        assert_eq!(rest.deadline(), None, "what rests is not woken");
        assert!(!rest.has_come(at(100)));
        rest.stirred(at(200));
        assert_eq!(rest.deadline(), Some(at(210)));
        assert!(rest.has_come(at(211)));
    }

    #[test]
    fn the_program_runs_on_without_its_pages() {
        let words: Vec<&str> = include_str!("memory.rs").split_whitespace().collect();
        let_program_go();
        assert_eq!(words, include_str!("memory.rs").split_whitespace().collect::<Vec<_>>());
        let_program_go();
    }
}
