// SPDX-License-Identifier: GPL-3.0-or-later

mod documents;
mod library;
mod places;
mod rough;
mod shipped;

use std::collections::BTreeSet;

use super::*;
use crate::config::Mistake;

/// A file in which most keys are used.
const FULL: &str = r##"
schema = 1
id = "house-net"
name = "House Net"
names = { de = "Hausnetz" }
country = ["DE", "AT"]
kind = "itsp"
domain = "{region}.example.net"
docs = "https://example.net/sip"
verified = "2026-11"
evidence = ["docs", "memory"]
unsure = ["media.srtp"]
note = "For tests alone."

[server]
registrar = "reg.example.net"
outbound-proxy = "proxy.{region}.example.net"
srv = "required"
port = 5070
transports = ["tls", "tcp", "udp"]
tls = { host = "secure.example.net", port = 5061, scheme = "sip" }
ip = ["v4", "v6"]
stun = "stun.example.net:3478"

[auth]
user = "{account}"
auth-user = "{account}*ext"
realm = "example.net"
algorithms = ["SHA-256", "MD5"]
on-failure = { 403 = "bad-password", 503-after-401 = "throttled", silence = "banned" }
lockout = { failures = 5, seconds = 1800 }

[register]
required = true
expires-seconds = 600
min-expires-seconds = 300
min-interval-seconds = 60

[identity]
from-user = "{account}"
caller-id = "p-preferred-identity"
privacy = { star-code = "*31#" }

[numbers]
dial = "00"
country-code = "49"
national-prefix = "0"
international-prefix = "00"
short-codes = { voicemail = "*97", echo = "10005", balance = "*1", own-number = "*2", internal = "**" }
emergency = "location-required"
emergency-numbers = ["110", "112"]

[media]
codecs = ["opus", "G722", "PCMA"]
dtmf = ["rfc4733", "info"]
dtmf-payload = 101
srtp = "sdes-optional"
ice = false
rtp-ports = "10000-65535"

[nat]
keepalive = { method = "crlf", interval-seconds = 25 }
contact = "mapped"
symmetric = true

[messaging]
sip-message = "yes"
sms = "portal"

[links]
portal = "https://example.net/portal"
balance = "https://example.net/portal?tab=balance"
status = "https://status.example.net"
signup = "https://example.net/join"

[test]
number = "10000"
uri = "sip:echo@example.net"

[ask]
fields = [
    { key = "account", label = "User name", labels = { de = "Benutzername" }, pattern = "[0-9]+", example = "1234567" },
    { key = "region", label = "Region", choices = ["eu", "us"], default = "eu", help = "The nearest." },
    { key = "password", label = "Password", secret = true },
]
"##;

#[test]
fn every_fact_of_a_file_is_read() {
    let Parsed { provider, warnings } = Provider::parse(FULL).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(provider.name_in("de-AT").as_str(), "Hausnetz");
    assert_eq!(provider.name_in("fr").as_str(), "House Net");
    assert_eq!(provider.registrar().as_str(), "reg.example.net");
    assert_eq!(provider.secret().unwrap().key.as_str(), "password");
    assert_eq!(provider.identity.privacy, Some(Privacy::StarCode("*31#".parse().unwrap())));
    assert_eq!(provider.numbers.dial, Some(DialFormat::International));
    let answers = |key: &str| match key {
        "account" => Some("1234567"),
        "region" => provider.answer_or_default("region", None),
        _ => None,
    };
    assert_eq!(provider.domain.fill(answers).unwrap(), "eu.example.net");
    assert_eq!(provider.auth_user().unwrap().fill(answers).unwrap(), "1234567*ext");
    let again = toml::to_string(&provider).unwrap();
    assert_eq!(Provider::parse(&again).unwrap().provider, provider);
}

/// A file with the least that one needs, and something more in front of its tables and after them.
fn least(before: &str, after: &str) -> String {
    format!(
        "schema = 1\nid = \"x\"\nname = \"X\"\nkind = \"itsp\"\ndomain = \"x.org\"\n\
         evidence = [\"memory\"]\n{before}\n[auth]\nuser = \"{{account}}\"\n[ask]\n\
         fields = [{{ key = \"account\", label = \"Name\" }}]\n{after}\n"
    )
}

