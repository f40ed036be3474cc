// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls between real phones: what a person would notice if it did not work.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use sipwitch_dbus_interfaces::wire::CallState;
use sipwitch_tests::peers::{Account, Baresip, Transport};
use sipwitch_tests::{House, PATIENCE, net};

/// Registered baresips, one for each number.
fn baresips<const N: usize>(house: &House, numbers: [&str; N]) -> Result<[Baresip; N]> {
    let mut phones = Vec::new();
    for number in numbers {
        phones.push(Baresip::start(&Account::new(number, house.at))?);
    }
    for phone in &mut phones {
        phone.registered()?;
    }
    phones.try_into().ok().context("one phone for each number")
}

/// Connects two phones by a call of the first.
fn connect(caller: &mut Baresip, callee: &mut Baresip) -> Result<()> {
    caller.call(&callee.account.number.clone())?;
    callee.incoming()?;
    callee.answer()?;
    caller.established()?;
    callee.established()
}

/// Every SIP message of a phone whose first line and CSeq contain these words.
fn messages(phone: &Baresip, first: &str, cseq: &str) -> Vec<String> {
    let matches = |message: &String| {
        let mut lines = message.lines().skip(1);
        lines.next().is_some_and(|line| line.contains(first))
            && lines.any(|line| line.starts_with("CSeq:") && line.ends_with(cseq))
    };
    phone.sip().into_iter().filter(matches).collect()
}

#[test]
fn speech_goes_directly_between_the_phones() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna, mut bert] = baresips(&house, ["101", "102"])?;
    connect(&mut anna, &mut bert)?;
    let (heard_by_anna, heard_by_bert) = (anna.hears_more_than(20)?, bert.hears_more_than(20)?);
    let port = |address: &str| {
        address.rsplit(':').next().map(str::to_owned).context("an address has a port")
    };
    ensure!(
        port(&heard_by_anna.remote)? == port(&heard_by_bert.local)?,
        "{heard_by_anna:?} {heard_by_bert:?}"
    );
    ensure!(
        port(&heard_by_bert.remote)? == port(&heard_by_anna.local)?,
        "{heard_by_anna:?} {heard_by_bert:?}"
    );
    anna.dtmf('5')?;
    ensure!(bert.heard_dtmf()? == '5');
    anna.hang_up()?;
    bert.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn a_phone_over_udp_and_one_over_tcp_understand_each_other() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = Baresip::start(&Account::new("101", house.at))?;
    let mut bert = Baresip::start(&Account::new("102", house.at).over(Transport::Tcp))?;
    anna.registered()?;
    bert.registered()?;
    connect(&mut anna, &mut bert)?;
    anna.hang_up()?;
    bert.closed()?;
    connect(&mut bert, &mut anna)?;
    anna.hears_more_than(5)?;
    anna.hang_up()?;
    bert.closed()?;
    Ok(())
}

#[test]
fn two_phones_talk_over_ipv6() -> Result<()> {
    let house = House::plan().at(net::loopback6()).extensions(&["101", "102"]).build()?;
    let [mut anna, mut bert] = baresips(&house, ["101", "102"])?;
    connect(&mut anna, &mut bert)?;
    ensure!(anna.hears_more_than(10)?.remote.contains("::1"));
    bert.hang_up()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn either_side_holds_and_resumes() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna, mut bert] = baresips(&house, ["101", "102"])?;
    connect(&mut anna, &mut bert)?;
    let call = house.desk().calls_are(1)?.remove(0);
    house.desk().call_is(&call, CallState::Connected)?;
    anna.hears_more_than(5)?;
    for holder in [&mut anna, &mut bert] {
        holder.hold()?;
        house.desk().call_is(&call, CallState::Held)?;
        holder.resume()?;
        house.desk().call_is(&call, CallState::Connected)?;
    }
    let before = anna.speech()?.received;
    anna.hears_more_than(before + 5)?;
    let before = bert.speech()?.received;
    bert.hears_more_than(before + 5)?;
    bert.hang_up()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn an_unknown_extension_is_not_found() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let [mut anna] = baresips(&house, ["101"])?;
    anna.call("199")?;
    ensure!(anna.closed()?.contains("404"));
    Ok(())
}

#[test]
fn an_extension_without_a_phone_is_unavailable() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna] = baresips(&house, ["101"])?;
    anna.call("102")?;
    ensure!(anna.closed()?.contains("480"));
    Ok(())
}

