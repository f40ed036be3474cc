// SPDX-License-Identifier: GPL-3.0-or-later
//! What others ask of the switchboard, each with the channel its answer goes to.
//!
//! The asker may have gone when the answer comes: a closed reply channel is ordinary.
//!
//! Notices of what an ask changed go out before its answer: who has the answer and then empties his
//! notices knows the world after it.

mod blocking;
mod endpoint;

pub use blocking::BlockingAsk;
pub use endpoint::{EndpointAsk, EndpointDial, Leaving, NewEndpoint};

use sipwitch_core::{call::leg::CallId, routing::rules::Rule};
use tokio::sync::oneshot;

use super::notice::{AccountId, ExtensionId, PhoneId, World};
use crate::{accounts::Holder, secret::Secret, store::records::CallRecord};

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// Why the switchboard refused. The bus gives each a stable error name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is no contact.
    #[error("{0}")]
    BadContact(String),
    /// A value is out of its range or of the wrong kind.
    #[error("{0}")]
    BadValue(String),
    /// No such call, phone, extension or account.
    #[error("no {kind} {name}")]
    NotFound {
        /// call, phone, extension, account.
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// An extension or account of that name exists.
    #[error("{kind} {name} exists already; change it instead")]
    AlreadyExists {
        /// extension, account.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Who asks may not.
    #[error("{0}")]
    NotAllowed(String),
    /// The object is not in a state in which this applies.
    #[error("{0}")]
    NotInThisState(String),
    /// Nothing can carry the call; the words say what was tried.
    #[error("{0}")]
    NoRoute(String),
    /// An emergency number, and no line that can carry it.
    #[error("{0}")]
    EmergencyUnavailable(String),
    /// The user has no phone registered that could ring for `Dial`.
    #[error("{0}")]
    NoPhone(String),
    /// A limit of the configuration is reached.
    #[error("{0}")]
    TooMany(String),
    /// The store could not keep it.
    #[error("{0}")]
    NotStored(String),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// Options of `Dial`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialOptions {
    /// The extension whose phones ring first; none means the configured one, or the only one that
    /// has a phone.
    pub from: Option<String>,
    /// What the user's phone shows instead of "Calling …".
    pub display: Option<String>,
    /// Seconds each side may ring; none means the configured time.
    pub ring_seconds: Option<u32>,
    /// Whether the call outlives the program that asked for it.
    pub detached: bool,
    /// Whether the called side is not to see who calls.
    pub hide_number: bool,
    /// Further addresses of the same person.
    pub also: Vec<String>,
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextSent {
    /// `delivered` or `stored`.
    pub state: &'static str,
    /// Names it among the texts of the extension that sent it; 0 if none did.
    pub message: u64,
}

/// Which texts of the past a program wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedPast {
    /// With whom; empty for everybody.
    pub contact: String,
    /// At most this many.
    pub limit: u32,
    /// Only those that were not read.
    pub unread: bool,
}

/// What an extension is to become.
#[derive(Debug, Clone, Default)]
pub struct ExtensionChange {
    /// The display name.
    pub name: Option<String>,
    /// `person`, `group` or `service`.
    pub kind: Option<String>,
    /// Members of a group.
    pub members: Option<Vec<String>>,
    /// Seconds its phones ring.
    pub ring_seconds: Option<u32>,
    /// A new password; kept only as digests.
    pub password: Option<Secret<String>>,
    /// `password` or `login`: how its phones prove that they belong to it.
    pub authentication: Option<String>,
}

/// What an account is to become. What is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// The name a person reads; empty for the provider's.
    pub title: Option<String>,
    /// Whether it is wanted.
    pub enabled: Option<bool>,
    /// The extension or group that calls from outside reach; empty for whoever has a phone.
    pub incoming: Option<String>,
    /// The extensions that may call by it; empty for all.
    pub users: Option<Vec<String>>,
    /// Its place among the lines.
    pub order: Option<u32>,
    /// The country whose numbers are national there; empty for the provider's.
    pub region: Option<String>,
    /// Answers by the key of the question; one that is empty is taken away. The answer to a secret
    /// question is the password.
    pub answers: Vec<(String, Secret<String>)>,
    /// What is otherwise than the provider says, by the key of the account's file; one that is
    /// empty is taken away.
    pub settings: Vec<(String, String)>,
    /// A password; kept where secrets are kept.
    pub password: Option<Secret<String>>,
}

