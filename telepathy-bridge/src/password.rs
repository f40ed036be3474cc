// SPDX-License-Identifier: GPL-3.0-or-later
//! The channel by which the user is asked for a password (Channel.Type.ServerAuthentication, with the
//! mechanism `X-TELEPATHY-PASSWORD`). What is answered goes to the service, which tries it; whether
//! it was right is known before the connection stands.

use zbus::{Message, zvariant::Value};
use zeroize::Zeroizing;

use crate::{
    bridge::path,
    definition::{
        Access, Interface,
        authentication::{SASL, SERVER_AUTHENTICATION},
        call::CHANNEL,
        connection::REQUESTS,
    },
    error::{Error, Name},
    object::{ConnectionId, password_path},
    outbox::Outbox,
    protocol::names,
    reply::{Map, Reply, arguments},
};

/// The only mechanism: the data are the password.
pub(crate) const MECHANISM: &str = "X-TELEPATHY-PASSWORD";
/// The longest password, in bytes: that of the service.
const MAX_PASSWORD: usize = 255;

/// SASL_Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    NotStarted = 0,
    InProgress = 1,
    ServerSucceeded = 2,
    Succeeded = 4,
    ServerFailed = 5,
    ClientFailed = 6,
}

/// What a client did with the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing that concerns anybody else.
    Nothing,
    /// It gave a password.
    Given(Zeroizing<String>),
    /// It knows that the password was right.
    Accepted,
    /// It wants no more of it.
    Closed,
}

/// The channel.
#[derive(Debug)]
pub(crate) struct Password {
    number: u32,
    own: (u32, String),
    user: String,
    realm: String,
    status: Status,
    error: &'static str,
    words: String,
}

/// The interfaces of the channel.
pub(crate) fn interfaces() -> Vec<&'static Interface> {
    vec![&CHANNEL, &SERVER_AUTHENTICATION, &SASL]
}

impl Password {
    /// A channel that asks for the password of this user there. `own` is who we are.
    pub(crate) fn new(number: u32, own: (u32, String), user: String, realm: String) -> Self {
        let (status, error, words) = (Status::NotStarted, "", String::new());
        Self { number, own, user, realm, status, error, words }
    }

