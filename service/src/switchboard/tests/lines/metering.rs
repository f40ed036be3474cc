// SPDX-License-Identifier: GPL-3.0-or-later
//! What calls tell of the lines they leave by.

use std::time::Duration;

use sipwitch_sip::flow::Transport;

use super::{
    super::{
        super::ask::{Ask, DialOptions, RouteLine},
        house::Plan,
        town::{Phone, Town},
    },
    provider::account,
};

const NUMBER: &str = "+4930901820";
const FIRST: &str = "127.0.0.3:5060";
const SECOND: &str = "127.0.0.4:5060";

/// A house with phone 101 and two lines that are equals, but for their order.
fn two_lines(plan: Plan) -> (Town, Phone, Phone, Phone) {
    let mut town = Town::of(plan);
    let phone = town.phone("101");
    let (first, second) = lines(&mut town);
    (town, phone, first, second)
}

fn lines(town: &mut Town) -> (Phone, Phone) {
    let first = town.provider("first.test", FIRST);
    let second = town.provider("second.test", SECOND);
    sign_up_both(town, first, second);
    (first, second)
}

fn sign_up_both(town: &mut Town, first: Phone, second: Phone) {
    for (host, at) in [("first.test", FIRST), ("second.test", SECOND)] {
        town.names.insert(host.into(), vec![(Transport::Udp, at.parse().unwrap())]);
    }
    let mut one = account("a-first", "first.test");
    one.cap = Some(Duration::from_secs(600));
    town.sign_up(one);
    town.let_in(first);
    let mut other = account("b-second", "second.test");
    other.order = 1;
    // As metered as the first, so that nothing but how calls went tells them apart.
    other.cap = Some(Duration::from_secs(60_000));
    town.sign_up(other);
    town.let_in(second);
}

impl Town {
    fn route_lines(&mut self, contact: &str) -> Vec<RouteLine> {
        let (contact, options) = (contact.to_owned(), DialOptions::default());
        self.wish(|reply| Ask::Explain { contact, options, reply }).answer().unwrap()
    }

    /// The lines that would be tried, in order.
    fn order(&mut self, contact: &str) -> Vec<String> {
        let told = self.route_lines(contact).into_iter().filter(|line| line.attempt > 0);
        told.map(|line| line.destination.rsplit(' ').next().unwrap().to_owned()).collect()
    }

    /// 101 calls by the first line, which answers so; the second is busy.
    fn call_refused_by_the_first(
        &mut self,
        phone: Phone,
        at: [Phone; 2],
        status: &str,
        more: &[&str],
    ) {
        let call = self.dial(phone, NUMBER);
        for (provider, status, more) in [(at[0], status, more), (at[1], "486 Busy Here", &[][..])] {
            let mut rung = self.rung(provider);
            self.reply_with(&rung, status, more, "");
            self.heard(&mut rung, "ACK");
        }
        assert!(self.refused(&call).status().unwrap() >= 400);
    }

    /// 101 calls by a line and talks for so long.
    fn talk_by(&mut self, phone: Phone, provider: Phone, seconds: u64) {
        let mut inside = self.dial(phone, NUMBER);
        let mut outside = self.rung(provider);
        let answer = self.sdp(provider);
        self.reply(&outside, "200 OK", &answer);
        self.heard(&mut inside, "200 INVITE");
        self.ack(&inside, "");
        self.heard(&mut outside, "ACK");
        self.pass_seconds(seconds);
        self.hang_up(&mut inside);
        self.ended(&mut outside);
    }
}

#[test]
fn a_line_that_failed_goes_behind_another_for_a_while_and_longer_each_time() {
    let (mut town, phone, first, second) = two_lines(Plan::usual());
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
    town.call_refused_by_the_first(phone, [first, second], "500 Server Internal Error", &[]);
    assert_eq!(town.order(NUMBER), ["b-second", "a-first"]);
    town.pass_seconds(59);
    assert_eq!(town.order(NUMBER), ["b-second", "a-first"]);
    town.pass_seconds(2);
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
    town.call_refused_by_the_first(phone, [first, second], "500 Server Internal Error", &[]);
    town.pass_seconds(61);
    assert_eq!(town.order(NUMBER), ["b-second", "a-first"], "it failed again");
    town.pass_seconds(60);
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
    // Whatever rings by it is forgiveness.
    town.talk_by(phone, first, 1);
    town.call_refused_by_the_first(phone, [first, second], "500 Server Internal Error", &[]);
    town.pass_seconds(61);
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
}