/// An account that is to be.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// Its name in files and rules; none makes one.
    pub id: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The domain, instead of a provider.
    pub domain: Option<String>,
    /// The extension of a gateway, instead of a provider.
    pub gateway: Option<String>,
    /// `account`, `trunk`, `gateway`.
    pub kind: Option<String>,
    /// Who wants it.
    pub holder: Holder,
    /// Everything else.
    pub change: AccountChange,
}

/// How an import went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Extensions made.
    pub added: u32,
    /// Extensions changed.
    pub changed: u32,
    /// Lines refused, by number (from 1), with the reason.
    pub refused: Vec<(u32, String)>,
}

/// One answer met by `Query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What was asked: the address on the wire, such as `udp:127.0.0.1:5062`.
    pub address: String,
    /// The status code; none if nothing came.
    pub status: Option<u16>,
    /// The reason phrase, or why nothing came.
    pub reason: String,
    /// Server or User-Agent of whoever answered.
    pub server: String,
    /// Methods it allows.
    pub allow: String,
    /// Milliseconds to the answer.
    pub milliseconds: u32,
}

/// How names are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamesChecked {
    /// The name servers.
    pub servers: Vec<String>,
    /// Whether they hand on signatures; none if they do not answer.
    pub signatures: Option<bool>,
    /// Where the domain leads, the first to be tried first.
    pub places: Vec<String>,
    /// What went wrong, in words; empty if nothing did.
    pub failure: String,
    /// To the end of all that.
    pub milliseconds: u32,
}

/// One line of an explained route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLine {
    /// 1 for the first attempt, counting up; 0 for what was rejected.
    pub attempt: u32,
    /// What would be tried: `phone 3 of 102`.
    pub destination: String,
    /// The reason's stable lower-case name.
    pub reason: String,
    /// The reason in words.
    pub words: String,
}

/// What is asked of the rules of routing.
#[derive(Debug)]
pub enum RulesAsk {
    /// Those in use.
    List {
        /// The more important first.
        reply: Reply<Vec<Rule>>,
    },
    /// Whether a text would be taken.
    Check {
        /// The text of a file.
        text: String,
        /// It would.
        reply: Reply<()>,
    },
    /// Add one.
    Add {
        /// The rule.
        rule: Box<Rule>,
        /// Before all others.
        first: bool,
        /// Done and written.
        reply: Reply<()>,
    },
    /// Remove one.
    Remove {
        /// What it is called.
        name: String,
        /// Done and written.
        reply: Reply<()>,
    },
}

