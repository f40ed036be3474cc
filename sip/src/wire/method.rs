// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use bytes::Bytes;

/// A request method (RFC 3261 §7.1). Compared with regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261.
    Ack,
    /// RFC 3261.
    Bye,
    /// RFC 3261.
    Cancel,
    /// RFC 6086.
    Info,
    /// RFC 3261.
    Invite,
    /// RFC 3428.
    Message,
    /// RFC 6665.
    Notify,
    /// RFC 3261.
    Options,
    /// RFC 3262.
    Prack,
    /// RFC 3903.
    Publish,
    /// RFC 3515.
    Refer,
    /// RFC 3261.
    Register,
    /// RFC 6665.
    Subscribe,
    /// RFC 3311.
    Update,
    /// Any other token, as it was spelled.
    Other(Bytes),
}

impl Method {
    /// The method of that name.
    #[must_use]
    pub fn from_bytes(token: &Bytes) -> Self {
        Self::known(token).unwrap_or_else(|| Self::Other(token.clone()))
    }

    /// The same for a name that stands in something else, copied only if it is not one we know.
    pub(super) fn from_slice(token: &[u8]) -> Self {
        Self::known(token).unwrap_or_else(|| Self::Other(Bytes::copy_from_slice(token)))
    }

    fn known(token: &[u8]) -> Option<Self> {
        Some(match token {
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"INFO" => Self::Info,
            b"INVITE" => Self::Invite,
            b"MESSAGE" => Self::Message,
            b"NOTIFY" => Self::Notify,
            b"OPTIONS" => Self::Options,
            b"PRACK" => Self::Prack,
            b"PUBLISH" => Self::Publish,
            b"REFER" => Self::Refer,
            b"REGISTER" => Self::Register,
            b"SUBSCRIBE" => Self::Subscribe,
            b"UPDATE" => Self::Update,
            _ => return None,
        })
    }

    /// The name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ack => b"ACK",
            Self::Bye => b"BYE",
            Self::Cancel => b"CANCEL",
            Self::Info => b"INFO",
            Self::Invite => b"INVITE",
            Self::Message => b"MESSAGE",
            Self::Notify => b"NOTIFY",
            Self::Options => b"OPTIONS",
            Self::Prack => b"PRACK",
            Self::Publish => b"PUBLISH",
            Self::Refer => b"REFER",
            Self::Register => b"REGISTER",
            Self::Subscribe => b"SUBSCRIBE",
            Self::Update => b"UPDATE",
            Self::Other(token) => token,
        }
    }

    pub(super) fn of_sipx(method: &sipx_sip::Method) -> Self {
        use sipx_sip::Method as Theirs;
        match method {
            Theirs::Ack => Self::Ack,
            Theirs::Bye => Self::Bye,
            Theirs::Cancel => Self::Cancel,
            Theirs::Info => Self::Info,
            Theirs::Invite => Self::Invite,
            Theirs::Message => Self::Message,
            Theirs::Notify => Self::Notify,
            Theirs::Options => Self::Options,
            Theirs::Prack => Self::Prack,
            Theirs::Publish => Self::Publish,
            Theirs::Refer => Self::Refer,
            Theirs::Register => Self::Register,
            Theirs::Subscribe => Self::Subscribe,
            Theirs::Update => Self::Update,
            Theirs::Other(token) => Self::Other(token.clone()),
            other => Self::from_bytes(&Bytes::copy_from_slice(other.as_bytes())),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}
