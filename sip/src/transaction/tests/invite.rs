// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

const INVITE: Method = Method::Invite;

#[test]
fn timer_a_doubles_without_limit_until_timer_b() {
    let mut wire = pair(1);
    wire.unplug("127.0.0.2:5060".parse().unwrap());
    send(&mut wire, Transport::Udp, &INVITE);
    wire.run_for(seconds(40));
    assert_eq!(times(&wire, "INVITE"), [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(wire.engine(CALLER).failures(), [Failure::TimedOut]);
    assert!(wire.engine(CALLER).table.is_empty());
}

#[test]
fn timer_a_rests_on_a_stream_but_timer_b_does_not() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Tcp, &INVITE);
    wire.engine(CALLEE).table.set_most_servers(1);
    // The callee never answers; its 100 Trying is dropped by taking its table away.
    wire.engine(CALLEE).table =
        Table::new(Timers { trying: seconds(999), ..Timers::default() }, [3; 32]);
    wire.run_for(seconds(40));
    assert_eq!(times(&wire, "INVITE"), [0]);
    assert_eq!(wire.engine(CALLER).failures(), [Failure::TimedOut]);
}

#[test]
fn the_table_says_100_after_200_ms_unless_the_user_said_something() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Udp, &INVITE);
    wire.run_for(seconds(100));
    assert_eq!(times(&wire, "SIP/2.0 100"), [200]);
    assert_eq!(times(&wire, "INVITE"), [0]);
    answer(&mut wire, &INVITE, 180);
    wire.run_for(seconds(100));
    assert_eq!(wire.engine(CALLER).statuses(), [100, 180]);

    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![180];
    send(&mut wire, Transport::Udp, &INVITE);
    wire.run_for(seconds(100));
    assert_eq!(times(&wire, "SIP/2.0 100"), [0; 0]);
}

#[test]
fn timer_g_repeats_a_refusal_until_timer_h() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    wire.unplug("127.0.0.1:5060".parse().unwrap());
    answer(&mut wire, &INVITE, 486);
    wire.run_for(seconds(40));
    assert_eq!(
        times(&wire, "SIP/2.0 486"),
        [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    );
    assert!(wire.engine(CALLEE).table.is_empty());
}

#[test]
fn a_refusal_is_acknowledged_by_the_table_and_timer_i_ends_it() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![486];
    send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    assert_eq!(times(&wire, "ACK"), [0]);
    let ack = wire.log.last().unwrap();
    let Message::Request(ack) = read(std::str::from_utf8(&ack.bytes).unwrap()) else { panic!() };
    assert_eq!(ack.to_tag().as_deref(), Some(&b"to"[..]));
    assert_eq!(ack.cseq().unwrap().method, Method::Ack);
    assert_eq!(wire.engine(CALLEE).count(|event| matches!(event, Event::Ack { .. })), 0);
    wire.run_for(Duration::from_millis(4_990));
    assert_eq!(wire.engine(CALLEE).table.len(), 1);
    // And then, at leisure, it is forgotten.
    wire.run_for(Duration::from_millis(120));
    assert!(wire.engine(CALLEE).table.is_empty(), "timer I takes T4");
}

#[test]
fn timer_d_acknowledges_repeated_refusals_for_32_seconds() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![486];
    send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    let refusal = wire.log.iter().find(|sent| sent.start_line().contains("486")).unwrap().clone();
    let flow = wire.flow(Transport::Udp, CALLER, CALLEE);
    wire.run_for(seconds(31));
    wire.inject(flow, CALLER, refusal.bytes.clone());
    wire.settle();
    assert_eq!(times(&wire, "ACK"), [0, 31_000]);
    assert_eq!(wire.engine(CALLER).statuses(), [486]);
    wire.run_for(seconds(2));
    assert!(wire.engine(CALLER).table.is_empty());
}

#[test]
fn on_a_stream_a_refused_invite_is_over_at_once() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![486];
    send(&mut wire, Transport::Tcp, &INVITE);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [486]);
    assert!(wire.engine(CALLER).table.is_empty(), "timer D is zero");
    assert!(wire.engine(CALLEE).table.is_empty(), "timer I is zero");
}

#[test]
fn a_2xx_is_repeated_on_any_transport_until_it_is_acknowledged() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut wire = pair(1);
        wire.engine(CALLER).acknowledges = false;
        wire.engine(CALLEE).answers = vec![200];
        send(&mut wire, transport, &INVITE);
        wire.run_for(seconds(10));
        assert_eq!(times(&wire, "SIP/2.0 200"), [0, 500, 1500, 3500, 7500]);
        let repeated = |event: &Event| matches!(event, Event::Response { repeated: true, .. });
        assert_eq!(wire.engine(CALLER).count(repeated), 4);
        wire.run_for(seconds(30));
        let missing = |event: &Event| matches!(event, Event::AckMissing { .. });
        assert_eq!(wire.engine(CALLEE).count(missing), 1);
        assert!(wire.engine(CALLEE).table.is_empty());
    }
}

