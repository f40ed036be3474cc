// SPDX-License-Identifier: GPL-3.0-or-later
//! A phone's half of a call: a dialog of RFC 3261 §12, kept as text.

use super::{
    house::HOUSE,
    text::{Text, response},
    town::{Phone, Town},
};

/// A dialog, from either side.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    pub(super) phone: Phone,
    pub(super) id: String,
    /// The INVITE that began it.
    pub(super) invite: Text,
    /// Our tag.
    pub(super) tag: String,
    /// Our side in requests of ours, and theirs.
    us: String,
    them: String,
    /// Where requests of ours go.
    pub(super) target: String,
    pub(super) cseq: u32,
}

impl Talk {
    pub(super) fn their_tag(&self) -> &str {
        self.them.split_once(";tag=").map_or("", |(_, tag)| tag)
    }

    /// How a Replaces names this dialog, seen from whoever sends it to our far end.
    pub(super) fn replaces(&self) -> String {
        format!("{};to-tag={};from-tag={}", self.id, self.their_tag(), self.tag)
    }
}

impl Town {
    /// Calls an extension with an offer.
    pub(super) fn dial(&mut self, phone: Phone, number: &str) -> Talk {
        let offer = self.sdp(phone);
        self.dial_with(phone, &format!("sip:{number}@{HOUSE}"), &[], &offer)
    }

    /// Calls, with what the test wants in the INVITE. Challenges are met.
    pub(super) fn dial_with(&mut self, phone: Phone, uri: &str, more: &[&str], body: &str) -> Talk {
        let me = format!("sip:{}@{HOUSE}", self.device(phone).number);
        self.dial_as(phone, &me, uri, more, body)
    }

    /// Calls as whoever that address says.
    pub(super) fn dial_as(
        &mut self,
        phone: Phone,
        me: &str,
        uri: &str,
        more: &[&str],
        body: &str,
    ) -> Talk {
        let serial = self.serial();
        let tag = format!("d{serial}");
        let mut talk = Talk {
            phone,
            id: format!("call-{serial}"),
            invite: Text::write("", &[], ""),
            us: format!("<{me}>;tag={tag}"),
            them: format!("<{uri}>"),
            tag,
            target: uri.to_owned(),
            cseq: 0,
        };
        self.invite(&mut talk, more, body);
        let id = talk.id.clone();
        let challenged =
            |text: &Text| text.call_id() == id && text.kind() == "401 INVITE" && text.cseq() == 1;
        if let Some(answer) = self.find(phone, challenged) {
            self.acknowledge_refusal(&talk, &answer);
            if self.take_challenge(phone, &answer) {
                self.invite(&mut talk, more, body);
            }
        }
        talk
    }

    fn invite(&mut self, talk: &mut Talk, more: &[&str], body: &str) {
        let phone = talk.phone;
        talk.cseq += 1;
        let mut headers = self.headers(talk, talk.cseq, "INVITE");
        headers.extend(self.authorization(phone, "INVITE", &talk.target));
        finish(&mut headers, more, body);
        talk.invite = Text::write(&format!("INVITE {} SIP/2.0", talk.target), &headers, body);
        self.send(phone, &talk.invite.clone());
    }

    /// The call that has come in.
    pub(super) fn rung(&mut self, phone: Phone) -> Talk {
        let invite = self.expect(phone, "INVITE");
        let tag = format!("u{}", self.serial());
        Talk {
            phone,
            id: invite.call_id().to_owned(),
            us: format!("{};tag={tag}", invite.header("To")),
            them: invite.header("From").to_owned(),
            target: invite.address("Contact").to_owned(),
            cseq: 0,
            tag,
            invite,
        }
    }

    /// Answers the INVITE that began the call.
    pub(super) fn reply(&mut self, talk: &Talk, status: &str, body: &str) {
        self.reply_with(talk, status, &[], body);
    }

    pub(super) fn reply_with(&mut self, talk: &Talk, status: &str, more: &[&str], body: &str) {
        let invite = talk.invite.clone();
        self.respond(talk.phone, &invite, status, &talk.tag, more, body);
    }

    /// Answers a request inside the call.
    pub(super) fn answer(&mut self, talk: &Talk, request: &Text, status: &str, body: &str) {
        self.respond(talk.phone, request, status, &talk.tag, &[], body);
    }

    /// A message of that kind inside the call, which must be there. Answers to INVITE tell where
    /// the far end is.
    pub(super) fn heard(&mut self, talk: &mut Talk, kind: &str) -> Text {
        let id = talk.id.clone();
        let found = self.find(talk.phone, |text| text.call_id() == id && text.kind() == kind);
        let Some(text) = found else {
            self.fail(&format!("phone {:?} should have got {kind} in {id}", talk.phone));
        };
        if text.status().is_some() && text.method() == "INVITE" && !text.tag("To").is_empty() {
            talk.them = text.header("To").to_owned();
        }
        let is_target = matches!(text.method(), "INVITE" | "UPDATE");
        if is_target && !text.address("Contact").is_empty() {
            talk.target = text.address("Contact").to_owned();
        }
        text
    }

    /// Acknowledges a 2xx.
    pub(super) fn ack(&mut self, talk: &Talk, body: &str) {
        self.ack_of(talk, talk.cseq, body);
    }

