// SPDX-License-Identifier: GPL-3.0-or-later
//! Every proxy member, called against a peer that knows only the XML.

use std::{
    collections::{BTreeSet, HashMap},
    os::fd::AsFd as _,
};

use futures_util::StreamExt as _;
use zbus::{Connection, proxy::CacheProperties, zvariant::Fd};

use super::peer;
use crate::{
    AccountProxy, BlockingProxy, CallProxy, DigestProxy, EndpointProxy, ExtensionProxy, LineProxy,
    ObjectName, PhoneProxy, ProvidersProxy, RulesProxy, SipWitchProxy, contract, names,
    wire::{
        AccountProperties, AccountState, Authentication, BlockOptions, CallState, CertificateFault,
        CheckOptions, DialOptions, DigestSource, EndReason, EndpointDialOptions,
        EndpointMessageOptions, EndpointOptions, EndpointTransferOptions, ExtensionKind,
        ExtensionProperties, HangUpOptions, IncomingCallInfo, LanguageOptions, MediaAddress,
        MessageOptions, NoOptions, OfferInfo, PasswordKept, PastTextOptions, ProviderFilter,
        ProviderKind, RejectOptions, RuleInfo, RuleOptions, TextInfo,
    },
};

macro_rules! proxy {
    ($proxy:ident, $client:expr, $name:expr) => {
        $proxy::builder($client)
            .destination(peer::SENDER)
            .expect("a valid name")
            .path($name.path())
            .expect("a valid path")
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .expect("a proxy")
    };
}

/// Awaits each call in turn, and says which one failed.
macro_rules! all {
    ($($call:expr,)+) => {
        $($call.await.unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($call)));)+
    };
}

#[tokio::test]
async fn every_proxy_member_is_in_the_xml_and_the_other_way_round() {
    let (server, client) = peer::pair().await;
    let answering = tokio::spawn(peer::answer(server));
    call_everything(&client).await;
    client.close().await.expect("closing");
    let asked = answering.await.expect("the peer does not panic");

    let promised: BTreeSet<_> = peer::everything()
        .iter()
        .flat_map(|(name, interface)| {
            let members = interface.methods.keys().chain(interface.properties.keys());
            members.map(move |member| format!("{name} {member}"))
        })
        .collect();
    assert_eq!(asked, promised);
}

