// SPDX-License-Identifier: GPL-3.0-or-later
//! One call of a simulated phone: a dialogue of RFC 3261 section 12, kept as text.

use std::time::Duration;

use crate::message::inside_brackets;
use crate::phone::{PATIENCE, unique};
use crate::{Message, Phone, Result};

/// A call, from either side. Every step is asked for by the test, none happens by itself.
#[derive(Debug, Clone)]
pub struct Call {
    /// The INVITE that began it.
    pub invite: Message,
    id: String,
    /// Our From value in requests of ours, with its tag.
    us: String,
    /// The To value in requests of ours; its tag comes with the first answer.
    them: String,
    /// Where requests of ours go, and over which routes.
    target: String,
    routes: Vec<String>,
    cseq: u32,
    /// That of our last INVITE, which its answers and its ACK have too.
    invite_cseq: u32,
    tag: String,
    dialled: bool,
}

impl Call {
    pub(crate) fn dial(phone: &mut Phone, to: &str, more: &[String], body: &[u8]) -> Result<Self> {
        let (id, tag) = (unique("call"), unique("t"));
        let us = format!("<{}>;tag={tag}", phone.address_of_record());
        let them = format!("<{to}>");
        let mut headers = vec![
            phone.via(),
            "Max-Forwards: 70".into(),
            format!("From: {us}"),
            format!("To: {them}"),
            format!("Call-ID: {id}"),
            "CSeq: 1 INVITE".into(),
            format!("Contact: {}", phone.contact()),
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, REFER, NOTIFY, UPDATE".into(),
        ];
        headers.extend_from_slice(more);
        if !body.is_empty() && !more.iter().any(|header| header.starts_with("Content-Type")) {
            headers.push("Content-Type: application/sdp".into());
        }
        let invite = Message::new(&format!("INVITE {to} SIP/2.0"), &headers, body);
        phone.send(&invite)?;
        Ok(Self {
            invite,
            id,
            us,
            them,
            target: to.into(),
            routes: Vec::new(),
            cseq: 1,
            invite_cseq: 1,
            tag,
            dialled: true,
        })
    }

    pub(crate) fn offered(phone: &mut Phone, invite: Message) -> Result<Self> {
        let header = |name: &str| {
            invite
                .header(name)
                .map(str::to_owned)
                .ok_or_else(|| format!("an INVITE without {name}: {invite:?}"))
        };
        let (id, them, to, contact) =
            (header("Call-ID")?, header("From")?, header("To")?, header("Contact")?);
        let tag = unique("t");
        let routes = invite.headers("Record-Route").iter().map(|&r| r.to_owned()).collect();
        let call = Self {
            id,
            us: format!("{to};tag={tag}"),
            them,
            target: inside_brackets(&contact).into(),
            routes,
            cseq: 0,
            invite_cseq: 0,
            tag,
            dialled: false,
            invite,
        };
        phone.respond_with(&call.invite, "100 Trying", "", &[], b"")?;
        Ok(call)
    }

    /// The Call-ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Our tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The tag of the other side; empty until it is known.
    #[must_use]
    pub fn their_tag(&self) -> &str {
        self.them
            .split_once(";tag=")
            .map_or("", |(_, tag)| tag.split(';').next().unwrap_or_default())
    }

    /// Where the other side wants its requests.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Waits for a certain answer to our INVITE, from 101 on with what it tells of the dialogue.
    ///
    /// # Errors
    /// Another final answer, or nothing, came in time.
    pub fn answer(&mut self, phone: &mut Phone, status: u16) -> Result<Message> {
        let answer = self.any_answer(phone, |found| found == status || found >= 200)?;
        if answer.status() == Some(status) {
            Ok(answer)
        } else {
            Err(format!("{status} was wanted, but there came {answer:?}"))
        }
    }

