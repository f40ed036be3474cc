// SPDX-License-Identifier: GPL-3.0-or-later
//! Bytes of a whole file that holds secrets.

use std::ops::{Deref, DerefMut};

/// It is wiped when it is dropped, with all its room, as fast as memory takes it: `Zeroizing` writes one
/// byte after the other, and somebody waits to log in.
#[derive(Clone, Default)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    /// With room for so many bytes. Who adds more leaves a copy behind that is not wiped.
    #[must_use]
    pub fn with_capacity(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.clear();
        self.0.resize(self.0.capacity(), 0);
        // The compiler would see that nobody reads it any more.
        zeroize::optimization_barrier(&self.0[..]);
    }
}
