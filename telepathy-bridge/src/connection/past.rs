// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts of the past: those that nobody has read come again when the connection begins, and those
//! that passed at other phones of the extension stand above a new conversation.

use sipwitch_dbus_interfaces::wire::{PastText, PastTextState};

use super::Connection;
use crate::{
    outbox::Outbox,
    service::{Answer, Refused},
    text::Sent,
};

/// How many kept texts are remembered for the report of their delivery.
const MAX_STORED: usize = 256;

impl Connection {
    /// Texts that nobody has read are known; this is the last step but one of connecting.
    pub(crate) fn unread_known(&mut self, answer: Answer<Vec<PastText>>, outbox: &mut Outbox) {
        match answer {
            Ok(texts) => self.unread = texts,
            Err(refused) => tracing::warn!("unread texts are not told: {}", refused.words),
        }
        if let Some((phone, _)) = &self.phone {
            outbox.set_available(phone, self.wants_calls);
        }
    }

    /// Tells of texts that nobody has read, the oldest first.
    pub(super) fn tell_unread(&mut self, outbox: &mut Outbox) {
        for text in std::mem::take(&mut self.unread).into_iter().rev() {
            let Ok(identifier) = self.normal(&text.contact) else { continue };
            let Ok(handle) = self.handles.of(&identifier) else { continue };
            self.put_text(handle, Some(text.message), &text.text, Some(&text), outbox);
        }
    }

    /// The texts of the past for a channel are known.
    pub(super) fn past_known(
        &mut self,
        channel: u32,
        answer: Answer<Vec<PastText>>,
        outbox: &mut Outbox,
    ) {
        let (Ok(texts), Some(text)) = (answer, self.texts.get_mut(&channel)) else { return };
        // What passed here has been shown here, and every client has its own log of that.
        let elsewhere = texts.into_iter().filter(|past| past.elsewhere);
        for past in elsewhere.collect::<Vec<_>>().into_iter().rev() {
            text.scrolled(&past, outbox, self.wall);
        }
    }

    /// A text is kept by the service: its delivery will be reported.
    pub(super) fn text_stored(&mut self, message: u64, sent: &Sent) {
        if message == 0 {
            return;
        }
        if self.stored.len() >= MAX_STORED {
            self.stored.pop_first();
        }
        self.stored.insert(message, sent.clone());
    }

    /// A text that was kept has got further.
    pub(super) fn text_reported(&mut self, message: u64, state: &str, outbox: &mut Outbox) {
        let result = match state.parse() {
            Ok(PastTextState::Delivered) => Ok(true),
            Ok(PastTextState::Failed) => Err(Refused::expired()),
            _ => return,
        };
        let Some(sent) = self.stored.remove(&message) else { return };
        self.report(&sent, result, outbox);
    }
}
