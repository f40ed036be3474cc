// SPDX-License-Identifier: GPL-3.0-or-later
//! What the XML promises, the Rust side repeats.

mod peer;
mod proxies;

use std::{collections::BTreeSet, fmt::Debug, str::FromStr};

use zbus::{
    DBusError as _,
    zvariant::{LE, OwnedValue, Value, serialized::Context, to_bytes},
};

use crate::{
    Error, contract, digest, names,
    wire::{
        AccountState, Authentication, CallState, CertificateFault, DigestProblem, DigestSource,
        EmergencyAbility, EmergencyState, EndReason, ExtensionKind, LegRole, LegState, LineKind,
        LineUsable, LoginState, MessageState, Origin, PasswordKept, ProviderKind, Severity,
    },
};

fn round_trip<W>(all: &[W])
where
    W: Copy
        + Debug
        + PartialEq
        + ToString
        + FromStr<Err: Debug>
        + zbus::zvariant::Type
        + serde::Serialize
        + for<'de> serde::Deserialize<'de>
        + Into<Value<'static>>
        + TryFrom<Value<'static>, Error = zbus::zvariant::Error>
        + TryFrom<OwnedValue, Error = zbus::zvariant::Error>,
{
    let mut seen = BTreeSet::new();
    for &word in all {
        let text = word.to_string();
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{text}");
        assert!(seen.insert(text.clone()), "{text} twice");
        assert_eq!(text.parse::<W>().expect("its own word"), word);

        let context = Context::new_dbus(LE, 0);
        let bytes = to_bytes(context, &word).expect("a string");
        assert_eq!(bytes.deserialize::<String>().expect("a string").0, text);
        assert_eq!(bytes.deserialize::<W>().expect("its own bytes").0, word);

        let value: Value<'static> = word.into();
        assert_eq!(value.value_signature().to_string(), "s");
        assert_eq!(W::try_from(value.try_to_owned().expect("no descriptor")).expect("owned"), word);
        assert_eq!(W::try_from(value).expect("its own value"), word);
    }
    assert!(W::from_str("no such word").is_err());
    assert!(W::try_from(Value::from("no such word")).is_err());
    assert!(W::try_from(Value::from(7_u32)).is_err());
}

#[test]
fn every_word_comes_back_from_the_wire() {
    round_trip(CallState::ALL);
    round_trip(LegState::ALL);
    round_trip(LegRole::ALL);
    round_trip(Origin::ALL);
    round_trip(ExtensionKind::ALL);
    round_trip(Authentication::ALL);
    round_trip(LoginState::ALL);
    round_trip(MessageState::ALL);
    round_trip(ProviderKind::ALL);
    round_trip(EmergencyAbility::ALL);
    round_trip(Severity::ALL);
    round_trip(EmergencyState::ALL);
    round_trip(AccountState::ALL);
    round_trip(CertificateFault::ALL);
    round_trip(PasswordKept::ALL);
    round_trip(LineKind::ALL);
    round_trip(LineUsable::ALL);
    round_trip(EndReason::ALL);
    round_trip(DigestProblem::ALL);
    round_trip(DigestSource::ALL);
}

#[test]
fn every_word_is_documented() {
    for (xml, words) in [
        (crate::xml::CALL, CallState::ALL.iter().map(ToString::to_string).collect::<Vec<_>>()),
        (crate::xml::CALL, LegState::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::CALL, LegRole::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::CALL, Origin::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::EXTENSION, ExtensionKind::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::SIPWITCH, EmergencyState::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::SIPWITCH, MessageState::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::PROVIDERS, ProviderKind::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::PROVIDERS, EmergencyAbility::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::PROVIDERS, Severity::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::ACCOUNT, AccountState::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::ACCOUNT, CertificateFault::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::ACCOUNT, PasswordKept::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::LINE, LineKind::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::EXTENSION, Authentication::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::EXTENSION, LoginState::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::ENDPOINT, EndReason::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::LINE, LineUsable::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::DIGEST, DigestProblem::ALL.iter().map(ToString::to_string).collect()),
        (crate::xml::DIGEST, DigestSource::ALL.iter().map(ToString::to_string).collect()),
    ] {
        for word in words {
            assert!(xml.contains(&format!("\"{word}\"")), "{word} stands in no documentation");
        }
    }
}

