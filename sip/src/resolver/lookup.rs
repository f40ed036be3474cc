// SPDX-License-Identifier: GPL-3.0-or-later
//! One lookup (RFC 3263 §4): questions come out, answers and the time go in, places come out.
//!
//! Instead of a walk through states, all that is known is looked through anew after each answer:
//! either it suffices, or it says what is to be asked next. A question is asked once, so nothing
//! can go in circles, and it does not matter in which order answers come.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Answer, Host, Kind, LookupError, Place, Question, Services, Wanted,
    host::check_name,
    known::{Known, Table},
    order::{Dice, interleave},
    service::{default_port, of_naptr, service_name, stated_transport},
    wanted::Families,
};
use crate::flow::Transport;

/// How long a lookup may take.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// How long the rest may take once there is a place: some home routers swallow what they do not
/// know, NAPTR above all.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Servers whose addresses are looked up.
const MOST_SERVERS: usize = 12;
/// Places that come of a lookup.
const MOST_PLACES: usize = 32;

/// What a lookup wants or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this, and give [`Lookup::handle_answer`] what comes.
    Ask(Question),
    /// It is over. There is one place at least.
    Done(Result<Vec<Place>, LookupError>),
}

/// A lookup under way. [`Self::poll`] is to be drained after each input.
#[derive(Debug)]
pub struct Lookup {
    wanted: Wanted,
    dice: Dice,
    table: Table,
    to_ask: VecDeque<Question>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Until `deadline` at the latest, or until `patience` if that is set.
    Looking { deadline: Instant, patience: Option<Instant> },
    /// The outcome was not taken yet.
    Found(Result<Vec<Place>, LookupError>),
    /// It was.
    Over,
}

impl Lookup {
    /// Begins. The seed decides among records of equal priority (RFC 2782).
    #[must_use]
    pub fn new(wanted: Wanted, now: Instant, seed: u64) -> Self {
        let state = State::Looking { deadline: now + DEADLINE, patience: None };
        let table = Table::default();
        let to_ask = VecDeque::new();
        let mut lookup = Self { wanted, dice: Dice::new(seed), table, to_ask, state };
        lookup.settle(now);
        lookup
    }

    /// What is wanted.
    #[must_use]
    pub const fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// What is to be done next. None until something comes, or for ever after [`Step::Done`].
    pub fn poll(&mut self) -> Option<Step> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Found(outcome) => Some(Step::Done(outcome)),
            State::Over => None,
            looking @ State::Looking { .. } => {
                self.state = looking;
                self.to_ask.pop_front().map(Step::Ask)
            }
        }
    }

    /// Takes what came of a question. What comes too late or twice does nothing.
    pub fn handle_answer(&mut self, now: Instant, question: &Question, answer: Answer) {
        if matches!(self.state, State::Looking { .. }) {
            self.table.take(question, answer, &mut self.dice);
            self.settle(now);
        }
    }

    /// When [`Self::handle_deadline`] is to be called. None once it is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Looking { deadline, patience } => Some(patience.unwrap_or(deadline)),
            State::Found(_) | State::Over => None,
        }
    }

    /// Ends it with what there is, if its time has come.
    pub fn handle_deadline(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            let sight = self.look();
            self.finish(sight);
        }
    }

    fn settle(&mut self, now: Instant) {
        let mut sight = self.look();
        self.to_ask.extend(sight.missing.drain(..));
        let State::Looking { deadline, patience } = &mut self.state else { return };
        if !sight.is_waiting {
            self.finish(sight);
        } else if !sight.places.is_empty() {
            patience.get_or_insert((now + PATIENCE).min(*deadline));
        }
    }

    fn finish(&mut self, sight: Sight) {
        let outcome = match sight.impossible {
            _ if !sight.places.is_empty() => Ok(sight.places),
            Some(why) => Err(LookupError::Impossible { wanted: self.wanted.to_string(), why }),
            None => {
                let (wanted, asked) = (self.wanted.to_string(), self.table.asked());
                Err(if sight.is_refused {
                    LookupError::NoService { wanted, asked }
                } else if self.table.is_certain() {
                    LookupError::Nowhere { wanted, asked }
                } else {
                    LookupError::NoAnswer { wanted, asked }
                })
            }
        };
        self.to_ask.clear();
        self.state = State::Found(outcome);
    }

    /// Looks through all that is known.
    fn look(&mut self) -> Sight {
        let mut sight = Sight::default();
        let looked = Look { wanted: &self.wanted, table: &mut self.table, sight: &mut sight }.all();
        if let Err(why) = looked {
            sight.impossible = Some(why);
        }
        sight
    }
}

/// What all that is known amounts to.
#[derive(Debug, Default)]
struct Sight {
    places: Vec<Place>,
    missing: Vec<Question>,
    /// Whether a question is open that matters.
    is_waiting: bool,
    /// Whether the domain says that there is no such service.
    is_refused: bool,
    impossible: Option<&'static str>,
}

/// A service of a domain: SRV records of that name, carried by that transport.
type Service = (Transport, Arc<str>);

struct Look<'a> {
    wanted: &'a Wanted,
    table: &'a mut Table,
    sight: &'a mut Sight,
}

/// What a number of services amounts to.
#[derive(Default)]
struct Served {
    servers: Vec<(Transport, Host, u16)>,
    is_waiting: bool,
    is_refused: bool,
}

