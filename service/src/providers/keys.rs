// SPDX-License-Identifier: GPL-3.0-or-later
//! Every key that a provider's file may have: what reading compares with, and what
//! `docs/providers.md` and `sipwitch-provider(5)` are made of.

use super::word::{
    CallerId, Codec, ContactAddress, Dtmf, Evidence, FailureMeaning, IpFamily, KeepaliveMethod,
    Kind, Method, Offered, Scheme, Sms, Srtp, Srv, Transport,
};

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands: `server.tls.port`. A `*` stands for a name that the file chooses.
    pub path: &'static str,
    /// What its value is.
    pub value: Value,
    /// What it says, for people.
    pub words: &'static str,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// A list of tables, which have keys of their own.
    Tables,
    /// A table, which has keys of its own.
    Table,
    /// Something that words describe.
    Of(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
}

impl Value {
    /// For people.
    #[must_use]
    pub fn describe(self) -> String {
        let quoted = |words: &[&str]| {
            words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Tables => "list of tables".into(),
            Self::Table => "table".into(),
            Self::Of(words) => words.into(),
            Self::Word(words) => format!("one of {}", quoted(words)),
            Self::Words(words) => format!("list of {}", quoted(words)),
        }
    }
}

use Value::{Of, Table, Tables, Word, Words};

const fn key(path: &'static str, value: Value, words: &'static str) -> Key {
    Key { path, value, words }
}

