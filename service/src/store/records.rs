// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept, as plain flat records. The switchboard and the registrar map their own types to
//! and from these; nothing here knows SIP or SQL.
//!
//! Times are wall-clock microseconds since 1970, handed in by whoever made the record.

use crate::secret::Secret;

/// Made once, when the database is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The digest realm. Every stored digest is bound to it, so it outlives a change of domain.
    pub realm: String,
    /// The key of the digest nonces (and, separated by purpose, of everything else that must stay
    /// the same over a restart without being guessed).
    pub key: Secret<[u8; 32]>,
}

/// What an extension is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExtensionKind {
    /// Rings its members.
    Group,
    /// A person, with phones.
    #[default]
    Person,
    /// A number that the service itself answers.
    Service,
}

impl ExtensionKind {
    /// The word used on the bus, in files and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Person => "person",
            Self::Service => "service",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Group, Self::Person, Self::Service].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How phones of an extension prove that they belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Authentication {
    /// By the password of the user's login, which the digest service knows and we do not.
    Login,
    /// By a password of the extension's own.
    #[default]
    Password,
}

impl Authentication {
    /// The word used on the bus, in files and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Password => "password",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Login, Self::Password].into_iter().find(|way| way.as_str() == word)
    }
}

/// The two digests of a password, H(user:realm:password) as RFC 7616 §3.4.2 has it. The password
/// itself is never kept.
#[derive(Debug, Clone)]
pub struct Ha1Pair {
    /// With MD5.
    pub md5: Secret<[u8; 16]>,
    /// With SHA-256.
    pub sha256: Secret<[u8; 32]>,
}

impl PartialEq for Ha1Pair {
    fn eq(&self, other: &Self) -> bool {
        self.md5.expose() == other.md5.expose() && self.sha256.expose() == other.sha256.expose()
    }
}

impl Eq for Ha1Pair {}

/// An extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtensionRecord {
    /// Its number or name.
    pub number: String,
    /// Its display name; may be empty.
    pub display: String,
    /// What it is.
    pub kind: ExtensionKind,
    /// Members of a group, in order. None may contain a line break.
    pub members: Vec<String>,
    /// Seconds its phones ring; none means the configured time.
    pub ring_seconds: Option<u32>,
    /// The digests of its password, if it has one.
    pub digests: Option<Ha1Pair>,
    /// How its phones prove that they belong to it.
    pub authentication: Authentication,
}

/// One registered phone: a binding of RFC 3261 §10, with what RFC 3327, 5626 and 5627 add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingRecord {
    /// Names the phone, over restarts too. The key of the record.
    pub phone: u64,
    /// The extension it belongs to.
    pub extension: String,
    /// The Contact URI as it was registered.
    pub contact: String,
    /// `+sip.instance` (RFC 5626 §4.1); empty if none was given.
    pub instance: String,
    /// `reg-id` (RFC 5626 §4.2); 0 if none was given.
    pub reg_id: u32,
    /// The Call-ID of the last REGISTER.
    pub call_id: String,
    /// Its CSeq number.
    pub cseq: u32,
    /// The Path (RFC 3327) as one header value; empty if none was given.
    pub path: String,
    /// `udp`, `tcp`.
    pub transport: String,
    /// Where the REGISTER came from: `127.0.0.1:5071`.
    pub source: String,
    /// Where it was received by us: `127.0.0.1:5060`; empty if it does not matter.
    pub local: String,
    /// Whether requests must take the flow it registered by.
    pub is_flow_bound: bool,
    /// The User-Agent; may be empty.
    pub user_agent: String,
    /// When it registered last.
    pub registered_us: i64,
    /// When that runs out.
    pub expires_us: i64,
    /// The preference `q` in thousandths; 1000 if none was given.
    pub q: u16,
    /// State of the temporary GRUUs (RFC 5627 §3.1); empty if none was asked for.
    pub gruu: String,
}

/// One call of the past.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallRecord {
    /// When it began.
    pub started_us: i64,
    /// When it was answered, if it was.
    pub answered_us: Option<i64>,
    /// When it ended.
    pub ended_us: i64,
    /// Who called.
    pub caller: String,
    /// What was dialled.
    pub contact: String,
    /// Who answered; empty if nobody.
    pub callee: String,
    /// Why the route was chosen, in words.
    pub route: String,
    /// The SIP code of the cause.
    pub sip_code: u16,
    /// The Q.850 cause, if one is known.
    pub q850: Option<u8>,
    /// The cause in words.
    pub words: String,
    /// What was tried, in the order in which it began.
    pub trace: Vec<TraceRecord>,
    /// What on the list of blocked callers meant this one; empty for a call that was let in.
    pub blocked: String,
}

