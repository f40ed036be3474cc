// SPDX-License-Identifier: GPL-3.0-or-later

use std::fs;

use tempfile::TempDir;

use super::*;

fn mistake(text: &str) -> String {
    Config::parse(text).expect_err(text).to_string()
}

#[test]
fn the_shipped_file_spells_out_the_defaults() {
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    // Compared as tables: a key left out of the file would go unseen in the typed tree.
    assert_eq!(shipped, Config::default().table());
    assert_eq!(Config::parse(SHIPPED).unwrap(), Config::default());
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

#[test]
fn every_shipped_key_has_a_comment() {
    let mut commented = false;
    for line in SHIPPED.lines() {
        match line {
            "" => commented = false,
            line if line.starts_with('#') => commented = true,
            line if line.starts_with('[') => commented = false,
            line => assert!(commented, "{line}"),
        }
    }
}

#[test]
fn the_shipped_file_marks_what_waits_for_a_restart() {
    let single = SHIPPED.matches("(restart)").count();
    let double = SHIPPED.matches("(restart for ").count();
    // One more stands in the explanation on top.
    assert_eq!(single - 1 + 2 * double, everything_else().1.restart.len());
}

#[test]
fn mistakes_name_line_column_key_and_a_way_out() {
    for (text, expected) in [
        (
            "[sip]\n  lisen = []\n",
            "2:3: sip.lisen: unknown key \"lisen\": did you mean \"listen\"?",
        ),
        ("[spi]\n", "1:2: spi: unknown key \"spi\": did you mean \"sip\"?"),
        ("[dial]\nquux = 1", "2:1: dial.quux: unknown key \"quux\": known here are from"),
        (
            "[calls]\n\nring-seconds = 4",
            "3:16: calls.ring-seconds: 4 is out of bounds: it must be between 5 and 600 seconds",
        ),
        (
            "[calls]\nring-seconds = \"long\"",
            "2:16: calls.ring-seconds: invalid type: string \"long\", expected i64",
        ),
        (
            "[limits]\nmessage-bytes = -1",
            "2:17: limits.message-bytes: -1 is out of bounds: it must be between 4096 and 1048576 bytes",
        ),
        (
            "[sip]\nlisten = [\"udp:127.0.0.1\", \"udp:nowhere\"]",
            "2:10: sip.listen: \"udp:nowhere\" is no address to listen on: write udp:, tcp: or tls:, \
             an IP address, and perhaps a port, as in udp:127.0.0.1:5060 or tcp:[::1]",
        ),
        (
            "[sip]\nlisten = []",
            "2:1: sip.listen: no address to listen on: leave the key out, or name one",
        ),
        (
            "# ä\n[sip]\nlan = false\nlisten = [\"udp:192.0.2.1:5060\"]",
            "4:1: sip.listen: udp:192.0.2.1:5060 can be reached by other machines: set lan = true if \
             that is meant",
        ),
        (
            "[sip]\ntls-certificate = \"own.pem\"",
            "2:19: sip.tls-certificate: \"own.pem\" is no whole path: write it from the root, as in \
             /home/ada/key.pem",
        ),
        (
            "[sip]\ntls-certificate = \"/own.pem\"",
            "2:1: sip.tls-certificate: a certificate without its key is of no use: set tls-key too",
        ),
        (
            "[sip]\ntls-key = \"/own.key\"",
            "2:1: sip.tls-key: a key without its certificate is of no use: set tls-certificate too",
        ),
        (
            "[sip]\nlisten = [\"tls:127.0.0.1\"]",
            "2:1: sip.listen: tls: needs a certificate to show: set tls-certificate and tls-key",
        ),
        (
            "[peers]\naccept-calls = true",
            "2:1: peers.accept-calls: domains of others call over TLS: name a tls: address in \
             sip.listen",
        ),
        (
            "[dial]\nfrom = \"\\u0001\"",
            "2:8: dial.from: character '\\u{1}' cannot be part of an extension: use letters a-z, digits, \
             *, #, '.', '-' or '_'",
        ),
        (
            "[sip]\ndomain = \"two words\"",
            "2:10: sip.domain: \"two words\" is no domain: use a name such as house.example.org",
        ),
        (
            "[registrar]\nmin-expires-seconds = 7200",
            "2:1: registrar.default-expires-seconds: must be between min-expires-seconds (7200) and \
             max-expires-seconds (86400)",
        ),
        (
            "[registrar]\nmax-expires-seconds = 600\nmin-expires-seconds = 601",
            "3:1: registrar.min-expires-seconds: must not be above max-expires-seconds, which is 600",
        ),
        (
            "[registrar]\ndigest-algorithms = [\"MD5\", \"MD5\"]",
            "2:1: registrar.digest-algorithms: each algorithm may be named once",
        ),
        (
            "[registrar]\ndigest-algorithms = [\"SHA-512-256\"]",
            "2:1: registrar.digest-algorithms: no phone could register by the password of its \
             extension: name SHA-256, MD5 or both",
        ),
        (
            "[registrar]\ndigest-algorithms = []",
            "2:1: registrar.digest-algorithms: no phone could register by the password of its extension: name SHA-256, MD5 or both",
        ),
        (
            "limits = { connections = 0 }",
            "1:26: limits.connections: 0 is out of bounds: it must be between 1 and 100000",
        ),
        (
            "[log]\nlevel = \"inof\"",
            "2:9: log.level: \"inof\" is no level: use error, warn, info, debug, trace or off, and \
             PART=LEVEL after commas",
        ),
    ] {
        assert_eq!(mistake(text), expected, "{text}");
    }
    assert!(mistake("[sip]\nlan = maybe").starts_with("2:7: "));
    assert!(mistake("[sip\nlan = true").starts_with("1:"));
    assert!(mistake("[sip]\nlan = true\nlan = false").starts_with("3:1: "));
}

#[test]
fn a_file_is_named_in_its_errors_and_may_be_missing() {
    let folder = TempDir::new().unwrap();
    let path = path_in(folder.path());
    assert!(path.ends_with("sipwitch/config.toml"));
    assert_eq!(Config::load_if_present(&path).unwrap(), None);
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");

    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "[sip]\nlan = 1").unwrap();
    let error = Config::load_if_present(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:2:7: sip.lan: ", path.display())), "{error}");

    fs::write(&path, "[sip]\nlan = true").unwrap();
    assert!(Config::load(&path).unwrap().sip.lan);
    fs::write(&path, "#".repeat(2 << 20)).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("1 MiB"));
    fs::write(&path, b"\xff\xfe").unwrap();
    assert!(Config::load(&path).is_err());
}

