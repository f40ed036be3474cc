// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

const INVITE: &str = "INVITE sip:102@127.0.0.2 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
    From: <sip:101@localhost>;tag=from\r\nTo: <sip:102@localhost>\r\nCall-ID: call-1\r\n\
    CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n";

fn asked(wire: &mut VirtualWire<Station>) -> usize {
    wire.engine(CALLEE).count(|event| matches!(event, Event::Request { .. }))
}

fn statuses(wire: &VirtualWire<Station>) -> Vec<String> {
    wire.log.iter().map(|sent| sent.start_line()[8..11].to_owned()).collect()
}

#[test]
fn a_request_that_may_not_become_a_transaction_is_answered_and_not_kept() {
    for (old, new, status) in [
        ("Forwards: 70", "Forwards: 0", "483"),
        ("Forwards: 70", "Forwards: many", "400"),
        ("1 INVITE", "1 OPTIONS", "400"),
        ("Call-ID: call-1\r\n", "", "400"),
        (" SIP/2.0\r\nVia", " SIP/7.0\r\nVia", "505"),
        ("INVITE sip", "INVITE nobodyKnowsThisScheme", "416"),
        ("INVITE sip:102@127.0.0.2", "INVITE  sip:102@127.0.0.2", "400"),
    ] {
        let mut wire = pair(1);
        inject(&mut wire, &INVITE.replacen(old, new, 1));
        assert_eq!(statuses(&wire), [status], "{new}");
        assert_eq!(asked(&mut wire), 0);
        assert!(wire.engine(CALLEE).table.is_empty());
    }
}

#[test]
fn a_refusal_has_the_same_tag_for_each_repetition() {
    let mut wire = pair(1);
    for _ in 0..2 {
        inject(&mut wire, &INVITE.replace("Forwards: 70", "Forwards: 0"));
    }
    assert_eq!(wire.log.len(), 2);
    assert_eq!(wire.log[0].bytes, wire.log[1].bytes);
    assert!(String::from_utf8_lossy(&wire.log[0].bytes).contains("To: <sip:102@localhost>;tag="));
}

#[test]
fn options_and_requests_in_a_dialog_are_answered_with_no_hop_left() {
    for text in [
        INVITE.replace("INVITE", "OPTIONS").replace("Forwards: 70", "Forwards: 0"),
        INVITE
            .replace("102@localhost>", "102@localhost>;tag=to")
            .replace("Forwards: 70", "Forwards: 0"),
    ] {
        let mut wire = pair(1);
        inject(&mut wire, &text);
        assert_eq!(asked(&mut wire), 1);
    }
}

#[test]
fn a_copy_that_came_on_another_way_is_merged() {
    let mut wire = pair(1);
    inject(&mut wire, INVITE);
    inject(&mut wire, &INVITE.replace("z9hG4bK1", "z9hG4bK2"));
    assert_eq!(statuses(&wire), ["482"]);
    assert_eq!(asked(&mut wire), 1);
    // The next one of the same call, as after a challenge, is no copy.
    inject(&mut wire, &INVITE.replace("z9hG4bK1", "z9hG4bK3").replace("1 INVITE", "2 INVITE"));
    assert_eq!(asked(&mut wire), 2);
}

#[test]
fn after_an_acceptance_a_copy_is_still_merged_but_after_a_refusal_it_is_refused_likewise() {
    for (status, copies) in [(200, 1), (486, 2)] {
        let mut wire = pair(1);
        wire.engine(CALLEE).answers = vec![status];
        inject(&mut wire, INVITE);
        inject(&mut wire, &INVITE.replace("z9hG4bK1", "z9hG4bK2"));
        assert_eq!(asked(&mut wire), copies, "after {status}");
    }
}

#[test]
fn a_request_of_ours_that_comes_back_is_a_loop() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Udp, &Method::Invite);
    wire.settle();
    let ours = String::from_utf8(wire.log[0].bytes.to_vec()).unwrap();
    let proxies = "Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKproxy, \
                   SIP/2.0/UDP p;branch=z9hG4bKother\r\nVia: ";
    let again = ours.replacen("Via: ", proxies, 1);
    let flow = wire.flow(Transport::Udp, CALLER, CALLEE);
    let mark = wire.log.len();
    wire.inject(flow, CALLER, again.clone());
    wire.settle();
    assert_eq!(sent_since(&wire, mark), ["SIP/2.0 482 Loop Detected"]);
    // Sent on to somebody else by a proxy: not in vain.
    wire.inject(flow, CALLER, again.replacen("sip:102@127.0.0.2", "sip:103@127.0.0.1", 1));
    wire.settle();
    assert!(wire.engine(CALLER).request_of(&Method::Invite).is_some());
    // Nobody waits for it any more.
    answer(&mut wire, &Method::Invite, 486);
    wire.settle();
    let mark = wire.log.len();
    wire.inject(flow, CALLER, again.replace("z9hG4bKproxy", "z9hG4bKlate"));
    wire.settle();
    assert_eq!(sent_since(&wire, mark), ["SIP/2.0 482 Loop Detected"]);
}

