// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that are phones: who they are, and what is known of their legs.
//!
//! To the call switch a program's leg is a leg like any other: `legs` makes of commands what the
//! program is told, `asks` makes of what the program asks what the leg says. A program tells the
//! truth about nothing: each thing it asks is held against the state of its leg first.

mod anchored;
mod asks;
mod legs;
mod registration;
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use sipwitch_core::{
    call::{LegEvent, LegId, leg::ExchangeId},
    extension::ExtensionNumber,
};

use super::{
    anchors::Anchors,
    ask::{Refusal, Reply},
    notice::{PhoneView, ProgramView, Told},
};

use anchored::Led;

/// How many programs may be phones.
const MOST: usize = 32;
/// How many phones one program may be.
const MOST_OF_ONE: usize = 8;
/// How many legs a program may have.
const MOST_LEGS: usize = 64;
/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 64 * 1024;
/// The longest name or words for people, in bytes.
const LONGEST_WORDS: usize = 128;
/// How much may be kept back for one leg until the program knows of it; then the leg ends.
const MOST_KEPT_BACK: usize = 64;
/// How long a program has to answer an offer, a little less than a phone waits for a proxy.
const PATIENCE: Duration = Duration::from_secs(30);

/// All of them.
#[derive(Debug)]
pub(super) struct Programs {
    anchors: Box<dyn Anchors>,
    phones: BTreeMap<u64, Program>,
    legs: HashMap<LegId, Leg>,
    /// What legs say, to be handed to their calls.
    events: VecDeque<(LegId, LegEvent)>,
    /// What programs are to be told, once what it speaks of was told to all.
    told: VecDeque<(u64, Told)>,
    /// Legs of which the program does not know yet, or that it was promised an exchange for.
    kept_back: HashMap<LegId, KeptBack>,
    /// When the patience with unanswered offers ends.
    overdue: BTreeSet<(Instant, LegId)>,
}

/// A program.
#[derive(Debug)]
struct Program {
    owner: Option<Box<str>>,
    whose: Whose,
    name: Box<str>,
    all_calls: bool,
    /// Whether its media go through us.
    anchored: bool,
    /// Whether it says when texts were read.
    marks_read: bool,
    available: bool,
    registered_us: i64,
}

/// Whose phone a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// An extension's.
    Extension(ExtensionNumber),
    /// Nobody's of the house: that of an account which the program holds.
    Account(Arc<str>),
}

impl Whose {
    const fn extension(&self) -> Option<&ExtensionNumber> {
        match self {
            Self::Extension(number) => Some(number),
            Self::Account(_) => None,
        }
    }

    /// For people, and for logs.
    fn as_str(&self) -> &str {
        match self {
            Self::Extension(number) => number.as_str(),
            Self::Account(account) => account,
        }
    }
}

/// The program's half of a conversation.
#[derive(Debug)]
struct Leg {
    phone: u64,
    stage: Stage,
    /// The last number given to an exchange.
    exchanges: u32,
    /// The program's offer that is not answered.
    ours: Option<u32>,
    /// The other end's offer that the program has not answered.
    theirs: Option<Theirs>,
    /// The re-INVITE to which the program made the offer.
    confirming: Option<(ExchangeId, u32)>,
    transfer: Option<Transfer>,
    /// Set if its media go through us.
    led: Option<Box<Led>>,
}

/// How far a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The program dialled.
    Dialling,
    /// It rings here.
    Ringing,
    /// The program answered, and the caller has not acknowledged it.
    Answered,
    /// Both sides talk.
    Talking,
}

/// An offer that the program is to answer.
#[derive(Debug, Clone, Copy)]
struct Theirs {
    /// As the program knows it.
    exchange: u32,
    /// As the call knows it.
    asked: ExchangeId,
    is_reinvite: bool,
    /// Whether there was a description, or the program is to make the offer.
    is_described: bool,
    due: Instant,
}

/// A transfer that the program asked for.
#[derive(Debug)]
struct Transfer {
    exchange: u32,
    /// Who waits for its beginning.
    reply: Option<Reply<()>>,
}

#[derive(Debug, Default)]
struct KeptBack {
    /// How often a release is owed.
    holds: u32,
    told: Vec<(u64, Told)>,
}

impl Leg {
    fn new(phone: u64, program: &Program, stage: Stage) -> Self {
        Self {
            phone,
            stage,
            exchanges: 0,
            ours: None,
            theirs: None,
            confirming: None,
            transfer: None,
            led: program.anchored.then(Box::default),
        }
    }

    fn next_exchange(&mut self) -> u32 {
        self.exchanges = self.exchanges.wrapping_add(1);
        self.exchanges
    }
}

impl Programs {
    /// None yet.
    pub(super) fn new(anchors: Box<dyn Anchors>) -> Self {
        Self {
            anchors,
            phones: BTreeMap::new(),
            legs: HashMap::new(),
            events: VecDeque::new(),
            told: VecDeque::new(),
            kept_back: HashMap::new(),
            overdue: BTreeSet::new(),
        }
    }

