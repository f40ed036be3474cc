// SPDX-License-Identifier: GPL-3.0-or-later
//! What Telepathy's debuggers show (`org.freedesktop.Telepathy.Debug`). No whole number and no
//! description stands in it.

use std::collections::VecDeque;

use crate::{definition::manager::DEBUG, object::DEBUG_PATH, outbox::Outbox};

/// How many messages are kept.
const KEPT: usize = 200;
/// Debug_Level.
const INFO: u32 = 4;
/// The domain of our messages.
const DOMAIN: &str = "sipwitch";

/// The last messages.
#[derive(Debug, Default)]
pub(crate) struct Debug {
    messages: VecDeque<(f64, String)>,
    /// Whether each new one is told.
    pub(crate) is_told: bool,
    /// Seconds since 1970, as of the last thing that happened.
    pub(crate) now: f64,
}

impl Debug {
    /// Notes a message.
    pub(crate) fn note(&mut self, outbox: &mut Outbox, words: String) {
        tracing::debug!("{words}");
        if self.is_told {
            let values = (self.now, DOMAIN.to_owned(), INFO, words.clone());
            outbox.signal(DEBUG_PATH, &DEBUG, "NewDebugMessage", values);
        }
        if self.messages.len() == KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back((self.now, words));
    }

    /// All that are kept: `a(dsus)`.
    pub(crate) fn messages(&self) -> Vec<(f64, String, u32, String)> {
        let message = |(at, words): &(f64, String)| (*at, DOMAIN.to_owned(), INFO, words.clone());
        self.messages.iter().map(message).collect()
    }
}
