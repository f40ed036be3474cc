// SPDX-License-Identifier: GPL-3.0-or-later
//! What every test here stands in: the served objects, a client, and the switchboard's channels.

use std::{future::Future, path::PathBuf, time::Duration};

use futures_util::StreamExt as _;
use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::wire::CertificateFault;
use tokio::{
    net::UnixStream,
    sync::{broadcast, mpsc},
    task::JoinHandle,
};
use zbus::{
    Connection, Guid, MatchRule, MessageStream, connection,
    message::{Message, Type},
};

use crate::{
    bus::{Gone, Guard, Serving, serve},
    providers::{self, Folders},
    switchboard::{
        ask::Ask,
        notice::{
            AccountStanding, AccountView, CallView, ExtensionView, LegView, LineView, LoginView,
            Notice, PeerView, PhoneView, ProgramView, ServiceView, TraceLine, World,
        },
    },
};

/// How long anything here may take before it counts as not coming.
const DEADLINE: Duration = Duration::from_secs(20);

/// Fails loudly instead of hanging.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it came within the deadline")
}

pub(super) struct House {
    /// The program's end.
    pub(super) client: Connection,
    /// What it sends us besides replies.
    pub(super) signals: MessageStream,
    /// The switchboard's ends.
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) notices: broadcast::Sender<Notice>,
    pub(super) running: JoinHandle<Gone>,
}

impl House {
    /// Served and running.
    pub(super) async fn new(world: World) -> Self {
        Self::with_room(world, 64).await
    }

    /// The same, with room for only so many notices.
    pub(super) async fn with_room(world: World, notices: usize) -> Self {
        Self::built(world, notices, Vec::new()).await
    }

    /// The same, with providers in some folders.
    pub(super) async fn with_providers(folders: Vec<PathBuf>) -> Self {
        Self::built(world(), 64, folders).await
    }

    async fn built(world: World, notices: usize, folders: Vec<PathBuf>) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let guid = Guid::generate();
        let server =
            connection::Builder::unix_stream(ours).server(guid).expect("a guid").p2p().build();
        let client = connection::Builder::unix_stream(theirs).p2p().build();
        let (server, client) = tokio::join!(server, client);
        let (server, client) = (server.expect("our end"), client.expect("the program's end"));
        let (asks, notices, serving) =
            served_with(server, Guard::Everyone, world, notices, folders).await;
        let running = tokio::spawn(serving.run());
        // What was told while serving began has come when the answer comes.
        let peer = "org.freedesktop.DBus.Peer";
        let pong = client.call_method(None::<&str>, "/", Some(peer), "Ping", &());
        soon(pong).await.expect("answered");
        let rule = MatchRule::builder().msg_type(Type::Signal).build();
        let signals = MessageStream::for_match_rule(rule, &client, Some(1024)).await.expect("open");
        Self { client, signals, asks, notices, running }
    }

    /// The next thing that is asked of the switchboard.
    pub(super) async fn asked(&mut self) -> Ask {
        soon(self.asks.recv()).await.expect("the bus still asks")
    }

    pub(super) fn tell(&self, notice: Notice) {
        self.notices.send(notice).expect("the bus still listens");
    }

    /// The next signal: its path below the root, its name, and itself.
    pub(super) async fn signal(&mut self) -> (String, String, Message) {
        loop {
            let message = soon(self.signals.next()).await.expect("open").expect("readable");
            if message.message_type() == Type::Signal {
                let header = message.header();
                let path = header.path().expect("signals have paths").to_string();
                let member = header.member().expect("signals have names").to_string();
                return (path, member, message.clone());
            }
        }
    }
}

/// Serves a world to a connection, playing the switchboard as far as that takes.
pub(super) async fn served(
    connection: Connection,
    guard: Guard,
    world: World,
    room: usize,
) -> (mpsc::Receiver<Ask>, broadcast::Sender<Notice>, Serving) {
    served_with(connection, guard, world, room, Vec::new()).await
}

/// The same, with providers in some folders.
async fn served_with(
    connection: Connection,
    guard: Guard,
    world: World,
    room: usize,
    folders: Vec<PathBuf>,
) -> (mpsc::Receiver<Ask>, broadcast::Sender<Notice>, Serving) {
    let (ask, mut asks) = mpsc::channel(8);
    let (notices, listener) = broadcast::channel(room);
    let announcing = async {
        match asks.recv().await {
            Some(Ask::Announce) => {
                notices.send(Notice::World(Box::new(world))).expect("the bus listens");
            }
            other => panic!("the bus begins with {other:?}"),
        }
    };
    let (serving, ()) = soon(async {
        let (providers, library) = providers::open(Folders::new(folders));
        tokio::spawn(library.run());
        tokio::join!(serve(connection, guard, ask, listener, providers), announcing)
    })
    .await;
    (asks, notices, serving.expect("served"))
}

