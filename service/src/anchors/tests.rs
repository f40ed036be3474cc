// SPDX-License-Identifier: GPL-3.0-or-later
//! Ports that are there while somebody needs them.

use std::net::{IpAddr, UdpSocket};

use sipwitch_media::{relay::Scope, sdp::Description};

use super::{
    places::{HERE, HERE_IN_6, OUTSIDE},
    *,
};

const LEG: LegId = LegId(7);
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 9000 RTP/AVP 0\r\nm=video 9002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";

fn far() -> Far {
    Far { ours: Some(HERE), signalling: Some(HERE), is_authenticated: true }
}

/// Nobody has opened anything yet, and the switchboard that is told.
fn anchors() -> (OpenAnchors, mpsc::UnboundedReceiver<Inner>) {
    let (inner, told) = mpsc::unbounded_channel();
    (OpenAnchors::new(inner), told)
}

/// Where RTP of each medium is wanted.
fn wanted(sdp: &[u8]) -> Vec<std::net::SocketAddr> {
    let description = Description::parse(sdp).expect("a description");
    description.streams().filter_map(|stream| stream.rtp_address()).collect()
}

#[test]
fn ports_are_open_as_long_as_their_leg_and_the_thread_as_long_as_any() {
    let (mut anchors, _told) = anchors();
    let offer = anchors.lead(LEG, End::Near, far(), SDP.as_bytes()).expect("led");
    let places = wanted(&offer);
    assert_eq!(places.len(), 2);
    assert!(places.iter().all(|at| at.ip() == HERE && UdpSocket::bind(at).is_err()), "{places:?}");
    let again = anchors.lead(LEG, End::Near, far(), SDP.as_bytes()).expect("led");
    assert_eq!(again, offer, "the same ports");
    anchors.lead(LegId(8), End::Far, far(), SDP.as_bytes()).expect("led");
    anchors.close(LEG);
    assert!(anchors.running.is_some(), "another leg has ports");
    anchors.close(LegId(8));
    assert!(anchors.running.is_none());
    anchors.close(LEG);
}

#[test]
fn what_is_no_description_opens_nothing() {
    let (mut anchors, _told) = anchors();
    assert!(anchors.lead(LEG, End::Near, far(), b"v=0\r\nnonsense").is_err());
    assert!(anchors.running.is_none());
}

#[test]
fn a_leg_is_lost_when_no_end_is_heard_in_any_medium() {
    let (mut anchors, _told) = anchors();
    anchors.lead(LEG, End::Near, far(), SDP.as_bytes()).expect("led");
    anchors.lead(LegId(8), End::Near, far(), SDP.as_bytes()).expect("led");
    let running = anchors.running.as_ref().expect("running");
    let mut silences = running.silences.lock().expect("nobody failed");
    let of_leg = silences.0.iter().filter(|(_, (leg, _))| *leg == LEG);
    let ids: Vec<AnchorId> = of_leg.map(|(id, _)| *id).collect();
    let [audio, video] = ids[..] else { panic!("two media: {ids:?}") };
    let mut happened = |anchor, event| silences.happened(anchor, event);
    assert_eq!(happened(audio, Event::Lost(End::Near)), None);
    assert_eq!(happened(audio, Event::Lost(End::Far)), None);
    assert_eq!(happened(video, Event::Lost(End::Far)), None);
    assert_eq!(happened(audio, Event::Flowing(End::Far)), None);
    assert_eq!(happened(video, Event::Lost(End::Near)), None, "the sound is back");
    assert_eq!(happened(audio, Event::Silent(End::Far)), None);
    assert_eq!(happened(audio, Event::Lost(End::Far)), Some(LEG));
}

