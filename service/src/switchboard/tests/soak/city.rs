// SPDX-License-Identifier: GPL-3.0-or-later
//! The city: a house, hundreds of phones that live by themselves, programs that ask for this and
//! that, and a network that loses, doubles and disorders what it carries.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::store::Place;
use sipwitch_core::call::CallId;
use sipwitch_sip::flow::Transport;

use super::{
    super::{
        super::{
            ask::{Ask, DialOptions, ExtensionChange},
            notice::Notice,
        },
        house::{Asked, Disk, House, Plan as HousePlan, person},
        text::Text,
        town::password_of,
    },
    dice::{Dice, number_of},
    robot::{Doing, Plan, Robot},
};

/// How often the disk has written what waits, in virtual time.
const DISK: Duration = Duration::from_secs(5);

/// How long everybody rests: longer than any transaction and any ringing lasts.
const NOON: Duration = Duration::from_secs(240);

/// How big, how long, how bad.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) seed: u64,
    pub(super) phones: usize,
    pub(super) day: Duration,
    pub(super) loss: u64,
    pub(super) duplication: u64,
    /// Nobody dies or misbehaves.
    pub(super) is_tame: bool,
}

enum Happening {
    Disk,
    Program,
    ToHouse(usize, Vec<u8>),
    ToPhone(usize, Vec<u8>),
    Plan(usize, Plan),
}

pub(super) struct City {
    pub(super) house: House,
    pub(super) robots: Vec<Robot>,
    by_address: HashMap<SocketAddr, usize>,
    addresses: Vec<SocketAddr>,
    size: Size,
    dice: Dice,
    happenings: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
    is_evening: bool,
    is_noon: bool,
    is_bad: bool,
    asked: Vec<Asked<()>>,
    dials: Vec<Asked<CallId>>,
    calls: BTreeMap<u64, &'static str>,
    /// Calls that came to an end.
    pub(super) ended: usize,
    /// What phones were sent and calls went through, and how often.
    pub(super) seen: BTreeMap<String, usize>,
    /// Messages that crossed.
    pub(super) carried: usize,
    /// All that crossed, when and in which order.
    story: DefaultHasher,
}

impl City {
    pub(super) fn found(size: Size) -> Self {
        Self::found_with(size, Place::Memory)
    }

    pub(super) fn found_with(size: Size, place: Place) -> Self {
        let mut house = House::build(plan(place));
        let extensions = size.phones * 2 / 3;
        for at in 0..extensions {
            let asked = house.begin(|reply| Ask::AddExtension {
                number: number_of(at),
                change: person(&password_of(&number_of(at))),
                reply,
            });
            if at + 1 == extensions {
                house.wait(asked).unwrap();
            }
        }
        let members = Some((0..5).map(number_of).collect());
        let kind = Some("group".to_owned());
        house.add_extension("600", ExtensionChange { kind, members, ..ExtensionChange::default() });
        house.disk = Disk::Slow;
        let mut city = Self {
            house,
            robots: Vec::new(),
            by_address: HashMap::new(),
            addresses: Vec::new(),
            size,
            dice: Dice(size.seed),
            happenings: BTreeMap::new(),
            serial: 0,
            is_evening: false,
            is_noon: false,
            is_bad: true,
            asked: Vec::new(),
            dials: Vec::new(),
            calls: BTreeMap::new(),
            ended: 0,
            seen: BTreeMap::new(),
            carried: 0,
            story: DefaultHasher::new(),
        };
        for at in 0..size.phones {
            let port = 10_000 + u16::try_from(at).unwrap();
            let address = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
            city.addresses.push(address);
            city.by_address.insert(address, at);
            // Every third extension has two phones.
            let number = number_of(at % extensions);
            city.robots.push(Robot::new(number, address.to_string()));
            let soon = Duration::from_millis(city.dice.below(5_000));
            city.later(soon, Happening::Plan(at, Plan::Register));
            let then = Duration::from_millis(city.dice.between(6_000, 600_000));
            city.later(then, Happening::Plan(at, Plan::Dial));
            if at % 5 == 0 {
                city.later(then, Happening::Plan(at, Plan::Write));
            }
        }
        city.later(DISK, Happening::Disk);
        city.later(Duration::from_secs(20), Happening::Program);
        city
    }

    /// The process is killed and begins anew: whoever talks will find out.
    pub(super) fn crash(mut self, place: Place) -> Self {
        self.run(self.size.day / 2);
        self.house.disk = Disk::Good;
        self.house.store();
        let before = self.phones();
        let plan = HousePlan { seed: [9; 32], ..plan(place) };
        self.house = self.house.rebuild(plan, Duration::from_millis(200));
        self.house.disk = Disk::Slow;
        self.calls.clear();
        for at in 0..self.robots.len() {
            self.with_robot(at, Robot::lose_patience);
        }
        assert_eq!(self.phones(), before, "registrations are lost");
        self
    }

