// SPDX-License-Identifier: GPL-3.0-or-later
//! What programs that are phones ask.

use bytes::Bytes;
use sipwitch_core::call::leg::{CallId, LegId};
use sipwitch_media::driver::Located;

use super::{Reply, TextSent, WantedPast};
use crate::store::records::TextRecord;

/// What a program is to be as a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Whose phone; none means the user's own.
    pub extension: Option<String>,
    /// The account of the program's own whose phone it is, instead of an extension's.
    pub account: Option<String>,
    /// The program, for people.
    pub name: String,
    /// Whether it rings for every person of the house.
    pub all_calls: bool,
    /// Whether its media go through us.
    pub anchored: bool,
    /// Whether it says when texts were read.
    pub marks_read: bool,
}

/// How a program's call is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointDial {
    /// The name that the called side sees.
    pub display: Option<String>,
    /// Seconds the called side may ring.
    pub ring_seconds: Option<u32>,
    /// Whether the called side is not to see who calls.
    pub hide_number: bool,
    /// Further addresses of the same person.
    pub also: Vec<String>,
}

/// Why a program leaves a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaving {
    /// As a SIP status; none means the usual one.
    pub sip_code: Option<u32>,
    /// As a cause of Q.850.
    pub q850: Option<u32>,
    /// For people.
    pub words: Option<String>,
}

/// What a program asks as a phone.
#[derive(Debug)]
pub enum EndpointAsk {
    /// Ring here from now on, or no more.
    SetAvailable {
        /// Which of the two.
        available: bool,
        /// Done.
        reply: Reply<()>,
    },
    /// Call.
    Dial {
        /// Whom.
        contact: String,
        /// The program's description.
        offer: Bytes,
        /// How.
        options: EndpointDial,
        /// The leg and its call. What happens to the leg is kept back until
        /// [`EndpointAsk::Release`].
        reply: Reply<(LegId, CallId)>,
    },
    /// The program has been told of what was kept back for its sake: tell on.
    Release {
        /// Which leg.
        leg: LegId,
    },
    /// Show progress to the caller.
    ShowProgress {
        /// Which leg.
        leg: LegId,
        /// 180, 182, 183.
        sip_code: u32,
        /// An early answer, or empty.
        description: Bytes,
        /// Done.
        reply: Reply<()>,
    },
    /// Take the call.
    Answer {
        /// Which leg.
        leg: LegId,
        /// The answer, or an offer where none came.
        description: Bytes,
        /// Done.
        reply: Reply<()>,
    },
    /// Do not take the call.
    Reject {
        /// Which leg.
        leg: LegId,
        /// Why.
        why: Leaving,
        /// Done.
        reply: Reply<()>,
    },
    /// Leave, however far the call is.
    HangUp {
        /// Which leg.
        leg: LegId,
        /// Why.
        why: Leaving,
        /// Done.
        reply: Reply<()>,
    },
    /// Describe the program's end anew.
    Offer {
        /// Which leg.
        leg: LegId,
        /// The offer.
        description: Bytes,
        /// The exchange. What happens to the leg is kept back until [`EndpointAsk::Release`].
        reply: Reply<u32>,
    },
    /// Answer what the other end offered.
    AnswerOffer {
        /// Which leg.
        leg: LegId,
        /// The exchange that was told.
        exchange: u32,
        /// The answer, or an offer where none came.
        description: Bytes,
        /// Done.
        reply: Reply<()>,
    },
    /// Refuse what the other end offered.
    RefuseOffer {
        /// Which leg.
        leg: LegId,
        /// The exchange that was told.
        exchange: u32,
        /// Why.
        sip_code: u32,
        /// Done.
        reply: Reply<()>,
    },
    /// Media that were described without an address are here.
    Locate {
        /// Which leg.
        leg: LegId,
        /// Where, medium by medium.
        at: Vec<Located>,
        /// Done.
        reply: Reply<()>,
    },
    /// Send tones to the other end.
    SendTones {
        /// Which leg.
        leg: LegId,
        /// The tones.
        tones: String,
        /// Sent.
        reply: Reply<()>,
    },
    /// Connect the other end to somebody else.
    Transfer {
        /// Which leg.
        leg: LegId,
        /// To whom; empty with another leg.
        contact: String,
        /// Another leg of the program, whose other end it is.
        other: Option<LegId>,
        /// Begun.
        reply: Reply<()>,
    },
    /// Send a text.
    SendMessage {
        /// Whom.
        contact: String,
        /// What.
        text: String,
        /// Its type; none means plain text.
        content_type: Option<String>,
        /// What became of it.
        reply: Reply<TextSent>,
    },
    /// Texts of the past.
    Texts {
        /// Which.
        wanted: WantedPast,
        /// The newest first.
        reply: Reply<Vec<TextRecord>>,
    },
    /// Texts were read.
    MarkRead {
        /// Which.
        messages: Vec<u64>,
        /// Done.
        reply: Reply<()>,
    },
    /// Take a text.
    AcceptMessage {
        /// Which.
        message: u64,
        /// Done.
        reply: Reply<()>,
    },
}
