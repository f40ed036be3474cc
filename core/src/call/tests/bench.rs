// SPDX-License-Identifier: GPL-3.0-or-later
//! One call on the bench, with everything it says written as short lines, and the rules that hold
//! for every call checked on each line.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    call::{description, leg::*, *},
    cause::Cause,
    line::LineId,
    routing::{Attempt, Because, Destination, Persistence, PhoneId, Route, Target, Why},
};

/// The caller's leg.
pub(crate) const CALLER: u64 = 1;

pub(crate) struct Bench {
    pub call: Call,
    pub ids: LegIds,
    pub now: Instant,
    pub watch: Watch,
    /// Commands that nobody has carried out yet, for tests with phones of their own.
    pub commands: Vec<(LegId, LegCommand)>,
    /// Legs that were started, and what they were invited with.
    pub started: Vec<(LegId, Carried)>,
    log: Vec<String>,
}

/// The rules of every call.
#[derive(Default)]
pub(crate) struct Watch {
    pub live: BTreeSet<LegId>,
    answered: BTreeSet<LegId>,
    pub ended: bool,
    /// Wishes not answered yet.
    pub routes: Vec<QueryId>,
    pub joins: Vec<QueryId>,
    /// What legs asked and the switch has not answered.
    pub theirs: BTreeSet<(LegId, ExchangeId)>,
    /// What the switch asked and the leg has not answered; whether it is a re-INVITE.
    pub ours: BTreeMap<(LegId, ExchangeId), bool>,
    /// Successful answers to our re-INVITEs, not acknowledged yet.
    pub unacknowledged: BTreeSet<(LegId, ExchangeId)>,
    /// Successful answers we gave, which the leg has not acknowledged.
    pub given: BTreeSet<(LegId, ExchangeId)>,
}

impl Watch {
    pub(crate) fn see(&mut self, action: &Action) {
        assert!(!self.ended, "after the end: {action:?}");
        match action {
            Action::Start { leg, .. } => assert!(self.live.insert(*leg), "started twice: {leg:?}"),
            Action::Command { leg, command } => {
                assert!(self.live.contains(leg), "commanded a leg that is gone: {action:?}");
                self.see_command(*leg, command);
            }
            Action::Ended { .. } => {
                assert!(self.live.is_empty(), "outlived the call: {:?}", self.live);
                self.ended = true;
            }
            Action::JoinWanted { query, .. } => self.joins.push(*query),
            Action::Report(_) => {}
            Action::RouteWanted { query, .. } => self.routes.push(*query),
        }
    }

    fn see_command(&mut self, leg: LegId, command: &LegCommand) {
        match command {
            LegCommand::Answer { .. } => {
                assert!(self.answered.insert(leg), "answered twice: {leg:?}");
            }
            LegCommand::Ask { exchange, ask, .. } => {
                let asked = self.ours.insert((leg, *exchange), *ask == Ask::Reinvite);
                assert_eq!(asked, None, "exchange named twice: {leg:?} {exchange:?}");
            }
            LegCommand::ConfirmReinvite { exchange, .. } => {
                let waited = self.unacknowledged.remove(&(leg, *exchange));
                assert!(waited, "acknowledged what did not succeed: {leg:?} {exchange:?}");
            }
            LegCommand::End { .. } => self.over(leg),
            LegCommand::Reply { exchange, status, .. } => {
                let asked = self.theirs.remove(&(leg, *exchange));
                assert!(asked, "replied to nothing: {leg:?} {exchange:?}");
                if status.is_success() {
                    self.given.insert((leg, *exchange));
                }
            }
            LegCommand::Confirm { .. }
            | LegCommand::Progress { .. }
            | LegCommand::TransferProgress { .. } => {}
        }
    }

    /// A leg said something.
    pub(crate) fn hear(&mut self, leg: LegId, event: &LegEvent) {
        if !self.live.contains(&leg) {
            return;
        }
        match event {
            LegEvent::Asked { exchange, .. } | LegEvent::TransferAsked { exchange, .. } => {
                self.theirs.insert((leg, *exchange));
            }
            LegEvent::Replied { exchange, status, .. } if status.is_final() => {
                let reinvite = self.ours.remove(&(leg, *exchange)) == Some(true);
                if reinvite && status.is_success() {
                    self.unacknowledged.insert((leg, *exchange));
                }
            }
            LegEvent::Ended { .. } | LegEvent::Redirected { .. } => self.over(leg),
            _ => {}
        }
    }

