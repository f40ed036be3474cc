// SPDX-License-Identifier: GPL-3.0-or-later
//! Real sockets on loopback. Each wait ends with what it waits for, or fails at its deadline.

mod session;

use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::*;
use crate::relay::Scope;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const DEADLINE: Duration = Duration::from_secs(20);

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.resize(172, 0xd5);
    packet
}

/// A socket of an end, or of nobody.
fn socket() -> UdpSocket {
    socket_on(HERE)
}

/// Where no other test takes a port that was just given back.
fn apart(host: u8) -> IpAddr {
    [127, 0, 0, host].into()
}

fn socket_on(ip: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    socket
}

fn terms(socket: &UdpSocket) -> Terms {
    let rtp = Some(socket.local_addr().expect("an address"));
    Terms { rtp, authenticated: true, sends: true, ..Terms::unknown(Scope::Machine) }
}

fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut packet = [0; 4096];
    let (length, source) = socket.recv_from(&mut packet).expect("a packet before the deadline");
    (packet[..length].to_vec(), source)
}

struct House {
    driver: Driver,
    events: Receiver<(AnchorId, Event)>,
}

impl House {
    fn new() -> Self {
        let (tell, events) = mpsc::channel();
        let driver = Driver::new(Ports::default(), move |id, event| {
            // Nobody listens any more when the test is over.
            let _ = tell.send((id, event));
        });
        Self { driver, events }
    }

    fn open(&mut self, near: &UdpSocket, far: &UdpSocket) -> Anchor {
        self.driver.open((HERE, terms(near)), (HERE, terms(far))).expect("an anchor")
    }

    fn wait_for(&self, wanted: Event) {
        loop {
            match self.events.recv_timeout(DEADLINE) {
                Ok((_, event)) if event == wanted => return,
                Ok(_) => {}
                Err(error) => panic!("{wanted:?} did not happen: {error}"),
            }
        }
    }
}

fn tally(anchor: &Anchor) -> Tally {
    let (tell, told) = mpsc::channel();
    anchor.count(move |tally| tell.send(tally).expect("a listener"));
    told.recv_timeout(DEADLINE).expect("a tally")
}

const RTP: Component = Component::Rtp;

#[test]
fn packets_cross_between_two_programs_and_strangers_are_left_out() {
    let mut house = House::new();
    let (program, phone, stranger) = (socket(), socket(), socket());
    let anchor = house.open(&program, &phone);
    let (near, far) = (anchor.address(End::Near, RTP), anchor.address(End::Far, RTP));
    assert_eq!(near.port() % 2, 0);
    assert_eq!(anchor.address(End::Near, Component::Rtcp).port(), near.port() + 1);

    program.send_to(&rtp(1, 1), near).expect("sent");
    assert_eq!(received(&phone), (rtp(1, 1), far), "it comes from where the phone sends to");
    stranger.send_to(&rtp(9, 1), far).expect("sent");
    phone.send_to(&rtp(2, 1), far).expect("sent");
    assert_eq!(received(&program), (rtp(2, 1), near));
    let source = phone.local_addr().expect("an address");
    house.wait_for(Event::Latched { end: End::Far, component: RTP, source });
    // From now on the kernel refuses strangers; what the phone sends afterwards comes alone.
    let _ = stranger.send_to(&rtp(9, 2), far);
    for sequence in 2..50 {
        phone.send_to(&rtp(2, sequence), far).expect("sent");
        assert_eq!(received(&program).0, rtp(2, sequence));
        program.send_to(&rtp(1, sequence), near).expect("sent");
        assert_eq!(received(&phone).0, rtp(1, sequence));
    }
    let tally = tally(&anchor);
    assert_eq!((tally.at(End::Far, RTP).packets_in, tally.at(End::Far, RTP).packets_out), (49, 49));
    assert_eq!((tally.at(End::Far, RTP).strangers, tally.unsent), (1, 0));
}

#[test]
fn another_description_leads_elsewhere() {
    let mut house = House::new();
    let (program, phone, other) = (socket(), socket(), socket());
    let anchor = house.open(&program, &phone);
    let (near, far) = (anchor.address(End::Near, RTP), anchor.address(End::Far, RTP));
    phone.send_to(&rtp(2, 1), far).expect("sent");
    assert_eq!(received(&program).0, rtp(2, 1));
    anchor.describe(End::Far, terms(&other));
    house.wait_for(Event::Opened { end: End::Far, component: RTP });
    // The kernel no longer turns it away, and its port is still ours.
    other.send_to(&rtp(3, 1), far).expect("sent");
    assert_eq!(received(&program).0, rtp(3, 1));
    program.send_to(&rtp(1, 1), near).expect("sent");
    assert_eq!(received(&other), (rtp(1, 1), far));
    let _ = phone.send_to(&rtp(2, 2), far);
    other.send_to(&rtp(3, 2), far).expect("sent");
    assert_eq!(received(&program).0, rtp(3, 2), "and nothing of the first phone's");
}

