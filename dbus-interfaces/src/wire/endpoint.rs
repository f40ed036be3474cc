// SPDX-License-Identifier: GPL-3.0-or-later
//! What crosses the bus for programs that are phones.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use zbus::zvariant::{
    DeserializeDict, OwnedObjectPath, OwnedValue, SerializeDict, Signature, Str, Type, Value,
};

use super::UnknownWord;

words! {
    /// Why a leg ended. A newer service may know more of them: read the word as text, and take one
    /// that is unknown for [`EndReason::Other`].
    EndReason, "reason for the end of a leg" {
        /// Somebody hung up.
        HungUp = "hung-up",
        /// The caller gave up.
        Cancelled = "cancelled",
        /// Another phone took the call.
        AnsweredElsewhere = "answered-elsewhere",
        /// The program left by a transfer.
        Transferred = "transferred",
        /// The person called is busy.
        Busy = "busy",
        /// The person called does not want the call.
        Declined = "declined",
        /// It rang, and nobody came.
        NoAnswer = "no-answer",
        /// The other end says that it is away.
        Unavailable = "unavailable",
        /// No phone of the extension is there.
        NotRegistered = "not-registered",
        /// Nobody has this number.
        NotFound = "not-found",
        /// It is incomplete or no number at all.
        BadNumber = "bad-number",
        /// It was sent on to nowhere.
        Forwarded = "forwarded",
        /// This may not be called, or credentials are wrong.
        Forbidden = "forbidden",
        /// There is no money left.
        NoCredit = "no-credit",
        /// No line leads there.
        NoRoute = "no-route",
        /// The line that leads there is down.
        LineDown = "line-down",
        /// The lines or the network can take no more calls.
        Congestion = "congestion",
        /// Nothing was heard from the other end.
        Timeout = "timeout",
        /// No kind of media in common.
        Media = "media",
        /// No line can carry an emergency call.
        EmergencyUnavailable = "emergency-unavailable",
        /// The other end or its network failed.
        ServiceError = "service-error",
        /// The program at the other end left the bus.
        ProgramGone = "program-gone",
        /// The service stops.
        Stopping = "stopping",
        /// Anything else.
        Other = "error",
    }
}

/// Options of `RegisterEndpoint`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct EndpointOptions {
    /// Whose phone it is.
    pub extension: Option<String>,
    /// The account of the program's own whose phone it is, instead of an extension's.
    pub account: Option<OwnedObjectPath>,
    /// The program, for people.
    pub name: Option<String>,
    /// Whether it rings for the calls to every person of the house.
    pub all_calls: Option<bool>,
    /// Whether its media go through the service.
    pub anchored: Option<bool>,
    /// Whether it says when texts were read.
    pub marks_read: Option<bool>,
}

/// Options of `Endpoint.SendMessage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct EndpointMessageOptions {
    /// The type of the text.
    pub content_type: Option<String>,
}

/// Options of `Endpoint.Texts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct PastTextOptions {
    /// Only those that were not read.
    pub unread: Option<bool>,
}

words! {
    /// How a text of the past stands.
    PastTextState, "state of a text" {
        /// Sent, and somebody took it.
        Delivered = "delivered",
        /// Sent, and nobody took it.
        Failed = "failed",
        /// It came, and was read.
        Read = "read",
        /// Sent, and kept until somebody takes it.
        Stored = "stored",
        /// It came, and was not read.
        Unread = "unread",
    }
}

/// A text of the past, in `Endpoint.Texts`.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct PastText {
    /// Names it.
    pub message: u64,
    /// With whom: an extension, or an address.
    pub contact: String,
    /// The text.
    pub text: String,
    /// Whether the extension sent it.
    pub sent: bool,
    /// When it was sent or came.
    pub at_microseconds: u64,
    /// How it stands.
    pub state: PastTextState,
    /// Whether it passed at a phone that is no program.
    pub elsewhere: bool,
}

/// Options of `Endpoint.Dial`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct EndpointDialOptions {
    /// The name that the called side sees.
    pub display: Option<String>,
    /// How long the called side may ring.
    pub ring_seconds: Option<u32>,
    /// Whether the called side is not to see who calls.
    pub hide_number: Option<bool>,
    /// Further addresses of the same person.
    pub also: Option<Vec<String>>,
}

/// Options of `Endpoint.Reject`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct RejectOptions {
    /// Why, for people.
    pub words: Option<String>,
    /// Why, as a cause of Q.850.
    pub q850_cause: Option<u32>,
}

/// Options of `Endpoint.HangUp`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct HangUpOptions {
    /// Why, as a SIP status.
    pub sip_code: Option<u32>,
    /// Why, for people.
    pub words: Option<String>,
    /// Why, as a cause of Q.850.
    pub q850_cause: Option<u32>,
}

/// Options of `Endpoint.Transfer`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct EndpointTransferOptions {
    /// Another leg of the program, whose other end is connected with this one's.
    pub other_leg: Option<u64>,
}

/// Who calls, in `Endpoint.IncomingCall`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct IncomingCallInfo {
    /// The extension or address; may be empty.
    pub caller: String,
    /// For people; may be empty.
    pub caller_name: String,
    /// Whom the caller dialled.
    pub dialled: String,
    /// Who sent the call on, if anybody did.
    pub diverted_by: Option<String>,
}

/// Where a medium is wanted, in `Endpoint.SetMediaAddresses` and `Endpoint.MediaAnchored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct MediaAddress {
    /// Its place in the description, from 0.
    pub medium: u32,
    /// The IP address of RTP.
    pub address: String,
    /// The port of RTP.
    pub port: u16,
    /// The IP address of RTCP; empty if it is that of RTP.
    pub rtcp_address: String,
    /// The port of RTCP; 0 if it is the one after that of RTP.
    pub rtcp_port: u16,
}

/// What `Endpoint.DescriptionOffered` says beside the description.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct OfferInfo {
    /// Whether the other end holds the call by this offer.
    pub held: bool,
}

/// What `Endpoint.MessageReceived` says beside the text.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct TextInfo {
    /// Whether it was kept for a while.
    pub stored: bool,
    /// Whom it is for.
    pub extension: String,
}
