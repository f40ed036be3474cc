// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of the list of blocked callers.

use super::Reply;
use crate::switchboard::notice::BlockedView;

/// What is asked of the list of blocked callers.
#[derive(Debug)]
pub enum BlockingAsk {
    /// Everybody who is blocked.
    List {
        /// In the order of the list.
        reply: Reply<Vec<BlockedView>>,
    },
    /// Who would be blocked.
    Check {
        /// Callers as a user or a history writes them.
        callers: Vec<String>,
        /// For each what on the list means him; empty if nothing does.
        reply: Reply<Vec<String>>,
    },
    /// Block callers, all or none.
    Add {
        /// Whom.
        callers: Vec<String>,
        /// Why; may be empty.
        reason: String,
        /// Each as it is kept, stored.
        reply: Reply<Vec<String>>,
    },
    /// Block callers no more.
    Remove {
        /// Whom.
        callers: Vec<String>,
        /// Those who were on the list, as they were kept; stored.
        reply: Reply<Vec<String>>,
    },
}
