// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

#[test]
fn timer_e_doubles_up_to_t2_until_timer_f() {
    let mut wire = pair(1);
    wire.unplug("127.0.0.2:5060".parse().unwrap());
    send(&mut wire, Transport::Udp, &Method::Options);
    wire.run_for(seconds(40));
    assert_eq!(
        times(&wire, "OPTIONS"),
        [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    );
    assert_eq!(wire.engine(CALLER).failures(), [Failure::TimedOut]);
    assert!(wire.engine(CALLER).table.is_empty());
}

#[test]
fn timer_e_goes_on_at_t2_after_a_provisional_answer() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![183];
    send(&mut wire, Transport::Udp, &Method::Options);
    wire.run_for(seconds(10));
    assert_eq!(times(&wire, "OPTIONS"), [0, 500, 4500, 8500]);
    assert_eq!(times(&wire, "SIP/2.0 183"), [0, 500, 4500, 8500], "each one is answered again");
    assert_eq!(wire.engine(CALLEE).count(|event| matches!(event, Event::Request { .. })), 1);
}

#[test]
fn timers_j_and_k_wait_for_repetitions_and_then_give_all_back() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![200];
    send(&mut wire, Transport::Udp, &Method::Options);
    wire.settle();
    let (asked, answered) = (wire.log[0].bytes.clone(), wire.log[1].bytes.clone());
    let (there, back) =
        (wire.flow(Transport::Udp, CALLEE, CALLER), wire.flow(Transport::Udp, CALLER, CALLEE));
    wire.inject(back, CALLER, answered);
    wire.run_for(Duration::from_millis(4_990));
    assert_eq!(wire.engine(CALLER).table.len(), 1);
    assert_eq!(wire.engine(CALLER).statuses(), [200]);
    // And then, at leisure, it is forgotten.
    wire.run_for(Duration::from_millis(120));
    assert!(wire.engine(CALLER).table.is_empty(), "timer K takes T4");

    wire.run_for(seconds(26));
    wire.inject(there, CALLEE, asked);
    wire.settle();
    assert_eq!(times(&wire, "SIP/2.0 200").len(), 2, "answered again by the table");
    assert_eq!(wire.engine(CALLEE).count(|event| matches!(event, Event::Request { .. })), 1);
    wire.run_for(seconds(1));
    assert!(wire.engine(CALLEE).table.is_empty(), "timer J takes 64*T1");
}

#[test]
fn on_a_stream_nothing_is_repeated_and_nothing_stays() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Tcp, &Method::Bye);
    wire.run_for(seconds(5));
    assert_eq!(times(&wire, "BYE"), [0]);
    answer(&mut wire, &Method::Bye, 200);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [200]);
    assert!(wire.engine(CALLER).table.is_empty(), "timer K is zero");
    assert!(wire.engine(CALLEE).table.is_empty(), "timer J is zero");
}

#[test]
fn a_request_that_the_user_never_answers_does_not_stay_for_ever() {
    let mut wire = pair(1);
    send(&mut wire, Transport::Udp, &Method::Message);
    wire.run_for(seconds(33));
    assert!(wire.engine(CALLEE).table.is_empty());
}

#[test]
fn a_method_that_nobody_knows_is_an_ordinary_request() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![405];
    let method =
        Method::from_bytes(&Bytes::from_static(b"!interesting-Method0123456789_*+`.%indeed'~"));
    send(&mut wire, Transport::Udp, &method);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [405]);
}

#[test]
fn a_connection_that_cannot_be_made_is_told_at_once() {
    let mut wire = pair(1);
    wire.unplug("127.0.0.2:5060".parse().unwrap());
    send(&mut wire, Transport::Tcp, &Method::Options);
    wire.settle();
    assert_eq!(wire.engine(CALLER).failures(), [Failure::Unreachable]);
}