    pub(crate) fn over(&mut self, leg: LegId) {
        self.live.remove(&leg);
        self.theirs.retain(|(of, _)| *of != leg);
        self.ours.retain(|(of, _), _| *of != leg);
        self.unacknowledged.retain(|(of, _)| *of != leg);
        self.given.retain(|(of, _)| *of != leg);
    }
}

/// `alice.1:4000 sendonly` is alice's first description, with audio on port 4000.
pub(crate) fn sdp(label: &str) -> Bytes {
    let (label, direction) = label.split_once(' ').unwrap_or((label, "sendrecv"));
    let (user, rest) = label.split_once('.').unwrap();
    let (version, port) = rest.split_once(':').unwrap();
    format!(
        "v=0\r\no={user} 5 {version} IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=x-{user}\r\na={direction}\r\n"
    )
    .into()
}

pub(crate) fn with(label: &str) -> Carried {
    if label.is_empty() { Carried::nothing() } else { Carried::body(Body::sdp(sdp(label))) }
}

fn label(carried: &Carried) -> String {
    let Some(body) = &carried.body else { return String::new() };
    let text = String::from_utf8_lossy(&body.bytes).into_owned();
    let Some(sdp) = carried.sdp() else {
        return format!(" ({})", text.replace("\r\n", " ").trim());
    };
    let word = |prefix: &str, at: usize| {
        let line = text.lines().find(|line| line.starts_with(prefix)).unwrap_or_default();
        line.split(' ').nth(at).unwrap_or_default().to_owned()
    };
    let user = word("o=", 0).split_off(2);
    let direction = match description::direction(sdp) {
        description::Direction::SendRecv => String::new(),
        other => format!(" {}", other.as_str()),
    };
    let media = description::media_count(sdp);
    let media = if media == 1 { String::new() } else { format!(" x{media}") };
    format!(" ({user}.{}:{}{direction}{media})", word("o=", 2), word("m=", 1))
}

/// A route whose attempts ring these phones, 20 seconds each.
pub(crate) fn route(attempts: &[&[u64]]) -> Route {
    let target = |phone: &u64| Target {
        destination: Destination::Phone(PhoneId(*phone)),
        dialled: "102".into(),
    };
    let attempt = |phones: &&[u64]| {
        let because = Because::Extension("102".parse().unwrap());
        Attempt::new(phones.iter().map(target).collect(), because, Duration::from_secs(20))
    };
    Route { attempts: attempts.iter().map(attempt).collect(), rejected: Vec::new() }
}

/// One way out after the other: the line, the person's address, what is dialled.
pub(crate) fn ways(ways: &[(u64, u8, &str)], persistence: Persistence) -> Route {
    let attempt = |(line, address, dialled): &(u64, u8, &str)| {
        let destination = Destination::Line(LineId(*line));
        let targets = vec![Target { destination, dialled: (*dialled).into() }];
        let because = Because::Extension("102".parse().unwrap());
        let ring = Duration::from_secs(60);
        Attempt { persistence, ..Attempt::outside(targets, because, ring, *address) }
    };
    Route { attempts: ways.iter().map(attempt).collect(), rejected: Vec::new() }
}

pub(crate) fn party(address: &str) -> Party {
    Party { display: String::new(), address: address.into() }
}

pub(crate) fn invitation(offer: &str) -> Invitation {
    Invitation {
        from: party("101"),
        to: party("102"),
        carried: with(offer),
        reliable_provisional: true,
        hops: 70,
        diverted_by: None,
    }
}

impl Bench {
    /// A phone calls with this offer.
    pub(crate) fn incoming(offer: &str, route: Route) -> Self {
        let (now, mut ids) = (Instant::now(), LegIds::new());
        let leg = ids.allocate();
        let call = Call::incoming(now, &mut ids, CallId(1), leg, invitation(offer), route);
        Self::on(call, ids, now, Some(leg))
    }

    /// A program dials, and the user has these phones.
    pub(crate) fn dial(phones: &[u64]) -> Self {
        let (now, mut ids) = (Instant::now(), LegIds::new());
        let dial = Dial {
            contact: "102".into(),
            shown: Party { display: "Calling 102".into(), address: "102".into() },
            user: party("101"),
            phones: if phones.is_empty() {
                Route::refused("101", Why::NotRegistered)
            } else {
                route(&[phones])
            },
        };
        let call = Call::dial(now, &mut ids, CallId(1), dial);
        Self::on(call, ids, now, None)
    }

