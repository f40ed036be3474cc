// SPDX-License-Identifier: GPL-3.0-or-later
//! The accounts of Telepathy by its own programs: those at providers, and what becomes of any when
//! something of it all is restarted.

use anyhow::{Result, ensure};
use sipwitch_dbus_interfaces::wire::AccountState;
use sipwitch_tests::peers::{Account, Baresip, Operator, Telepathy};
use sipwitch_tests::{CommandLine, House, net};

const PASSWORD: &str = "wonderland7";
/// Leads to bert, behind the provider.
const NUMBER: &str = "+4930100";

fn operator() -> Result<Operator> {
    let plan = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    plan.leads(NUMBER, "bert").start()
}

/// What a client types to be anna there.
fn anna(operator: &Operator, more: &str) -> String {
    let (host, port) = (operator.at.ip(), operator.at.port());
    let account = format!("anna@{}", Operator::DOMAIN);
    format!("provider {account} proxy-host={host} port={port} transport=udp {more}")
}

fn outside(operator: &Operator, name: &str, password: &str) -> Result<Baresip> {
    let mut phone = Baresip::start(&Account::new(name, operator.at).with_password(password))?;
    phone.registered()?;
    Ok(phone)
}

#[test]
fn an_account_at_kamailio_calls_and_is_called_without_an_extension() -> Result<()> {
    let operator = operator()?;
    let house = House::plan().build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let mut bert = outside(&operator, "bert", "b")?;
    let client = &mut telepathy.client;
    client.type_line(&anna(&operator, &format!("alias=Anna password={PASSWORD}")))?;
    client.wait_for(&format!("connected as sip:anna@{}", Operator::DOMAIN))?;

    client.type_line(&format!("call {NUMBER}"))?;
    ensure!(bert.incoming()?.contains("anna"), "the account is shown");
    client.wait_for("state 3 flags 0 reason 1")?;
    bert.answer()?;
    client.wait_for("state 5 flags 0 reason 1")?;
    client.wait_for("heard 50 packets")?;
    bert.hears_more_than(50)?;
    bert.hang_up()?;
    client.wait_for("state 6 flags 0 reason 2 org.freedesktop.Telepathy.Error.Terminated")?;

    bert.call("anna")?;
    client.wait_for("rings from sip:bert@")?;
    bert.ringing()?;
    client.type_line("accept")?;
    bert.established()?;
    client.wait_for("state 5 flags 0 reason 1")?;
    client.type_line("hangup 2")?;
    bert.closed()?;

    // It is in no file, and gone with the connection.
    let accounts = CommandLine::of(&house).json(&["accounts"])?;
    ensure!(accounts.as_array().is_some_and(|all| all.len() == 1), "{accounts}");
    ensure!(!house.config().with_file_name("accounts.d").join("operator-example.toml").exists());
    client.type_line("disconnect")?;
    client.wait_for("status 2 reason 1")?;
    let accounts = CommandLine::of(&house).json(&["accounts"])?;
    ensure!(accounts.as_array().is_some_and(Vec::is_empty), "{accounts}");
    Ok(())
}

#[test]
fn a_password_is_asked_for_until_it_is_the_right_one() -> Result<()> {
    let mut operator = operator()?;
    let house = House::plan().build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let client = &mut telepathy.client;
    client.type_line(&anna(&operator, ""))?;
    client.wait_for("asked for the password of anna")?;
    client.type_line("secret wrong")?;
    client.wait_for("sasl 1")?;
    client.wait_for("sasl 5 org.freedesktop.Telepathy.Error.AuthenticationFailed")?;
    operator.program.wait_for("refused: REGISTER anna")?;
    client.type_line(&format!("secret {PASSWORD}"))?;
    client.wait_for("sasl 2")?;
    client.wait_for("sasl 4")?;
    client.wait_for(&format!("connected as sip:anna@{}", Operator::DOMAIN))?;
    Ok(())
}

#[test]
fn a_wrong_password_that_nobody_corrects_ends_it_and_is_not_tried_again() -> Result<()> {
    let mut operator = operator()?;
    let house = House::plan().build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let client = &mut telepathy.client;
    client.type_line(&anna(&operator, "password=wrong"))?;
    operator.program.wait_for("refused: REGISTER anna")?;
    client.wait_for("asked for the password of anna")?;
    client.type_line("nosecret")?;
    client.wait_for("status 2 reason 3")?;
    let accounts = CommandLine::of(&house).json(&["accounts"])?;
    ensure!(accounts.as_array().is_some_and(Vec::is_empty), "{accounts}");
    Ok(())
}

#[test]
fn parameters_that_cannot_be_make_no_account_that_connects() -> Result<()> {
    let house = House::plan().build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let client = &mut telepathy.client;
    client.type_line("provider anna@operator.example no-such=1")?;
    client.wait_for("no account:")?;
    client.type_line("provider nobody password=x")?;
    client.wait_for("status 2 reason 0")?;
    // The domain leads nowhere.
    client.type_line("provider anna@nowhere.invalid password=x")?;
    client.wait_for("status 2 reason 2")?;
    Ok(())
}

fn talking(bert: &mut Baresip, telepathy: &mut Telepathy) -> Result<()> {
    telepathy.client.type_line("call 102")?;
    bert.incoming()?;
    bert.answer()?;
    telepathy.client.wait_for("state 5 flags 0 reason 1")?;
    Ok(())
}

