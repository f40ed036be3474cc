// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

const NEAR: &str = "192.0.2.1:5060";
const FAR: &str = "192.0.2.2:5060";

/// Two stations that are not on one machine.
fn apart() -> VirtualWire<Station> {
    let mut wire = VirtualWire::new(1, Instant::now());
    wire.faults.latency = Duration::ZERO;
    wire.add(NEAR.parse().unwrap(), Station::new(1));
    wire.add(FAR.parse().unwrap(), Station::new(2));
    wire
}

fn large(method: &Method, octets: usize) -> Draft {
    let mut draft = request_draft(method, 1);
    let empty = draft.encode_with_via(Some(b"")).len();
    draft.body("text/plain", Bytes::from(vec![b'x'; octets.saturating_sub(empty + 130)]));
    draft
}

/// By what each request was sent, as its Via says.
fn transports(wire: &VirtualWire<Station>) -> Vec<&'static str> {
    let is = |bytes: &[u8], via: &str| bytes.windows(via.len()).any(|w| w == via.as_bytes());
    wire.log
        .iter()
        .filter(|sent| sent.from == NEAR.parse().unwrap())
        .map(|sent| if is(&sent.bytes, "Via: SIP/2.0/TCP 192.0.2.1:5060;") { "TCP" } else { "UDP" })
        .collect()
}

fn send_large(wire: &mut VirtualWire<Station>, octets: usize) {
    let (now, flow) = (wire.now(), wire.flow(Transport::Udp, CALLER, CALLEE));
    let table = &mut wire.engine(CALLER).table;
    table.request_to_place(now, flow, &large(&Method::Message, octets));
}

#[test]
fn a_request_too_large_for_a_datagram_goes_to_a_place_by_tcp() {
    for (octets, by) in [(1_200, "UDP"), (1_500, "TCP"), (60_000, "TCP")] {
        let mut wire = apart();
        wire.engine(CALLEE).answers = vec![200];
        send_large(&mut wire, octets);
        wire.run_for(seconds(40));
        assert_eq!(transports(&wire), [by], "{octets}");
        assert_eq!(wire.engine(CALLER).statuses(), [200]);
        assert!(wire.engine(CALLER).table.is_empty());
    }
}

#[test]
fn who_takes_no_connection_gets_a_datagram_after_all_and_at_once_the_next_time() {
    let mut wire = apart();
    wire.refuse_streams(FAR.parse().unwrap());
    wire.engine(CALLEE).answers = vec![200];
    send_large(&mut wire, 1_500);
    wire.run_for(seconds(10));
    assert_eq!(transports(&wire), ["TCP", "UDP"]);
    assert_eq!(wire.engine(CALLER).statuses(), [200]);
    send_large(&mut wire, 1_500);
    wire.run_for(seconds(10));
    assert_eq!(transports(&wire), ["TCP", "UDP", "UDP"]);
    assert_eq!(wire.engine(CALLER).failures(), []);
    // It may be another one after an hour.
    wire.run_for(seconds(3_600));
    send_large(&mut wire, 1_500);
    wire.settle();
    assert_eq!(transports(&wire)[3..], ["TCP", "UDP"]);
    wire.run_for(seconds(40));
    assert!(wire.engine(CALLER).table.is_empty());
}

#[test]
fn a_datagram_that_stands_in_is_repeated_and_given_up_like_any_other() {
    let mut wire = apart();
    wire.unplug(FAR.parse().unwrap());
    send_large(&mut wire, 1_500);
    wire.run_for(seconds(40));
    assert_eq!(transports(&wire)[..4], ["TCP", "UDP", "UDP", "UDP"]);
    assert_eq!(wire.engine(CALLER).failures(), [Failure::TimedOut]);
    assert!(wire.engine(CALLER).table.is_empty());
}

#[test]
fn an_invite_by_tcp_is_cancelled_and_acknowledged_the_same_way() {
    let mut wire = apart();
    let (now, flow) = (wire.now(), wire.flow(Transport::Udp, CALLER, CALLEE));
    let invite = large(&Method::Invite, 2_000);
    let id = wire.engine(CALLER).table.request_to_place(now, flow, &invite);
    wire.engine(CALLEE).answers = vec![180];
    wire.settle();
    wire.engine(CALLER).table.cancel(now, id, &[]);
    wire.settle();
    answer(&mut wire, &Method::Invite, 487);
    wire.settle();
    // INVITE, CANCEL, ACK.
    assert_eq!(transports(&wire), ["TCP", "TCP", "TCP"]);
    assert_eq!(wire.engine(CALLER).statuses(), [180, 487]);
}

#[test]
fn a_connection_that_breaks_after_an_answer_is_no_reason_to_ask_again() {
    let mut wire = apart();
    let (now, flow) = (wire.now(), wire.flow(Transport::Udp, CALLER, CALLEE));
    wire.engine(CALLEE).answers = vec![180];
    wire.engine(CALLER).table.request_to_place(now, flow, &large(&Method::Invite, 2_000));
    wire.settle();
    wire.unplug(FAR.parse().unwrap());
    wire.settle();
    assert_eq!(transports(&wire), ["TCP"]);
    assert_eq!(wire.engine(CALLER).failures(), [Failure::Unreachable]);
}

#[test]
fn phones_and_programs_of_this_machine_get_datagrams_of_any_size() {
    let mut wire = apart();
    let (now, flow) = (wire.now(), wire.flow(Transport::Udp, CALLER, CALLEE));
    for octets in [1_500, 60_000, 65_600] {
        let table = &mut wire.engine(CALLER).table;
        table.request(now, flow, &large(&Method::Message, octets));
        wire.settle();
    }
    assert_eq!(transports(&wire), ["UDP", "UDP", "TCP"], "the last is larger than datagrams are");
    let mut wire = pair(1);
    let (now, flow) = (wire.now(), wire.flow(Transport::Udp, CALLER, CALLEE));
    let table = &mut wire.engine(CALLER).table;
    table.request_to_place(now, flow, &large(&Method::Message, 9_000));
    wire.settle();
    let text = String::from_utf8_lossy(&wire.log[0].bytes).into_owned();
    assert!(text.contains("SIP/2.0/UDP"), "the path to this machine is known");
}
