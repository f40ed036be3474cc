// SPDX-License-Identifier: GPL-3.0-or-later
//! Transactions (RFC 3261 §17 with the corrections of RFC 6026): requests are repeated until they
//! are answered, repeated ones are recognised, and each answer finds its request.
//!
//! A [`Table`] holds them all. Messages and the time come in; [`Transmit`]s and [`Event`]s are
//! polled out until there are none. Whoever asked or was asked sees each request once:
//!
//! * a request that arrives: [`Event::Request`], answered with [`Table::respond`];
//! * a request to send: [`Table::request`], answered by [`Event::Response`] or [`Event::Failed`].
//!
//! What is over is kept slim: no parsed message, only the bytes that may have to be sent again, and
//! those only as long as the RFC asks for.
//!
//! [`Transmit`]: crate::flow::Transmit

mod branch;
mod client;
mod deadlines;
mod derive;
mod key;
mod receive;
mod server;
mod size;
mod slots;
mod table;
#[cfg(test)]
mod tests;
mod timers;

pub use table::Table;
pub use timers::Timers;

use crate::{
    flow::Flow,
    wire::{Request, Response},
};

/// Names a request that arrived. Never means another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId {
    slot: u32,
    serial: u32,
}

/// Names a request that we sent. Never means another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId {
    slot: u32,
    serial: u32,
}

/// What the table tells its user.
#[derive(Debug, Clone)]
pub enum Event {
    /// A new request, checked for what every request must have. Never an ACK or a CANCEL. Answer it
    /// with [`Table::respond`], or with [`Table::dismiss`] to keep nothing.
    Request {
        /// The transaction to answer.
        transaction: ServerId,
        /// The request; answers made with `Draft::response_to` go the right way back.
        request: Request,
        /// How it came.
        flow: Flow,
    },
    /// An INVITE that has no final answer yet is to be cancelled. The CANCEL itself is already
    /// answered; the INVITE wants its 487.
    Cancelled {
        /// The INVITE.
        invite: ServerId,
        /// The CANCEL, for its Reason.
        request: Request,
    },
    /// An ACK that belongs to no refusal of ours: to a 2xx, that is. Tell [`Table::acknowledged`]
    /// once its dialog is found.
    Ack {
        /// The ACK.
        request: Request,
        /// How it came.
        flow: Flow,
    },
    /// An answer: every provisional one, and the final one. Answers to CANCEL are not told, and
    /// refusals of an INVITE are already acknowledged.
    Response {
        /// The request it answers.
        transaction: ClientId,
        /// The answer.
        response: Response,
        /// How it came.
        flow: Flow,
        /// A 2xx to an INVITE after the first one, of this or of another far end: told until it is
        /// acknowledged with [`Table::send_ack`]. After that the table repeats the ACK by itself.
        repeated: bool,
    },
    /// There will be no answer. Always the last event of its transaction.
    Failed {
        /// The request.
        transaction: ClientId,
        /// Why.
        why: Failure,
    },
    /// A 2xx to an INVITE was repeated for as long as the RFC asks for (64*T1) and never
    /// acknowledged: the dialog is to be ended with BYE (RFC 3261 §13.3.1.4).
    AckMissing {
        /// The INVITE.
        transaction: ServerId,
    },
    /// A request that arrived can no longer be answered: its connection is gone and the sender
    /// cannot be reached otherwise. The transaction is over.
    Unanswerable {
        /// The request.
        transaction: ServerId,
    },
    /// A 2xx to an INVITE whose transaction is gone, to be acknowledged if its dialog still stands.
    StrayResponse {
        /// The 2xx.
        response: Response,
        /// How it came.
        flow: Flow,
    },
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// None came in time; to be treated as a 408 (RFC 3261 §8.1.3.1).
    TimedOut,
    /// It could not be sent; to be treated as a 503.
    Unreachable,
}
