// SPDX-License-Identifier: GPL-3.0-or-later
//! Giving memory back to the system after a rush.
//!
//! The engine forgets what is over, but the C library keeps what was freed for the next time: after
//! a hundred thousand transactions some 80 MB, for ever. A service that lies idle in everybody's
//! session must not. What the kernel keeps of the program itself is let go by [`sipwitch_idle`].

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
}
