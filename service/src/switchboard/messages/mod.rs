// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts (MESSAGE, RFC 3428): delivered to all phones of an extension, or kept until one registers;
//! and texts that leave the house.

mod delivery;
mod expiry;
mod inside;
mod outward;
mod past;
mod unwanted;
mod waiting;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sipwitch_core::{
    blocking::Caller,
    call::leg::{ExchangeId, LegId},
    contact::Contact,
    extension::{ExtensionNumber, Kind},
    line::LineId,
    routing::{self, Wants},
};
use sipwitch_sip::{
    endpoint::Arrival,
    transaction::{ClientId, ServerId},
    wire::{Draft, is_wrapped, name, plain_text},
};

use self::outward::Leaves;
use super::{
    Now, Switchboard,
    ask::{Refusal, Reply, TextSent},
    door::{Identity, Turned},
    login::Stage,
    steering::parse,
};

/// The longest text taken, in bytes (RFC 3428 §8: a MESSAGE must fit a datagram).
const MAX_TEXT: usize = 1300;
/// The longest body of any other type that is handed on.
const MAX_BODY: usize = 64 * 1024;

/// What a phone is told that sends a body in which there is no text.
const TAKEN: &str = "text/plain, multipart/mixed, multipart/alternative, message/cpim, \
                     application/im-iscomposing+xml";

/// Tells that somebody is writing (RFC 3994).
const COMPOSING: &str = "application/im-iscomposing+xml";

/// How long phones have to take a text before it is kept. The sender gives up after 32 s (RFC 3261
/// §17.1.2.2) and must have its answer well before (RFC 4320 §3.3), or it would send it again.
const PATIENCE: Duration = Duration::from_secs(8);

/// Texts under way and texts that are kept.
#[derive(Debug)]
pub(super) struct Messages {
    next: u64,
    /// How many are kept, by extension.
    kept: HashMap<String, u32>,
    /// When the first of them expires, microseconds since 1970.
    expires_us: Option<i64>,
    /// The store is being asked which have expired.
    pub(super) is_expiring: bool,
    /// Texts being sent to phones.
    pub(super) sending: HashMap<u64, Sending>,
    /// When the patience with the phones of a text ends.
    deadlines: VecDeque<(Instant, u64)>,
    /// Which text a request bears.
    pub(super) requests: HashMap<ClientId, u64>,
    /// Ways out that are being looked for, and for which text.
    looking: HashMap<u64, (u64, Leaves)>,
    /// When a way out that says nothing is not waited for any more.
    silences: VecDeque<(Instant, u64)>,
    /// Extensions whose kept texts are being fetched.
    pub(super) fetching: HashSet<String>,
}

/// A text being sent.
#[derive(Debug)]
pub(super) struct Sending {
    text: Text,
    /// Requests not answered yet.
    open: u32,
    /// Programs that have not taken it yet.
    programs: Vec<u64>,
    /// Other ways out of the house, the best first.
    further: VecDeque<Leaves>,
    sender: Sender,
}

/// A text.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// Whom it is for; empty if it leaves the house.
    pub(super) extension: String,
    /// The program that it is for, if it came by the account of that: then there is no extension.
    pub(super) program: Option<u64>,
    pub(super) from: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    /// The body as it came, where the text is one part of it.
    whole: Option<(String, Bytes)>,
    /// When it was sent or came.
    at_us: i64,
    /// The extension that sent it, if one did.
    author: Option<Box<Author>>,
}

/// The extension that sent a text.
#[derive(Debug, Clone)]
struct Author {
    extension: String,
    /// Names the text among those of the extension.
    id: u64,
    /// To whom.
    contact: String,
    /// Whether it wrote by a phone that is no program.
    is_elsewhere: bool,
}

/// What a text says.
#[derive(Debug, Clone)]
struct Content {
    kind: String,
    body: Bytes,
    /// The body as it came, where the text is one part of it.
    whole: Option<(String, Bytes)>,
}

