// SPDX-License-Identifier: GPL-3.0-or-later
//! Facts that are one of a few words.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Digits, text::as_text};

/// An enum that is a word in files and on the bus.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!(
                        "\"{}\" is unknown here: use one of {}",
                        text.chars().take(32).collect::<String>().escape_debug(),
                        Self::WORDS.join(", ")
                    )),
                }
            }
        }

        as_text!($name);
    };
}

words! {
    /// What a provider is.
    Kind {
        /// An operator that leads to telephone numbers.
        Itsp = "itsp",
        /// A free service between SIP addresses.
        FreeSip = "free-sip",
        /// A box in the house with a telephone line.
        HomeRouter = "home-router",
        /// A line for an exchange, with many numbers.
        Trunk = "trunk",
        /// A way into another network, such as XMPP.
        Bridge = "bridge",
        /// The exchange of a company or a house.
        Enterprise = "enterprise",
    }
}

words! {
    /// Where facts are from, the most reliable first.
    Evidence {
        /// An account there was used with this program.
        Tested = "tested",
        /// The provider's own pages.
        Docs = "docs",
        /// What its servers were seen to send.
        Trace = "trace",
        /// The set-up of another program.
        Wizard = "wizard",
        /// Somebody's memory.
        Memory = "memory",
    }
}

words! {
    /// Whether the name system tells servers and ports (RFC 3263).
    #[derive(Default)]
    Srv {
        /// It may: NAPTR and SRV are asked for, then addresses.
        #[default]
        Yes = "yes",
        /// It does not: only addresses are asked for.
        No = "no",
        /// Only there: the domain has no address of its own.
        Required = "required",
    }
}

words! {
    /// What carries SIP.
    Transport {
        /// A stream inside TLS.
        Tls = "tls",
        /// A stream.
        Tcp = "tcp",
        /// Datagrams.
        Udp = "udp",
    }
}

words! {
    /// How TLS is written in addresses.
    #[derive(Default)]
    Scheme {
        /// `sip:` with `transport=tls`: this hop.
        #[default]
        Sip = "sip",
        /// `sips:`: every hop (RFC 5630).
        Sips = "sips",
    }
}

words! {
    /// A kind of IP.
    IpFamily {
        /// IPv4.
        V4 = "v4",
        /// IPv6.
        V6 = "v6",
    }
}

words! {
    /// By what a provider knows its user.
    #[derive(Default)]
    Method {
        /// A user name and a password (digest).
        #[default]
        Digest = "digest",
        /// The address that messages come from.
        Address = "address",
    }
}

words! {
    /// What a refusal means.
    FailureMeaning {
        /// The password is wrong: it is not tried again.
        BadPassword = "bad-password",
        /// The user name is wrong.
        UnknownUser = "unknown-user",
        /// The account is closed, unpaid, or not allowed to do this.
        Disabled = "disabled",
        /// Too much was tried in too short a time: wait.
        Throttled = "throttled",
        /// The address was shut out for a while: wait.
        Banned = "banned",
        /// The server is down: try the next.
        Unavailable = "unavailable",
    }
}

words! {
    /// Where a provider reads the number that it shows.
    #[derive(Default)]
    CallerId {
        /// In From.
        #[default]
        From = "from",
        /// In P-Preferred-Identity (RFC 3325).
        PPreferredIdentity = "p-preferred-identity",
        /// In P-Asserted-Identity (RFC 3325).
        PAssertedIdentity = "p-asserted-identity",
        /// In Remote-Party-ID, which never became a standard.
        RemotePartyId = "remote-party-id",
        /// Nowhere: it is chosen on the provider's page.
        ProviderPortal = "provider-portal",
    }
}

