// SPDX-License-Identifier: GPL-3.0-or-later
//! The language between the call switch and the adapters that carry a leg.
//!
//! An adapter absorbs what belongs to its own protocol alone: retransmissions, authentication
//! challenges, acknowledgements of refusals, a `200` that arrives after a CANCEL (acknowledged and
//! answered with BYE), session timers, and glare on one dialog (answered 491). What crosses this
//! border is only what concerns the call.
//!
//! Descriptions of media and unknown header fields cross unread, as [`Carried`].

use bytes::Bytes;

use crate::cause::Cause;

/// Names one leg for the life of the process. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

/// Names one call for the life of the process. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Tells apart the early dialogs of one leg.
///
/// An outgoing leg numbers the far ends that a proxy behind it forked to (RFC 3261 §12.1, one early
/// dialog per remote tag). An incoming leg shows its caller one early dialog per fork number the
/// switch uses, so that a caller who may see several answers to one offer can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Fork(pub u32);

/// Pairs a request inside a dialog with its answer. Chosen by whoever asks: an adapter for what the
/// far end asks, the switch for what it asks itself; the two ranges are separate per direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u32);

/// A header field that crosses the switch unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name as it was spelled.
    pub name: Bytes,
    /// The value, unfolded and trimmed.
    pub value: Bytes,
}

/// A message body that crosses the switch byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of Content-Type.
    pub content_type: Bytes,
    /// The body itself.
    pub bytes: Bytes,
}

impl Body {
    /// An SDP description (RFC 8866).
    #[must_use]
    pub fn sdp(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: Bytes::from_static(b"application/sdp"), bytes: bytes.into() }
    }

    /// Whether the body is a session description, whatever parameters its type carries.
    #[must_use]
    pub fn is_sdp(&self) -> bool {
        let kind = self.content_type.split(|&b| b == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/sdp")
    }
}

/// What crosses from one leg to another unread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// Header fields that belong to the call and not to one leg's dialog, in order.
    pub fields: Vec<Field>,
    /// The body, if there is one.
    pub body: Option<Body>,
}

impl Carried {
    /// Nothing at all.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { fields: Vec::new(), body: None }
    }

    /// A body and no fields.
    #[must_use]
    pub const fn body(body: Body) -> Self {
        Self { fields: Vec::new(), body: Some(body) }
    }

    /// The session description, if the body is one.
    #[must_use]
    pub fn sdp(&self) -> Option<&Bytes> {
        self.body.as_ref().filter(|body| body.is_sdp()).map(|body| &body.bytes)
    }
}

/// Who a party is, as shown to the other side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// The name a person reads; empty if there is none.
    pub display: String,
    /// The user part (an extension such as `101`), or a whole address where the party is foreign.
    pub address: String,
}

/// A status between 101 and 199, or a final one, with the words that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The SIP status code (RFC 3261 §21), 100 to 699.
    pub code: u16,
    /// The reason phrase; empty means the usual one for the code.
    pub reason: String,
}

impl Status {
    /// A status with the usual phrase for its code.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self { code, reason: String::new() }
    }

    /// Whether it ends an exchange well (2xx).
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.code >= 200 && self.code < 300
    }

    /// Whether it ends an exchange at all.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.code >= 200
    }
}

/// How an outgoing leg begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who calls, as the callee is to see it.
    pub from: Party,
    /// Who was dialled, as the callee is to see it.
    pub to: Party,
    /// The offer (none asks the far end for one, RFC 3261 §13.2.1) and the fields to carry.
    pub carried: Carried,
    /// Whether the caller takes reliable provisional responses (RFC 3262), so that the leg may
    /// offer them too: they are relayed, never made up.
    pub reliable_provisional: bool,
    /// How many more hops the call may take (Max-Forwards, RFC 3261 §8.1.1.6). The adapter of an
    /// incoming leg has counted its own hop already, and refuses a call that has none left.
    pub hops: u8,
    /// Remaining diversions are the switch's business; this one is only told on (RFC 5806).
    pub diverted_by: Option<Party>,
}

/// A request inside an established or early dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A new INVITE in the dialog (RFC 3261 §14). With no body it asks for an offer.
    Reinvite,
    /// UPDATE (RFC 3311), allowed before the answer too.
    Update,
    /// PRACK (RFC 3262) for the provisional response that carried this number.
    Prack {
        /// The number given with [`LegEvent::Progress`] or [`LegCommand::Progress`].
        reliable: ReliableId,
    },
    /// INFO (RFC 6086), DTMF among others.
    Info,
    /// MESSAGE (RFC 3428) inside the dialog.
    Message,
    /// OPTIONS inside the dialog.
    Options,
    /// NOTIFY for a transfer under way (RFC 3515 §2.4.4). Carries a `message/sipfrag` body.
    Notify,
    /// Any other method, by its name. Relayed unharmed.
    Other(Bytes),
}

/// Pairs a reliable provisional response on one leg with its PRACK (RFC 3262).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReliableId(pub u32);

/// Another leg named by a `Replaces` (RFC 3891) that the adapter has looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// One of our own legs.
    Leg(LegId),
    /// No dialog of ours matches.
    Unknown,
}

