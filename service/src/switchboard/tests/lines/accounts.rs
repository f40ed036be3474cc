// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts that come online, and those that do not.

use std::time::{Duration, Instant};

use sipwitch_sip::auth::client::Secret;

use super::{
    super::town::Town,
    provider::{PASSWORD, account, is_right},
};
use crate::accounts::NoSecret;

const DAY: u64 = 24 * 3600;

#[test]
fn an_account_comes_online_stays_so_and_is_taken_off() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let register = town.let_in(provider);
    assert_eq!(register.uri(), "sip:provider.test");
    assert_eq!(register.address("From"), "sip:alice@provider.test");
    assert!(register.header("Contact").contains("+sip.instance"), "{register:?}");
    let view = town.line("work");
    assert_eq!((view.standing.state, view.line.kind), ("online", "account"));
    // It is refreshed in time, with the nonce that is known.
    let again = town.next_register(provider, 3600);
    assert!(is_right(&again, PASSWORD), "{again:?}");
    assert_eq!(again.address("Contact"), register.address("Contact"));
    town.grant(provider, &again, 3600);
    town.sign_off("work");
    let gone = town.expect(provider, "REGISTER");
    assert!(gone.header("Contact").contains("expires=0"), "{gone:?}");
    town.respond(provider, &gone, "200 OK", "p", &[], "");
    town.pass_seconds(60);
    assert_eq!(town.board.next_deadline(), None, "nothing wakes up without accounts");
    town.assert_over();
}

#[test]
fn a_wrong_password_is_tried_once_and_then_there_is_silence() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.keyring.insert("work".into(), Ok(Secret::new("a wrong one")));
    town.sign_up(account("work", "provider.test"));
    let first = town.expect(provider, "REGISTER");
    let second = town.challenge(provider, &first);
    assert!(is_right(&second, "a wrong one"));
    let more = ["WWW-Authenticate: Digest realm=\"provider\", nonce=\"n2\", qop=\"auth\""];
    town.respond(provider, &second, "401 Unauthorized", "p", &more, "");
    let view = town.line("work");
    assert_eq!(view.standing.state, "needs-password");
    assert!(view.standing.next_step.contains("password"), "{view:?}");
    assert_eq!(view.standing.again_us, 0);
    town.pass_seconds(DAY);
    town.assert_silent(provider);
    // The right one is tried at once.
    town.give_password("work", PASSWORD);
    town.let_in(provider);
    assert_eq!(town.line("work").standing.state, "online");
}

#[test]
fn a_new_password_is_not_called_good_before_it_is() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    town.let_in(provider);
    let held = |town: &mut Town| {
        let view = town.line("work");
        assert_eq!((view.standing.state, view.line.usable), ("registering", "yes"), "{view:?}");
    };
    town.give_password("work", "another");
    let register = town.expect(provider, "REGISTER");
    held(&mut town);
    let more = ["WWW-Authenticate: Digest realm=\"provider\", nonce=\"n2\", qop=\"auth\""];
    town.respond(provider, &register, "401 Unauthorized", "p", &more, "");
    let proven = town.expect(provider, "REGISTER");
    assert!(is_right(&proven, "another"), "{proven:?}");
    held(&mut town);
    town.grant(provider, &proven, 3600);
    assert_eq!(town.line("work").standing.state, "online");
    // Nor is an account online that somebody has tried, before the provider has answered.
    town.try_again("work");
    let register = town.expect(provider, "REGISTER");
    held(&mut town);
    town.grant(provider, &register, 3600);
    assert_eq!(town.line("work").standing.state, "online");
    // And none is unreachable that has not been tried yet.
    town.device(provider).is_dead = true;
    town.pass_seconds(7200);
    assert_eq!(town.line("work").standing.state, "unreachable");
    town.device(provider).is_dead = false;
    town.try_again("work");
    let register = town.expect(provider, "REGISTER");
    let view = town.line("work");
    assert_eq!((view.standing.state, view.line.usable), ("registering", "no"), "{view:?}");
    town.grant(provider, &register, 3600);
    assert_eq!(town.line("work").standing.state, "online");
    town.device(provider).is_dead = true;
    town.try_again("work");
    town.pass_seconds(40);
    assert_eq!(town.line("work").standing.state, "unreachable");
}

#[test]
fn without_a_password_or_with_a_locked_keyring_nothing_is_sent() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    for (secret, state) in [
        (NoSecret::Missing, "needs-password"),
        (NoSecret::Locked, "keyring-locked"),
        (NoSecret::Unavailable("no keyring runs".into()), "keyring-locked"),
    ] {
        town.keyring.insert("work".into(), Err(secret));
        town.sign_up(account("work", "provider.test"));
        assert_eq!(town.line("work").standing.state, state);
        assert!(!town.line("work").standing.next_step.is_empty());
        town.pass_seconds(DAY);
        town.assert_silent(provider);
        town.sign_off("work");
    }
    town.keyring.insert("work".into(), Err(NoSecret::Locked));
    town.sign_up(account("work", "provider.test"));
    town.give_password("work", PASSWORD);
    town.let_in(provider);
    assert_eq!(town.line("work").standing.state, "online");
}

