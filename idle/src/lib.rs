// SPDX-License-Identifier: GPL-3.0-or-later
//! What a program gives back that lies idle in everybody's session.
//!
//! The kernel keeps mapped whatever of a program has run once, 64 KiB around each page: after a
//! start of the service some 6 MB. [`Rest`] says when a program has had nothing to do for a while,
//! and [`let_program_go`] drops those pages. It starts no task and sets no timer: whoever uses it
//! asks it in the loop that he has, and is woken once after the last work, and then no more.

// One call into the C library, in `let_program_go`.
#![deny(unsafe_code)]

use std::time::{Duration, Instant};

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

#[cfg(test)]
mod tests {
    use super::*;

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
        let words: Vec<&str> = include_str!("lib.rs").split_whitespace().collect();
        let_program_go();
        assert_eq!(words, include_str!("lib.rs").split_whitespace().collect::<Vec<_>>());
        let_program_go();
    }
}