/// What an adapter tells the switch about a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegEvent {
    /// The far end asks for progress to be shown: an outgoing leg got 101–199.
    Progress {
        /// Which far end, when something behind the leg forked.
        fork: Fork,
        /// 180, 181, 183 …
        status: Status,
        /// Set when the far end wants the response acknowledged by PRACK.
        reliable: Option<ReliableId>,
        /// Early description and fields.
        carried: Carried,
    },
    /// An outgoing leg was answered. The adapter has stopped its retransmissions but has **not**
    /// acknowledged: the switch does, with [`LegCommand::Confirm`]. A second answer from another
    /// fork never comes here: the adapter ends it.
    Answered {
        /// Which far end answered.
        fork: Fork,
        /// The description and fields.
        carried: Carried,
    },
    /// The answer we gave on this leg was acknowledged (ACK), with the description that a delayed
    /// offer asks for.
    Confirmed {
        /// Carries the answer when our 2xx carried the offer.
        carried: Carried,
    },
    /// The far end asks to go elsewhere (3xx). The leg is over.
    Redirected {
        /// Where, in the order of preference given (highest `q` first). At most eight.
        targets: Vec<String>,
        /// The status.
        cause: Cause,
    },
    /// The far end asks something inside the dialog. Answer with [`LegCommand::Reply`].
    ///
    /// Before the answer it concerns the early dialog shown last (on an outgoing leg: the fork
    /// that made progress last); the switch refuses what it cannot place.
    Asked {
        /// Names the exchange.
        exchange: ExchangeId,
        /// What.
        ask: Ask,
        /// Description and fields.
        carried: Carried,
    },
    /// The far end answered what we asked with [`LegCommand::Ask`]. For a re-INVITE that succeeded
    /// the switch must follow with [`LegCommand::ConfirmReinvite`].
    Replied {
        /// The exchange we chose.
        exchange: ExchangeId,
        /// How it ended; provisional answers to a re-INVITE are not told.
        status: Status,
        /// Description and fields.
        carried: Carried,
    },
    /// Our 2xx to the far end's re-INVITE was acknowledged, with the description a delayed offer
    /// asks for.
    ReinviteConfirmed {
        /// The exchange the far end began.
        exchange: ExchangeId,
        /// The answer, when our 2xx carried the offer.
        carried: Carried,
    },
    /// The far end asks us to connect it, or rather its peer, elsewhere (REFER, RFC 3515). Accept or
    /// refuse with [`LegCommand::Reply`]; then report with [`LegCommand::TransferProgress`].
    TransferAsked {
        /// Names the exchange.
        exchange: ExchangeId,
        /// The address to call, without any header part.
        target: String,
        /// For an attended transfer, the leg to be replaced (RFC 3891).
        replaces: Option<Replaced>,
        /// Fields to carry to the new leg (Referred-By, RFC 3892).
        carried: Carried,
    },
    /// The leg is over. Always the last event of a leg, and always told, unless the switch itself
    /// ended the leg with [`LegCommand::End`], in which case it is told as well, once.
    Ended {
        /// Why.
        cause: Cause,
    },
}

/// What the switch tells an adapter to do with a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegCommand {
    /// Show progress to the caller of an incoming leg (101–199).
    Progress {
        /// Which early dialog.
        fork: Fork,
        /// 180, 181, 183 …
        status: Status,
        /// Set to send it reliably; its PRACK comes back as [`Ask::Prack`] with this number.
        reliable: Option<ReliableId>,
        /// Early description and fields.
        carried: Carried,
    },
    /// Answer an incoming leg (2xx).
    Answer {
        /// Which early dialog becomes the call.
        fork: Fork,
        /// The description and fields.
        carried: Carried,
    },
    /// Acknowledge the answer to an outgoing leg (ACK), with the description when the 2xx carried
    /// the offer.
    Confirm {
        /// The answer to a delayed offer.
        carried: Carried,
    },
    /// Ask something inside the dialog; before the answer, in the early dialog shown last.
    /// Always answered by [`LegEvent::Replied`], unless the leg ends first.
    Ask {
        /// Chosen by the switch, unique on this leg.
        exchange: ExchangeId,
        /// What.
        ask: Ask,
        /// Description and fields.
        carried: Carried,
    },
    /// Answer what the far end asked.
    Reply {
        /// The exchange of [`LegEvent::Asked`] or [`LegEvent::TransferAsked`].
        exchange: ExchangeId,
        /// How.
        status: Status,
        /// Description and fields.
        carried: Carried,
    },
    /// Acknowledge a successful answer to our re-INVITE, with the description when it carried the
    /// offer.
    ConfirmReinvite {
        /// The exchange we chose.
        exchange: ExchangeId,
        /// The answer to a delayed offer.
        carried: Carried,
    },
    /// Tell the far end how the transfer it asked for goes (NOTIFY with `message/sipfrag`,
    /// RFC 3515 §2.4.5). A final status ends the subscription.
    TransferProgress {
        /// The exchange of [`LegEvent::TransferAsked`].
        exchange: ExchangeId,
        /// How it goes.
        status: Status,
    },
    /// End the leg, in whatever way its state asks for: a final response, CANCEL, or BYE.
    ///
    /// Always the last command of a leg. What the far end asked and asks from then on the adapter
    /// answers by itself.
    End {
        /// Why; told to the far end as Reason (RFC 3326).
        cause: Cause,
    },
}
