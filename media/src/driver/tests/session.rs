// SPDX-License-Identifier: GPL-3.0-or-later
//! Two programs that know each other by descriptions only.

use super::*;
use crate::sdp::{Description, Stream};

fn place() -> Place {
    let (signalling, symmetric, authenticated) = (None, false, true);
    Place { ours: HERE, scope: Scope::Machine, signalling, symmetric, authenticated }
}

fn described(socket: &UdpSocket, attributes: &str) -> String {
    let at = socket.local_addr().expect("an address");
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=zrtp-hash:1.10 fe\r\n{attributes}"
    )
}

fn streams(sdp: &[u8]) -> Vec<Stream> {
    Description::parse(sdp).expect("a description").streams().collect()
}

/// Where the first medium is wanted.
fn wanted(sdp: &[u8]) -> SocketAddr {
    streams(sdp)[0].rtp_address().expect("an address")
}

#[test]
fn an_offer_and_its_answer_lead_through_us_both_ways() {
    let mut house = House::new();
    let (program, phone) = (socket(), socket());
    let mut session = Session::new(place(), place());
    let candidate = "a=candidate:1 1 UDP 1 127.0.0.1 9 typ host\r\na=sendonly\r\n";
    let offer = described(&program, candidate);
    let offer = session.lead(&mut house.driver, End::Near, offer.as_bytes()).expect("led");
    let answer = described(&phone, "a=recvonly\r\n");
    let answer = session.lead(&mut house.driver, End::Far, answer.as_bytes()).expect("led");
    let anchor = session.anchors().next().expect("an anchor").1;
    assert_eq!(wanted(&offer), anchor.address(End::Far, RTP));
    assert_eq!(wanted(&answer), anchor.address(End::Near, RTP));
    assert!(streams(&offer)[0].candidates.is_empty());
    assert_eq!(streams(&offer)[0].others[0].name, "zrtp-hash");
    program.send_to(&rtp(1, 1), wanted(&answer)).expect("sent");
    assert_eq!(received(&phone), (rtp(1, 1), wanted(&offer)));
}

#[test]
fn a_description_again_keeps_its_ports_and_a_rejected_medium_gives_them_back() {
    let mut house = House::new();
    let (program, phone) = (socket_on(apart(79)), socket());
    let mut session = Session::new(Place { ours: apart(79), ..place() }, place());
    let offer = described(&program, "m=image 4000 udptl t38\r\n");
    let driver = &mut house.driver;
    let first = session.lead(driver, End::Near, offer.as_bytes()).expect("led");
    assert_eq!(session.lead(driver, End::Near, offer.as_bytes()).expect("led"), first);
    assert_eq!(streams(&first)[1].port, 4000, "what is not of RTP is not led");
    assert_eq!(session.anchors().count(), 1);
    let refusal = described(&phone, "").replace("m=audio", "m=audio 0 RTP/AVP 0\r\na=x:");
    let refused = session.lead(driver, End::Far, refusal.as_bytes()).expect("led");
    assert_eq!(refused, refusal.as_bytes());
    assert_eq!(session.anchors().count(), 0);
    assert!(matches!(session.lead(driver, End::Far, b"hello"), Err(LeadError::Description(_))));
}

#[test]
fn reports_take_one_port_only_when_both_want_it() {
    let mut house = House::new();
    // The next port of the phone's is nobody's there.
    let (program, phone) = (socket(), socket_on(apart(80)));
    for (attributes, port_of_rtp) in [("a=rtcp-mux\r\n", true), ("", false)] {
        let mut session = Session::new(place(), place());
        let offer = described(&program, "a=rtcp-mux\r\n");
        session.lead(&mut house.driver, End::Near, offer.as_bytes()).expect("led");
        let answer = described(&phone, attributes);
        let answer = session.lead(&mut house.driver, End::Far, answer.as_bytes()).expect("led");
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        program.send_to(&report, wanted(&answer)).expect("sent");
        program.send_to(&rtp(9, 1), wanted(&answer)).expect("sent");
        let first = received(&phone).0;
        assert_eq!(first == report, port_of_rtp, "{first:?}");
        if port_of_rtp {
            assert_eq!(received(&phone).0, rtp(9, 1));
        }
    }
}

