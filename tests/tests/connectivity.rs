// SPDX-License-Identifier: GPL-3.0-or-later
//! Networks that change under a running service: a tunnel that comes and goes, several interfaces at
//! once, a machine that sleeps. Each host has a network of its own, each provider is a real one.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Manner, Misbehaving, Operator};
use sipwitch_tests::{CommandLine, Host, House, Network, SystemBus};

const PASSWORD: &str = "wonder land 7";
/// Whom everybody at the office can be dialled as.
const BERT: &str = "+4930901820";

/// The user's machine: on the network at home, and where a tunnel leads.
const HOME: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const IN_TUNNEL: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 11);
/// The office's doors to both networks, and its server behind them.
const OFFICE_DOOR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const TUNNEL_END: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
const OFFICE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 5);
/// A provider on the network at home, with which the tunnel has nothing to do.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

/// A house, an office that is reached through the network at home or through a tunnel, and another
/// provider.
struct Town {
    house: House,
    inside: Baresip,
    outside: Baresip,
    office: Operator,
    other: Operator,
    home: Host,
    tunnel: Network,
    _at_office: Host,
    _elsewhere: Host,
    _network: Network,
}

/// A provider there, and bert who has the number.
fn operator(at: IpAddr) -> Result<Operator> {
    let plan = Operator::plan(at).user("alice", PASSWORD).user("bert", "b");
    plan.leads(BERT, "bert").start()
}

impl Town {
    fn new() -> Result<Self> {
        let (network, tunnel) = (Network::new()?, Network::new()?);
        let home = network.host(HOME)?;
        // As a desktop does it: a tunnel's routes count for less than anything else's.
        home.ip(&["route", "add", "default", "via", &OFFICE_DOOR.to_string(), "metric", "100"])?;
        let at_office = network.host(OFFICE_DOOR)?;
        tunnel.join(&at_office, "tun-end", TUNNEL_END)?;
        at_office.ip(&["addr", "add", &format!("{OFFICE}/32"), "dev", "lo"])?;
        let elsewhere = network.host(OTHER)?;
        let (office, outside) = at_office.run(|| {
            let at = IpAddr::V4(OFFICE);
            let office = operator(at)?;
            let bert = Account::new("bert", office.at).with_password("b");
            Ok((office, Baresip::start_at(&bert, at)?))
        })?;
        let other = elsewhere.run(|| operator(IpAddr::V4(OTHER)))?;
        let (house, inside) = home.run(|| {
            let plan = House::plan().settings("[numbers]\nregion = \"DE\"");
            let house = plan.extensions(&["101"]).build()?;
            let inside = Baresip::start(&Account::new("101", house.at))?;
            Ok((house, inside))
        })?;
        let mut town = Self {
            house,
            inside,
            outside,
            office,
            other,
            home,
            tunnel,
            _at_office: at_office,
            _elsewhere: elsewhere,
            _network: network,
        };
        town.inside.registered()?;
        town.outside.registered()?;
        Ok(town)
    }

    /// Signs up at both providers.
    fn sign_up(&mut self, transport: &str) -> Result<()> {
        sign_up(&self.house, "work", &self.office, transport)?;
        sign_up(&self.house, "other", &self.other, transport)?;
        registers_from(&mut self.office, HOME)?;
        registers_from(&mut self.other, HOME)
    }

    /// The tunnel comes up, and leads there.
    fn tunnel_comes(&self, to: &str) -> Result<()> {
        self.tunnel.join(&self.home, "tun0", IN_TUNNEL)?;
        let via = TUNNEL_END.to_string();
        self.home.ip(&["route", "add", to, "via", &via, "dev", "tun0", "metric", "0"])
    }

    fn tunnel_goes(&self) -> Result<()> {
        self.home.ip(&["link", "del", "tun0"])
    }

    /// 101 dials bert, and they talk.
    fn calls(&mut self) -> Result<()> {
        self.inside.call(BERT)?;
        self.outside.incoming()?;
        self.outside.answer()?;
        self.inside.established()?;
        self.outside.established()
    }

