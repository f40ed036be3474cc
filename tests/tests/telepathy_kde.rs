// SPDX-License-Identifier: GPL-3.0-or-later
//! KDE Telepathy's own programs: its call window, its notification of a call, and its window in which
//! numbers are typed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sipwitch_tests::peers::{Baresip, Kde, Telepathy};
use sipwitch_tests::{PATIENCE, Result};

/// What baresip plays.
const TONE: f64 = 440.0;

#[test]
fn kde_answers_by_its_notification_talks_in_its_window_and_sees_the_end() -> Result<()> {
    let house = Telepathy::house()?;
    let mut bert = Baresip::of(&house, "102")?;
    let mut kde = Kde::start(&house)?;

    bert.call("101")?;
    let asked = kde.notified("102 is calling you")?;
    bert.ringing()?;
    kde.press(&asked, "Answer")?;
    bert.established()?;
    kde.state(5)?;
    bert.hears_more_than(50)?;
    kde.plays(TONE)?;

    let window = kde.screen.window("Call with 102")?;
    let picture = kde.screen.painted(&window, 50)?;
    let file = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/kde-call-window.png"));
    picture.save(file)?;
    println!("KDE's call window, {} colours: {}", picture.colours(), file.display());

    kde.activate("hold")?;
    held(&mut bert, true)?;
    kde.activate("hold")?;
    held(&mut bert, false)?;
    kde.plays(TONE)?;
    let heard = bert.speech()?.received;
    bert.hears_more_than(heard + 20)?;

    bert.hang_up()?;
    kde.state(6)?;
    kde.screen.gone(&window)?;
    Ok(())
}

#[test]
fn a_number_that_is_typed_in_kde_is_called_and_hung_up_in_its_window() -> Result<()> {
    let house = Telepathy::house()?;
    let mut bert = Baresip::of(&house, "102")?;
    let mut kde = Kde::start(&house)?;
    let mut typing = kde.dial_window()?;
    let window = kde.screen.window("Make a call")?;
    kde.screen.painted(&window, 50)?;
    // It takes no number until it has found the account, and its button is grey until the connection
    // has told what can be done with the contact: neither is seen from outside.
    let mut caller = None;
    for attempt in 0..60 {
        if attempt % 10 == 0 {
            kde.screen.press(&window, &["ctrl+a", "1", "0", "2"])?;
        }
        kde.screen.press(&window, &["alt+a"])?;
        caller = bert.event_within("CALL_INCOMING", Duration::from_millis(300)).ok();
        if caller.is_some() {
            break;
        }
    }
    let caller = caller.context("KDE calls nobody")?;
    ensure!(caller.contains("101"), "the phone shows who calls: {caller}");
    kde.state(3)?;
    bert.answer()?;
    bert.established()?;
    kde.state(5)?;
    bert.hears_more_than(50)?;
    kde.plays(TONE)?;
    let window = kde.screen.window("Call with 102")?;
    kde.activate("hangup")?;
    bert.closed()?;
    kde.state(6)?;
    kde.screen.gone(&window)?;
    typing.end();
    Ok(())
}

#[test]
fn kde_refuses_a_call_by_its_notification() -> Result<()> {
    let house = Telepathy::house()?;
    let mut bert = Baresip::of(&house, "102")?;
    let mut kde = Kde::start(&house)?;
    bert.call("101")?;
    let asked = kde.notified("102 is calling you")?;
    bert.ringing()?;
    kde.press(&asked, "Reject")?;
    ensure!(bert.closed()?.contains("603"), "it rings nowhere else");
    kde.state(6)?;
    Ok(())
}

/// Waits until the phone is told that it is held, or not any more.
fn held(bert: &mut Baresip, wanted: bool) -> Result<()> {
    let words = ["a=sendonly", "a=inactive"];
    bert.program.wait_within(PATIENCE, "an offer", |line| {
        (line.starts_with("a=")
            && words.contains(&line) == wanted
            && (wanted || line == "a=sendrecv"))
            .then_some(())
    })
}