/// A caller who is blocked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedRecord {
    /// Who. The key of the record.
    pub caller: String,
    /// Why; may be empty.
    pub reason: String,
    /// Since when.
    pub since_us: i64,
}

/// How much a line was used in a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeterRecord {
    /// The account. The key of the record.
    pub account: String,
    /// The month on the user's calendar: 202611.
    pub month: u32,
    /// How long calls by it lasted, all together.
    pub milliseconds: u64,
}

/// An account that was online over TLS, at its servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SecuredRecord {
    /// Its address: `sip:alice@operator.example`. With the server the key of the record.
    pub address: String,
    /// The host or domain whose servers it was at.
    pub server: String,
}

/// Something tried for a call, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceRecord {
    /// What was tried, for people.
    pub destination: String,
    /// A lower-case word.
    pub outcome: String,
    /// Why it was skipped, as a lower-case word; empty otherwise.
    pub reason: String,
    /// The SIP code of what came of it; 0 if nothing did.
    pub sip_code: u16,
    /// The same in words.
    pub words: String,
    /// How long it took to come to that.
    pub milliseconds: u32,
}

impl TraceRecord {
    /// Many of them as one text, a line for each.
    pub(super) fn write(trace: &[Self]) -> String {
        let clean = |text: &str| text.replace(char::is_control, " ");
        let line = |record: &Self| {
            format!(
                "{}\t{}\t{}\t{}\t{}\t{}\n",
                record.outcome,
                record.reason,
                record.sip_code,
                record.milliseconds,
                clean(&record.destination),
                clean(&record.words),
            )
        };
        trace.iter().map(line).collect()
    }

    /// Reads what [`Self::write`] wrote; what it did not write is left out.
    pub(super) fn read(text: &str) -> Vec<Self> {
        let line = |line: &str| {
            let mut fields = line.split('\t');
            Some(Self {
                outcome: fields.next()?.to_owned(),
                reason: fields.next()?.to_owned(),
                sip_code: fields.next()?.parse().ok()?,
                milliseconds: fields.next()?.parse().ok()?,
                destination: fields.next()?.to_owned(),
                words: fields.next()?.to_owned(),
            })
        };
        text.lines().filter_map(line).collect()
    }
}

/// A text that no phone has taken yet (MESSAGE, RFC 3428).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageRecord {
    /// Names the message; chosen from [`super::Loaded::next_message`] upwards. The key of the record.
    pub id: u64,
    /// The extension it is for.
    pub extension: String,
    /// Who sent it, as the receiver is to see it.
    pub sender: String,
    /// The Content-Type.
    pub content_type: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// When it came.
    pub received_us: i64,
    /// When nobody wants it any more.
    pub expires_us: i64,
    /// The [`TextRecord`] of its sender, who is to hear when it is delivered; 0 for none.
    pub report: u64,
}

/// How a text of the past stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TextState {
    /// Sent, and somebody took it.
    Delivered,
    /// Sent, and nobody took it.
    Failed,
    /// It came, and was read.
    #[default]
    Read,
    /// Sent, and kept until somebody takes it.
    Stored,
    /// It came, and a program has it that has not said that it was read.
    Unread,
}

impl TextState {
    /// The word used on the bus and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Read => "read",
            Self::Stored => "stored",
            Self::Unread => "unread",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Delivered, Self::Failed, Self::Read, Self::Stored, Self::Unread]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A text of the past, as one extension has it: one that two extensions of the house exchange
/// stands twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextRecord {
    /// Names it, among waiting texts too. The key of the record.
    pub id: u64,
    /// Whose.
    pub extension: String,
    /// With whom: an extension, or an address.
    pub contact: String,
    /// Whether the extension sent it.
    pub is_sent: bool,
    /// The text.
    pub text: String,
    /// When it was sent or came.
    pub at_us: i64,
    /// How it stands.
    pub state: TextState,
    /// Whether it passed at a phone that is no program.
    pub is_elsewhere: bool,
}
