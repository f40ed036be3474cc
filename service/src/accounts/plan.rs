// SPDX-License-Identifier: GPL-3.0-or-later
//! What a line must know of its account: the provider's facts and the user's own, merged.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use sipwitch_core::{
    extension::ExtensionNumber,
    line::{Cost, Emergency, Numbering, Rates, Users},
    pattern::Pattern,
};
use sipwitch_sip::{
    flow::Transport,
    resolver::{Families, Host, Services},
};

use crate::{
    config::word::Algorithm,
    providers::{
        ProviderId,
        word::{
            CallerId, ContactAddress, FailureMeaning, FailureSign, KeepaliveMethod, Offered,
            Privacy,
        },
    },
};

/// Everything that is known of an account and does not change by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The name of its file, which is the name of its line: `dus-net`.
    pub id: Arc<str>,
    /// The name a person reads.
    pub title: Box<str>,
    /// The file of facts that it is made from; none for a bare domain.
    pub provider: Option<ProviderId>,
    /// The provider's name for a person; that of the domain if there is no file.
    pub provider_name: Box<str>,
    /// Whether the user wants it.
    pub enabled: bool,
    /// How it is reached.
    pub reach: Reach,
    /// The extension or group that calls and messages from outside reach; none for whoever has a
    /// phone.
    pub incoming: Option<ExtensionNumber>,
    /// Who may call by it.
    pub users: Users,
    /// Lines are tried in this order, where nothing else decides; the name decides between equals.
    pub order: u32,
    /// The domains whose users it reaches inside its own network.
    pub domains: Vec<Box<str>>,
    /// How numbers are dialled.
    pub numbering: Numbering,
    /// What it makes of emergency calls.
    pub emergency: Emergency,
    /// What calls cost.
    pub rates: Rates,
    /// What a minute costs at the least and at the most; none if nothing is known.
    pub costs: Option<(Cost, Cost)>,
    /// Minutes of a month that are paid for already.
    pub included: Option<Duration>,
    /// After this much in a month it is not used any more, but for emergencies.
    pub cap: Option<Duration>,
    /// The numbers it leads to; empty for all.
    pub leads_to: Vec<Pattern>,
    /// Calls at one time; none where nobody knows a limit.
    pub calls: Option<u16>,
    /// Whether it takes SIP MESSAGE.
    pub messages: Offered,
}

/// How an account is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It registers.
    Account(Box<Outside>),
    /// A fixed link: nobody registers, and either side knows the other by its address.
    Trunk {
        /// The other side.
        outside: Box<Outside>,
        /// The addresses that its calls come from; empty for those of its servers.
        sources: Vec<Source>,
    },
    /// A phone registered here that leads to the telephone network.
    Gateway(ExtensionNumber),
}

/// Another exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The user of the address of record, not yet escaped for an address; none for a trunk that
    /// has none.
    pub user: Option<Box<str>>,
    /// The domain of the address of record.
    pub domain: Host,
    /// The user in From, if it is another one.
    pub from_user: Option<Box<str>>,
    /// The user name in challenges.
    pub auth_user: Option<Box<str>>,
    /// The only realm to which the password may be proven.
    pub realm: Option<Box<str>>,
    /// Digest algorithms it is known to ask for; empty if that is not known.
    pub algorithms: Vec<Algorithm>,
    /// Whether there is a password: then it is fetched, and without it nothing is tried.
    pub needs_secret: bool,
    /// The name shown with calls; empty for none.
    pub display: Box<str>,
    /// The number shown with calls, where the user chose one.
    pub number: Option<Box<str>>,
    /// User parts by which the other side calls us, beside that of the address.
    pub numbers: Vec<Box<str>>,
    /// Where it is reached.
    pub server: Server,
    /// How our whereabouts are told; none where that is not wanted.
    pub register: Option<Register>,
    /// What keeps the way open; none finds it out.
    pub keepalive: Option<(KeepaliveMethod, Duration)>,
    /// Which address of ours it is to be told.
    pub contact: ContactAddress,
    /// Where the number to show is written.
    pub caller_id: CallerId,
    /// How a number is kept from being shown; none if that is not known.
    pub privacy: Option<Privacy>,
    /// Whether the number is not to be shown.
    pub hides_number: bool,
    /// What its refusals mean, where that differs from the standard.
    pub on_failure: BTreeMap<FailureSign, FailureMeaning>,
    /// Its STUN server, `stun.example.org:3478`.
    pub stun: Option<Box<str>>,
}

/// Where another exchange is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The host in the Request-URI of a REGISTER.
    pub registrar: Host,
    /// Through what everything goes.
    pub proxy: Option<Host>,
    /// The port, where the name system does not tell it, or where the user says so.
    pub port: Option<u16>,
    /// What may carry SIP, the preferred first; never empty.
    pub transports: Vec<Transport>,
    /// The user names the transports, not the provider: whatever is named is wanted, also where it
    /// is less secure than another.
    pub transports_are_own: bool,
    /// Whether the name system is asked for its services.
    pub services: Services,
    /// Where TLS is heard, if not where the rest is.
    pub tls: Tls,
    /// The kinds of IP.
    pub families: Families,
}

/// Where TLS is heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The host, which its certificate names; none for that of the server.
    pub host: Option<Host>,
    /// The port.
    pub port: Option<u16>,
    /// Whether addresses are written `sips:`.
    pub sips: bool,
}

/// How our whereabouts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// How long a registration is to last.
    pub expires: Duration,
    /// A shorter time is known to be refused.
    pub min_expires: Option<Duration>,
    /// Registering more often than this is punished.
    pub min_interval: Option<Duration>,
}

/// The addresses of a network, `192.0.2.0/24`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    pub(super) address: IpAddr,
    pub(super) bits: u8,
}

impl Source {
    /// Whether an address belongs to it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let kept = |all: u32| all - u32::from(self.bits);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(kept(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(kept(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl Plan {
    /// The exchange it leads to; none if it is a phone of ours.
    #[must_use]
    pub const fn outside(&self) -> Option<&Outside> {
        match &self.reach {
            Reach::Account(outside) | Reach::Trunk { outside, .. } => Some(outside),
            Reach::Gateway(_) => None,
        }
    }

    /// Whether it cannot be used before its password is there.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        self.outside().is_some_and(|outside| outside.needs_secret)
    }

    /// The address of record as a person reads it: `100@example.org`.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.reach {
            Reach::Account(outside) | Reach::Trunk { outside, .. } => match &outside.user {
                Some(user) => format!("{user}@{}", outside.domain),
                None => outside.domain.to_string(),
            },
            Reach::Gateway(extension) => extension.to_string(),
        }
    }

    /// `account`, `trunk`, `gateway`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.reach {
            Reach::Account(_) => "account",
            Reach::Trunk { .. } => "trunk",
            Reach::Gateway(_) => "gateway",
        }
    }
}