#[test]
fn a_full_table_refuses_and_says_when_to_come_again() {
    let mut wire = pair(1);
    wire.engine(CALLEE).table.set_most_servers(1);
    inject(&mut wire, INVITE);
    inject(&mut wire, &INVITE.replace("z9hG4bK1", "z9hG4bK2").replace("call-1", "call-2"));
    assert_eq!(statuses(&wire), ["503"]);
    assert!(String::from_utf8_lossy(&wire.log[0].bytes).contains("Retry-After: "));
    assert_eq!(wire.engine(CALLEE).table.len(), 1);
}

#[test]
fn a_dismissed_request_is_answered_once_and_forgotten() {
    let mut wire = pair(1);
    inject(&mut wire, INVITE);
    let station = wire.engine(CALLEE);
    let (id, request) = station.request_of(&Method::Invite).unwrap();
    let tag = station.table.stateless_tag(&request);
    let refusal = Draft::response_to(&request, 503, "", Some(&tag));
    station.table.dismiss(id, Some(&refusal));
    assert!(station.table.is_empty());
    wire.settle();
    assert_eq!(statuses(&wire), ["503"]);
    wire.run_for(seconds(40));
    assert_eq!(wire.log.len(), 1);
}

#[test]
fn an_answer_goes_where_the_via_and_the_source_say() {
    for (via, to, stamped) in [
        // To the port the sender named, whatever port it came from (RFC 3261 §18.2.2).
        ("127.0.0.1:5090;branch=z9hG4bK1", "127.0.0.1:5090", "127.0.0.1:5090;branch=z9hG4bK1"),
        ("127.0.0.1;branch=z9hG4bK1", "127.0.0.1:5060", "127.0.0.1;branch=z9hG4bK1"),
        // To the port it came from, if it asks for that (RFC 3581 §4).
        (
            "10.0.0.9:5090;rport;branch=z9hG4bK1",
            "127.0.0.1:40000",
            "10.0.0.9:5090;branch=z9hG4bK1;received=127.0.0.1;rport=40000",
        ),
        // Never where somebody else is told to be.
        (
            "h;branch=z9hG4bK1;maddr=192.0.2.9;received=192.0.2.8",
            "127.0.0.1:5060",
            "h;branch=z9hG4bK1;maddr=192.0.2.9;received=127.0.0.1",
        ),
    ] {
        let mut wire = pair(1);
        wire.engine(CALLEE).answers = vec![486];
        let text = INVITE.replace("127.0.0.1;branch=z9hG4bK1", via);
        let flow = Flow {
            remote: "127.0.0.1:40000".parse().unwrap(),
            ..wire.flow(Transport::Udp, CALLEE, CALLER)
        };
        wire.inject(flow, CALLEE, text);
        wire.settle();
        assert_eq!(wire.log[0].to, to.parse().unwrap(), "{via}");
        let answer = String::from_utf8_lossy(&wire.log[0].bytes).into_owned();
        assert!(answer.contains(&format!("Via: SIP/2.0/UDP {stamped}\r\n")), "{answer}");
    }
}

#[test]
fn only_the_first_hop_of_a_via_is_stamped() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![486];
    let via = "Via: SIP/2.0/UDP p;branch=z9hG4bK1, SIP/2.0/TCP q;branch=z9hG4bK0;received=1.2.3.4";
    inject(&mut wire, &INVITE.replace("Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1", via));
    let answer = String::from_utf8_lossy(&wire.log[0].bytes).into_owned();
    assert!(answer.contains(
        "Via: SIP/2.0/UDP p;branch=z9hG4bK1;received=127.0.0.1, \
         SIP/2.0/TCP q;branch=z9hG4bK0;received=1.2.3.4\r\n"
    ));
}

#[test]
fn a_sender_that_follows_rfc_2543_is_served() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![486];
    let old = INVITE.replace(";branch=z9hG4bK1", "");
    inject(&mut wire, &old);
    inject(&mut wire, &old);
    assert_eq!(asked(&mut wire), 1, "the second one is a repetition");
    assert_eq!(statuses(&wire), ["486", "486"]);
    let ack = old.replace("INVITE", "ACK").replace("102@localhost>", "102@localhost>;tag=to");
    inject(&mut wire, &ack);
    wire.run_for(seconds(20));
    assert_eq!(wire.log.len(), 2, "the ACK ended the repetitions");
    inject(&mut wire, &old.replace("call-1", "call-2"));
    assert_eq!(asked(&mut wire), 2);
}

#[test]
fn an_ack_that_belongs_to_no_refusal_is_told_if_it_is_sound() {
    let mut wire = pair(1);
    inject(&mut wire, &INVITE.replace("INVITE", "ACK"));
    let acks = |event: &Event| matches!(event, Event::Ack { .. });
    assert_eq!(wire.engine(CALLEE).count(acks), 1);
    inject(&mut wire, &INVITE.replacen("INVITE", "ACK", 1));
    assert_eq!(wire.engine(CALLEE).count(acks), 1);
    assert!(wire.log.is_empty(), "an ACK is never answered");
}

#[test]
fn refusals_have_a_bound_for_each_source() {
    use crate::gate::{GateSettings, Rate};
    let mut wire = pair(1);
    let requests = Rate::per_second(10, 20);
    let settings = GateSettings { requests, networks: Vec::new(), ..GateSettings::default() };
    wire.engine(CALLEE).table.set_refusals(settings);
    for _ in 0..100 {
        inject(&mut wire, &INVITE.replace("Forwards: 70", "Forwards: 0"));
    }
    assert_eq!(wire.log.len(), 20);
}
