// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts (MESSAGE, RFC 3428): delivered to all phones of an extension, or kept until one registers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::{
    contact::Contact,
    extension::{ExtensionNumber, Kind},
    routing::{self, Caller, Destination, Wants},
};
use sipwitch_sip::{
    endpoint::{Arrival, Composed},
    flow::Flow,
    registrar::Binding,
    transaction::{ClientId, ServerId},
    wire::{Draft, Method, Response, name},
};

use super::{
    Inner, Switchboard,
    ask::{Refusal, Reply},
    door::Identity,
    steering::parse,
    storing::Waiting,
};
use crate::{
    lines::Outgoing,
    store::{Change, records::MessageRecord},
};

/// The longest text taken, in bytes (RFC 3428 §8: a MESSAGE must fit a datagram).
const MAX_TEXT: usize = 1300;
/// The longest body of any other type that is handed on.
const MAX_BODY: usize = 64 * 1024;

/// How long phones have to take a text before it is kept. The sender gives up after 32 s (RFC 3261
/// §17.1.2.2) and must have its answer well before (RFC 4320 §3.3), or it would send it again.
const PATIENCE: Duration = Duration::from_secs(8);

/// Texts under way and texts that are kept.
#[derive(Debug)]
pub(super) struct Messages {
    next: u64,
    /// How many are kept, by extension.
    kept: HashMap<String, u32>,
    /// Texts being sent to phones.
    pub(super) sending: HashMap<u64, Sending>,
    /// When the patience with the phones of a text ends.
    deadlines: VecDeque<(Instant, u64)>,
    /// Which text a request bears.
    pub(super) requests: HashMap<ClientId, u64>,
    /// Extensions whose kept texts are being fetched.
    pub(super) fetching: HashSet<String>,
}

/// A text being sent.
#[derive(Debug)]
pub(super) struct Sending {
    text: Text,
    /// Requests not answered yet.
    open: u32,
    sender: Sender,
}

/// A text.
#[derive(Debug, Clone)]
struct Text {
    /// Whom it is for; empty if it leaves by a line.
    extension: String,
    from: String,
    content_type: String,
    body: Bytes,
}

impl Text {
    fn outside(content_type: String, body: Bytes) -> Self {
        Self { extension: String::new(), from: String::new(), content_type, body }
    }

    /// Only words can wait: an "is composing" (RFC 3994) of yesterday is of no use.
    fn can_wait(&self) -> bool {
        let kind = self.content_type.trim_start().get(..5).unwrap_or_default();
        !self.extension.is_empty()
            && kind.eq_ignore_ascii_case("text/")
            && self.body.len() <= MAX_TEXT
    }
}

/// Who wants to know what becomes of it.
#[derive(Debug)]
enum Sender {
    /// A phone.
    Phone(Box<Answers>),
    /// A program.
    Program(Reply<&'static str>),
    /// Nobody: it was kept under this number, and its sender knows.
    Kept(u64),
}

/// What a phone that sent a text may be told.
#[derive(Debug)]
struct Answers {
    transaction: ServerId,
    ok: Draft,
    kept: Draft,
    failed: Draft,
}

impl Messages {
    pub(super) fn new(next: u64, waiting: Vec<(String, u32)>) -> Self {
        Self {
            next: next.max(1),
            kept: waiting.into_iter().collect(),
            sending: HashMap::new(),
            deadlines: VecDeque::new(),
            requests: HashMap::new(),
            fetching: HashSet::new(),
        }
    }

    /// When [`Switchboard::texts_overdue`] wants to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(due, _)| *due)
    }

    /// An extension is gone, and what waited for it.
    pub(super) fn forget(&mut self, extension: &str) {
        self.kept.remove(extension);
    }
}

