// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use sipwitch_core::line::Users;
use tempfile::TempDir;

use super::provider;
use crate::{
    accounts::{Book, Folder, Holder, Kept, book::Change},
    secret::Secret,
    switchboard::ask::{AccountChange, NewAccount, Refusal},
};

fn book(home: &Path) -> Book {
    let find = |id: &crate::providers::ProviderId| match id.as_str() {
        "house-net" => Ok(Some(provider())),
        "broken-net" => Err("broken-net.toml:3:1: it is broken".to_owned()),
        _ => Ok(None),
    };
    Book::new(Folder::of_user(home), Box::new(find))
}

fn answers(pairs: &[(&str, &str)]) -> Vec<(String, Secret<String>)> {
    pairs.iter().map(|(key, answer)| ((*key).into(), Secret::new((*answer).into()))).collect()
}

fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn new(pairs: &[(&str, &str)]) -> NewAccount {
    NewAccount {
        provider: Some("house-net".into()),
        change: AccountChange { answers: answers(pairs), ..AccountChange::default() },
        ..NewAccount::default()
    }
}

fn refused<T>(result: Result<T, Refusal>) -> String {
    result.err().expect("refused").to_string()
}

#[test]
fn an_account_is_a_file_that_only_its_owner_reads_and_has_no_password_in_it() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    let (id, changed) = book.add(new(&[("account", "17"), ("password", "hunter2")])).unwrap();
    assert_eq!(id.as_str(), "house-net");
    assert_eq!(changed.password.unwrap().expose(), "hunter2");
    let file = book.folder().path().join("house-net.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = fs::metadata(book.folder().path()).unwrap().permissions().mode();
    assert_eq!(folder & 0o777, 0o700);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("account = \"17\"") && !text.contains("hunter2"), "{text}");
    assert_eq!(fs::read_dir(book.folder().path()).unwrap().count(), 1, "no draft is left");

    // Another process would read the same.
    assert!(book.read().is_empty());
    let mut again = super::book::book(home.path());
    let changes = again.read();
    assert_eq!(changes, [Change::Put(book.account("house-net").unwrap().clone())]);
}

#[test]
fn two_accounts_of_one_provider_have_different_names() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    for (account, name) in [("1", "house-net"), ("2", "house-net-2"), ("3", "house-net-3")] {
        let (id, _) = book.add(new(&[("account", account)])).unwrap();
        assert_eq!(id.as_str(), name);
    }
    let named = NewAccount { id: Some("house-net".into()), ..new(&[("account", "4")]) };
    assert!(refused(book.add(named)).contains("exists already"));
    let domain = |domain: &str| NewAccount {
        domain: Some(domain.into()),
        change: AccountChange { answers: answers(&[("user", "100")]), ..AccountChange::default() },
        ..NewAccount::default()
    };
    assert_eq!(book.add(domain("Pbx.Example.org")).unwrap().0.as_str(), "pbx-example-org");
}