impl Content {
    /// Finds the text of a body, which may have several parts or be wrapped.
    fn of(kind: Option<String>, bytes: &[u8]) -> Self {
        let kind = kind.unwrap_or_else(|| "text/plain".to_owned());
        // What was copied out of the datagram does not keep the datagram alive.
        let body = Bytes::copy_from_slice(bytes);
        match is_wrapped(&kind).then(|| plain_text(&kind, bytes)).flatten() {
            Some((of_text, text)) => {
                let text = Bytes::copy_from_slice(text);
                Self { kind: of_text, body: text, whole: Some((kind, body)) }
            }
            None => Self { kind, body, whole: None },
        }
    }

    /// Whether it has parts or a wrapping, and no text in it: some phones make something of it.
    fn is_textless(&self) -> bool {
        is_wrapped(&self.kind)
    }
}

impl Text {
    fn arrived(content: Content, extension: String, from: String, at_us: i64) -> Self {
        let Content { kind: content_type, body, whole } = content;
        Self { extension, program: None, from, content_type, body, whole, at_us, author: None }
    }

    /// The body for those who make of it what they can: phones, and other houses.
    fn as_it_came(&self) -> (String, Bytes) {
        self.whole.clone().unwrap_or_else(|| (self.content_type.clone(), self.body.clone()))
    }

    /// Only words can wait: an "is composing" (RFC 3994) of yesterday is of no use.
    fn can_wait(&self) -> bool {
        !self.extension.is_empty() && self.is_words()
    }

    fn is_words(&self) -> bool {
        let kind = self.content_type.trim_start().get(..5).unwrap_or_default();
        kind.eq_ignore_ascii_case("text/") && self.body.len() <= MAX_TEXT
    }
}

/// Who wants to know what becomes of it.
#[derive(Debug)]
enum Sender {
    /// A phone.
    Phone(Box<Answers>),
    /// A program.
    Program(Reply<TextSent>),
    /// The far end of a call, within which it wrote to a program.
    Call(LegId, ExchangeId),
    /// Nobody: it was kept under this number, and its sender knows.
    Kept(u64),
    /// Nobody: the sender hears of another one of the group.
    Nobody,
}

/// Where a text goes.
enum Way {
    /// To everything of its extension that takes texts.
    In,
    /// Out of the house: the ways, the best first; never none.
    Out(VecDeque<Leaves>),
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
    pub(super) fn new(next: u64, waiting: Vec<(String, u32)>, expires_us: Option<i64>) -> Self {
        Self {
            next: next.max(1),
            kept: waiting.into_iter().collect(),
            expires_us,
            is_expiring: false,
            sending: HashMap::new(),
            deadlines: VecDeque::new(),
            requests: HashMap::new(),
            looking: HashMap::new(),
            silences: VecDeque::new(),
            fetching: HashSet::new(),
        }
    }

    /// When [`Switchboard::texts_overdue`] wants to be called.
    pub(super) fn next_deadline(&self, now: Now) -> Option<Instant> {
        let first = |queue: &VecDeque<(Instant, u64)>| queue.front().map(|(due, _)| *due);
        let waits = [first(&self.deadlines), first(&self.silences), self.expiry(now)];
        waits.into_iter().flatten().min()
    }

    /// One of the texts that waited for an extension waits no more.
    fn kept_no_more(&mut self, extension: &str) {
        if let Some(kept) = self.kept.get_mut(extension) {
            *kept = kept.saturating_sub(1);
            if *kept == 0 {
                self.kept.remove(extension);
            }
        }
    }

    /// An extension is gone, and what waited for it.
    pub(super) fn forget(&mut self, extension: &str) {
        self.kept.remove(extension);
    }
}

impl Switchboard {
    /// Somebody sends a text.
    pub(super) fn text_arrived(&mut self, arrival: &Arrival, stage: &Stage) {
        let identity = match self.identify(arrival, stage) {
            Ok(identity) => identity,
            Err(Turned::Later) => return,
            Err(Turned::Away(response)) => {
                self.endpoint.respond(self.now.instant, arrival.transaction, &response);
                return;
            }
        };
        if arrival.request.body().len() > MAX_BODY {
            self.refuse(arrival, 513);
            return;
        }
        let kind = arrival.request.headers().text(&name::CONTENT_TYPE);
        let content = Content::of(kind, arrival.request.body());
        let delivered = match &identity {
            Identity::Line(line) => self.text_from_line(arrival, content, *line),
            Identity::Extension(_)
            | Identity::OwnProgram
            | Identity::Peer(_)
            | Identity::Unproven => self.text_from(arrival, content, &identity),
        };
        if let Err(status) = delivered {
            self.refuse(arrival, status);
        }
    }

