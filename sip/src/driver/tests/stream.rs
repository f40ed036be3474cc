// SPDX-License-Identifier: GPL-3.0-or-later

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

const TCP: &[Transport] = &[Transport::Tcp];

/// What a far end reads until it is disconnected.
async fn rest_of(peer: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset ends it as well as an orderly end does.
    let _ = peer.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_connection_is_made_by_sending_and_used_by_both_sides() {
    let (mut one, here) = listening(TCP, "127.0.0.1:0");
    let (mut two, there) = listening(TCP, "127.0.0.1:0");
    let out = flow(Transport::Tcp, here, there);
    one.send(Transmit { flow: out, bytes: request("1") });
    one.send(Transmit { flow: out, bytes: request("2") });
    let mut batch = Vec::new();
    while batch.len() < 2 {
        let mut unused = Vec::new();
        tokio::select! {
            () = two.recv(&mut batch) => {}
            () = one.recv(&mut unused) => panic!("{unused:?}"),
            () = tokio::time::sleep(LIMIT) => panic!("both come in"),
        }
    }
    assert_eq!((one.connection_count(), two.connection_count()), (1, 1));
    let (came, body) = message(batch.remove(0));
    assert_eq!((came.local, body.as_str()), (there, "1"));
    assert_eq!(message(batch.remove(0)).0, came);
    assert!(came.connection.is_some());

    two.send(Transmit { flow: came, bytes: request("back") });
    let (back, body) = message(next(&mut one).await);
    assert_eq!((back.local, back.remote, body.as_str()), (here, there, "back"));

    one.close(back.connection.unwrap());
    let Incoming::FlowFailed { flow, .. } = next(&mut one).await else { panic!("it is closed") };
    assert_eq!(flow, back);
    let Incoming::FlowFailed { flow, .. } = next(&mut two).await else { panic!("it is closed") };
    assert_eq!(flow, came);
    assert_eq!((one.connection_count(), two.connection_count()), (0, 0));
    two.send(Transmit { flow: came, bytes: request("late") });
    let Incoming::FlowFailed { flow, .. } = next(&mut two).await else { panic!("it is gone") };
    assert_eq!(flow, came);
}

#[tokio::test]
async fn messages_are_cut_from_whatever_pieces_arrive_and_pings_are_answered() {
    let (mut driver, here) = listening(TCP, "127.0.0.1:0");
    let mut peer = TcpStream::connect(here).await.unwrap();
    peer.set_nodelay(true).unwrap();
    let text = [&request("one")[..], b"\r\n\r\n", &request("two")].concat();
    let mut batch = Vec::new();
    for piece in text.chunks(50) {
        peer.write_all(piece).await.unwrap();
        tokio::select! {
            biased;
            () = driver.recv(&mut batch) => {}
            () = tokio::task::yield_now() => {}
        }
    }
    while batch.len() < 2 {
        tokio::time::timeout(LIMIT, driver.recv(&mut batch)).await.expect("both come in");
    }
    let bodies: Vec<_> = batch.drain(..).map(|incoming| message(incoming).1).collect();
    assert_eq!(bodies, ["one", "two"]);
    let mut pong = [0; 2];
    meanwhile(&mut driver, peer.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    // A ping whose halves come apart.
    for _ in 0..2 {
        peer.write_all(b"\r\n").await.unwrap();
        tokio::task::yield_now().await;
    }
    meanwhile(&mut driver, peer.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_told() {
    let (mut driver, here) = listening(TCP, "127.0.0.1:0");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let out = flow(Transport::Tcp, here, nobody);
    driver.send(Transmit { flow: out, bytes: request("x") });
    let Incoming::FlowFailed { flow, why } = next(&mut driver).await else { panic!("nobody") };
    assert_eq!(flow, out, "the flow as it was asked for");
    assert!(why.to_string().contains("refused"), "{why}");
    assert_eq!(driver.connection_count(), 0);
}

#[tokio::test]
async fn a_source_has_no_more_connections_than_allowed() {
    let settings = DriverSettings { connections_of_source: 2, ..DriverSettings::default() };
    let (mut driver, here) = listening_with(TCP, "127.0.0.1:0", settings);
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut peer = TcpStream::connect(here).await.unwrap();
        peer.write_all(&request("x")).await.unwrap();
        next(&mut driver).await;
        kept.push(peer);
    }
    let mut third = TcpStream::connect(here).await.unwrap();
    assert_eq!(meanwhile(&mut driver, rest_of(&mut third)).await, "");
    assert_eq!(driver.connection_count(), 2);
    drop(kept.pop());
    assert!(matches!(next(&mut driver).await, Incoming::FlowFailed { .. }));
    let mut fourth = TcpStream::connect(here).await.unwrap();
    fourth.write_all(&request("x")).await.unwrap();
    assert!(matches!(next(&mut driver).await, Incoming::Message { .. }), "there is room again");
}

#[tokio::test]
async fn a_message_that_never_ends_ends_its_connection() {
    let settings =
        DriverSettings { whole_message: Duration::from_millis(50), ..DriverSettings::default() };
    let (mut driver, here) = listening_with(TCP, "127.0.0.1:0", settings);
    let mut peer = TcpStream::connect(here).await.unwrap();
    peer.write_all(&request("never whole")[..40]).await.unwrap();
    let Incoming::FlowFailed { why, .. } = next(&mut driver).await else { panic!("closed") };
    assert!(why.to_string().contains("too long"), "{why}");
    assert_eq!(rest_of(&mut peer).await, "");
}

#[tokio::test]
async fn a_connection_that_never_says_anything_is_closed_and_one_that_did_is_kept_longer() {
    let settings = DriverSettings {
        first_message: Duration::from_millis(50),
        idle: Duration::from_millis(300),
        ..DriverSettings::default()
    };
    let (mut driver, here) = listening_with(TCP, "127.0.0.1:0", settings);
    let mut useful = TcpStream::connect(here).await.unwrap();
    useful.write_all(&request("x")).await.unwrap();
    let (used, _) = message(next(&mut driver).await);
    let _silent = TcpStream::connect(here).await.unwrap();
    let Incoming::FlowFailed { flow, .. } = next(&mut driver).await else { panic!("closed") };
    assert_ne!(flow, used);
    let Incoming::FlowFailed { flow, .. } = next(&mut driver).await else { panic!("closed") };
    assert_eq!(flow, used);
}

#[tokio::test]
async fn a_far_end_that_does_not_read_is_disconnected_when_enough_waits() {
    let settings = DriverSettings { send_bytes: 100_000, ..DriverSettings::default() };
    let (mut driver, here) = listening_with(TCP, "127.0.0.1:0", settings);
    let mut peer = TcpStream::connect(here).await.unwrap();
    peer.write_all(&request("x")).await.unwrap();
    let (came, _) = message(next(&mut driver).await);
    let big = request(&"y".repeat(60_000));
    // More than any socket buffer of this machine takes.
    for _ in 0..1_000 {
        driver.send(Transmit { flow: came, bytes: big.clone() });
    }
    let Incoming::FlowFailed { flow, .. } = next(&mut driver).await else { panic!("closed") };
    assert_eq!(flow, came);
}

#[tokio::test]
async fn what_waits_is_sent_when_the_far_end_reads_again() {
    let settings = DriverSettings { send_bytes: usize::MAX, ..DriverSettings::default() };
    let (mut driver, here) = listening_with(TCP, "127.0.0.1:0", settings);
    let mut peer = TcpStream::connect(here).await.unwrap();
    peer.write_all(&request("x")).await.unwrap();
    let (came, _) = message(next(&mut driver).await);
    let big = request(&"y".repeat(60_000));
    for _ in 0..200 {
        driver.send(Transmit { flow: came, bytes: big.clone() });
    }
    let mut all = vec![0; big.len() * 200];
    meanwhile(&mut driver, peer.read_exact(&mut all)).await.unwrap();
    assert!(all.ends_with(&big));
}

#[tokio::test]
async fn a_broken_message_is_told_but_lost_framing_is_answered_and_ends_the_connection() {
    let (mut driver, here) = listening(TCP, "127.0.0.1:0");
    let mut peer = TcpStream::connect(here).await.unwrap();
    let sound = String::from_utf8(request("x").to_vec()).unwrap();
    peer.write_all(sound.replace("MESSAGE sip:a@b", "MESSAGE  sip:a@b").as_bytes()).await.unwrap();
    assert!(matches!(next(&mut driver).await, Incoming::Malformed { .. }));
    peer.write_all(sound.as_bytes()).await.unwrap();
    assert_eq!(message(next(&mut driver).await).1, "x");
    peer.write_all(sound.replace("Content-Length: 1", "Content-Length: -1").as_bytes())
        .await
        .unwrap();
    assert!(matches!(next(&mut driver).await, Incoming::FlowFailed { .. }));
    assert!(rest_of(&mut peer).await.starts_with("SIP/2.0 400 "));
}

#[tokio::test]
async fn the_end_of_the_driver_ends_its_connections() {
    let (mut driver, here) = listening(TCP, "127.0.0.1:0");
    let mut peer = TcpStream::connect(here).await.unwrap();
    peer.write_all(&request("x")).await.unwrap();
    next(&mut driver).await;
    drop(driver);
    let end = tokio::time::timeout(LIMIT, rest_of(&mut peer)).await;
    assert_eq!(end.as_deref(), Ok(""));
    assert!(TcpStream::connect(here).await.is_err(), "nobody listens any more");
}