fn mistake(text: &str) -> String {
    Provider::parse(text).expect_err(text).to_string()
}

#[test]
fn the_least_a_file_needs_is_little() {
    let parsed = Provider::parse(&least("", "")).unwrap();
    assert_eq!(parsed.warnings, []);
    let provider = parsed.provider;
    assert_eq!(provider.registrar().as_str(), "x.org");
    assert_eq!(provider.from_user().unwrap().as_str(), "{account}");
    assert_eq!(provider.numbers.emergency, EmergencyAbility::Unknown, "nobody claims more");
    assert!(provider.register.required);
    assert_eq!(provider.secret(), None);
}

#[test]
fn mistakes_name_line_column_key_and_a_way_out() {
    for (text, expected) in [
        (String::new(), "1:1: schema: missing: begin the file with schema = 1"),
        ("schema = 2\nall = new".into(), "2:7: "),
        (
            "schema = 2\nall = \"new\"".into(),
            "1:10: schema: only schema 1 is understood here: this file needs a later version",
        ),
        ("schema = 1\nid = \"x\"".into(), "1:1: the key \"name\" is missing"),
        (
            least("", "[server]\nport = 70000"),
            "13:8: server.port: 70000 is out of bounds: it must be between 1 and 65535",
        ),
        (
            least("", "[server]\nport = \"5060\""),
            "13:8: server.port: invalid type: string \"5060\", expected i64",
        ),
        (
            least("", "[server]\nsrv = true"),
            "13:7: server.srv: invalid type: boolean `true`, expected a string",
        ),
        (
            least("", "[server]\ntransports = [\"udp\", \"sctp\"]"),
            "13:22: server.transports: \"sctp\" is unknown here: use one of tls, tcp, udp",
        ),
        (
            least("", "[server]\nregistrar = \"sip:x.org;transport=tls\""),
            "13:13: server.registrar: \"sip:x.org;transport=tls\" is no host: write a name such as \
             sip.example.org, without port or parameters",
        ),
        (
            least("country = [\"Germany\"]", ""),
            "7:12: country: \"Germany\" is not the two-letter code of a country, such as DE or US",
        ),
        (
            least("docs = \"https://me:pw@x.org/\"", ""),
            "7:8: docs: \"https://me:pw@x.org/\" is no page: write https://, a host, and perhaps a path",
        ),
        (
            least("unsure = [\"media.strp\"]", ""),
            "7:1: unsure: \"media.strp\" is no key: name one with its table, as in media.srtp",
        ),
        (
            least("verified = \"last year\"", ""),
            "7:12: verified: \"last year\" is no month: write it in quotes, as in \"2026-11\"",
        ),
        (
            least("", "[server]\noutbound-proxy = \"{city}.x.org\""),
            "13:1: server.outbound-proxy: {city} is not asked: add it to the fields of [ask]",
        ),
        (
            least("", "[identity]\nfrom-user = \"{account\""),
            "13:13: identity.from-user: \"{account\" has a brace without its fellow: write {account}",
        ),
        (
            least("", "[numbers]\nemergency = \"maybe\""),
            "13:13: numbers.emergency: unknown variant `maybe`, expected one of `yes`, \
             `location-required`, `unknown`, `no`",
        ),
        (
            least("", "password = \"hunter2\""),
            "12:1: ask.password: a provider's file holds no secrets: have it asked for by a field of \
             [ask] with secret = true",
        ),
        (
            least("", "[x.y]\nz = [{ api_token = 1 }]"),
            "13:8: x: a provider's file holds no secrets: have it asked for by a field of [ask] with \
             secret = true",
        ),
        (
            least("exec = \"/bin/sh\"", ""),
            "7:1: exec: a provider's file runs nothing: it holds facts alone",
        ),
    ] {
        let said = mistake(&text);
        assert!(said.starts_with(expected), "{said}\n{expected}\n{text}");
    }
}