    /// Waits for the final answer to our INVITE, and sends the ACK for a refusal.
    ///
    /// # Errors
    /// Nothing final came in time.
    pub fn final_answer(&mut self, phone: &mut Phone) -> Result<Message> {
        let answer = self.any_answer(phone, |status| status >= 200)?;
        if answer.status().is_some_and(|status| status >= 300) {
            let headers = [
                format!("Via: {}", self.invite.header("Via").unwrap_or_default()),
                "Max-Forwards: 70".into(),
                format!("From: {}", self.us),
                format!("To: {}", answer.header("To").unwrap_or_default()),
                format!("Call-ID: {}", self.id),
                format!("CSeq: {} ACK", self.invite_cseq),
            ];
            phone.send(&Message::new(
                &format!("ACK {} SIP/2.0", self.invite.request_uri()),
                &headers,
                b"",
            ))?;
        }
        Ok(answer)
    }

    fn any_answer(&mut self, phone: &mut Phone, wanted: impl Fn(u16) -> bool) -> Result<Message> {
        let (id, cseq) = (self.id.clone(), format!("{} INVITE", self.invite_cseq));
        let answer = phone.wait("an answer to INVITE", PATIENCE, |m| {
            m.status().is_some_and(&wanted)
                && m.header("Call-ID") == Some(&id)
                && m.header("CSeq") == Some(&cseq)
        })?;
        if answer.tag("To").is_some() {
            self.them = answer.header("To").unwrap_or_default().into();
            self.routes =
                answer.headers("Record-Route").iter().rev().map(|&r| r.to_owned()).collect();
            if let Some(contact) = answer.address("Contact") {
                self.target = contact.into();
            }
        }
        Ok(answer)
    }

