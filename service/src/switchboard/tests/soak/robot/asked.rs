// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of a robot.

use super::{
    super::super::text::{Text, response},
    Doing, Line, Plan, RANG_OUT, Robot, Stage, contact, port_of, transaction, with_body,
};

impl Robot {
    pub(super) fn asked(&mut self, request: &Text, doing: &mut Doing<'_>) {
        let key = transaction(request);
        if request.method() != "ACK"
            && let Some((_, answer)) = self.answered.iter().find(|(known, _)| *known == key)
        {
            doing.sends.push(answer.clone());
            return;
        }
        let id = request.call_id().to_owned();
        match request.method() {
            "ACK" => {
                self.pending.remove(&format!("ack {id} {}", request.cseq()));
                if let Some(line) = self.lines.get_mut(&id)
                    && line.invited <= request.cseq()
                {
                    // A repeated one may come after the next re-INVITE.
                    line.note(&request.body);
                }
            }
            "PRACK" => {
                self.pending.remove(&format!("prack {id}"));
                self.answer(request, "200 OK", "", doing);
            }
            "INVITE" if request.tag("To").is_empty() => self.called(request, doing),
            "INVITE" => self.reinvited(request, doing),
            "CANCEL" => {
                self.answer(request, "200 OK", "", doing);
                let ringing = self.lines.get(&id).is_some_and(|l| l.stage == Stage::Ringing);
                if ringing && let Some(line) = self.lines.remove(&id) {
                    let status = "487 Request Terminated";
                    self.answer_final(&line.invite, status, &line.tag, &[], "", doing);
                }
            }
            "BYE" => {
                // A BYE to a dialog of a fork that is not ours ends nothing.
                let ours = self.lines.get(&id).is_some_and(|l| l.tag == request.tag("To"));
                if ours {
                    self.lines.remove(&id);
                }
                self.answer(request, "200 OK", "", doing);
            }
            _ if !request.tag("To").is_empty() && !self.lines.contains_key(&id) => {
                self.answer(request, "481 Call Does Not Exist", "", doing);
            }
            "UPDATE" if !request.body.is_empty() => self.reinvited(request, doing),
            _ => match doing.dice.below(100) {
                0 if doing.is_tame => self.answer(request, "200 OK", "", doing),
                0 => {}
                1..=3 => self.answer(request, "500 Out Of Order", "", doing),
                4..=6 => self.answer(request, "405 Method Not Allowed", "", doing),
                _ => self.answer(request, "200 OK", "", doing),
            },
        }
    }

    pub(super) fn called(&mut self, invite: &Text, doing: &mut Doing<'_>) {
        self.serial += 1;
        let id = invite.call_id().to_owned();
        let tag = format!("u{}-{}", self.serial, port_of(&self.address));
        let line = Line {
            us: format!("{};tag={tag}", invite.header("To")),
            them: invite.header("From").to_owned(),
            tag: tag.clone(),
            target: invite.address("Contact").to_owned(),
            cseq: 0,
            invite: invite.clone(),
            stage: Stage::Ringing,
            reinvite: (0, false),
            invited: 0,
            hears: 0,
        };
        self.lines.insert(id.clone(), line);
        let later = |status: &str| Plan::Answer(id.clone(), status.to_owned());
        let mut progress = None;
        doing.plan(300_000, 300_000, later(RANG_OUT));
        match doing.dice.below(100) {
            // It never says a word.
            0..=2 => {
                self.lines.remove(&id);
                return;
            }
            3..=8 => doing.plan(0, 2_000, later("486 Busy Here")),
            9..=11 => doing.plan(0, 5_000, later("603 Decline")),
            12..=15 => doing.plan(0, 3_000, later("302 Moved Temporarily")),
            16..=17 => doing.plan(0, 500, later("500 Broken")),
            // It rings for ever.
            18..=24 => progress = Some("180 Ringing"),
            25..=34 => {
                progress = Some("183 Session Progress");
                doing.plan(500, 20_000, later("200 OK"));
            }
            35..=49 => doing.plan(0, 300, later("200 OK")),
            _ => {
                progress = Some("180 Ringing");
                doing.plan(500, 30_000, later("200 OK"));
            }
        }
        if let Some(status) = progress {
            let body = if status.starts_with("183") { self.sdp(1) } else { String::new() };
            let mut more = vec![contact(&self.number, &self.address)];
            with_body(&mut more, &body);
            let is_reliable = invite.header("Supported").contains("100rel");
            let is_reliable = is_reliable && doing.dice.percent(50);
            if is_reliable {
                more.push("Require: 100rel".into());
                more.push("RSeq: 17".into());
            }
            let answer = response(invite, status, &tag, &more, &body);
            self.remember(invite, &answer);
            if is_reliable {
                self.pend(format!("prack {id}"), &answer, doing);
            }
            doing.send(&answer);
        }
    }

    pub(super) fn reinvited(&mut self, request: &Text, doing: &mut Doing<'_>) {
        let Some(line) = self.lines.get_mut(request.call_id()) else {
            let tag = request.tag("To").to_owned();
            return self.answer_final(request, "481 Gone", &tag, &[], "", doing);
        };
        let version = line.cseq + 2;
        let (tag, busy) = (line.tag.clone(), doing.dice.below(100));
        let status = match busy {
            // Glare (RFC 3261 §14.2).
            _ if line.reinvite.0 != 0 => "491 Request Pending",
            0..=4 => "491 Request Pending",
            _ if doing.is_tame => "200 OK",
            5..=7 => "488 Not Acceptable Here",
            8 => "500 Broken",
            _ => "200 OK",
        };
        let direction = match request.body.as_str() {
            body if body.contains("a=sendonly") => "recvonly",
            body if body.contains("a=inactive") => "inactive",
            _ => "sendrecv",
        };
        let mut body = String::new();
        if status.starts_with('2') {
            line.note(&request.body);
            line.invited = request.cseq();
            body = self.sdp(version).replace("a=sendrecv", &format!("a={direction}"));
        }
        let mut more = vec![contact(&self.number, &self.address)];
        with_body(&mut more, &body);
        if request.method() == "UPDATE" {
            let answer = response(request, status, &tag, &more, &body);
            self.remember(request, &answer);
            doing.send(&answer);
        } else {
            self.answer_final(request, status, &tag, &more, &body, doing);
        }
    }

    pub(super) fn answer(
        &mut self,
        request: &Text,
        status: &str,
        body: &str,
        doing: &mut Doing<'_>,
    ) {
        let more = [contact(&self.number, &self.address)];
        let answer = response(request, status, "x", &more, body);
        self.remember(request, &answer);
        doing.send(&answer);
    }
}
