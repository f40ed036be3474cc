// SPDX-License-Identifier: GPL-3.0-or-later
//! Hours of a city's telephony in seconds, from a seed. After it nothing may be left.
//!
//! `SIPWITCH_SOAK_SEED` and `SIPWITCH_SOAK_HOURS` choose another story, or a longer one.

mod city;
mod dice;
mod robot;

use std::time::Duration;

use self::city::{City, Size};
use crate::store::Place;

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// Says which story it was when a test fails.
struct Teller(Size);

impl Drop for Teller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SIPWITCH_SOAK_SEED={} tells this story again: {:?}", self.0.seed, self.0);
        }
    }
}

fn live(size: Size) -> City {
    let _teller = Teller(size);
    let mut city = City::found(size);
    city.live();
    city.assert_quiet();
    city
}

#[test]
fn nothing_is_left_of_a_day_of_a_city() {
    let hours = from_environment("SIPWITCH_SOAK_HOURS", 1);
    let size = Size {
        seed: from_environment("SIPWITCH_SOAK_SEED", 20_261_122),
        phones: 150,
        day: Duration::from_secs(hours * 3600),
        loss: 4,
        duplication: 3,
        is_tame: false,
    };
    let city = live(size);
    let dialled: usize = city.robots.iter().map(|robot| robot.dialled).sum();
    let talked: usize = city.robots.iter().map(|robot| robot.talked).sum();
    println!("{dialled} dialled, {talked} talked, {} ended, {} messages", city.ended, city.carried);
    let rang_out: usize = city.robots.iter().map(|robot| robot.rang_out).sum();
    assert_eq!(rang_out, 0, "phones that nobody told to ring no longer");
    // The story was worth telling.
    println!("{:?}", city.seen);
    assert!(city.ended > 500 && talked > 500, "{} ended, {talked} talked", city.ended);
    for what in [
        "183 INVITE",
        "401 INVITE",
        "408 INVITE",
        "486 INVITE",
        "487 INVITE",
        "603 INVITE",
        "BYE",
        "CANCEL",
        "INFO",
        "NOTIFY 200 OK",
        "PRACK",
        "UPDATE",
        "held",
        "re-INVITE",
        "transferring",
    ] {
        assert!(city.seen.contains_key(what), "{what} never happened: {:?}", city.seen);
    }
}

#[test]
fn nothing_is_left_of_an_hour_over_a_very_bad_network() {
    let city = live(Size {
        seed: from_environment("SIPWITCH_SOAK_SEED", 5),
        phones: 30,
        day: Duration::from_secs(2400),
        loss: 30,
        duplication: 25,
        is_tame: false,
    });
    assert!(city.ended > 100, "{} ended", city.ended);
}

#[test]
fn a_crash_in_the_middle_of_the_day_loses_calls_and_nothing_else() {
    let size = Size {
        seed: from_environment("SIPWITCH_SOAK_SEED", 17),
        phones: 40,
        day: Duration::from_secs(1200),
        loss: 4,
        duplication: 3,
        is_tame: false,
    };
    let _teller = Teller(size);
    let folder = tempfile::tempdir().unwrap();
    let place = || Place::File(folder.path().join("state.db"));
    let mut city = City::found_with(size, place()).crash(place());
    let before = city.ended;
    city.live();
    city.assert_quiet();
    assert!(city.ended > before + 50, "life goes on: {} and {before}", city.ended);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let size = Size {
        seed: from_environment("SIPWITCH_SOAK_SEED", 7),
        phones: 30,
        day: Duration::from_secs(1800),
        loss: 10,
        duplication: 10,
        is_tame: false,
    };
    let (one, two) = (live(size), live(size));
    assert_eq!((one.carried, one.ended, one.story()), (two.carried, two.ended, two.story()));
    let other = live(Size { seed: size.seed + 1, ..size });
    assert_ne!(one.story(), other.story());
}

#[test]
fn however_calls_are_changed_both_ends_hear_each_other() {
    let size = Size {
        seed: from_environment("SIPWITCH_SOAK_SEED", 31),
        phones: 60,
        day: Duration::from_secs(700),
        loss: 8,
        duplication: 8,
        is_tame: true,
    };
    let _teller = Teller(size);
    let mut city = City::found(size);
    let mut talking = 0;
    for _ in 0..2 {
        let mut ears = city.live_until_noon();
        // While a call is held, or not connected yet, nobody is heard.
        ears.retain(|(_, other)| *other >= 10_000);
        talking += ears.len();
        let mut mirrored: Vec<(u16, u16)> = ears.iter().map(|&(own, other)| (other, own)).collect();
        for (own, other) in &ears {
            if !ears.contains(&(*other, *own)) {
                city.explain(*own, *other);
            }
        }
        ears.sort_unstable();
        mirrored.sort_unstable();
        assert_eq!(ears, mirrored, "some hear whom does not hear them");
    }
    assert!(talking > 40, "only {talking} talked");
    city.live();
    city.assert_quiet();
}