#[test]
fn a_dead_server_is_passed_over_within_seconds_and_remembered() {
    let mut town = Town::new();
    let servers = town.provider_at("provider.test", &["127.0.0.3:5060", "127.0.0.4:5060"]);
    town.device(servers[0]).is_dead = true;
    town.sign_up(account("work", "provider.test"));
    town.pass_seconds(4);
    town.let_in(servers[1]);
    assert_eq!(town.line("work").standing.state, "online");
    // Another account does not even try the dead one.
    town.sign_up(account("home", "provider.test"));
    town.let_in(servers[1]);
    assert_eq!(town.line("home").standing.state, "online");
    // It dies as well: both are tried, then there is a pause, in words.
    town.device(servers[1]).is_dead = true;
    town.pass_seconds(3600);
    let view = town.line("work");
    assert_eq!(view.standing.state, "unreachable");
    assert!(view.standing.again_us > 0, "{view:?}");
    assert!(!view.standing.cause.is_empty());
    // And it comes back.
    town.device(servers[0]).is_dead = false;
    let register = town.next_register(servers[0], 1900);
    town.grant(servers[0], &register, 3600);
    assert!(["work", "home"].iter().any(|name| town.line(name).standing.state == "online"));
}

#[test]
fn a_name_that_leads_nowhere_is_looked_for_again() {
    let mut town = Town::new();
    town.sign_up(account("work", "provider.test"));
    let view = town.line("work");
    assert_eq!(view.standing.state, "unreachable");
    assert!(view.standing.cause.contains("provider.test"), "{view:?}");
    assert!(view.standing.next_step.contains("domain is written"), "{view:?}");
    assert!(view.standing.again_us > 0);
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.pass_seconds(60);
    town.let_in(provider);
    assert_eq!(town.line("work").standing.state, "online");
}

#[test]
fn a_busy_provider_is_left_alone_for_as_long_as_it_asks() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let register = town.expect(provider, "REGISTER");
    town.respond(provider, &register, "503 Service Unavailable", "p", &["Retry-After: 300"], "");
    assert_eq!(town.line("work").standing.state, "unreachable");
    town.pass_seconds(299);
    town.assert_silent(provider);
    town.pass_seconds(31);
    town.let_in(provider);
    assert_eq!(town.line("work").standing.state, "online");
}

#[test]
fn challenges_without_end_and_intervals_that_never_do_come_to_an_end() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let mut register = town.expect(provider, "REGISTER");
    let mut count = 0;
    loop {
        count += 1;
        assert!(count < 20, "it goes on for ever");
        let more = format!(
            "WWW-Authenticate: Digest realm=\"r{count}\", nonce=\"n{count}\", qop=\"auth\", stale=true"
        );
        town.respond(provider, &register, "401 Unauthorized", "p", &[&more], "");
        match town.find(provider, |text| text.kind() == "REGISTER") {
            Some(next) => register = next,
            None => break,
        }
    }
    assert_ne!(town.line("work").standing.state, "online");
    town.sign_off("work");
    town.sign_up(account("work", "provider.test"));
    let mut register = town.expect(provider, "REGISTER");
    let mut least = 3600;
    count = 0;
    loop {
        count += 1;
        assert!(count < 20, "it goes on for ever");
        least *= 2;
        let more = format!("Min-Expires: {least}");
        town.respond(provider, &register, "423 Interval Too Brief", "p", &[&more], "");
        match town.find(provider, |text| text.kind() == "REGISTER") {
            Some(next) => register = next,
            None => break,
        }
    }
    let view = town.line("work");
    assert_eq!(view.standing.state, "unreachable", "{view:?}");
    assert!(view.standing.cause.contains("423"), "{view:?}");
}

#[test]
fn an_account_that_is_switched_off_is_taken_off_and_one_that_is_renamed_stays() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let facts = account("work", "provider.test");
    town.sign_up(facts.clone());
    town.let_in(provider);
    let mut renamed = facts.clone();
    renamed.title = "At work".into();
    town.sign_up(renamed.clone());
    town.assert_silent(provider);
    assert_eq!(
        (town.line("work").title.as_str(), town.line("work").standing.state),
        ("At work", "online")
    );
    renamed.enabled = false;
    town.sign_up(renamed);
    let gone = town.expect(provider, "REGISTER");
    assert!(gone.header("Contact").contains("expires=0"), "{gone:?}");
    town.respond(provider, &gone, "200 OK", "p", &[], "");
    assert_eq!(town.line("work").standing.state, "off");
    town.pass_seconds(DAY);
    town.assert_silent(provider);
}

#[test]
fn a_thousand_accounts_register_within_half_a_minute() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let real = Instant::now();
    for number in 0..1000 {
        let name = format!("account-{number}");
        town.sign_up(account(&name, "provider.test"));
    }
    let mut most = 0;
    let mut granted = 0;
    for _ in 0..300 {
        town.pass(Duration::from_millis(100));
        let mut at_once = 0;
        while let Some(register) = town.find(provider, |text| text.kind() == "REGISTER") {
            at_once += 1;
            if register.header("Authorization").is_empty() {
                let more =
                    ["WWW-Authenticate: Digest realm=\"provider\", nonce=\"n1\", qop=\"auth\""];
                town.respond(provider, &register, "401 Unauthorized", "p", &more, "");
            } else {
                town.grant(provider, &register, 3600);
                granted += 1;
            }
        }
        most = most.max(at_once);
        if granted == 1000 {
            break;
        }
    }
    assert_eq!(granted, 1000);
    assert!(town.elapsed() <= Duration::from_secs(30), "{:?}", town.elapsed());
    assert!(most <= 100, "{most} at once");
    eprintln!("a thousand accounts: {:?} with the provider", real.elapsed());
    // Refreshes are spread: no second has more than a few.
    let mut most = 0;
    for _ in 0..3600 {
        town.pass_seconds(1);
        let mut at_once = 0;
        while let Some(register) = town.find(provider, |text| text.kind() == "REGISTER") {
            at_once += 1;
            town.grant(provider, &register, 3600);
        }
        most = most.max(at_once);
    }
    assert!(most <= 10, "{most} refreshes in one second");
}
