// SPDX-License-Identifier: GPL-3.0-or-later
//! Ports that are not there: what is led through them says so, and nothing else happens.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use sipwitch_core::call::LegId;
use sipwitch_media::relay::End;

use crate::switchboard::anchors::{Anchors, Far};

/// The same for all who hold it.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeAnchors(Arc<Mutex<Fake>>);

#[derive(Debug, Default)]
struct Fake {
    open: BTreeSet<LegId>,
    led: Vec<(End, Bytes, Far)>,
    are_used_up: bool,
}

/// What becomes of a description that is led.
pub(super) fn led(from: End, description: &[u8]) -> Bytes {
    [description, format!("a=x-led-from:{from:?}\r\n").as_bytes()].concat().into()
}

impl FakeAnchors {
    /// What was led since this was asked last: by whom, what, and where the far end was then.
    pub(super) fn led(&self) -> Vec<(End, Bytes, Far)> {
        std::mem::take(&mut self.0.lock().unwrap().led)
    }

    /// Whether there are no more ports.
    pub(super) fn use_up(&self, are_used_up: bool) {
        self.0.lock().unwrap().are_used_up = are_used_up;
    }

    pub(super) fn are_closed(&self) -> bool {
        self.0.lock().unwrap().open.is_empty()
    }
}

impl Anchors for FakeAnchors {
    fn lead(
        &mut self,
        leg: LegId,
        from: End,
        far: Far,
        description: &[u8],
    ) -> Result<Bytes, String> {
        let mut fake = self.0.lock().unwrap();
        if fake.are_used_up {
            return Err("no pair of ports is free".into());
        }
        fake.open.insert(leg);
        fake.led.push((from, Bytes::copy_from_slice(description), far));
        Ok(led(from, description))
    }

    fn close(&mut self, leg: LegId) {
        self.0.lock().unwrap().open.remove(&leg);
    }
}
