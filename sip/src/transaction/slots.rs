// SPDX-License-Identifier: GPL-3.0-or-later

use slab::Slab;

/// Values by number. A number that was given back may be used again, but with another serial, so
/// that an old name never means a new value.
///
/// Each value has its own allocation: after a rush only the slots themselves stay behind, and those
/// are given back with the last value.
pub(super) struct Slots<T> {
    values: Slab<Box<(u32, T)>>,
    serial: u32,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { values: Slab::new(), serial: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The slot that the next value will have.
    pub(super) fn next_slot(&self) -> u32 {
        u32::try_from(self.values.vacant_key()).unwrap_or(u32::MAX)
    }

    pub(super) fn insert(&mut self, value: T) -> (u32, u32) {
        self.serial = self.serial.wrapping_add(1);
        let slot = self.values.insert(Box::new((self.serial, value)));
        (u32::try_from(slot).unwrap_or(u32::MAX), self.serial)
    }

    pub(super) fn find(&mut self, slot: u32, serial: u32) -> Option<&mut T> {
        self.at(slot).filter(|(have, _)| *have == serial).map(|(_, value)| value)
    }

    /// Whatever value has that slot now, and its serial.
    pub(super) fn at(&mut self, slot: u32) -> Option<(u32, &mut T)> {
        self.values.get_mut(slot as usize).map(|slot| (slot.0, &mut slot.1))
    }

    pub(super) fn remove(&mut self, slot: u32, serial: u32) -> Option<T> {
        self.find(slot, serial)?;
        let value = self.values.remove(slot as usize);
        if self.values.is_empty() {
            self.values = Slab::new();
        }
        Some(value.1)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, u32, &mut T)> {
        self.values
            .iter_mut()
            .map(|(slot, value)| (u32::try_from(slot).unwrap_or(u32::MAX), value.0, &mut value.1))
    }
}