#[test]
fn telepathy_rakia_is_called_and_written_to_and_writes_back() -> Result<()> {
    let house = Telepathy::house()?;
    let mut telepathy = Telepathy::start(&house)?;
    let mut rakia = telepathy.rakia(&house)?;
    rakia.type_line(&format!("connect 102 {} {}", house.at.ip(), house.at.port()))?;
    rakia.wait_for("status 0")?;
    telepathy.connect()?;
    let client = &mut telepathy.client;

    client.type_line("call 102")?;
    rakia.wait_for("call from sip:101@")?;
    rakia.type_line("ring")?;
    client.wait_for("state 3 flags 0 reason 1")?;
    rakia.type_line("hangup 8")?;
    client.wait_for("state 6 flags 0 reason 8 org.freedesktop.Telepathy.Error.Busy")?;

    client.type_line("write 102")?;
    client.wait_for("writing to 102")?;
    client.type_line("text hello")?;
    rakia.wait_for("text hello")?;
    client.wait_for("report 1")?;
    rakia.type_line("write 101 again")?;
    client.wait_for("text again")?;
    Ok(())
}

#[test]
fn when_the_service_is_killed_its_calls_end_and_mission_control_connects_again() -> Result<()> {
    let (mut house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    talking(&mut bert, &mut telepathy)?;
    house.kill_service()?;
    let client = &mut telepathy.client;
    client.wait_for("state 6 flags 0 reason 11 org.freedesktop.Telepathy.Error.NetworkError")?;
    client.wait_for("status 2 reason 2")?;
    house.start_service()?;
    client.wait_for("connected as 101 called")?;
    Ok(())
}

#[test]
fn when_the_connection_manager_is_killed_its_calls_end_and_it_is_started_again() -> Result<()> {
    let (house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    talking(&mut bert, &mut telepathy)?;
    telepathy.kill_bridge(&house)?;
    bert.closed()?;
    telepathy.client.wait_for("connected as 101 called")?;
    house.desk().phones("101", 1)?;
    Ok(())
}

#[test]
fn when_mission_control_is_killed_calls_go_on_and_the_next_one_has_the_account() -> Result<()> {
    let (house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    talking(&mut bert, &mut telepathy)?;
    telepathy.restart_mission_control(&house)?;
    // What talks goes on talking.
    let client = &mut telepathy.client;
    client.type_line("tones 5")?;
    ensure!(bert.heard_dtmf()? == '5');
    bert.hang_up()?;
    client.wait_for("state 6 flags 0 reason 2 org.freedesktop.Telepathy.Error.Terminated")?;
    let (_, said) = house.sipwitch(&["telepathy"])?;
    ensure!(said.contains("connected"), "{said}");
    Ok(())
}

#[test]
fn the_account_is_made_at_the_first_login_and_not_again_when_it_was_removed() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let (status, said) = house.sipwitch(&["telepathy", "first-use"])?;
    ensure!(status.success() && said.contains("not installed"), "{said}");
    let mut telepathy = Telepathy::start(&house)?;
    let (status, said) = house.sipwitch(&["telepathy", "first-use"])?;
    ensure!(status.success() && said.contains("the account is made"), "{said}");
    telepathy.client.type_line("await")?;
    telepathy.client.wait_for("schemes sip sips tel")?;
    telepathy.client.wait_for("connected as 101 called")?;
    let (status, said) = house.sipwitch(&["telepathy", "remove"])?;
    ensure!(status.success(), "{said}");
    let (status, said) = house.sipwitch(&["telepathy", "first-use"])?;
    ensure!(status.success() && said.contains("done before"), "{said}");
    let (_, said) = house.sipwitch(&["telepathy"])?;
    ensure!(said.contains("no account"), "{said}");
    Ok(())
}

/// Makes the account of anna at an operator.
fn sign_up(house: &House, id: &str, operator: &Operator) -> Result<()> {
    let proxy = format!("server.outbound-proxy={}", operator.at.ip());
    let port = format!("server.port={}", operator.at.port());
    let mut command = vec!["accounts", "add", "--domain", Operator::DOMAIN, "--id", id];
    command.extend(["--answer", "user=anna", "--set", &proxy, "--set", &port]);
    command.extend(["--set", "server.transports=udp", "--no-wait", "--password-stdin"]);
    CommandLine::of(house).run_with(&command, &format!("{PASSWORD}\n"))?.done()?;
    house.desk().account_is(id, &[AccountState::Online])?;
    Ok(())
}

#[test]
fn a_number_dialled_by_mission_control_fails_over_and_help_is_reached() -> Result<()> {
    let first = Operator::plan(net::other_loopback()).user("anna", PASSWORD);
    let first = first.answer(NUMBER, 503).answer("112", 503).start()?;
    let second = Operator::plan(net::other_loopback()).user("anna", PASSWORD).user("bert", "b");
    let second = second.leads(NUMBER, "bert").leads("112", "bert").start()?;
    let house = House::plan().extensions(&["101"]).build()?;
    sign_up(&house, "a-first", &first)?;
    sign_up(&house, "b-second", &second)?;
    let mut bert = outside(&second, "bert", "b")?;
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.connect()?;
    let client = &mut telepathy.client;
    for contact in ["+49-30-100", "112"] {
        client.type_line(&format!("call {contact}"))?;
        bert.incoming()?;
        bert.answer()?;
        client.wait_for("state 5 flags 0 reason 1")?;
        bert.hang_up()?;
        client.wait_for("state 6 flags 0 reason 2")?;
        bert.closed()?;
    }
    let history = house.desk().history()?;
    for call in history.iter().take(2) {
        let codes: Vec<u32> = call.route_trace.iter().map(|tried| tried.sip_code).collect();
        ensure!(codes == [503, 200], "{call:?}");
    }
    Ok(())
}
