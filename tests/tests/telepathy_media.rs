// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls of Telepathy whose media are telepathy-farstream's, as in Empathy and KDE: real sound and
//! pictures, decoded at both ends.

use std::net::Ipv4Addr;

use anyhow::ensure;
use sipwitch_tests::peers::{Account, Baresip, Elsewhere, Telepathy};
use sipwitch_tests::{House, Network, Result};

#[test]
fn farstream_talks_holds_and_sends_tones() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_farstream(Baresip::start)?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    client.wait_for("media added audio")?;
    bert.incoming()?;
    client.wait_for("state 3")?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("state 5")?;
    client.wait_for("decoded audio")?;
    bert.hears_more_than(50)?;
    client.type_line("press 5")?;
    ensure!(bert.heard_dtmf()? == '5');
    client.wait_for("signal StoppedTones")?;
    client.type_line("hold yes")?;
    client.wait_for("hold 1 reason 1")?;
    client.type_line("again")?;
    client.type_line("hold no")?;
    client.wait_for("hold 0 reason 1")?;
    client.wait_for("decoded audio")?;
    client.type_line("mute yes")?;
    client.wait_for("mute 1")?;
    client.type_line("mute no")?;
    client.wait_for("mute 0")?;
    let heard = bert.speech()?.received;
    bert.hears_more_than(heard + 20)?;
    bert.hang_up()?;
    client.wait_for("state 6 flags 0 reason 2 org.freedesktop.Telepathy.Error.Terminated")?;
    Ok(())
}

#[test]
fn farstream_is_called_and_shows_pictures() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_farstream(Baresip::start_showing)?;
    let client = &mut telepathy.client;
    bert.call("101")?;
    client.wait_for("rings from 102")?;
    client.type_line("accept")?;
    client.wait_for("media added audio")?;
    bert.established()?;
    client.wait_for("state 5")?;
    client.wait_for_all(&["decoded audio", "decoded video"])?;
    bert.hears_more_than(50)?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    Ok(())
}

#[test]
fn farstream_calls_with_pictures_takes_them_away_and_adds_them_again() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_farstream(Baresip::start_showing)?;
    let client = &mut telepathy.client;
    client.type_line("show 102")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    client.wait_for_all(&["decoded audio", "decoded video"])?;
    client.type_line("remove")?;
    client.wait_for("media removed")?;
    client.type_line("again")?;
    client.type_line("add")?;
    client.wait_for("added ")?;
    client.wait_for("decoded video")?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    Ok(())
}

/// As behind a router that farstream asks for a port: the far end has been called, has answered and
/// speaks before farstream knows where it is.
#[test]
fn farstream_calls_before_it_knows_where_it_is() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_farstream(Baresip::start)?;
    let client = &mut telepathy.client;
    client.type_line("slow")?;
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("state 4")?;
    // The INVITE has come, and its ACK as well.
    client.type_line("places")?;
    client.wait_for("places 0")?;
    client.type_line("found")?;
    client.wait_for("signal LocalCandidatesAdded")?;
    client.wait_for("state 5")?;
    client.wait_for("decoded audio")?;
    let heard = bert.speech()?.received;
    bert.hears_more_than(heard + 50)?;
    // What comes after that is as ever.
    client.type_line("hold yes")?;
    client.wait_for("hold 1 reason 1")?;
    client.type_line("again")?;
    client.type_line("hold no")?;
    client.wait_for("hold 0 reason 1")?;
    client.wait_for("decoded audio")?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    Ok(())
}

#[test]
fn farstream_answers_before_it_knows_where_it_is() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_farstream(Baresip::start)?;
    let client = &mut telepathy.client;
    client.type_line("slow")?;
    bert.call("101")?;
    client.wait_for("rings from 102")?;
    client.type_line("accept")?;
    // The 200 has come.
    bert.established()?;
    client.type_line("places")?;
    client.wait_for("places 0")?;
    client.type_line("found")?;
    client.wait_for("signal LocalCandidatesAdded")?;
    client.wait_for("state 5")?;
    client.wait_for("decoded audio")?;
    let heard = bert.speech()?.received;
    bert.hears_more_than(heard + 50)?;
    bert.hang_up()?;
    client.wait_for("state 6 flags 0 reason 2 org.freedesktop.Telepathy.Error.Terminated")?;
    Ok(())
}

#[test]
fn pictures_are_added_by_a_farstream_that_does_not_know_where_they_are() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_farstream(Baresip::start_showing)?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("decoded audio")?;
    client.type_line("hold_places")?;
    client.type_line("add")?;
    client.wait_for("added ")?;
    // The far end has agreed to them.
    client.wait_for("signal NewMediaDescriptionOffer")?;
    client.type_line("found")?;
    client.wait_for("decoded video")?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    Ok(())
}

#[test]
fn telepathy_rakia_on_another_host_calls_and_is_called() -> Result<()> {
    const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    const THERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
    let network = Network::new()?;
    let (home, away) = (network.host(HERE)?, network.host(THERE)?);
    let (house, mut telepathy) = home.run(|| {
        let plan = House::plan().at(HERE.into()).settings("[dial]\nfrom = \"101\"\n");
        let house = plan.extensions(&["101"]).extension("102", "wonderland7").build()?;
        let mut telepathy = Telepathy::start(&house)?;
        telepathy.client.type_line("farstream")?;
        telepathy.connect()?;
        Ok((house, telepathy))
    })?;
    let account = Account::new("102", house.at).with_password("wonderland7");
    let mut rakia = away.run(move || Elsewhere::start(&account))?;
    let (ours, theirs) = (&mut telepathy.client, &mut rakia.client);

    ours.type_line("call 102")?;
    theirs.wait_for("rings from sip:101@")?;
    ours.wait_for("state 3")?;
    theirs.type_line("accept")?;
    ours.wait_for("state 5")?;
    ours.wait_for("decoded audio")?;
    theirs.wait_for("decoded audio")?;
    theirs.type_line("hangup 2")?;
    ours.wait_for("state 6 flags 0 reason 2 org.freedesktop.Telepathy.Error.Terminated")?;
    ours.type_line("close")?;

    theirs.type_line("call 101")?;
    ours.wait_for("rings from 102")?;
    ours.type_line("accept")?;
    theirs.wait_for("state 5")?;
    ours.wait_for("decoded audio")?;
    theirs.wait_for("decoded audio")?;
    ours.type_line("hangup 2")?;
    theirs.wait_for("state 6")?;
    Ok(())
}
