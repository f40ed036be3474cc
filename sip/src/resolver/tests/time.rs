// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::{Duration, Instant};

use super::{
    super::*,
    zone::{Zone, wanted},
};

const MOMENT: Duration = Duration::from_millis(10);

/// Asks until nothing more is to be asked, with the questions in `swallowed` never answered.
fn play(lookup: &mut Lookup, zone: &Zone, now: Instant, swallowed: &[&str]) -> Option<Step> {
    while let Some(step) = lookup.poll() {
        match step {
            Step::Ask(question) if swallowed.contains(&question.kind.name()) => {}
            Step::Ask(question) => lookup.handle_answer(now, &question, zone.answer(&question)),
            done @ Step::Done(_) => return Some(done),
        }
    }
    None
}

fn places(step: Option<Step>) -> Vec<String> {
    match step {
        Some(Step::Done(Ok(places))) => places.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_swallows_what_it_does_not_know_costs_a_second() {
    let zone = Zone::new(
        "_sip._udp.example.org SRV 10 1 5060 a.example.org
         a.example.org A 192.0.2.1",
    );
    let now = Instant::now();
    for swallowed in [&["NAPTR"][..], &["AAAA"], &["NAPTR", "AAAA"]] {
        let mut lookup = Lookup::new(wanted("sip:example.org"), now, 0);
        assert_eq!(play(&mut lookup, &zone, now + MOMENT, swallowed), None);
        assert_eq!(lookup.next_deadline(), Some(now + MOMENT + PATIENCE));
        lookup.handle_deadline(now + PATIENCE);
        assert_eq!(lookup.poll(), None, "too early");
        lookup.handle_deadline(now + MOMENT + PATIENCE);
        assert_eq!(places(lookup.poll()), ["udp:192.0.2.1:5060"], "{swallowed:?}");
        assert_eq!(lookup.next_deadline(), None);
    }
}

#[test]
fn who_swallows_everything_costs_the_deadline() {
    let now = Instant::now();
    let mut lookup = Lookup::new(wanted("sip:example.org"), now, 0);
    let all = ["NAPTR", "SRV", "A", "AAAA"];
    assert_eq!(play(&mut lookup, &Zone::new(""), now, &all), None);
    assert_eq!(lookup.next_deadline(), Some(now + DEADLINE));
    lookup.handle_deadline(now + DEADLINE);
    let Some(Step::Done(Err(error))) = lookup.poll() else { panic!("no error") };
    assert!(error.is_passing());
    assert_eq!(
        error.to_string(),
        "sip:example.org could not be looked up: SRV _sips._tcp.example.org: no answer in time, \
         SRV _sip._tcp.example.org: no answer in time, \
         SRV _sip._udp.example.org: no answer in time, NAPTR example.org: no answer in time"
    );
}

#[test]
fn servers_that_cannot_be_asked_for_leave_the_host() {
    // Some home routers answer SRV and NAPTR with SERVFAIL.
    let now = Instant::now();
    let zone = Zone::new("example.org A 192.0.2.1");
    let mut lookup = Lookup::new(wanted("sip:example.org"), now, 0);
    let mut done = None;
    while let Some(step) = lookup.poll() {
        match step {
            Step::Ask(question) if matches!(question.kind, Kind::Srv | Kind::Naptr) => {
                let failed = Err(NoAnswer::Failed("SERVFAIL".to_owned()));
                lookup.handle_answer(now, &question, failed);
            }
            Step::Ask(question) => lookup.handle_answer(now, &question, zone.answer(&question)),
            step @ Step::Done(_) => done = Some(step),
        }
    }
    assert_eq!(places(done), ["udp:192.0.2.1:5060"]);
}

#[test]
fn late_and_doubled_answers_do_nothing() {
    let now = Instant::now();
    let zone = Zone::new("example.org A 192.0.2.1");
    let mut lookup = Lookup::new(wanted("sip:example.org:5060"), now, 0);
    let mut questions = Vec::new();
    let mut outcomes = 0;
    while let Some(step) = lookup.poll() {
        match step {
            Step::Ask(question) => {
                lookup.handle_answer(now, &question, zone.answer(&question));
                lookup.handle_answer(now, &question, Err(NoAnswer::NoSuchName));
                questions.push(question);
            }
            Step::Done(outcome) => {
                outcomes += 1;
                assert_eq!(outcome.unwrap().len(), 1);
            }
        }
        for question in &questions {
            lookup.handle_answer(now, question, zone.answer(question));
        }
        lookup.handle_deadline(now);
    }
    lookup.handle_deadline(now + DEADLINE);
    assert_eq!((lookup.poll(), outcomes), (None, 1));
}
