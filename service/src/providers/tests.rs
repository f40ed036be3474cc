// SPDX-License-Identifier: GPL-3.0-or-later

use super::*;

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
