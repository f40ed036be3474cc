// SPDX-License-Identifier: GPL-3.0-or-later
//! What every message must have before anyone acts on it (RFC 3261 §8.1.1, §8.2).

use super::{Malformed, Request, Response, Via, message::Essential};

impl Request {
    /// Whether the request has what every request must have, each field once and sound.
    ///
    /// A Max-Forwards may be missing: RFC 2543 knew none.
    ///
    /// # Errors
    /// What is wrong, with the status that answers it.
    pub fn check(&self) -> Result<(), Malformed> {
        let via = self.via().ok_or_else(|| Malformed::new(400, "there is no Via"));
        self.check_beside_via()?;
        Via::first(&via?).map(|_| ())
    }

    /// The same for whoever has read the Via.
    pub(crate) fn check_beside_via(&self) -> Result<(), Malformed> {
        if !self.is_sip_2() {
            return Err(Malformed::new(505, "the version is not SIP/2.0"));
        }
        once(|field| self.is_repeated(field))?;
        for address in [self.from()?, self.to()?] {
            // A second tag would be put behind it.
            if address.param("tag").is_some_and(<[u8]>::is_empty) {
                return Err(Malformed::new(400, "a tag has no value"));
            }
        }
        self.call_id()?;
        if self.cseq()?.method != *self.method() {
            return Err(Malformed::new(400, "CSeq names another method"));
        }
        self.hops()?;
        let uri = self.uri();
        // `urn:service:sos` must never be turned away before somebody looked at it (RFC 5031).
        let known = |scheme: &str| uri.scheme().eq_ignore_ascii_case(scheme);
        if !(uri.is_sip() || known("tel") || known("urn")) {
            return Err(Malformed::new(416, "the scheme of the Request-URI is not known"));
        }
        if uri.has_headers() {
            return Err(Malformed::new(400, "the Request-URI has header fields"));
        }
        Ok(())
    }

    /// How many more hops the request may take (Max-Forwards); None if it does not say.
    ///
    /// # Errors
    /// It is no number below 256.
    pub fn hops(&self) -> Result<Option<u8>, Malformed> {
        let Some(value) = self.essential(Essential::MaxForwards) else { return Ok(None) };
        let digits = value.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(&value)
            .ok()
            .filter(|_| digits)
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or_else(|| Malformed::new(400, "Max-Forwards is not a number below 256"))
    }
}

impl Response {
    /// Whether the response has what every response must have, and belongs to us alone: with more
    /// than one Via it was meant for someone before us (RFC 3261 §8.1.3.3). The addresses in it are
    /// not read.
    ///
    /// # Errors
    /// What is wrong. A response is never answered: it is to be dropped.
    pub fn check(&self) -> Result<(), Malformed> {
        let field = self.via().ok_or_else(|| Malformed::new(400, "there is no Via"))?;
        self.check_beside_via(&field, &Via::first(&field)?)
    }

    /// The same for whoever has read the Via: the field and its first hop.
    pub(crate) fn check_beside_via(&self, field: &[u8], via: &Via<'_>) -> Result<(), Malformed> {
        if !self.is_sip_2() {
            return Err(Malformed::new(505, "the version is not SIP/2.0"));
        }
        once(|field| self.is_repeated(field))?;
        if self.is_repeated(Essential::Via) || via.length < field.len() {
            return Err(Malformed::new(400, "there is more than one Via"));
        }
        for field in [Essential::From, Essential::To] {
            if self.essential(field).is_none_or(|value| value.is_empty()) {
                return Err(Malformed::new(400, format!("there is no {}", field.spelled())));
            }
        }
        self.call_id()?;
        self.cseq().map(|_| ())
    }
}

fn once(is_repeated: impl Fn(Essential) -> bool) -> Result<(), Malformed> {
    use Essential::{CSeq, CallId, From, MaxForwards, To};
    match [From, To, CallId, CSeq, MaxForwards].into_iter().find(|field| is_repeated(*field)) {
        Some(field) => {
            Err(Malformed::new(400, format!("{} stands more than once", field.spelled())))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::wire::{Limits, Message, parse_datagram};

    const GOOD: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
        From: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\
        Max-Forwards: 70\r\n\r\n";

    #[test]
    fn each_fault_has_its_status() {
        for (old, new, status) in [
            ("", "", None),
            ("Max-Forwards: 70\r\n", "", None),
            (" SIP/2.0\r\nVia", " SIP/7.0\r\nVia", Some(505)),
            ("1 OPTIONS", "1 INVITE", Some(400)),
            ("1 OPTIONS", "2147483648 OPTIONS", Some(400)),
            ("CSeq", "X-CSeq", Some(400)),
            ("Call-ID: x", "Call-ID: x\r\ni: y", Some(400)),
            ("Call-ID: x\r\n", "", Some(400)),
            ("Call-ID: x", "Call-ID: x y", Some(400)),
            ("Call-ID: x", "Call-ID: x\0y", Some(400)),
            ("To: <sip:a@b>", "To: <sip:a@b>;tag", Some(400)),
            ("tag=1", "tag=", Some(400)),
            ("From: <sip:c@d>;tag=1\r\n", "", Some(400)),
            ("To: <sip:a@b>", "To: \"a <sip:a@b>", Some(400)),
            ("Forwards: 70", "Forwards: 256", Some(400)),
            ("Forwards: 70", "Forwards: +7", Some(400)),
            ("Via: SIP/2.0/UDP h", "Via: SIP/2.0/UDP", Some(400)),
            ("sip:a@b SIP", "nobody:a@b SIP", Some(416)),
            ("sip:a@b SIP", "urn:service:sos SIP", None),
            ("sip:a@b SIP", "sip:a@b?Route=x SIP", Some(400)),
        ] {
            let text = GOOD.replacen(old, new, 1);
            let parsed = parse_datagram(Bytes::from(text.clone()), &Limits::default());
            let Ok(Message::Request(request)) = parsed else { panic!("readable: {text}") };
            assert_eq!(request.check().err().map(|fault| fault.status), status, "{text}");
        }
    }
}
