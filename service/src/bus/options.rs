// SPDX-License-Identifier: GPL-3.0-or-later
//! Dictionaries that programs send, read to the last key.

use std::collections::HashMap;

use sipwitch_core::number::Region;
use sipwitch_dbus_interfaces::{
    Error, ObjectName,
    wire::{Authentication, ExtensionKind, ProviderKind, RuleInfo},
};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use crate::{
    accounts::Holder,
    secret::Secret,
    switchboard::ask::{
        AccountChange, DialOptions, EndpointDial, ExtensionChange, Leaving, NewAccount, NewEndpoint,
    },
};

/// More words than that of a search are not looked for.
const SEARCH_WORDS: usize = 16;

/// `a{sv}`.
pub(super) type Dictionary = HashMap<String, OwnedValue>;

/// Reads one dictionary; at the end nothing may be left.
struct Options {
    of: &'static str,
    entries: Dictionary,
    known: Vec<&'static str>,
}

impl Options {
    const fn new(of: &'static str, entries: Dictionary) -> Self {
        Self { of, entries, known: Vec::new() }
    }

    fn take<T>(&mut self, key: &'static str) -> Result<Option<T>, Error>
    where
        T: TryFrom<OwnedValue, Error = zbus::zvariant::Error>,
    {
        self.known.push(key);
        let Some(value) = self.entries.remove(key) else { return Ok(None) };
        let signature = value.value_signature().to_string();
        value.try_into().map(Some).map_err(|error| {
            let of = self.of;
            Error::BadValue(match error {
                zbus::zvariant::Error::Message(words) => format!("{key} of {of}: {words}"),
                _ => format!("{key} of {of} cannot be of type {signature}; see the interface"),
            })
        })
    }

    fn finish(self) -> Result<(), Error> {
        let Some(stray) = self.entries.keys().min() else { return Ok(()) };
        let of = self.of;
        Err(Error::BadValue(if self.known.is_empty() {
            format!("{of} knows no {stray:?}; it takes none of these yet")
        } else {
            format!("{of} knows no {stray:?}; it knows {}", self.known.join(", "))
        }))
    }
}

/// Options of a method that has none yet.
pub(super) fn none(of: &'static str, entries: Dictionary) -> Result<(), Error> {
    Options::new(of, entries).finish()
}

/// Options of `Dial` and `Explain`.
pub(super) fn dial(of: &'static str, entries: Dictionary) -> Result<DialOptions, Error> {
    let mut options = Options::new(of, entries);
    let dial = DialOptions {
        from: options.take("from")?,
        display: options.take("display")?,
        ring_seconds: options.take("ring-seconds")?,
        detached: options.take("detached")?.unwrap_or_default(),
        hide_number: options.take("hide-number")?.unwrap_or_default(),
        also: options.take("also")?.unwrap_or_default(),
    };
    options.finish().map(|()| dial)
}

/// Options of `RegisterEndpoint`.
pub(super) fn endpoint(entries: Dictionary) -> Result<NewEndpoint, Error> {
    let mut options = Options::new("RegisterEndpoint", entries);
    let endpoint = NewEndpoint {
        extension: options.take("extension")?,
        account: options.take::<OwnedObjectPath>("account")?.map(account_at).transpose()?,
        name: options.take("name")?.unwrap_or_default(),
        all_calls: options.take("all-calls")?.unwrap_or_default(),
        anchored: options.take("anchored")?.unwrap_or_default(),
        marks_read: options.take("marks-read")?.unwrap_or_default(),
    };
    options.finish().map(|()| endpoint)
}

fn account_at(path: OwnedObjectPath) -> Result<String, Error> {
    match ObjectName::from_path(&path) {
        Some(ObjectName::Account(id)) => Ok(id),
        _ => Err(Error::BadValue(format!("account: {path} is the path of no account"))),
    }
}

/// Options of an endpoint's `Dial`.
pub(super) fn endpoint_dial(entries: Dictionary) -> Result<EndpointDial, Error> {
    let mut options = Options::new("Dial", entries);
    let dial = EndpointDial {
        display: options.take("display")?,
        ring_seconds: options.take("ring-seconds")?,
        hide_number: options.take("hide-number")?.unwrap_or_default(),
        also: options.take("also")?.unwrap_or_default(),
    };
    options.finish().map(|()| dial)
}

/// Options of `HangUp`, and of `Reject`, which has its code elsewhere.
pub(super) fn leaving(of: &'static str, entries: Dictionary) -> Result<Leaving, Error> {
    let mut options = Options::new(of, entries);
    let leaving = Leaving {
        sip_code: if of == "HangUp" { options.take("sip-code")? } else { None },
        q850: options.take("q850-cause")?,
        words: options.take("words")?,
    };
    options.finish().map(|()| leaving)
}

/// Options of an endpoint's `SendMessage`: the type of the text.
pub(super) fn content_type(entries: Dictionary) -> Result<Option<String>, Error> {
    let mut options = Options::new("SendMessage", entries);
    let kind = options.take("content-type")?;
    options.finish().map(|()| kind)
}

/// Options of an endpoint's `Texts`: whether only those that were not read.
pub(super) fn unread(entries: Dictionary) -> Result<bool, Error> {
    let mut options = Options::new("Texts", entries);
    let unread: Option<bool> = options.take("unread")?;
    options.finish().map(|()| unread.unwrap_or_default())
}

/// Options of an endpoint's `Transfer`: the other leg.
pub(super) fn other_leg(entries: Dictionary) -> Result<Option<u64>, Error> {
    let mut options = Options::new("Transfer", entries);
    let other = options.take("other-leg")?;
    options.finish().map(|()| other)
}

/// A rule of routing.
pub(super) fn rule(entries: Dictionary) -> Result<RuleInfo, Error> {
    let mut options = Options::new("a rule", entries);
    let rule = RuleInfo {
        name: options.take("name")?.unwrap_or_default(),
        numbers: options.take("numbers")?,
        domains: options.take("domains")?,
        classes: options.take("classes")?,
        from: options.take("from")?,
        days: options.take("days")?,
        hours: options.take("hours")?,
        action: options.take("action")?,
        strip: options.take("strip")?,
        prefix: options.take("prefix")?,
        suffix: options.take("suffix")?,
        prefer: options.take("prefer")?,
        only: options.take("only")?,
        never: options.take("never")?,
    };
    options.finish().map(|()| rule)
}

/// Whether a rule comes before all others.
pub(super) fn first(of: &'static str, entries: Dictionary) -> Result<bool, Error> {
    let mut options = Options::new(of, entries);
    let first = options.take("first")?.unwrap_or_default();
    options.finish().map(|()| first)
}

/// Options of `Blocking.Add`: the reason.
pub(super) fn reason(entries: Dictionary) -> Result<String, Error> {
    let mut options = Options::new("Add", entries);
    let reason: Option<String> = options.take("reason")?;
    options.finish().map(|()| reason.unwrap_or_default())
}

/// Options of `SendMessage`: the sender.
pub(super) fn message(entries: Dictionary) -> Result<Option<String>, Error> {
    let mut options = Options::new("SendMessage", entries);
    let from = options.take("from")?;
    options.finish().map(|()| from)
}

/// Which providers are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProviderFilter {
    pub(super) country: Option<Region>,
    pub(super) kind: Option<ProviderKind>,
    /// In lower case.
    pub(super) words: Vec<String>,
    /// Empty for the usual names.
    pub(super) language: String,
}

