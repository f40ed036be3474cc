// SPDX-License-Identifier: GPL-3.0-or-later

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use sipx_sip::HeaderName;

/// The name of a header field: without regard to case, compact and long form alike (RFC 3261 §7.3).
#[derive(Clone)]
pub struct Name(pub(super) HeaderName);

impl Name {
    /// A name as it was spelled.
    #[must_use]
    pub fn from_bytes(spelled: &Bytes) -> Self {
        Self(HeaderName::parse(spelled))
    }

    /// The name in its usual spelling, or as it came if it is not one we know.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.canonical()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.canonical().eq_ignore_ascii_case(other.0.canonical())
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $constant:ident = $spelling:literal),* $(,)?) => {
        /// The names of the fields we read or write.
        pub mod name {
            use super::{Bytes, HeaderName, Name};
            $(
                #[doc = concat!("`", $spelling, "`")]
                pub static $constant: std::sync::LazyLock<Name> = std::sync::LazyLock::new(|| {
                    Name(HeaderName::parse(&Bytes::from_static($spelling.as_bytes())))
                });
            )*
        }
    };
}

names! {
    ACCEPT = "Accept",
    ALLOW = "Allow",
    ALLOW_EVENTS = "Allow-Events",
    AUTHENTICATION_INFO = "Authentication-Info",
    AUTHORIZATION = "Authorization",
    CALL_ID = "Call-ID",
    CONTACT = "Contact",
    CONTENT_LENGTH = "Content-Length",
    CONTENT_TYPE = "Content-Type",
    CSEQ = "CSeq",
    DATE = "Date",
    DIVERSION = "Diversion",
    EVENT = "Event",
    EXPIRES = "Expires",
    FLOW_TIMER = "Flow-Timer",
    FROM = "From",
    HISTORY_INFO = "History-Info",
    MAX_FORWARDS = "Max-Forwards",
    MIN_EXPIRES = "Min-Expires",
    MIN_SE = "Min-SE",
    PATH = "Path",
    PRIVACY = "Privacy",
    PROXY_AUTHENTICATE = "Proxy-Authenticate",
    PROXY_AUTHENTICATION_INFO = "Proxy-Authentication-Info",
    PROXY_AUTHORIZATION = "Proxy-Authorization",
    PROXY_REQUIRE = "Proxy-Require",
    P_ASSERTED_IDENTITY = "P-Asserted-Identity",
    P_ASSOCIATED_URI = "P-Associated-URI",
    P_PREFERRED_IDENTITY = "P-Preferred-Identity",
    RACK = "RAck",
    REASON = "Reason",
    RECORD_ROUTE = "Record-Route",
    REFERRED_BY = "Referred-By",
    REFER_SUB = "Refer-Sub",
    REFER_TO = "Refer-To",
    REMOTE_PARTY_ID = "Remote-Party-ID",
    REPLACES = "Replaces",
    REQUIRE = "Require",
    RETRY_AFTER = "Retry-After",
    ROUTE = "Route",
    RSEQ = "RSeq",
    SERVER = "Server",
    SERVICE_ROUTE = "Service-Route",
    SESSION_EXPIRES = "Session-Expires",
    SUBSCRIPTION_STATE = "Subscription-State",
    SUPPORTED = "Supported",
    TIMESTAMP = "Timestamp",
    TO = "To",
    UNSUPPORTED = "Unsupported",
    USER_AGENT = "User-Agent",
    VIA = "Via",
    WARNING = "Warning",
    WWW_AUTHENTICATE = "WWW-Authenticate",
}

/// The header fields of a message that arrived, in order.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a>(pub(super) &'a sipx_sip::Headers);

impl<'a> Headers<'a> {
    /// The first field of that name: unfolded and trimmed.
    #[must_use]
    pub fn value(self, name: &Name) -> Option<Cow<'a, [u8]>> {
        self.0.get(&name.0).map(unfolded)
    }

    /// The first field of that name as text; None if it is missing or no UTF-8.
    #[must_use]
    pub fn text(self, name: &Name) -> Option<String> {
        String::from_utf8(self.value(name)?.into_owned()).ok()
    }

    /// How many fields have that name.
    #[must_use]
    pub fn count(self, name: &Name) -> usize {
        self.0.count(&name.0)
    }

    /// All fields of that name in order, unfolded and trimmed.
    pub fn all(self, name: &Name) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a> {
        let wanted = name.clone();
        self.0.iter().filter(move |header| *header.name() == wanted.0).map(unfolded)
    }

    /// All fields in order: name and value, unfolded and trimmed.
    pub fn iter(self) -> impl Iterator<Item = (Name, Cow<'a, [u8]>)> {
        self.0.iter().map(|header| (Name(header.name().clone()), unfolded(header)))
    }

    /// The option tags or other tokens of a comma-separated list over all fields of that name
    /// (Supported, Require, Allow …).
    #[must_use]
    pub fn has_token(self, name: &Name, token: &str) -> bool {
        self.all(name).any(|value| {
            value
                .split(|&b| b == b',')
                .any(|t| t.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    }

    /// The tokens themselves.
    #[must_use]
    pub fn tokens(self, name: &Name) -> Vec<String> {
        let mut found = Vec::new();
        for value in self.all(name) {
            for token in
                value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|t| !t.is_empty())
            {
                found.push(String::from_utf8_lossy(token).into_owned());
            }
        }
        found
    }

    /// The first field of that name as a decimal number of at most 32 bits, anything after `;`
    /// ignored.
    #[must_use]
    pub fn number(self, name: &Name) -> Option<u32> {
        let value = self.value(name)?;
        let digits = value.split(|&b| b == b';').next()?.trim_ascii();
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

/// The value without folds and blanks around it. Hardly any has a fold (RFC 3261 §7.3.1 only keeps
/// them from RFC 2822), so that is found out first, many octets at a time.
pub(super) fn unfolded(header: &sipx_sip::Header) -> Cow<'_, [u8]> {
    let raw = header.raw_value();
    if memchr::memchr2(b'\r', b'\n', raw).is_some() {
        return header.value();
    }
    Cow::Borrowed(raw.trim_ascii())
}
