// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections of the protocol `sip`.

use std::{collections::HashMap, time::Duration};

use zbus::{
    message::Type,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use super::desk::{CONNECTION, Desk, MANAGER, PROPERTIES};
use crate::{
    definition::authentication::SASL,
    object::{MANAGER_PATH, Object},
    password::MECHANISM,
    protocol::Protocol,
};

const PATH: &str = "/org/freedesktop/Telepathy/Connection/sipwitch/sip/account1";
const ASKED: &str = "/org/freedesktop/Telepathy/Connection/sipwitch/sip/account1/password1";
const CHANNEL: &str = "org.freedesktop.Telepathy.Channel";
const ALIASING: &str = "org.freedesktop.Telepathy.Connection.Interface.Aliasing";
const ERROR: &str = "org.freedesktop.Telepathy.Error.";

fn alice<'a>(more: &[(&'a str, Value<'a>)]) -> HashMap<&'a str, Value<'a>> {
    let mut all = HashMap::from([("account", Value::from("alice@Example.org"))]);
    all.extend(more.iter().map(|(key, value)| (*key, value.try_clone().expect("no descriptor"))));
    all
}

fn request(desk: &mut Desk, given: &HashMap<&str, Value<'_>>) -> Result<String, String> {
    let made: Result<(String, OwnedObjectPath), String> =
        desk.call(MANAGER_PATH, MANAGER, "RequestConnection", &("sip", given));
    made.map(|(_, path)| path.to_string())
}

