// SPDX-License-Identifier: GPL-3.0-or-later
//! Phones that keep the rules of offer and answer (RFC 3264), and insist that the switch does:
//! within a dialog the origin stays, its version rises with every change and never falls, media
//! are never taken away, and an answer has as many as its offer.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::bench::*;
use crate::call::{LegCommand, LegEvent, LegId, Side, description, leg::*};

/// What a phone makes of its dialog.
struct Phone {
    user: String,
    version: u32,
    port: u16,
    /// How many media were agreed on.
    media: usize,
    wish: &'static str,
    heard: Option<Bytes>,
    /// How many media it described last.
    described: usize,
    /// Our own offer that is under way, and how many media it has.
    offered: Option<(ExchangeId, usize)>,
}

fn origin(sdp: &Bytes) -> (String, u64) {
    let text = String::from_utf8(sdp.to_vec()).unwrap();
    let line = text.lines().find(|line| line.starts_with("o=")).expect("an origin").to_owned();
    let mut words: Vec<_> = line.split(' ').collect();
    let version = words.remove(2).parse().unwrap();
    (words.join(" "), version)
}

impl Phone {
    fn new(leg: LegId) -> Self {
        let (user, port) = (format!("p{}", leg.0), 4000 + leg.0 as u16 * 100);
        Self {
            user,
            version: 0,
            port,
            media: 0,
            wish: "sendrecv",
            heard: None,
            described: 0,
            offered: None,
        }
    }

    fn describe(&mut self, media: usize, direction: &str) -> Carried {
        self.version += 1;
        self.described = media;
        let mut sdp = format!(
            "v=0\r\no={} 1 {} IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n",
            self.user, self.version
        );
        for at in 0..media {
            sdp += &format!("m=audio {} RTP/AVP 0\r\na={direction}\r\n", self.port + 2 * at as u16);
        }
        Carried::body(Body::sdp(sdp))
    }

    fn offer(&mut self, exchange: ExchangeId, media: usize) -> Carried {
        let carried = self.describe(media, self.wish);
        self.offered = Some((exchange, media));
        carried
    }

    /// An answer to what was heard last.
    fn answer(&mut self) -> Carried {
        let offer = self.heard.clone().expect("an offer");
        let direction = match description::direction(&offer) {
            description::Direction::Inactive => "inactive",
            description::Direction::SendOnly => "recvonly",
            description::Direction::RecvOnly => "sendonly",
            description::Direction::SendRecv => self.wish,
        };
        self.media = description::media_count(&offer);
        self.describe(self.media, direction)
    }

    /// Checks what came against what came before.
    fn hear(&mut self, sdp: &Bytes, answers: Option<usize>) {
        let count = description::media_count(sdp);
        if let Some(offered) = answers {
            assert_eq!(count, offered, "an answer has as many media as its offer");
        }
        // What was refused was never agreed on.
        assert!(count >= self.media, "media are never taken away");
        if answers.is_some() {
            self.media = count;
        }
        if let Some(before) = &self.heard {
            let ((old, old_version), (new, version)) = (origin(before), origin(sdp));
            assert_eq!(old, new, "the origin stays");
            assert!(version >= old_version, "the version never falls: {old_version} {version}");
            assert!(sdp == before || version > old_version, "a change has its version");
        }
        self.heard = Some(sdp.clone());
    }
}

struct House {
    bench: Bench,
    phones: BTreeMap<LegId, Phone>,
    /// Replies that phones have not given yet.
    asked: Vec<(LegId, ExchangeId, Option<Bytes>)>,
    next: u32,
}

impl House {
    fn new(bench: Bench) -> Self {
        let mut house = Self { bench, phones: BTreeMap::new(), asked: Vec::new(), next: 0 };
        house.phones.insert(LegId(1), Phone::new(LegId(1)));
        house.carry_out();
        house
    }

    fn phone(&mut self, leg: LegId) -> &mut Phone {
        self.phones.entry(leg).or_insert_with(|| Phone::new(leg))
    }

    /// Phones hear what they are told, and answer what can be answered at once.
    fn carry_out(&mut self) {
        for (leg, carried) in std::mem::take(&mut self.bench.started) {
            if let Some(sdp) = carried.sdp() {
                self.phone(leg).hear(sdp, None);
            }
        }
        while !self.bench.commands.is_empty() {
            let (leg, command) = self.bench.commands.remove(0);
            match command {
                LegCommand::Answer { carried, .. } => {
                    self.phone(leg).hear(carried.sdp().expect("an answer"), Some(1));
                    self.bench.say(leg.0, LegEvent::Confirmed { carried: Carried::nothing() });
                }
                LegCommand::Ask { exchange, ask: Ask::Reinvite, carried } => {
                    if let Some(sdp) = carried.sdp() {
                        self.phone(leg).hear(sdp, None);
                    }
                    self.asked.push((leg, exchange, carried.sdp().cloned()));
                }
                LegCommand::Confirm { carried } | LegCommand::ConfirmReinvite { carried, .. } => {
                    if let Some(sdp) = carried.sdp() {
                        let described = self.phone(leg).described;
                        self.phone(leg).hear(sdp, Some(described));
                    }
                }
                LegCommand::Reply { exchange, status, carried } => {
                    let ours = self.phone(leg).offered.take_if(|(ours, _)| *ours == exchange);
                    let Some(sdp) = carried.sdp() else { continue };
                    if let Some((_, media)) = ours {
                        assert!(status.is_success());
                        self.phone(leg).hear(sdp, Some(media));
                        let carried = Carried::nothing();
                        self.bench.say(leg.0, LegEvent::ReinviteConfirmed { exchange, carried });
                    } else {
                        // We asked for an offer, and this is it.
                        self.phone(leg).hear(sdp, None);
                        let carried = self.phone(leg).answer();
                        self.bench.say(leg.0, LegEvent::ReinviteConfirmed { exchange, carried });
                    }
                }
                LegCommand::Ask { .. }
                | LegCommand::End { .. }
                | LegCommand::Progress { .. }
                | LegCommand::TransferProgress { .. } => {}
            }
        }
    }

