// SPDX-License-Identifier: GPL-3.0-or-later
//! What crosses the bus: words and dictionaries.
//!
//! Words are lower-case strings. Dictionaries are `a{sv}` with lower-case hyphened keys; what is
//! `None` is absent, and a key that is unknown here is ignored, since a newer service may add some.

use std::{collections::HashMap, fmt, str::FromStr};

use zbus::zvariant::{
    DeserializeDict, OwnedObjectPath, OwnedValue, SerializeDict, Signature, Str, Type, Value,
};

/// The text is none of the words that this type has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no {kind}; it is one of {words}", words = known.join(", "))]
pub struct UnknownWord {
    /// What the word should have been.
    pub kind: &'static str,
    /// What it was.
    pub found: String,
    /// All that would do.
    pub known: &'static [&'static str],
}

/// An enum that is a lower-case word on the bus.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $kind:literal {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every variant, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The word on the bus.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { kind: $kind, found: word.into(), known: Self::WORDS }),
                }
            }
        }

        impl Type for $name {
            const SIGNATURE: &'static Signature = <str as Type>::SIGNATURE;
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }

        impl From<$name> for Value<'_> {
            fn from(word: $name) -> Self {
                Value::Str(Str::from_static(word.as_str()))
            }
        }

        impl TryFrom<Value<'_>> for $name {
            type Error = zbus::zvariant::Error;

            fn try_from(value: Value<'_>) -> Result<Self, Self::Error> {
                let word: &str = value.downcast_ref()?;
                word.parse().map_err(|error: UnknownWord| Self::Error::Message(error.to_string()))
            }
        }

        impl TryFrom<OwnedValue> for $name {
            type Error = zbus::zvariant::Error;

            fn try_from(value: OwnedValue) -> Result<Self, Self::Error> {
                Value::from(value).try_into()
            }
        }
    };
}

mod blocking;
mod digest;
mod endpoint;
mod provider;

pub use blocking::{BlockOptions, BlockedInfo};
pub use digest::{DigestProblem, DigestSource, DigestStatus};
pub use endpoint::{
    EndReason, EndpointDialOptions, EndpointMessageOptions, EndpointOptions,
    EndpointTransferOptions, HangUpOptions, IncomingCallInfo, MediaAddress, OfferInfo, PastText,
    PastTextOptions, PastTextState, RejectOptions, TextInfo,
};
pub use provider::{
    CheckOptions, EmergencyAbility, LanguageOptions, ProblemInfo, ProviderFilter, ProviderInfo,
    ProviderKind, ProviderSummary, QuestionInfo, Severity,
};

words! {
    /// How far a call is.
    CallState, "state of a call" {
        /// Nobody who could answer has rung yet.
        Dialing = "dialing",
        /// A phone of the callee rings.
        Ringing = "ringing",
        /// Somebody answered.
        Connected = "connected",
        /// On hold, by whichever side.
        Held = "held",
        /// One side is being connected to somebody else.
        Transferring = "transferring",
        /// Over.
        Ended = "ended",
    }
}

words! {
    /// How far a leg is.
    LegState, "state of a leg" {
        /// Tried.
        Dialing = "dialing",
        /// It rings.
        Ringing = "ringing",
        /// Answered.
        Connected = "connected",
        /// Over.
        Ended = "ended",
    }
}

words! {
    /// On which side of a call a leg is.
    LegRole, "role of a leg" {
        /// The side that calls.
        Caller = "caller",
        /// A side that is called.
        Callee = "callee",
    }
}

words! {
    /// Who began a call.
    Origin, "origin of a call" {
        /// Somebody dialled at a phone.
        Phone = "phone",
        /// A program asked for it with `Dial`.
        Program = "program",
    }
}

words! {
    /// What an extension is.
    ExtensionKind, "kind of extension" {
        /// One person, with any number of phones.
        Person = "person",
        /// Several extensions that ring together.
        Group = "group",
        /// A number that does something.
        Service = "service",
    }
}

