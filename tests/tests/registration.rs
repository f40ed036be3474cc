// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may register, and what is remembered of it.

use anyhow::{Result, ensure};
use sipwitch_dbus_interfaces::wire::CallState;
use sipwitch_simulators::{Account as Sim, Phone, Transport};
use sipwitch_tests::peers::{Account, Baresip, Linphonec, Transport as Carried, Twinkle};
use sipwitch_tests::{House, Plain as _, net};

fn phone(house: &House, number: &str, password: &str) -> Result<Phone> {
    let account = Sim { number: number.into(), password: password.into() };
    Phone::new(Transport::Udp, net::loopback(), house.at, account).plain()
}

/// A house where 101 must prove its password, and an account that cannot.
fn closed_house() -> Result<(House, Account)> {
    let plan = House::plan().everybody_needs_a_password().extension("101", "opensesame");
    let house = plan.build()?;
    let account = Account::new("101", house.at).with_password("closesesame");
    Ok((house, account))
}

#[test]
fn a_wrong_password_is_refused_and_the_owner_is_not_locked_out() -> Result<()> {
    let (house, account) = closed_house()?;
    let mut baresip = Baresip::start(&account)?;
    // Baresip tries until it is told to wait.
    let said = baresip.refused()?;
    ensure!(["401", "403", "503"].iter().any(|status| said.contains(status)), "{said}");
    house.desk().phones("101", 0)?;
    // The owner is at another address: guessing is slowed down by source.
    let account = account.with_password("opensesame");
    let mut right = Baresip::start_at(&account, net::other_loopback())?;
    right.registered()?;
    house.desk().phones("101", 1)?;
    Ok(())
}

#[test]
fn linphonec_and_twinkle_are_refused_with_a_wrong_password() -> Result<()> {
    let (house, account) = closed_house()?;
    ensure!(Linphonec::start(&account)?.registered().is_err());
    house.desk().phones("101", 0)?;
    let (house, account) = closed_house()?;
    ensure!(Twinkle::start(&account)?.registered().is_err());
    house.desk().phones("101", 0)?;
    Ok(())
}

#[test]
fn an_unknown_user_is_answered_like_a_wrong_password() -> Result<()> {
    let house =
        House::plan().everybody_needs_a_password().extension("101", "opensesame").build()?;
    let mut answers = Vec::new();
    for number in ["101", "666"] {
        let mut phone = phone(&house, number, "wrong")?;
        let answer = phone.register(60).plain()?;
        let names: Vec<_> = answer
            .head()
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.to_owned())
            .collect();
        answers.push((answer.status(), names));
    }
    ensure!(answers[0] == answers[1] && matches!(answers[0].0, Some(401 | 403)), "{answers:?}");
    Ok(())
}

#[test]
fn a_program_of_the_same_user_needs_no_password_unless_it_must() -> Result<()> {
    for (must, status) in [(false, 200), (true, 401)] {
        let plan = House::plan().extension("101", "opensesame");
        let house = if must { plan.everybody_needs_a_password() } else { plan }.build()?;
        let answer = phone(&house, "101", "")?.register(60).plain()?;
        ensure!(answer.status() == Some(status), "{answer:?}");
    }
    Ok(())
}

#[test]
fn a_phone_proves_its_password_and_unregisters() -> Result<()> {
    let house =
        House::plan().everybody_needs_a_password().extension("101", "opensesame").build()?;
    let mut phone = phone(&house, "101", "opensesame")?;
    let answer = phone.register(60).plain()?;
    ensure!(answer.status() == Some(200) && answer.header("Contact").is_some(), "{answer:?}");
    house.desk().phones("101", 1)?;
    let answer = phone.register(0).plain()?;
    ensure!(answer.status() == Some(200) && answer.header("Contact").is_none(), "{answer:?}");
    house.desk().phones("101", 0)?;
    Ok(())
}

#[test]
fn a_call_from_a_stranger_needs_a_password_too() -> Result<()> {
    let house =
        House::plan().everybody_needs_a_password().extension("101", "opensesame").build()?;
    let mut stranger = phone(&house, "101", "")?;
    let mut call = stranger.call("101", b"").plain()?;
    let answer = call.final_answer(&mut stranger).plain()?;
    ensure!(matches!(answer.status(), Some(401 | 403 | 407)), "{answer:?}");
    Ok(())
}

#[test]
fn a_crash_during_a_call_loses_no_registration() -> Result<()> {
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = Baresip::start(&Account::new("101", house.at))?;
    let mut bert = Baresip::start(&Account::new("102", house.at))?;
    anna.registered()?;
    bert.registered()?;
    anna.call("102")?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    anna.hears_more_than(5)?;
    house.kill_service()?;
    // The speech does not pass through the service.
    let before = anna.speech()?.received;
    anna.hears_more_than(before + 20)?;
    house.start_service()?;
    house.desk().phones("101", 1)?;
    house.desk().phones("102", 1)?;
    anna.hang_up()?;
    bert.hang_up()?;
    let registrations =
        |phone: &Baresip| phone.sip().iter().filter(|m| m.contains("\nREGISTER sip:")).count();
    let before = (registrations(&anna), registrations(&bert));
    bert.call("101")?;
    anna.incoming()?;
    anna.answer()?;
    bert.established()?;
    ensure!(before == (registrations(&anna), registrations(&bert)), "nobody had to register again");
    bert.hang_up()?;
    Ok(())
}

#[test]
fn a_crash_loses_no_registration_over_tcp() -> Result<()> {
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = Baresip::start(&Account::new("101", house.at).over(Carried::Tcp))?;
    let mut bert = Baresip::start(&Account::new("102", house.at).over(Carried::Tcp))?;
    anna.registered()?;
    bert.registered()?;
    house.kill_service()?;
    house.start_service()?;
    // The connections have gone with the service; the phones can still be called.
    let call = house.desk().dial("101", "102")?;
    anna.incoming()?;
    anna.answer()?;
    bert.incoming()?;
    bert.answer()?;
    house.desk().call_is(&call, CallState::Connected)?;
    Ok(())
}
