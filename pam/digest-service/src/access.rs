// SPDX-License-Identifier: GPL-3.0-or-later
//! Who asks, for whom, and whether he may.

use std::collections::HashMap;

use sipwitch_dbus_interfaces::digest::{ACTION_CHANGE_OWN, ACTION_MANAGE, Error};
use sipwitch_digest_store::Name;
use zbus::message::{Flags, Header};
use zbus::names::OwnedUniqueName;
use zbus::proxy::CacheProperties;
use zbus::zvariant::Value;
use zbus::{Connection, proxy};

use crate::books::Books;
use crate::users::{self, User};

/// `AllowUserInteraction` of polkit's CheckAuthorization.
const MAY_TALK_TO_THE_USER: u32 = 1;
const ROOT: u32 = 0;

/// What we call of polkit.
#[proxy(
    interface = "org.freedesktop.PolicyKit1.Authority",
    default_service = "org.freedesktop.PolicyKit1",
    default_path = "/org/freedesktop/PolicyKit1/Authority",
    gen_blocking = false
)]
trait Authority {
    fn check_authorization(
        &self,
        subject: &(&str, HashMap<&str, Value<'_>>),
        action_id: &str,
        details: &HashMap<&str, &str>,
        flags: u32,
        cancellation_id: &str,
    ) -> zbus::Result<(bool, bool, HashMap<String, String>)>;
}

/// Whoever called a method.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    sender: OwnedUniqueName,
    may_be_asked: bool,
}

/// Whom a method is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The caller.
    Own(User),
    /// Somebody else.
    Other(User),
}

impl Whom {
    pub(crate) fn user(&self) -> &User {
        match self {
            Self::Own(user) | Self::Other(user) => user,
        }
    }
}

impl Caller {
    /// Whom the bus says it is.
    pub(crate) async fn of(header: &Header<'_>, connection: &Connection) -> Result<Self, Error> {
        let sender = header.sender().ok_or_else(|| refused("a message without a sender"))?;
        let bus = zbus::fdo::DBusProxy::new(connection).await?;
        let uid = bus.get_connection_unix_user(sender.clone().into()).await?;
        Ok(Self {
            uid,
            sender: sender.to_owned().into(),
            may_be_asked: header.primary().flags().contains(Flags::AllowInteractiveAuth),
        })
    }

    /// The user of this name, or the caller.
    pub(crate) fn whom(&self, user: &str) -> Result<Whom, Error> {
        let lookup = |error| Error::NotStored(format!("the users cannot be looked up: {error}"));
        if user.is_empty() {
            let found = users::by_number(self.uid).map_err(lookup)?;
            let nobody = || no_such_user(&format!("number {}", self.uid));
            return found.map(Whom::Own).ok_or_else(nobody);
        }
        let name: Name = user.parse().map_err(|_| no_such_user("that name"))?;
        let uid = users::number_of(&name).map_err(lookup)?;
        let uid = uid.ok_or_else(|| no_such_user(&format!("the name {name}")))?;
        let user = User { name, uid };
        Ok(if uid == self.uid { Whom::Own(user) } else { Whom::Other(user) })
    }

    /// Whether the caller may change what is kept of somebody.
    pub(crate) async fn may_change(
        &self,
        whom: &Whom,
        books: &Books,
        connection: &Connection,
    ) -> Result<(), Error> {
        match whom {
            Whom::Own(user) => self.ask(ACTION_CHANGE_OWN, Some(user), books, connection).await,
            Whom::Other(user) => self.ask(ACTION_MANAGE, Some(user), books, connection).await,
        }
    }

    /// Whether the caller may see and change what is kept of others.
    pub(crate) async fn may_manage(
        &self,
        user: Option<&User>,
        books: &Books,
        connection: &Connection,
    ) -> Result<(), Error> {
        self.ask(ACTION_MANAGE, user, books, connection).await
    }

    async fn ask(
        &self,
        action: &str,
        user: Option<&User>,
        books: &Books,
        connection: &Connection,
    ) -> Result<(), Error> {
        if self.uid == ROOT {
            return Ok(());
        }
        let _asking = books.asking(self.uid).ok_or_else(|| {
            Error::LimitReached("too many questions to polkit are open: answer them first".into())
        })?;
        let polkit = AuthorityProxy::builder(connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let sender = Value::from(self.sender.as_str());
        let subject = ("system-bus-name", HashMap::from([("name", sender)]));
        let details = user.map(|user| ("user", user.name.as_str())).into_iter().collect();
        let flags = if self.may_be_asked { MAY_TALK_TO_THE_USER } else { 0 };
        match polkit.check_authorization(&subject, action, &details, flags, "").await {
            Ok((true, _, _)) => Ok(()),
            Ok((false, more, _)) => {
                self.is_refused(action, books);
                Err(refused(if more && !self.may_be_asked {
                    "polkit would have to ask for a password, and the call does not let it"
                } else {
                    "polkit does not allow it"
                }))
            }
            Err(error) => {
                tracing::warn!("polkit cannot be asked about {action}: {error}");
                Err(refused("polkit does not answer: only root may"))
            }
        }
    }

    /// Logs it.
    pub(crate) fn is_refused(&self, action: &str, books: &Books) {
        if books.is_to_be_told(self.uid, std::time::Instant::now()) {
            tracing::warn!("user number {} was refused {action}", self.uid);
        }
    }
}

pub(crate) fn refused(why: &str) -> Error {
    Error::NotAuthorized(why.to_owned())
}

fn no_such_user(whom: &str) -> Error {
    Error::NoSuchUser(format!("there is no user with {whom}"))
}
