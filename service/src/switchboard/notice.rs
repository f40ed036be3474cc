// SPDX-License-Identifier: GPL-3.0-or-later
//! What the switchboard tells whoever listens: snapshots of what changed, after it changed.

mod blocked;
mod told;

use std::{collections::BTreeMap, sync::Arc};

use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::wire::CertificateFault;

pub use blocked::{BlockedChange, BlockedView};
pub use told::{Told, ToldProgram};

/// Names a registered phone. Kept over a restart.
pub type PhoneId = u64;
/// The number or name of an extension.
pub type ExtensionId = String;

/// The id of an account: the name of its file.
pub type AccountId = String;

/// Everything as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The service itself.
    pub service: ServiceView,
    /// The calls under way.
    pub calls: Vec<CallView>,
    /// The registered phones.
    pub phones: Vec<PhoneView>,
    /// The extensions.
    pub extensions: Vec<ExtensionView>,
    /// The accounts, in the order in which the user has them.
    pub accounts: Vec<AccountView>,
    /// The callers who are blocked, in the order of the list.
    pub blocked: Vec<BlockedView>,
}

/// The service itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceView {
    /// Where SIP is heard: `udp:127.0.0.1:5060`.
    pub addresses: Vec<String>,
    /// The domain of its addresses.
    pub domain: String,
    /// The digest realm.
    pub realm: String,
    /// The configuration file in use; empty if none exists.
    pub configuration_file: String,
    /// When it started, microseconds since 1970.
    pub started_us: i64,
    /// What a person should know, each with the next step.
    pub warnings: Vec<String>,
    /// The network, in words; empty while nobody looks at it.
    pub network: String,
    /// Whether an emergency call could leave the house: `available`, `none`, …
    pub emergency: &'static str,
    /// The same for people.
    pub emergency_words: String,
    /// What is dialled for help here, by service: `sos`, `sos.police`, …
    pub emergency_numbers: Vec<(String, Vec<String>)>,
}

/// One half of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegView {
    /// `caller`, `callee`.
    pub role: &'static str,
    /// `dialing`, `ringing`, `connected`, `ended`.
    pub state: &'static str,
    /// The extension or address.
    pub address: String,
    /// The phone, if it is one.
    pub phone: Option<PhoneId>,
}

/// Something tried for a call, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceLine {
    /// What was tried, for people: `phone 3 of 102`.
    pub destination: String,
    /// `dialing`, `ringing`, `answered`, `failed`, `given-up`, `skipped`.
    pub outcome: &'static str,
    /// Why it was skipped, as a stable lower-case word; empty otherwise.
    pub reason: &'static str,
    /// The SIP code of what came of it; 0 if nothing did.
    pub sip_code: u16,
    /// The same in words.
    pub words: String,
    /// How long it took to come to that.
    pub milliseconds: u32,
}

/// A call as others may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// Which.
    pub id: CallId,
    /// `dialing`, `ringing`, `connected`, `held`, `transferring`, `ended`.
    pub state: &'static str,
    /// What was dialled.
    pub contact: String,
    /// Who calls.
    pub caller: String,
    /// The caller's name; may be empty.
    pub caller_name: String,
    /// Who answered or rings; may be empty.
    pub callee: String,
    /// The callee's name; may be empty.
    pub callee_name: String,
    /// `phone` or `program`.
    pub origin: &'static str,
    /// When it began, microseconds since 1970.
    pub started_us: i64,
    /// When it was answered; 0 if not yet.
    pub answered_us: i64,
    /// Whether it is on hold, by whichever side.
    pub held: bool,
    /// The legs.
    pub legs: Vec<LegView>,
    /// Why this route, in words.
    pub route: String,
    /// The other domain in it.
    pub peer: PeerView,
    /// What was tried, in the order in which it began.
    pub trace: Vec<TraceLine>,
}

/// Another domain in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Which; empty if there is none.
    pub domain: Arc<str>,
    /// What proves it: `certificate`; empty if nothing does.
    pub proof: &'static str,
}

impl Default for PeerView {
    fn default() -> Self {
        Self { domain: Arc::from(""), proof: "" }
    }
}

/// Somebody of another domain who was not let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Who, as he says: `bob@example.org`.
    pub caller: String,
    /// Which domain he says to be of.
    pub domain: String,
    /// The extension he wanted; empty if it does not exist.
    pub extension: String,
    /// What proof he lacks, in words.
    pub words: String,
}

/// A registered phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneView {
    /// Which.
    pub id: PhoneId,
    /// Its extension.
    pub extension: ExtensionId,
    /// The Contact it registered; empty for a program.
    pub contact: String,
    /// `udp`, `tcp`, … or `dbus`.
    pub transport: &'static str,
    /// Where it is reached: `127.0.0.1:5071`.
    pub address: String,
    /// Its User-Agent; may be empty.
    pub user_agent: String,
    /// Its instance identity (RFC 5626); may be empty.
    pub instance: String,
    /// When it registered last, microseconds since 1970.
    pub registered_us: i64,
    /// When that runs out; 0 for a program.
    pub expires_us: i64,
    /// Set for a program.
    pub program: Option<ProgramView>,
}

/// What is special about a phone that is a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramView {
    /// Whether it can be reached.
    pub available: bool,
    /// Whether it rings for every person of the house.
    pub all_calls: bool,
}