/// A world with one of each.
pub(super) fn world() -> World {
    World {
        service: ServiceView {
            addresses: vec!["udp:127.0.0.1:5060".into()],
            domain: "house.example".into(),
            realm: "house".into(),
            configuration_file: "/etc/sipwitch/config.toml".into(),
            started_us: 1_000,
            warnings: vec!["port 5060 is taken; using 5061".into()],
            network: "online (192.0.2.7)".into(),
            emergency: "none",
            emergency_words: "no line".into(),
            emergency_numbers: vec![("sos".into(), vec!["112".into()])],
        },
        calls: vec![call(1)],
        phones: vec![phone(3), program(5)],
        extensions: vec![extension("101"), extension("*97")],
        accounts: vec![account("dus-net")],
        blocked: Vec::new(),
    }
}

pub(super) fn call(id: u64) -> CallView {
    CallView {
        id: CallId(id),
        state: "ringing",
        contact: "102".into(),
        caller: "101".into(),
        caller_name: "Anna".into(),
        callee: "102".into(),
        callee_name: "Bert".into(),
        origin: "phone",
        started_us: 2_000,
        answered_us: 0,
        held: false,
        legs: vec![
            LegView { role: "caller", state: "connected", address: "101".into(), phone: Some(3) },
            LegView { role: "callee", state: "ringing", address: "102".into(), phone: None },
        ],
        route: "102 is an extension".into(),
        peer: PeerView::default(),
        trace: vec![TraceLine {
            destination: "phone 4 of 102".into(),
            outcome: "ringing",
            words: "it rings".into(),
            milliseconds: 12,
            ..TraceLine::default()
        }],
    }
}

pub(super) fn phone(id: u64) -> PhoneView {
    PhoneView {
        id,
        extension: "101".into(),
        contact: "sip:101@127.0.0.1:5071".into(),
        transport: "udp",
        address: "127.0.0.1:5071".into(),
        user_agent: "baresip".into(),
        instance: "urn:uuid:1".into(),
        registered_us: 3_000,
        expires_us: 4_000,
        program: None,
    }
}

pub(super) fn program(id: u64) -> PhoneView {
    PhoneView {
        contact: String::new(),
        transport: "dbus",
        address: String::new(),
        user_agent: "softphone".into(),
        instance: String::new(),
        expires_us: 0,
        program: Some(ProgramView { available: true, all_calls: false }),
        ..phone(id)
    }
}

pub(super) fn extension(number: &str) -> ExtensionView {
    ExtensionView {
        number: number.into(),
        name: "Anna".into(),
        kind: "person",
        members: Vec::new(),
        has_password: true,
        authentication: "password",
        login: LoginView::default(),
        ring_seconds: 30,
        phones: vec![3],
    }
}

pub(super) fn account(id: &str) -> AccountView {
    AccountView {
        transient: false,
        id: id.into(),
        title: "Office".into(),
        provider: "dus-net".into(),
        provider_name: "dus.net".into(),
        address: "000123@proxy.dus.net".into(),
        answers: [("account".into(), "000123".into())].into(),
        settings: [("server.port".into(), "5070".into())].into(),
        enabled: true,
        incoming: "101".into(),
        users: vec!["101".into()],
        order: 100,
        password_kept: "keyring",
        standing: AccountStanding {
            state: "unreachable",
            cause: "the provider does not answer".into(),
            certificate: CertificateFault::Expired,
            next_step: "wait: it is tried again by itself".into(),
            again_us: 5_000,
            until_us: 0,
            transport: "tls",
            server: "192.0.2.7:5061".into(),
        },
        shows_as: "+4930123456".into(),
        messages_waiting: 1,
        messages_waiting_words: "1 new voice message".into(),
        line: LineView {
            kind: "account",
            usable: "no",
            messages: "unknown",
            domains: vec!["proxy.dus.net".into()],
            region: "DE".into(),
            emergency: "yes",
            emergency_numbers: vec!["110".into()],
            cost: "0.01 to 0.20 a minute".into(),
        },
    }
}