#[test]
fn what_is_not_said_is_derived() {
    let closed = Config::default();
    assert_eq!(closed.domain("ada-laptop"), "localhost");
    assert_eq!(closed.user_agent(), concat!("SIPWitch/", env!("CARGO_PKG_VERSION")));
    assert_eq!(closed.listen(), ListenAddress::LOOPBACK);

    let open = Config::parse("[sip]\nlan = true\nlisten = [\"udp:127.0.0.1\", \"tcp:[::1]:5070\"]");
    let open = open.unwrap();
    assert_eq!(open.domain("ada-laptop"), "ada-laptop");
    assert_eq!(open.domain(""), "localhost");
    let listen: Vec<String> = open.listen().iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["udp:0.0.0.0", "tcp:[::]:5070"]);

    let named = Config::parse("[sip]\ndomain = \"House.example.org\"\nuser-agent = \"Switch 1\"");
    let named = named.unwrap();
    assert_eq!((named.domain("x"), named.user_agent()), ("house.example.org", "Switch 1"));
}

/// A configuration in which no key has its default, and what reading it would change.
fn everything_else() -> (Config, Difference) {
    let text = r#"
        [sip]
        listen = ["tls:127.0.0.2:5080"]
        lan = true
        domain = "house.example.org"
        user-agent = "other"
        tls-certificate = "/c.pem"
        tls-key = "/k.pem"
        tls-authorities = ["/a.pem"]
        [registrar]
        default-expires-seconds = 3601
        min-expires-seconds = 61
        max-expires-seconds = 86401
        phones = 2
        phones-per-extension = 1
        digest-algorithms = ["MD5"]
        nonce-lifetime-seconds = 301
        trust-own-loopback = false
        login-password-without-tls = true
        [peers]
        call-directly = false
        accept-calls = true
        requests-per-minute = 1
        [calls]
        ring-seconds = 61
        session-expires-seconds = 1801
        calls = 2
        [dial]
        from = "101"
        [numbers]
        region = "DE"
        enum = true
        enum-root = "enum.example"
        [accounts]
        passwords = "memory"
        [messages]
        keep = 1
        keep-per-extension = 1
        keep-days = 1
        [history]
        keep = 1
        keep-days = 1
        [names]
        servers = ["192.0.2.53"]
        trust-anchors = "/etc/anchor.key"
        [limits]
        requests-per-second = 1
        request-burst = 1
        connections = 1
        connections-per-source = 1
        idle-connection-seconds = 10
        half-message-seconds = 1
        message-bytes = 4096
        header-fields = 32
        [log]
        level = "debug,sipwitch_sip=trace"
        target = "stderr"
    "#;
    let config = Config::parse(text).unwrap();
    let difference = Config::default().diff(&config);
    (config, difference)
}

#[test]
fn every_key_applies_at_once_or_waits_for_a_restart() {
    let (other, difference) = everything_else();
    let mut all: Vec<_> = difference.live.iter().chain(&difference.restart).cloned().collect();
    all.sort();
    let mut expected = Vec::new();
    for (section, keys) in Config::default().table() {
        expected.extend(keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
    }
    expected.sort();
    assert_eq!(all, expected);
    assert!(difference.restart.contains(&"sip.listen".to_owned()));
    assert!(difference.live.contains(&"registrar.trust-own-loopback".to_owned()));
    assert!(difference.restart_lines()[0].starts_with("sip.listen takes effect"));

    let (next, _) = Config::default().reloaded(other.clone());
    assert_eq!(next.sip.listen, Config::default().sip.listen, "the running sockets stay");
    assert_eq!(next.registrar, other.registrar);
    assert!(next.diff(&next).is_empty());
}

#[test]
fn what_is_written_is_read_again() {
    let (other, _) = everything_else();
    let text = toml::to_string(&other).unwrap();
    assert_eq!(Config::parse(&text).unwrap(), other);
}

proptest::proptest! {
    #[test]
    fn no_text_can_make_it_panic(text in "(?s)[\\[\\]a-z\"'=\n\\-0-9#{},.ä]{0,200}") {
        let _ = Config::parse(&text).map_err(|mistake| mistake.to_string());
    }

    #[test]
    fn a_spoiled_file_is_read_or_refused_with_a_place_inside_it(at in 0..SHIPPED.len(), with in "[\\[\\]a-z\"= \n\\-0-9#ä]{0,3}") {
        if SHIPPED.is_char_boundary(at) {
            let text = format!("{}{with}{}", &SHIPPED[..at], &SHIPPED[at..]);
            if let Err(mistake) = Config::parse(&text) {
                proptest::prop_assert!((1..=text.lines().count() + 1).contains(&mistake.line));
                proptest::prop_assert!(!mistake.words.is_empty());
            }
        }
    }
}