#[test]
fn an_unknown_word_is_refused_with_those_that_would_do() {
    let error = "team".parse::<ExtensionKind>().expect_err("no kind");
    assert_eq!(
        error.to_string(),
        "\"team\" is no kind of extension; it is one of person, group, service"
    );
}

#[test]
fn the_xml_names_our_interfaces_and_documents_every_member() {
    let master = contract::master();
    let interfaces: Vec<_> = master.keys().map(String::as_str).collect();
    assert_eq!(
        interfaces,
        [
            names::SIPWITCH_INTERFACE,
            names::ACCOUNT_INTERFACE,
            names::BLOCKING_INTERFACE,
            names::CALL_INTERFACE,
            names::ENDPOINT_INTERFACE,
            names::EXTENSION_INTERFACE,
            names::LINE_INTERFACE,
            names::PHONE_INTERFACE,
            names::PROVIDERS_INTERFACE,
            names::RULES_INTERFACE,
        ]
    );
    assert_eq!(contract::digest_master().keys().collect::<Vec<_>>(), [digest::INTERFACE]);
    for text in crate::xml::ALL.iter().chain([&crate::xml::DIGEST]) {
        for interface in contract::read(text).expect("the XML can be read").values() {
            let members = interface.methods.keys().chain(interface.signals.keys());
            for member in members.chain(interface.properties.keys()) {
                assert!(text.contains(&format!(" {member}:")), "{member} is not documented");
            }
            for (name, method) in &interface.methods {
                for (argument, _) in method.takes.iter().chain(&method.answers) {
                    assert!(text.contains(&format!("@{argument}:")), "{argument} of {name}");
                }
            }
        }
    }
}

#[test]
fn every_error_has_its_name_and_the_xml_speaks_of_it() {
    let says = || String::from("message");
    let errors = [
        Error::AlreadyExists(says()),
        Error::BadContact(says()),
        Error::BadValue(says()),
        Error::EmergencyUnavailable(says()),
        Error::LimitReached(says()),
        Error::NoPhone(says()),
        Error::NoRoute(says()),
        Error::NoSuchAccount(says()),
        Error::NoSuchCall(says()),
        Error::NoSuchExtension(says()),
        Error::NoSuchPhone(says()),
        Error::NoSuchProvider(says()),
        Error::NotAllowed(says()),
        Error::NotInThisState(says()),
        Error::NotStored(says()),
        Error::Stopping(says()),
    ];
    for error in errors {
        let debug = format!("{error:?}");
        let variant = debug.split('(').next().expect("a name");
        assert_eq!(error.name().as_str(), format!("{}.{variant}", names::ERROR_PREFIX));
        assert_eq!(error.description(), Some("message"));
        assert!(crate::xml::ALL.iter().any(|text| text.contains(variant)), "{variant}");
    }
}

#[test]
fn every_error_of_the_digest_service_has_its_name_and_its_xml_speaks_of_it() {
    let says = || String::from("message");
    let errors = [
        digest::Error::BadResponse(says()),
        digest::Error::BadValue(says()),
        digest::Error::CannotProve(says()),
        digest::Error::LimitReached(says()),
        digest::Error::NoSuchUser(says()),
        digest::Error::NotAuthorized(says()),
        digest::Error::NotEnrolled(says()),
        digest::Error::NotStored(says()),
        digest::Error::ReadOnly(says()),
        digest::Error::TooManyFailures(says()),
        digest::Error::WrongPassword(says()),
    ];
    for error in errors {
        let debug = format!("{error:?}");
        let variant = debug.split('(').next().expect("a name");
        assert_eq!(error.name().as_str(), format!("{}.{variant}", digest::ERROR_PREFIX));
        assert_eq!(error.description(), Some("message"));
        assert!(crate::xml::DIGEST.contains(variant), "{variant}");
    }
    for action in [digest::ACTION_CHANGE_OWN, digest::ACTION_MANAGE] {
        assert!(crate::xml::DIGEST.contains(action), "{action}");
    }
}
