// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use bytes::Bytes;

use super::{Draft, Message, Request, Response, name};

/// What a message may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a whole message.
    pub message_bytes: usize,
    /// Octets of a body.
    pub body_bytes: usize,
    /// Header fields.
    pub headers: usize,
    /// Octets of one field, folds included.
    pub header_bytes: usize,
}

impl Default for Limits {
    /// 64 KiB of body, as much as a datagram can carry, with room for the fields before it.
    fn default() -> Self {
        Self {
            message_bytes: 96 * 1024,
            body_bytes: 64 * 1024,
            headers: 256,
            header_bytes: 8 * 1024,
        }
    }
}

impl Limits {
    fn to_sipx(self) -> sipx_sip::Limits {
        sipx_sip::Limits {
            max_message_bytes: self.message_bytes,
            max_body_bytes: self.body_bytes,
            max_headers: self.headers,
            max_header_bytes: self.header_bytes,
            ..sipx_sip::Limits::datagram()
        }
    }
}

/// A message, or part of one, that does not follow the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The status code that answers a request with this fault.
    pub status: u16,
    /// What is wrong, for the log and the reason phrase; never quotes the message.
    pub what: String,
}

impl Malformed {
    /// A fault that is answered with this status.
    pub fn new(status: u16, what: impl ToString) -> Self {
        Self { status, what: what.to_string() }
    }

    fn of_sipx(error: &sipx_sip::error::ParseError) -> Self {
        use sipx_sip::error::{LimitKind, ParseError, StartLineError, UriError};
        let status = match error {
            ParseError::Limit { limit: LimitKind::MessageBytes | LimitKind::BodyBytes, .. } => 513,
            ParseError::StartLine(StartLineError::Uri(UriError::Scheme)) => 416,
            _ => 400,
        };
        Self::new(status, error)
    }

    /// The answer to a request that could not be read as a whole (RFC 3261 §16.3 item 1), made from
    /// what can be found in it line by line. None if it is a response, an ACK, or if Via, From, To,
    /// Call-ID or CSeq are missing: such a thing is dropped.
    #[must_use]
    pub fn refusal(&self, datagram: &Bytes) -> Option<Bytes> {
        let end = datagram
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or(datagram.len())
            .min(16 * 1024);
        let head = &datagram[..end];
        let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
        let start = lines.next()?;
        if start.starts_with(b"SIP/") || start.starts_with(b"ACK ") {
            return None;
        }
        let mut draft = Draft::response(self.status, "");
        let mut found = [false; 5];
        for line in lines {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
            let (spelled, value) = line.split_at(colon);
            let spelled = super::Name::from_bytes(&Bytes::copy_from_slice(spelled.trim_ascii()));
            let wanted = [&name::VIA, &name::FROM, &name::TO, &name::CALL_ID, &name::CSEQ];
            if let Some(at) = wanted.iter().position(|wanted| ***wanted == spelled) {
                // Only Via may stand more than once.
                if at == 0 || !found[at] {
                    let mut value = value[1..].trim_ascii().to_vec();
                    // Any answer but 100 has a tag; the sender will look no closer at this one.
                    if spelled == *name::TO && super::tag(&value).is_none() {
                        value.extend_from_slice(b";tag=unread");
                    }
                    draft.push(&spelled, value);
                }
                found[at] = true;
            }
        }
        found.iter().all(|found| *found).then(|| draft.encode())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Malformed {}

fn wrap(message: sipx_sip::Message) -> Message {
    match message {
        sipx_sip::Message::Request(request) => Message::Request(Request::new(request)),
        sipx_sip::Message::Response(response) => Message::Response(Response::new(response)),
    }
}

/// Reads the one message of a datagram. Octets after its body are ignored (RFC 3261 §18.3).
///
/// # Errors
/// What is wrong with it; [`Malformed::refusal`] answers it.
pub fn parse_datagram(datagram: Bytes, limits: &Limits) -> Result<Message, Malformed> {
    sipx_sip::parse_datagram(datagram, &limits.to_sipx())
        .map(wrap)
        .map_err(|error| Malformed::of_sipx(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_if_the_refusal_can_arrive() {
        let text = "OPTIONS  sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
                    Via: SIP/2.0/UDP g\r\nf: <sip:c@d>;tag=1\r\nt: <sip:a@b>\r\ni: x\r\n\
                    CSeq: 1 OPTIONS\r\n\r\n";
        let refused = |text: &str| {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            let fault = parse_datagram(bytes.clone(), &Limits::default()).unwrap_err();
            fault.refusal(&bytes)
        };
        let refusal = refused(text).unwrap();
        let Ok(Message::Response(response)) = parse_datagram(refusal, &Limits::default()) else {
            panic!("what we write, we read")
        };
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers().count(&name::VIA), 2);
        assert!(response.to_tag().is_some());
        for missing in ["v: SIP/2.0/UDP h;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP g\r\n", "i: x\r\n"] {
            assert_eq!(refused(&text.replace(missing, "")), None);
        }
        assert_eq!(refused(&text.replace("OPTIONS", "ACK")), None);
        assert_eq!(refused(&text.replace("OPTIONS  sip:a@b SIP/2.0", "SIP/2.0 2000 OK")), None);
    }
}