words! {
    /// What became of a message.
    MessageState, "state of a message" {
        /// A phone took it.
        Delivered = "delivered",
        /// It is kept until a phone takes it.
        Stored = "stored",
    }
}

words! {
    /// Whether an emergency call could leave the house now.
    EmergencyState, "state of emergency calls" {
        /// A line is up that takes them.
        Available = "available",
        /// A line is up that takes them where it knows the address.
        LocationRequired = "location-required",
        /// A line is up, and nobody knows whether it takes them.
        Unsure = "unsure",
        /// A line is up that says that it does not take them.
        Unlikely = "unlikely",
        /// No line is up that carries voice.
        None = "none",
    }
}

/// No options are defined for this method yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict")]
pub struct NoOptions {}

/// Options of `Dial` and `Explain`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct DialOptions {
    /// The extension whose phones ring first.
    pub from: Option<String>,
    /// What the user's phone shows.
    pub display: Option<String>,
    /// How long each side may ring.
    pub ring_seconds: Option<u32>,
    /// Whether the call outlives the program that asked for it.
    pub detached: Option<bool>,
    /// Whether the called side is not to see who calls.
    pub hide_number: Option<bool>,
    /// Further addresses of the same person.
    pub also: Option<Vec<String>>,
}

/// Options of `SendMessage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct MessageOptions {
    /// The extension shown as the sender.
    pub from: Option<String>,
}

/// What `SendMessage` answers.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct MessageResult {
    /// What became of it.
    pub state: MessageState,
    /// Names it in `Endpoint.Texts` and `Endpoint.MessageReported`; absent where the service does not
    /// say.
    pub message: Option<u64>,
}

/// What an extension is, or what changes about it. It has no `Debug`: it may hold a password.
#[derive(Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct ExtensionProperties {
    /// Its name for people.
    pub name: Option<String>,
    /// What it is.
    pub kind: Option<ExtensionKind>,
    /// The numbers of a group's members.
    pub members: Option<Vec<String>>,
    /// How long its phones ring.
    pub ring_seconds: Option<u32>,
    /// With which its phones register.
    pub password: Option<String>,
    /// Whose password its phones register with.
    pub authentication: Option<Authentication>,
}

words! {
    /// Whose password phones of an extension register with.
    Authentication, "way to authenticate" {
        /// That of the user's login, or the separate one that the digest service keeps.
        Login = "login",
        /// The extension's own.
        Password = "password",
    }
}

words! {
    /// Whether phones of an extension can register with the login password.
    LoginState, "state of the login password" {
        /// They register with another.
        None = "none",
        /// It was not looked at yet.
        Unknown = "unknown",
        /// They can.
        Ready = "ready",
        /// The digest service keeps nothing of the user that phones could use.
        NotEnrolled = "not-enrolled",
        /// The digest service cannot be asked.
        Unavailable = "unavailable",
    }
}

words! {
    /// How an account stands.
    AccountState, "state of an account" {
        /// It is being registered.
        Registering = "registering",
        /// It can be used.
        Online = "online",
        /// No password is kept, or the provider refused it.
        NeedsPassword = "needs-password",
        /// It waits for the user to unlock the keyring.
        KeyringLocked = "keyring-locked",
        /// The provider does not want it.
        Refused = "refused",
        /// Nothing answers; it is tried again.
        Unreachable = "unreachable",
        /// The user switched it off.
        Off = "off",
    }
}