#[test]
fn what_cannot_be_is_refused_by_name_and_nothing_is_written() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    let with = |change: AccountChange| NewAccount {
        change: AccountChange { answers: answers(&[("account", "17")]), ..change },
        ..new(&[])
    };
    let set = |key: &str, value: &str| AccountChange {
        settings: settings(&[(key, value)]),
        ..AccountChange::default()
    };
    let long = "x".repeat(300);
    for (account, words) in [
        (new(&[]), "account: it was not answered"),
        (new(&[("account", "x")]), "account: it does not match"),
        (
            new(&[("account", "17"), ("domian", "17")]),
            "is not asked: house-net asks region, account, password",
        ),
        (new(&[("account", "17"), ("password", &long)]), "password: use up to 255"),
        (NewAccount { provider: Some("no-net".into()), ..new(&[]) }, "there is no provider no-net"),
        (
            NewAccount { provider: Some("broken-net".into()), ..new(&[]) },
            "its provider is refused: broken-net.toml:3:1",
        ),
        (NewAccount { id: Some("../../x".into()), ..new(&[]) }, "id: \"../../x\" is no name"),
        (NewAccount { domain: Some("x y".into()), provider: None, ..new(&[]) }, "domain: \"x y\""),
        (NewAccount { provider: None, ..new(&[]) }, "name a provider, or a domain"),
        (with(set("server.port", "x")), "server.port: it must be a number"),
        (with(set("server.port", "99999")), "server.port: 99999 is out of bounds"),
        (with(set("server.prot", "1")), "unknown key \"prot\": did you mean \"port\"?"),
        (with(set("enabled", "true")), "enabled: no such setting"),
        (with(set("server.transports", "carrier-pigeon")), "server.transports: \"carrier-pigeon\""),
        (
            with(AccountChange { incoming: Some("a b".into()), ..AccountChange::default() }),
            "incoming: character ' '",
        ),
        (
            with(AccountChange { region: Some("Germany".into()), ..AccountChange::default() }),
            "region: \"Germany\" is not the two-letter code",
        ),
        (
            with(AccountChange { order: Some(1_000_000), ..AccountChange::default() }),
            "order: 1000000 is out of bounds",
        ),
    ] {
        let why = refused(book.add(account));
        assert!(why.contains(words), "{why:?} has not {words:?}");
        assert!(!why.contains(&long));
    }
    assert!(!book.folder().path().exists() || book.read().is_empty());
}

#[test]
fn settings_are_set_shown_and_taken_away_by_key() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    book.add(new(&[("account", "17")])).unwrap();
    let all = [
        ("server.port", "5071"),
        ("server.transports", "tls,tcp"),
        ("server.tls-host", "sip.example.net"),
        ("auth.algorithms", "SHA-256"),
        ("register.expires-seconds", "300"),
        ("register.required", "true"),
        ("identity.number", "+4930123456"),
        ("identity.hide-number", "true"),
        ("numbers.own", "+4930123456,+4930123457"),
        ("numbers.region", "AT"),
        ("nat.keepalive.method", "crlf"),
        ("nat.keepalive.interval-seconds", "25"),
        ("costs.per-minute.49", "0.01"),
        ("costs.cap-minutes", "100"),
    ];
    let change = AccountChange { settings: settings(&all), ..AccountChange::default() };
    let account = book.change("house-net", change).unwrap().account;
    let shown: Vec<(&str, &str)> =
        account.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut wanted = all.to_vec();
    wanted.sort_unstable();
    assert_eq!(shown, wanted);
    assert_eq!(account.plan.shows_as(), "anonymous");
    assert_eq!(account.plan.numbering.region.unwrap().as_str(), "AT");

    let away: Vec<(&str, &str)> = all.iter().map(|(key, _)| (*key, "")).collect();
    let change = AccountChange { settings: settings(&away), ..AccountChange::default() };
    assert!(book.change("house-net", change).unwrap().account.settings.is_empty());
}

#[test]
fn files_that_come_change_break_and_go_are_followed() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    assert!(book.read().is_empty(), "no folder is no accounts");
    let folder = book.folder().path().to_owned();
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("pbx.toml");
    let text = "domain = \"pbx.example.org\"\nanswers = { user = \"100\" }\n";
    fs::write(&file, text).unwrap();
    fs::write(folder.join("Bad Name.toml"), text).unwrap();
    fs::write(folder.join(".pbx.toml.swp"), "[[[").unwrap();
    let changes = book.read();
    assert!(matches!(&changes[..], [Change::Put(account)] if &*account.plan.id == "pbx"));
    assert!(book.warnings()[0].contains("Bad Name.toml: \"Bad Name\" is no name"));
    fs::remove_file(folder.join("Bad Name.toml")).unwrap();

    fs::write(&file, format!("{text}enabled = maybe\n")).unwrap();
    assert!(book.read().is_empty(), "what is broken stays as it was");
    let warnings = book.warnings();
    assert!(warnings[0].contains("pbx.toml:3:"), "{warnings:?}");
    assert!(warnings[1].contains("pbx stays as it was"), "{warnings:?}");

    fs::write(&file, format!("enabled = false\n{text}")).unwrap();
    assert!(matches!(&book.read()[..], [Change::Put(account)] if !account.plan.enabled));
    assert!(book.warnings().is_empty());

    fs::remove_file(&file).unwrap();
    assert!(matches!(&book.read()[..], [Change::Gone(id)] if &**id == "pbx"));
}

