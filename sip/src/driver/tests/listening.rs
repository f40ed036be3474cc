// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

#[tokio::test]
async fn datagrams_go_there_and_back_over_both_families() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut one, here) = listening(&[Transport::Udp], address);
        let (mut two, there) = listening(&[Transport::Udp], address);
        let out = flow(Transport::Udp, here, there);
        one.send(Transmit { flow: out, bytes: request("there") });
        let (came, body) = message(next(&mut two).await);
        assert_eq!((came.local, came.remote, body.as_str()), (there, here, "there"));
        two.send(Transmit { flow: came, bytes: request("back") });
        assert_eq!(message(next(&mut one).await).1, "back");
    }
}

#[tokio::test]
async fn a_rush_of_datagrams_comes_in_batches() {
    let (mut one, here) = listening(&[Transport::Udp], "127.0.0.1:0");
    let (mut two, there) = listening(&[Transport::Udp], "127.0.0.1:0");
    let bytes = request("x");
    for _ in 0..100 {
        one.send(Transmit { flow: flow(Transport::Udp, here, there), bytes: bytes.clone() });
    }
    let (mut batch, mut rounds) = (Vec::new(), 0);
    while batch.len() < 100 {
        tokio::time::timeout(LIMIT, two.recv(&mut batch)).await.expect("all come in");
        rounds += 1;
    }
    assert!(rounds <= 10, "{rounds} rounds");
}

#[tokio::test]
async fn noise_is_ignored_and_what_cannot_be_read_is_told() {
    let (mut driver, here) = listening(&[Transport::Udp], "127.0.0.1:0");
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for noise in [&b"\r\n\r\n"[..], b"\0", b"\0\0\0\0", b""] {
        peer.send_to(noise, here).unwrap();
    }
    peer.send_to(b"OPTIONS  sip:a SIP/2.0\r\n\r\n", here).unwrap();
    let Incoming::Malformed { bytes, fault, .. } = next(&mut driver).await else {
        panic!("it cannot be read")
    };
    assert_eq!(fault.status, 400);
    assert!(bytes.starts_with(b"OPTIONS"));
}

#[tokio::test]
async fn a_datagram_that_cannot_be_sent_is_told() {
    let (mut driver, here) = listening(&[Transport::Udp], "127.0.0.1:0");
    let there = "127.0.0.1:9".parse().unwrap();
    let too_long = Bytes::from(vec![b'x'; 70_000]);
    driver.send(Transmit { flow: flow(Transport::Udp, here, there), bytes: too_long });
    let elsewhere = flow(Transport::Udp, "127.0.0.1:1".parse().unwrap(), there);
    driver.send(Transmit { flow: elsewhere, bytes: request("") });
    let mut batch = Vec::new();
    driver.recv(&mut batch).await;
    assert!(batch.iter().all(|incoming| matches!(incoming, Incoming::FlowFailed { .. })));
    assert_eq!(batch.len(), 2);
}

#[tokio::test]
async fn a_port_that_stays_closed_is_told_and_no_other_datagram_is_lost() {
    for here in ["127.0.0.1:0", "[::1]:0"] {
        let (mut driver, local) = listening(&[Transport::Udp], here);
        let peer = std::net::UdpSocket::bind((local.ip(), 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let closed = std::net::UdpSocket::bind((local.ip(), 0)).unwrap().local_addr().unwrap();
        let send = |driver: &mut Driver, remote| {
            let flow = flow(Transport::Udp, local, remote);
            driver.send(Transmit { flow, bytes: request("") });
        };
        for refusals in 1..=3 {
            send(&mut driver, closed);
            // The next datagram on the socket meets the error, and goes out nevertheless.
            send(&mut driver, peer.local_addr().unwrap());
            assert!(peer.recv(&mut [0; 2048]).unwrap() > 0, "{here}");
            assert_eq!(driver.told.len(), refusals / 3, "it may be a phone that restarts");
        }
        let Incoming::FlowFailed { flow: failed, .. } = next(&mut driver).await else {
            panic!("nobody listens at {closed}")
        };
        assert_eq!(failed, flow(Transport::Udp, local, closed));
    }
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_holder_and_the_next_one_is_taken() {
    let (_first, taken) = listening(&[Transport::Udp], "127.0.0.1:0");
    let mut driver = Driver::new(DriverSettings::default());
    let mut listen =
        Listen { transports: vec![Transport::Tcp, Transport::Udp], address: taken, exact: true };
    let error = driver.bind(&listen).unwrap_err();
    let BindError::InUse { transport, address, holder } = &error else { panic!("{error}") };
    assert_eq!((*transport, *address), (Transport::Udp, taken));
    assert_eq!(holder.as_ref().map(|holder| holder.process), Some(std::process::id()));
    let text = error.to_string();
    assert!(text.contains(&taken.to_string()) && text.contains("(process "), "{text}");
    assert_eq!(driver.listeners().count(), 0, "not even for the transport that was free");

    listen.exact = false;
    let bound = driver.bind(&listen).unwrap();
    assert_eq!(bound.len(), 2);
    assert_eq!(bound[0].1, bound[1].1, "both have the same port");
    assert!(bound[0].1.port() > taken.port());
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said() {
    let mut driver = Driver::new(DriverSettings::default());
    let mut bind = |transport, address: &str| {
        let listen =
            Listen { transports: vec![transport], address: address.parse().unwrap(), exact: true };
        driver.bind(&listen).unwrap_err().to_string()
    };
    let text = bind(Transport::Udp, "192.0.2.1:5060");
    assert!(text.contains("192.0.2.1:5060 is no address of this machine"), "{text}");
    let text = bind(Transport::Wss, "127.0.0.1:0");
    assert!(text.contains("wss"), "{text}");
}

#[tokio::test]
async fn a_wildcard_is_bound_address_by_address_so_that_each_flow_names_the_true_one() {
    let (mut driver, first) = listening(&[Transport::Udp, Transport::Tcp], "0.0.0.0:0");
    let locals: Vec<_> = driver.listeners().collect();
    let loopback = SocketAddr::new("127.0.0.1".parse().unwrap(), first.port());
    assert!(locals.contains(&(Transport::Udp, loopback)));
    assert!(locals.iter().all(|(_, local)| local.port() == first.port()));
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(&request("x"), loopback).unwrap();
    assert_eq!(message(next(&mut driver).await).0.local, loopback);

    let there = peer.local_addr().unwrap();
    for transport in [Transport::Udp, Transport::Tcp] {
        let flow = driver.flow_to(transport, there).unwrap();
        assert_eq!((flow.local, flow.remote), (loopback, there));
    }
    assert!(driver.flow_to(Transport::Udp, "[::1]:5060".parse().unwrap()).is_none());
    assert_eq!(
        driver.refresh(SocketAddr::new("0.0.0.0".parse().unwrap(), first.port())).unwrap(),
        (vec![], vec![])
    );
}