words! {
    /// What is wrong with the certificate of a server, so that nothing is said to it.
    CertificateFault, "fault of a certificate" {
        /// Nothing that is known.
        None = "none",
        /// Its time is over.
        Expired = "expired",
        /// Its time has not begun.
        NotYetValid = "not-yet-valid",
        /// It is for another name.
        OtherName = "other-name",
        /// It was issued by itself.
        SelfSigned = "self-signed",
        /// It was issued by somebody who is not trusted here.
        UnknownIssuer = "unknown-issuer",
        /// It is for something else than a server.
        OtherPurpose = "other-purpose",
        /// It is withdrawn.
        Revoked = "revoked",
        /// Anything else.
        Unsound = "unsound",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro makes all words alike")]
impl Default for CertificateFault {
    fn default() -> Self {
        Self::None
    }
}

words! {
    /// Where a password is.
    PasswordKept, "place for a password" {
        /// In the keyring.
        Keyring = "keyring",
        /// In a file of ours.
        File = "file",
        /// In the memory of the service, until it ends.
        Memory = "memory",
        /// Nowhere.
        None = "none",
        /// None is needed.
        Unneeded = "unneeded",
        /// Nobody looked yet.
        Unknown = "unknown",
    }
}

words! {
    /// What a line is.
    LineKind, "kind of line" {
        /// An account that registers.
        Account = "account",
        /// A fixed link to another exchange.
        Trunk = "trunk",
        /// A phone registered here that leads to the telephone network.
        Gateway = "gateway",
        /// A radio with a SIM card.
        Gsm = "gsm",
        /// A modem at the telephone socket.
        Modem = "modem",
    }
}

words! {
    /// Whether calls can leave by a line.
    LineUsable, "answer about a line" {
        /// They can.
        Yes = "yes",
        /// Emergency calls can.
        EmergencyOnly = "emergency-only",
        /// They cannot.
        No = "no",
    }
}

/// What an account is, or what changes about it. It has no `Debug`: it may hold a password.
#[derive(Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct AccountProperties {
    /// Its name in files and rules; only for a new one.
    pub id: Option<String>,
    /// The provider; only for a new one.
    pub provider: Option<String>,
    /// The domain, instead of a provider; only for a new one.
    pub domain: Option<String>,
    /// The extension of a gateway, instead of a provider; only for a new one.
    pub gateway: Option<String>,
    /// What it is; only for a new one.
    pub kind: Option<String>,
    /// Whether it goes with the program that makes it; only for a new one.
    pub transient: Option<bool>,
    /// Its name for people.
    pub title: Option<String>,
    /// Whether it is wanted.
    pub enabled: Option<bool>,
    /// The extension or group that calls from outside reach.
    pub incoming: Option<String>,
    /// The extensions that may call by it.
    pub users: Option<Vec<String>>,
    /// Its place among the lines.
    pub order: Option<u32>,
    /// The country whose numbers are national there.
    pub region: Option<String>,
    /// Answers to the provider's questions.
    pub answers: Option<HashMap<String, String>>,
    /// What is otherwise than the provider says.
    pub settings: Option<HashMap<String, String>>,
    /// What the provider wants to see.
    pub password: Option<String>,
}

/// One line of an explained route.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct RouteLine {
    /// Counting from 1; 0 where rejected.
    pub attempt: u32,
    /// What would be tried, for people.
    pub destination: String,
    /// The reason's stable lower-case word.
    pub reason: String,
    /// The reason for people.
    pub words: String,
}

/// A rule of routing; the interface `Rules` tells what each key means.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the XML tells what each key means")]
pub struct RuleInfo {
    pub name: String,
    pub numbers: Option<Vec<String>>,
    pub domains: Option<Vec<String>>,
    pub classes: Option<Vec<String>>,
    pub from: Option<Vec<String>>,
    pub days: Option<Vec<String>>,
    pub hours: Option<String>,
    pub action: Option<String>,
    pub strip: Option<String>,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    pub prefer: Option<Vec<String>>,
    pub only: Option<Vec<String>>,
    pub never: Option<Vec<String>>,
}

/// Options of `Rules.Add`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct RuleOptions {
    /// Whether the rule comes before all others.
    pub first: Option<bool>,
}