words! {
    /// What sound is made of.
    Codec {
        /// Opus (RFC 6716).
        Opus = "opus",
        /// G.722, 16 kHz.
        G722 = "G722",
        /// G.711 A-law.
        Pcma = "PCMA",
        /// G.711 µ-law.
        Pcmu = "PCMU",
        /// G.729.
        G729 = "G729",
        /// G.726 at 32 kbit/s.
        G726 = "G726-32",
        /// GSM 06.10.
        Gsm = "GSM",
        /// iLBC (RFC 3951).
        Ilbc = "iLBC",
        /// Speex.
        Speex = "speex",
        /// AMR, narrow band.
        Amr = "AMR",
        /// AMR, wide band.
        AmrWb = "AMR-WB",
    }
}

words! {
    /// How digits are sent during a call.
    Dtmf {
        /// Beside the sound (RFC 4733).
        Rfc4733 = "rfc4733",
        /// In SIP INFO.
        Info = "info",
        /// As tones in the sound.
        Inband = "inband",
    }
}

words! {
    /// Whether sound is enciphered.
    Srtp {
        /// Never.
        None = "none",
        /// If offered, with keys in the description (RFC 4568).
        SdesOptional = "sdes-optional",
        /// Always, with keys in the description.
        SdesRequired = "sdes-required",
        /// With keys agreed beside the sound (RFC 5763).
        Dtls = "dtls",
    }
}

words! {
    /// What keeps the way through routers open.
    KeepaliveMethod {
        /// Blank lines (RFC 5626 §3.5.1).
        Crlf = "crlf",
        /// OPTIONS.
        Options = "options",
        /// Registering again.
        Register = "register",
        /// Whatever the provider offers by RFC 5626.
        Outbound = "outbound",
    }
}

words! {
    /// The address in our Contact, behind a router that translates addresses.
    #[derive(Default)]
    ContactAddress {
        /// Our own: the provider answers to where messages really come from.
        #[default]
        Own = "own",
        /// The one that the provider sees (RFC 3581).
        Mapped = "mapped",
    }
}

words! {
    /// Whether something is offered.
    #[derive(Default)]
    Offered {
        /// It is.
        Yes = "yes",
        /// It is not.
        No = "no",
        /// Nobody knows.
        #[default]
        Unknown = "unknown",
    }
}

words! {
    /// How a short message is sent to a telephone number.
    #[derive(Default)]
    Sms {
        /// As SIP MESSAGE.
        SipMessage = "sip-message",
        /// On the provider's page, or by an interface of its own.
        Portal = "portal",
        /// Not at all.
        No = "no",
        /// Nobody knows.
        #[default]
        Unknown = "unknown",
    }
}

/// How a number is kept from being shown: `"rfc3323"`, or `{ star-code = "*31#" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Privacy {
    /// By a Privacy field (RFC 3323).
    Rfc3323,
    /// By digits before the number.
    StarCode(Digits),
}

/// What one sees of a refusal: a SIP status, one status after another, or nothing at all. Written
/// `403`, `503-after-401`, `silence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureSign {
    /// No answer.
    Silence,
    /// A final status.
    Status {
        /// The status.
        status: u16,
        /// The status that the request before it got.
        after: Option<u16>,
    },
}

impl FromStr for FailureSign {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{}\" is no refusal: write a SIP status such as 403, 503-after-401, or silence",
                text.chars().take(32).collect::<String>().escape_debug()
            )
        };
        if text == "silence" {
            return Ok(Self::Silence);
        }
        let status = |text: &str| -> Result<u16, String> {
            let is_status = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
            let number = if is_status { text.parse().unwrap_or(0) } else { 0 };
            if (300..700).contains(&number) { Ok(number) } else { Err(wrong()) }
        };
        match text.split_once("-after-") {
            None => Ok(Self::Status { status: status(text)?, after: None }),
            Some((now, before)) => {
                Ok(Self::Status { status: status(now)?, after: Some(status(before)?) })
            }
        }
    }
}

impl fmt::Display for FailureSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("silence"),
            Self::Status { status, after: None } => write!(f, "{status}"),
            Self::Status { status, after: Some(after) } => write!(f, "{status}-after-{after}"),
        }
    }
}

impl<'de> Deserialize<'de> for FailureSign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for FailureSign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