/// An extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtensionView {
    /// Its number or name.
    pub number: ExtensionId,
    /// Its display name; may be empty.
    pub name: String,
    /// `person`, `group`, `service`.
    pub kind: &'static str,
    /// Members of a group.
    pub members: Vec<ExtensionId>,
    /// Whether a password is set.
    pub has_password: bool,
    /// `password`, `login`.
    pub authentication: &'static str,
    /// How it stands with the login password.
    pub login: LoginView,
    /// Seconds its phones ring.
    pub ring_seconds: u32,
    /// Its registered phones.
    pub phones: Vec<PhoneId>,
}

/// Whether phones can prove themselves by the login password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginView {
    /// `none`, `unknown`, `ready`, `not-enrolled`, `unavailable`.
    pub state: &'static str,
    /// The same for people, with what to do about it; empty where there is nothing to say.
    pub words: String,
}

impl Default for LoginView {
    fn default() -> Self {
        Self { state: "none", words: String::new() }
    }
}

/// An account, and the line it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountView {
    /// The name of its file.
    pub id: AccountId,
    /// Whether it goes with the program that holds it.
    pub transient: bool,
    /// The name a person reads.
    pub title: String,
    /// The id of its provider; empty for a bare domain or a gateway.
    pub provider: String,
    /// The provider's name for a person.
    pub provider_name: String,
    /// Under which others reach it: `100@example.org`.
    pub address: String,
    /// What the user answered; never a password.
    pub answers: BTreeMap<String, String>,
    /// What the user wants otherwise than the provider, by the key of the file.
    pub settings: BTreeMap<String, String>,
    /// Whether the user wants it.
    pub enabled: bool,
    /// The extension or group that calls from outside reach; empty for whoever has a phone.
    pub incoming: String,
    /// The extensions that may call by it; empty for all.
    pub users: Vec<String>,
    /// Its place among the lines.
    pub order: u32,
    /// Where its password is: `keyring`, `file`, `memory`, `none`, `unneeded`, `unknown`.
    pub password_kept: &'static str,
    /// How it stands.
    pub standing: AccountStanding,
    /// What people see who are called by it.
    pub shows_as: String,
    /// How many messages wait at the provider.
    pub messages_waiting: u32,
    /// The same in words; empty if none waits.
    pub messages_waiting_words: String,
    /// What routing knows of it.
    pub line: LineView,
}

/// How an account stands now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountStanding {
    /// `registering`, `online`, `needs-password`, `keyring-locked`, `refused`, `unreachable`, `off`.
    pub state: &'static str,
    /// Why, in words; may be empty.
    pub cause: String,
    /// What is wrong with the certificate of its server, where that is why.
    pub certificate: CertificateFault,
    /// What to do next, in words; empty if there is nothing to do.
    pub next_step: String,
    /// When it is tried again by itself, microseconds since 1970; 0 if not.
    pub again_us: i64,
    /// When the registration runs out, microseconds since 1970; 0 if there is none.
    pub until_us: i64,
    /// `udp`, `tcp`, `tls`, `ws`, `wss`; empty where nothing was reached.
    pub transport: &'static str,
    /// The server in use; empty where nothing was reached.
    pub server: String,
}

/// A line as routing sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineView {
    /// `account`, `trunk`, `gateway`, `gsm`, `modem`.
    pub kind: &'static str,
    /// Whether calls can leave by it: `yes`, `emergency-only`, `no`.
    pub usable: &'static str,
    /// Whether text messages can be sent by it: `yes`, `no`, `unknown`.
    pub messages: &'static str,
    /// The domains in its own network.
    pub domains: Vec<String>,
    /// The country whose numbers are national there; empty if not known.
    pub region: String,
    /// `yes`, `location-required`, `unknown`, `no`.
    pub emergency: &'static str,
    /// The emergency numbers it knows; empty for those of its country.
    pub emergency_numbers: Vec<String>,
    /// What calls cost, in words; empty if not known.
    pub cost: String,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    /// The call as it was last.
    pub call: CallView,
    /// When it ended, microseconds since 1970.
    pub ended_us: i64,
    /// SIP code of the cause.
    pub sip_code: u16,
    /// Q.850 cause, 0 if none is known.
    pub q850: u8,
    /// The cause in words.
    pub words: String,
}

/// What changed. Snapshots, so that one lost to a slow listener is made good by the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Everything as it stands at this place in the sequence, because somebody asked with
    /// [`Ask::Announce`](super::ask::Ask::Announce).
    World(Box<World>),
    /// The service's own properties changed.
    Service(ServiceView),
    /// A call began or changed.
    Call(CallView),
    /// A call ended.
    CallEnded(Box<CallEnd>),
    /// The network changed.
    Connectivity(Box<crate::connectivity::Change>),
    /// Other callers are blocked now.
    Blocked(Box<BlockedChange>),
    /// Somebody of another domain was not let in.
    HeldBack(HeldBack),
    /// A tone was heard in a call (INFO only: tones inside RTP go directly between the phones).
    Dtmf {
        /// Which call.
        call: CallId,
        /// The tone.
        tone: char,
        /// The extension or address it came from.
        from: String,
    },
    /// Something for one program that is a phone.
    Program(Box<ToldProgram>),
    /// A phone registered or refreshed.
    Phone(PhoneView),
    /// A phone is gone.
    PhoneGone(PhoneId),
    /// An extension was made or changed.
    Extension(ExtensionView),
    /// An extension is gone.
    ExtensionGone(ExtensionId),
    /// An account was made or changed, or stands in another way now.
    Account(Box<AccountView>),
    /// An account is gone.
    AccountGone(AccountId),
}