    pub(super) fn ack_of(&mut self, talk: &Talk, cseq: u32, body: &str) {
        let mut headers = self.headers(talk, cseq, "ACK");
        finish(&mut headers, &[], body);
        let ack = Text::write(&format!("ACK {} SIP/2.0", talk.target), &headers, body);
        self.send(talk.phone, &ack);
    }

    /// The refusal that ends our INVITE, acknowledged (RFC 3261 §17.1.1.3).
    pub(super) fn refused(&mut self, talk: &Talk) -> Text {
        let id = talk.id.clone();
        let is_refusal = |text: &Text| {
            text.call_id() == id
                && text.method() == "INVITE"
                && text.status().is_some_and(|s| s >= 300)
        };
        let Some(answer) = self.find(talk.phone, is_refusal) else {
            self.fail(&format!("the call {id} should have been refused"));
        };
        self.acknowledge_refusal(talk, &answer);
        answer
    }

    pub(super) fn acknowledge_refusal(&mut self, talk: &Talk, answer: &Text) {
        let headers = [
            format!("Via: {}", talk.invite.header("Via")),
            "Max-Forwards: 70".into(),
            format!("From: {}", talk.us),
            format!("To: {}", answer.header("To")),
            format!("Call-ID: {}", talk.id),
            format!("CSeq: {} ACK", answer.cseq()),
        ];
        let ack = Text::write(&format!("ACK {} SIP/2.0", talk.invite.uri()), &headers, "");
        self.send(talk.phone, &ack);
    }

    /// Gives the call up before it is answered.
    pub(super) fn cancel(&mut self, talk: &Talk) {
        let headers = [
            format!("Via: {}", talk.invite.header("Via")),
            "Max-Forwards: 70".into(),
            format!("From: {}", talk.us),
            format!("To: {}", talk.invite.header("To")),
            format!("Call-ID: {}", talk.id),
            format!("CSeq: {} CANCEL", talk.invite.cseq()),
        ];
        let cancel = Text::write(&format!("CANCEL {} SIP/2.0", talk.invite.uri()), &headers, "");
        self.send(talk.phone, &cancel);
    }

    /// A ringing call is taken back: CANCEL is answered, and so is its INVITE.
    pub(super) fn cancelled(&mut self, talk: &Talk) -> Text {
        let mut same = talk.clone();
        let cancel = self.heard(&mut same, "CANCEL");
        assert_eq!(cancel.branch(), talk.invite.branch(), "the CANCEL of another INVITE");
        self.send(talk.phone, &response(&cancel, "200 OK", &talk.tag, &[], ""));
        self.reply(talk, "487 Request Terminated", "");
        self.heard(&mut same, "ACK");
        cancel
    }

    /// A request inside the call; what comes of it is looked for with [`Self::heard`].
    pub(super) fn tell(&mut self, talk: &mut Talk, method: &str, more: &[&str], body: &str) {
        talk.cseq += 1;
        let mut headers = self.headers(talk, talk.cseq, method);
        finish(&mut headers, more, body);
        let request = Text::write(&format!("{method} {} SIP/2.0", talk.target), &headers, body);
        self.send(talk.phone, &request);
    }

    /// Hangs up.
    pub(super) fn hang_up(&mut self, talk: &mut Talk) {
        self.tell(talk, "BYE", &[], "");
        self.heard(talk, "200 BYE");
    }

    /// The other side has hung up; that is agreed to.
    pub(super) fn ended(&mut self, talk: &mut Talk) -> Text {
        let bye = self.heard(talk, "BYE");
        self.answer(talk, &bye, "200 OK", "");
        bye
    }

    /// Both phones talk.
    pub(super) fn call(&mut self, from: Phone, to: Phone) -> (Talk, Talk) {
        let number = self.device(to).number.clone();
        let mut caller = self.dial(from, &number);
        let mut callee = self.rung(to);
        self.reply(&callee, "180 Ringing", "");
        self.heard(&mut caller, "180 INVITE");
        let answer = self.sdp(to);
        self.reply(&callee, "200 OK", &answer);
        self.heard(&mut caller, "200 INVITE");
        self.ack(&caller, "");
        self.heard(&mut callee, "ACK");
        (caller, callee)
    }

    /// The headers of a request inside the call.
    pub(super) fn headers(&mut self, talk: &Talk, cseq: u32, method: &str) -> Vec<String> {
        let mut headers = vec![
            self.via(talk.phone),
            "Max-Forwards: 70".into(),
            format!("From: {}", talk.us),
            format!("To: {}", talk.them),
            format!("Call-ID: {}", talk.id),
            format!("CSeq: {cseq} {method}"),
        ];
        if method != "ACK" && method != "BYE" {
            headers.push(format!("Contact: {}", self.device(talk.phone).contact));
        }
        headers
    }
}

fn finish(headers: &mut Vec<String>, more: &[&str], body: &str) {
    headers.extend(more.iter().map(|&line| line.to_owned()));
    if !body.is_empty() && !more.iter().any(|line| line.starts_with("Content-Type")) {
        headers.push("Content-Type: application/sdp".into());
    }
}