    fn on(call: Call, ids: LegIds, now: Instant, caller: Option<LegId>) -> Self {
        let watch = Watch { live: caller.into_iter().collect(), ..Watch::default() };
        let mut bench = Self {
            call,
            ids,
            now,
            watch,
            commands: Vec::new(),
            started: Vec::new(),
            log: Vec::new(),
        };
        bench.drain();
        bench
    }

    /// Everything that goes on in silence comes to its end: every leg that was asked answers with
    /// this code, every route that was wanted is refused.
    pub(crate) fn answer_everything(&mut self, code: u16) {
        let body = if code == 200 { "z.1:9000" } else { "" };
        for _ in 0..100 {
            for query in std::mem::take(&mut self.watch.routes) {
                self.call.routed(self.now, &mut self.ids, query, Route::default());
                self.drain();
            }
            for query in std::mem::take(&mut self.watch.joins) {
                assert_eq!(self.call.joined(self.now, query, Err(Cause::from_sip(481))), None);
                self.drain();
            }
            let asked: Vec<_> = self.watch.ours.keys().copied().collect();
            for (leg, exchange) in asked {
                self.replied(leg.0, exchange.0, code, body);
            }
            let given: Vec<_> = self.watch.given.iter().copied().collect();
            self.watch.given.clear();
            for (leg, exchange) in given {
                self.say(leg.0, LegEvent::ReinviteConfirmed { exchange, carried: with(body) });
            }
            if let Some(at) = self.call.next_deadline() {
                self.now = self.now.max(at);
                self.call.deadline(self.now, &mut self.ids);
                self.drain();
            }
        }
        let Watch { theirs, ours, unacknowledged, .. } = &self.watch;
        assert!(theirs.is_empty(), "never answered: {theirs:?}");
        assert!(ours.is_empty(), "asked for ever: {ours:?}");
        assert!(unacknowledged.is_empty(), "never acknowledged: {unacknowledged:?}");
    }

    /// A connected call between leg 1 and leg 2, with nothing left to read.
    pub(crate) fn connected() -> Self {
        let mut bench = Self::incoming("alice.1:4000", route(&[&[7]]));
        bench.answered(2, 0, "bob.1:5000");
        bench.confirmed(CALLER, "");
        bench.log.clear();
        bench
    }

    pub(crate) fn drain(&mut self) {
        while let Some(action) = self.call.poll() {
            self.watch.see(&action);
            self.log.push(line(&action));
            match action {
                Action::Command { leg, command } => self.commands.push((leg, command)),
                Action::Start { leg, invitation, .. } => {
                    self.started.push((leg, invitation.carried))
                }
                _ => {}
            }
        }
        assert_eq!(self.call.is_over(), self.watch.ended);
        assert_eq!(self.call.legs().collect::<BTreeSet<_>>(), self.watch.live);
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, lines: &[&str]) {
        assert_eq!(std::mem::take(&mut self.log), lines);
    }

    pub(crate) fn skip(&mut self) {
        self.log.clear();
    }

    pub(crate) fn say(&mut self, leg: u64, event: LegEvent) {
        self.watch.hear(LegId(leg), &event);
        self.call.leg_event(self.now, &mut self.ids, LegId(leg), event);
        self.drain();
    }

    pub(crate) fn progress(&mut self, leg: u64, fork: u32, code: u16, body: &str) {
        let (fork, status) = (Fork(fork), Status::new(code));
        self.say(leg, LegEvent::Progress { fork, status, reliable: None, carried: with(body) });
    }

    pub(crate) fn answered(&mut self, leg: u64, fork: u32, body: &str) {
        self.say(leg, LegEvent::Answered { fork: Fork(fork), carried: with(body) });
    }

    pub(crate) fn confirmed(&mut self, leg: u64, body: &str) {
        self.say(leg, LegEvent::Confirmed { carried: with(body) });
    }

    pub(crate) fn ended(&mut self, leg: u64, code: u16) {
        let cause = if code == 200 { Cause::normal() } else { Cause::from_sip(code) };
        self.say(leg, LegEvent::Ended { cause });
    }

    pub(crate) fn asked(&mut self, leg: u64, exchange: u32, ask: Ask, body: &str) {
        let exchange = ExchangeId(exchange);
        self.say(leg, LegEvent::Asked { exchange, ask, carried: with(body) });
    }