#[test]
fn questions_are_sound() {
    let with = |fields: &str| {
        let password = "{ key = \"password\", label = \"Password\", secret = true },";
        mistake(&FULL.replace(password, fields))
    };
    for (fields, words) in [
        ("{ key = \"account\", label = \"Again\" }", "account is asked twice"),
        (
            "{ key = \"a\", label = \"A\", secret = true }, { key = \"b\", label = \"B\", secret = true }",
            "only one answer can be the secret",
        ),
        (
            "{ key = \"a\", label = \"A\", secret = true, default = \"hunter2\" }",
            "a is secret: a file cannot know its answer",
        ),
        (
            "{ key = \"a\", label = \"A\", pattern = \"[0-9]+\", default = \"x\" }",
            "default of a: it does not match [0-9]+",
        ),
        (
            "{ key = \"a\", label = \"A\", pattern = \"a)|(b\" }",
            "no pattern that is understood here",
        ),
        ("{ key = \"a\", label = \"A\", pattern = \"(a{1000}){1000}\" }", "no pattern"),
        ("{ key = \"A\", label = \"A\" }", "\"A\" is no name of a question"),
        ("{ key = \"a\", label = \" \" }", "use one line of up to 500 bytes"),
        ("{ key = \"a\" }", "the key \"label\" is missing"),
    ] {
        let said = with(fields);
        assert!(said.contains(words), "{said}");
        assert!(said.contains("ask.fields"), "{said}");
    }
    let secret = "registrar = \"{password}.net\"";
    let said = mistake(&FULL.replace("registrar = \"reg.example.net\"", secret));
    assert!(said.ends_with("{password} is a secret, which stands in no address"), "{said}");
    // Without a user name there is nobody whose password it is.
    let said = mistake(&least("", "").replace("user = \"{account}\"", ""));
    assert!(said.contains("auth.user: missing"), "{said}");
    let trunk = least("", "").replace("user = \"{account}\"", "method = \"address\"");
    assert_eq!(Provider::parse(&trunk).unwrap().provider.auth_user(), None);
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_keeps_nothing_from_working() {
    let after = "[servre]\nport = 1\n[server]\nprot = 5070\n[server.tls]\nhots = 1";
    let Parsed { provider, warnings } =
        Provider::parse(&least("colour = \"blue\"", after)).unwrap();
    let told: Vec<String> = warnings.iter().map(Mistake::to_string).collect();
    assert_eq!(
        told,
        [
            "7:1: colour: unknown key \"colour\": it has no effect here",
            "12:2: servre: unknown key \"servre\": did you mean \"server\"?",
            "15:1: server.prot: unknown key \"prot\": did you mean \"port\"?",
            "17:1: server.tls.hots: unknown key \"hots\": did you mean \"host\"?",
        ]
    );
    assert_eq!(provider.server.port, None);

    let many: String = (0..200).map(|at| format!("x{at} = 1\n")).collect();
    let warnings = Provider::parse(&least(&many, "")).unwrap().warnings;
    assert_eq!(warnings.len(), 50);
    assert!(warnings[49].words.ends_with("; and 150 more unknown keys follow"));
}

#[test]
fn the_list_of_keys_is_the_schema() {
    // FULL uses everything, so that writing it shows every key there is.
    let provider = Provider::parse(FULL).unwrap().provider;
    let text = toml::to_string(&provider).unwrap();
    let mut written = BTreeSet::new();
    collect("", &toml::Value::Table(text.parse().unwrap()), &mut written);
    let listed: BTreeSet<String> = keys::KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(written, listed);
    assert_eq!(keys::KEYS.len(), listed.len(), "no key twice");
}

fn collect(path: &str, value: &toml::Value, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let chosen = keys::KEYS.iter().any(|key| key.path == format!("{path}.*"));
                let name = if chosen { "*" } else { name };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                found.insert(path.clone());
                collect(&path, value, found);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| collect(path, item, found)),
        _ => {}
    }
}

