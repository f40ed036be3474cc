// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitchDigest1
//! Digests of the passwords with which users' phones register: another service, on the system bus.

use std::collections::HashMap;

use zbus::{proxy, zvariant::Fd};

use crate::wire::DigestStatus;

/// The name that the digest service owns on the system bus.
pub const BUS_NAME: &str = "org.gnutelephony.SipWitchDigest1";
/// Its object.
pub const PATH: &str = "/org/gnutelephony/SipWitchDigest1";
/// Its interface.
pub const INTERFACE: &str = "org.gnutelephony.SipWitchDigest1";
/// What the names of its errors begin with.
pub const ERROR_PREFIX: &str = "org.gnutelephony.SipWitchDigest1.Error";
/// The polkit action of changing what is one's own.
pub const ACTION_CHANGE_OWN: &str = "org.gnutelephony.sipwitch.digest.change-own";
/// The polkit action of everything that is about others.
pub const ACTION_MANAGE: &str = "org.gnutelephony.sipwitch.digest.manage";

/// An error with a name that stays: `org.gnutelephony.SipWitchDigest1.Error.` and the variant.
///
/// Each carries a message for people, which names the offending thing and the next step.
#[derive(Debug, Clone, PartialEq, zbus::DBusError)]
#[zbus(prefix = "org.gnutelephony.SipWitchDigest1.Error")]
pub enum Error {
    /// The bus itself failed: whatever is no answer of the service, such as that it is not installed.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// A part of the response is missing or of a wrong form: correct it.
    BadResponse(String),
    /// A value is out of its range: correct it.
    BadValue(String),
    /// PAM does not say whether the password is right: the message says what it says.
    CannotProve(String),
    /// Too much of this is under way: try again.
    LimitReached(String),
    /// The system has no such user.
    NoSuchUser(String),
    /// The caller may not do this.
    NotAuthorized(String),
    /// No digest of this kind is kept: enrol first.
    NotEnrolled(String),
    /// The database cannot be read or written: the message says why. Nothing has changed.
    NotStored(String),
    /// None of the places for the database can be written to. Nothing has changed.
    ReadOnly(String),
    /// Too many wrong passwords: wait.
    TooManyFailures(String),
    /// The password is not that of the user.
    WrongPassword(String),
}

/// So that a property, whose errors zbus wants as its own, and a client see the same names.
impl From<zbus::fdo::Error> for Error {
    fn from(error: zbus::fdo::Error) -> Self {
        match error {
            zbus::fdo::Error::ZBus(error) => error.into(),
            other => Self::ZBus(zbus::Error::FDO(Box::new(other))),
        }
    }
}

/// Calls `org.gnutelephony.SipWitchDigest1`; the XML tells what each member does. Where polkit may
/// have to be asked, it may talk to the user, for as long as the user likes.
#[proxy(
    interface = "org.gnutelephony.SipWitchDigest1",
    default_service = "org.gnutelephony.SipWitchDigest1",
    default_path = "/org/gnutelephony/SipWitchDigest1"
)]
pub trait Digest {
    /// Whether a response was made with the password of the caller.
    fn verify_response(&self, response: &HashMap<&str, &str>) -> Result<bool, Error>;

    /// What is kept of a user.
    #[zbus(allow_interactive_auth)]
    fn status(&self, user: &str) -> Result<DigestStatus, Error>;

    /// Keep the digests of the login password, which is read from a pipe.
    #[zbus(allow_interactive_auth)]
    fn enrol(&self, user: &str, password: Fd<'_>) -> Result<DigestStatus, Error>;

    /// Make a password for SIP alone.
    #[zbus(allow_interactive_auth)]
    fn separate(&self, user: &str) -> Result<String, Error>;

    /// Keep nothing of a user.
    #[zbus(allow_interactive_auth)]
    fn remove(&self, user: &str) -> Result<(), Error>;

    /// Everything that is kept, and the lines that are not used.
    #[zbus(allow_interactive_auth)]
    fn list(&self) -> Result<(Vec<DigestStatus>, Vec<String>), Error>;

    /// Remove what is kept of users who are gone.
    #[zbus(allow_interactive_auth)]
    fn prune(&self, dry_run: bool) -> Result<Vec<String>, Error>;

    /// Change the realm; tells it, and whose digests are of no use then.
    #[zbus(allow_interactive_auth)]
    fn set_realm(&self, realm: &str, dry_run: bool) -> Result<(String, Vec<String>), Error>;

    /// The realm of new digests.
    #[zbus(property(emits_changed_signal = "false"))]
    fn realm(&self) -> Result<String, Error>;

    /// The algorithms for which `Enrol` keeps digests.
    #[zbus(property(emits_changed_signal = "const"))]
    fn algorithms(&self) -> Result<Vec<String>, Error>;
}