/// One answer met by `Query`.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct HopInfo {
    /// What was asked, such as `udp:192.0.2.7:5060`.
    pub address: String,
    /// The SIP status; none if nothing came.
    pub status: Option<u32>,
    /// Its phrase, or why nothing came.
    pub reason: String,
    /// The program that answered; empty if it does not say.
    pub server: String,
    /// The methods it takes; empty if it does not say.
    pub allow: String,
    /// To the answer.
    pub milliseconds: u32,
}

words! {
    /// Whether name servers hand on the signatures of DNSSEC.
    Signatures, "answer about signatures" {
        /// They do.
        Yes = "yes",
        /// They leave them out.
        No = "no",
        /// They do not answer.
        Unknown = "unknown",
    }
}

/// How names are looked up, as `CheckNames` tells.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct NamesInfo {
    /// The name servers, such as `192.0.2.53:53`.
    pub servers: Vec<String>,
    /// Whether they hand on signatures.
    pub signatures: Signatures,
    /// Where the domain leads, the first to be tried first.
    pub places: Vec<String>,
    /// What went wrong, in words; empty if nothing did.
    pub failure: String,
    /// To the end of all that.
    pub milliseconds: u32,
}

words! {
    /// What came of something that was tried for a call.
    TraceOutcome, "outcome of an attempt" {
        /// Nothing was heard yet.
        Dialing = "dialing",
        /// It rings.
        Ringing = "ringing",
        /// It answered.
        Answered = "answered",
        /// It refused, or could not be reached.
        Failed = "failed",
        /// It was given up: another one answered, the caller left, or it took too long.
        GivenUp = "given-up",
        /// It was not tried.
        Skipped = "skipped",
    }
}

/// Something tried for a call, in its property `RouteTrace`.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type, Value, OwnedValue)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct TraceInfo {
    /// What was tried, for people.
    pub destination: String,
    /// What came of it.
    pub outcome: TraceOutcome,
    /// Why it was skipped, as a stable lower-case word; empty otherwise.
    pub reason: String,
    /// The SIP status of what came of it; 0 if nothing did.
    pub sip_code: u32,
    /// The same for people.
    pub words: String,
    /// How long it took to come to that.
    pub milliseconds: u32,
}

/// How a call went: in `CallEnded` and in the history.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct CallSummary {
    /// What was dialled.
    pub contact: String,
    /// Who called.
    pub caller: String,
    /// The caller's name; none in the history.
    pub caller_name: Option<String>,
    /// Who answered; empty if nobody.
    pub callee: String,
    /// The callee's name; none in the history.
    pub callee_name: Option<String>,
    /// When it began.
    pub started_at_microseconds: u64,
    /// When it was answered, if it was.
    pub answered_at_microseconds: Option<u64>,
    /// When it ended.
    pub ended_at_microseconds: u64,
    /// The cause as a SIP status.
    pub sip_code: u32,
    /// The cause of Q.850, where one is known.
    pub q850_cause: Option<u32>,
    /// The cause for people.
    pub words: String,
    /// Why the call went this way, for people.
    pub route: String,
    /// What was tried, in the order in which it began.
    pub route_trace: Vec<TraceInfo>,
    /// What on the list of blocked callers meant this one; none for a call that was let in.
    pub blocked: Option<String>,
}

/// One leg of a call, in its property `Legs`.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type, Value, OwnedValue)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct LegInfo {
    /// On which side it is.
    pub role: LegRole,
    /// How far it is.
    pub state: LegState,
    /// The extension or address.
    pub address: String,
    /// The phone, if it is one of this house.
    pub phone: Option<OwnedObjectPath>,
}

/// What is different in the network.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct ConnectivityChange {
    /// Whether there is any network beside the machine's own.
    pub online: bool,
    /// Whether the machine slept.
    pub resumed: bool,
    /// Addresses that are no longer here.
    pub gone: Vec<String>,
    /// Addresses that were not here before.
    pub new: Vec<String>,
}

/// How an import went: how many extensions were added, how many changed, and the number of each
/// line that was refused, with the reason.
pub type Imported = (u32, u32, Vec<(u32, String)>);
