// SPDX-License-Identifier: GPL-3.0-or-later

use std::ops::Range;

use bytes::{BufMut, Bytes};

use super::{Method, Name, Request, Sheet, Uri, name};

/// A message to be sent, header field by header field.
///
/// Whatever is put in, no field can break out of its line: CR, LF and NUL become spaces.
///
/// All text stands in one piece, start line first, so that a message costs two allocations and not
/// one for each field.
#[derive(Debug, Clone)]
pub struct Draft {
    kind: Kind,
    text: Vec<u8>,
    start: Range<usize>,
    fields: Vec<(Name, Range<usize>)>,
    content_type: Option<Range<usize>>,
    body: Bytes,
}

/// What the start line says.
#[derive(Debug, Clone)]
enum Kind {
    Request(Method),
    Response(u16),
}

impl Draft {
    /// A request without any field.
    #[must_use]
    pub fn request(method: &Method, uri: &Uri) -> Self {
        let mut text = Vec::with_capacity(TEXT);
        text.extend_from_slice(method.as_bytes());
        text.push(b' ');
        uri.write_to(&mut text);
        text.extend_from_slice(b" SIP/2.0");
        Self::started(Kind::Request(method.clone()), text)
    }

    /// A response without any field. An empty phrase means the usual one.
    #[must_use]
    pub fn response(status: u16, phrase: &str) -> Self {
        let phrase = if phrase.is_empty() { reason_phrase(status) } else { phrase };
        let status = status.clamp(100, 699);
        let mut text = Vec::with_capacity(TEXT);
        text.extend_from_slice(b"SIP/2.0 ");
        text.extend_from_slice(decimal(usize::from(status), &mut [0; 20]));
        text.push(b' ');
        put_on_one_line(&mut text, phrase.as_bytes());
        Self::started(Kind::Response(status), text)
    }

    /// A response with the fields a response takes from its request (RFC 3261 §8.2.6.2): Via, From,
    /// To (with the tag, if it has none yet), Call-ID, CSeq, and Timestamp in a 100.
    #[must_use]
    pub fn response_to(request: &Request, status: u16, phrase: &str, to_tag: Option<&str>) -> Self {
        let mut draft = Self::response(status, phrase);
        let headers = request.headers();
        for value in request.response_vias() {
            draft.push(&name::VIA, value);
        }
        if let Some(from) = headers.value(&name::FROM) {
            draft.push(&name::FROM, from);
        }
        if let Some(to) = headers.value(&name::TO) {
            draft.push(&name::TO, to);
            if let (Some(tag), None) = (to_tag, request.to_tag()) {
                draft.extend(b";tag=");
                draft.extend(tag.as_bytes());
            }
        }
        for wanted in [&name::CALL_ID, &name::CSEQ] {
            if let Some(value) = headers.value(wanted) {
                draft.push(wanted, value);
            }
        }
        if status == 100
            && let Some(value) = headers.value(&name::TIMESTAMP)
        {
            draft.push(&name::TIMESTAMP, value);
        }
        draft
    }

    fn started(kind: Kind, text: Vec<u8>) -> Self {
        Self {
            kind,
            start: 0..text.len(),
            text,
            fields: Vec::with_capacity(FIELDS),
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// The method, if it is a request.
    #[must_use]
    pub const fn method(&self) -> Option<&Method> {
        match &self.kind {
            Kind::Request(method) => Some(method),
            Kind::Response(_) => None,
        }
    }

    /// The status code, if it is a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.kind {
            Kind::Request(_) => None,
            Kind::Response(status) => Some(status),
        }
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: &Name, value: impl AsRef<[u8]>) -> &mut Self {
        let value = self.put(value.as_ref());
        self.fields.push((name.clone(), value));
        self
    }

    /// Adds a field at the beginning.
    pub fn push_front(&mut self, name: &Name, value: impl AsRef<[u8]>) -> &mut Self {
        let value = self.put(value.as_ref());
        self.fields.insert(0, (name.clone(), value));
        self
    }

    /// Removes all fields of that name and adds this one at the end.
    pub fn set(&mut self, name: &Name, value: impl AsRef<[u8]>) -> &mut Self {
        self.fields.retain(|(have, _)| have != name);
        self.push(name, value)
    }

    /// Removes all fields of that name.
    pub fn remove(&mut self, name: &Name) -> &mut Self {
        self.fields.retain(|(have, _)| have != name);
        self
    }

    /// All fields of that name in order.
    pub fn values(&self, name: &Name) -> impl Iterator<Item = &[u8]> {
        let of_name = self.fields.iter().filter(move |(have, _)| have == name);
        of_name.map(|(_, value)| &self.text[value.clone()])
    }

    /// The Request-URI as it will stand; empty in a response.
    #[must_use]
    pub fn request_uri(&self) -> &[u8] {
        match self.kind {
            Kind::Request(_) => {
                let line = &self.text[self.start.clone()];
                line.split(|&byte| byte == b' ').nth(1).unwrap_or_default()
            }
            Kind::Response(_) => &[],
        }
    }

