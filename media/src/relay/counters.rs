// SPDX-License-Identifier: GPL-3.0-or-later
//! What a relay counts.

/// Why a packet goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// From a source that is not the end's.
    Stranger,
    /// Of no kind that media is made of.
    NoMedia,
    /// Longer than [`MAX_PACKET`](super::MAX_PACKET).
    Oversize,
    /// The other end cannot be sent to yet.
    Nowhere,
}

/// What was counted at one port of one end. Each packet that came is in exactly one of
/// `packets_in` and the four refusals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came and were passed on.
    pub packets_in: u64,
    /// Their bytes, without headers of IP and UDP.
    pub bytes_in: u64,
    /// Packets that were sent from here.
    pub packets_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Refused: [`Refusal::Stranger`].
    pub strangers: u64,
    /// Refused: [`Refusal::NoMedia`].
    pub no_media: u64,
    /// Refused: [`Refusal::Oversize`].
    pub oversize: u64,
    /// Refused: [`Refusal::Nowhere`].
    pub nowhere: u64,
}

impl Counters {
    pub(super) const fn heard(&mut self, bytes: usize) {
        self.packets_in += 1;
        self.bytes_in += bytes as u64;
    }

    pub(super) const fn sent(&mut self, bytes: usize) {
        self.packets_out += 1;
        self.bytes_out += bytes as u64;
    }

    pub(super) const fn refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Stranger => self.strangers += 1,
            Refusal::NoMedia => self.no_media += 1,
            Refusal::Oversize => self.oversize += 1,
            Refusal::Nowhere => self.nowhere += 1,
        }
    }
}
