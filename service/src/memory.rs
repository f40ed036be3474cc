// SPDX-License-Identifier: GPL-3.0-or-later
//! Giving memory back to the system after a rush.
//!
//! The engine forgets what is over, but the C library keeps what was freed for the next time: after
//! a hundred thousand transactions some 80 MB, for ever. A service that lies idle in everybody's
//! session must not.

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

/// Gives what the C library keeps back to the system. Takes some milliseconds after a big rush.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "malloc_trim(3) has no safe face")]
pub fn give_back() {
    // SAFETY: malloc_trim takes no pointer and may be called at any time from any thread; it only
    // returns pages of free memory (glibc's manual, malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries give memory back by themselves, or have no way to be asked.
#[cfg(not(target_env = "gnu"))]
pub const fn give_back() {}

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