async fn call_everything(client: &Connection) {
    let none = NoOptions::default();
    let dial = DialOptions {
        from: Some("101".into()),
        display: Some("Zoë".into()),
        ring_seconds: Some(20),
        detached: Some(true),
        hide_number: Some(true),
        also: Some(vec!["103".into()]),
    };
    let properties = ExtensionProperties {
        name: Some("Anna".into()),
        kind: Some(ExtensionKind::Group),
        members: Some(vec!["101".into()]),
        ring_seconds: Some(20),
        password: Some("secret".into()),
        authentication: Some(Authentication::Password),
    };

    let account = AccountProperties {
        provider: Some("dus-net".into()),
        answers: Some([("account".to_owned(), "000123".to_owned())].into()),
        ..AccountProperties::default()
    };

    let endpoint = EndpointOptions {
        extension: Some("101".into()),
        account: Some(ObjectName::Account("dus-net".into()).path()),
        name: Some("softphone".into()),
        all_calls: Some(true),
        anchored: Some(true),
        marks_read: Some(true),
    };

    let root = proxy!(SipWitchProxy, client, ObjectName::Root);
    all! {
        root.dial("102", &dial),
        root.explain("102", &DialOptions::default()),
        root.send_message("102", "hello", &MessageOptions { from: Some("101".into()) }),
        root.add_extension("103", &properties),
        root.import_extensions("number\n104\n", &none),
        root.add_account(&account),
        root.register_endpoint(&endpoint),
        root.history(5, &none),
        root.query("sip:127.0.0.1", &none),
        root.check_names("example.org", &none),
        root.reload(),
        root.version(),
        root.started_at_microseconds(),
        root.configuration_file(),
        root.addresses(),
        root.domain(),
        root.realm(),
        root.network(),
        root.warnings(),
        root.emergency(),
        root.emergency_words(),
        root.emergency_numbers(),
        root.call_count(),
    }

    let filter = ProviderFilter {
        country: Some("DE".into()),
        kind: Some(ProviderKind::Itsp),
        search: Some("dus".into()),
        language: Some("de".into()),
    };
    let providers = proxy!(ProvidersProxy, client, ObjectName::Root);
    all! {
        providers.list_providers(&filter),
        providers.check_provider("schema = 1", &CheckOptions { file_name: Some("x.toml".into()) }),
        providers.list_problems(&none),
    }
    let asked = providers.get_provider("dus-net", &LanguageOptions::default()).await;
    let provider = asked.expect("a provider");
    assert_eq!((provider.kind, provider.docs), (ProviderKind::Itsp, None));
    assert_eq!(provider.facts["server.port"], 5060_u32.into());

    let rules = proxy!(RulesProxy, client, ObjectName::Root);
    let rule = RuleInfo { name: "berlin".into(), ..RuleInfo::default() };
    all! {
        rules.list(),
        rules.check(""),
        rules.add(&rule, &RuleOptions { first: Some(true) }),
        rules.remove("berlin"),
    }

    let blocking = proxy!(BlockingProxy, client, ObjectName::Root);
    all! {
        blocking.list(),
        blocking.check(&["101"]),
        blocking.add(&["+49900*"], &BlockOptions { reason: Some("sells".into()) }),
        blocking.remove(&["+49900*"]),
    }

    let call = proxy!(CallProxy, client, ObjectName::Call(1));
    all! {
        call.hangup(),
        call.answer(),
        call.hold(),
        call.resume(),
        call.transfer("103", &none),
        call.send_dtmf("12#", &none),
        call.contact(),
        call.caller(),
        call.caller_name(),
        call.callee(),
        call.callee_name(),
        call.origin(),
        call.peer_domain(),
        call.peer_proof(),
        call.route(),
        call.route_trace(),
        call.held(),
        call.legs(),
        call.started_at_microseconds(),
        call.answered_at_microseconds(),
        call.ended_at_microseconds(),
        call.sip_code(),
        call.q850_cause(),
        call.cause_words(),
    }
    assert_eq!(call.state().await.expect("a state"), CallState::Dialing);

    let phone = proxy!(PhoneProxy, client, ObjectName::Phone(1));
    all! {
        phone.remove(),
        phone.extension(),
        phone.extension_number(),
        phone.contact(),
        phone.transport(),
        phone.address(),
        phone.user_agent(),
        phone.instance_id(),
        phone.registered_at_microseconds(),
        phone.expires_at_microseconds(),
    }

    let extension = proxy!(ExtensionProxy, client, ObjectName::Extension("101".into()));
    all! {
        extension.update(&properties),
        extension.set_password("secret"),
        extension.generate_password(),
        extension.remove(),
        extension.number(),
        extension.name(),
        extension.kind(),
        extension.members(),
        extension.has_password(),
        extension.authentication(),
        extension.login_state(),
        extension.login_words(),
        extension.ring_seconds(),
        extension.phones(),
    }

    call_endpoint(client).await;
    call_account(client, &account).await;
    call_digest(client).await;
}

async fn call_digest(client: &Connection) {
    let (password, _) = std::io::pipe().expect("a pipe");
    let digest = DigestProxy::builder(client)
        .destination(peer::SENDER)
        .expect("a valid name")
        .cache_properties(CacheProperties::No)
        .build()
        .await
        .expect("a proxy");
    let response = HashMap::from([("username", "anna"), ("response", "5ccc069c")]);
    all! {
        digest.verify_response(&response),
        digest.enrol("", Fd::from(password.as_fd())),
        digest.separate(""),
        digest.remove("bert"),
        digest.list(),
        digest.prune(true),
        digest.set_realm("house", true),
        digest.realm(),
        digest.algorithms(),
    }
    let status = digest.status("anna").await.expect("a status");
    assert_eq!((status.uid, status.problem), (1000, None));
    assert_eq!(status.source, Some(DigestSource::Separate));
}

async fn call_endpoint(client: &Connection) {
    let endpoint = proxy!(EndpointProxy, client, ObjectName::Phone(1));
    let dial = EndpointDialOptions {
        display: Some("Zoë".into()),
        ring_seconds: Some(20),
        hide_number: Some(true),
        also: Some(vec!["103".into()]),
    };
    let reject = RejectOptions { words: Some("not now".into()), q850_cause: Some(21) };
    let transfer = EndpointTransferOptions { other_leg: Some(8) };
    let media = MediaAddress {
        medium: 0,
        address: "127.0.0.1".into(),
        port: 4000,
        rtcp_address: String::new(),
        rtcp_port: 0,
    };
    let message = EndpointMessageOptions { content_type: Some("text/plain".into()) };
    all! {
        endpoint.set_available(true),
        endpoint.dial("102", b"v=0\r\n", &dial),
        endpoint.show_progress(7, 180, b""),
        endpoint.answer(7, b"v=0\r\n"),
        endpoint.reject(7, 603, &reject),
        endpoint.hang_up(7, &HangUpOptions { sip_code: Some(200), ..Default::default() }),
        endpoint.offer_description(7, b"v=0\r\n"),
        endpoint.answer_description(7, 1, b"v=0\r\n"),
        endpoint.refuse_description(7, 1, 488),
        endpoint.set_media_addresses(7, &[media]),
        endpoint.send_tones(7, "12#"),
        endpoint.transfer(7, "", &transfer),
        endpoint.send_message("102", "hello", &message),
        endpoint.texts("102", 5, &PastTextOptions { unread: Some(true) }),
        endpoint.mark_read(&[9]),
        endpoint.accept_message(9),
        endpoint.available(),
        endpoint.all_calls(),
    }
}

