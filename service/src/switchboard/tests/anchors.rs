// SPDX-License-Identifier: GPL-3.0-or-later
//! Ports that are not there: what is led through them says so, and nothing else happens.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use sipwitch_core::call::LegId;
use sipwitch_media::{driver::Located, relay::End};

use crate::switchboard::anchors::{Anchors, Far, Unlocated};

/// Our ports towards every program.
pub(super) const OURS: Located = Located {
    medium: 0,
    rtp: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_000),
    rtcp: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 20_001)),
};

/// The same for all who hold it.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeAnchors(Arc<Mutex<Fake>>);

#[derive(Debug, Default)]
struct Fake {
    open: BTreeSet<LegId>,
    led: Vec<(End, Bytes, Far)>,
    located: Vec<Located>,
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

    /// Where programs said that they are, since this was asked last.
    pub(super) fn located(&self) -> Vec<Located> {
        std::mem::take(&mut self.0.lock().unwrap().located)
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

    fn ours(&self, leg: LegId) -> Vec<Located> {
        let is_open = self.0.lock().unwrap().open.contains(&leg);
        if is_open { vec![OURS] } else { Vec::new() }
    }

    fn locate(&mut self, leg: LegId, at: &[Located]) -> Result<(), Unlocated> {
        let mut fake = self.0.lock().unwrap();
        if !fake.open.contains(&leg) {
            return Err(Unlocated::NotLed);
        }
        if let Some(other) = at.iter().find(|at| at.medium != OURS.medium) {
            return Err(Unlocated::Impossible(format!("there is no medium {}", other.medium)));
        }
        fake.located.extend_from_slice(at);
        Ok(())
    }

    fn close(&mut self, leg: LegId) {
        self.0.lock().unwrap().open.remove(&leg);
    }
}