    /// The call goes on, and either of them ends it.
    fn ends(&mut self) -> Result<()> {
        self.house.desk().calls_are(1)?;
        self.outside.hang_up()?;
        self.inside.closed()?;
        self.house.desk().calls_are(0)?;
        Ok(())
    }
}

/// Makes an account with the command line.
fn apply(house: &House, id: &str, at: &Operator, transport: &str) -> Result<()> {
    let (host, port) = (at.at.ip().to_string(), format!("server.port={}", at.at.port()));
    let transports = format!("server.transports={transport}");
    let mut command = vec!["accounts", "add", "--domain", &host, "--id", id, "--title", id];
    command.extend(["--answer", "user=alice", "--set", &port, "--set", &transports]);
    command.extend(["--no-wait", "--password-stdin"]);
    CommandLine::of(house).run_with(&command, &format!("{PASSWORD}\n"))?.done()?;
    Ok(())
}

/// Makes an account and waits until it is online.
fn sign_up(house: &House, id: &str, at: &Operator, transport: &str) -> Result<()> {
    apply(house, id, at, transport)?;
    house.desk().account_is(id, &[AccountState::Online])?;
    Ok(())
}

/// The account registers from this address of ours, and says so in its Contact.
fn registers_from(operator: &mut Operator, address: Ipv4Addr) -> Result<()> {
    let how = operator.program.wait_for("registered: alice")?;
    ensure!(how.contains(&format!("from {address}")), "{how}");
    ensure!(how.contains(&format!("@{address}:")), "the Contact is another one: {how}");
    Ok(())
}

/// How often the account registered there so far.
fn registrations(operator: &Operator) -> usize {
    operator.program.said.all().iter().filter(|line| line.contains("registered: alice")).count()
}

/// What `sipwitch status` says of the network.
fn network(house: &House) -> Result<String> {
    Ok(CommandLine::of(house).json(&["status"])?["network"].to_string())
}

/// A call that is in progress when a tunnel comes up, and when it goes.
fn a_call_moves_into_the_tunnel_and_back(transport: &str, to: &str) -> Result<Town> {
    let mut town = Town::new()?;
    town.sign_up(transport)?;
    town.calls()?;

    town.tunnel_comes(to)?;
    let came = Instant::now();
    registers_from(&mut town.office, IN_TUNNEL)?;
    let registered = came.elapsed();
    town.office.program.wait_for(&format!("inside: INVITE from {IN_TUNNEL}"))?;
    ensure!(registered < Duration::from_secs(3), "registered after {registered:?}");
    ensure!(network(&town.house)?.contains("tun0"), "{}", network(&town.house)?);
    let during = registrations(&town.other);

    town.tunnel_goes()?;
    let went = Instant::now();
    registers_from(&mut town.office, HOME)?;
    let registered = went.elapsed();
    town.office.program.wait_for(&format!("inside: INVITE from {HOME}"))?;
    ensure!(registered < Duration::from_secs(3), "registered after {registered:?}");
    // It is the same call all the time, and the next one goes out from here.
    town.ends()?;
    town.calls()?;
    town.ends()?;
    ensure!(during >= 1, "the other provider was registered at");
    Ok(town)
}

#[test]
fn a_tunnel_to_one_provider_takes_its_account_and_its_call_and_gives_them_back() -> Result<()> {
    let town = a_call_moves_into_the_tunnel_and_back("udp", "10.99.0.0/24")?;
    // The other provider was not bothered when the tunnel came: only when an address went.
    ensure!(registrations(&town.other) == 2, "{}", town.other.program.tail());
    Ok(())
}

#[test]
fn a_tunnel_moves_an_account_and_its_call_over_tcp_as_well() -> Result<()> {
    a_call_moves_into_the_tunnel_and_back("tcp", "10.99.0.0/24").map(drop)
}

#[test]
fn a_tunnel_that_takes_everything_takes_the_account_and_the_call() -> Result<()> {
    a_call_moves_into_the_tunnel_and_back("udp", "default").map(drop)
}

