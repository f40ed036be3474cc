// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls of Telepathy whose media are telepathy-farstream's, as in Empathy and KDE: real sound and
//! pictures, decoded at both ends.

use anyhow::ensure;
use sipwitch_tests::Result;
use sipwitch_tests::peers::{Baresip, Telepathy};

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