    pub(crate) fn replied(&mut self, leg: u64, exchange: u32, code: u16, body: &str) {
        let (exchange, status) = (ExchangeId(exchange), Status::new(code));
        self.say(leg, LegEvent::Replied { exchange, status, carried: with(body) });
    }

    pub(crate) fn refer(&mut self, leg: u64, exchange: u32, replaces: Option<Replaced>) {
        let exchange = ExchangeId(exchange);
        let (target, carried) = ("103".to_owned(), Carried::nothing());
        self.say(leg, LegEvent::TransferAsked { exchange, target, replaces, carried });
    }

    pub(crate) fn routed(&mut self, query: u32, route: Route) {
        self.call.routed(self.now, &mut self.ids, QueryId(query), route);
        self.drain();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.call.deadline(self.now, &mut self.ids);
        self.drain();
    }

    pub(crate) fn hang_up(&mut self) {
        self.call.hang_up(Cause::normal());
        self.drain();
    }
}

pub(crate) fn line(action: &Action) -> String {
    match action {
        Action::Start { leg, target, invitation } => {
            let where_ = match target.destination {
                Destination::Line(line) => format!("line {} {}", line.0, target.dialled),
                Destination::Peer => format!("peer {}", target.dialled),
                Destination::Phone(phone) => format!("phone {}", phone.0),
            };
            let Invitation { from, to, carried, diverted_by, .. } = &**invitation;
            let by = diverted_by.as_ref().map_or(String::new(), |by| format!(" by {}", by.address));
            let (from, to) = (&from.address, &to.address);
            format!("{} start {where_} {from}>{to}{by}{}", leg.0, label(carried))
        }
        Action::Command { leg, command } => format!("{} {}", leg.0, command_line(command)),
        Action::Ended { cause } => format!("ended {}", cause.sip),
        Action::JoinWanted { query, leg } => format!("join? {} leg {}", query.0, leg.0),
        Action::RouteWanted { query, contact, by: None, .. } => {
            format!("route? {} {contact}", query.0)
        }
        Action::RouteWanted { query, contact, by: Some(by), .. } => {
            format!("route? {} {contact} by {:?}", query.0, by.destination)
        }
        Action::Report(report) => match report {
            Report::Answered { leg } => format!("= answered by {}", leg.0),
            Report::Held(held) => format!("= held {held}"),
            Report::HoldRefused(cause) => format!("= hold refused {}", cause.sip),
            Report::Party { side, party } => format!("= {side:?} is {}", party.address),
            Report::Skipped { attempt, why } => {
                format!("= skipped {}: {}", attempt.targets[0].dialled, why.as_str())
            }
            Report::State(state) => format!("= {}", state.as_str()),
            Report::TonesEnded { refused } => {
                format!("= tones ended {:?}", refused.as_ref().map(|cause| cause.sip))
            }
            Report::Transfer(TransferStep::Failed(cause)) => {
                format!("= transfer failed {}", cause.sip)
            }
            Report::Transfer(step) => format!("= transfer {step:?}").to_lowercase(),
        },
    }
}

fn command_line(command: &LegCommand) -> String {
    match command {
        LegCommand::Progress { fork, status, reliable, carried } => {
            let reliable = reliable.map_or(String::new(), |r| format!(" r{}", r.0));
            format!("progress #{} {}{reliable}{}", fork.0, status.code, label(carried))
        }
        LegCommand::Answer { fork, carried } => format!("answer #{}{}", fork.0, label(carried)),
        LegCommand::Confirm { carried } => format!("confirm{}", label(carried)),
        LegCommand::Ask { exchange, ask, carried } => {
            let ask = format!("{ask:?}").to_lowercase();
            format!("ask {} {ask}{}", exchange.0, label(carried))
        }
        LegCommand::Reply { exchange, status, carried } => {
            format!("reply {} {}{}", exchange.0, status.code, label(carried))
        }
        LegCommand::ConfirmReinvite { exchange, carried } => {
            format!("ack {}{}", exchange.0, label(carried))
        }
        LegCommand::TransferProgress { exchange, status } => {
            format!("notify {} {}", exchange.0, status.code)
        }
        LegCommand::End { cause } => match (cause.sip, cause.q850) {
            (200, Some(26)) => "end elsewhere".into(),
            (sip, _) => format!("end {sip}"),
        },
    }
}
