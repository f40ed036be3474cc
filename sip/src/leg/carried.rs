// SPDX-License-Identifier: GPL-3.0-or-later
//! Which header fields cross from one leg to another, and which stay with theirs.

use bytes::Bytes;
use sipwitch_core::call::leg::{Body, Carried, Field};

use crate::wire::{Draft, Headers, Name, name};

/// Why a field does not cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stays {
    /// It says something about one side's dialog, or about what that side can do.
    Dialog,
    /// It is between two neighbours on the way.
    Hop,
    /// It tells how the message is put into octets.
    Octets,
    /// It says who somebody is, and nobody has checked it; the switch says who calls.
    Trust,
    /// Each leg says it for itself, or the switch says it in other words.
    Own,
}

/// In the order of the alphabet. Everything absent crosses.
const STAYING: &[(&str, Stays)] = &[
    ("accept-contact", Stays::Hop),
    ("allow", Stays::Dialog),
    ("allow-events", Stays::Dialog),
    ("authentication-info", Stays::Hop),
    ("authorization", Stays::Hop),
    ("call-id", Stays::Dialog),
    ("contact", Stays::Dialog),
    ("content-length", Stays::Octets),
    ("content-type", Stays::Octets),
    ("cseq", Stays::Dialog),
    ("date", Stays::Own),
    ("flow-timer", Stays::Hop),
    ("from", Stays::Dialog),
    ("join", Stays::Dialog),
    ("max-breadth", Stays::Hop),
    ("max-forwards", Stays::Hop),
    ("min-se", Stays::Dialog),
    ("p-access-network-info", Stays::Trust),
    ("p-asserted-identity", Stays::Trust),
    ("p-preferred-identity", Stays::Trust),
    ("path", Stays::Hop),
    ("proxy-authenticate", Stays::Hop),
    ("proxy-authentication-info", Stays::Hop),
    ("proxy-authorization", Stays::Hop),
    ("proxy-require", Stays::Hop),
    ("rack", Stays::Dialog),
    ("reason", Stays::Own),
    ("record-route", Stays::Hop),
    ("refer-sub", Stays::Dialog),
    ("refer-to", Stays::Dialog),
    ("reject-contact", Stays::Hop),
    ("remote-party-id", Stays::Trust),
    ("replaces", Stays::Dialog),
    ("request-disposition", Stays::Hop),
    ("require", Stays::Dialog),
    ("route", Stays::Hop),
    ("rseq", Stays::Dialog),
    ("security-client", Stays::Hop),
    ("security-server", Stays::Hop),
    ("security-verify", Stays::Hop),
    ("server", Stays::Own),
    ("service-route", Stays::Hop),
    ("session-expires", Stays::Dialog),
    ("session-id", Stays::Dialog),
    ("supported", Stays::Dialog),
    ("target-dialog", Stays::Dialog),
    ("timestamp", Stays::Hop),
    ("to", Stays::Dialog),
    ("unsupported", Stays::Dialog),
    ("user-agent", Stays::Own),
    ("via", Stays::Hop),
    ("www-authenticate", Stays::Hop),
];

/// What crosses with one message: enough for any phone, too little to fill our memory with.
const MAX_FIELDS: usize = 64;
const MAX_OCTETS: usize = 8 * 1024;

/// RFC 3261 §7.4.1 demands a Content-Type; a body without one still has to be called something.
const UNTYPED: &[u8] = b"application/octet-stream";

/// Where in the table the names begin that begin with each letter, and where those with the last end.
const BEGINS: [u8; 27] = {
    let mut begins = [0; 27];
    let (mut at, mut letter) = (0, 0);
    while letter < 27 {
        while at < STAYING.len() && STAYING[at].0.as_bytes()[0] < b'a' + letter {
            at += 1;
        }
        begins[letter as usize] = at as u8;
        letter += 1;
    }
    begins
};

/// Asked for every field of every message, so it compares with the few names of the same letter.
fn stays(name: &[u8]) -> Option<Stays> {
    let letter = usize::from(name.first()?.to_ascii_lowercase().checked_sub(b'a')?);
    let (begin, end) = (*BEGINS.get(letter)?, *BEGINS.get(letter + 1)?);
    let few = &STAYING[usize::from(begin)..usize::from(end)];
    let found = few.iter().find(|(staying, _)| name.eq_ignore_ascii_case(staying.as_bytes()))?;
    Some(found.1)
}