#[test]
fn an_end_whose_port_is_closed_does_not_stop_the_other() {
    let mut house = House::new();
    let (program, phone) = (socket_on(apart(77)), socket());
    let anchor = house.open(&program, &phone);
    let (near, far) = (anchor.address(End::Near, RTP), anchor.address(End::Far, RTP));
    let gone = program.local_addr().expect("an address");
    program.send_to(&rtp(1, 0), near).expect("sent");
    received(&phone);
    drop(program);
    for sequence in 0..20 {
        phone.send_to(&rtp(2, sequence), far).expect("sent");
    }
    let program = UdpSocket::bind(gone).expect("the same port");
    program.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    program.send_to(&rtp(1, 1), near).expect("sent");
    assert_eq!(received(&phone).0, rtp(1, 1));
    phone.send_to(&rtp(2, 99), far).expect("sent");
    while received(&program).0 != rtp(2, 99) {}
}

#[test]
fn what_is_too_long_is_counted_and_dropped() {
    let mut house = House::new();
    let (program, phone) = (socket(), socket());
    let anchor = house.open(&program, &phone);
    let far = anchor.address(End::Far, RTP);
    let mut long = rtp(2, 1);
    long.resize(crate::relay::MAX_PACKET + 100, 0);
    phone.send_to(&long, far).expect("sent");
    phone.send_to(&rtp(2, 2), far).expect("sent");
    assert_eq!(received(&program).0, rtp(2, 2));
    assert_eq!(tally(&anchor).at(End::Far, RTP).oversize, 1);
}

#[test]
fn a_port_of_ours_is_no_programs() {
    let mut house = House::new();
    let (program, phone) = (socket(), socket());
    let first = house.open(&program, &phone);
    let near = Terms {
        rtp: Some(first.address(End::Near, RTP)),
        sends: true,
        authenticated: true,
        ..Terms::unknown(Scope::Machine)
    };
    let second = house.driver.open((HERE, near), (HERE, terms(&phone))).expect("an anchor");
    phone.send_to(&rtp(2, 1), second.address(End::Far, RTP)).expect("sent");
    house.wait_for(Event::Flowing(End::Far));
    assert_eq!(tally(&second).at(End::Far, RTP).nowhere, 1);
    assert_eq!(tally(&first).at(End::Near, RTP).strangers, 0);
}

#[test]
fn a_closed_anchor_gives_its_ports_back_and_the_thread_ends_with_the_driver() {
    let mut house = House::new();
    let (program, phone) = (socket(), socket());
    let (near, far) = ((apart(78), terms(&program)), (HERE, terms(&phone)));
    let anchor = house.driver.open(near, far).expect("an anchor");
    let near = anchor.address(End::Near, RTP);
    assert_eq!(UdpSocket::bind(near).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
    drop(anchor);
    // Asked after the closing, and so answered after it.
    let next = house.open(&program, &phone);
    tally(&next);
    UdpSocket::bind(near).expect("free again");
    assert_eq!(house.driver.open.load(Ordering::Relaxed), 1);
    drop(house.driver);
    loop {
        match house.events.recv_timeout(DEADLINE) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the thread still lives"),
        }
    }
    drop(next);
}

#[test]
fn ports_are_used_up_in_words() {
    let taken = UdpSocket::bind((HERE, 0)).expect("a socket");
    let port = taken.local_addr().expect("an address").port() & !1;
    let ports = Ports::new(port..=port + 1).expect("one pair");
    let mut driver = Driver::new(ports, |_, _| {});
    let unknown = || (HERE, Terms::unknown(Scope::Machine));
    let error = driver.open(unknown(), unknown()).expect_err("no port");
    assert!(matches!(error, OpenError::NoPorts(_)), "{error}");
    let elsewhere: IpAddr = "192.0.2.1".parse().expect("an address");
    let mut driver = Driver::new(Ports::default(), |_, _| {});
    let error = driver.open(unknown(), (elsewhere, Terms::unknown(Scope::House)));
    assert!(matches!(error, Err(OpenError::Address(ip, _)) if ip == elsewhere), "{error:?}");
    assert_eq!(Ports::new(5000..=5000), None);
    assert_eq!(Ports::new(65535..=65535), None);
    assert!(Ports::new(5001..=5003).is_some());
}
