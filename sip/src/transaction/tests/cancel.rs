// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;
use crate::wire::Name;

const INVITE: Method = Method::Invite;

fn cancel(wire: &mut VirtualWire<Station>, id: ClientId) {
    let fields: [(Name, Bytes); 1] = [(name::REASON.clone(), Bytes::from_static(b"SIP;cause=200"))];
    let now = wire.now();
    wire.engine(CALLER).table.cancel(now, id, &fields);
}

fn cancelled(wire: &mut VirtualWire<Station>) -> usize {
    wire.engine(CALLEE).count(|event| matches!(event, Event::Cancelled { .. }))
}

#[test]
fn cancel_goes_at_once_after_a_provisional_answer_and_is_told_with_its_reason() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![180];
    let id = send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    cancel(&mut wire, id);
    wire.settle();
    assert_eq!(cancelled(&mut wire), 1);
    let Some(Event::Cancelled { request, invite }) = wire.engine(CALLEE).heard.last().cloned()
    else {
        panic!("the last thing heard is the CANCEL")
    };
    assert_eq!(request.headers().text(&name::REASON).as_deref(), Some("SIP;cause=200"));
    assert_eq!(request.cseq().unwrap().number, 1);
    assert_eq!(wire.engine(CALLEE).request_of(&INVITE).unwrap().0, invite);
    let ok = wire.log.last().unwrap();
    assert!(ok.start_line().contains("200"));
    assert!(String::from_utf8_lossy(&ok.bytes).contains(";tag=to"), "the tag of the 180");
    answer(&mut wire, &INVITE, 487);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [180, 487], "the 200 to CANCEL is not told");
    assert_eq!(times(&wire, "ACK").len(), 1);
    wire.run_for(seconds(33));
    assert!(wire.engine(CALLER).table.is_empty() && wire.engine(CALLEE).table.is_empty());
    assert_eq!(times(&wire, "CANCEL").len(), 1);
}

#[test]
fn cancel_waits_for_a_provisional_answer() {
    let mut wire = pair(1);
    let id = send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    cancel(&mut wire, id);
    cancel(&mut wire, id);
    wire.run_for(Duration::from_millis(150));
    assert_eq!(times(&wire, "CANCEL"), [0; 0]);
    wire.run_for(seconds(1));
    assert_eq!(times(&wire, "CANCEL"), [200], "with the 100 that the table says by itself");
    assert_eq!(cancelled(&mut wire), 1);
}

#[test]
fn cancel_of_an_invite_that_nobody_answers_ends_with_timer_b() {
    let mut wire = pair(1);
    wire.unplug("127.0.0.2:5060".parse().unwrap());
    let id = send(&mut wire, Transport::Udp, &INVITE);
    cancel(&mut wire, id);
    wire.run_for(seconds(33));
    assert_eq!(times(&wire, "CANCEL"), [0; 0]);
    assert_eq!(wire.engine(CALLER).failures(), [Failure::TimedOut]);
}

#[test]
fn cancel_sets_a_limit_of_64_t1_to_waiting() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![180];
    let id = send(&mut wire, Transport::Udp, &INVITE);
    wire.run_for(seconds(100));
    cancel(&mut wire, id);
    wire.run_for(seconds(31));
    assert!(wire.engine(CALLER).failures().is_empty());
    wire.run_for(seconds(2));
    assert_eq!(wire.engine(CALLER).failures(), [Failure::TimedOut]);
    assert!(wire.engine(CALLER).table.is_empty());
}

#[test]
fn cancel_that_crosses_a_200_changes_nothing() {
    let mut wire = pair(1);
    wire.faults.latency = Duration::from_millis(10);
    wire.engine(CALLEE).answers = vec![180];
    let id = send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    cancel(&mut wire, id);
    answer(&mut wire, &INVITE, 200);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [180, 200]);
    assert_eq!(cancelled(&mut wire), 0, "it came too late");
    assert_eq!(times(&wire, "SIP/2.0 200").len(), 2, "but it was answered");
    wire.run_for(seconds(33));
    assert!(wire.engine(CALLER).table.is_empty() && wire.engine(CALLEE).table.is_empty());
}

#[test]
fn cancel_that_crosses_a_refusal_changes_nothing() {
    let mut wire = pair(1);
    wire.faults.latency = Duration::from_millis(10);
    wire.engine(CALLEE).answers = vec![180];
    let id = send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    cancel(&mut wire, id);
    answer(&mut wire, &INVITE, 487);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [180, 487]);
    assert_eq!(cancelled(&mut wire), 0);
    assert_eq!(wire.engine(CALLER).failures(), []);
}

#[test]
fn a_lost_cancel_is_repeated_and_heard_once() {
    for seed in 0..50 {
        let mut wire = pair(seed);
        wire.engine(CALLEE).answers = vec![180];
        let id = send(&mut wire, Transport::Udp, &INVITE);
        wire.settle();
        wire.faults.loss_percent = 40;
        wire.faults.duplication_percent = 30;
        cancel(&mut wire, id);
        let told = wire.run_until(seconds(31), |wire| cancelled(wire) == 1);
        assert!(told, "seed {seed}");
        wire.run_for(seconds(5));
        assert_eq!(cancelled(&mut wire), 1, "seed {seed}");
    }
}

#[test]
fn cancel_of_nothing_is_answered_481() {
    let mut wire = pair(1);
    inject(
        &mut wire,
        "CANCEL sip:102@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKno\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 CANCEL\r\n\r\n",
    );
    assert_eq!(sent_since(&wire, 0), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    assert!(wire.engine(CALLEE).table.is_empty());
}