#[test]
fn the_ack_is_repeated_for_each_repeated_2xx_of_that_far_end() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![200];
    send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    let accepted = wire.log.iter().find(|sent| sent.start_line().contains("200")).unwrap().clone();
    let flow = wire.flow(Transport::Udp, CALLER, CALLEE);
    wire.inject(flow, CALLER, accepted.bytes.clone());
    wire.settle();
    assert_eq!(times(&wire, "ACK").len(), 2);
    assert_eq!(wire.engine(CALLER).statuses(), [200], "the repetition is not told");
    let other = String::from_utf8(accepted.bytes.to_vec()).unwrap().replace("tag=to", "tag=fork");
    wire.inject(flow, CALLER, other);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [200, 200], "another far end is");
    assert_eq!(times(&wire, "ACK").len(), 3);
}

#[test]
fn timers_l_and_m_absorb_late_comers_for_64_t1_and_give_all_back() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![200];
    send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    let invite = wire.log[0].bytes.clone();
    let accepted = wire.log[1].bytes.clone();
    wire.run_for(seconds(31));
    let there = wire.flow(Transport::Udp, CALLEE, CALLER);
    wire.inject(there, CALLEE, invite);
    wire.settle();
    assert_eq!(times(&wire, "SIP/2.0 200"), [0], "absorbed, and not answered again");
    assert_eq!(wire.engine(CALLEE).count(|event| matches!(event, Event::Request { .. })), 1);
    wire.run_for(seconds(2));
    assert!(wire.engine(CALLER).table.is_empty() && wire.engine(CALLEE).table.is_empty());
    let back = wire.flow(Transport::Udp, CALLER, CALLEE);
    wire.inject(back, CALLER, accepted);
    wire.settle();
    let stray = |event: &Event| matches!(event, Event::StrayResponse { .. });
    assert_eq!(wire.engine(CALLER).count(stray), 1, "after timer M it is a stray one");
}

#[test]
fn a_2xx_after_a_refusal_is_told_as_a_stray_one() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![486];
    send(&mut wire, Transport::Udp, &INVITE);
    wire.settle();
    let refusal = wire.log.iter().find(|sent| sent.start_line().contains("486")).unwrap().clone();
    let late =
        String::from_utf8(refusal.bytes.to_vec()).unwrap().replace("486 Busy Here", "200 OK");
    let flow = wire.flow(Transport::Udp, CALLER, CALLEE);
    wire.inject(flow, CALLER, late);
    wire.settle();
    let stray = |event: &Event| matches!(event, Event::StrayResponse { .. });
    assert_eq!(wire.engine(CALLER).count(stray), 1);
}

#[test]
fn a_call_completes_with_a_third_of_all_datagrams_lost_duplicated_and_out_of_order() {
    for seed in 0..300 {
        let mut wire = pair(seed);
        wire.faults.latency = Duration::from_millis(20);
        wire.faults.jitter = Duration::from_millis(700);
        wire.faults.loss_percent = 30;
        wire.faults.duplication_percent = 20;
        let last = if seed % 2 == 0 { 200 } else { 486 };
        wire.engine(CALLEE).answers = vec![180, last];
        send(&mut wire, Transport::Udp, &INVITE);
        let done = wire
            .run_until(seconds(64), |wire| wire.engine(CALLER).statuses().last() == Some(&last));
        assert!(done, "seed {seed}");
        wire.run_for(seconds(120));
        let asked = |event: &Event| matches!(event, Event::Request { .. });
        assert_eq!(wire.engine(CALLEE).count(asked), 1, "seed {seed}: asked once");
        let missing = |event: &Event| matches!(event, Event::AckMissing { .. });
        assert_eq!(wire.engine(CALLEE).count(missing), 0, "seed {seed}: acknowledged");
        assert!(wire.engine(CALLER).failures().is_empty(), "seed {seed}");
        let finals = wire.engine(CALLER).statuses().iter().filter(|s| **s >= 200).count();
        assert_eq!(finals, 1, "seed {seed}: answered once");
        assert!(wire.engine(CALLER).table.is_empty() && wire.engine(CALLEE).table.is_empty());
    }
}

#[test]
fn a_broken_connection_fails_what_waits_for_an_answer() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Tcp, &INVITE);
    wire.run_for(seconds(1));
    wire.unplug("127.0.0.1:5060".parse().unwrap());
    assert_eq!(wire.engine(CALLER).failures(), [Failure::Unreachable]);
    // The callee tries once more, on a connection of its own, to say what it last said.
    let gone = |event: &Event| matches!(event, Event::Unanswerable { .. });
    assert_eq!(wire.engine(CALLEE).count(gone), 0);
    wire.run_for(seconds(1));
    assert_eq!(wire.engine(CALLEE).count(gone), 1);
    assert!(wire.engine(CALLER).table.is_empty() && wire.engine(CALLEE).table.is_empty());
}

#[test]
fn an_answer_goes_out_on_a_new_connection_when_the_old_one_is_gone() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Tcp, &Method::Options);
    wire.settle();
    let flow = Flow {
        connection: Some(crate::flow::ConnectionId(1)),
        ..wire.flow(Transport::Tcp, CALLEE, CALLER)
    };
    let now = wire.now();
    wire.engine(CALLEE).flow_failed(now, &flow);
    answer(&mut wire, &Method::Options, 200);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [200]);
}
