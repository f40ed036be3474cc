// SPDX-License-Identifier: GPL-3.0-or-later
//! What a robot is told.

use super::{
    super::super::{house::HOUSE, text::Text},
    Doing, Plan, REMEMBERED, Robot, Stage, transaction, with_body,
};

impl Robot {
    pub(super) fn told(&mut self, answer: &Text, status: u16, doing: &mut Doing<'_>) {
        let key = transaction(answer);
        let id = answer.call_id().to_owned();
        if status >= 200 || answer.method() == "INVITE" {
            let asked = self.pending.remove(&key);
            if asked.is_none() && status >= 200 && answer.method() != "INVITE" {
                return;
            }
        }
        match answer.method() {
            "INVITE" => self.invite_answered(&id, answer, status, doing),
            _ if status < 200 => {}
            "REGISTER" if status == 401 && self.take_challenge(answer) => self.register(doing),
            "MESSAGE" if status == 401 => {
                self.take_challenge(answer);
            }
            "BYE" => {
                self.lines.remove(&id);
            }
            // There is nothing to be cancelled any more.
            "CANCEL" if status == 481 => {
                if self.lines.get(&id).is_some_and(|line| line.stage == Stage::Cancelling) {
                    self.lines.remove(&id);
                }
            }
            "UPDATE" if status == 200 => {
                if let Some(line) = self.lines.get_mut(&id) {
                    line.note(&answer.body);
                }
            }
            _ => {
                let is_about_call = !matches!(answer.method(), "CANCEL" | "PRACK");
                if matches!(status, 408 | 481) && is_about_call {
                    self.lines.remove(&id);
                }
            }
        }
    }

    pub(super) fn invite_answered(
        &mut self,
        id: &str,
        answer: &Text,
        status: u16,
        doing: &mut Doing<'_>,
    ) {
        let Some(mut line) = self.lines.remove(id) else {
            if (200..300).contains(&status) && answer.cseq() == 1 {
                // It gave up on this call: what answers is hung up.
                self.end_stray(id, answer, doing);
            } else if status >= 300 {
                self.acknowledge_refusal(id, answer, doing);
            }
            return;
        };
        let is_first = answer.cseq() == line.invite.cseq() && line.invite.header("From") == line.us;
        match status {
            100..=199 => {
                let rseq = answer.header("RSeq");
                if !rseq.is_empty() && line.stage == Stage::Calling {
                    line.them = answer.header("To").to_owned();
                    line.target = answer.address("Contact").to_owned();
                    let more = [format!("RAck: {rseq} {} INVITE", answer.cseq())];
                    self.lines.insert(id.to_owned(), line);
                    return self.ask_inside(id, "PRACK", &more, "", doing);
                }
            }
            200..=299 => {
                let key = format!("{id} {} {}", answer.cseq(), answer.tag("To"));
                if let Some((_, ack)) = self.acks.iter().find(|(known, _)| *known == key) {
                    doing.sends.push(ack.clone());
                    self.lines.insert(id.to_owned(), line);
                    return;
                }
                line.target = answer.address("Contact").to_owned();
                if is_first {
                    line.them = answer.header("To").to_owned();
                }
                line.note(&answer.body);
                // What was asked without an offer brought one, and is answered now.
                let offered = match is_first {
                    true => !line.invite.body.is_empty(),
                    false => line.reinvite == (answer.cseq(), true),
                };
                if line.reinvite.0 == answer.cseq() {
                    line.reinvite = (0, false);
                }
                let body = match offered || answer.body.is_empty() {
                    true => String::new(),
                    false => self.sdp(line.cseq + 2),
                };
                let mut headers = self.inside(id, &line, answer.cseq(), "ACK");
                with_body(&mut headers, &body);
                let ack = Text::write(&format!("ACK {} SIP/2.0", line.target), &headers, &body);
                self.acks.push_back((key, ack.bytes()));
                if self.acks.len() > REMEMBERED {
                    self.acks.pop_front();
                }
                doing.send(&ack);
                if is_first && matches!(line.stage, Stage::Calling | Stage::Cancelling) {
                    let cancelled = line.stage == Stage::Cancelling;
                    line.stage = Stage::Talking;
                    self.talked += 1;
                    match cancelled {
                        true => doing.plan(0, 10, Plan::HangUp(id.to_owned())),
                        false => doing.plan(2_000, 400_000, Plan::Act(id.to_owned())),
                    }
                }
            }
            _ => {
                self.acknowledge_refusal(id, answer, doing);
                if line.reinvite.0 == answer.cseq() {
                    line.reinvite = (0, false);
                }
                if answer.cseq() != line.cseq && !is_first {
                    // Repeated: of an INVITE that another one followed.
                    self.lines.insert(id.to_owned(), line);
                    return;
                }
                if matches!(line.stage, Stage::Calling | Stage::Cancelling) {
                    if status == 401
                        && line.stage == Stage::Calling
                        && self.take_challenge(answer)
                        && line.cseq < 4
                    {
                        self.invite(id, &mut line, doing);
                    } else {
                        return;
                    }
                } else if matches!(status, 408 | 481) {
                    return;
                }
            }
        }
        self.lines.insert(id.to_owned(), line);
    }

    pub(super) fn end_stray(&mut self, id: &str, answer: &Text, doing: &mut Doing<'_>) {
        for (method, cseq) in [("ACK", answer.cseq()), ("BYE", answer.cseq() + 1)] {
            let headers = [
                self.via(),
                "Max-Forwards: 70".into(),
                format!("From: {}", answer.header("From")),
                format!("To: {}", answer.header("To")),
                format!("Call-ID: {id}"),
                format!("CSeq: {cseq} {method}"),
            ];
            let uri = answer.address("Contact");
            let text = Text::write(&format!("{method} {uri} SIP/2.0"), &headers, "");
            match method {
                "ACK" => doing.send(&text),
                _ => self.request(&text, doing),
            }
        }
    }

    pub(super) fn acknowledge_refusal(&mut self, id: &str, answer: &Text, doing: &mut Doing<'_>) {
        let headers = [
            format!("Via: {}", answer.header("Via")),
            "Max-Forwards: 70".into(),
            format!("From: {}", answer.header("From")),
            format!("To: {}", answer.header("To")),
            format!("Call-ID: {id}"),
            format!("CSeq: {} ACK", answer.cseq()),
        ];
        doing.send(&Text::write(&format!("ACK sip:{HOUSE} SIP/2.0"), &headers, ""));
    }
}
