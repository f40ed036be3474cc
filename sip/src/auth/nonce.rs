// SPDX-License-Identifier: GPL-3.0-or-later
//! Nonces that need no memory until they are used, and the memory of those that were.
//!
//! A nonce is `serial ‖ time ‖ HMAC(key, run ‖ serial ‖ time ‖ source ‖ realm)`. Nothing is kept
//! when one is given out, so asking for challenges costs us no memory. When credentials made with
//! it are *accepted*, its window of counts is kept until it expires; only somebody who knows a
//! password can fill that table.
//!
//! No replay comes in through a forgotten window: when the table is full, the window of the lowest
//! serial goes, and from then on every nonce up to that serial counts as stale. A run of the
//! program has its own value under the HMAC, so nonces of an earlier run, whose windows are gone,
//! are stale as well.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::ha1::{read_hex, write_hex};

const SERIAL: usize = 8;
const TIME: usize = 5;
const TAG: usize = 16;
const LENGTH: usize = SERIAL + TIME + TAG;

/// Which nonce it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonce {
    serial: u64,
    time: u64,
}

pub(super) struct Nonces {
    /// Keyed once; cloned for each use.
    mac: Hmac<Sha256>,
    run: u64,
    lifetime: u64,
    next_serial: u64,
    /// Nonces below this serial are stale: their windows may have been forgotten.
    floor: u64,
    used: BTreeMap<u64, Window>,
    most_used: usize,
}

impl Nonces {
    pub(super) fn new(mac: Hmac<Sha256>, run: u64, lifetime: u64, most_used: usize) -> Self {
        let used = BTreeMap::new();
        Self { mac, run, lifetime, next_serial: 1, floor: 1, used, most_used: most_used.max(1) }
    }

    /// Other bounds. Windows that were forgotten under the old ones lie below the floor.
    pub(super) fn set_bounds(&mut self, lifetime: u64, most_used: usize) {
        self.lifetime = lifetime;
        self.most_used = most_used.max(1);
    }

    /// A fresh nonce, in hexadecimal.
    pub(super) fn issue(&mut self, now: u64, source: IpAddr, realm: &str) -> String {
        let mut bytes = [0; LENGTH];
        bytes[..SERIAL].copy_from_slice(&self.next_serial.to_be_bytes());
        bytes[SERIAL..SERIAL + TIME].copy_from_slice(&now.to_be_bytes()[8 - TIME..]);
        let tag = self.tag(&bytes[..SERIAL + TIME], source, realm);
        bytes[SERIAL + TIME..].copy_from_slice(&tag);
        self.next_serial += 1;
        let mut hex = [0; LENGTH * 2];
        write_hex(&bytes, &mut hex);
        String::from_utf8_lossy(&hex).into_owned()
    }

    /// Reads a nonce that a client sent back. None if it is not ours, not for this source, from an
    /// earlier run, expired or below the floor: all of these are stale.
    pub(super) fn read(&self, now: u64, text: &[u8], source: IpAddr, realm: &str) -> Option<Nonce> {
        let mut bytes = [0; LENGTH];
        read_hex(text, &mut bytes)?;
        let tag = self.tag(&bytes[..SERIAL + TIME], source, realm);
        if !bool::from(tag.ct_eq(&bytes[SERIAL + TIME..])) {
            return None;
        }
        let mut serial = [0; 8];
        serial.copy_from_slice(&bytes[..SERIAL]);
        let mut time = [0; 8];
        time[8 - TIME..].copy_from_slice(&bytes[SERIAL..SERIAL + TIME]);
        let nonce = Nonce { serial: u64::from_be_bytes(serial), time: u64::from_be_bytes(time) };
        (nonce.serial >= self.floor && self.is_alive(nonce.time, now)).then_some(nonce)
    }

    /// A clock that was set back by less than a lifetime does no harm; by more, and the nonce is
    /// stale like one that is too old.
    fn is_alive(&self, time: u64, now: u64) -> bool {
        now.abs_diff(time) <= self.lifetime
    }

    /// Marks a count as used. False if it was used before, or is so far behind the highest one that
    /// this is no longer known.
    pub(super) fn admit(&mut self, now: u64, nonce: Nonce, count: u32) -> bool {
        self.forget_expired(now);
        if nonce.serial < self.floor {
            return false;
        }
        let window = self.used.entry(nonce.serial).or_insert_with(|| Window::of(nonce.time));
        let admitted = window.admit(count);
        while self.used.len() > self.most_used {
            self.forget_first();
        }
        admitted
    }

    /// Windows go in the order of their serials, which is that of their times unless the clock was
    /// set back; then some stay longer than they need to. A step at a time is enough: each use adds
    /// one.
    fn forget_expired(&mut self, now: u64) {
        for _ in 0..2 {
            match self.used.first_key_value() {
                Some((_, window)) if !self.is_alive(window.time, now) => self.forget_first(),
                _ => return,
            }
        }
    }

    fn forget_first(&mut self) {
        if let Some((serial, _)) = self.used.pop_first() {
            self.floor = self.floor.max(serial + 1);
        }
    }

    fn tag(&self, front: &[u8], source: IpAddr, realm: &str) -> [u8; TAG] {
        let mut mac = self.mac.clone();
        mac.update(b"nonce");
        mac.update(&self.run.to_be_bytes());
        mac.update(front);
        mac.update(&as_v6(source).octets());
        mac.update(realm.as_bytes());
        let mut tag = [0; TAG];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG]);
        tag
    }
}

/// One form for both families, so that `127.0.0.1` and `::ffff:127.0.0.1` are one source.
pub(super) fn as_v6(source: IpAddr) -> Ipv6Addr {
    match source {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The counts of one nonce that were used: the highest, and which of the 64 up to it.
#[derive(Debug, Clone, Copy)]
struct Window {
    time: u64,
    highest: u32,
    used: u64,
}

impl Window {
    const fn of(time: u64) -> Self {
        Self { time, highest: 0, used: 0 }
    }

    fn admit(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if count > self.highest {
            let ahead = count - self.highest;
            self.used = if ahead < u64::BITS { self.used << ahead } else { 0 };
            self.used |= 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        if behind >= u64::BITS || self.used & 1 << behind != 0 {
            return false;
        }
        self.used |= 1 << behind;
        true
    }
}
