// SPDX-License-Identifier: GPL-3.0-or-later
//! Two programs that know each other by descriptions only.

use super::*;
use crate::sdp::{Description, Stream};

fn place() -> Place {
    Place { ours: HERE, scope: Scope::Machine, signalling: None, authenticated: true }
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