    fn phones(&self) -> Vec<(u64, String)> {
        let phones = self.house.board.registrar.phones();
        let mut phones: Vec<_> = phones.map(|b| (b.phone.0, b.contact.to_string())).collect();
        phones.sort_unstable();
        phones
    }

    /// A day passes, and the evening after it, when everybody hangs up.
    pub(super) fn live(&mut self) {
        self.run(self.size.day);
        self.is_evening = true;
        // Phones that died are found by their session timers: half an interval until they are
        // asked, 32 s until they have not answered, and all of that with each other's patience.
        self.run(super::super::house::settings().session_interval + Duration::from_secs(900));
        // Nobody is hindered any more: what is left now is left for ever.
        self.is_bad = false;
        self.run(super::super::house::settings().session_interval + Duration::from_secs(120));
        self.house.disk = Disk::Good;
        self.house.store();
    }

    /// A part of the day passes, and then an hour in which nobody begins anything. Gives whom each
    /// phone that talks hears: its own port, and the other's.
    pub(super) fn live_until_noon(&mut self) -> Vec<(u16, u16)> {
        self.run(self.size.day);
        (self.is_noon, self.is_bad) = (true, false);
        for _ in 0..3 {
            let held: Vec<u64> =
                self.calls.iter().filter(|(_, s)| **s == "held").map(|(id, _)| *id).collect();
            for id in held {
                self.steer(|reply| Ask::Resume { call: CallId(id), reply });
                self.collect();
            }
            self.run(NOON / 3);
        }
        let ears = self.robots.iter().flat_map(Robot::ears).collect();
        (self.is_noon, self.is_bad) = (false, true);
        ears
    }

    /// Says what is known of two phones of which only one hears the other.
    pub(super) fn explain(&self, own: u16, other: u16) {
        let board = &self.house.board;
        for port in [own, other] {
            let Some(robot) = self.robots.iter().find(|r| r.address.ends_with(&format!(":{port}")))
            else {
                continue;
            };
            eprintln!("{port} is {} with {:?}", robot.number, robot.lines());
            for call in board.world_view().calls {
                let is_in = call.legs.iter().any(|leg| leg.address == robot.number);
                if is_in {
                    eprintln!("  {call:?}");
                }
            }
        }
    }

    /// What crossed, when and in which order, as a number.
    pub(super) fn story(&self) -> u64 {
        self.story.finish()
    }

    /// Nothing is left of all that.
    pub(super) fn assert_quiet(&mut self) {
        self.house.assert_empty();
        assert_eq!(self.house.board.endpoint.transaction_count(), 0, "transactions are left");
        for robot in &self.robots {
            let lines = robot.lines();
            assert!(lines.is_empty(), "{} still talks with nobody: {lines:?}", robot.address);
        }
        let open: Vec<_> = self.calls.iter().filter(|(_, state)| **state != "ended").collect();
        assert!(open.is_empty(), "calls nobody was told the end of: {open:?}");
        let asked = std::mem::take(&mut self.asked)
            .into_iter()
            .filter_map(|mut asked| asked.is_open().then_some("an ask"));
        assert_eq!(asked.count(), 0, "asks are never answered");
        let dials = std::mem::take(&mut self.dials);
        assert!(dials.into_iter().all(|mut dial| !dial.is_open()));
    }