#[test]
fn a_route_alone_moves_the_account_and_the_call_and_is_told_in_words() -> Result<()> {
    let mut town = Town::new()?;
    town.tunnel.join(&town.home, "tun0", IN_TUNNEL)?;
    town.sign_up("udp")?;
    town.calls()?;
    let desk = town.house.desk();
    let service = desk.service()?;
    let mut told = desk.wait("the signal", service.receive_connectivity_changed())??;
    let via = TUNNEL_END.to_string();
    town.home.ip(&["route", "add", "10.99.0.0/24", "via", &via, "dev", "tun0"])?;
    registers_from(&mut town.office, IN_TUNNEL)?;
    town.office.program.wait_for(&format!("inside: INVITE from {IN_TUNNEL}"))?;
    let signal = desk.wait("ConnectivityChanged", told.next())?.context("the bus has gone")?;
    let words = signal.args()?.words.to_owned();
    ensure!(words.contains("another way leads to the provider of work"), "{words}");
    town.home.ip(&["route", "del", "10.99.0.0/24"])?;
    registers_from(&mut town.office, HOME)?;
    town.office.program.wait_for(&format!("inside: INVITE from {HOME}"))?;
    ensure!(registrations(&town.other) == 1, "{}", town.other.program.tail());
    town.ends()
}

#[test]
fn a_server_that_only_a_tunnel_leads_to_is_registered_at_when_that_comes_up() -> Result<()> {
    let mut town = Town::new()?;
    town.home.ip(&["route", "del", "default"])?;
    apply(&town.house, "work", &town.office, "udp")?;
    town.house.desk().account_is("work", &[AccountState::Unreachable])?;
    town.tunnel_comes("10.99.0.0/24")?;
    let came = Instant::now();
    registers_from(&mut town.office, IN_TUNNEL)?;
    ensure!(came.elapsed() < Duration::from_secs(3), "registered after {:?}", came.elapsed());
    town.house.desk().account_is("work", &[AccountState::Online])?;
    Ok(())
}

/// Every line of every message that begins so.
fn lines_of<'a>(messages: &'a str, begin: &str) -> Vec<&'a str> {
    messages.lines().filter(|line| line.starts_with(begin)).collect()
}

#[test]
fn two_accounts_behind_two_interfaces_each_speak_from_their_own_address() -> Result<()> {
    let (one, two) = (Network::new()?, Network::new()?);
    let home = one.host(HOME)?;
    two.join(&home, "wlan0", IN_TUNNEL)?;
    let (near, far) = (one.host(OTHER)?, two.host(TUNNEL_END)?);
    let refuses = |at: &Host| {
        let address = IpAddr::V4(at.address);
        at.run(move || Misbehaving::start(address, Manner::Unavailable))
    };
    let (first, second) = (refuses(&near)?, refuses(&far)?);
    let (house, mut phone) = home.run(|| {
        let plan = House::plan().settings("[numbers]\nregion = \"DE\"");
        let house = plan.extensions(&["101"]).build()?;
        let phone = Baresip::start(&Account::new("101", house.at))?;
        Ok((house, phone))
    })?;
    phone.registered()?;
    for (id, at) in [("a-first", first.at), ("b-second", second.at)] {
        let (host, port) = (at.ip().to_string(), format!("server.port={}", at.port()));
        let mut command = vec!["accounts", "add", "--domain", &host, "--id", id];
        command.extend(["--answer", "user=alice", "--set", &port, "--no-wait"]);
        command.push("--password-stdin");
        CommandLine::of(&house).run_with(&command, &format!("{PASSWORD}\n"))?.done()?;
        house.desk().account_is(id, &[AccountState::Online])?;
    }
    // Both are asked for one call, and both refuse it.
    phone.call(BERT)?;
    phone.closed()?;
    house.desk().calls_are(0)?;
    let mut descriptions = Vec::new();
    for (provider, ours, not_ours) in [(&first, HOME, IN_TUNNEL), (&second, IN_TUNNEL, HOME)] {
        let messages = provider.messages();
        ensure!(messages.contains(&format!("INVITE sip:{BERT}@")), "{messages}");
        for begin in ["Via: ", "Contact: <sip:"] {
            let lines = lines_of(&messages, begin);
            ensure!(!lines.is_empty(), "{begin} in {messages}");
            for line in lines.iter().filter(|line| !line.contains(&provider.at.to_string())) {
                ensure!(line.contains(&ours.to_string()), "{line} in {messages}");
            }
        }
        ensure!(!messages.contains(&not_ours.to_string()), "{messages}");
        descriptions.push(lines_of(&messages, "c=IN IP4 ").concat());
        descriptions.push(lines_of(&messages, "m=audio ").concat());
    }
    // What the phone says of itself goes out unread, whichever interface it leaves by.
    ensure!(descriptions[..2] == descriptions[2..], "{descriptions:?}");
    Ok(())
}

