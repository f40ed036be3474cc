// SPDX-License-Identifier: GPL-3.0-or-later
//! What only a real bus shows: names, and programs that leave. Needs `dbus-daemon`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::{ObjectName, SipWitchProxy, names, wire::DialOptions};
use zbus::{Connection, connection};

use super::house::{call, served, soon, world};
use crate::{
    bus::{BusError, Gone, Guard},
    switchboard::{
        ask::{Ask, DialOptions as Options},
        notice::{Notice, World},
    },
};

/// A bus of our own, which ends with the test.
struct Daemon {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut process = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!("--address=unix:path={}", directory.path().join("bus").display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon starts; install dbus-daemon (Debian) or dbus");
        let mut address = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut address).expect("it prints its address");
        Self { process, address: address.trim().into(), _directory: directory }
    }

    async fn connect(&self) -> Connection {
        let builder = connection::Builder::address(self.address.as_str()).expect("an address");
        soon(builder.build()).await.expect("the bus takes us")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_second_service_is_told_that_the_name_is_taken() {
    let daemon = Daemon::start();
    let (_asks, _notices, first) =
        served(daemon.connect().await, Guard::Everyone, world(), 8).await;
    first.take_name().await.expect("the name is free");
    let (_asks, _notices, second) =
        served(daemon.connect().await, Guard::Everyone, world(), 8).await;
    let error = second.take_name().await.expect_err("taken");
    assert!(matches!(error, BusError::NameTaken), "{error:?}");
    assert!(error.to_string().contains(names::BUS_NAME), "{error}");
    assert!(error.to_string().contains("--bus none"), "{error}");
}

#[tokio::test]
async fn a_program_that_leaves_has_its_calls_ended_and_others_keep_theirs() {
    let daemon = Daemon::start();
    let (mut asks, notices, serving) =
        served(daemon.connect().await, Guard::of_this_process(), World::default(), 8).await;
    serving.take_name().await.expect("the name is free");
    let running = tokio::spawn(serving.run());

    // Two programs dial; the second call has ended when its program leaves.
    let mut programs = Vec::new();
    for id in [1, 2] {
        let program = daemon.connect().await;
        let service = SipWitchProxy::new(&program).await.expect("a proxy");
        let options = DialOptions::default();
        let (dialled, owner) = soon(async {
            tokio::join!(service.dial("102", &options), async {
                match asks.recv().await {
                    Some(Ask::Dial { options, owner, reply, .. }) => {
                        assert_eq!(options, Options::default());
                        notices.send(Notice::Call(call(id))).expect("listens");
                        reply.send(Ok(CallId(id))).expect("waits");
                        owner
                    }
                    other => panic!("asked {other:?}"),
                }
            })
        })
        .await;
        assert_eq!(dialled, Ok(ObjectName::Call(id).path()));
        let name = program.unique_name().map(ToString::to_string);
        assert_eq!(owner, name, "the switchboard knows whose call it is");
        programs.push((program, name.expect("the bus names everybody")));
    }
    let ended = crate::switchboard::notice::CallEnd {
        call: call(2),
        ended_us: 1,
        sip_code: 200,
        q850: 16,
        words: "hung up".into(),
    };
    notices.send(Notice::CallEnded(Box::new(ended))).expect("listens");

    let (second, _) = programs.pop().expect("two");
    let (first, name) = programs.pop().expect("two");
    second.close().await.expect("left");
    first.close().await.expect("left");
    // Only the first owned something; nothing is said of the second.
    match soon(asks.recv()).await {
        Some(Ask::OwnerLeft { owner }) => assert_eq!(owner, name),
        other => panic!("asked {other:?}"),
    }
    drop(notices);
    assert_eq!(soon(running).await.expect("no panic"), Gone::Switchboard);
    assert!(asks.recv().await.is_none(), "nothing else was asked");
}

#[tokio::test]
async fn when_the_bus_dies_owned_calls_end() {
    let daemon = Daemon::start();
    let (mut asks, notices, serving) =
        served(daemon.connect().await, Guard::Everyone, World::default(), 8).await;
    serving.take_name().await.expect("the name is free");
    let running = tokio::spawn(serving.run());
    let program = daemon.connect().await;
    let service = SipWitchProxy::new(&program).await.expect("a proxy");
    let options = DialOptions::default();
    let (dialled, ()) = soon(async {
        tokio::join!(service.dial("102", &options), async {
            match asks.recv().await {
                Some(Ask::Dial { reply, .. }) => {
                    notices.send(Notice::Call(call(1))).expect("listens");
                    reply.send(Ok(CallId(1))).expect("waits");
                }
                other => panic!("asked {other:?}"),
            }
        })
    })
    .await;
    dialled.expect("dialled");
    drop(daemon);
    match soon(asks.recv()).await {
        Some(Ask::OwnerLeft { owner }) => {
            assert_eq!(Some(owner), program.unique_name().map(ToString::to_string));
        }
        other => panic!("asked {other:?}"),
    }
    assert_eq!(soon(running).await.expect("no panic"), Gone::Bus);
}

#[tokio::test]
async fn a_detached_call_belongs_to_nobody_on_the_bus() {
    let daemon = Daemon::start();
    let (mut asks, notices, serving) =
        served(daemon.connect().await, Guard::of_this_process(), World::default(), 8).await;
    serving.take_name().await.expect("the name is free");
    let running = tokio::spawn(serving.run());

    let program = daemon.connect().await;
    let service = SipWitchProxy::new(&program).await.expect("a proxy");
    let options = DialOptions { detached: Some(true), ..DialOptions::default() };
    let (dialled, owner) = soon(async {
        tokio::join!(service.dial("102", &options), async {
            match asks.recv().await {
                Some(Ask::Dial { options, owner, reply, .. }) => {
                    assert!(options.detached);
                    notices.send(Notice::Call(call(1))).expect("listens");
                    reply.send(Ok(CallId(1))).expect("waits");
                    owner
                }
                other => panic!("asked {other:?}"),
            }
        })
    })
    .await;
    assert_eq!(dialled, Ok(ObjectName::Call(1).path()));
    assert_eq!(owner, None, "nobody whose leaving would end it");

    // What is asked next comes first: no word of the program's leaving before it.
    drop((service, program));
    let other = daemon.connect().await;
    let service = SipWitchProxy::new(&other).await.expect("a proxy");
    let reload = tokio::spawn(async move { service.reload().await });
    match soon(asks.recv()).await {
        Some(Ask::Reload { reply }) => reply.send(Ok(Vec::new())).expect("waits"),
        other => panic!("asked {other:?}"),
    }
    assert_eq!(soon(reload).await.expect("no panic"), Ok(Vec::new()));
    drop(notices);
    soon(running).await.expect("no panic");
}
