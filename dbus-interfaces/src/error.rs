// SPDX-License-Identifier: GPL-3.0-or-later
//! The errors of the contract, sorted by what the caller can do.

/// An error with a name that stays: `org.gnutelephony.SipWitch1.Error.` and the variant.
///
/// Each carries a message for people, which names the offending thing and the next step.
#[derive(Debug, Clone, PartialEq, zbus::DBusError)]
#[zbus(prefix = "org.gnutelephony.SipWitch1.Error")]
pub enum Error {
    /// The bus itself failed: whatever is no answer of the service, such as that it does not run.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The thing exists already: change it instead.
    AlreadyExists(String),
    /// The text is nothing that can be called: correct it, trying again cannot help.
    BadContact(String),
    /// A value, option or key is unknown or out of its range: correct it.
    BadValue(String),
    /// No line can carry an emergency call now: use another telephone at once.
    EmergencyUnavailable(String),
    /// Too much of this is under way: try again later.
    LimitReached(String),
    /// No phone of the caller is registered: register one.
    NoPhone(String),
    /// Nothing can carry the call: the message says what was tried.
    NoRoute(String),
    /// No account has this name.
    NoSuchAccount(String),
    /// The call has ended.
    NoSuchCall(String),
    /// No extension has this number.
    NoSuchExtension(String),
    /// The phone is not registered any more.
    NoSuchPhone(String),
    /// No provider has this id.
    NoSuchProvider(String),
    /// The caller may not do this: only root and the user of the service may.
    NotAllowed(String),
    /// The method does not apply now: wait for the state it asks for.
    NotInThisState(String),
    /// The store cannot be written or read: the message says why. Nothing has changed.
    NotStored(String),
    /// The service is ending: it can be started again.
    Stopping(String),
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
