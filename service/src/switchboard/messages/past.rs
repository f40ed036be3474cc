// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts of the past: what an extension sent and what reached it, whether it was read, and what
//! became of it.

use sipwitch_core::contact::Contact;

use super::{
    super::{
        Switchboard,
        ask::{Refusal, Reply, TextSent, WantedPast},
        notice::Told,
    },
    Author, MAX_TEXT, Text,
};
use crate::store::{
    Change, WantedTexts,
    records::{TextRecord, TextState},
};

/// The most texts that are given at once.
const MOST: u32 = 1000;
/// The most texts that are read at once.
const MOST_READ: usize = 1000;

impl Text {
    /// What is remembered of it: words only.
    fn words(&self) -> Option<String> {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        let is_words = kind.eq_ignore_ascii_case("text/plain") && self.body.len() <= MAX_TEXT;
        is_words.then(|| String::from_utf8_lossy(&self.body).into_owned())
    }

    /// What its sender is told of it.
    pub(super) fn sent(&self, state: &'static str) -> TextSent {
        TextSent { state, message: self.author.as_ref().map_or(0, |author| author.id) }
    }
}

impl Switchboard {
    /// The extension that sends a text.
    pub(super) fn author(
        &mut self,
        extension: String,
        contact: &Contact,
        is_elsewhere: bool,
    ) -> Box<Author> {
        let id = self.messages.next;
        self.messages.next += 1;
        let contact = self.contact_of_text(contact);
        Box::new(Author { extension, id, contact, is_elsewhere })
    }

    /// A contact as texts of the past go by it: whoever is of the house by the number alone.
    fn contact_of_text(&self, contact: &Contact) -> String {
        match contact {
            Contact::Sip(address) if self.settings.is_own(&address.host, address.port, None) => {
                let user = address.user.parse::<Contact>();
                user.map_or_else(|_| contact.to_string(), |user| user.to_string())
            }
            other => other.to_string(),
        }
    }

    /// A text got so far: its sender's half is remembered.
    pub(super) fn remember_sent(&mut self, text: &Text, state: TextState) {
        let (Some(author), Some(words)) = (&text.author, text.words()) else { return };
        let record = TextRecord {
            id: author.id,
            extension: author.extension.clone(),
            contact: author.contact.clone(),
            is_sent: true,
            text: words,
            at_us: text.at_us,
            state,
            is_elsewhere: author.is_elsewhere,
        };
        self.store_quietly(Change::PutText(Box::new(record)));
    }

    /// A text reached its extension: the reader's half is remembered.
    pub(super) fn remember_taken(&mut self, id: u64, text: &Text, programs: &[u64]) {
        let reader = match text.program {
            Some(program) => self.reader(program),
            None => text.extension.clone(),
        };
        let Some(words) = text.words().filter(|_| !reader.is_empty()) else { return };
        let sender = text.from.trim_start_matches('<').trim_end_matches('>');
        let contact = sender.parse::<Contact>().map(|contact| self.contact_of_text(&contact));
        let is_unread = programs.iter().any(|program| self.programs.marks_read(*program));
        let record = TextRecord {
            id,
            extension: reader,
            contact: contact.unwrap_or_else(|_| sender.to_owned()),
            is_sent: false,
            text: words,
            at_us: text.at_us,
            state: if is_unread { TextState::Unread } else { TextState::Read },
            is_elsewhere: programs.is_empty(),
        };
        self.store_quietly(Change::PutText(Box::new(record)));
    }

    /// A text that was kept is delivered, or never will be: its sender hears of it.
    pub(super) fn report(&mut self, author: &Author, contact: &str, state: TextState) {
        self.store_quietly(Change::TextBecame { id: author.id, state });
        let programs: Vec<u64> = self.programs.belonging_to(&author.extension).collect();
        for program in programs {
            let contact = contact.to_owned();
            let told = Told::Report { message: author.id, contact, state: state.as_str() };
            self.programs.tell(program, told);
        }
    }

    /// Texts of the past of a program's extension.
    pub(in super::super) fn past_texts(
        &self,
        extension: String,
        wanted: WantedPast,
        reply: Reply<Vec<TextRecord>>,
    ) {
        let WantedPast { contact, limit, unread } = wanted;
        let contact = match contact.as_str() {
            "" => String::new(),
            other => match other.parse::<Contact>() {
                Ok(contact) => self.contact_of_text(&contact),
                Err(error) => {
                    let _ = reply.send(Err(Refusal::BadContact(error.to_string())));
                    return;
                }
            },
        };
        let limit = limit.min(MOST);
        let answer = self.store.texts(WantedTexts { extension, contact, unread, limit });
        tokio::spawn(async move {
            let texts = match answer.await {
                Ok(Ok(records)) => Ok(records),
                Ok(Err(error)) => Err(Refusal::NotStored(error.to_string())),
                Err(_) => Err(Refusal::NotStored("the store has stopped".into())),
            };
            let _ = reply.send(texts);
        });
    }

    /// Texts of an extension were read.
    pub(in super::super) fn texts_read(
        &mut self,
        extension: String,
        ids: Vec<u64>,
    ) -> Result<(), Refusal> {
        if ids.len() > MOST_READ {
            let words = format!("{} texts at once are more than {MOST_READ}", ids.len());
            return Err(Refusal::BadValue(words));
        }
        self.store_quietly(Change::ReadTexts { extension, ids });
        Ok(())
    }
}
