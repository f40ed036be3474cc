// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts on their way: to all phones of an extension at once, kept if none takes them.

use std::collections::VecDeque;

use sipwitch_sip::{
    endpoint::Composed,
    transaction::ClientId,
    wire::{Method, Response, name},
};

use super::{
    super::{Switchboard, ask::Refusal, storing::Waiting},
    Answers, PATIENCE, Sender, Sending, Text,
    outward::another_may_take_it,
};
use crate::store::{
    Change,
    records::{MessageRecord, TextState},
};

impl Switchboard {
    /// Sends a text to everything of its extension that takes texts.
    pub(super) fn send_text(&mut self, text: Text, sender: Sender) {
        let id = self.messages.next;
        self.messages.next += 1;
        let mut open = 0;
        for phone in &self.registrar.phones_of(&text.extension) {
            let Some(uri) = phone.uri() else { continue };
            let to = self.address_of(&text.extension);
            let mut draft = self.endpoint.compose(&Composed {
                method: &Method::Message,
                uri: &uri,
                from: &text.from,
                to: &to,
            });
            for hop in phone.routes() {
                draft.push(&name::ROUTE, format!("<{}>", hop.uri()));
            }
            let (content_type, body) = text.as_it_came();
            draft.body(content_type, body);
            let request = self.endpoint.request(self.now.instant, phone.reached_by(), &draft);
            self.messages.requests.insert(request, id);
            open += 1;
        }
        let stored = matches!(sender, Sender::Kept(_));
        let programs = self.text_to_programs(id, &text, stored);
        if open == 0 && programs.is_empty() {
            self.keep(id, &text, sender, "no phone is registered");
            return;
        }
        if !stored || !programs.is_empty() {
            // All have the same patience, so that they come in the order they end.
            self.messages.deadlines.push_back((self.now.instant + PATIENCE, id));
        }
        self.messages
            .sending
            .insert(id, Sending { text, open, programs, further: VecDeque::new(), sender });
    }

    /// Keeps the texts that no phone has taken so far. One that takes it later is welcome to.
    pub(in super::super) fn texts_overdue(&mut self) {
        self.silent_texts_go_on();
        while let Some(&(due, id)) = self.messages.deadlines.front() {
            if due > self.now.instant {
                break;
            }
            self.messages.deadlines.pop_front();
            let Some(sending) = self.messages.sending.get_mut(&id) else { continue };
            // A program that says nothing for so long will not.
            sending.programs.clear();
            if matches!(sending.sender, Sender::Kept(_)) {
                if sending.open == 0 {
                    self.messages.sending.remove(&id);
                }
                continue;
            }
            let sender = std::mem::replace(&mut sending.sender, Sender::Kept(id));
            let text = sending.text.clone();
            if sending.open == 0 || !text.can_wait() {
                self.messages.sending.remove(&id);
                self.messages.looking.retain(|_, (text, _)| *text != id);
            }
            self.keep(id, &text, sender, "nobody has taken the text in time");
        }
        self.texts_expire();
    }

    /// A phone answered. Gives false if the request was no text.
    pub(in super::super) fn text_answered(
        &mut self,
        request: ClientId,
        response: Option<&Response>,
    ) -> bool {
        let Some(&id) = self.messages.requests.get(&request) else { return false };
        if response.is_some_and(|response| response.status() < 200) {
            return true;
        }
        self.messages.requests.remove(&request);
        let is_taken = response.is_some_and(|response| response.status() < 300);
        // Gone already if another phone took it.
        let Some(mut sending) = self.messages.sending.remove(&id) else { return true };
        sending.open = sending.open.saturating_sub(1);
        if is_taken {
            self.taken(id, sending);
            return true;
        }
        if response.is_none_or(|response| another_may_take_it(response.status())) {
            self.messages.sending.insert(id, sending);
            if self.text_goes_on(id) {
                return true;
            }
            let Some(same) = self.messages.sending.remove(&id) else { return true };
            sending = same;
        }
        if sending.open == 0 && sending.programs.is_empty() {
            let why = match response {
                Some(response) => {
                    format!("the answer is {} {}", response.status(), response.reason())
                }
                None => "it cannot be reached".to_owned(),
            };
            self.keep(id, &sending.text, sending.sender, &why);
        } else {
            self.messages.sending.insert(id, sending);
        }
        true
    }