#[test]
fn an_end_is_where_its_signalling_is() {
    let at = |ip: &str| {
        let signalling = Some(ip.parse().expect("an address"));
        far_place(Far { signalling, ..far() }).scope
    };
    assert_eq!(at("127.3.2.1"), Scope::Machine);
    assert_eq!(at("192.168.1.2"), Scope::House);
    assert_eq!(at("198.51.100.2"), Scope::Internet);
    let near = |ips: &[IpAddr]| {
        let at = |ip: &IpAddr| Located { medium: 0, rtp: (*ip, 4000).into(), rtcp: None };
        near_place(&ips.iter().map(at).collect::<Vec<_>>())
    };
    assert_eq!(near(&[HERE_IN_6]).ours, HERE_IN_6);
    assert_eq!(near(&[HERE_IN_6, HERE]).ours, HERE);
    // Nobody has this address.
    assert_eq!(near(&[OUTSIDE]).scope, Scope::Machine);
    assert!(near(&[]).symmetric && near(&[HERE]).symmetric);
}

#[test]
fn a_program_is_heard_from_loopback_as_well_where_its_port_is_its_own_there() {
    let heard_from = |ip: [u8; 4], bound: [u8; 4]| {
        let socket = UdpSocket::bind((IpAddr::from(bound), 0)).expect("a socket");
        let port = socket.local_addr().expect("an address").port();
        let wanted = Located { medium: 0, rtp: (ip, port).into(), rtcp: None };
        near_place(&[wanted]).signalling
    };
    assert_eq!(heard_from([127, 0, 5, 1], [0, 0, 0, 0]), Some(HERE), "a socket of every address");
    assert_eq!(heard_from([127, 0, 5, 1], [127, 0, 5, 1]), None, "anybody can have it elsewhere");
}

const UNPLACED: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0\r\n";

#[test]
fn a_program_may_be_located_after_it_was_described() {
    let (mut anchors, _told) = anchors();
    let at = |address: &str| Located {
        medium: 0,
        rtp: address.parse().expect("an address"),
        rtcp: None,
    };
    assert_eq!(anchors.locate(LEG, &[at("127.0.0.1:4000")]), Err(Unlocated::NotLed));
    assert_eq!(anchors.ours(LEG), []);
    let offer = anchors.lead(LEG, End::Near, far(), UNPLACED.as_bytes()).expect("led");
    let ours = anchors.ours(LEG);
    assert_eq!(ours.len(), 1);
    assert!(ours[0].rtp.ip() == HERE && ours[0].rtcp.is_some_and(|at| at.ip() == HERE));
    assert_ne!(ours[0].rtp, wanted(&offer)[0], "each end has its own");
    for (address, why) in [
        ("192.0.2.1:1", "192.0.2.1:1 is no address of a socket of the user on this machine"),
        ("127.0.0.1:0", "127.0.0.1 has no port"),
        ("[::1]:4000", "the ports for medium 0 are of another family than ::1"),
    ] {
        let refused = anchors.locate(LEG, &[at(address)]);
        assert_eq!(refused, Err(Unlocated::Impossible(why.into())), "{address}");
    }
    let other = Located { medium: 3, ..at("127.0.0.1:4000") };
    assert!(matches!(anchors.locate(LEG, &[other]), Err(Unlocated::Impossible(_))));
    assert_eq!(anchors.locate(LEG, &[at("127.0.0.1:4000")]), Ok(()));
    // What a router mapped is the port of the same number here.
    let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("a socket");
    let port = socket.local_addr().expect("an address").port();
    assert_eq!(anchors.locate(LEG, &[at(&format!("192.0.2.1:{port}"))]), Ok(()));
    let session = &anchors.running.as_ref().expect("running").sessions[&LEG];
    let there: Vec<_> = session.wanted(End::Near).map(|at| at.rtp).collect();
    assert_eq!(there, [(HERE, port).into()]);
    let again = anchors.lead(LEG, End::Near, far(), UNPLACED.as_bytes()).expect("led");
    assert_eq!(again, offer);
    anchors.close(LEG);
    assert_eq!(anchors.locate(LEG, &[at("127.0.0.1:4000")]), Err(Unlocated::NotLed));
}
