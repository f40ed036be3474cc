// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts of those who are blocked.

use sipwitch_core::blocking::Caller;

use super::{super::Switchboard, Sender, Text};
use crate::{secret::Redacted, store::records::TextState};

impl Switchboard {
    /// Whether the extension by which a program writes is blocked.
    pub(super) fn is_author_blocked(&self, text: &Text) -> bool {
        let author = text.author.as_ref().and_then(|author| author.extension.parse().ok());
        author.is_some_and(|number| self.is_blocked(&Caller::extension(&number)))
    }

    /// Answers a text as if it waited for a phone (202, RFC 3428 §7), and keeps nothing of it: an
    /// error would have some senders try again, and tell all of them. What cannot wait fares as if
    /// nobody were there.
    pub(super) fn throw_away(&mut self, text: &Text, sender: Sender) {
        tracing::info!(from = %Redacted(&text.from), "a text is blocked");
        self.remember_sent(text, TextState::Stored);
        match sender {
            Sender::Phone(answers) => {
                let response = if text.is_words() { &answers.kept } else { &answers.failed };
                self.endpoint.respond(self.now.instant, answers.transaction, response);
            }
            Sender::Program(reply) => {
                let _ = reply.send(Ok(text.sent("stored")));
            }
            // Whoever talks here already is answered as if nobody were there.
            Sender::Call(leg, exchange) => self.programs.reply(leg, exchange, 480),
            Sender::Kept(_) | Sender::Nobody => {}
        }
    }
}
