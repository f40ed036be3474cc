// SPDX-License-Identifier: GPL-3.0-or-later
//! Media that go through us: what the switchboard wants of whoever has the sockets.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use bytes::Bytes;
use sipwitch_core::call::LegId;
use sipwitch_media::{driver::Located, relay::End};

/// Leads the media of legs through ports of ours. Each leg has its own, from the first description
/// that is led until it is closed.
pub trait Anchors: fmt::Debug + Send {
    /// What the other end gets for the description that `from` made. [`End::Near`] is the program
    /// whose leg it is.
    ///
    /// # Errors
    /// Why it cannot be led, in words. What was led before stays as it was.
    fn lead(
        &mut self,
        leg: LegId,
        from: End,
        far: Far,
        description: &[u8],
    ) -> Result<Bytes, String>;

    /// Where our ports towards the program are, of each medium that has some.
    fn ours(&self, leg: LegId) -> Vec<Located>;

    /// The program says where it wants media that it described before.
    ///
    /// # Errors
    /// Why that cannot be; then nothing has changed.
    fn locate(&mut self, leg: LegId, at: &[Located]) -> Result<(), Unlocated>;

    /// The leg is over: its ports are closed. Nothing happens if it had none.
    fn close(&mut self, leg: LegId);
}

/// Why a program's media cannot be where it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocated {
    /// The leg has no ports.
    NotLed,
    /// In words, which address or medium cannot be.
    Impossible(String),
}

/// Where the far end of a leg is, as far as its signalling shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Far {
    /// Our address towards it.
    pub ours: Option<IpAddr>,
    /// Where its signalling comes from.
    pub signalling: Option<IpAddr>,
    /// Whether it has proved who it is.
    pub is_authenticated: bool,
}

impl Far {
    /// Another program on this machine.
    pub(super) const fn program() -> Self {
        let here = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Self { ours: here, signalling: here, is_authenticated: true }
    }

    /// Whether it is known to be on this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.signalling.is_some_and(|ip| ip.to_canonical().is_loopback())
    }
}
