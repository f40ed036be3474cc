// SPDX-License-Identifier: GPL-3.0-or-later
//! Files that nobody with good intentions wrote.

use std::fs;

use tempfile::TempDir;

use crate::accounts::{AccountFile, Folder};

#[test]
fn a_mistake_has_its_line_and_column() {
    for (text, words) in [
        ("provider = \"a\"\npassword = \"hunter2\"", "2:1: password: unknown key \"password\""),
        ("provider = \"a\"\n[server]\n  prot = 1", "3:3: server.prot: unknown key"),
        (
            "provider = \"a\"\n[nat.keepalive]\nmethods = \"crlf\"\ninterval-seconds = 9",
            "3:1: nat.keepalive.methods: unknown key \"methods\": did you mean \"method\"?",
        ),
        (
            "provider = \"a\"\n[nat]\nkeepalive = { method = \"zz\", interval-seconds = 9 }",
            "3:24: nat.keepalive.method: \"zz\" is unknown here",
        ),
        (
            "provider = \"a\"\n[nat.keepalive]\nmethod = \"crlf\"\ninterval-seconds = 1",
            "4:20: nat.keepalive.interval-seconds: 1 is out of bounds",
        ),
        ("provider = \"a\"\nenabled = \"yes\"", "2:11: enabled: invalid type"),
        ("provider = \"A B\"", "1:12: provider: \"A B\" is no name of a provider"),
        ("provider = \"a\"\ndomain = \"b.example\"", "2:1: domain: name a provider or a domain"),
        ("enabled = true", "1:1: provider: missing"),
        ("domain = \"{x}.example\"", "1:1: domain: write the domain itself"),
        ("kind = \"gateway\"", "gateway: missing"),
        ("domain = \"b.example\"\n[gateway]\nextension = \"9\"", "a gateway is a phone here"),
        ("domain = \"b.example\"\n[trunk]\nsources = [\"1.2.3.4/99\"]", "3:11: trunk.sources"),
        (
            "domain = \"b.example\"\n[costs]\nper-minute = { \"+49\" = \"0.1\" }",
            "3:1: costs.per-minute",
        ),
        ("[[[", "1:"),
        ("provider = \"a\"\nprovider = \"b\"", "2:1: duplicate key"),
    ] {
        let mistake = AccountFile::parse(text).unwrap_err().to_string();
        assert!(mistake.contains(words), "{text:?}: {mistake:?} has not {words:?}");
        assert!(!mistake.contains("hunter2"), "{mistake}");
    }
}

#[test]
fn large_deep_and_strange_files_are_refused() {
    let home = TempDir::new().unwrap();
    let folder = Folder::of_user(home.path());
    fs::create_dir_all(folder.path()).unwrap();
    let at = |name: &str| folder.path().join(name);
    let huge = fs::File::create(at("huge.toml")).unwrap();
    huge.set_len(100 * 1024 * 1024).unwrap();
    fs::write(at("deep.toml"), format!("a = {}", "[".repeat(60_000))).unwrap();
    fs::write(at("bytes.toml"), [0xff, 0xfe, 0x00]).unwrap();
    fs::create_dir(at("folder.toml")).unwrap();
    nix::unistd::mkfifo(&at("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("gone.toml")).unwrap();
    fs::write(at("good.toml"), "domain = \"b.example\"").unwrap();
    let found = folder.read();
    assert_eq!(found.accounts.keys().map(ToString::to_string).collect::<Vec<_>>(), ["good"]);
    let refused: Vec<String> =
        found.refused.iter().filter_map(|refused| Some(refused.id.as_ref()?.to_string())).collect();
    assert_eq!(refused, ["bytes", "deep", "folder", "huge", "pipe", "zero"]);
    assert!(found.refused.iter().all(|refused| refused.words.len() < 500), "{:?}", found.refused);
}