/// Options of `ListProviders`.
pub(super) fn providers(entries: Dictionary) -> Result<ProviderFilter, Error> {
    let mut options = Options::new("ListProviders", entries);
    let country = options.take::<String>("country")?;
    let country = country.map(|country| country.parse::<Region>()).transpose();
    let search: String = options.take("search")?.unwrap_or_default();
    let filter = ProviderFilter {
        country: country.map_err(|error| Error::BadValue(error.to_string()))?,
        kind: options.take("kind")?,
        words: search.split_whitespace().take(SEARCH_WORDS).map(str::to_lowercase).collect(),
        language: options.take("language")?.unwrap_or_default(),
    };
    options.finish().map(|()| filter)
}

/// The language that is wanted; empty for the usual one.
pub(super) fn language(of: &'static str, entries: Dictionary) -> Result<String, Error> {
    let mut options = Options::new(of, entries);
    let language = options.take("language")?.unwrap_or_default();
    options.finish().map(|()| language)
}

/// Options of `CheckProvider`: the name of the file.
pub(super) fn file_name(entries: Dictionary) -> Result<Option<String>, Error> {
    let mut options = Options::new("CheckProvider", entries);
    let name = options.take("file-name")?;
    options.finish().map(|()| name)
}

/// What an extension is to become.
pub(super) fn extension(of: &'static str, entries: Dictionary) -> Result<ExtensionChange, Error> {
    let mut options = Options::new(of, entries);
    let change = ExtensionChange {
        name: options.take("name")?,
        kind: options.take::<ExtensionKind>("kind")?.map(|kind| kind.to_string()),
        members: options.take("members")?,
        ring_seconds: options.take("ring-seconds")?,
        password: options.take::<String>("password")?.map(Secret::new),
        authentication: options
            .take::<Authentication>("authentication")?
            .map(|way| way.to_string()),
    };
    options.finish().map(|()| change)
}