#[test]
fn the_words_of_the_list_are_those_that_are_read() {
    use keys::Value;
    for key in keys::KEYS {
        let (words, list) = match key.value {
            Value::Word(words) => (words, false),
            Value::Words(words) => (words, true),
            Value::Of(_) | Value::Table | Value::Tables => continue,
        };
        for word in words {
            let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            let name = if name == "*" { "403" } else { name };
            let fact = format!(
                "{name} = {}",
                if list { format!("[\"{word}\"]") } else { format!("\"{word}\"") }
            );
            let text = match table {
                "" => {
                    let mut text = least("", "");
                    let start =
                        text.find(&format!("\n{name} = ")).expect("required keys alone") + 1;
                    let end = start + text[start..].find('\n').unwrap();
                    text.replace_range(start..end, &fact);
                    text
                }
                "auth" => least("", "").replace("[auth]", &format!("[auth]\n{fact}")),
                "nat.keepalive" => least("", &format!("[{table}]\ninterval-seconds = 30\n{fact}")),
                table => least("", &format!("[{table}]\n{fact}")),
            };
            let parsed = Provider::parse(&text).map(|parsed| parsed.warnings);
            assert_eq!(parsed, Ok(vec![]), "{}: {word}", key.path);
        }
    }
}

#[test]
fn answers_are_checked_against_the_questions() {
    let provider = Provider::parse(FULL).unwrap().provider;
    let check = |answers: &[(&str, &str)]| {
        provider.check_answers(answers.iter().copied()).map_err(|error| error.to_string())
    };
    assert_eq!(check(&[("account", "1234567")]), Ok(()));
    assert_eq!(check(&[("account", "1234567"), ("region", "us"), ("password", "x")]), Ok(()));
    for (answers, words) in [
        (&[][..], "account: it was not answered"),
        (&[("account", "anna")], "account: it looks unlike what is wanted, such as 1234567"),
        (&[("account", "1"), ("region", "mars")], "region: use one of eu, us"),
        (
            &[("account", "1"), ("city", "Bonn")],
            "\"city\" is not asked: house-net asks account, region, password",
        ),
        (&[("account", "1\n2")], "account: use up to 255 printable characters"),
        (&[("account", "1"), ("password", "")], "password: it was not answered"),
    ] {
        assert_eq!(check(answers), Err(words.into()));
    }
}

#[test]
fn answers_make_hosts_and_users_and_nothing_else() {
    let host = |template: &str, answer: &'static str| {
        let template: HostTemplate = template.parse().unwrap();
        template.fill(|_| Some(answer)).map_err(|error| error.to_string())
    };
    assert_eq!(host("{domain}", "PBX.Example.org"), Ok("pbx.example.org".into()));
    assert_eq!(host("{domain}", "192.0.2.7"), Ok("192.0.2.7".into()));
    assert_eq!(host("{domain}", "2001:db8::1"), Ok("[2001:db8::1]".into()));
    assert_eq!(host("{domain}", "[2001:db8::1]"), Ok("[2001:db8::1]".into()));
    assert_eq!(host("{name}.sip.example.com", "anna"), Ok("anna.sip.example.com".into()));
    for bad in ["", "a b", "x;transport=tls", "x/y", "[192.0.2.7]", "user@host", "..", "-x"] {
        let error = host("{domain}", bad).unwrap_err();
        assert!(error.starts_with("domain: it makes no host name"), "{error}");
    }
    let user = |answer: &'static str| {
        let template: UserTemplate = "{account}*1".parse().unwrap();
        template.fill(|_| Some(answer)).map_err(|error| error.to_string())
    };
    assert_eq!(user("anna@example.org"), Ok("anna@example.org*1".into()));
    for bad in ["a b", "a\r\nVia: x", "<a>", "a\"b", "é"] {
        assert!(user(bad).is_err(), "{bad}");
    }
    let template: UserTemplate = "{account}".parse().unwrap();
    assert_eq!(template.fill(|_| None).unwrap_err().to_string(), "account: it was not answered");
}