async fn call_account(client: &Connection, properties: &AccountProperties) {
    let account = proxy!(AccountProxy, client, ObjectName::Account("dus-net".into()));
    all! {
        account.update(properties),
        account.try_again(),
        account.remove(),
        account.id(),
        account.title(),
        account.provider(),
        account.provider_name(),
        account.address(),
        account.answers(),
        account.settings(),
        account.enabled(),
        account.incoming(),
        account.users(),
        account.order(),
        account.state_reason(),
        account.next_step(),
        account.tries_again_at_microseconds(),
        account.registered_until_microseconds(),
        account.transport(),
        account.server(),
        account.shows_as(),
        account.messages_waiting(),
        account.transient(),
        account.messages_waiting_words(),
        account.password_kept(),
        account.transient(),
    }
    assert_eq!(account.state().await, Ok(AccountState::KeyringLocked));
    assert_eq!(account.certificate_fault().await, Ok(CertificateFault::OtherName));
    assert_eq!(account.set_password("secret").await, Ok(PasswordKept::Keyring));

    let line = proxy!(LineProxy, client, ObjectName::Account("dus-net".into()));
    all! {
        line.name(),
        line.kind(),
        line.usable(),
        line.usable_reason(),
        line.messages(),
        line.domains(),
        line.region(),
        line.emergency(),
        line.emergency_numbers(),
        line.cost(),
    }
}

#[tokio::test]
async fn every_signal_of_the_xml_is_understood() {
    let (server, client) = peer::pair().await;
    let root = proxy!(SipWitchProxy, &client, ObjectName::Root);
    let call = proxy!(CallProxy, &client, ObjectName::Call(1));
    let mut call_ended = root.receive_call_ended().await.expect("a stream");
    let mut network = root.receive_connectivity_changed().await.expect("a stream");
    let mut held_back = root.receive_caller_held_back().await.expect("a stream");
    let mut ended = call.receive_ended().await.expect("a stream");
    let mut dtmf = call.receive_dtmf_received().await.expect("a stream");

    let providers = proxy!(ProvidersProxy, &client, ObjectName::Root);
    let mut providers_changed = providers.receive_providers_changed().await.expect("a stream");

    let blocking = proxy!(BlockingProxy, &client, ObjectName::Root);
    let mut blocked_changed = blocking.receive_blocked_changed().await.expect("a stream");

    let path = ObjectName::Call(1).path();
    peer::signal(&server, names::ROOT, names::BLOCKING_INTERFACE, "BlockedChanged").await;
    peer::signal(&server, names::ROOT, names::PROVIDERS_INTERFACE, "ProvidersChanged").await;
    peer::signal(&server, names::ROOT, names::SIPWITCH_INTERFACE, "CallEnded").await;
    peer::signal(&server, names::ROOT, names::SIPWITCH_INTERFACE, "ConnectivityChanged").await;
    peer::signal(&server, names::ROOT, names::SIPWITCH_INTERFACE, "CallerHeldBack").await;
    peer::signal(&server, path.as_str(), names::CALL_INTERFACE, "Ended").await;
    peer::signal(&server, path.as_str(), names::CALL_INTERFACE, "DtmfReceived").await;

    providers_changed.next().await.expect("ProvidersChanged");
    let signal = blocked_changed.next().await.expect("BlockedChanged");
    let args = signal.args().expect("its arguments");
    assert_eq!((args.blocked.len(), args.unblocked.len()), (0, 0));
    let signal = call_ended.next().await.expect("CallEnded");
    let args = signal.args().expect("its arguments");
    assert_eq!(args.call.as_str(), path.as_str());
    assert_eq!(args.summary.answered_at_microseconds, None);
    assert_eq!((args.summary.sip_code, args.summary.words.as_str()), (486, "busy"));
    let signal = network.next().await.expect("ConnectivityChanged");
    let args = signal.args().expect("its arguments");
    assert_eq!((args.words, args.details.new.len()), ("text", 1));
    let signal = held_back.next().await.expect("CallerHeldBack");
    assert_eq!(signal.args().expect("its arguments").words, "text");
    let signal = ended.next().await.expect("Ended");
    assert_eq!(signal.args().expect("its arguments").sip_code, 1);
    let signal = dtmf.next().await.expect("DtmfReceived");
    assert_eq!(signal.args().expect("its arguments").tone, "text");

    let mut master = contract::master();
    // Those have a test of their own.
    master.remove(names::ENDPOINT_INTERFACE);
    let promised: Vec<_> = master.into_values().flat_map(|i| i.signals.into_keys()).collect();
    assert_eq!(
        promised,
        [
            "CallEnded",
            "CallerHeldBack",
            "ConnectivityChanged",
            "BlockedChanged",
            "DtmfReceived",
            "Ended",
            "ProvidersChanged"
        ]
    );
}

