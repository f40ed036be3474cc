// SPDX-License-Identifier: GPL-3.0-or-later
//! Names that lead in circles, to crowds or nowhere, and name servers that say nothing, met by the
//! running service: calls end with a cause, accounts say what is wrong, and the house goes on.

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Result, ensure};
use serde_json::Value;
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_simulators::{Account as Sim, Call, Phone, Transport};
use sipwitch_tests::peers::{Named, Signed, Unbound, Zone};
use sipwitch_tests::{CommandLine, House, Plain as _, net};

/// More servers than anybody has.
const CROWD: usize = 2_000;

/// Domains that are not to be called: each entry is what is dialled.
const MEAN: [&str; 6] = [
    "sip:x@circle.example",
    "sip:x@one.example:5060",
    "sip:x@chain0.example:5060",
    "sip:x@deeper.example:5060",
    "sip:x@nowhere.example:5060",
    "sip:x@gone.example",
];

/// Nobody listens at that port of the crowd.
fn zone(port: u16) -> Zone {
    let mut lines = String::from(
        "one CNAME two\ntwo CNAME one\ndeeper CNAME x.deeper\n\
         _sip._udp.circle SRV 1 1 5060 one\n_sip._tcp.circle SRV 1 1 5060 one\n\
         nowhere A 0.0.0.0\nnowhere AAAA ::\n",
    );
    for at in 0..40 {
        lines.push_str(&format!("chain{at} CNAME chain{}\n", at + 1));
    }
    lines.push_str("chain40 A 127.0.0.1\n");
    for at in 0..CROWD {
        lines.push_str(&format!("_sip._tcp.crowd SRV {} 1 {port} h{at}\n", at % 7));
        lines.push_str(&format!("h{at} A 127.250.{}.{}\n", at / 256, at % 256));
    }
    // A resolver that checks signatures would not hand on a crowd that is signed.
    Zone::new("example", &lines).signed(Signed::Not)
}

fn house(server: SocketAddr) -> Result<House> {
    let settings = format!("[names]\nservers = [\"{server}\"]\n[accounts]\npasswords = \"memory\"");
    House::plan().settings(&settings).extensions(&["101", "102"]).build()
}

fn phone(house: &House, number: &str) -> Result<Phone> {
    let mut phone =
        Phone::new(Transport::Udp, house.at.ip(), house.at, Sim::new(number)).plain()?;
    let answer = phone.register(600).plain()?;
    ensure!(answer.status() == Some(200), "{answer:?}");
    Ok(phone)
}

/// 101 calls 102, whatever else is going on.
fn the_house_goes_on(anna: &mut Phone, bert: &mut Phone) -> Result<()> {
    let mut at_anna = anna.call("102", b"").plain()?;
    let mut at_bert = bert.incoming().plain()?;
    at_bert.reply(bert, "200 OK", b"").plain()?;
    at_anna.answer(anna, 200).plain()?;
    at_anna.ack(anna, b"").plain()?;
    at_anna.hang_up(anna).plain()?;
    at_bert.ended(bert).plain()?;
    Ok(())
}

#[test]
fn calls_to_mean_names_end_with_a_cause_while_the_house_goes_on() -> Result<()> {
    let named = Named::start(&[zone(net::free_port(net::loopback())?)])?;
    let unbound = Unbound::start(&named)?;
    let house = house(unbound.at)?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let mut calls = MEAN
        .iter()
        .map(|uri| anna.call_with(uri, &[], b"").plain())
        .collect::<Result<Vec<Call>>>()?;
    the_house_goes_on(&mut anna, &mut bert)?;
    for (call, uri) in calls.iter_mut().zip(MEAN) {
        let answer = call.final_answer(&mut anna).plain()?;
        ensure!(answer.status().is_some_and(|status| status >= 400), "{uri}: {answer:?}");
    }
    house.desk().calls_are(0)?;
    let history = house.desk().history()?;
    ensure!(history.len() == MEAN.len() + 1, "{history:?}");
    ensure!(history.iter().all(|call| !call.words.is_empty()), "{history:?}");
    Ok(())
}

#[test]
fn of_a_crowd_of_servers_a_few_are_tried() -> Result<()> {
    let named = Named::start(&[zone(net::free_port(net::loopback())?)])?;
    for server in [named.at, Unbound::start(&named)?.at] {
        let house = house(server)?;
        let mut anna = phone(&house, "101")?;
        let mut call = anna.call_with("sip:x@crowd.example", &[], b"").plain()?;
        let answer = call.final_answer(&mut anna).plain()?;
        ensure!(answer.status() == Some(503), "{answer:?}");
        house.desk().calls_are(0)?;
        let said = CommandLine::of(&house).run(&["query", "sip:crowd.example", "--json"])?;
        let hops: Vec<Value> = serde_json::from_str(&said.out)?;
        ensure!((8..=32).contains(&hops.len()), "{said:?}");
        let of_the_crowd = |hop: &Value| {
            hop["address"].as_str().is_some_and(|address| address.starts_with("tcp:127.250."))
        };
        ensure!(hops.iter().all(of_the_crowd), "{said:?}");
    }
    Ok(())
}

#[test]
fn an_account_at_a_mean_name_says_what_is_wrong_with_it() -> Result<()> {
    let named = Named::start(&[zone(net::free_port(net::loopback())?)])?;
    let house = house(named.at)?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let accounts = [
        ("circle", "sip:circle.example could not be looked up: "),
        ("one", "sip:one.example could not be looked up: "),
        ("chain0", "sip:chain0.example could not be looked up: "),
        ("deeper", "sip:deeper.example leads nowhere: "),
        ("nowhere", "sip:nowhere.example leads nowhere: "),
        ("gone", "sip:gone.example leads nowhere: "),
        ("crowd", "no connection to the provider can be made"),
    ];
    for (id, _) in accounts {
        let name = format!("{id}.example");
        let mut command = vec!["accounts", "add", "--domain", &name, "--id", id];
        command.extend(["--answer", "user=alice", "--no-wait", "--password-stdin"]);
        CommandLine::of(&house).run_with(&command, "wonder land 7\n")?.done()?;
    }
    the_house_goes_on(&mut anna, &mut bert)?;
    for (id, words) in accounts {
        house.desk().account_is(id, &[AccountState::Unreachable])?;
        let account = house.desk().account(id)?;
        let why = house.desk().wait("why", account.state_reason())??;
        ensure!(why.starts_with(words), "{id}: {why}");
    }
    Ok(())
}

#[test]
fn name_servers_that_say_nothing_hold_up_nobody_else() -> Result<()> {
    let silent = UdpSocket::bind((net::loopback(), 0))?;
    let house = house(silent.local_addr()?)?;
    let (mut anna, mut bert) = (phone(&house, "101")?, phone(&house, "102")?);
    let mut waiting = anna.call_with("sip:x@somewhere.example", &[], b"").plain()?;
    let mut query = [0; 512];
    silent.set_read_timeout(Some(sipwitch_tests::PATIENCE))?;
    silent.recv(&mut query)?;
    the_house_goes_on(&mut anna, &mut bert)?;
    let answer = waiting.final_answer(&mut anna).plain()?;
    ensure!(answer.status() == Some(503), "{answer:?}");
    Ok(())
}
