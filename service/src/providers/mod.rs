// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known of operators, home routers and exchanges: one file of facts each.
//!
//! A file holds facts and nothing else. There is no key for a secret and none for a program to run,
//! so a file from a stranger can at worst lead an account astray that the user makes of it. What
//! belongs to one user is asked for: `[ask]` says how, and `{placeholders}` say where the answers go.
//!
//! A file that says something wrong is refused with its place and skipped; a key that is unknown
//! here is told and kept out of the way, since a later version may know it. `docs/providers.md`
//! describes every key, and a test compares it with [`keys`].

mod answer;
pub mod keys;
mod library;
mod read;
mod shelf;
mod survey;
mod template;
#[cfg(test)]
mod tests;
mod text;
pub mod word;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sipwitch_core::{
    line::{DialFormat, EmergencyAbility},
    number::Region,
};

use self::word::{
    CallerId, Codec, ContactAddress, Dtmf, Evidence, FailureMeaning, FailureSign, IpFamily,
    KeepaliveMethod, Kind, Method, Offered, Privacy, Scheme, Sms, Srtp, Srv, Transport,
};
pub use self::{
    answer::AnswerError,
    library::{Closed, Library, Providers, open},
    read::Parsed,
    shelf::{Entry, Folders, MOST_FILES, Refused, Shelf, Unreadable, check, check_text},
    template::{HostTemplate, Template, UserTemplate},
    text::{
        AskKey, Digits, HostPort, Language, Link, Month, Pattern, PortRange, ProviderId, Realm,
        SipUri, Words,
    },
};
use crate::config::{
    unit::{Count, Seconds},
    word::Algorithm,
};

/// The version of the schema that is read here.
pub const SCHEMA: u32 = 1;

/// A larger file is no provider's.
pub const LARGEST_FILE: u64 = 64 * 1024;

/// A port that something can listen on.
pub type Port = Count<1, 65_535>;

/// Everything that is known of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Provider {
    /// The version of the schema.
    pub schema: Count<SCHEMA, SCHEMA>,
    /// The name of the file, without `.toml`.
    pub id: ProviderId,
    /// The name a person reads.
    pub name: Words,
    /// The name in other languages.
    #[serde(default)]
    pub names: BTreeMap<Language, Words>,
    /// Where it is used; empty, or `ZZ`, where that does not matter.
    #[serde(default)]
    pub country: Vec<Region>,
    /// What it is.
    pub kind: Kind,
    /// The domain of its addresses: what stands after the `@`.
    pub domain: HostTemplate,
    /// Where its own description is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<Link>,
    /// When somebody last compared the facts with their source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Month>,
    /// Where the facts are from.
    pub evidence: Vec<Evidence>,
    /// Keys of this file whose values are likely and not known: `media.srtp`.
    #[serde(default)]
    pub unsure: Vec<String>,
    /// What a person should know before using it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Words>,
    /// Where it is reached.
    #[serde(default)]
    pub server: Server,
    /// How it knows the user.
    #[serde(default)]
    pub auth: Auth,
    /// How often the user's whereabouts are told.
    #[serde(default)]
    pub register: Register,
    /// As whom calls are made.
    #[serde(default)]
    pub identity: Identity,
    /// How numbers are dialled.
    #[serde(default)]
    pub numbers: Numbers,
    /// What is heard.
    #[serde(default)]
    pub media: Media,
    /// What keeps the way open.
    #[serde(default)]
    pub nat: Nat,
    /// Texts.
    #[serde(default)]
    pub messaging: Messaging,
    /// Pages for the user.
    #[serde(default)]
    pub links: Links,
    /// What to call to see whether it works.
    #[serde(default)]
    pub test: Test,
    /// What the user is asked.
    #[serde(default)]
    pub ask: Ask,
}

impl Provider {
    /// The host that registrations go to.
    #[must_use]
    pub fn registrar(&self) -> &HostTemplate {
        self.server.registrar.as_ref().unwrap_or(&self.domain)
    }

    /// The user name in challenges.
    #[must_use]
    pub fn auth_user(&self) -> Option<&UserTemplate> {
        self.auth.auth_user.as_ref().or(self.auth.user.as_ref())
    }

    /// The user name in From.
    #[must_use]
    pub fn from_user(&self) -> Option<&UserTemplate> {
        self.identity.from_user.as_ref().or(self.auth.user.as_ref())
    }

    /// The question whose answer is the password, if there is one.
    #[must_use]
    pub fn secret(&self) -> Option<&AskField> {
        self.ask.fields.iter().find(|field| field.secret)
    }

    /// The name in a language, such as `de` or `de-AT`; the usual one where there is none.
    #[must_use]
    pub fn name_in(&self, language: &str) -> &Words {
        text::in_language(&self.names, language).unwrap_or(&self.name)
    }
}

/// `[server]`: where it is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Server {
    /// Where registrations go; the domain if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registrar: Option<HostTemplate>,
    /// Through what everything goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_proxy: Option<HostTemplate>,
    /// Whether the name system tells servers and ports (RFC 3263).
    pub srv: Srv,
    /// The port, where the name system does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// What carries SIP there, the preferred first; empty for whatever the name system tells.
    pub transports: Vec<Transport>,
    /// Where TLS is heard, if not where the rest is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The kinds of IP it is reached by; empty for both.
    pub ip: Vec<IpFamily>,
    /// Its STUN server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stun: Option<HostPort>,
}

