// SPDX-License-Identifier: GPL-3.0-or-later
//! As whom we speak on a line, and whom we believe there.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::{
    auth::client::Credentials,
    flow::Flow,
    leg::contact_of,
    wire::{Draft, Uri, name},
};

/// As whom we speak on a line. Without one, a leg leads to a phone, and From and To are what the
/// call switch says.
#[derive(Debug, Clone)]
pub struct OnLine {
    /// The address in our From.
    pub from: Uri,
    /// The name in our From; empty for none.
    pub display: String,
    /// Where the far end reaches us.
    pub contact: OwnContact,
    /// What answers a 401 or 407; None answers none.
    pub credentials: Option<Credentials>,
    /// Who we say to be besides the From.
    pub identity: Option<Identity>,
    /// Whether the number is told.
    pub hiding: Hiding,
    /// The proxies that the registrar wants on the way (RFC 3608), behind those of the target.
    pub service_route: Vec<Bytes>,
}

/// Our Contact on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnContact {
    /// This user part at the near end of the flow.
    AtFlow {
        /// The user part, by which an incoming request of the line is known again.
        user: String,
    },
    /// This user part at the address under which the far side sees us.
    Mapped {
        /// The user part.
        user: String,
        /// The address.
        address: SocketAddr,
    },
    /// This address whatever the flow: a GRUU (RFC 5627), which leads to where we are registered.
    Whole {
        /// The user part by which the registrar reaches us.
        user: String,
        /// The address.
        address: Uri,
    },
}

/// A second name for the caller, for those on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// In which field the provider wants it.
    pub field: IdentityField,
    /// The name; empty for none.
    pub display: String,
    /// The address.
    pub address: Uri,
}

/// The field of an [`Identity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// P-Preferred-Identity: what we wish, for a provider to check (RFC 3325 §9.2).
    Preferred,
    /// P-Asserted-Identity: what we vouch for, on a trunk that trusts us (RFC 3325 §9.1).
    Asserted,
    /// Remote-Party-ID, its forerunner.
    RemoteParty,
}

/// Whether the called person sees the number (RFC 3323, RFC 3325).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hiding {
    /// It is shown.
    #[default]
    Shown,
    /// The From is anonymous, and Privacy says `id`.
    Anonymous,
    /// Privacy says `id`; the From stays, as providers want it that know their users by it.
    ByPrivacy,
}

/// RFC 3323 §4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

impl OwnContact {
    /// The user part by which an incoming request of the line is known again.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::AtFlow { user } | Self::Mapped { user, .. } | Self::Whole { user, .. } => user,
        }
    }
}

impl OnLine {
    /// An account that speaks under its own address.
    #[must_use]
    pub fn new(from: Uri, contact_user: impl Into<String>) -> Self {
        Self {
            from,
            display: String::new(),
            contact: OwnContact::AtFlow { user: contact_user.into() },
            credentials: None,
            identity: None,
            hiding: Hiding::Shown,
            service_route: Vec::new(),
        }
    }

    /// The From, without tag.
    #[must_use]
    pub fn from_value(&self) -> String {
        match self.hiding {
            Hiding::Anonymous => ANONYMOUS.to_owned(),
            Hiding::Shown | Hiding::ByPrivacy => named(&self.display, &self.from),
        }
    }

    /// The Contact on a flow.
    #[must_use]
    pub fn contact_value(&self, is_secure: bool, flow: &Flow) -> String {
        match &self.contact {
            OwnContact::AtFlow { user } => contact_of(Some(user), is_secure, flow),
            OwnContact::Mapped { user, address } => {
                contact_of(Some(user), is_secure, &Flow { local: *address, ..*flow })
            }
            OwnContact::Whole { address, .. } => format!("<{address}>"),
        }
    }

    /// Says who we are, and whether that is to be told on.
    pub fn put_identity(&self, draft: &mut Draft) {
        let is_hidden = self.hiding != Hiding::Shown;
        if let Some(Identity { field, display, address }) = &self.identity {
            let value = named(display, address);
            match field {
                IdentityField::Preferred => draft.push(&name::P_PREFERRED_IDENTITY, value),
                IdentityField::Asserted => draft.push(&name::P_ASSERTED_IDENTITY, value),
                IdentityField::RemoteParty => {
                    let privacy = if is_hidden { "full" } else { "off" };
                    let value = format!("{value};party=calling;privacy={privacy};screen=no");
                    draft.push(&name::REMOTE_PARTY_ID, value)
                }
            };
        }
        if is_hidden {
            draft.push(&name::PRIVACY, "id");
        }
    }
}

/// A name-addr.
pub(crate) fn named(display: &str, address: &Uri) -> String {
    let address = address.for_request_line();
    if display.is_empty() {
        return format!("<{address}>");
    }
    let mut text = String::with_capacity(display.len() + 64);
    text.push('"');
    for c in display.chars().take(128) {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text.push_str(&format!("\" <{address}>"));
    text
}
