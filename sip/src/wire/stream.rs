// SPDX-License-Identifier: GPL-3.0-or-later

use bytes::{Buf, BytesMut};

use super::{Limits, Malformed, Message, Name, name, parse_datagram};

/// Cuts messages out of a stream (RFC 3261 §18.3) and counts the keep-alives between them.
///
/// Holds nothing between messages, so that an idle connection costs nothing here.
#[derive(Debug)]
pub struct StreamReader {
    limits: Limits,
    held: BytesMut,
    /// How far the end of the header fields was looked for.
    searched: usize,
    /// Where the message at hand ends, once its header fields are complete.
    end: Option<usize>,
    crlf_count: usize,
}

impl StreamReader {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let held = BytesMut::new();
        Self { limits: *limits, held, searched: 0, end: None, crlf_count: 0 }
    }

    /// Takes what arrived and gives the messages it completed.
    ///
    /// # Errors
    /// Framing is lost: the connection must be closed. What was complete before is lost with it.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Message>, Malformed> {
        self.feed(chunk);
        let mut messages = Vec::new();
        while let Some(message) = self.next_message() {
            messages.push(message.map_err(|broken| broken.fault)?);
        }
        Ok(messages)
    }

    /// Takes what arrived. To be followed by [`StreamReader::next_message`] until there is none.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.held.extend_from_slice(chunk);
    }

    /// The next whole message, or what is wrong with it.
    pub fn next_message(&mut self) -> Option<Result<Message, Broken>> {
        if self.end.is_none() {
            self.skip_keep_alives();
            let Some(head) = self.find_head() else {
                let over = self.held.len() > self.limits.message_bytes;
                return over.then(|| Err(self.lost(513, "the header fields never end")));
            };
            match body_length(&self.held[..head]) {
                Err(what) => return Some(Err(self.lost(400, what))),
                Ok(length) if length > self.limits.body_bytes => {
                    return Some(Err(self.lost(513, "the body is too long")));
                }
                Ok(length) => {
                    let end = head + 4 + length;
                    if end > self.limits.message_bytes {
                        return Some(Err(self.lost(513, "the message is too long")));
                    }
                    self.end = Some(end);
                }
            }
        }
        let end = self.end.filter(|end| *end <= self.held.len())?;
        // Copied to its own place: what stays in hand of a message must not hold what came after.
        let bytes = bytes::Bytes::copy_from_slice(&self.held[..end]);
        self.held.advance(end);
        (self.end, self.searched) = (None, 0);
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        Some(parse_datagram(bytes.clone(), &self.limits).map_err(|fault| Broken {
            fault,
            bytes,
            is_framing_lost: false,
        }))
    }

    /// Whether part of a message waits for the rest.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many CRLF pairs stood between messages since last asked: two together are a ping that
    /// wants one as its answer (RFC 5626 §4.4.1).
    pub fn take_crlf_count(&mut self) -> usize {
        std::mem::take(&mut self.crlf_count)
    }

    fn skip_keep_alives(&mut self) {
        let count = self.held.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count();
        if count > 0 {
            self.held.advance(count * 2);
            self.searched = 0;
            self.crlf_count += count;
            if self.held.is_empty() {
                self.held = BytesMut::new();
            }
        }
    }

    fn find_head(&mut self) -> Option<usize> {
        let from = self.searched;
        let found = self.held[from..].windows(4).position(|window| window == b"\r\n\r\n");
        if found.is_none() {
            self.searched = self.held.len().saturating_sub(3);
        }
        found.map(|at| from + at)
    }

    fn lost(&mut self, status: u16, what: &str) -> Broken {
        let bytes = std::mem::take(&mut self.held).freeze();
        (self.end, self.searched) = (None, 0);
        Broken { fault: Malformed::new(status, what), bytes, is_framing_lost: true }
    }
}

/// A message of a stream that could not be read.
#[derive(Debug, Clone)]
pub struct Broken {
    /// What is wrong with it.
    pub fault: Malformed,
    /// The message, or what there was of it.
    pub bytes: bytes::Bytes,
    /// Whether nobody knows where the next message begins: the connection must be closed.
    pub is_framing_lost: bool,
}

/// The Content-Length, without which a stream cannot be cut (RFC 3261 §18.3). Zero without one is
/// what peers mean that leave it out of messages without a body, but it is a guess, and a guess at
/// framing lets a body become a request: refused.
fn body_length(head: &[u8]) -> Result<usize, &'static str> {
    let mut found = None;
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let spelled = line[..colon].trim_ascii_end();
        let long = name::CONTENT_LENGTH.as_bytes();
        if spelled.len() != 1 && spelled.len() != long.len() {
            continue;
        }
        if Name::from_bytes(&bytes::Bytes::copy_from_slice(spelled)) != *name::CONTENT_LENGTH {
            continue;
        }
        let digits = line[colon + 1..].trim_ascii();
        if found.is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err("Content-Length is not one number");
        }
        // More digits than fit are more octets than anyone may send.
        found = Some(
            std::str::from_utf8(digits).ok().and_then(|t| t.parse().ok()).unwrap_or(usize::MAX),
        );
    }
    found.ok_or("there is no Content-Length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        format!(
            "MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nl : {}\r\n\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn messages_are_cut_wherever_the_chunks_end() {
        let stream = format!("\r\n\r\n{}{}\r\n", message("a\r\n\r\nb"), message(""));
        for cut in 1..stream.len() {
            let mut reader = StreamReader::new(&Limits::default());
            let mut messages = Vec::new();
            for chunk in stream.as_bytes().chunks(cut) {
                messages.extend(reader.push(chunk).unwrap());
            }
            assert_eq!(messages.len(), 2, "in chunks of {cut}");
            let Message::Request(first) = &messages[0] else { panic!("a request") };
            assert_eq!(first.body().as_ref(), b"a\r\n\r\nb");
            assert_eq!(reader.take_crlf_count(), 3);
            assert!(!reader.is_inside_message());
        }
    }

    #[test]
    fn a_message_waits_for_its_body() {
        let mut reader = StreamReader::new(&Limits::default());
        let whole = message("body");
        assert!(reader.push(&whole.as_bytes()[..whole.len() - 4]).unwrap().is_empty());
        assert!(reader.is_inside_message());
    }

    #[test]
    fn a_broken_message_with_a_sound_length_does_not_end_the_stream() {
        let mut reader = StreamReader::new(&Limits::default());
        reader.feed(b"OPTIONS  sip:a@b SIP/2.0\r\nContent-Length: 2\r\n\r\nab");
        reader.feed(message("").as_bytes());
        assert!(!reader.next_message().unwrap().unwrap_err().is_framing_lost);
        assert!(reader.next_message().unwrap().is_ok());
    }

    #[test]
    fn framing_is_lost_without_one_sound_length_and_beyond_the_limits() {
        let limits = Limits { message_bytes: 200, body_bytes: 100, ..Limits::default() };
        for (bad, status) in [
            ("OPTIONS sip:a@b SIP/2.0\r\n\r\n".to_owned(), 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\n".to_owned(), 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n".to_owned(), 400),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 101\r\n\r\n".to_owned(), 513),
            (format!("OPTIONS sip:a@b SIP/2.0\r\nl: {}\r\n\r\n", "9".repeat(30)), 513),
            ("x".repeat(201), 513),
        ] {
            let mut reader = StreamReader::new(&limits);
            reader.feed(bad.as_bytes());
            let broken = reader.next_message().unwrap().unwrap_err();
            assert!(broken.is_framing_lost, "{bad}");
            assert_eq!(broken.fault.status, status, "{bad}");
        }
    }
}
