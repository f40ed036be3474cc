// SPDX-License-Identifier: GPL-3.0-or-later
//! What a datagram is, by its first bytes (RFC 7983, RFC 5761 §4).

/// The kinds of packets that share a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Stun,
    Zrtp,
    Dtls,
    TurnChannel,
    Rtp,
    Rtcp,
}

/// By what a sender is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) ssrc: u32,
    /// Of RTP only.
    pub(super) sequence: Option<u16>,
}

impl Mark {
    /// Whether `self` was sent by the sender of `before`, and after it. Loss, and packets that
    /// overtook each other, are borne as RFC 3550 §A.1 does (MAX_DROPOUT, MAX_MISORDER).
    pub(super) fn follows(self, before: Self) -> bool {
        let in_order = match (self.sequence, before.sequence) {
            (Some(now), Some(then)) => {
                let ahead = now.wrapping_sub(then);
                !(3000..=u16::MAX - 100).contains(&ahead)
            }
            _ => true,
        };
        self.ssrc == before.ssrc && in_order
    }
}

/// The header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) class: Class,
    pub(super) mark: Option<Mark>,
}

impl Packet {
    /// None if it is no packet of media.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?;
            Some(u32::from_be_bytes(four.try_into().ok()?))
        };
        let plain = |class| Self { class, mark: None };
        match *bytes {
            // Even encrypted, the headers are in the clear (RFC 3711 §3).
            [128..=191, 192..=223, ..] => {
                let mark = Mark { ssrc: number(4)?, sequence: None };
                Some(Self { class: Class::Rtcp, mark: Some(mark) })
            }
            [128..=191, _, high, low, ..] => {
                let sequence = Some(u16::from_be_bytes([high, low]));
                Some(Self { class: Class::Rtp, mark: Some(Mark { ssrc: number(8)?, sequence }) })
            }
            [0..=3, ..] => Some(plain(Class::Stun)),
            [16..=19, ..] => Some(plain(Class::Zrtp)),
            [20..=63, ..] => Some(plain(Class::Dtls)),
            [64..=79, ..] => Some(plain(Class::TurnChannel)),
            _ => None,
        }
    }
}
