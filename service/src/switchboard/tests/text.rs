// SPDX-License-Identifier: GPL-3.0-or-later
//! SIP messages as text: read by searching, made by templates. Nothing of the engine's own parser
//! is used here, because an oracle that shares code with the accused is no oracle.

use std::fmt;

/// A message as it crossed the wire.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Text {
    head: String,
    pub(super) body: String,
}

impl Text {
    /// Splits head and body; panics where there is no empty line, as only our side is read so.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a message has an empty line");
        Self { head: head.to_owned(), body: body.to_owned() }
    }

    /// A message to be sent: the length of the body is filled in.
    pub(super) fn write(first_line: &str, headers: &[String], body: &str) -> Self {
        let mut head = first_line.to_owned();
        for header in headers {
            head.push_str("\r\n");
            head.push_str(header);
        }
        head.push_str(&format!("\r\nContent-Length: {}", body.len()));
        Self { head, body: body.to_owned() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        format!("{}\r\n\r\n{}", self.head, self.body).into_bytes()
    }

    pub(super) fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.first_line().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request, or of the request that a response answers.
    pub(super) fn method(&self) -> &str {
        match self.status() {
            None => self.first_line().split(' ').next().unwrap_or_default(),
            Some(_) => self.header("CSeq").split(' ').nth(1).unwrap_or_default(),
        }
    }

    /// `INVITE` for a request, `180 INVITE` for a response.
    pub(super) fn kind(&self) -> String {
        match self.status() {
            None => self.method().to_owned(),
            Some(status) => format!("{status} {}", self.method()),
        }
    }

    pub(super) fn uri(&self) -> &str {
        self.first_line().split(' ').nth(1).unwrap_or_default()
    }

    /// The first header of that name; empty if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers(name).into_iter().next().unwrap_or_default()
    }

    pub(super) fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(found, _)| found.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// Writes something else into the headers of that name.
    pub(super) fn replace_in(&mut self, name: &str, old: &str, new: &str) {
        let is_named = |line: &str| {
            line.split_once(':').is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(name))
        };
        let lines = self.head.split("\r\n");
        let lines =
            lines.map(|line| if is_named(line) { line.replace(old, new) } else { line.to_owned() });
        self.head = lines.collect::<Vec<_>>().join("\r\n");
    }

    /// The tag of a From or To; empty if there is none.
    pub(super) fn tag(&self, header: &str) -> &str {
        match self.header(header).split_once(";tag=") {
            Some((_, rest)) => rest.split([';', ',', ' ']).next().unwrap_or_default(),
            None => "",
        }
    }

    /// What stands between the angle brackets of a header.
    pub(super) fn address(&self, header: &str) -> &str {
        let value = self.header(header);
        match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
            None => value.split(';').next().unwrap_or_default(),
        }
    }

    pub(super) fn call_id(&self) -> &str {
        self.header("Call-ID")
    }

    /// The number of the CSeq.
    pub(super) fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    pub(super) fn branch(&self) -> &str {
        match self.header("Via").split_once("branch=") {
            Some((_, rest)) => rest.split([';', ',']).next().unwrap_or_default(),
            None => "",
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}\n\n{}", self.head.replace('\r', ""), self.body)
    }
}

/// A response: the fields RFC 3261 §8.2.6.2 wants from the request, a tag for its To if it has
/// none, and more.
pub(super) fn response(
    request: &Text,
    status: &str,
    tag: &str,
    more: &[String],
    body: &str,
) -> Text {
    let mut headers: Vec<String> =
        request.headers("Via").iter().map(|via| format!("Via: {via}")).collect();
    headers.push(format!("From: {}", request.header("From")));
    let to = request.header("To");
    match to.contains(";tag=") || tag.is_empty() {
        true => headers.push(format!("To: {to}")),
        false => headers.push(format!("To: {to};tag={tag}")),
    }
    headers.push(format!("Call-ID: {}", request.call_id()));
    headers.push(format!("CSeq: {}", request.header("CSeq")));
    for route in request.headers("Record-Route") {
        headers.push(format!("Record-Route: {route}"));
    }
    headers.extend_from_slice(more);
    Text::write(&format!("SIP/2.0 {status}"), &headers, body)
}

/// A description of one audio medium, as a phone would write it.
pub(super) fn sdp(who: &str, port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no={who} 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=x-unknown:as it was\r\na={direction}\r\n"
    )
}

/// The lines of a description that begin so, without the beginning.
pub(super) fn lines<'a>(sdp: &'a str, start: &str) -> Vec<&'a str> {
    sdp.lines().filter_map(|line| line.strip_prefix(start)).collect()
}