    fn run(&mut self, span: Duration) {
        let end = self.house.instant() + span;
        loop {
            let happening = self.happenings.keys().next().map(|(due, _)| *due);
            let deadline = self.house.board.next_deadline();
            let Some(next) = happening.into_iter().chain(deadline).min() else { return };
            if next > end {
                break;
            }
            self.house.advance(next);
            self.collect();
            while let Some(entry) = self.happenings.first_entry() {
                if entry.key().0 > self.house.instant() {
                    break;
                }
                let happening = entry.remove();
                self.happen(happening);
                self.collect();
            }
        }
        self.house.advance(end);
        self.collect();
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Disk => {
                self.house.disk = Disk::Good;
                self.house.store();
                self.house.disk = Disk::Slow;
                self.later(DISK, Happening::Disk);
            }
            Happening::Program if self.is_noon => self.later(NOON, Happening::Program),
            Happening::Plan(robot, plan) if self.is_noon && !plan.goes_on() => {
                self.later(NOON, Happening::Plan(robot, plan));
            }
            Happening::Program => self.program(),
            Happening::ToHouse(from, bytes) => {
                let flow = House::flow(Transport::Udp, self.addresses[from]);
                self.house.receive(flow, bytes);
            }
            Happening::ToPhone(to, bytes) => {
                self.with_robot(to, |robot, doing| robot.receive(&bytes, doing));
            }
            Happening::Plan(robot, plan) => {
                self.with_robot(robot, |robot, doing| robot.carry_out(plan, doing));
            }
        }
    }

    fn with_robot(&mut self, at: usize, act: impl FnOnce(&mut Robot, &mut Doing<'_>)) {
        let mut doing = Doing {
            now: self.house.instant(),
            dice: &mut self.dice,
            numbers: self.size.phones * 2 / 3,
            is_evening: self.is_evening,
            is_tame: self.size.is_tame,
            sends: Vec::new(),
            plans: Vec::new(),
        };
        act(&mut self.robots[at], &mut doing);
        let (sends, plans) = (doing.sends, doing.plans);
        for bytes in sends {
            self.carry(|bytes| Happening::ToHouse(at, bytes), bytes);
        }
        for (wait, plan) in plans {
            self.later(wait, Happening::Plan(at, plan));
        }
    }

    /// Puts a message on the wire, as good as that is.
    fn carry(&mut self, to: impl Fn(Vec<u8>) -> Happening, bytes: Vec<u8>) {
        self.carried += 1;
        if self.is_bad && self.dice.percent(self.size.loss) {
            return;
        }
        let copies = if self.is_bad && self.dice.percent(self.size.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let wait = Duration::from_micros(self.dice.between(300, 80_000));
            self.later(wait, to(bytes.clone()));
        }
    }

    fn collect(&mut self) {
        for transmit in self.house.outgoing() {
            let Some(&to) = self.by_address.get(&transmit.flow.remote) else { continue };
            let bytes = transmit.bytes.to_vec();
            let text = Text::read(&bytes);
            let kind = text.kind();
            let what = match kind.as_str() {
                "NOTIFY" => text.body.trim_end().replace("SIP/2.0", "NOTIFY"),
                "INVITE" if !text.tag("To").is_empty() => "re-INVITE".to_owned(),
                _ => kind.clone(),
            };
            *self.seen.entry(what).or_default() += 1;
            (self.house.elapsed(), to, &kind).hash(&mut self.story);
            self.carry(|bytes| Happening::ToPhone(to, bytes), bytes);
        }
        for notice in std::mem::take(&mut self.house.notices) {
            match notice {
                Notice::Call(view) => {
                    let before = self.calls.insert(view.id.0, view.state);
                    if before != Some(view.state) {
                        *self.seen.entry(view.state.to_owned()).or_default() += 1;
                    }
                    assert_ne!(before, Some("ended"), "{view:?} was told after its end");
                }
                Notice::CallEnded(end) => {
                    let before = self.calls.insert(end.call.id.0, "ended");
                    assert_ne!(before, Some("ended"), "{end:?} was told twice");
                    assert!(!end.words.is_empty(), "{end:?}");
                    self.ended += 1;
                }
                _ => {}
            }
        }
    }

    fn later(&mut self, wait: Duration, happening: Happening) {
        self.serial += 1;
        self.happenings.insert((self.house.instant() + wait, self.serial), happening);
    }

    /// A program asks for something.
    fn program(&mut self) {
        let pause = Duration::from_millis(self.dice.between(500, 12_000));
        if self.is_evening {
            self.house.ask(Ask::OwnerLeft { owner: ":1.1".into() });
            return;
        }
        self.later(pause, Happening::Program);
        let numbers = self.size.phones * 2 / 3;
        let contact = self.dice.number(numbers);
        let open: Vec<u64> =
            self.calls.iter().filter(|(_, state)| **state != "ended").map(|(id, _)| *id).collect();
        let some = match open.len() {
            0 => CallId(1),
            count => CallId(open[usize::try_from(self.dice.below(count as u64)).unwrap()]),
        };
        match self.dice.below(20) {
            0..=8 => {
                let from = Some(self.dice.number(numbers));
                let options = DialOptions { from, ..DialOptions::default() };
                let owner = Some(format!(":1.{}", self.dice.below(5)));
                let asked = self.house.begin(|reply| Ask::Dial { contact, options, owner, reply });
                self.dials.push(asked);
            }
            9..=11 => self.steer(|reply| Ask::Hold { call: some, reply }),
            12..=14 => self.steer(|reply| Ask::Resume { call: some, reply }),
            15 => self.steer(|reply| Ask::Transfer { call: some, contact, reply }),
            16 => self.steer(|reply| Ask::SendDtmf { call: some, tones: "12#".into(), reply }),
            17 => self.steer(|reply| Ask::Hangup { call: some, reply }),
            18 => {
                let owner = format!(":1.{}", self.dice.below(5));
                self.house.ask(Ask::OwnerLeft { owner });
            }
            _ => {
                let phone = self.dice.below(self.size.phones as u64) + 1;
                self.steer(|reply| Ask::RemovePhone { phone, reply });
            }
        }
    }

    fn steer(&mut self, ask: impl FnOnce(super::super::super::ask::Reply<()>) -> Ask) {
        let asked = self.house.begin(ask);
        self.asked.push(asked);
    }
}

fn plan(place: Place) -> HousePlan {
    let mut plan = HousePlan { place, ..HousePlan::usual() };
    plan.settings.ring = Duration::from_secs(45);
    plan
}
