// SPDX-License-Identifier: GPL-3.0-or-later
//! What programs ask reaches the switchboard, and its answers come back.

use std::collections::HashMap;

use futures_util::{StreamExt as _, future::join_all};
use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::{
    AccountProxy, CallProxy, Error, ExtensionProxy, ObjectName, PhoneProxy, SipWitchProxy, names,
    wire::{
        AccountProperties, CallState, DialOptions, ExtensionKind, ExtensionProperties,
        MessageOptions, MessageState, NoOptions, PasswordKept, Signatures,
    },
};
use zbus::{
    MessageStream,
    message::{Message, Type},
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use super::house::{House, account, call, extension, soon, world};
use crate::store::records::CallRecord;
use crate::switchboard::{
    ask::{self, Ask, Hop, Imported, NamesChecked, Refusal, RouteLine, TextSent},
    notice::Notice,
};

/// Takes the next ask, which must be of one kind.
macro_rules! expect {
    ($house:expr, $pattern:pat $(if $guard:expr)? => $result:expr) => {
        match $house.asked().await {
            $pattern $(if $guard)? => $result,
            other => panic!("asked {other:?}"),
        }
    };
}

#[tokio::test]
async fn dial_comes_back_when_the_call_can_be_seen() {
    let mut house = House::new(world()).await;
    let client = house.client.clone();
    let dialling = tokio::spawn(async move {
        let service = SipWitchProxy::new(&client).await?;
        let options = DialOptions { ring_seconds: Some(20), ..DialOptions::default() };
        let path = service.dial("102", &options).await?;
        let call = CallProxy::new(&client, &path).await?;
        Ok::<_, Error>((path.clone(), call.state().await?))
    });
    expect!(house, Ask::Dial { contact, options, owner, reply } => {
        assert_eq!(contact, "102");
        assert_eq!(options, ask::DialOptions { ring_seconds: Some(20), ..Default::default() });
        assert_eq!(owner, None, "there is no bus to leave");
        house.tell(Notice::Call(call(7)));
        reply.send(Ok(CallId(7))).expect("somebody waits");
    });
    let (path, state) = soon(dialling).await.expect("no panic").expect("dialled");
    assert_eq!(path, ObjectName::Call(7).path());
    assert_eq!(state, CallState::Ringing);
}

#[tokio::test]
async fn on_the_wire_the_object_comes_before_the_reply_that_names_it() {
    // So many that the mirror has to pause among them.
    let mut house = House::with_room(world(), 512).await;
    let mut wire = MessageStream::from(&house.client);
    let options = HashMap::<&str, Value<'_>>::new();
    let dial = Message::method_call(names::ROOT, "Dial")
        .and_then(|call| call.interface(names::SIPWITCH_INTERFACE))
        .and_then(|call| call.build(&("102", options)))
        .expect("a call");
    house.client.send(&dial).await.expect("sent");
    expect!(house, Ask::Dial { reply, .. } => {
        // The worst order within one turn of the switchboard: the answer wakes its asker first.
        reply.send(Ok(CallId(306))).expect("somebody waits");
        for id in 7..307 {
            house.tell(Notice::Call(call(id)));
        }
    });
    let mut added = Vec::new();
    loop {
        let message = soon(wire.next()).await.expect("open").expect("readable");
        let member = message.header().member().map(ToString::to_string);
        match (message.message_type(), member.as_deref()) {
            (Type::Signal, Some("InterfacesAdded")) => {
                type Added = (OwnedObjectPath, HashMap<String, HashMap<String, OwnedValue>>);
                let (path, _): Added = message.body().deserialize().expect("readable");
                added.push(path);
            }
            (Type::MethodReturn, _) => {
                let path: OwnedObjectPath = message.body().deserialize().expect("a path");
                assert_eq!(added.last(), Some(&path), "all {} are there", added.len());
                break;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_method_of_a_call_asks_for_that_call() {
    let mut house = House::new(world()).await;
    let client = house.client.clone();
    let asking = tokio::spawn(async move {
        let call = CallProxy::new(&client, ObjectName::Call(1).path()).await?;
        call.hold().await?;
        call.resume().await?;
        call.answer().await?;
        call.transfer("103", &NoOptions::default()).await?;
        call.send_dtmf("12#", &NoOptions::default()).await?;
        call.hangup().await
    });
    let it = CallId(1);
    expect!(house, Ask::Hold { call, reply } if call == it => reply.send(Ok(())).expect("waits"));
    expect!(house, Ask::Resume { call, reply } if call == it => reply.send(Ok(())).expect("waits"));
    expect!(house, Ask::Answer { call, reply } if call == it => reply.send(Ok(())).expect("waits"));
    expect!(house, Ask::Transfer { call, contact, reply } if call == it => {
        assert_eq!(contact, "103");
        reply.send(Ok(())).expect("waits");
    });
    expect!(house, Ask::SendDtmf { call, tones, reply } if call == it => {
        assert_eq!(tones, "12#");
        reply.send(Ok(())).expect("waits");
    });
    expect!(house, Ask::Hangup { call, reply } if call == it => reply.send(Ok(())).expect("waits"));
    assert_eq!(soon(asking).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn extensions_and_phones_are_made_changed_and_removed() {
    let mut house = House::new(world()).await;
    let client = house.client.clone();
    let asking = tokio::spawn(async move {
        let service = SipWitchProxy::new(&client).await?;
        let properties = ExtensionProperties {
            kind: Some(ExtensionKind::Group),
            members: Some(vec!["101".into()]),
            password: Some("long enough".into()),
            ..ExtensionProperties::default()
        };
        let path = service.add_extension("200", &properties).await?;
        let added = ExtensionProxy::new(&client, &path).await?;
        assert_eq!(added.number().await?, "200");
        let name = Some("Everyone".into());
        added.update(&ExtensionProperties { name, ..Default::default() }).await?;
        added.set_password("longer still").await?;
        assert_eq!(added.generate_password().await?, "fresh");
        added.remove().await?;
        let none = NoOptions::default();
        let imported = service.import_extensions("number\n1", &none).await?;
        assert_eq!(imported, (1, 2, vec![(4, "no number".into())]));
        PhoneProxy::new(&client, ObjectName::Phone(3).path()).await?.remove().await
    });
    expect!(house, Ask::AddExtension { number, change, reply } => {
        assert_eq!((number.as_str(), change.kind.as_deref()), ("200", Some("group")));
        assert_eq!(change.password.expect("given").expose(), "long enough");
        house.tell(Notice::Extension(extension("200")));
        reply.send(Ok("200".into())).expect("waits");
    });
    expect!(house, Ask::ChangeExtension { number, change, reply } => {
        assert_eq!((number.as_str(), change.name.as_deref()), ("200", Some("Everyone")));
        assert!(change.password.is_none() && change.members.is_none());
        reply.send(Ok(())).expect("waits");
    });
    expect!(house, Ask::ChangeExtension { change, reply, .. } => {
        assert_eq!(change.password.expect("given").expose(), "longer still");
        reply.send(Ok(())).expect("waits");
    });
    expect!(house, Ask::GeneratePassword { number, reply } => {
        assert_eq!(number, "200");
        reply.send(Ok(String::from("fresh").into())).expect("waits");
    });
    expect!(house, Ask::RemoveExtension { number, reply } => {
        assert_eq!(number, "200");
        house.tell(Notice::ExtensionGone("200".into()));
        reply.send(Ok(())).expect("waits");
    });
    expect!(house, Ask::ImportExtensions { csv, reply } => {
        assert_eq!(csv, "number\n1");
        let refused = vec![(4, "no number".into())];
        reply.send(Ok(Imported { added: 1, changed: 2, refused })).expect("waits");
    });
    expect!(house, Ask::RemovePhone { phone, reply } => {
        assert_eq!(phone, 3);
        reply.send(Ok(())).expect("waits");
    });
    assert_eq!(soon(asking).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn accounts_are_made_and_changed_and_their_passwords_go_one_way() {
    let mut house = House::new(world()).await;
    let client = house.client.clone();
    let asking = tokio::spawn(async move {
        let service = SipWitchProxy::new(&client).await?;
        let properties = AccountProperties {
            provider: Some("dus-net".into()),
            answers: Some([("account".into(), "000123".into())].into()),
            settings: Some([("server.port".into(), "5070".into())].into()),
            incoming: Some("101".into()),
            password: Some("hunter2".into()),
            ..AccountProperties::default()
        };
        let path = service.add_account(&properties).await?;
        assert_eq!(path, ObjectName::Account("dus-net-2".into()).path());
        let account = AccountProxy::new(&client, path).await?;
        assert_eq!(account.id().await.as_deref(), Ok("dus-net-2"));
        let off = AccountProperties { enabled: Some(false), ..AccountProperties::default() };
        account.update(&off).await?;
        let id = AccountProperties { id: Some("x".into()), ..AccountProperties::default() };
        assert!(matches!(account.update(&id).await, Err(Error::BadValue(_))), "it keeps its id");
        assert_eq!(account.set_password("hunter3").await?, PasswordKept::Memory);
        assert!(matches!(account.try_again().await, Err(Error::NoSuchAccount(_))));
        account.remove().await
    });
    expect!(house, Ask::AddAccount { account: new, reply } => {
        assert_eq!((new.provider.as_deref(), new.id.as_deref()), (Some("dus-net"), None));
        assert_eq!(new.change.answers[0].1.expose(), "000123");
        assert_eq!(new.change.settings, [("server.port".to_owned(), "5070".to_owned())]);
        assert_eq!(new.change.password.expect("given").expose(), "hunter2");
        house.tell(Notice::Account(Box::new(account("dus-net-2"))));
        reply.send(Ok("dus-net-2".into())).expect("waits");
    });
    expect!(house, Ask::ChangeAccount { account, change, reply } => {
        assert_eq!((account.as_str(), change.enabled), ("dus-net-2", Some(false)));
        assert!(change.password.is_none() && change.answers.is_empty());
        reply.send(Ok(())).expect("waits");
    });
    expect!(house, Ask::SetAccountPassword { password, reply, .. } => {
        assert_eq!(password.expose(), "hunter3");
        reply.send(Ok("memory")).expect("waits");
    });
    expect!(house, Ask::TryAccountAgain { account, reply } => {
        let refusal = Refusal::NotFound { kind: "account", name: account };
        reply.send(Err(refusal)).expect("waits");
    });
    expect!(house, Ask::RemoveAccount { account, reply } => {
        house.tell(Notice::AccountGone(account));
        reply.send(Ok(())).expect("waits");
    });
    assert_eq!(soon(asking).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn questions_are_answered() {
    let mut house = House::new(world()).await;
    let client = house.client.clone();
    let asking = tokio::spawn(async move {
        let service = SipWitchProxy::new(&client).await?;
        let none = NoOptions::default();
        let (attempts, rejected) = service.explain("102", &DialOptions::default()).await?;
        assert_eq!((attempts.len(), attempts[0].destination.as_str()), (1, "phone 3 of 102"));
        assert_eq!((rejected.len(), rejected[0].reason.as_str()), (1, "not-registered"));
        let history = service.history(u32::MAX, &none).await?;
        assert_eq!((history[0].sip_code, history[0].answered_at_microseconds), (486, None));
        assert_eq!(history[0].blocked.as_deref(), Some("+49900*"));
        let hops = service.query("102", &none).await?;
        assert_eq!((hops[0].status, hops[0].milliseconds), (Some(200), 4));
        assert_eq!(hops[1].status, None);
        let names = service.check_names("example.org", &none).await?;
        assert_eq!((names.signatures, names.servers.len()), (Signatures::No, 1));
        assert_eq!(names.failure, "no such name");
        let sender = MessageOptions { from: Some("101".into()) };
        let sent = service.send_message("102", "hello", &sender).await?;
        assert_eq!(sent.state, MessageState::Stored);
        assert_eq!(service.reload().await?, ["listen"]);
        Ok::<_, Error>(())
    });
    expect!(house, Ask::Explain { contact, reply, .. } => {
        assert_eq!(contact, "102");
        let line = |attempt, destination: &str, reason: &str| RouteLine {
            attempt,
            destination: destination.into(),
            reason: reason.into(),
            words: String::new(),
        };
        let rejected = line(0, "phone 4 of 102", "not-registered");
        reply.send(Ok(vec![line(1, "phone 3 of 102", "extension"), rejected])).expect("waits");
    });
    expect!(house, Ask::History { limit, reply } => {
        assert_eq!(limit, 1000, "one answer is bounded");
        let call = CallRecord {
            started_us: 1,
            answered_us: None,
            ended_us: 2,
            caller: "101".into(),
            contact: "102".into(),
            callee: String::new(),
            route: String::new(),
            sip_code: 486,
            q850: Some(17),
            words: "busy".into(),
            trace: Vec::new(),
            blocked: "+49900*".into(),
        };
        reply.send(Ok(vec![call])).expect("waits");
    });
    expect!(house, Ask::Query { uri, reply } => {
        assert_eq!(uri, "102");
        let hop = |status, milliseconds| Hop {
            address: "udp:127.0.0.1:5071".into(),
            status,
            reason: String::new(),
            server: String::new(),
            allow: String::new(),
            milliseconds,
        };
        reply.send(Ok(vec![hop(Some(200), 4), hop(None, 32_000)])).expect("waits");
    });
    expect!(house, Ask::CheckNames { domain, reply } => {
        assert_eq!(domain, "example.org");
        let checked = NamesChecked {
            servers: vec!["192.0.2.53:53".into()],
            signatures: Some(false),
            failure: "no such name".into(),
            ..NamesChecked::default()
        };
        reply.send(Ok(checked)).expect("waits");
    });
    expect!(house, Ask::SendMessage { contact, from, text, reply } => {
        assert_eq!((contact.as_str(), from.as_deref(), text.as_str()), ("102", Some("101"), "hello"));
        reply.send(Ok(TextSent { state: "stored", message: 7 })).expect("waits");
    });
    expect!(house, Ask::Reload { reply } => {
        reply.send(Ok(vec!["listen".into()])).expect("waits");
    });
    assert_eq!(soon(asking).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn every_refusal_arrives_under_its_name() {
    let mut house = House::new(world()).await;
    let words = || String::from("words");
    let no = |kind| Refusal::NotFound { kind, name: "9".into() };
    let cases = [
        (Refusal::BadContact(words()), Error::BadContact(words())),
        (Refusal::BadValue(words()), Error::BadValue(words())),
        (no("call"), Error::NoSuchCall("no call 9".into())),
        (no("phone"), Error::NoSuchPhone("no phone 9".into())),
        (no("extension"), Error::NoSuchExtension("no extension 9".into())),
        (
            Refusal::AlreadyExists { kind: "extension", name: "9".into() },
            Error::AlreadyExists("extension 9 exists already; change it instead".into()),
        ),
        (Refusal::NotInThisState(words()), Error::NotInThisState(words())),
        (Refusal::NoRoute(words()), Error::NoRoute(words())),
        (Refusal::EmergencyUnavailable(words()), Error::EmergencyUnavailable(words())),
        (Refusal::NoPhone(words()), Error::NoPhone(words())),
        (Refusal::TooMany(words()), Error::LimitReached(words())),
        (Refusal::NotStored(words()), Error::NotStored(words())),
        (Refusal::Stopping, Error::Stopping("the service is stopping".into())),
    ];
    let client = house.client.clone();
    let service = SipWitchProxy::new(&client).await.expect("a proxy");
    for (refusal, wanted) in cases {
        let options = DialOptions::default();
        let (answer, ()) = tokio::join!(service.dial("9", &options), async {
            expect!(house, Ask::Dial { reply, .. } => {
                reply.send(Err(refusal)).expect("waits");
            });
        });
        assert_eq!(answer, Err(wanted));
    }
}

#[tokio::test]
async fn an_unknown_option_never_reaches_the_switchboard() {
    let mut house = House::new(world()).await;
    let options = HashMap::from([("ring", Value::from(20_u32))]);
    let service = SipWitchProxy::new(&house.client).await.expect("a proxy");
    let refused: zbus::Result<OwnedObjectPath> =
        soon(service.inner().call("Dial", &("102", options))).await;
    assert_eq!(
        Error::from(refused.expect_err("refused")),
        Error::BadValue(
            "Dial knows no \"ring\"; it knows from, display, ring-seconds, detached, hide-number, also".into()
        )
    );
    assert!(house.asks.try_recv().is_err(), "nothing was asked");
}

#[tokio::test]
async fn too_many_questions_at_once_are_refused_and_the_others_go_on() {
    const FIT: usize = 256;
    const OVER: usize = 44;
    let mut house = House::new(world()).await;
    let service = SipWitchProxy::new(&house.client).await.expect("a proxy");
    let none = NoOptions::default();
    let questions = join_all((0..FIT + OVER).map(|_| service.query("102", &none)));
    let (answers, ()) = soon(async {
        tokio::join!(questions, async {
            // None is answered before all are asked, so that all are under way together.
            let mut waiting = Vec::new();
            while waiting.len() < FIT {
                expect!(house, Ask::Query { reply, .. } => waiting.push(reply));
            }
            for reply in waiting {
                reply.send(Ok(Vec::new())).expect("waits");
            }
        })
    })
    .await;
    let refused =
        answers.iter().filter(|answer| matches!(answer, Err(Error::LimitReached(_)))).count();
    assert_eq!((answers.len() - refused, refused), (FIT, OVER));
    assert!(answers.iter().filter_map(|answer| answer.as_ref().ok()).all(Vec::is_empty));
}

#[tokio::test]
async fn without_a_switchboard_the_answer_is_that_the_service_stops() {
    let house = House::new(world()).await;
    drop(house.asks);
    let service = SipWitchProxy::new(&house.client).await.expect("a proxy");
    let answer = soon(service.reload()).await;
    assert_eq!(answer, Err(Error::Stopping("the service is stopping".into())));
}