    /// Its number.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        password_path(self.number)
    }

    /// Whether a password was given and nobody knows yet whether it is right.
    pub(crate) fn is_tried(&self) -> bool {
        self.status == Status::InProgress
    }

    /// Whether the client knows that the password was right.
    pub(crate) fn is_accepted(&self) -> bool {
        self.status == Status::Succeeded
    }

    /// What never changes, as `NewChannels` tells it.
    pub(crate) fn immutable(&self) -> Map {
        let mut all = Map::new();
        for interface in interfaces() {
            for property in interface.properties {
                if property.access == Access::Immutable
                    && let Some(value) = self.property(property.name)
                {
                    all.insert(interface.member(property.name), value);
                }
            }
        }
        all
    }

    /// A property.
    pub(crate) fn property(&self, name: &str) -> Option<Value<'static>> {
        Some(match name {
            "ChannelType" => SERVER_AUTHENTICATION.name.into(),
            "Interfaces" => names(&[&SASL]).into(),
            "TargetHandle" | "TargetHandleType" => 0u32.into(),
            "TargetID" | "AuthorizationIdentity" => "".into(),
            "Requested" => false.into(),
            "InitiatorHandle" => self.own.0.into(),
            "InitiatorID" => self.own.1.clone().into(),
            "AuthenticationMethod" => SASL.name.into(),
            "AvailableMechanisms" => vec![MECHANISM.to_owned()].into(),
            "HasInitialData" | "CanTryAgain" | "MaySaveResponse" => true.into(),
            "SASLStatus" => (self.status as u32).into(),
            "SASLError" => self.error.into(),
            "SASLErrorDetails" => self.details().into(),
            "DefaultUsername" => self.user.clone().into(),
            "DefaultRealm" => self.realm.clone().into(),
            _ => return None,
        })
    }

    fn details(&self) -> Map {
        let words = Some(&self.words).filter(|words| !words.is_empty());
        words.map(|words| ("server-message".to_owned(), words.clone().into())).into_iter().collect()
    }

    fn change(&mut self, status: Status, error: &'static str, words: &str, outbox: &mut Outbox) {
        (self.status, self.error, self.words) = (status, error, words.to_owned());
        let values = (status as u32, error.to_owned(), self.details());
        outbox.signal(&self.path(), &SASL, "SASLStatusChanged", values);
    }

    /// A method.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn method(
        &mut self,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
    ) -> Result<(Reply, Done), Error> {
        let not_now = |words: &str| Err(Name::NotAvailable.because(words));
        let done = match name {
            "GetChannelType" => {
                return Ok((Reply::of((SERVER_AUTHENTICATION.name,)), Done::Nothing));
            }
            "GetHandle" => return Ok((Reply::of((0u32, 0u32)), Done::Nothing)),
            "GetInterfaces" => return Ok((Reply::of((names(&[&SASL]),)), Done::Nothing)),
            "StartMechanism" => {
                let mechanism: String = arguments(call)?;
                known(&mechanism)?;
                let words = "the password is the initial data: use StartMechanismWithData";
                return Err(Name::InvalidArgument.because(words));
            }
            "StartMechanismWithData" => {
                let (mechanism, data): (String, Vec<u8>) = arguments(call)?;
                let data = Zeroizing::new(data);
                known(&mechanism)?;
                if !matches!(self.status, Status::NotStarted | Status::ServerFailed) {
                    return not_now("an attempt is under way, or over");
                }
                let password = std::str::from_utf8(&data).ok().filter(|password| {
                    (1..=MAX_PASSWORD).contains(&password.len())
                        && !password.chars().any(char::is_control)
                });
                let Some(password) = password else {
                    let words =
                        format!("a password has from 1 to {MAX_PASSWORD} bytes of printable UTF-8");
                    return Err(Name::InvalidArgument.because(words));
                };
                self.change(Status::InProgress, "", "", outbox);
                Done::Given(Zeroizing::new(password.to_owned()))
            }
            "Respond" => return not_now("this mechanism has no challenge"),
            "AcceptSASL" if self.status == Status::ServerSucceeded => {
                self.change(Status::Succeeded, "", "", outbox);
                Done::Accepted
            }
            "AcceptSASL" => return not_now("nothing has succeeded that could be accepted"),
            "AbortSASL" => {
                let (_, words): (u32, String) = arguments(call)?;
                if matches!(self.status, Status::Succeeded | Status::ClientFailed) {
                    return not_now("it is over already");
                }
                let words: String = words.chars().take(MAX_PASSWORD).collect();
                self.change(Status::ClientFailed, Name::Cancelled.as_str(), &words, outbox);
                Done::Nothing
            }
            "Close" => Done::Closed,
            _ => return Err(Name::NotImplemented.because(format!("{name} is not served"))),
        };
        Ok((Reply::Nothing, done))
    }

    /// The password was right.
    pub(crate) fn succeeded(&mut self, outbox: &mut Outbox) {
        self.change(Status::ServerSucceeded, "", "", outbox);
    }

    /// The password was wrong: the user may try another.
    pub(crate) fn failed(&mut self, words: &str, outbox: &mut Outbox) {
        let error = Name::AuthenticationFailed.as_str();
        self.change(Status::ServerFailed, error, words, outbox);
    }

    /// Tells that it is closed.
    pub(crate) fn tell_closed(&self, outbox: &mut Outbox) {
        let own = (path(&self.path()),);
        let connection = ConnectionId::of_channel(self.number).path();
        outbox.signal(&connection, &REQUESTS, "ChannelClosed", own);
        outbox.bare_signal(&self.path(), &CHANNEL, "Closed");
    }
}

fn known(mechanism: &str) -> Result<(), Error> {
    if mechanism == MECHANISM {
        return Ok(());
    }
    let mechanism: String = mechanism.chars().take(48).collect();
    Err(Name::NotImplemented.because(format!("{mechanism:?} is not {MECHANISM}")))
}