    /// The body.
    #[must_use]
    pub fn body_octets(&self) -> &[u8] {
        &self.body
    }

    /// The first field of that name.
    #[must_use]
    pub fn value(&self, name: &Name) -> Option<&[u8]> {
        let (_, value) = self.fields.iter().find(|(have, _)| have == name)?;
        Some(&self.text[value.clone()])
    }

    /// Gives it a body, byte for byte.
    pub fn body(&mut self, content_type: impl AsRef<[u8]>, bytes: Bytes) -> &mut Self {
        self.content_type = Some(self.put(content_type.as_ref()));
        self.body = bytes;
        self
    }

    fn put(&mut self, value: &[u8]) -> Range<usize> {
        let begin = self.text.len();
        put_on_one_line(&mut self.text, value);
        begin..self.text.len()
    }

    /// Adds to the field that was pushed last.
    fn extend(&mut self, more: &[u8]) {
        put_on_one_line(&mut self.text, more);
        if let Some((_, value)) = self.fields.last_mut() {
            value.end = self.text.len();
        }
    }

    /// The message as it goes on the wire, with Content-Type and Content-Length last.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.encode_with_via(None)
    }

    /// The same with a Via value before all other fields.
    #[must_use]
    pub fn encode_with_via(&self, via: Option<&[u8]>) -> Bytes {
        let mut out = Vec::with_capacity(self.size(via));
        self.write(via, &mut out);
        out.into()
    }

    /// The same, written on a sheet.
    pub(crate) fn encode_on(&self, sheet: &mut Sheet, via: Option<&[u8]>) -> Bytes {
        sheet.message(self.size(via), |out| self.write(via, out))
    }

    /// Exactly as long as it will be: many are kept for their repetitions.
    fn size(&self, via: Option<&[u8]>) -> usize {
        let size_of = |name: &[u8], value: usize| name.len() + value + b": \r\n".len();
        let mut digits = [0; 20];
        self.start.len()
            + b"\r\n\r\n".len()
            + via.map_or(0, |via| size_of(b"Via", via.len()))
            + self
                .fields
                .iter()
                .map(|(name, value)| size_of(name.as_bytes(), value.len()))
                .sum::<usize>()
            + self.content_type.as_ref().map_or(0, |value| size_of(b"Content-Type", value.len()))
            + size_of(b"Content-Length", decimal(self.body.len(), &mut digits).len())
            + self.body.len()
    }

    fn write(&self, via: Option<&[u8]>, out: &mut impl BufMut) {
        out.put_slice(&self.text[self.start.clone()]);
        out.put_slice(b"\r\n");
        if let Some(via) = via {
            put_field(out, b"Via", via);
        }
        for (name, value) in &self.fields {
            put_field(out, name.as_bytes(), &self.text[value.clone()]);
        }
        if let Some(content_type) = &self.content_type {
            put_field(out, b"Content-Type", &self.text[content_type.clone()]);
        }
        let mut digits = [0; 20];
        put_field(out, b"Content-Length", decimal(self.body.len(), &mut digits));
        out.put_slice(b"\r\n");
        out.put_slice(&self.body);
    }
}

/// Room for the text and the fields of an ordinary message. glibc keeps pieces of up to 1032 octets
/// ready for each thread; beyond, each would cost a search.
const TEXT: usize = 1000;
const FIELDS: usize = 16;

fn put_field(out: &mut impl BufMut, name: &[u8], value: &[u8]) {
    out.put_slice(name);
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// No value can break out of its line.
fn put_on_one_line(out: &mut Vec<u8>, value: &[u8]) {
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    if value.iter().any(breaks) {
        out.extend(value.iter().map(|byte| if breaks(byte) { b' ' } else { *byte }));
    } else {
        out.extend_from_slice(value);
    }
}

/// The usual phrase for a status code (RFC 3261 §21 and the registry).
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => match status / 100 {
            1 => "Progress",
            2 => "OK",
            3 => "Redirected",
            4 => "Refused",
            5 => "Server Failure",
            _ => "Refused Everywhere",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Limits, Message, parse_datagram};

    #[test]
    fn a_field_cannot_break_out_of_its_line() {
        let uri = Uri::parse("sip:101@localhost").unwrap();
        let mut draft = Draft::request(&Method::Options, &uri);
        draft.push(&name::FROM, "\"a\r\nVia: evil\" <sip:a@b>;tag=1");
        draft.body("text/plain", Bytes::from_static(b"x\r\ny"));
        let bytes = draft.encode_with_via(Some(b"SIP/2.0/UDP h;branch=z9hG4bK1"));
        let Ok(Message::Request(request)) = parse_datagram(bytes, &Limits::default()) else {
            panic!("what we write, we read");
        };
        assert_eq!(request.headers().count(&name::VIA), 1);
        assert_eq!(request.headers().number(&name::CONTENT_LENGTH), Some(4));
        assert_eq!(request.body().as_ref(), b"x\r\ny");
    }
}