impl Look<'_> {
    fn all(&mut self) -> Result<(), &'static str> {
        let wanted = self.wanted;
        let stated = stated_transport(wanted)?;
        let host = match &wanted.host {
            Host::Name(name) => Arc::clone(name),
            Host::Address(_) => return self.itself(stated),
        };
        if wanted.port.is_some() || wanted.services == Services::Off {
            return self.itself(stated);
        }
        let services = match stated {
            Some(transport) => vec![transport],
            None => wanted.transports.iter().copied().filter(|t| wanted.may_use(*t)).collect(),
        };
        let services: Vec<Service> = services
            .into_iter()
            .filter_map(|transport| Some((transport, service_name(transport, &host)?)))
            .collect();
        // Asked at once with NAPTR, since many domains have none (RFC 3263 §4.1 would wait).
        let by_us = self.served(&services);
        let by_domain = match stated {
            None => self.by_domain(&host),
            Some(_) => Served::default(),
        };
        self.sight.is_waiting |= by_domain.is_waiting;
        let served = match by_domain.servers.is_empty() {
            true => by_us,
            false => by_domain,
        };
        self.sight.is_waiting |= served.is_waiting;
        if !served.servers.is_empty() {
            self.addresses(served.servers);
        } else if served.is_refused && !served.is_waiting {
            self.sight.is_refused = true;
        } else if wanted.services != Services::Required && !served.is_waiting {
            return self.itself(stated);
        }
        Ok(())
    }

    /// The host itself serves, at the stated port or the usual one.
    fn itself(&mut self, stated: Option<Transport>) -> Result<(), &'static str> {
        let wanted = self.wanted;
        let may_use = |transport: &Transport| wanted.may_use(*transport);
        // UDP for sip: and TLS for sips:, if nothing is said (RFC 3263 §4.1).
        let transport = stated
            .or_else(|| Some(Transport::Udp).filter(may_use))
            .or_else(|| wanted.transports.iter().copied().find(may_use))
            .ok_or("none of the transports that may be used is fit for it")?;
        let port = wanted.port.unwrap_or_else(|| default_port(transport));
        if port == 0 {
            return Err("port 0 is no port");
        }
        self.addresses(vec![(transport, wanted.host.clone(), port)]);
        match &wanted.host {
            Host::Address(address) if self.sight.places.is_empty() => {
                Err(if Self::of_family(wanted.families, *address) {
                    "nothing can be sent to that address"
                } else {
                    "its kind of address may not be used"
                })
            }
            _ => Ok(()),
        }
    }

    /// The services as the domain prefers them.
    fn by_domain(&mut self, host: &Arc<str>) -> Served {
        let rules = match self.ask(host, Kind::Naptr) {
            Known::Open => return Served { is_waiting: true, ..Served::default() },
            Known::Naptr(rules) => of_naptr(&rules),
            _ => Vec::new(),
        };
        let wanted = self.wanted;
        let services: Vec<Service> =
            rules.into_iter().filter(|(transport, _)| wanted.may_use(*transport)).collect();
        self.served(&services)
    }

    fn served(&mut self, services: &[Service]) -> Served {
        let mut served = Served::default();
        for (transport, name) in services {
            match self.ask(name, Kind::Srv) {
                Known::Open => served.is_waiting = true,
                Known::Srv(servers) => {
                    for server in servers {
                        match server.host {
                            Some(host) => served.servers.push((*transport, host, server.port)),
                            None => served.is_refused = true,
                        }
                    }
                }
                _ => {}
            }
        }
        served
    }

    /// The places of servers, one server after the other, the families of each in turn.
    fn addresses(&mut self, servers: Vec<(Transport, Host, u16)>) {
        let name = self.wanted.name();
        for (transport, host, port) in servers.into_iter().take(MOST_SERVERS) {
            for address in self.addresses_of(&host) {
                let address = SocketAddr::new(address, port);
                let place = Place { transport, address, name: Arc::clone(&name) };
                let places = &mut self.sight.places;
                if places.len() < MOST_PLACES && !places.contains(&place) {
                    places.push(place);
                }
            }
        }
    }

    fn addresses_of(&mut self, host: &Host) -> Vec<IpAddr> {
        let families = self.wanted.families;
        let name = match host {
            Host::Name(name) => name,
            Host::Address(address) => {
                let is_good = Self::of_family(families, *address)
                    && !address.is_unspecified()
                    && !address.is_multicast();
                return is_good.then_some(*address).into_iter().collect();
            }
        };
        let mut of = |kind| match self.ask(name, kind) {
            Known::Open => {
                self.sight.is_waiting = true;
                Vec::new()
            }
            Known::Addresses(addresses) => addresses,
            _ => Vec::new(),
        };
        match families {
            Families::Ipv4Only => of(Kind::A),
            Families::Ipv6Only => of(Kind::Aaaa),
            Families::Ipv4First => interleave(of(Kind::A), of(Kind::Aaaa)),
            Families::Ipv6First => interleave(of(Kind::Aaaa), of(Kind::A)),
        }
    }

    const fn of_family(families: Families, address: IpAddr) -> bool {
        match families {
            Families::Ipv4First | Families::Ipv6First => true,
            Families::Ipv4Only => address.is_ipv4(),
            Families::Ipv6Only => address.is_ipv6(),
        }
    }

    fn ask(&mut self, name: &Arc<str>, kind: Kind) -> Known {
        let hosts_file = self.wanted.hosts_file && matches!(kind, Kind::A | Kind::Aaaa);
        // A name with its service before it may have become too long.
        if check_name(name).is_err() {
            return Known::Useless(0);
        }
        let question = Question { name: Arc::clone(name), kind, hosts_file };
        self.table.look(&question, &mut self.sight.missing).clone()
    }
}
