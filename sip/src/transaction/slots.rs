// SPDX-License-Identifier: GPL-3.0-or-later

use std::{collections::BTreeSet, mem};

/// Values by number. A number that was given back may be used again, but with another serial, so
/// that an old name never means a new value.
///
/// Values live in pages, and the lowest page with room is filled first: what is made and forgotten
/// at the pace of the timers shares its memory with nothing that stays, and a page goes with its
/// last value.
pub(super) struct Slots<T> {
    pages: Vec<Page<T>>,
    /// The pages with room, those included that have no memory.
    roomy: BTreeSet<u32>,
    len: usize,
    serial: u32,
}

/// Some values beside each other. Without any it has no memory either.
struct Page<T> {
    places: Vec<Place<T>>,
    /// The place given back last.
    vacant: Option<u32>,
    len: u32,
}

enum Place<T> {
    /// Given back, as was the next one before it.
    Vacant {
        next: Option<u32>,
    },
    Taken {
        serial: u32,
        value: T,
    },
}

/// Values of a page: some ten pages of the system's.
const PAGE: u32 = 128;

impl<T> Page<T> {
    const fn new() -> Self {
        Self { places: Vec::new(), vacant: None, len: 0 }
    }

    /// The place that the next value will have.
    fn next_place(&self) -> u32 {
        self.vacant.unwrap_or_else(|| u32::try_from(self.places.len()).unwrap_or(PAGE))
    }

    fn insert(&mut self, serial: u32, value: T) {
        let taken = Place::Taken { serial, value };
        self.len += 1;
        let Some(place) = self.vacant else {
            if self.places.is_empty() {
                self.places.reserve_exact(PAGE as usize);
            }
            self.places.push(taken);
            return;
        };
        if let Place::Vacant { next } = mem::replace(&mut self.places[place as usize], taken) {
            self.vacant = next;
        }
    }
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new(), roomy: BTreeSet::new(), len: 0, serial: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The slot that the next value will have.
    pub(super) fn next_slot(&self) -> u32 {
        match self.roomy.first() {
            Some(&page) => page * PAGE + self.pages[page as usize].next_place(),
            None => u32::try_from(self.pages.len()).unwrap_or(u32::MAX).saturating_mul(PAGE),
        }
    }

    pub(super) fn insert(&mut self, value: T) -> (u32, u32) {
        self.serial = self.serial.wrapping_add(1);
        let slot = self.next_slot();
        let page = slot / PAGE;
        if page as usize == self.pages.len() {
            self.pages.push(Page::new());
            self.roomy.insert(page);
        }
        let its = &mut self.pages[page as usize];
        its.insert(self.serial, value);
        if its.len == PAGE {
            self.roomy.remove(&page);
        }
        self.len += 1;
        (slot, self.serial)
    }

    pub(super) fn find(&mut self, slot: u32, serial: u32) -> Option<&mut T> {
        self.at(slot).filter(|(have, _)| *have == serial).map(|(_, value)| value)
    }

    /// Whatever value has that slot now, and its serial.
    pub(super) fn at(&mut self, slot: u32) -> Option<(u32, &mut T)> {
        let page = self.pages.get_mut((slot / PAGE) as usize)?;
        match page.places.get_mut((slot % PAGE) as usize)? {
            Place::Taken { serial, value } => Some((*serial, value)),
            Place::Vacant { .. } => None,
        }
    }

    pub(super) fn remove(&mut self, slot: u32, serial: u32) -> Option<T> {
        self.find(slot, serial)?;
        let (at, place) = (slot / PAGE, slot % PAGE);
        let page = &mut self.pages[at as usize];
        let vacant = Place::Vacant { next: page.vacant.replace(place) };
        let taken = mem::replace(&mut page.places[place as usize], vacant);
        if page.len == PAGE {
            self.roomy.insert(at);
        }
        page.len -= 1;
        if page.len == 0 {
            *page = Page::new();
        }
        self.len -= 1;
        if self.len == 0 {
            self.pages = Vec::new();
            self.roomy.clear();
        }
        match taken {
            Place::Taken { value, .. } => Some(value),
            Place::Vacant { .. } => None,
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, u32, &mut T)> {
        let places = self.pages.iter_mut().zip(0..).flat_map(|(page, at)| {
            page.places.iter_mut().zip(at * PAGE..).map(|(place, slot)| (slot, place))
        });
        places.filter_map(|(slot, place)| match place {
            Place::Taken { serial, value } => Some((slot, *serial, value)),
            Place::Vacant { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_given_back_means_no_later_value() {
        let mut slots = Slots::new();
        let most = 3 * PAGE;
        let names: Vec<_> = (0..most).map(|value| slots.insert(value)).collect();
        assert_eq!(slots.next_slot(), most);
        for &(slot, serial) in &names[..2 * PAGE as usize] {
            assert!(slots.remove(slot, serial).is_some());
            assert_eq!(slots.remove(slot, serial), None);
        }
        assert_eq!(slots.len(), PAGE as usize);
        assert_eq!(slots.next_slot(), 0, "the lowest page with room comes first");
        for value in 0..PAGE {
            let expected = slots.next_slot();
            assert_eq!(slots.insert(value).0, expected);
        }
        let (slot, serial) = names[0];
        assert_eq!(slots.find(slot, serial), None);
        assert!(slots.at(slot).is_some());
        assert_eq!(slots.iter_mut().count(), 2 * PAGE as usize);
        let all: Vec<_> = slots.iter_mut().map(|(slot, serial, _)| (slot, serial)).collect();
        for (slot, serial) in all {
            slots.remove(slot, serial);
        }
        assert_eq!((slots.len(), slots.next_slot()), (0, 0));
        assert!(slots.pages.is_empty());
    }
}