/// A connection that was told to connect.
fn connecting(more: &[(&str, Value<'_>)]) -> Desk {
    let mut desk = Desk::new();
    assert_eq!(request(&mut desk, &alice(more)).as_deref(), Ok(PATH));
    desk.call::<_, ()>(PATH, CONNECTION, "Connect", &()).expect("it connects");
    desk
}

/// What the service was asked to make.
fn asked_for(desk: &Desk) -> HashMap<String, OwnedValue> {
    desk.last("AddAccount")
}

fn statuses(desk: &Desk) -> Vec<(u32, u32)> {
    let is_status = |sent: &&zbus::Message| {
        sent.message_type() == Type::Signal
            && sent.header().member().is_some_and(|name| name == "StatusChanged")
    };
    let of = |sent: &zbus::Message| sent.body().deserialize().expect("(uu)");
    desk.sent.iter().filter(is_status).map(of).collect()
}

#[test]
fn a_connection_stands_when_its_account_is_registered_and_not_before() {
    let mut desk = connecting(&[
        ("password", "secret".into()),
        ("auth-user", "alice2".into()),
        ("alias", "Alice".into()),
        ("registrar", "sip:reg.example.org".into()),
        ("proxy-host", "proxy.example.org".into()),
        ("port", 5070u32.into()),
        ("transport", "tcp".into()),
        ("keepalive-mechanism", "options".into()),
        ("keepalive-interval", 60u32.into()),
        ("discover-binding", true.into()),
        ("stun-server", "stun.example.org".into()),
        ("ignore-tls-errors", false.into()),
    ]);
    let asked = asked_for(&desk);
    let text = |name: &str| asked[name].downcast_ref::<String>().expect("a text");
    assert_eq!((text("domain"), text("password")), ("example.org".into(), "secret".into()));
    assert_eq!(asked["transient"].downcast_ref::<bool>(), Ok(true));
    let map = |name: &str| -> HashMap<String, String> {
        asked[name].try_clone().expect("no descriptor").try_into().expect("a{ss}")
    };
    assert_eq!(map("answers"), HashMap::from([("user".into(), "alice".into())]));
    let mut settings: Vec<(String, String)> = map("settings").into_iter().collect();
    settings.sort();
    let settings: Vec<String> =
        settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        settings,
        [
            "auth.auth-user=alice2",
            "identity.display-name=Alice",
            "nat.contact=mapped",
            "nat.keepalive.interval-seconds=60",
            "nat.keepalive.method=options",
            "server.outbound-proxy=proxy.example.org",
            "server.port=5070",
            "server.registrar=reg.example.org",
            "server.transports=tcp",
        ]
    );
    assert_eq!(statuses(&desk), [(1, 1)], "it connects");
    desk.account_is("online", "");
    assert_eq!(statuses(&desk), [(1, 1), (0, 1)]);
    let own: OwnedValue =
        desk.call(PATH, PROPERTIES, "Get", &(CONNECTION, "SelfID")).expect("known");
    assert_eq!(own.downcast_ref::<String>(), Ok("sip:alice@example.org".into()));

    let own: u32 = desk.call(PATH, CONNECTION, "GetSelfHandle", &()).expect("known");
    // Mission Control gives an account without a nickname its identifier for one.
    for (chosen, shown) in [("sip:alice@example.org", "Alice"), ("Alice at work", "Alice at work")]
    {
        let wanted = HashMap::from([(own, chosen)]);
        desk.call::<_, ()>(PATH, ALIASING, "SetAliases", &wanted).expect("ours");
        let all: HashMap<u32, String> =
            desk.call(PATH, ALIASING, "GetAliases", &vec![own]).expect("known");
        assert_eq!(all[&own], shown);
    }

    // Refreshed, it stays; once it is lost, it ends.
    desk.account_is("registering", "");
    assert_eq!(statuses(&desk).len(), 2);
    desk.account_is("unreachable", "the provider does not answer");
    assert_eq!(statuses(&desk), [(1, 1), (0, 1), (2, 2)]);
    let (error, details): (String, HashMap<String, OwnedValue>) = desk.last("ConnectionError");
    assert_eq!(error, format!("{ERROR}NetworkError"));
    let words = details["server-message"].downcast_ref::<String>().expect("words");
    assert_eq!(words, "the provider does not answer");
    let members = desk.members();
    let at = |name: &str| members.iter().rposition(|member| member == name).expect("it was sent");
    assert!(at("ConnectionError") < at("StatusChanged"), "{members:?}");
    assert!(members[at("ConnectionError")..].contains(&"Remove".to_owned()), "{members:?}");
    assert!(!desk.bridge.paths().contains(&PATH.to_owned()));
}

#[test]
fn a_missing_password_is_asked_for_until_it_is_right() {
    let mut desk = connecting(&[]);
    assert!(!asked_for(&desk).contains_key("password"));
    desk.account_is("needs-password", "no password is kept for it");
    let (channels,): (Vec<(OwnedObjectPath, HashMap<String, OwnedValue>)>,) =
        desk.last("NewChannels");
    let (path, properties) = &channels[0];
    assert_eq!(path.as_str(), ASKED);
    let kind = properties["org.freedesktop.Telepathy.Channel.ChannelType"].downcast_ref::<&str>();
    assert_eq!(kind, Ok("org.freedesktop.Telepathy.Channel.Type.ServerAuthentication"));
    assert!(desk.bridge.paths().contains(&ASKED.to_owned()));
    for interface in Object::at(ASKED).expect("one of ours").interfaces() {
        let all: HashMap<String, OwnedValue> =
            desk.call(ASKED, PROPERTIES, "GetAll", &interface.name).expect("properties");
        for property in interface.properties {
            let found = all[property.name].value_signature().to_string();
            assert_eq!(found, property.signature, "{}.{}", interface.name, property.name);
        }
    }

    let start = |desk: &mut Desk, mechanism: &str, data: &[u8]| {
        desk.call::<_, ()>(ASKED, SASL.name, "StartMechanismWithData", &(mechanism, data))
    };
    let unknown = start(&mut desk, "PLAIN", b"x");
    assert_eq!(unknown, Err(format!("{ERROR}NotImplemented")));
    for bad in [&b""[..], b"\xff", b"a\nb", &[b'x'; 256]] {
        assert_eq!(start(&mut desk, MECHANISM, bad), Err(format!("{ERROR}InvalidArgument")));
    }
    let early = desk.call::<_, ()>(ASKED, SASL.name, "AcceptSASL", &());
    assert_eq!(early, Err(format!("{ERROR}NotAvailable")));

    start(&mut desk, MECHANISM, b"wrong").expect("it is tried");
    assert_eq!(desk.last::<String>("SetPassword"), "wrong");
    desk.account_is("registering", "");
    let twice = start(&mut desk, MECHANISM, b"wrong");
    assert_eq!(twice, Err(format!("{ERROR}NotAvailable")), "one at a time");
    desk.account_is("needs-password", "the provider refused the password");
    let (status, error, _): (u32, String, HashMap<String, OwnedValue>) =
        desk.last("SASLStatusChanged");
    assert_eq!((status, error), (5, format!("{ERROR}AuthenticationFailed")));
    assert_eq!(statuses(&desk), [(1, 1)], "the user may try another");

    desk.sent.clear();
    start(&mut desk, MECHANISM, b"wrong").expect("again");
    assert!(desk.members().contains(&"TryAgain".into()), "it is shown once more");
    desk.account_is("needs-password", "the provider refused the password");
    start(&mut desk, MECHANISM, b"right").expect("another");
    desk.account_is("online", "");
    let (status, ..): (u32, String, HashMap<String, OwnedValue>) = desk.last("SASLStatusChanged");
    assert_eq!(status, 2);
    assert_eq!(statuses(&desk), [], "the client is to know first");
    desk.call::<_, ()>(ASKED, SASL.name, "AcceptSASL", &()).expect("it succeeded");
    assert_eq!(statuses(&desk), [(0, 1)]);
    desk.call::<_, ()>(ASKED, CHANNEL, "Close", &()).expect("it is done");
    assert!(!desk.bridge.paths().contains(&ASKED.to_owned()));
    assert_eq!(statuses(&desk), [(0, 1)], "it stands");
}

#[test]
fn a_password_that_nobody_gives_ends_the_connection_and_is_not_tried_again() {
    let mut desk = connecting(&[("password", "wrong".into())]);
    desk.account_is("needs-password", "the provider refused the password");
    desk.call::<_, ()>(ASKED, SASL.name, "AbortSASL", &(1u32, "no")).expect("given up");
    desk.call::<_, ()>(ASKED, CHANNEL, "Close", &()).expect("closed");
    assert_eq!(statuses(&desk), [(1, 1), (2, 3)]);
    let (error, _): (String, HashMap<String, OwnedValue>) = desk.last("ConnectionError");
    assert_eq!(error, format!("{ERROR}AuthenticationFailed"));

    let mut desk = connecting(&[("password", "right".into())]);
    desk.account_is("refused", "the provider refuses this account (404)");
    assert_eq!(statuses(&desk), [(1, 1), (2, 3)]);
}

#[test]
fn what_is_wrong_with_the_providers_certificate_is_told_before_the_connection_ends() {
    for (word, error, reason) in [
        ("none", "NetworkError", 2),
        ("unknown-issuer", "Cert.Untrusted", 7),
        ("expired", "Cert.Expired", 8),
        ("not-yet-valid", "Cert.NotActivated", 9),
        ("other-name", "Cert.HostnameMismatch", 10),
        ("self-signed", "Cert.SelfSigned", 12),
        ("other-purpose", "Cert.Invalid", 13),
        ("unsound", "Cert.Invalid", 13),
        ("a word of tomorrow", "Cert.Invalid", 13),
        ("revoked", "Cert.Revoked", 14),
    ] {
        let mut desk = connecting(&[("password", "right".into())]);
        desk.account_changes(&[
            ("State", "unreachable"),
            ("StateReason", "its certificate"),
            ("CertificateFault", word),
        ]);
        assert_eq!(statuses(&desk), [(1, 1), (2, reason)], "{word}");
        let (told, details): (String, HashMap<String, OwnedValue>) = desk.last("ConnectionError");
        assert_eq!(told, format!("{ERROR}{error}"));
        assert_eq!(*details["server-message"], Value::from("its certificate"));
        let at = |member| {
            let members =
                desk.sent.iter().map(|sent| sent.header().member().map(ToString::to_string));
            members.collect::<Vec<_>>().iter().rposition(|found| found.as_deref() == Some(member))
        };
        assert!(at("ConnectionError") < at("StatusChanged"), "{word}");
    }

    // What is wrong no more does not stay.
    let mut desk = connecting(&[("password", "right".into())]);
    desk.account_changes(&[("CertificateFault", "expired"), ("State", "registering")]);
    desk.account_changes(&[("CertificateFault", "none"), ("State", "unreachable")]);
    assert_eq!(statuses(&desk), [(1, 1), (2, 2)]);
}

#[test]
fn a_service_that_does_not_answer_leaves_nobody_connecting_for_ever() {
    let mut desk = Desk::new();
    request(&mut desk, &alice(&[])).expect("a connection");
    desk.is_served = false;
    desk.call::<_, ()>(PATH, CONNECTION, "Connect", &()).expect("it connects");
    desk.now = desk.bridge.next_deadline().expect("its patience ends");
    desk.bridge.handle_deadline(desk.now);
    desk.drain();
    assert_eq!(statuses(&desk), [(1, 1), (2, 2)]);
    assert_eq!(desk.bridge.next_deadline(), Some(desk.now + Duration::from_secs(5)));

    // A user who is asked for a password may take as long as he likes, and what stands needs no
    // waking up.
    let mut desk = connecting(&[]);
    assert!(desk.bridge.next_deadline().is_some());
    desk.account_is("needs-password", "");
    assert_eq!(desk.bridge.next_deadline(), None);
    let mut desk = connecting(&[]);
    desk.account_is("online", "");
    assert_eq!(desk.bridge.next_deadline(), None);
}

#[test]
fn parameters_that_cannot_be_are_named() {
    let mut desk = Desk::new();
    for (name, value) in [
        ("account", Value::from("nobody")),
        ("account", Value::from("@example.org")),
        ("account", Value::from(7u32)),
        ("password", Value::from(true)),
        ("port", Value::from(65_536u32)),
        ("port", Value::from(-1i32)),
        ("keepalive-interval", Value::from(1u64 << 32)),
        ("port", Value::from("5060")),
        ("transport", Value::from("pigeon")),
        ("keepalive-mechanism", Value::from("pigeon")),
        ("proxy-host", Value::from("host:port")),
        ("registrar", Value::from("sip:")),
        ("alias", Value::from("a\nb")),
        ("auth-user", Value::from("x".repeat(256))),
        ("no-such", Value::from("x")),
    ] {
        let refused = request(&mut desk, &alice(&[(name, value)]));
        assert_eq!(refused, Err(format!("{ERROR}InvalidArgument")), "{name}");
    }
    let refused = request(&mut desk, &HashMap::from([("password", "x".into())]));
    assert_eq!(refused, Err(format!("{ERROR}InvalidArgument")), "the account is missing");
    assert!(desk.bridge.paths().iter().all(|path| !path.contains("/Connection/")));
}

#[test]
fn there_are_seven_connections_to_providers_beside_the_house_and_one_of_each_account() {
    let mut desk = Desk::connected();
    for number in 1..=7 {
        let account = format!("user{number}@example.org");
        let given = HashMap::from([("account", Value::from(account.clone()))]);
        let path = request(&mut desk, &given).expect("there is room");
        assert!(path.ends_with(&format!("/account{number}")));
        assert_eq!(request(&mut desk, &given), Err(format!("{ERROR}NotAvailable")), "{account}");
    }
    assert_eq!(request(&mut desk, &alice(&[])), Err(format!("{ERROR}NotAvailable")));
    let second = "/org/freedesktop/Telepathy/Connection/sipwitch/sip/account2";
    desk.call::<_, ()>(second, CONNECTION, "Disconnect", &()).expect("it ends");
    assert_eq!(request(&mut desk, &alice(&[])).as_deref(), Ok(second));
    // The house is as it was.
    let house = super::desk::CONNECTION_PATH;
    assert_eq!(desk.call(house, CONNECTION, "GetStatus", &()), Ok(0u32));
}

#[test]
fn what_was_asked_for_a_connection_that_ended_is_given_back() {
    let mut desk = Desk::new();
    request(&mut desk, &alice(&[])).expect("a connection");
    desk.is_served = false;
    desk.call::<_, ()>(PATH, CONNECTION, "Connect", &()).expect("it connects");
    let is_wanted =
        |sent: &&zbus::Message| sent.header().member().is_some_and(|name| name == "AddAccount");
    let asked = desk.sent.iter().find(is_wanted).expect("asked for").clone();
    desk.call::<_, ()>(PATH, CONNECTION, "Disconnect", &()).expect("it ends");
    desk.is_served = true;
    let late = super::desk::play(&asked, &[]).expect("an answer");
    desk.sent.clear();
    desk.receive(&late);
    assert_eq!(desk.members(), ["Remove"]);
}

#[test]
fn a_contact_of_a_provider_is_a_number_or_a_whole_address() {
    let mut desk = connecting(&[]);
    desk.account_is("online", "");
    for (written, normal) in [
        ("+49 30 123", "+4930123"),
        ("102", "102"),
        ("sip:102@example.org", "102"),
        ("Anna", "sip:Anna@example.org"),
        ("sip:Anna@EXAMPLE.org", "sip:Anna@example.org"),
        ("bob@elsewhere.example", "sip:bob@elsewhere.example"),
    ] {
        let handles: Vec<u32> = desk
            .call(PATH, CONNECTION, "RequestHandles", &(1u32, vec![written]))
            .expect("a contact");
        let ids: Vec<String> =
            desk.call(PATH, CONNECTION, "InspectHandles", &(1u32, handles)).expect("known");
        assert_eq!(ids, [normal], "{written}");
    }
}

#[test]
fn an_account_at_a_provider_is_named_by_its_address() {
    let mut desk = Desk::new();
    let path = Protocol::Sip.path();
    let protocol = "org.freedesktop.Telepathy.Protocol";
    let given = HashMap::from([("account", Value::from("sips:alice@Example.org:5071"))]);
    let id: Result<String, String> = desk.call(&path, protocol, "IdentifyAccount", &given);
    assert_eq!(id.as_deref(), Ok("alice@example.org"));
}
