// SPDX-License-Identifier: GPL-3.0-or-later
//! What came of each question, checked and bounded: whatever a name server says, a lookup asks
//! each question once, follows few aliases and keeps few records.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use super::{
    error::{Asked, Came},
    host::{Host, check_name},
    order::{Dice, by_weight},
    question::{Answer, Data, Kind, Naptr, NoAnswer, Question, Record, Srv},
};

/// Questions of one lookup. What a domain wants asked beyond that is not asked.
pub(super) const MOST_QUESTIONS: usize = 48;
/// SRV records kept of one answer, after they were drawn by weight.
const MOST_SRV: usize = 32;
/// NAPTR records kept of one answer, the first in order.
const MOST_NAPTR: usize = 16;
/// Addresses kept of one answer.
const MOST_ADDRESSES: usize = 8;
/// Aliases followed within one answer, and again over questions of our own.
const MOST_ALIASES: usize = 8;

/// The checked content of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// It was asked.
    Open,
    /// The name is another name for this, of which the answer says no more.
    Alias(Arc<str>),
    Addresses(Vec<IpAddr>),
    Naptr(Vec<Naptr>),
    Srv(Vec<Server>),
    Nothing(NoAnswer),
    /// That many records, none of which can be used.
    Useless(usize),
}

/// A host from an SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// None: the domain says that it has no such service.
    pub(super) host: Option<Host>,
    pub(super) port: u16,
}

/// All questions of a lookup, and what came of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    known: BTreeMap<Question, Known>,
    /// In the order in which they were asked.
    asked: Vec<Question>,
}

impl Table {
    /// What is known of a question, aliases followed. A question that is new goes into `missing`
    /// and is open, unless it is one too many.
    pub(super) fn look(&mut self, question: &Question, missing: &mut Vec<Question>) -> &Known {
        let mut question = question.clone();
        for _ in 0..MOST_ALIASES {
            match self.known.get(&question) {
                Some(Known::Alias(of)) => question.name = Arc::clone(of),
                Some(_) => break,
                None if self.asked.len() >= MOST_QUESTIONS => return &TOO_MANY,
                None => {
                    self.asked.push(question.clone());
                    self.known.insert(question.clone(), Known::Open);
                    missing.push(question.clone());
                }
            }
        }
        match self.known.get(&question) {
            None | Some(Known::Alias(_)) => &ALIASES,
            Some(known) => known,
        }
    }

    /// Takes what came. Nothing happens if the question was not asked or is answered already.
    pub(super) fn take(&mut self, question: &Question, answer: Answer, dice: &mut Dice) {
        if let Some(known @ Known::Open) = self.known.get_mut(question) {
            *known = match answer {
                Ok(records) => read(question, records, dice),
                Err(why) => Known::Nothing(why),
            };
        }
    }

    /// The account of it all, for an error.
    pub(super) fn asked(&self) -> Asked {
        let came = |question: &Question| match self.known.get(question) {
            None | Some(Known::Open) => Came::Nothing(NoAnswer::TimedOut),
            Some(Known::Alias(_)) => Came::Records(1),
            Some(Known::Addresses(list)) => Came::Records(list.len()),
            Some(Known::Naptr(list)) => Came::Records(list.len()),
            Some(Known::Srv(list)) => Came::Records(list.len()),
            Some(Known::Nothing(why)) => Came::Nothing(why.clone()),
            Some(Known::Useless(count)) => Came::Useless(*count),
        };
        Asked(self.asked.iter().map(|question| (question.clone(), came(question))).collect())
    }

    /// Whether all that came are facts about the names.
    pub(super) fn is_certain(&self) -> bool {
        self.known.values().all(|known| match known {
            Known::Open => false,
            Known::Nothing(why) => why.is_certain(),
            Known::Alias(_)
            | Known::Addresses(_)
            | Known::Naptr(_)
            | Known::Srv(_)
            | Known::Useless(_) => true,
        })
    }
}