/// Takes what crosses out of a message, copied: the message itself is soon forgotten.
pub(crate) fn take(headers: Headers<'_>, body: &Bytes) -> Carried {
    let mut carried = Carried::nothing();
    let mut octets = 0;
    for (name, value) in headers.iter() {
        let spelled = name.as_bytes();
        if stays(spelled).is_some() {
            continue;
        }
        octets += spelled.len() + value.len();
        if carried.fields.len() == MAX_FIELDS || octets > MAX_OCTETS {
            tracing::debug!("more header fields than cross: the rest stays behind");
            break;
        }
        carried.fields.push(Field {
            name: Bytes::copy_from_slice(spelled),
            value: Bytes::copy_from_slice(&value),
        });
    }
    if !body.is_empty() {
        let content_type = headers.value(&name::CONTENT_TYPE);
        carried.body = Some(Body {
            content_type: Bytes::copy_from_slice(content_type.as_deref().unwrap_or(UNTYPED)),
            bytes: Bytes::copy_from_slice(body),
        });
    }
    carried
}

/// Puts what crossed into a message, after the fields of its own leg.
pub(crate) fn put(carried: &Carried, draft: &mut Draft) {
    for field in &carried.fields {
        // Also what a program put in stays within what may cross.
        if stays(&field.name).is_none() && is_token(&field.name) {
            draft.push(&Name::from_bytes(&field.name), field.value.clone());
        }
    }
    if let Some(body) = &carried.body {
        draft.body(body.content_type.clone(), body.bytes.clone());
    }
}

/// RFC 3261 §25.1 `token`.
fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Limits, Message, Method, Uri, parse_datagram};

    #[test]
    fn the_table_is_in_order() {
        assert!(STAYING.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (name, why) in STAYING {
            assert_eq!(stays(name.to_ascii_uppercase().as_bytes()), Some(*why), "{name}");
        }
        for crossing in
            ["", "-", "1", "{", "\u{ff}", "Viaa", "vi", "Subject", "Zebra", "alert-info"]
        {
            assert_eq!(stays(crossing.as_bytes()), None, "{crossing}");
        }
    }

    #[test]
    fn the_calls_own_fields_and_the_body_cross_byte_for_byte() {
        let message = "INVITE sip:102@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
            f: <sip:101@h>;tag=1\r\nt: <sip:102@h>\r\ni: 1\r\nCSeq: 1 INVITE\r\n\
            m: <sip:101@h>\r\nP-Asserted-Identity: <sip:boss@h>\r\nAuthorization: Digest x\r\n\
            Subject: a\r\n  b\r\nX-Odd: \x01\u{fc}\r\nx-ODD: 2\r\nContent-Disposition: session\r\n\
            c: multipart/mixed;boundary=q\r\nl: 4\r\n\r\n\0\r\n\u{7f}";
        let parsed = parse_datagram(Bytes::from(message), &Limits::default()).unwrap();
        let Message::Request(request) = parsed else { panic!("a request") };
        let carried = take(request.headers(), request.body());
        let names: Vec<_> =
            carried.fields.iter().map(|f| String::from_utf8_lossy(&f.name).into_owned()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names[0].eq_ignore_ascii_case("Subject"));
        assert!(names[3].eq_ignore_ascii_case("Content-Disposition"));
        let body = carried.body.clone().unwrap();
        assert_eq!(body.content_type, "multipart/mixed;boundary=q");
        assert_eq!(body.bytes, "\0\r\n\u{7f}");
        let mut draft = Draft::request(&Method::Info, &Uri::parse("sip:h").unwrap());
        put(&carried, &mut draft);
        let written = draft.encode();
        assert!(written.ends_with(b"\r\nContent-Length: 4\r\n\r\n\0\r\n\x7f"));
        let again = match parse_datagram(written, &Limits::default()).unwrap() {
            Message::Request(request) => take(request.headers(), request.body()),
            Message::Response(_) => panic!("a request"),
        };
        assert_eq!(again, carried);
    }

    #[test]
    fn what_a_program_puts_in_cannot_forge_the_dialogs_fields() {
        let mut draft = Draft::request(&Method::Info, &Uri::parse("sip:h").unwrap());
        let forged = ["Via", "FROM", "P-Asserted-Identity", "X: y\r\nFrom", ""].map(|name| Field {
            name: Bytes::from_static(name.as_bytes()),
            value: Bytes::from_static(b"z"),
        });
        put(&Carried { fields: forged.into(), body: None }, &mut draft);
        assert_eq!(draft.encode(), "INFO sip:h SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    }
}