impl Switchboard {
    /// A phone sends a text.
    pub(super) fn text_arrived(&mut self, arrival: &Arrival) {
        let identity = match self.identify(arrival) {
            Ok(identity) => identity,
            Err(response) => {
                self.endpoint.respond(self.now.instant, arrival.transaction, &response);
                return;
            }
        };
        let body = arrival.request.body().clone();
        if body.len() > MAX_BODY {
            self.refuse(arrival, 513);
            return;
        }
        let uri = arrival.request.uri();
        let contact = match &identity {
            Identity::Line(line) => self.texted_by(*line, &uri).map(|number| number.to_string()),
            Identity::Extension(_)
            | Identity::OwnProgram
            | Identity::Peer(_)
            | Identity::Unproven => Some(uri.to_string()),
        };
        let Some(Ok(contact)) = contact.map(|contact| contact.parse::<Contact>()) else {
            self.refuse(arrival, 404);
            return;
        };
        // Only the house writes to the outside: a stranger is not handed on.
        let outgoing = match &identity {
            Identity::Extension(number) => self.text_leaves_by(&contact, Some(number.clone())),
            Identity::OwnProgram => self.text_leaves_by(&contact, None),
            Identity::Line(_) | Identity::Peer(_) | Identity::Unproven => None,
        };
        let found = match &outgoing {
            Some(_) => Ok((String::new(), Vec::new())),
            None => self.phones_for_text(&contact),
        };
        let (extension, phones) = match found {
            Ok(found) => found,
            Err(status) => {
                self.refuse(arrival, status);
                return;
            }
        };
        let from = match identity {
            Identity::Extension(number) => self.address_of(number.as_str()),
            Identity::OwnProgram | Identity::Line(_) | Identity::Peer(_) | Identity::Unproven => {
                arrival
                    .request
                    .from()
                    .map_or_else(|_| String::new(), |from| format!("<{}>", from.uri()))
            }
        };
        let content_type = arrival
            .request
            .headers()
            .text(&name::CONTENT_TYPE)
            .unwrap_or_else(|| "text/plain".to_owned());
        let mut answer = |status| self.endpoint.response_to(&arrival.request, status, "");
        let sender = Sender::Phone(Box::new(Answers {
            transaction: arrival.transaction,
            ok: answer(200),
            kept: answer(202),
            failed: answer(480),
        }));
        // What was copied out of the datagram does not keep the datagram alive.
        let body = Bytes::copy_from_slice(&body);
        let text = Text { extension, from, content_type, body };
        match outgoing {
            Some(outgoing) => self.send_text_out(text, &outgoing, sender),
            None => self.send_text(text, &phones, sender),
        }
    }

