// SPDX-License-Identifier: GPL-3.0-or-later

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    super::ways::{FORGET_PREPARED, NoWay},
    *,
};

fn place(transport: Transport, address: SocketAddr, name: &str) -> Place {
    Place { transport, address, name: name.into() }
}

fn failed(incoming: Incoming) -> Flow {
    match incoming {
        Incoming::FlowFailed { flow, .. } => flow,
        other => panic!("a failure was to be told: {other:?}"),
    }
}

#[tokio::test]
async fn a_place_is_reached_from_the_socket_that_listens_there() {
    let (mut driver, here) = listening(&[Transport::Udp, Transport::Tcp], "127.0.0.1:0");
    let there = "127.0.0.1:5999".parse().unwrap();
    for transport in [Transport::Udp, Transport::Tcp] {
        let flow = driver.way_to(&place(transport, there, "example.org")).unwrap();
        assert_eq!((flow.local, flow.remote, flow.transport), (here, there, transport));
        assert!(!driver.is_outward(&flow), "nothing was opened");
    }
    assert_eq!(driver.connection_count(), 0);
}

#[tokio::test]
async fn without_listening_datagrams_go_out_and_only_who_was_asked_is_heard() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut driver = Driver::new(DriverSettings::default());
        let (mut far, there) = listening(&[Transport::Udp], address);
        let flow = driver.way_to(&place(Transport::Udp, there, "example.org")).unwrap();
        assert!(driver.is_outward(&flow));
        assert_eq!(driver.listeners().count(), 0, "nobody is told that we were there");
        driver.send(Transmit { flow, bytes: request("out") });
        let (came, body) = message(next(&mut far).await);
        assert_eq!((came.remote, body.as_str()), (flow.local, "out"));
        far.send(Transmit { flow: came, bytes: request("back") });
        let (back, body) = message(next(&mut driver).await);
        assert_eq!((back, body.as_str()), (flow, "back"));
        assert_eq!(driver.way_to(&place(Transport::Udp, there, "other.example")).unwrap(), flow);
    }
    // All of 127/8 is this machine, so that a stranger is to be had.
    let mut driver = Driver::new(DriverSettings::default());
    let (mut known, there) = listening(&[Transport::Udp], "127.0.0.1:0");
    let flow = driver.way_to(&place(Transport::Udp, there, "example.org")).unwrap();
    let stranger = std::net::UdpSocket::bind("127.0.0.9:0").unwrap();
    stranger.send_to(&request("strange"), flow.local).unwrap();
    let back = Flow { local: there, remote: flow.local, ..flow };
    known.send(Transmit { flow: back, bytes: request("known") });
    assert_eq!(message(next(&mut driver).await).1, "known", "the stranger came first");
}

#[tokio::test]
async fn a_connection_is_named_before_it_is_opened_and_used_as_long_as_it_stands() {
    let mut driver = Driver::new(DriverSettings::default());
    let (mut far, there) = listening(&[Transport::Tcp], "127.0.0.1:0");
    let example = place(Transport::Tcp, there, "example.org");
    let flow = driver.way_to(&example).unwrap();
    assert!(flow.connection.is_some());
    assert_ne!(flow.local.port(), 0, "the port is known, for Via and Contact");
    assert_eq!(driver.way_to(&example).unwrap(), flow);
    let other = driver.way_to(&place(Transport::Tcp, there, "other.example")).unwrap();
    assert_ne!(other.connection, flow.connection, "another name is another connection");
    assert_eq!(driver.connection_count(), 0);

    driver.send(Transmit { flow, bytes: request("1") });
    driver.send(Transmit { flow, bytes: request("2") });
    let (mut batch, mut unused) = (Vec::new(), Vec::new());
    while batch.len() < 2 {
        tokio::select! {
            () = far.recv(&mut batch) => {}
            () = driver.recv(&mut unused) => panic!("{unused:?}"),
            () = tokio::time::sleep(LIMIT) => panic!("both come in"),
        }
    }
    let (came, _) = message(batch.remove(0));
    assert_eq!(came.remote, flow.local);
    assert_eq!(driver.connection_count(), 1);
    assert!(driver.is_outward(&flow));
    assert_eq!(driver.way_to(&example).unwrap(), flow);

    far.close(came.connection.unwrap());
    failed(next(&mut far).await);
    assert_eq!(failed(next(&mut driver).await), flow);
    driver.send(Transmit { flow, bytes: request("late") });
    assert_eq!(failed(next(&mut driver).await), flow);
    assert_ne!(driver.way_to(&example).unwrap().connection, flow.connection);
}

#[tokio::test]
async fn a_way_that_cannot_be_opened_is_told_by_its_name() {
    let mut driver = Driver::new(DriverSettings::default());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flow = driver.way_to(&place(Transport::Tcp, nobody, "example.org")).unwrap();
    driver.send(Transmit { flow, bytes: request("x") });
    assert_eq!(failed(next(&mut driver).await), flow);
    let again = driver.way_to(&place(Transport::Tcp, nobody, "example.org")).unwrap();
    assert_ne!(again.connection, flow.connection);
}

#[tokio::test]
async fn a_connection_of_ours_is_kept_although_nothing_comes_for_longer_than_a_stranger_may_take() {
    let settings =
        DriverSettings { first_message: Duration::from_millis(20), ..DriverSettings::default() };
    let mut driver = Driver::new(settings);
    let far = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = far.local_addr().unwrap();
    let flow = driver.way_to(&place(Transport::Tcp, there, "example.org")).unwrap();
    driver.send(Transmit { flow, bytes: request("x") });
    let (mut peer, _) = far.accept().await.unwrap();
    let mut all = vec![0; request("x").len()];
    meanwhile(&mut driver, peer.read_exact(&mut all)).await.unwrap();
    peer.write_all(&request("late")).await.unwrap();
    assert_eq!(message(next(&mut driver).await).1, "late");
}

#[tokio::test]
async fn ways_that_are_not_used_are_forgotten_and_never_too_many() {
    let mut driver = Driver::new(DriverSettings::default());
    let (_far, there) = listening(&[Transport::Tcp], "127.0.0.1:0");
    let way = |driver: &mut Driver, number: usize| {
        driver.way_to(&place(Transport::Tcp, there, &format!("{number}.example"))).unwrap()
    };
    let first = way(&mut driver, 0);
    for number in 1..=1_024 {
        way(&mut driver, number);
    }
    driver.send(Transmit { flow: first, bytes: request("x") });
    assert_eq!(failed(next(&mut driver).await), first, "the oldest made room");

    let later = Instant::now() + FORGET_PREPARED;
    assert_eq!(driver.ways.forget(later), None);
    let last = way(&mut driver, 1_025);
    let second = way(&mut driver, 1_024);
    assert!(second.connection > last.connection, "the one of before is forgotten");
}

#[tokio::test]
async fn nobody_is_reached_at_addresses_that_are_nobodys() {
    let mut driver = Driver::new(DriverSettings::default());
    for address in ["0.0.0.0:5060", "[::]:5060", "224.0.1.75:5060", "[ff02::1]:5060", "127.0.0.1:0"]
    {
        let address = address.parse().unwrap();
        let way = driver.way_to(&place(Transport::Udp, address, "example.org"));
        assert!(matches!(way, Err(NoWay::Nobody { .. })), "{way:?}");
    }
}