    /// A text that a provider brings, for whomever its line rings.
    fn text_from_line(
        &mut self,
        arrival: &Arrival,
        content: Content,
        line: LineId,
    ) -> Result<(), u16> {
        let from = match self.asserted_on_line(line, &arrival.request) {
            Some(asserted) => format!("<{}>", asserted.uri().for_request_line()),
            None => from_of(arrival),
        };
        let is_blocked = self.is_blocked(&self.caller_by_line(line, &arrival.request));
        if let Some(program) = self.program_texted_by(line)? {
            let sender = self.sender_of(arrival, content.is_textless());
            let text = Text::arrived(content, String::new(), from, self.now.unix_us);
            if is_blocked {
                self.throw_away(&text, sender);
                return Ok(());
            }
            self.send_text(Text { program: Some(program), ..text }, sender);
            return Ok(());
        }
        let mut readers = self.texted_by(line, &arrival.request.uri()).into_iter();
        let first = readers.next().ok_or(404_u16)?;
        // The sender hears how the first of them fares.
        let sender = self.sender_of(arrival, content.is_textless());
        if is_blocked {
            let text = Text::arrived(content, first.to_string(), from, self.now.unix_us);
            self.throw_away(&text, sender);
            return Ok(());
        }
        self.send_text_to(content.clone(), &first, &from, sender);
        for reader in readers {
            self.send_text_to(content.clone(), &reader, &from, Sender::Nobody);
        }
        Ok(())
    }

    fn send_text_to(
        &mut self,
        content: Content,
        reader: &ExtensionNumber,
        from: &str,
        sender: Sender,
    ) {
        let at_us = self.now.unix_us;
        let text = Text::arrived(content, reader.to_string(), from.to_owned(), at_us);
        self.send_text(text, sender);
    }

    /// A text of somebody in the house, or of another domain.
    fn text_from(
        &mut self,
        arrival: &Arrival,
        content: Content,
        identity: &Identity,
    ) -> Result<(), u16> {
        let contact = arrival.request.uri().to_string().parse::<Contact>().map_err(|_| 404_u16)?;
        // Only the house writes to the outside: a stranger is not handed on.
        let (from, leaves) = match identity {
            Identity::Extension(number) => (
                self.address_of(number.as_str()),
                self.text_leaves_by(&contact, Some(number.clone()), None),
            ),
            Identity::OwnProgram => (from_of(arrival), self.text_leaves_by(&contact, None, None)),
            Identity::Line(_) | Identity::Peer(_) | Identity::Unproven => {
                (from_of(arrival), VecDeque::new())
            }
        };
        let is_textless = content.is_textless();
        let mut text = Text::arrived(content, String::new(), from, self.now.unix_us);
        if leaves.is_empty() {
            text.extension = self.extension_for_text(&contact)?;
        }
        if let Identity::Extension(number) = identity {
            text.author = Some(self.author(number.to_string(), &contact, true));
        }
        let sender = self.sender_of(arrival, is_textless);
        let caller = match identity {
            Identity::Extension(number) => Some(Caller::extension(number)),
            Identity::OwnProgram | Identity::Peer(_) => Some(self.caller_from(&arrival.request)),
            Identity::Line(_) | Identity::Unproven => None,
        };
        if leaves.is_empty() && caller.is_some_and(|caller| self.is_blocked(&caller)) {
            self.throw_away(&text, sender);
            return Ok(());
        }
        if leaves.is_empty() {
            self.send_text(text, sender);
        } else {
            self.send_text_out(text, leaves, sender);
        }
        Ok(())
    }