/// What stands for a question that would be one too many. No fact about the name, but no reason to
/// ask again either: the same would come.
static TOO_MANY: Known = Known::Nothing(NoAnswer::NoRecords);
/// What stands for a name whose aliases do not end.
static ALIASES: Known = Known::Useless(MOST_ALIASES);

fn read(question: &Question, records: Vec<Record>, dice: &mut Dice) -> Known {
    let name = final_name(&question.name, &records);
    let came = records.len();
    let mut of_name = records.into_iter().filter(|record| is_same_name(&record.owner, &name));
    let known = match question.kind {
        Kind::A | Kind::Aaaa => {
            let addresses = of_name.filter_map(|record| address(question.kind, &record.data));
            Known::Addresses(addresses.take(MOST_ADDRESSES).collect())
        }
        Kind::Naptr => {
            let mut rules: Vec<Naptr> = of_name.by_ref().filter_map(naptr).collect();
            rules.sort_by_key(|rule| (rule.order, rule.preference));
            rules.truncate(MOST_NAPTR);
            Known::Naptr(rules)
        }
        Kind::Srv => {
            let servers = of_name.filter_map(srv).collect();
            let servers = by_weight(servers, dice, MOST_SRV);
            Known::Srv(servers.into_iter().filter_map(server).collect())
        }
    };
    let is_empty = match &known {
        Known::Addresses(list) => list.is_empty(),
        Known::Naptr(list) => list.is_empty(),
        Known::Srv(list) => list.is_empty(),
        Known::Open | Known::Alias(_) | Known::Nothing(_) | Known::Useless(_) => true,
    };
    match is_empty {
        false => known,
        true if came == 0 => Known::Nothing(NoAnswer::NoRecords),
        true => match check_name(&name) {
            Ok(of) if of != question.name => Known::Alias(of),
            _ => Known::Useless(came),
        },
    }
}

/// Where the aliases in an answer end. They are followed in any order that they stand in.
fn final_name(name: &str, records: &[Record]) -> String {
    let mut name = name.to_owned();
    for _ in 0..MOST_ALIASES {
        let next = records.iter().find_map(|record| match &record.data {
            Data::Cname(of) if is_same_name(&record.owner, &name) => Some(of),
            _ => None,
        });
        match next {
            Some(of) => name.clone_from(of),
            None => break,
        }
    }
    name
}

/// Names are compared without regard to case (RFC 4343).
fn is_same_name(one: &str, other: &str) -> bool {
    let bare = |name: &'_ str| name.strip_suffix('.').unwrap_or(name).len();
    one.as_bytes()[..bare(one)].eq_ignore_ascii_case(&other.as_bytes()[..bare(other)])
}

/// An address of the kind that was asked for and that a request can be sent to.
fn address(kind: Kind, data: &Data) -> Option<IpAddr> {
    let address = match (kind, data) {
        (Kind::A, Data::A(address)) => IpAddr::V4(*address),
        (Kind::Aaaa, Data::Aaaa(address)) if address.to_ipv4_mapped().is_none() => {
            IpAddr::V6(*address)
        }
        _ => return None,
    };
    let is_of_one = !address.is_unspecified()
        && !address.is_multicast()
        && address != IpAddr::V4(Ipv4Addr::BROADCAST);
    is_of_one.then_some(address)
}

fn naptr(record: Record) -> Option<Naptr> {
    match record.data {
        Data::Naptr(rule) => Some(rule),
        _ => None,
    }
}

fn srv(record: Record) -> Option<Srv> {
    match record.data {
        Data::Srv(srv) => Some(srv),
        _ => None,
    }
}

/// A target that is an address breaks RFC 2782, but there is no doubt about what is meant.
fn server(srv: Srv) -> Option<Server> {
    if matches!(srv.target.as_str(), "" | ".") {
        return Some(Server { host: None, port: srv.port });
    }
    let target = srv.target.strip_suffix('.').unwrap_or(&srv.target);
    let host: Host = target.parse().ok()?;
    (srv.port != 0).then_some(Server { host: Some(host), port: srv.port })
}