#[test]
fn an_answer_that_is_not_for_us_is_dropped() {
    let mut wire = pair(1);
    wire.unplug("127.0.0.2:5060".parse().unwrap());
    send(&mut wire, Transport::Udp, &Method::Options);
    wire.settle();
    let Message::Request(asked) = read(std::str::from_utf8(&wire.log[0].bytes).unwrap()) else {
        panic!("a request")
    };
    let answer = String::from_utf8(answer_to(&asked, 200).encode().to_vec()).unwrap();
    let via = answer.lines().nth(1).unwrap();
    let secret = via.rsplit_once('.').unwrap().1.split(';').next().unwrap();
    let flow = wire.flow(Transport::Udp, CALLER, CALLEE);
    for wrong in [
        answer.replace(secret, "0000000000000000"),
        answer.replace("z9hG4bK", "z9hG4bKx"),
        answer.replace("OPTIONS", "INVITE"),
        answer.replace(via, &format!("{via}\r\n{via}")),
        answer.replace("Call-ID: call-1\r\n", ""),
        answer.replace("SIP/2.0 200", "SIP/3.0 200"),
    ] {
        wire.inject(flow, CALLER, wrong);
        wire.settle();
    }
    // The wrong method for a 2xx is a stray one; nobody else is told anything.
    assert_eq!(wire.engine(CALLER).statuses(), [0; 0]);
    wire.inject(flow, CALLER, answer);
    wire.settle();
    assert_eq!(wire.engine(CALLER).statuses(), [200]);
}

#[test]
fn hundreds_of_thousands_of_transactions_leave_nothing_behind() {
    let now = Instant::now();
    let mut table = Table::new(Timers::default(), [7; 32]);
    let flow = Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.2:5060".parse().unwrap(),
        connection: None,
    };
    let draft = request_draft(&Method::Options, 1);
    for _ in 0..20_000 {
        table.request(now, flow, &draft);
        while table.poll_transmit().is_some() {}
    }
    assert_eq!(table.len(), 20_000);
    let mut failed = 0;
    let mut steps = 0;
    while let Some(next) = table.next_deadline() {
        table.handle_deadline(next);
        while table.poll_transmit().is_some() {}
        while let Some(event) = table.poll_event() {
            failed += usize::from(matches!(event, Event::Failed { .. }));
        }
        steps += 1;
        assert!(steps < 100, "deadlines come to an end");
    }
    assert_eq!(failed, 20_000);
    assert!(table.is_empty());
}

#[test]
fn a_transaction_itself_costs_less_than_300_octets() {
    assert!(size_of::<(u32, super::super::server::Server)>() <= 300);
    assert!(size_of::<(u32, super::super::client::Client)>() <= 300);
}

#[test]
fn deadlines_of_what_is_over_do_not_pile_up() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![200];
    for _ in 0..2_000 {
        // On a stream each is over at once, long before its timer F.
        let (now, flow) = (wire.now(), wire.flow(Transport::Tcp, CALLER, CALLEE));
        let mut draft = request_draft(&Method::Options, 1);
        draft.set(&name::CALL_ID, format!("call-{}", wire.log.len()));
        wire.engine(CALLER).table.request(now, flow, &draft);
        wire.settle();
    }
    for number in [CALLER, CALLEE] {
        let table = &wire.engine(number).table;
        assert!(table.is_empty());
        assert!(table.deadlines.len() <= 65, "{}", table.deadlines.len());
    }
}

#[test]
fn many_that_are_over_are_forgotten_at_few_points_of_time() {
    let mut wire = pair(1);
    wire.engine(CALLEE).answers = vec![200];
    for _ in 0..50 {
        send(&mut wire, Transport::Udp, &Method::Options);
        wire.run_for(Duration::from_millis(7));
    }
    assert_eq!(wire.engine(CALLEE).table.len(), 50);
    let table = &mut wire.engine(CALLEE).table;
    let mut wakes = 0;
    while let Some(due) = table.next_deadline() {
        table.handle_deadline(due);
        wakes += 1;
    }
    assert!(table.is_empty());
    assert!(wakes <= 10, "350 ms of requests: {wakes}");
}
