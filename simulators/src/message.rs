// SPDX-License-Identifier: GPL-3.0-or-later
//! A SIP message as text and a body as bytes.

use std::fmt;

/// A message as it crossed the wire: a head of text and a body of bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    /// Splits what one datagram carried; `None` without an empty line.
    #[must_use]
    pub fn from_datagram(bytes: &[u8]) -> Option<Self> {
        let split = find(bytes, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
        Some(Self { head, body: bytes[split + 4..].to_vec() })
    }

    /// Takes the first whole message out of a stream's bytes; keep-alives before it are dropped.
    pub fn take_from_stream(bytes: &mut Vec<u8>) -> Option<Self> {
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        bytes.drain(..blank);
        let split = find(bytes, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
        let mut message = Self { head, body: Vec::new() };
        let length: usize =
            message.header("Content-Length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let end = split + 4 + length;
        if bytes.len() < end {
            return None;
        }
        message.body = bytes[split + 4..end].to_vec();
        bytes.drain(..end);
        Some(message)
    }

    /// A message to send: first line, headers as they are, and a body whose length is filled in.
    #[must_use]
    pub fn new(first_line: &str, headers: &[String], body: &[u8]) -> Self {
        let mut head = String::from(first_line);
        for header in headers {
            head.push_str("\r\n");
            head.push_str(header);
        }
        head.push_str(&format!("\r\nContent-Length: {}", body.len()));
        Self { head, body: body.to_vec() }
    }

    /// The bytes for the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The request or status line.
    #[must_use]
    pub fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The status of a response, or `None` for a request.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.first_line().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request, or of the request a response answers.
    #[must_use]
    pub fn method(&self) -> &str {
        match self.status() {
            None => self.first_line().split(' ').next().unwrap_or_default(),
            Some(_) => {
                self.header("CSeq").and_then(|cseq| cseq.split(' ').nth(1)).unwrap_or_default()
            }
        }
    }

    /// The address a request is for.
    #[must_use]
    pub fn request_uri(&self) -> &str {
        self.first_line().split(' ').nth(1).unwrap_or_default()
    }

    /// The value of the first header of that name, long or short form.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    /// The values of all headers of that name, in order.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let short = match name.to_ascii_lowercase().as_str() {
            "call-id" => "i",
            "contact" => "m",
            "content-length" => "l",
            "content-type" => "c",
            "from" => "f",
            "refer-to" => "r",
            "supported" => "k",
            "to" => "t",
            "via" => "v",
            _ => "",
        };
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(found, value)| (found.trim(), value.trim()))
            .filter(|(found, _)| {
                found.eq_ignore_ascii_case(name) || (!short.is_empty() && *found == short)
            })
            .map(|(_, value)| value)
            .collect()
    }

    /// The tag of a From or To value.
    #[must_use]
    pub fn tag(&self, header: &str) -> Option<&str> {
        let (_, rest) = self.header(header)?.split_once(";tag=")?;
        rest.split([';', ' ', ',']).next()
    }

    /// The address inside the angle brackets of a header, or its bare value.
    #[must_use]
    pub fn address(&self, header: &str) -> Option<&str> {
        Some(inside_brackets(self.header(header)?))
    }

    /// The text before the body.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head.replace('\r', ""))?;
        if self.body.len() < 2000 {
            write!(f, "\n{}", self.text())
        } else {
            write!(f, "\n({} bytes)", self.body.len())
        }
    }
}

/// What stands between `<` and `>`, or the text up to the first parameter.
#[must_use]
pub(crate) fn inside_brackets(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default(),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gives_whole_messages_only() {
        let mut bytes = b"\r\n\r\nSIP/2.0 200 OK\r\nl: 3\r\nCSeq: 1 BYE\r\n\r\nab".to_vec();
        assert_eq!(Message::take_from_stream(&mut bytes), None);
        bytes.extend_from_slice(b"cSIP/2.0");
        let message = Message::take_from_stream(&mut bytes).expect("a whole message is there");
        assert_eq!(
            (message.status(), message.method(), message.body()),
            (Some(200), "BYE", &b"abc"[..])
        );
        assert_eq!(bytes, b"SIP/2.0");
    }

    #[test]
    fn headers_are_found_in_both_forms() {
        let message = Message::from_datagram(
            b"INVITE sip:a@b SIP/2.0\r\nf: <sip:x@y>;tag=7\r\nVia: 1\r\nv: 2\r\n\r\n",
        )
        .expect("it has a head");
        assert_eq!(message.headers("Via"), ["1", "2"]);
        assert_eq!((message.tag("From"), message.address("From")), (Some("7"), Some("sip:x@y")));
        assert_eq!((message.method(), message.request_uri()), ("INVITE", "sip:a@b"));
    }
}