/// What is asked.
#[derive(Debug)]
pub enum Ask {
    /// Everything as it stands, for the first filling of a mirror. Notices after this answer
    /// continue from it without a gap.
    Snapshot {
        /// The world.
        reply: Reply<World>,
    },
    /// Send [`Notice::World`](super::notice::Notice::World) to all listeners, in sequence with the
    /// other notices: for a mirror that is new, or too slow and has lost some.
    Announce,
    /// Ring the user's phones, then connect the contact.
    Dial {
        /// Whom to call.
        contact: String,
        /// How.
        options: DialOptions,
        /// The unique bus name of the program that owns the call; it ends with its owner.
        owner: Option<String>,
        /// The call.
        reply: Reply<CallId>,
    },
    /// What `Dial` would do, without doing it.
    Explain {
        /// Whom.
        contact: String,
        /// How.
        options: DialOptions,
        /// The route, line by line.
        reply: Reply<Vec<RouteLine>>,
    },
    /// End a call.
    Hangup {
        /// Which.
        call: CallId,
        /// Done.
        reply: Reply<()>,
    },
    /// Answer a call on behalf of a program that is a phone.
    Answer {
        /// Which.
        call: CallId,
        /// Done.
        reply: Reply<()>,
    },
    /// Put a call on hold.
    Hold {
        /// Which.
        call: CallId,
        /// Done when both phones agreed.
        reply: Reply<()>,
    },
    /// Take a call from hold.
    Resume {
        /// Which.
        call: CallId,
        /// Done when both phones agreed.
        reply: Reply<()>,
    },
    /// Connect the caller's side of the call to somebody else.
    Transfer {
        /// Which.
        call: CallId,
        /// To whom.
        contact: String,
        /// Begun; the call's state tells how it goes.
        reply: Reply<()>,
    },
    /// Send DTMF to the called side.
    SendDtmf {
        /// Which.
        call: CallId,
        /// `0`–`9`, `*`, `#`, `A`–`D`; at most 64.
        tones: String,
        /// Sent.
        reply: Reply<()>,
    },
    /// Make the program that asks a phone.
    RegisterEndpoint {
        /// What it is.
        endpoint: NewEndpoint,
        /// Its unique bus name.
        owner: Option<String>,
        /// Which phone it is.
        reply: Reply<PhoneId>,
    },
    /// A program asks as the phone that it is.
    Endpoint {
        /// Which phone.
        phone: PhoneId,
        /// Who asks: the unique bus name.
        owner: Option<String>,
        /// What.
        ask: EndpointAsk,
    },
    /// The bus lost what it was to tell programs that are phones: they are phones no more.
    EndpointsLost,
    /// A program left the bus: its calls end.
    OwnerLeft {
        /// Its unique name.
        owner: String,
    },
    /// Make an extension.
    AddExtension {
        /// Its number or name.
        number: String,
        /// What it is.
        change: ExtensionChange,
        /// Its identity.
        reply: Reply<ExtensionId>,
    },
    /// Change an extension.
    ChangeExtension {
        /// Which.
        number: String,
        /// What changes.
        change: ExtensionChange,
        /// Done and stored.
        reply: Reply<()>,
    },
    /// Give an extension a random password and tell it, this once.
    GeneratePassword {
        /// Which.
        number: String,
        /// The password.
        reply: Reply<Secret<String>>,
    },
    /// Remove an extension and its phones.
    RemoveExtension {
        /// Which.
        number: String,
        /// Done and stored.
        reply: Reply<()>,
    },
    /// Many extensions at once.
    ImportExtensions {
        /// CSV text.
        csv: String,
        /// How it went.
        reply: Reply<Imported>,
    },
    /// Make an account.
    AddAccount {
        /// Which.
        account: Box<NewAccount>,
        /// Its id.
        reply: Reply<AccountId>,
    },
    /// Change an account.
    ChangeAccount {
        /// Which.
        account: AccountId,
        /// What changes.
        change: Box<AccountChange>,
        /// Done and stored.
        reply: Reply<()>,
    },
    /// Give an account another password, or take it away.
    SetAccountPassword {
        /// Which.
        account: AccountId,
        /// The password; empty takes it away.
        password: Secret<String>,
        /// Where it is now.
        reply: Reply<&'static str>,
    },
    /// Try at once what an account would try later.
    TryAccountAgain {
        /// Which.
        account: AccountId,
        /// Begun.
        reply: Reply<()>,
    },
    /// Remove an account, its file and its password.
    RemoveAccount {
        /// Which.
        account: AccountId,
        /// Done.
        reply: Reply<()>,
    },
    /// Forget a registered phone.
    RemovePhone {
        /// Which.
        phone: PhoneId,
        /// Done and stored.
        reply: Reply<()>,
    },
    /// Past calls, newest first.
    History {
        /// At most this many.
        limit: u32,
        /// The calls.
        reply: Reply<Vec<CallRecord>>,
    },
    /// Ask an address for its OPTIONS.
    Query {
        /// Which.
        uri: String,
        /// What was met.
        reply: Reply<Vec<Hop>>,
    },
    /// Send a text to an extension's phones; kept until a phone takes it.
    SendMessage {
        /// Whom.
        contact: String,
        /// Shown as the sender; none means the configured extension.
        from: Option<String>,
        /// UTF-8 text.
        text: String,
        /// `delivered` or `stored`.
        reply: Reply<TextSent>,
    },
    /// Something about the rules of routing. Their file belongs to the loop around us.
    Rules(RulesAsk),
    /// Something about the list of blocked callers.
    Blocking(BlockingAsk),
    /// Whether names can be looked up. The loop around us, which has the names, answers this
    /// itself.
    CheckNames {
        /// A domain to be looked up; empty for none.
        domain: String,
        /// How it went.
        reply: Reply<NamesChecked>,
    },
    /// Read the configuration again.
    Reload {
        /// What needs a restart to take effect, one line each.
        reply: Reply<Vec<String>>,
    },
    /// End all calls and stop.
    Stop,
}