    /// What the sender of a text may be told.
    fn sender_of(&mut self, arrival: &Arrival, is_textless: bool) -> Sender {
        let mut answer = |status| self.endpoint.response_to(&arrival.request, status, "");
        let mut failed = answer(if is_textless { 415 } else { 480 });
        if is_textless {
            // RFC 3261 §21.4.13.
            failed.push(&name::ACCEPT, TAKEN);
        }
        Sender::Phone(Box::new(Answers {
            transaction: arrival.transaction,
            ok: answer(200),
            kept: answer(202),
            failed,
        }))
    }

    /// A program sends a text; without a type it is plain.
    pub(super) fn send_message(
        &mut self,
        contact: &str,
        from: Option<&str>,
        by: Option<LineId>,
        (text, content_type): (String, Option<String>),
        reply: Reply<TextSent>,
    ) {
        let sent = self.send_for_program(contact, from, by, (text, content_type));
        match sent {
            Ok((text, Way::Out(leaves))) => {
                self.send_text_out(text, leaves, Sender::Program(reply));
            }
            Ok((text, Way::In)) if self.is_author_blocked(&text) => {
                self.throw_away(&text, Sender::Program(reply));
            }
            Ok((text, Way::In)) => self.send_text(text, Sender::Program(reply)),
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
    }

    fn send_for_program(
        &mut self,
        contact: &str,
        from: Option<&str>,
        by: Option<LineId>,
        (text, content_type): (String, Option<String>),
    ) -> Result<(Text, Way), Refusal> {
        let content_type = match content_type.as_deref() {
            None | Some("text/plain") => "text/plain;charset=UTF-8",
            Some(COMPOSING) => COMPOSING,
            Some(other) => {
                let words = format!("{other} is not sent: text/plain or {COMPOSING} is");
                return Err(Refusal::BadValue(words));
            }
        };
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(Refusal::BadValue(format!(
                "the text has {} bytes; it must have between 1 and {MAX_TEXT}",
                text.len()
            )));
        }
        let parsed = parse(contact)?;
        let mut author = None;
        let from = match from.or_else(|| self.settings.dial_from.first().map(String::as_str)) {
            Some(named) => match self.directory.find(named) {
                Some(entry) => {
                    let number = entry.extension.number.to_string();
                    let address = self.address_of(&number);
                    author = Some(number);
                    address
                }
                None => {
                    let name = named.to_owned();
                    return Err(Refusal::NotFound { kind: "extension", name });
                }
            },
            None => format!("<sip:sipwitch@{}>", self.settings.domain()),
        };
        // What an account sends is no extension's.
        let author = author.filter(|_| by.is_none());
        let author = author.map(|number| self.author(number, &parsed, false));
        let text = Text {
            extension: String::new(),
            program: None,
            from,
            content_type: content_type.to_owned(),
            whole: None,
            body: text.into(),
            at_us: self.now.unix_us,
            author,
        };
        let leaves = self.text_leaves_by(&parsed, None, by);
        if !leaves.is_empty() {
            return Ok((text, Way::Out(leaves)));
        }
        if by.is_some() {
            let words = format!("{contact}: the account cannot send texts there now");
            return Err(Refusal::NoRoute(words));
        }
        let extension = self.extension_for_text(&parsed).map_err(|status| {
            if status == 404 {
                Refusal::NotFound { kind: "extension", name: contact.to_owned() }
            } else {
                Refusal::NoRoute(format!("{contact}: nothing there takes texts"))
            }
        })?;
        Ok((Text { extension, ..text }, Way::In))
    }

    /// The one extension a text is for.
    fn extension_for_text(&self, contact: &Contact) -> Result<String, u16> {
        let texting = routing::Caller { wants: Wants::Text, ..routing::Caller::default() };
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
        Ok(entry.extension.number.to_string())
    }

    fn address_of(&self, number: &str) -> String {
        format!("<sip:{number}@{}>", self.settings.domain())
    }
}

/// The From of a request, without its name and tag.
fn from_of(arrival: &Arrival) -> String {
    let from = arrival.request.from();
    from.map_or_else(|_| String::new(), |from| format!("<{}>", from.uri()))
}