    fn taken(&mut self, id: u64, sending: Sending) {
        let Sending { text, programs, .. } = &sending;
        self.remember_taken(id, text, programs);
        match sending.sender {
            Sender::Kept(_) => {
                if let Some(author) = &sending.text.author {
                    self.report(author, &sending.text.extension, TextState::Delivered);
                }
            }
            Sender::Phone(_) | Sender::Program(_) | Sender::Call(..) | Sender::Nobody => {
                self.remember_sent(&sending.text, TextState::Delivered);
            }
        }
        match sending.sender {
            Sender::Phone(answers) => {
                self.endpoint.respond(self.now.instant, answers.transaction, &answers.ok);
            }
            Sender::Program(reply) => {
                let _ = reply.send(Ok(sending.text.sent("delivered")));
            }
            Sender::Call(leg, exchange) => self.programs.reply(leg, exchange, 200),
            Sender::Nobody => {}
            Sender::Kept(number) => {
                self.messages.kept_no_more(&sending.text.extension);
                self.store_quietly(Change::RemoveMessage { id: number });
            }
        }
    }

    /// A program took a text. Gives false if none waits for it.
    pub(in super::super) fn program_took(&mut self, program: u64, message: u64) -> bool {
        let is_asked = |sending: &Sending| sending.programs.contains(&program);
        if !self.messages.sending.get(&message).is_some_and(is_asked) {
            return false;
        }
        if let Some(sending) = self.messages.sending.remove(&message) {
            self.taken(message, sending);
        }
        true
    }

    /// A program takes no texts any more; what only it could have taken is kept.
    pub(in super::super) fn texts_left_by(&mut self, program: u64) {
        let mut left = Vec::new();
        for (id, sending) in &mut self.messages.sending {
            let before = sending.programs.len();
            sending.programs.retain(|other| *other != program);
            if before > 0 && sending.programs.is_empty() && sending.open == 0 {
                left.push(*id);
            }
        }
        left.sort_unstable();
        for id in left {
            if let Some(sending) = self.messages.sending.remove(&id) {
                self.keep(id, &sending.text, sending.sender, "the program has left");
            }
        }
    }

    /// Nobody took it: it is kept, or its sender hears why not.
    pub(super) fn keep(&mut self, id: u64, text: &Text, sender: Sender, why: &str) {
        if let Sender::Kept(_) = sender {
            return;
        }
        if !text.can_wait() {
            self.remember_sent(text, TextState::Failed);
            match sender {
                Sender::Phone(answers) => {
                    self.endpoint.respond(self.now.instant, answers.transaction, &answers.failed);
                }
                Sender::Program(reply) => {
                    let _ = reply.send(Err(Refusal::NoRoute(why.to_owned())));
                }
                Sender::Call(leg, exchange) => self.programs.reply(leg, exchange, 480),
                Sender::Kept(_) | Sender::Nobody => {}
            }
            return;
        }
        let record = MessageRecord {
            id,
            extension: text.extension.clone(),
            sender: text.from.clone(),
            content_type: text.content_type.clone(),
            body: text.body.to_vec(),
            received_us: self.now.unix_us,
            expires_us: self.now.unix_us.saturating_add(
                i64::try_from(self.settings.keep_texts.as_micros()).unwrap_or(i64::MAX),
            ),
            report: text.author.as_ref().map_or(0, |author| author.id),
        };
        self.remember_sent(text, TextState::Stored);
        *self.messages.kept.entry(text.extension.clone()).or_default() += 1;
        self.messages.expires(record.expires_us);
        let waiting = match sender {
            Sender::Phone(answers) => {
                let Answers { transaction, kept, failed, .. } = *answers;
                Waiting::Text { transaction, kept, failed }
            }
            Sender::Program(reply) => Waiting::Kept { sent: text.sent("stored"), reply },
            // What is written within a call does not wait.
            Sender::Kept(_) | Sender::Call(..) | Sender::Nobody => {
                return self.store_quietly(Change::PutMessage(Box::new(record)));
            }
        };
        self.store_then(vec![Change::PutMessage(Box::new(record))], waiting);
    }
}