    /// When patience ends next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.overdue.first().map(|(due, _)| *due)
    }

    pub(super) fn has(&self, phone: u64) -> bool {
        self.phones.contains_key(&phone)
    }

    pub(super) fn has_leg(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    pub(super) fn leg_count(&self) -> usize {
        self.legs.len()
    }

    /// Whether nothing is under way, and nothing is kept of what was.
    pub(super) fn is_idle(&self) -> bool {
        self.legs.is_empty()
            && self.kept_back.is_empty()
            && self.overdue.is_empty()
            && self.events.is_empty()
            && self.told.is_empty()
    }

    /// Whether the leg rings at a program that can answer it.
    pub(super) fn is_ringing(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.stage == Stage::Ringing)
    }

    pub(super) fn next_event(&mut self) -> Option<(LegId, LegEvent)> {
        self.events.pop_front()
    }

    /// The extension whose phone it is.
    pub(super) fn extension_of(&self, phone: u64) -> Option<&ExtensionNumber> {
        self.whose(phone)?.extension()
    }

    /// Whose phone it is.
    pub(super) fn whose(&self, phone: u64) -> Option<&Whose> {
        self.phones.get(&phone).map(|program| &program.whose)
    }

    /// The programs that are the phone of an account and can be reached.
    pub(super) fn reachable_at(&self, account: &str) -> impl Iterator<Item = u64> {
        let at = move |program: &Program| matches!(&program.whose, Whose::Account(its) if **its == *account);
        self.phones
            .iter()
            .filter(move |(_, program)| program.available && at(program))
            .map(|(phone, _)| *phone)
    }

    /// The extensions for which a program can be reached.
    pub(super) fn reachable(&self) -> impl Iterator<Item = &ExtensionNumber> {
        let available = self.phones.values().filter(|program| program.available);
        available.filter_map(|program| program.whose.extension())
    }

    /// The programs that ring for an extension.
    pub(super) fn ringing_for(&self, extension: &ExtensionNumber) -> impl Iterator<Item = u64> {
        self.phones
            .iter()
            .filter(move |(_, program)| {
                let its = program.whose.extension();
                program.available && its.is_some_and(|its| program.all_calls || its == extension)
            })
            .map(|(phone, _)| *phone)
    }

    /// The programs that belong to an extension, whether they ring or not.
    pub(super) fn belonging_to(&self, extension: &str) -> impl Iterator<Item = u64> {
        self.phones
            .iter()
            .filter(move |(_, program)| {
                program.whose.extension().is_some_and(|its| its.as_str() == extension)
            })
            .map(|(phone, _)| *phone)
    }

    pub(super) fn views(&self) -> impl Iterator<Item = PhoneView> {
        self.phones.iter().map(|(phone, program)| view(*phone, program))
    }

    /// Tells a program something, or keeps it back until the program knows what it speaks of.
    pub(super) fn tell(&mut self, phone: u64, told: Told) {
        match told.leg().and_then(|leg| self.kept_back.get_mut(&leg)) {
            Some(kept) => kept.told.push((phone, told)),
            None => self.told.push_back((phone, told)),
        }
    }

    /// Keeps back what happens to a leg until [`Self::release`].
    fn keep_back(&mut self, leg: LegId) {
        self.kept_back.entry(leg).or_default().holds += 1;
    }

    fn release(&mut self, leg: LegId) {
        let Some(kept) = self.kept_back.get_mut(&leg) else { return };
        kept.holds = kept.holds.saturating_sub(1);
        if kept.holds == 0 {
            let kept = self.kept_back.remove(&leg).unwrap_or_default();
            self.told.extend(kept.told);
        }
    }

    /// A leg of which nobody has heard yet is none.
    fn forget(&mut self, leg: LegId) {
        self.legs.remove(&leg);
        self.kept_back.remove(&leg);
        self.anchors.close(leg);
    }

    fn owner(&self, phone: u64) -> Option<String> {
        self.phones.get(&phone)?.owner.as_deref().map(str::to_owned)
    }
}

fn view(phone: u64, program: &Program) -> PhoneView {
    PhoneView {
        id: phone,
        extension: program.whose.extension().map(ToString::to_string).unwrap_or_default(),
        contact: String::new(),
        transport: "dbus",
        address: program.owner.as_deref().unwrap_or_default().to_owned(),
        user_agent: program.name.to_string(),
        instance: String::new(),
        registered_us: program.registered_us,
        expires_us: 0,
        program: Some(ProgramView { available: program.available, all_calls: program.all_calls }),
    }
}

fn no_phone(phone: u64) -> Refusal {
    Refusal::NotFound { kind: "phone", name: phone.to_string() }
}

/// Words for people, as a program gives them: neither too long nor with anything in them that ends
/// a line.
fn words(what: &str, words: &str) -> Result<String, Refusal> {
    if words.len() > LONGEST_WORDS || words.chars().any(char::is_control) {
        return Err(Refusal::BadValue(format!(
            "{what} must be one line of at most {LONGEST_WORDS} bytes"
        )));
    }
    Ok(words.to_owned())
}