#[test]
fn a_line_that_asks_to_be_left_alone_is_and_one_whose_callee_is_busy_is_not_blamed() {
    let (mut town, phone, first, second) = two_lines(Plan::usual());
    let more = ["Retry-After: 300"];
    town.call_refused_by_the_first(phone, [first, second], "503 Service Unavailable", &more);
    town.pass_seconds(299);
    assert_eq!(town.order(NUMBER), ["b-second", "a-first"]);
    town.pass_seconds(2);
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
    let call = town.dial(phone, NUMBER);
    let mut rung = town.rung(first);
    town.reply_with(&rung, "486 Busy Here", &[], "");
    town.heard(&mut rung, "ACK");
    assert_eq!(town.refused(&call).status(), Some(486));
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
}

#[test]
fn a_cap_that_is_reached_takes_the_line_out_but_for_emergencies_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    // Another run, other random numbers.
    let plan = |run| Plan { seed: [run; 32], ..Plan::in_file(folder.path().join("state.db")) };
    let (mut town, phone, first, second) = two_lines(plan(1));
    town.talk_by(phone, first, 300);
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
    let spent = |town: &mut Town| {
        let told = town.route_lines(NUMBER);
        told.iter().any(|line| line.attempt == 0 && line.reason == "cap-reached")
    };
    assert!(!spent(&mut town));
    town.talk_by(phone, first, 301);
    assert_eq!(town.order(NUMBER), ["b-second"]);
    assert!(spent(&mut town), "{:?}", town.route_lines(NUMBER));
    assert_eq!(town.order("112"), ["a-first", "b-second"]);
    town.pass_seconds(1);
    town.store();

    let mut town = town.rebuild(plan(2), Duration::from_secs(5));
    sign_up_both(&mut town, first, second);
    assert_eq!(town.order(NUMBER), ["b-second"], "what was used is known after a restart");
    assert_eq!(town.order("112"), ["a-first", "b-second"]);
    // A new month begins at nothing.
    let mut town = town.rebuild(plan(3), Duration::from_secs(32 * 24 * 3600));
    sign_up_both(&mut town, first, second);
    assert_eq!(town.order(NUMBER), ["a-first", "b-second"]);
}

#[test]
fn calls_from_outside_cost_nothing() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("first.test", "127.0.0.3:5060");
    let mut one = account("a-first", "first.test");
    one.cap = Some(Duration::from_secs(60));
    town.sign_up(one);
    let contact = town.let_in(provider).address("Contact").to_owned();
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    let mut inside = town.rung(phone);
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    town.heard(&mut outside, "200 INVITE");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");
    town.pass_seconds(100);
    town.hang_up(&mut outside);
    town.ended(&mut inside);
    assert_eq!(town.order(NUMBER), ["a-first"]);
}

#[test]
fn a_file_of_rules_that_forbids_everything_stops_no_emergency_call() {
    let (mut town, phone, first, _) = two_lines(Plan::usual());
    let rules = "[extension.101]\nmay-call = \"internal\"\n\
                 [[rule]]\nname = \"nothing\"\naction = \"bar\"\n\
                 [[rule]]\nname = \"nowhere\"\nnever = [\"a-first\", \"b-second\"]\n";
    let now = town.time();
    town.board.set_rules(now, crate::rules::parse(rules).unwrap(), None);
    town.collect();
    assert_eq!(town.order(NUMBER), [""; 0]);
    let refused = town.dial(phone, NUMBER);
    assert!(town.refused(&refused).status().unwrap() >= 400);
    assert_eq!(town.order("112"), ["a-first", "b-second"]);
    town.dial(phone, "112");
    let rung = town.rung(first);
    assert!(rung.invite.uri().starts_with("sip:112@"), "{:?}", rung.invite);
}
