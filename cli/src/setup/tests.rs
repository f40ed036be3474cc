// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

const PROGRAMS: [Program; 4] =
    [Program::Baresip, Program::Linphone, Program::GnomeCalls, Program::Twinkle];

fn account() -> Account {
    Account {
        extension: "101".into(),
        domain: "localhost".into(),
        server: "127.0.0.1:5062".into(),
        transport: "udp".into(),
        password: None,
    }
}

fn home() -> (tempfile::TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    let home =
        Home { directory: directory.path().to_owned(), config: directory.path().join(".config") };
    (directory, home)
}

#[test]
fn an_account_is_written_once_and_for_the_user_alone() {
    for program in PROGRAMS {
        let (_keep, home) = home();
        for write in writes(program, &account(), &home).unwrap() {
            write.carry_out().unwrap();
            let mode = fs::metadata(&write.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{program:?}");
            assert!(fs::read_to_string(&write.path).unwrap().contains("506"), "{program:?}");
        }
        let again = writes(program, &account(), &home).unwrap_err();
        assert!(again.cause.contains("101@localhost"), "{program:?}: {again}");
        let other = Account { extension: "102".into(), ..account() };
        assert!(writes(program, &other, &home).is_ok(), "{program:?}");
    }
}

#[test]
fn what_is_there_stays() {
    let (_keep, home) = home();
    let path = home.directory.join(".baresip").join("accounts");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "# mine\n<sip:me@example.org>").unwrap();
    for write in writes(Program::Baresip, &account(), &home).unwrap() {
        write.carry_out().unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# mine\n<sip:me@example.org>\n<sip:101@localhost;"), "{text}");
}

#[test]
fn a_section_takes_the_first_free_number() {
    assert_eq!(free_section("", "proxy_"), 0);
    assert_eq!(free_section("[proxy_0]\nx=1\n[proxy_1]\n", "proxy_"), 2);
    assert_eq!(free_section("[sip-00]\n[sip-02]\n", "sip-"), 1);
}

#[test]
fn a_program_that_would_take_the_port_of_the_service_gets_another() {
    let usual = Account { server: "127.0.0.1:5060".into(), ..account() };
    for (text, takes) in [
        ("", true),
        ("[sip]\nsip_port=5060\n", true),
        ("sip_port=5070\n", false),
        ("sip_port=5060\nsip_port=-1\n", false),
        ("sip_ports=5070\n", true),
    ] {
        assert_eq!(takes_our_port(text, "sip_port", &usual), takes, "{text}");
    }
    for (program, port) in [(Program::Linphone, "sip_port=-1"), (Program::Twinkle, "sip_port=5062")]
    {
        let (_keep, home) = home();
        let written = writes(program, &usual, &home).unwrap();
        assert!(written.iter().any(|write| write.added.contains(port)), "{written:?}");
    }
}
