// SPDX-License-Identifier: GPL-3.0-or-later
//! The network as this machine sees it, and what differs from what it saw before.

use std::{fmt::Write, net::IpAddr};

/// What an interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A mobile radio.
    Mobile,
    /// A tunnel: WireGuard, tun, ppp.
    Tunnel,
    /// A cable, or what looks like one.
    Wired,
    /// WLAN.
    Wireless,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Mobile => "the mobile network",
            Self::Tunnel => "the VPN",
            Self::Wired => "the cable",
            Self::Wireless => "the WLAN",
        }
    }
}

/// An interface that carries something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name: `wlan0`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its addresses, in order. None is of the loopback or link-local.
    pub addresses: Vec<IpAddr>,
}

/// The network at one moment. The loopback is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// By name.
    pub interfaces: Vec<Interface>,
    /// The address the kernel would use towards the Internet, one per family where there is one.
    pub outward: Vec<IpAddr>,
    /// Stands for the table of routes: another number, another table. That alone is no [`Change`].
    pub routes: u64,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Addresses that are no longer here.
    pub gone: Vec<IpAddr>,
    /// Addresses that were not here before.
    pub new: Vec<IpAddr>,
    /// Whether the way to the Internet is another one, or the machine slept: what goes out may go
    /// out elsewhere, and what came in by the old way will not come any more.
    pub way_changed: bool,
    /// Whether the machine slept.
    pub resumed: bool,
    /// Whether there is any network beside the loopback.
    pub is_online: bool,
    /// All that for a person.
    pub words: String,
}

impl Change {
    /// One that this machine does not see by itself, or that concerns nobody's address: what it
    /// means is in the words alone.
    #[must_use]
    pub fn told(words: String, is_online: bool) -> Self {
        let (gone, new) = (Vec::new(), Vec::new());
        Self { gone, new, way_changed: false, resumed: false, is_online, words }
    }
}

impl Picture {
    /// Whether there is any network beside the loopback.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.interfaces.iter().any(|interface| !interface.addresses.is_empty())
    }

    /// What a person reads: `online through the WLAN wlan0 (192.0.2.7)`.
    #[must_use]
    pub fn words(&self) -> String {
        let Some(outward) = self.outward.first() else {
            return if self.is_online() {
                "connected to a network, but not to the Internet".into()
            } else {
                "no network: plug in a cable or join a WLAN".into()
            };
        };
        match self.holder(*outward) {
            Some(at) => format!("online through {} {} ({outward})", at.kind.words(), at.name),
            None => format!("online ({outward})"),
        }
    }

    /// What differs in the later picture; none if nothing that matters does.
    #[must_use]
    pub fn change_to(&self, later: &Self, resumed: bool) -> Option<Change> {
        let before: Vec<IpAddr> = self.addresses().collect();
        let after: Vec<IpAddr> = later.addresses().collect();
        let missing = |from: &[IpAddr], of: &[IpAddr]| -> Vec<IpAddr> {
            of.iter().filter(|address| !from.contains(address)).copied().collect()
        };
        let (gone, new) = (missing(&after, &before), missing(&before, &after));
        let way_changed = resumed || self.outward != later.outward;
        if gone.is_empty() && new.is_empty() && !way_changed {
            return None;
        }
        let words = self.change_in_words(later, resumed);
        Some(Change { gone, new, way_changed, resumed, is_online: later.is_online(), words })
    }

    fn change_in_words(&self, later: &Self, resumed: bool) -> String {
        let mut words = String::new();
        if resumed {
            words.push_str("awake again; ");
        }
        for interface in &self.interfaces {
            if later.interfaces.iter().all(|other| other.name != interface.name) {
                let _ = write!(words, "{} {} is gone; ", interface.kind.words(), interface.name);
            }
        }
        for interface in &later.interfaces {
            if self.interfaces.iter().all(|other| other.name != interface.name) {
                let _ = write!(words, "{} {} is there; ", interface.kind.words(), interface.name);
            }
        }
        words + &later.words()
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied())
    }

    fn holder(&self, address: IpAddr) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.addresses.contains(&address))
    }
}