/// `[server.tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Tls {
    /// The host, which its certificate names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostTemplate>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// How TLS is written in addresses.
    pub scheme: Scheme,
}

/// `[auth]`: how it knows the user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Auth {
    /// By a password, or by the address that messages come from.
    pub method: Method,
    /// The user's name: what stands before the `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserTemplate>,
    /// The name in challenges, if it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_user: Option<UserTemplate>,
    /// The only realm to which the password may be proven; any realm of its servers if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<Realm>,
    /// Digest algorithms it is known to ask for; empty if that is not known.
    pub algorithms: Vec<Algorithm>,
    /// What its refusals mean, where that differs from the standard.
    pub on_failure: BTreeMap<FailureSign, FailureMeaning>,
    /// When it locks the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout: Option<Lockout>,
}

/// `auth.lockout`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lockout {
    /// After so many wrong passwords.
    pub failures: Count<1, 1000>,
    /// For so long.
    pub seconds: Seconds<1, 604_800>,
}

/// `[register]`: how often the user's whereabouts are told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Register {
    /// Whether one must register to be called.
    pub required: bool,
    /// How long a registration is to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<Seconds<60, 604_800>>,
    /// A shorter time is refused with 423.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_expires_seconds: Option<Seconds<1, 604_800>>,
    /// Registering more often than this is punished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_interval_seconds: Option<Seconds<1, 86_400>>,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            required: true,
            expires_seconds: None,
            min_expires_seconds: None,
            min_interval_seconds: None,
        }
    }
}

/// `[identity]`: as whom calls are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Identity {
    /// The user name in From, if it is not that of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_user: Option<UserTemplate>,
    /// Where it reads the number to show.
    pub caller_id: CallerId,
    /// How a number is kept from being shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
}

/// `[numbers]`: how numbers are dialled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Numbers {
    /// The form in which numbers are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dial: Option<DialFormat>,
    /// The country code of its numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<Digits>,
    /// What comes before an area code, if it is not what the country uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_prefix: Option<Digits>,
    /// What comes before a country code, if it is not what the country uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub international_prefix: Option<Digits>,
    /// Numbers with which it offers something itself.
    pub short_codes: ShortCodes,
    /// Whether it takes emergency calls.
    pub emergency: EmergencyAbility,
    /// The emergency numbers it takes; empty for those of the country.
    pub emergency_numbers: Vec<Digits>,
}

/// `[numbers.short-codes]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ShortCodes {
    /// The answering machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voicemail: Option<Digits>,
    /// Hears oneself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<Digits>,
    /// Says what is left to pay with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Digits>,
    /// Says the caller's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_number: Option<Digits>,
    /// Before a number in the same house, such as `**`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal: Option<Digits>,
}

/// `[media]`: what is heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Media {
    /// What it can decode, the preferred first; empty if that is not known.
    pub codecs: Vec<Codec>,
    /// How it hears digits, the preferred first; empty if that is not known.
    pub dtmf: Vec<Dtmf>,
    /// The payload type of RFC 4733, if it insists on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtmf_payload: Option<Count<96, 127>>,
    /// Whether sound is enciphered; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtp: Option<Srtp>,
    /// Whether it speaks ICE; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice: Option<bool>,
    /// The ports its sound comes from, for firewalls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtp_ports: Option<PortRange>,
}

/// `[nat]`: what keeps the way open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Nat {
    /// What is sent so that routers keep the way open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Keepalive>,
    /// Which address of ours it is to be told, behind a router that translates addresses; absent
    /// for our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactAddress>,
    /// Whether it answers to where messages really come from; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symmetric: Option<bool>,
}

/// `nat.keepalive`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Keepalive {
    /// What is sent.
    pub method: KeepaliveMethod,
    /// How often.
    pub interval_seconds: Seconds<5, 3600>,
}

/// `[messaging]`: texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Messaging {
    /// Whether it takes SIP MESSAGE.
    pub sip_message: Offered,
    /// How a short message is sent to a telephone number.
    pub sms: Sms,
}

/// `[links]`: pages for the user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Links {
    /// Where the account is looked after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portal: Option<Link>,
    /// Where one sees what is left to pay with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Link>,
    /// Where the provider tells of disturbances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Link>,
    /// Where an account is had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signup: Option<Link>,
}

/// `[test]`: what to call to see whether it works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Test {
    /// A number that answers and costs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Digits>,
    /// An address that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<SipUri>,
}

/// `[ask]`: what the user is asked, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Ask {
    /// The questions.
    pub fields: Vec<AskField>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AskField {
    /// Its name in placeholders and answers.
    pub key: AskKey,
    /// The question as the user reads it.
    pub label: Words,
    /// The question in other languages.
    #[serde(default)]
    pub labels: BTreeMap<Language, Words>,
    /// Where the answer is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Words>,
    /// What an answer looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Words>,
    /// What every answer matches, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// The only answers there are.
    #[serde(default)]
    pub choices: Vec<Words>,
    /// The answer of whoever does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Words>,
    /// Whether the answer is a password: it is kept in the keyring and nowhere else.
    #[serde(default)]
    pub secret: bool,
}