    /// Confirms a 2xx, with a body if the answer carried the offer.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn ack(&mut self, phone: &mut Phone, body: &[u8]) -> Result<()> {
        let headers = self.headers(phone, self.invite_cseq, "ACK", body);
        phone.send(&Message::new(&format!("ACK {} SIP/2.0", self.target), &headers, body))
    }

    /// Gives up a call that has not been answered.
    ///
    /// # Errors
    /// No 200 to the CANCEL came.
    pub fn cancel(&mut self, phone: &mut Phone) -> Result<()> {
        let headers = [
            format!("Via: {}", self.invite.header("Via").unwrap_or_default()),
            "Max-Forwards: 70".into(),
            format!("From: {}", self.us),
            format!("To: {}", self.invite.header("To").unwrap_or_default()),
            format!("Call-ID: {}", self.id),
            format!("CSeq: {} CANCEL", self.invite_cseq),
        ];
        phone.send(&Message::new(
            &format!("CANCEL {} SIP/2.0", self.invite.request_uri()),
            &headers,
            b"",
        ))?;
        let (id, cseq) = (self.id.clone(), format!("{} CANCEL", self.invite_cseq));
        let answer = phone.wait("an answer to CANCEL", PATIENCE, |m| {
            m.header("Call-ID") == Some(&id) && m.header("CSeq") == Some(&cseq)
        })?;
        if answer.status() == Some(200) { Ok(()) } else { Err(format!("CANCEL got {answer:?}")) }
    }

    /// Answers the INVITE that began the call.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn reply(&mut self, phone: &mut Phone, status: &str, body: &[u8]) -> Result<()> {
        let invite = self.invite.clone();
        self.reply_to(phone, &invite, status, &[], body)
    }

    /// Answers a request of the other side inside the call.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn reply_to(
        &mut self,
        phone: &mut Phone,
        request: &Message,
        status: &str,
        more: &[String],
        body: &[u8],
    ) -> Result<()> {
        let mut headers = vec![format!("Contact: {}", phone.contact())];
        headers.extend_from_slice(more);
        if !body.is_empty() && !more.iter().any(|header| header.starts_with("Content-Type")) {
            headers.push("Content-Type: application/sdp".into());
        }
        phone.respond_with(request, status, &self.tag, &headers, body)
    }

    /// Sends a request inside the call and waits for its final answer; an INVITE that is refused
    /// gets its ACK.
    ///
    /// # Errors
    /// Nothing final came in time.
    pub fn ask(
        &mut self,
        phone: &mut Phone,
        method: &str,
        more: &[String],
        body: &[u8],
    ) -> Result<Message> {
        let request = self.send(phone, method, more, body)?;
        let (id, cseq) = (self.id.clone(), format!("{} {method}", self.cseq));
        let answer = phone.wait(&format!("an answer to {method}"), PATIENCE, |m| {
            m.status().is_some_and(|s| s >= 200)
                && m.header("Call-ID") == Some(&id)
                && m.header("CSeq") == Some(&cseq)
        })?;
        if method == "INVITE" && answer.status().is_some_and(|status| status >= 300) {
            let headers = [
                format!("Via: {}", request.header("Via").unwrap_or_default()),
                "Max-Forwards: 70".into(),
                format!("From: {}", self.us),
                format!("To: {}", answer.header("To").unwrap_or_default()),
                format!("Call-ID: {}", self.id),
                format!("CSeq: {} ACK", self.cseq),
            ];
            phone.send(&Message::new(&format!("ACK {} SIP/2.0", self.target), &headers, b""))?;
        }
        Ok(answer)
    }

    /// Sends a request inside the call and waits for nothing.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn tell(
        &mut self,
        phone: &mut Phone,
        method: &str,
        more: &[String],
        body: &[u8],
    ) -> Result<()> {
        self.send(phone, method, more, body).map(|_| ())
    }

    fn send(
        &mut self,
        phone: &mut Phone,
        method: &str,
        more: &[String],
        body: &[u8],
    ) -> Result<Message> {
        self.cseq += 1;
        if method == "INVITE" {
            self.invite_cseq = self.cseq;
        }
        let mut headers = self.headers(phone, self.cseq, method, body);
        headers.extend_from_slice(more);
        let request = Message::new(&format!("{method} {} SIP/2.0", self.target), &headers, body);
        phone.send(&request)?;
        Ok(request)
    }

    /// Waits for a request of the other side inside the call.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn request(&mut self, phone: &mut Phone, method: &str) -> Result<Message> {
        self.request_within(phone, method, PATIENCE)
    }

    /// As [`request`](Self::request), with a patience of its own.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn request_within(
        &mut self,
        phone: &mut Phone,
        method: &str,
        within: Duration,
    ) -> Result<Message> {
        let id = self.id.clone();
        let request = phone.wait(method, within, |m| {
            m.status().is_none() && m.method() == method && m.header("Call-ID") == Some(&id)
        })?;
        if matches!(method, "INVITE" | "UPDATE")
            && let Some(contact) = request.address("Contact")
        {
            self.target = contact.into();
        }
        Ok(request)
    }

    /// Ends the call and waits until the server has agreed.
    ///
    /// # Errors
    /// No 200 to the BYE came.
    pub fn hang_up(&mut self, phone: &mut Phone) -> Result<()> {
        let answer = self.ask(phone, "BYE", &[], b"")?;
        if answer.status() == Some(200) { Ok(()) } else { Err(format!("BYE got {answer:?}")) }
    }

    /// Waits until the other side ends the call, and agrees.
    ///
    /// # Errors
    /// No BYE came in time.
    pub fn ended(&mut self, phone: &mut Phone) -> Result<Message> {
        let bye = self.request(phone, "BYE")?;
        self.reply_to(phone, &bye, "200 OK", &[], b"")?;
        Ok(bye)
    }

    /// Whether we began it.
    #[must_use]
    pub fn dialled(&self) -> bool {
        self.dialled
    }

    fn headers(&self, phone: &Phone, cseq: u32, method: &str, body: &[u8]) -> Vec<String> {
        let mut headers = vec![
            phone.via(),
            "Max-Forwards: 70".into(),
            format!("From: {}", self.us),
            format!("To: {}", self.them),
            format!("Call-ID: {}", self.id),
            format!("CSeq: {cseq} {method}"),
            format!("Contact: {}", phone.contact()),
        ];
        headers.extend(self.routes.iter().map(|route| format!("Route: {route}")));
        if !body.is_empty() && matches!(method, "INVITE" | "ACK" | "UPDATE") {
            headers.push("Content-Type: application/sdp".into());
        }
        headers
    }
}