/// Waits for a signal of an endpoint as the XML has it, and compares its arguments.
macro_rules! heard {
    ($server:expr, $stream:expr, $name:literal, |$args:ident| $found:expr, $wanted:expr) => {{
        let path = ObjectName::Phone(1).path();
        peer::signal($server, path.as_str(), names::ENDPOINT_INTERFACE, $name).await;
        let signal = $stream.next().await.expect($name);
        let $args = signal.args().expect("its arguments");
        assert_eq!($found, $wanted, "{}", $name);
    }};
}

#[tokio::test]
async fn every_signal_to_an_endpoint_is_understood() {
    let (server, client) = peer::pair().await;
    let server = &server;
    let endpoint = proxy!(EndpointProxy, &client, ObjectName::Phone(1));
    let mut incoming = endpoint.receive_incoming_call().await.expect("a stream");
    let mut wanted = endpoint.receive_answer_wanted().await.expect("a stream");
    let mut anchored = endpoint.receive_media_anchored().await.expect("a stream");
    let mut progress = endpoint.receive_progress().await.expect("a stream");
    let mut answered = endpoint.receive_answered().await.expect("a stream");
    let mut confirmed = endpoint.receive_confirmed().await.expect("a stream");
    let mut offered = endpoint.receive_description_offered().await.expect("a stream");
    let mut offer_answered = endpoint.receive_offer_answered().await.expect("a stream");
    let mut tone = endpoint.receive_tone_received().await.expect("a stream");
    let mut transfer = endpoint.receive_transfer_progress().await.expect("a stream");
    let mut party = endpoint.receive_party_changed().await.expect("a stream");
    let mut ended = endpoint.receive_ended().await.expect("a stream");
    let mut text = endpoint.receive_message_received().await.expect("a stream");
    let mut report = endpoint.receive_message_reported().await.expect("a stream");

    let info = IncomingCallInfo {
        caller: "101".into(),
        dialled: "102".into(),
        ..IncomingCallInfo::default()
    };
    heard!(server, incoming, "IncomingCall", |args| (args.leg, args.properties), (1, info));
    heard!(server, wanted, "AnswerWanted", |args| args.leg, 1);
    heard!(server, anchored, "MediaAnchored", |args| args.addresses, []);
    heard!(server, progress, "Progress", |args| (args.fork, args.words), (1, "text"));
    heard!(server, answered, "Answered", |args| args.description, Vec::<u8>::new());
    heard!(server, confirmed, "Confirmed", |args| args.leg, 1);
    let held = OfferInfo { held: true };
    heard!(
        server,
        offered,
        "DescriptionOffered",
        |args| (args.exchange, args.properties),
        (1, held)
    );
    heard!(
        server,
        offer_answered,
        "OfferAnswered",
        |args| (args.sip_code, args.words),
        (1, "text")
    );
    heard!(server, tone, "ToneReceived", |args| args.tone, "text");
    heard!(server, transfer, "TransferProgress", |args| args.sip_code, 1);
    heard!(server, party, "PartyChanged", |args| args.address, "text");
    heard!(server, ended, "Ended", |args| args.reason.parse::<EndReason>().is_err(), true);
    let kept = TextInfo { stored: false, extension: "102".into() };
    heard!(server, text, "MessageReceived", |args| (args.sender, args.properties), ("text", kept));
    heard!(server, report, "MessageReported", |args| (args.message, args.state), (1, "text"));
    assert_eq!(contract::master()[names::ENDPOINT_INTERFACE].signals.len(), 14);
}

#[tokio::test]
async fn an_error_of_the_contract_arrives_as_itself() {
    let (server, client) = peer::pair().await;
    let serving = tokio::spawn(async move {
        let mut messages = zbus::MessageStream::from(&server);
        let call = messages.next().await.expect("a call").expect("a message");
        let error = crate::Error::NoPhone("101 has no phone; register one".into());
        server.reply_dbus_error(&call.header(), error).await.expect("sent");
    });
    let root = proxy!(SipWitchProxy, &client, ObjectName::Root);
    let error = root.dial("102", &DialOptions::default()).await.expect_err("refused");
    assert_eq!(error, crate::Error::NoPhone("101 has no phone; register one".into()));
    serving.await.expect("served");
}