    /// A program sends a text.
    pub(super) fn send_message(
        &mut self,
        contact: &str,
        from: Option<&str>,
        text: String,
        reply: Reply<&'static str>,
    ) {
        if text.is_empty() || text.len() > MAX_TEXT {
            let _ = reply.send(Err(Refusal::BadValue(format!(
                "the text has {} bytes; it must have between 1 and {MAX_TEXT}",
                text.len()
            ))));
            return;
        }
        if let Ok(parsed) = parse(contact)
            && let Some(outgoing) = self.text_leaves_by(&parsed, None)
        {
            let content_type = "text/plain;charset=UTF-8".to_owned();
            let text = Text::outside(content_type, text.into());
            return self.send_text_out(text, &outgoing, Sender::Program(reply));
        }
        match self.text_of_program(contact, from, text) {
            Ok((text, phones)) => self.send_text(text, &phones, Sender::Program(reply)),
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
    }

    fn text_of_program(
        &self,
        contact: &str,
        from: Option<&str>,
        text: String,
    ) -> Result<(Text, Vec<std::sync::Arc<Binding>>), Refusal> {
        let from = match from.or_else(|| self.settings.dial_from.first().map(String::as_str)) {
            Some(named) => match self.directory.find(named) {
                Some(entry) => self.address_of(entry.extension.number.as_str()),
                None => {
                    let name = named.to_owned();
                    return Err(Refusal::NotFound { kind: "extension", name });
                }
            },
            None => format!("<sip:sipwitch@{}>", self.settings.domain()),
        };
        let (extension, phones) = self.phones_for_text(&parse(contact)?).map_err(|status| {
            if status == 404 {
                Refusal::NotFound { kind: "extension", name: contact.to_owned() }
            } else {
                Refusal::NoRoute(format!("{contact}: only extensions take texts"))
            }
        })?;
        let text = Text {
            extension,
            from,
            content_type: "text/plain;charset=UTF-8".to_owned(),
            body: text.into(),
        };
        Ok((text, phones))
    }

    /// The one extension a text is for, and its phones.
    fn phones_for_text(
        &self,
        contact: &Contact,
    ) -> Result<(String, Vec<std::sync::Arc<Binding>>), u16> {
        let texting = Caller { wants: Wants::Text, ..Caller::default() };
        let route = routing::route(contact, &texting, &self.house(None));
        let number = match contact {
            Contact::Sip(address) if !self.settings.is_own(&address.host, address.port, None) => {
                return Err(route.refusal().sip);
            }
            contact => contact.user(),
        };
        let Some(entry) = self.directory.find(number) else { return Err(404) };
        if matches!(entry.extension.kind, Kind::Group { .. }) {
            return Err(488);
        }
        let number = entry.extension.number.to_string();
        let phones = self.registrar.phones_of(&number);
        Ok((number, phones))
    }

    /// How a text leaves the house, if it does: by the first line on its route.
    fn text_leaves_by(
        &self,
        contact: &Contact,
        extension: Option<ExtensionNumber>,
    ) -> Option<Outgoing> {
        let caller = Caller { extension, wants: Wants::Text, ..Caller::default() };
        let route = routing::route(contact, &caller, &self.house(None));
        let targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
        let mut outgoing = targets.filter_map(|target| match target.destination {
            Destination::Line(line) => self.lines.outgoing(line, &target.dialled).ok(),
            Destination::Peer | Destination::Phone(_) => None,
        });
        outgoing.next()
    }

    fn send_text_out(&mut self, text: Text, outgoing: &Outgoing, sender: Sender) {
        let id = self.messages.next;
        self.messages.next += 1;
        let mut draft = self.endpoint.compose(&Composed {
            method: &Method::Message,
            uri: &outgoing.request_uri,
            from: &outgoing.on.from_value(),
            to: &format!("<{}>", outgoing.request_uri),
        });
        for route in &outgoing.route {
            draft.push(&name::ROUTE, route);
        }
        draft.body(text.content_type.clone(), text.body.clone());
        // Of connections the first stands; others may be none any more.
        let most = if outgoing.needs_connections() { 1 } else { outgoing.ways.len() };
        let ways: Vec<Flow> = outgoing.ways.iter().take(most).map(|way| way.flow).collect();
        let now = self.now.instant;
        match self.endpoint.request_on_line(now, &ways, draft, &outgoing.on) {
            Some(request) => {
                self.messages.requests.insert(request, id);
                self.messages.deadlines.push_back((now + PATIENCE, id));
                self.messages.sending.insert(id, Sending { text, open: 1, sender });
            }
            None => self.keep(id, &text, sender),
        }
    }

    fn address_of(&self, number: &str) -> String {
        format!("<sip:{number}@{}>", self.settings.domain())
    }

    fn send_text(&mut self, text: Text, phones: &[std::sync::Arc<Binding>], sender: Sender) {
        let id = self.messages.next;
        self.messages.next += 1;
        let mut open = 0;
        for phone in phones {
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
            draft.body(text.content_type.clone(), text.body.clone());
            let request = self.endpoint.request(self.now.instant, phone.reached_by(), &draft);
            self.messages.requests.insert(request, id);
            open += 1;
        }
        if open == 0 {
            self.keep(id, &text, sender);
            return;
        }
        if !matches!(sender, Sender::Kept(_)) {
            // All have the same patience, so that they come in the order they end.
            self.messages.deadlines.push_back((self.now.instant + PATIENCE, id));
        }
        self.messages.sending.insert(id, Sending { text, open, sender });
    }

    /// Keeps the texts that no phone has taken so far. One that takes it later is welcome to.
    pub(super) fn texts_overdue(&mut self) {
        while let Some(&(due, id)) = self.messages.deadlines.front() {
            if due > self.now.instant {
                break;
            }
            self.messages.deadlines.pop_front();
            let Some(sending) = self.messages.sending.get_mut(&id) else { continue };
            let sender = std::mem::replace(&mut sending.sender, Sender::Kept(id));
            let text = sending.text.clone();
            if !text.can_wait() {
                self.messages.sending.remove(&id);
            }
            self.keep(id, &text, sender);
        }
    }

    /// A phone answered. Gives false if the request was no text.
    pub(super) fn text_answered(&mut self, request: ClientId, response: Option<&Response>) -> bool {
        let Some(&id) = self.messages.requests.get(&request) else { return false };
        if response.is_some_and(|response| response.status() < 200) {
            return true;
        }
        self.messages.requests.remove(&request);
        let is_taken = response.is_some_and(|response| response.status() < 300);
        // Gone already if another phone took it.
        let Some(mut sending) = self.messages.sending.remove(&id) else { return true };
        sending.open -= 1;
        if is_taken {
            self.taken(sending);
        } else if sending.open == 0 {
            self.keep(id, &sending.text, sending.sender);
        } else {
            self.messages.sending.insert(id, sending);
        }
        true
    }

    fn taken(&mut self, sending: Sending) {
        match sending.sender {
            Sender::Phone(answers) => {
                self.endpoint.respond(self.now.instant, answers.transaction, &answers.ok);
            }
            Sender::Program(reply) => {
                let _ = reply.send(Ok("delivered"));
            }
            Sender::Kept(number) => {
                if let Some(kept) = self.messages.kept.get_mut(&sending.text.extension) {
                    *kept = kept.saturating_sub(1);
                    if *kept == 0 {
                        self.messages.kept.remove(&sending.text.extension);
                    }
                }
                self.store_quietly(Change::RemoveMessage { id: number });
            }
        }
    }

    /// No phone took it: it is kept.
    fn keep(&mut self, id: u64, text: &Text, sender: Sender) {
        if let Sender::Kept(_) = sender {
            return;
        }
        if !text.can_wait() {
            match sender {
                Sender::Phone(answers) => {
                    self.endpoint.respond(self.now.instant, answers.transaction, &answers.failed);
                }
                Sender::Program(reply) => {
                    let _ = reply.send(Err(Refusal::NoRoute("nobody took the text".into())));
                }
                Sender::Kept(_) => {}
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
        };
        *self.messages.kept.entry(text.extension.clone()).or_default() += 1;
        let waiting = match sender {
            Sender::Phone(answers) => {
                let Answers { transaction, kept, failed, .. } = *answers;
                Waiting::Text { transaction, kept, failed }
            }
            Sender::Program(reply) => Waiting::Kept { reply },
            Sender::Kept(_) => return,
        };
        self.store_then(vec![Change::PutMessage(Box::new(record))], waiting);
    }

    /// A phone registered: what waits for its extension is fetched.
    pub(super) fn phone_came(&mut self, extension: &str) {
        if self.messages.kept.get(extension).is_none_or(|kept| *kept == 0)
            || !self.messages.fetching.insert(extension.to_owned())
        {
            return;
        }
        let answer = self.store.messages(extension, self.now.unix_us);
        let inner = self.inner.clone();
        let extension = extension.to_owned();
        tokio::spawn(async move {
            let messages = match answer.await {
                Ok(Ok(messages)) => messages,
                Ok(Err(_)) | Err(_) => Vec::new(),
            };
            let _ = inner.send(Inner::Waiting { extension, messages });
        });
    }

    pub(super) fn deliver_waiting(&mut self, extension: &str, messages: Vec<MessageRecord>) {
        self.messages.fetching.remove(extension);
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        self.messages.kept.insert(extension.to_owned(), count);
        let phones = self.registrar.phones_of(extension);
        // What is being delivered already is not delivered twice, however many phones come.
        let under_way: HashSet<u64> = self
            .messages
            .sending
            .values()
            .filter_map(|sending| match sending.sender {
                Sender::Kept(number) => Some(number),
                Sender::Phone(_) | Sender::Program(_) => None,
            })
            .collect();
        for message in messages {
            if under_way.contains(&message.id) {
                continue;
            }
            let text = Text {
                extension: message.extension,
                from: message.sender,
                content_type: message.content_type,
                body: message.body.into(),
            };
            self.send_text(text, &phones, Sender::Kept(message.id));
        }
    }
}