/// A house on a machine that can sleep, and a provider.
struct Sleeper {
    house: House,
    bus: SystemBus,
    operator: Operator,
    provider: Host,
    _home: Host,
    _network: Network,
}

fn sleeper() -> Result<Sleeper> {
    let network = Network::new()?;
    let (home, provider) = (network.host(HOME)?, network.host(OTHER)?);
    let operator = provider.run(|| operator(IpAddr::V4(OTHER)))?;
    let (house, bus) = home.run(|| {
        let bus = SystemBus::start()?;
        let house = House::plan().system_bus(&bus).build()?;
        Ok((house, bus))
    })?;
    Ok(Sleeper { house, bus, operator, provider, _home: home, _network: network })
}

/// The same with an account that is online.
fn sleeper_online() -> Result<Sleeper> {
    let mut town = sleeper()?;
    sign_up(&town.house, "work", &town.operator, "udp")?;
    registers_from(&mut town.operator, HOME)?;
    town.bus.has_lock()?;
    Ok(town)
}

#[test]
fn before_sleep_an_account_is_taken_off_and_after_it_it_is_registered_at_once() -> Result<()> {
    let mut town = sleeper_online()?;
    let took = town.bus.falls_asleep()?;
    let how = town.operator.program.wait_for("registered: alice")?;
    ensure!(how.contains("for 0 contact"), "{how}");
    // Not before the provider knew, and not longer than that took.
    ensure!(took < Duration::from_secs(2), "{took:?}");
    town.house.desk().account_is("work", &[AccountState::Off])?;
    let account = CommandLine::of(&town.house).json(&["accounts", "show", "work"])?;
    ensure!(account.to_string().contains("the machine sleeps"), "{account}");
    ensure!(network(&town.house)?.contains("about to sleep"), "{}", network(&town.house)?);

    town.bus.wakes_up()?;
    let awake = Instant::now();
    registers_from(&mut town.operator, HOME)?;
    ensure!(awake.elapsed() < Duration::from_secs(3), "{:?}", awake.elapsed());
    town.house.desk().account_is("work", &[AccountState::Online])?;
    ensure!(network(&town.house)?.contains("awake again"), "{}", network(&town.house)?);
    // And so the next time.
    town.bus.has_lock()?;
    town.bus.falls_asleep()?;
    town.operator.program.wait_for("for 0 contact")?;
    town.bus.wakes_up()?;
    registers_from(&mut town.operator, HOME)
}

#[test]
fn a_provider_that_does_not_answer_does_not_keep_the_machine_awake() -> Result<()> {
    let town = sleeper_online()?;
    town.provider.unplug()?;
    let took = town.bus.falls_asleep()?;
    ensure!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&took), "{took:?}");
    Ok(())
}

#[test]
fn what_was_unreachable_is_tried_at_once_when_the_internet_is_said_to_be_there() -> Result<()> {
    let mut town = sleeper()?;
    town.provider.unplug()?;
    apply(&town.house, "work", &town.operator, "tcp")?;
    // From here on the pauses grow.
    town.house.desk().account_is("work", &[AccountState::Unreachable])?;
    town.bus.has_lock()?;
    town.provider.plug()?;
    town.bus.is_connected()?;
    let said = Instant::now();
    registers_from(&mut town.operator, HOME)?;
    ensure!(said.elapsed() < Duration::from_secs(3), "{:?}", said.elapsed());
    Ok(())
}
