// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{
    Authority,
    connections::{Side, client, failed, secured, server, server_with, way},
    names,
};
use crate::driver::{
    Driver, DriverSettings,
    tests::{meanwhile, message, next, request},
};

/// What is left of a connection: all that comes until it ends.
async fn rest_of(peer: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = peer.read_to_end(&mut rest).await;
    rest
}

#[tokio::test]
async fn who_speaks_no_tls_is_disconnected_and_nobody_is_told() {
    let authority = Authority::new();
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let (mut two, address) = server(&authority, there);
    for noise in [&request("plain")[..], &[0; 4096], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3]] {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(noise).await.unwrap();
        peer.shutdown().await.unwrap();
        meanwhile(&mut two.driver, rest_of(&mut peer)).await;
    }
    // Whoever speaks it is served as before.
    let mut one = client(&authority, None);
    let out = way(&mut one, address, "there.example");
    one.send(out, request("x"));
    secured(two.next(&mut one).await);
    assert_eq!(message(two.next(&mut one).await).1, "x");
    assert_eq!(two.driver.connection_count(), 1);
}

#[tokio::test]
async fn half_a_handshake_ends_in_time_on_either_side() {
    let settings =
        DriverSettings { handshake: Duration::from_millis(50), ..DriverSettings::default() };
    let authority = Authority::new();
    let there = authority.write("there", &authority.issue(&names(&["there.example"])));
    let (mut two, address) = server_with(&authority, there, settings);
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert!(meanwhile(&mut two.driver, rest_of(&mut silent)).await.is_empty());
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await.unwrap();
    meanwhile(&mut two.driver, rest_of(&mut half)).await;
    while two.driver.connection_count() > 0 {
        meanwhile(&mut two.driver, tokio::task::yield_now()).await;
    }

    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut one = Side::new(Driver::new(settings));
    let out = way(&mut one, deaf.local_addr().unwrap(), "there.example");
    one.send(out, request("x"));
    let (flow, why) = failed(one.next(&mut two).await);
    assert_eq!(flow, out);
    assert!(why.contains("TLS with there.example: it was not agreed within 0.05 s"), "{why}");
}

#[tokio::test]
async fn a_server_without_tls_or_that_hangs_up_is_told_in_words() {
    let authority = Authority::new();
    for (answer, words) in [
        (&b"SIP/2.0 400 Bad Request\r\n\r\n"[..], "what the far end speaks is not TLS"),
        (b"", "the far end hung up before TLS was agreed"),
        // Fatal handshake_failure, and unrecognized_name.
        (&[0x15, 3, 3, 0, 2, 2, 40], "speaks no TLS that is still safe"),
        (&[0x15, 3, 3, 0, 2, 2, 112], "does not know the name"),
    ] {
        let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut one = client(&authority, None);
        let out = way(&mut one, far.local_addr().unwrap(), "there.example");
        one.send(out, request("x"));
        let answering = async {
            let (mut peer, _) = far.accept().await.unwrap();
            let mut hello = [0; 5];
            peer.read_exact(&mut hello).await.unwrap();
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            peer.read_exact(&mut rest).await.unwrap();
            peer.write_all(answer).await.unwrap();
            peer.shutdown().await.unwrap();
            peer
        };
        let _peer = meanwhile(&mut one.driver, answering).await;
        let (_, why) = failed(next(&mut one.driver).await);
        assert!(why.contains(words), "{why}\nhas no: {words}");
    }
}

#[tokio::test]
async fn a_name_that_no_certificate_can_show_is_refused() {
    let mut one = client(&Authority::new(), None);
    let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for name in ["", "*.example", "there example"] {
        let out = way(&mut one, far.local_addr().unwrap(), name);
        one.send(out, request("x"));
        let (_, why) = failed(next(&mut one.driver).await);
        assert!(why.contains("no certificate can be for"), "{why}");
    }
}
