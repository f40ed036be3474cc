// SPDX-License-Identifier: GPL-3.0-or-later
//! What a program that is a phone is told, and nobody else.

use bytes::Bytes;
use sipwitch_core::call::leg::{CallId, LegId};
use sipwitch_media::driver::Located;

use super::PhoneId;

/// Something for one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldProgram {
    /// Which phone it is.
    pub phone: PhoneId,
    /// Its unique bus name; none on a connection without a bus.
    pub owner: Option<String>,
    /// What.
    pub told: Told,
}

/// What a program is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Somebody calls.
    Incoming {
        /// The new leg.
        leg: LegId,
        /// Its call.
        call: CallId,
        /// The caller's description; empty if there is none.
        offer: Bytes,
        /// Who calls.
        caller: String,
        /// The caller's name.
        caller_name: String,
        /// Who was dialled.
        dialled: String,
        /// Who sent the call on.
        diverted_by: Option<String>,
    },
    /// It is wanted to answer.
    AnswerWanted {
        /// Which leg.
        leg: LegId,
    },
    /// Media that the program described without an address have ports of ours.
    Anchored {
        /// Which leg.
        leg: LegId,
        /// Where the program is to send, medium by medium.
        ours: Vec<Located>,
    },
    /// The called side got so far.
    Progress {
        /// Which leg.
        leg: LegId,
        /// Which of several ends.
        fork: u32,
        /// 180 and others.
        sip_code: u16,
        /// The words that came with it.
        words: String,
        /// An early answer, or empty.
        description: Bytes,
    },
    /// Somebody answered.
    Answered {
        /// Which leg.
        leg: LegId,
        /// Which of several ends.
        fork: u32,
        /// The answer.
        description: Bytes,
    },
    /// The caller has the program's answer.
    Confirmed {
        /// Which leg.
        leg: LegId,
        /// The answer to the program's offer, or empty.
        description: Bytes,
    },
    /// The other end describes itself anew.
    Offered {
        /// Which leg.
        leg: LegId,
        /// Names the offer.
        exchange: u32,
        /// The offer; empty if the program is to make one.
        description: Bytes,
        /// Whether the other end holds by it.
        held: bool,
    },
    /// The other end answered an offer.
    OfferAnswered {
        /// Which leg.
        leg: LegId,
        /// Names the offer.
        exchange: u32,
        /// How.
        sip_code: u16,
        /// The words that came with it.
        words: String,
        /// The answer, or empty.
        description: Bytes,
    },
    /// The other end sent a tone.
    Tone {
        /// Which leg.
        leg: LegId,
        /// Which tone.
        tone: char,
    },
    /// A transfer got so far.
    Transfer {
        /// Which leg.
        leg: LegId,
        /// How far.
        sip_code: u16,
        /// The words that came with it.
        words: String,
    },
    /// The leg talks with somebody else.
    Party {
        /// Which leg.
        leg: LegId,
        /// The call it lies in.
        call: CallId,
        /// Who.
        address: String,
        /// The name.
        name: String,
    },
    /// The leg ended.
    Ended {
        /// Which leg.
        leg: LegId,
        /// The stable word.
        reason: &'static str,
        /// The SIP code.
        sip_code: u16,
        /// The Q.850 cause, 0 if none is known.
        q850: u8,
        /// For people.
        words: String,
    },
    /// A text came.
    Text {
        /// Names it.
        message: u64,
        /// The sender's address.
        sender: String,
        /// Its type.
        content_type: String,
        /// The text.
        content: Bytes,
        /// Whether it was kept.
        stored: bool,
        /// Whom it is for.
        extension: String,
    },
    /// A text that was kept has got further.
    Report {
        /// Names it among the texts of the program's extension.
        message: u64,
        /// To whom it was sent.
        contact: String,
        /// `delivered`.
        state: &'static str,
    },
}

impl Told {
    /// The leg it concerns.
    #[must_use]
    pub const fn leg(&self) -> Option<LegId> {
        match self {
            Self::Incoming { leg, .. }
            | Self::AnswerWanted { leg }
            | Self::Anchored { leg, .. }
            | Self::Progress { leg, .. }
            | Self::Answered { leg, .. }
            | Self::Confirmed { leg, .. }
            | Self::Offered { leg, .. }
            | Self::OfferAnswered { leg, .. }
            | Self::Tone { leg, .. }
            | Self::Transfer { leg, .. }
            | Self::Party { leg, .. }
            | Self::Ended { leg, .. } => Some(*leg),
            Self::Text { .. } | Self::Report { .. } => None,
        }
    }
}