#[test]
fn a_refusal_reaches_the_caller() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna, mut bert] = baresips(&house, ["101", "102"])?;
    anna.call("102")?;
    bert.incoming()?;
    anna.ringing()?;
    bert.hang_up()?;
    ensure!(anna.closed()?.contains("486"));
    Ok(())
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna, mut bert] = baresips(&house, ["101", "102"])?;
    anna.call("102")?;
    bert.incoming()?;
    anna.ringing()?;
    anna.hang_up()?;
    bert.closed()?;
    house.desk().calls_are(0)?;
    ensure!(messages(&bert, "CANCEL ", "CANCEL").len() == 1, "{:?}", bert.sip());
    // Baresip says it has closed before it hears the 487; the server has said it to its own side.
    let last = house.desk().history()?.remove(0);
    ensure!(last.sip_code == 487 && last.answered_at_microseconds.is_none(), "{last:?}");
    Ok(())
}

#[test]
fn the_first_phone_to_answer_wins_and_the_others_are_told_so() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna, mut desk, mut pocket] = baresips(&house, ["101", "102", "102"])?;
    house.desk().phones("102", 2)?;
    anna.call("102")?;
    desk.incoming()?;
    pocket.incoming()?;
    pocket.answer()?;
    anna.established()?;
    pocket.established()?;
    desk.closed()?;
    let cancelled = messages(&desk, "CANCEL ", "CANCEL");
    ensure!(cancelled.len() == 1, "{cancelled:?}");
    let reason = cancelled[0]
        .lines()
        .find(|line| line.starts_with("Reason:"))
        .context("a CANCEL tells why")?;
    ensure!(reason.contains("SIP") && reason.contains("cause=200"), "{reason}");
    anna.hears_more_than(5)?;
    pocket.hang_up()?;
    anna.closed()?;
    Ok(())
}

#[test]
fn a_group_rings_all_its_members() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    house.desk().add_group("200", &["102", "103"])?;
    let [mut anna, mut bert, mut cleo] = baresips(&house, ["101", "102", "103"])?;
    anna.call("200")?;
    bert.incoming()?;
    cleo.incoming()?;
    cleo.answer()?;
    anna.established()?;
    bert.closed()?;
    anna.hang_up()?;
    cleo.closed()?;
    Ok(())
}

#[test]
fn a_phone_sends_its_caller_to_somebody_else() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let [mut anna, mut bert, mut cleo] = baresips(&house, ["101", "102", "103"])?;
    connect(&mut anna, &mut bert)?;
    anna.hears_more_than(5)?;
    bert.transfer("103")?;
    cleo.incoming()?;
    cleo.answer()?;
    cleo.established()?;
    let before = anna.speech()?.received;
    let heard = anna.hears_more_than(before + 10)?;
    let said = cleo.hears_more_than(10)?;
    ensure!(
        heard.remote.rsplit(':').next() == said.local.rsplit(':').next(),
        "anna hears cleo directly: {heard:?} {said:?}"
    );
    bert.closed()?;
    anna.hang_up()?;
    cleo.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

#[test]
fn the_caller_sends_the_callee_to_somebody_else() -> Result<()> {
    let house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let [mut anna, mut bert, mut cleo] = baresips(&house, ["101", "102", "103"])?;
    connect(&mut anna, &mut bert)?;
    anna.transfer("103")?;
    cleo.incoming()?;
    cleo.answer()?;
    cleo.established()?;
    cleo.hears_more_than(10)?;
    anna.closed()?;
    cleo.hang_up()?;
    bert.closed()?;
    Ok(())
}

#[test]
fn a_phone_that_has_died_is_not_waited_for() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let [mut anna, mut bert] = baresips(&house, ["101", "102"])?;
    connect(&mut anna, &mut bert)?;
    bert.program.signal(Signal::SIGKILL)?;
    bert.program.wait_for_end(PATIENCE)?;
    anna.hang_up()?;
    anna.closed()?;
    house.desk().calls_are(0)?;
    // Its port is closed, and the kernel says so (RFC 3261 section 18.4): no 32 seconds of silence.
    anna.call("102")?;
    let said = anna.closed()?;
    ensure!(said.contains("480") || said.contains("503"), "{said}");
    Ok(())
}