/// What an account is to become.
pub(super) fn account(of: &'static str, entries: Dictionary) -> Result<AccountChange, Error> {
    let mut options = Options::new(of, entries);
    let change = account_change(&mut options)?;
    options.finish().map(|()| change)
}

/// An account that is to be.
pub(super) fn new_account(entries: Dictionary) -> Result<NewAccount, Error> {
    let mut options = Options::new("AddAccount", entries);
    let account = NewAccount {
        id: options.take("id")?,
        provider: options.take("provider")?,
        domain: options.take("domain")?,
        gateway: options.take("gateway")?,
        kind: options.take("kind")?,
        holder: match options.take("transient")? {
            // The desk knows the name.
            Some(true) => Holder::Program(None),
            Some(false) | None => Holder::User,
        },
        change: account_change(&mut options)?,
    };
    options.finish().map(|()| account)
}

fn account_change(options: &mut Options) -> Result<AccountChange, Error> {
    let pairs = |map: Option<HashMap<String, String>>| map.unwrap_or_default().into_iter();
    Ok(AccountChange {
        title: options.take("title")?,
        enabled: options.take("enabled")?,
        incoming: options.take("incoming")?,
        users: options.take("users")?,
        order: options.take("order")?,
        region: options.take("region")?,
        answers: pairs(options.take("answers")?)
            .map(|(key, answer)| (key, Secret::new(answer)))
            .collect(),
        settings: pairs(options.take("settings")?).collect(),
        password: options.take::<String>("password")?.map(Secret::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::zvariant::Value;

    fn entries(pairs: &[(&str, Value<'_>)]) -> Dictionary {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), value.try_to_owned().expect("no descriptor")))
            .collect()
    }

    #[test]
    fn what_is_known_is_taken() {
        let options = entries(&[("from", "101".into()), ("ring-seconds", 20_u32.into())]);
        let wanted =
            DialOptions { from: Some("101".into()), ring_seconds: Some(20), ..Default::default() };
        assert_eq!(dial("Dial", options), Ok(wanted));

        let change = extension(
            "AddExtension",
            entries(&[
                ("kind", "group".into()),
                ("members", vec!["101", "102"].into()),
                ("password", "secret".into()),
            ]),
        )
        .expect("all known");
        assert_eq!(change.kind.as_deref(), Some("group"));
        assert_eq!(change.members, Some(vec!["101".into(), "102".into()]));
        assert_eq!(change.password.expect("given").expose(), "secret");
    }

    #[test]
    fn a_misspelled_key_a_wrong_type_and_an_unknown_word_are_refused_by_name() {
        for (result, words) in [
            (
                dial("Dial", entries(&[("ring", 20_u32.into())])).map(drop),
                "Dial knows no \"ring\"; it knows from, display, ring-seconds, detached, hide-number, \
                 also",
            ),
            (
                dial("Dial", entries(&[("ring-seconds", "20".into())])).map(drop),
                "ring-seconds of Dial cannot be of type s; see the interface",
            ),
            (
                extension("Update", entries(&[("kind", "team".into())])).map(drop),
                "kind of Update: \"team\" is no kind of extension; it is one of person, group, \
                 service",
            ),
            (
                none("History", entries(&[("since", 1_u64.into())])),
                "History knows no \"since\"; it takes none of these yet",
            ),
        ] {
            assert_eq!(result, Err(Error::BadValue(words.into())));
        }
    }
}