#[test]
fn an_account_that_moves_to_another_domain_leaves_its_password_behind() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    book.add(new(&[("account", "17")])).unwrap();
    assert!(book.kept("house-net", Kept::Keyring).is_some());
    assert!(book.kept("house-net", Kept::Keyring).is_none(), "no news");
    let title = AccountChange { title: Some("Office".into()), ..AccountChange::default() };
    assert_eq!(book.change("house-net", title).unwrap().account.kept, Kept::Keyring);
    let moved =
        AccountChange { answers: answers(&[("region", "south")]), ..AccountChange::default() };
    assert_eq!(book.change("house-net", moved).unwrap().account.kept, Kept::Unknown);
}

#[test]
fn a_removed_account_leaves_no_file() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    book.add(new(&[("account", "17")])).unwrap();
    assert_eq!(&*book.remove("house-net").unwrap().plan.id, "house-net");
    assert!(!book.folder().path().join("house-net.toml").exists());
    assert!(refused(book.remove("house-net")).contains("no account house-net"));
    assert!(book.read().is_empty());
}

#[test]
fn a_disk_that_takes_nothing_changes_nothing() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("sipwitch"), "in the way").unwrap();
    let mut book = book(home.path());
    let why = book.add(new(&[("account", "17")])).unwrap_err();
    assert!(matches!(why, Refusal::NotStored(_)), "{why}");
    assert!(book.account("house-net").is_err());
}

#[test]
fn an_account_of_a_program_is_in_no_file_and_nobody_else_calls_by_it() {
    let home = TempDir::new().unwrap();
    let mut book = book(home.path());
    let holder = Holder::Program(Some(":1.7".into()));
    let its = NewAccount {
        holder: holder.clone(),
        change: AccountChange {
            incoming: Some("101".into()),
            ..new(&[("account", "17"), ("password", "hunter2")]).change
        },
        ..new(&[])
    };
    let (id, changed) = book.add(its).unwrap();
    assert_eq!(changed.account.holder, holder);
    assert_eq!(changed.account.plan.users, Users::ItsProgram);
    assert_eq!(changed.account.plan.incoming, None);
    assert_eq!(changed.password.unwrap().expose(), "hunter2");
    assert!(!book.folder().path().join("house-net.toml").exists());
    assert!(book.read().is_empty(), "it stays");
    let title = AccountChange { title: Some("Mine".into()), ..AccountChange::default() };
    let changed = book.change(id.as_str(), title).unwrap();
    assert_eq!(&*changed.account.plan.title, "Mine");
    assert!(!book.folder().path().join("house-net.toml").exists());

    // A file of its name does not take its place.
    fs::create_dir_all(book.folder().path()).unwrap();
    fs::write(
        book.folder().path().join("house-net.toml"),
        "domain = \"example.org\"\n[answers]\nuser = \"x\"\n",
    )
    .unwrap();
    assert!(book.read().is_empty());
    assert!(
        book.warnings()[0].contains("a program has an account of this name"),
        "{:?}",
        book.warnings()
    );

    assert!(book.held_by(":1.8").is_empty());
    assert_eq!(book.held_by(":1.7"), ["house-net"]);
    book.remove("house-net").unwrap();
    assert!(book.folder().path().join("house-net.toml").exists(), "the file is another account's");
    assert_eq!(book.read().len(), 1);

    let gateway = NewAccount { gateway: Some("101".into()), holder, ..NewAccount::default() };
    assert!(refused(book.add(gateway)).contains("transient"));
}