#[test]
fn an_end_that_turns_out_to_be_elsewhere_is_sent_to_from_its_next_description_on() {
    let mut house = House::new();
    let (program, phone) = (socket(), socket());
    let mut session = Session::new(place(), Place { scope: Scope::Internet, ..place() });
    let (offer, answer) = (described(&program, ""), described(&phone, ""));
    session.lead(&mut house.driver, End::Near, offer.as_bytes()).expect("led");
    let led = session.lead(&mut house.driver, End::Far, answer.as_bytes()).expect("led");
    program.send_to(&rtp(1, 1), wanted(&led)).expect("sent");
    session.meet(End::Far, place());
    tally(session.anchors().next().expect("an anchor").1);
    let again = session.lead(&mut house.driver, End::Far, answer.as_bytes()).expect("led");
    assert_eq!(again, led);
    tally(session.anchors().next().expect("an anchor").1);
    program.send_to(&rtp(1, 2), wanted(&led)).expect("sent");
    assert_eq!(received(&phone).0, rtp(1, 2));
}

/// The description of an end that does not know yet where it wants the sound.
const UNPLACED: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0\r\n";

/// Where the first medium of a program is wanted.
fn at(socket: &UdpSocket) -> Located {
    let rtp = socket.local_addr().expect("an address");
    Located { medium: 0, rtp, rtcp: None }
}

#[test]
fn an_end_that_is_described_before_it_is_located_is_heard_and_sent_to_from_then_on() {
    let mut house = House::new();
    let (program, phone, thief) = (socket(), socket(), socket());
    let program_place = || Place { signalling: Some(HERE), symmetric: true, ..place() };
    let mut session = Session::new(program_place(), place());
    let offer = session.lead(&mut house.driver, End::Near, UNPLACED.as_bytes()).expect("led");
    let far = wanted(&offer);
    assert_ne!(far.port(), 9, "the phone is to send to us");
    let answer = described(&phone, "");
    let led = session.lead(&mut house.driver, End::Far, answer.as_bytes()).expect("led");
    let near = wanted(&led);
    let anchor = session.anchors().next().expect("an anchor").1.id();
    let counted = |session: &Session| {
        let (_, anchor) = session.anchors().next().expect("an anchor");
        let tally = tally(anchor);
        (tally.at(End::Far, RTP).nowhere, tally.at(End::Near, RTP).strangers)
    };
    // Nobody is known there: neither is anybody sent to, nor does anybody get in by being first.
    phone.send_to(&rtp(2, 1), far).expect("sent");
    for sequence in 1..=5 {
        thief.send_to(&rtp(9, sequence), near).expect("sent");
    }
    house.wait_for(Event::Flowing(End::Far));
    let deadline = Instant::now() + DEADLINE;
    while counted(&session) != (1, 5) {
        assert!(Instant::now() < deadline, "{:?}", counted(&session));
    }
    // Who asks for what cannot be gets nothing.
    let place_now = program_place();
    let nowhere = session.locate(End::Near, place_now, &[Located { medium: 1, ..at(&program) }]);
    assert_eq!(nowhere, Err(LocateError::Medium(1)));
    let rtp_6 = "[::1]:4000".parse().expect("an address");
    let other = Located { rtp: rtp_6, ..at(&program) };
    let refused = session.locate(End::Near, program_place(), &[other]);
    assert_eq!(refused, Err(LocateError::Family(0, rtp_6.ip())));

    session.locate(End::Near, program_place(), &[at(&program)]).expect("it is there");
    phone.send_to(&rtp(2, 2), far).expect("sent");
    assert_eq!(received(&program), (rtp(2, 2), near));
    thief.send_to(&rtp(9, 6), near).expect("sent");
    program.send_to(&rtp(1, 1), near).expect("sent");
    assert_eq!(received(&phone), (rtp(1, 1), far), "and nothing of the thief's");
    // Described again without an address, it is where it was.
    let again = session.lead(&mut house.driver, End::Near, UNPLACED.as_bytes()).expect("led");
    assert_eq!(again, offer);
    phone.send_to(&rtp(2, 3), far).expect("sent");
    assert_eq!(received(&program).0, rtp(2, 3));
    assert_eq!(session.anchors().next().expect("an anchor").1.id(), anchor);
}