    /// One of the phones answers what it was asked.
    fn answer(&mut self, at: u8, refuses: bool) {
        if self.asked.is_empty() {
            return;
        }
        let (leg, exchange, offer) = self.asked.remove(usize::from(at) % self.asked.len());
        if refuses {
            self.bench.replied(leg.0, exchange.0, if at.is_multiple_of(2) { 491 } else { 488 }, "");
        } else {
            let status = Status::new(200);
            let carried = match offer {
                Some(_) => self.phone(leg).answer(),
                None => {
                    let (media, wish) = (self.phone(leg).media, self.phone(leg).wish);
                    self.phone(leg).describe(media, wish)
                }
            };
            self.bench.say(leg.0, LegEvent::Replied { exchange, status, carried });
        }
        self.carry_out();
    }

    /// A phone that was invited answers.
    fn pick_up(&mut self) {
        let Some(leg) = self.bench.call.legs().find(|leg| {
            !self.phones.contains_key(leg) || self.phones[leg].version == 0 && leg.0 != 1
        }) else {
            return;
        };
        let carried = match self.phone(leg).heard {
            Some(_) => self.phone(leg).answer(),
            None => self.phone(leg).describe(1, "sendrecv"),
        };
        self.bench.say(leg.0, LegEvent::Answered { fork: Fork(0), carried });
        self.carry_out();
    }

    fn apply(&mut self, (what, a, b): (u8, u8, u8)) {
        self.next += 1;
        let exchange = ExchangeId(self.next);
        let side = if a.is_multiple_of(2) { Side::Caller } else { Side::Callee };
        let talking = self.bench.call.talking(side);
        let bench = &mut self.bench;
        match what % 12 {
            0..=3 => self.answer(a, b > 230),
            4 | 5 => {
                let Some(leg) = talking else { return };
                // One offer at a time, ours or theirs (RFC 3261 §14.1).
                if self.phone(leg).offered.is_some()
                    || self.asked.iter().any(|asked| asked.0 == leg)
                {
                    return;
                }
                let phone = self.phone(leg);
                phone.wish = ["sendrecv", "sendonly", "inactive"][usize::from(b % 3)];
                phone.port += u16::from(b % 2) * 10;
                let delayed = b > 200;
                let media = phone.media.max(usize::from(b % 3));
                let carried =
                    if delayed { Carried::nothing() } else { phone.offer(exchange, media) };
                self.bench.say(leg.0, LegEvent::Asked { exchange, ask: Ask::Reinvite, carried });
                self.carry_out();
            }
            6 => {
                let _ = bench.call.hold(bench.now);
                bench.drain();
            }
            7 => {
                let _ = bench.call.resume(bench.now);
                bench.drain();
            }
            8 => {
                let Some(leg) = talking else { return };
                bench.refer(leg.0, self.next, None);
                if let Some(query) = self.bench.watch.routes.pop() {
                    self.bench.routed(query.0, route(&[&[u64::from(b) + 50]]));
                }
            }
            9 => self.pick_up(),
            10 => bench.wait(u64::from(a % 6)),
            _ => {
                if let Some(query) = self.bench.watch.routes.pop() {
                    self.bench.routed(query.0, route(&[&[u64::from(b) + 50]]));
                }
            }
        }
        self.carry_out();
    }
}

fn begin(how: u8) -> House {
    if how.is_multiple_of(2) {
        House::new(Bench::dial(&[7]))
    } else {
        let mut house = House::new(Bench::incoming("", route(&[&[7]])));
        let carried = house.phone(LegId(2)).describe(1, "sendrecv");
        house.bench.say(2, LegEvent::Answered { fork: Fork(0), carried });
        // The caller called without an offer, and is offered one.
        let command = house.bench.commands.remove(0).1;
        let LegCommand::Answer { carried, .. } = command else { panic!("{command:?}") };
        house.phone(LegId(1)).hear(carried.sdp().unwrap(), None);
        let carried = house.phone(LegId(1)).answer();
        house.bench.say(1, LegEvent::Confirmed { carried });
        house.carry_out();
        house
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn phones_that_keep_the_rules_never_see_them_broken(
        how: u8,
        ops in prop::collection::vec(any::<(u8, u8, u8)>(), 0..80),
    ) {
        let mut house = begin(how);
        house.pick_up();
        for op in ops {
            house.apply(op);
        }
        // What goes on comes to its end when everybody agrees.
        for _ in 0..50 {
            house.apply((11, 0, 1));
            house.pick_up();
            house.answer(0, false);
            house.bench.wait(5);
            house.carry_out();
        }
        let watch = &house.bench.watch;
        prop_assert!(watch.theirs.is_empty() && watch.ours.is_empty(), "{:?}", house.bench.call);
        prop_assert!(house.bench.call.splice.is_none());
    }
}
