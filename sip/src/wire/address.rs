// SPDX-License-Identifier: GPL-3.0-or-later

use sipx_sip::Address;

use super::{Headers, Malformed, Uri, name};

/// A URI with an optional display name and parameters (RFC 3261 §20.10).
#[derive(Debug, Clone)]
pub struct NameAddr(Address);

impl NameAddr {
    /// Reads one address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(value: &[u8]) -> Result<Self, Malformed> {
        Address::parse(value, "address").map(Self).map_err(|error| Malformed::new(400, error))
    }

    /// Reads a comma-separated list of addresses.
    ///
    /// # Errors
    /// What is wrong with the first bad one.
    pub fn parse_list(value: &[u8]) -> Result<Vec<Self>, Malformed> {
        Address::parse_list(value, "address")
            .map(|list| list.into_iter().map(Self).collect())
            .map_err(|error| Malformed::new(400, error))
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> Uri {
        Uri(self.0.uri.clone())
    }

    /// The display name, unquoted; empty if there is none.
    #[must_use]
    pub fn display(&self) -> String {
        self.0
            .display_name
            .as_ref()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .unwrap_or_default()
    }

    /// A parameter after the URI; empty for one without value.
    #[must_use]
    pub fn param(&self, wanted: &str) -> Option<&[u8]> {
        self.0
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(wanted.as_bytes()))
            .map(|param| param.value.as_deref().unwrap_or_default())
    }

    /// The `tag` parameter as text.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.param("tag").and_then(|tag| std::str::from_utf8(tag).ok())
    }

    /// All parameters in order.
    pub fn params(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.params.iter().map(|param| (param.name.as_ref(), param.value.as_deref()))
    }
}

/// The Contact fields of a REGISTER (RFC 3261 §10.2).
#[derive(Debug, Clone)]
pub enum ContactList {
    /// `*`: all bindings.
    All,
    /// These; may be empty.
    Some(Vec<NameAddr>),
}

impl ContactList {
    /// Reads all Contact fields.
    ///
    /// # Errors
    /// What is wrong: a bad address, or `*` together with addresses.
    pub fn of(headers: Headers<'_>) -> Result<Self, Malformed> {
        let mut addresses = Vec::new();
        let mut all = false;
        for value in headers.all(&name::CONTACT) {
            if value.trim_ascii() == b"*" {
                all = true;
            } else {
                addresses.extend(NameAddr::parse_list(&value)?);
            }
        }
        match (all, addresses.is_empty()) {
            (true, true) => Ok(Self::All),
            (true, false) => Err(Malformed::new(400, "Contact: * stands beside other contacts")),
            (false, _) => Ok(Self::Some(addresses)),
        }
    }
}
