// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts that were kept, and are delivered when a phone comes.

use sipwitch_core::contact::Contact;

use super::{
    super::{Inner, Switchboard},
    Author, Sender, Text,
};
use crate::store::records::MessageRecord;

impl Switchboard {
    /// A phone registered: what waits for its extension is fetched.
    pub(in super::super) fn phone_came(&mut self, extension: &str) {
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

    pub(in super::super) fn deliver_waiting(
        &mut self,
        extension: &str,
        messages: Vec<MessageRecord>,
    ) {
        self.messages.fetching.remove(extension);
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        self.messages.kept.insert(extension.to_owned(), count);
        // What is being delivered already is not delivered twice, however many phones come.
        let under_way = self.texts_under_way();
        for message in messages {
            if under_way.contains(&message.id) {
                continue;
            }
            let author = self.author_of(&message);
            let text = Text {
                extension: message.extension,
                program: None,
                from: message.sender,
                content_type: message.content_type,
                body: message.body.into(),
                whole: None,
                at_us: message.received_us,
                author,
            };
            self.send_text(text, Sender::Kept(message.id));
        }
    }

    /// Who wants to hear what becomes of a kept text: an extension of the house.
    pub(super) fn author_of(&self, message: &MessageRecord) -> Option<Box<Author>> {
        if message.report == 0 {
            return None;
        }
        let sender = message.sender.trim_start_matches('<').trim_end_matches('>');
        let sender = sender.parse::<Contact>().ok()?;
        let entry = self.directory.find(sender.user())?;
        Some(Box::new(Author {
            extension: entry.extension.number.to_string(),
            id: message.report,
            contact: message.extension.clone(),
            is_elsewhere: false,
        }))
    }
}