const TEXT: Value = Of("text, one line of up to 500 bytes");
const HOST: Value = Of("host name or IP address, with {placeholders}");
const USER: Value = Of("user name, with {placeholders}");
const PORT: Value = Of("number from 1 to 65535");
const DIALLED: Value = Of("digits, * and #, in quotes");
const PAGE: Value = Of("address of a page, beginning with https://");
const SWITCH: Value = Of("true or false");
const DIAL: &[&str] = &["e164-plus", "e164", "00", "national", "as-is"];
const EMERGENCY: &[&str] = &["yes", "location-required", "unknown", "no"];
const ALGORITHMS: &[&str] = &["MD5", "SHA-256"];

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key("schema", Of("1"), "The version of this description. Required."),
    key(
        "id",
        Of("up to 64 of a-z, 0-9 and hyphens"),
        "The name of the provider, and of the file without .toml. Required.",
    ),
    key("name", TEXT, "The name a person reads. Required."),
    key(
        "country",
        Of("list of two-letter codes (ISO 3166)"),
        "Where it is used. Leave it out, or write \"ZZ\", where that does not matter.",
    ),
    key("kind", Word(Kind::WORDS), "What it is. Required."),
    key(
        "domain",
        HOST,
        "The domain of its addresses: what stands after the @. Required. A domain that one user \
         alone has is asked for: \"{domain}\".",
    ),
    key("docs", PAGE, "Where the provider itself describes how SIP is set up."),
    key(
        "verified",
        Of("month or day in quotes, as in \"2026-11\""),
        "When somebody last compared the facts with their source. Leave it out where nobody did.",
    ),
    key(
        "evidence",
        Words(Evidence::WORDS),
        "Where the facts are from: tested is an account used with this program, docs the provider's \
         own pages, trace what its servers were seen to send, wizard the set-up of another program, \
         memory what somebody remembers. Required, and at least one.",
    ),
    key(
        "unsure",
        Of("list of keys of this file, such as \"media.srtp\""),
        "Facts that are likely and not known. They are shown as unverified, and the first account \
         that is used decides.",
    ),
    key("note", TEXT, "What a person should know before making an account of it."),
    key("names", Table, "The name in other languages."),
    key("names.*", TEXT, "The name in this language, such as de or pt-BR."),
    key("server", Table, "Where it is reached."),
    key("server.registrar", HOST, "Where registrations go, if not to the domain."),
    key("server.outbound-proxy", HOST, "The host that everything goes through, if there is one."),
    key(
        "server.srv",
        Word(Srv::WORDS),
        "Whether the name system tells servers and ports (RFC 3263). no asks only for addresses; \
         required is for a domain that has no address of its own. Default: yes.",
    ),
    key(
        "server.port",
        PORT,
        "The port, where the name system does not tell it. Default: 5060, or 5061 for TLS.",
    ),
    key(
        "server.transports",
        Words(Transport::WORDS),
        "What carries SIP there, the preferred first. Without it the name system decides.",
    ),
    key("server.tls", Table, "Where TLS is heard, if not where the rest is."),
    key("server.tls.host", HOST, "The host, which its certificate names. Default: the registrar."),
    key("server.tls.port", PORT, "The port. Default: 5061."),
    key(
        "server.tls.scheme",
        Word(Scheme::WORDS),
        "How TLS is written in addresses: sip protects the way to the provider, sips asks for \
         every hop after it too (RFC 5630). Default: sip.",
    ),
    key("server.ip", Words(IpFamily::WORDS), "The kinds of IP it is reached by. Default: both."),
    key("server.stun", Of("host, or host:port"), "Its STUN server."),
    key("auth", Table, "How it knows the user."),
    key(
        "auth.method",
        Word(Method::WORDS),
        "digest is a user name and a password; address is a trunk that is known by the address its \
         messages come from. Default: digest.",
    ),
    key("auth.user", USER, "The user name: what stands before the @. Required for digest."),
    key("auth.auth-user", USER, "The name that the password belongs to, if it is another."),
    key(
        "auth.realm",
        Of("text"),
        "The only realm to which the password may be proven. Without it each realm that the \
         provider's servers name is believed.",
    ),
    key("auth.algorithms", Words(ALGORITHMS), "Digest algorithms it is known to ask for."),
    key(
        "auth.on-failure",
        Table,
        "What its refusals mean, where that differs from what the standard says.",
    ),
    key(
        "auth.on-failure.*",
        Word(FailureMeaning::WORDS),
        "The meaning of this status (403), of one status after another (503-after-401), or of no \
         answer at all (silence).",
    ),
    key("auth.lockout", Table, "When it locks an account whose password was wrong."),
    key("auth.lockout.failures", Of("number from 1 to 1000"), "After so many wrong passwords."),
    key("auth.lockout.seconds", Of("number from 1 to 604800"), "For so long."),
    key("register", Table, "How often it is told where the user is."),
    key(
        "register.required",
        SWITCH,
        "Whether one must register to be called. false is for trunks that know where to call. \
         Default: true.",
    ),
    key(
        "register.expires-seconds",
        Of("number from 60 to 604800"),
        "How long a registration is to last.",
    ),
    key(
        "register.min-expires-seconds",
        Of("number from 1 to 604800"),
        "A shorter time is refused with 423.",
    ),
    key(
        "register.min-interval-seconds",
        Of("number from 1 to 86400"),
        "Whoever registers more often than this is punished.",
    ),
    key("identity", Table, "As whom calls are made."),
    key("identity.from-user", USER, "The user name in From, if it is not that of the address."),
    key(
        "identity.caller-id",
        Word(CallerId::WORDS),
        "Where it reads the number that the other side is shown. Default: from.",
    ),
    key(
        "identity.privacy",
        Of("\"rfc3323\", or { star-code = \"*31#\" }"),
        "How a number is kept from being shown: by a Privacy field, or by digits before the number.",
    ),
    key("identity.privacy.star-code", DIALLED, "The digits before the number."),
    key("numbers", Table, "How numbers are dialled."),
    key(
        "numbers.dial",
        Word(DIAL),
        "The form in which numbers are sent: +49…, 49…, 0049…, 030…, or as they were dialled. \
         Without it each provider of this kind is sent what such providers understand best.",
    ),
    key("numbers.country-code", DIALLED, "The country code of its numbers, without +."),
    key(
        "numbers.national-prefix",
        DIALLED,
        "What comes before an area code, if it is not what the country uses.",
    ),
    key(
        "numbers.international-prefix",
        DIALLED,
        "What comes before a country code, if it is not what the country uses.",
    ),
    key("numbers.short-codes", Table, "Numbers with which it offers something itself."),
    key("numbers.short-codes.voicemail", DIALLED, "The answering machine."),
    key("numbers.short-codes.echo", DIALLED, "Lets one hear oneself."),
    key("numbers.short-codes.balance", DIALLED, "Says what is left to pay with."),
    key("numbers.short-codes.own-number", DIALLED, "Says the number one calls from."),
    key("numbers.short-codes.internal", DIALLED, "Stands before a number of the same house: **."),
    key(
        "numbers.emergency",
        Word(EMERGENCY),
        "Whether it takes emergency calls. location-required: only where an address was given to \
         it. unknown unless somebody knows; it is a life's worth of honesty. Default: unknown.",
    ),
    key(
        "numbers.emergency-numbers",
        Of("list of digits, in quotes"),
        "The emergency numbers it takes. Default: those of the country.",
    ),
    key("media", Table, "What is heard."),
    key("media.codecs", Words(Codec::WORDS), "What it can decode, the preferred first."),
    key("media.dtmf", Words(Dtmf::WORDS), "How it hears digits, the preferred first."),
    key(
        "media.dtmf-payload",
        Of("number from 96 to 127"),
        "The payload type of digits beside the sound, if it insists on one.",
    ),
    key("media.srtp", Word(Srtp::WORDS), "Whether sound is enciphered, where TLS is used."),
    key("media.ice", SWITCH, "Whether it speaks ICE."),
    key("media.rtp-ports", Of("range, as in \"10000-20000\""), "The ports its sound comes from."),
    key("nat", Table, "What keeps the way through a router open."),
    key("nat.keepalive", Table, "What is sent for that."),
    key(
        "nat.keepalive.method",
        Word(KeepaliveMethod::WORDS),
        "Blank lines, OPTIONS, a registration, or what RFC 5626 negotiates.",
    ),
    key("nat.keepalive.interval-seconds", Of("number from 5 to 3600"), "How often."),
    key(
        "nat.contact",
        Word(ContactAddress::WORDS),
        "The address it is told behind a router that translates addresses: our own, or the one that \
         it sees, for those that believe what is written. Default: own.",
    ),
    key("nat.symmetric", SWITCH, "Whether it answers to where messages really come from."),
    key("messaging", Table, "Texts."),
    key(
        "messaging.sip-message",
        Word(Offered::WORDS),
        "Whether it takes SIP MESSAGE. Default: unknown.",
    ),
    key(
        "messaging.sms",
        Word(Sms::WORDS),
        "How a short message is sent to a telephone number. Default: unknown.",
    ),
    key("links", Table, "Pages for the user."),
    key("links.portal", PAGE, "Where the account is looked after."),
    key("links.balance", PAGE, "Where one sees what is left to pay with."),
    key("links.status", PAGE, "Where the provider tells of disturbances."),
    key("links.signup", PAGE, "Where an account is had."),
    key("test", Table, "What to call to see whether it works."),
    key("test.number", DIALLED, "A number that answers and costs nothing."),
    key("test.uri", Of("SIP address, as in \"sip:echo@example.net\""), "An address that answers."),
    key("ask", Table, "What the user is asked."),
    key("ask.fields", Tables, "The questions, in the order in which they are asked."),
    key(
        "ask.fields.key",
        Of("up to 32 of a-z, 0-9 and hyphens"),
        "Its name in placeholders and answers. Required.",
    ),
    key("ask.fields.label", TEXT, "The question as the user reads it. Required."),
    key("ask.fields.labels", Table, "The question in other languages."),
    key("ask.fields.labels.*", TEXT, "The question in this language."),
    key("ask.fields.help", TEXT, "Where the answer is found."),
    key("ask.fields.example", TEXT, "What an answer looks like."),
    key(
        "ask.fields.pattern",
        Of("regular expression of up to 200 bytes"),
        "What an answer matches, always as a whole.",
    ),
    key("ask.fields.choices", Of("list of texts"), "The only answers there are."),
    key("ask.fields.default", TEXT, "The answer of whoever does not answer."),
    key(
        "ask.fields.secret",
        SWITCH,
        "Whether the answer is a password. It goes to the keyring and can stand in no placeholder. \
         One question at most. Default: false.",
    ),
];

/// The key at a path, in which a name chosen by the file stands for itself.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    let exactly = KEYS.iter().find(|key| key.path == path);
    exactly.or_else(|| {
        let (table, _) = path.rsplit_once('.')?;
        KEYS.iter().find(|key| key.path.strip_suffix(".*") == Some(table))
    })
}

/// The names of the keys directly below a table; an empty path is the file itself.
pub fn below(table: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(move |key| {
        let name = match table {
            "" => key.path,
            table => key.path.strip_prefix(table)?.strip_prefix('.')?,
        };
        (!name.contains('.')).then_some(name)
    })
}
