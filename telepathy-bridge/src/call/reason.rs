// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a call changed, in Telepathy's words (Call_State_Change_Reason) and the service's.

use std::str::FromStr as _;

use sipwitch_dbus_interfaces::wire::EndReason;

use super::Who;
use crate::service::Refused;

pub(super) const UNKNOWN: u32 = 0;
pub(super) const PROGRESS_MADE: u32 = 1;
pub(super) const USER_REQUESTED: u32 = 2;
pub(super) const WAS_FORWARDED: u32 = 3;
pub(super) const REJECTED: u32 = 4;
const NO_ANSWER: u32 = 5;
const INVALID_CONTACT: u32 = 6;
const PERMISSION_DENIED: u32 = 7;
const BUSY: u32 = 8;
const INTERNAL_ERROR: u32 = 9;
const SERVICE_ERROR: u32 = 10;
const NETWORK_ERROR: u32 = 11;
pub(super) const MEDIA_ERROR: u32 = 12;
const CONNECTIVITY_ERROR: u32 = 13;

/// The cause of Q.850 with which the service says that nothing at all was heard.
const NOBODY_RESPONDS: u32 = 18;

/// What the service says of the end of a leg.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    /// Its word for the reason.
    pub(crate) word: &'a str,
    /// The cause of Q.850, or 0.
    pub(crate) q850: u32,
    /// The same for people.
    pub(crate) words: &'a str,
}

/// How far a call was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    /// Whether we began it.
    pub(super) is_requested: bool,
    /// Whether it was answered.
    pub(super) is_answered: bool,
}

/// A reason: `(uuss)` on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The handle of who did it; 0 if nobody did.
    pub(crate) actor: u32,
    /// Call_State_Change_Reason.
    pub(crate) why: u32,
    /// An error of Telepathy's, or empty.
    pub(crate) error: String,
    /// The same for people.
    pub(crate) words: String,
}

/// The full name of an error of Telepathy's.
pub(super) fn error(name: &str) -> String {
    match name {
        "" => String::new(),
        name => format!("org.freedesktop.Telepathy.Error.{name}"),
    }
}

impl Reason {
    /// None is known.
    pub(super) const fn none(actor: u32) -> Self {
        Self { actor, why: UNKNOWN, error: String::new(), words: String::new() }
    }

    /// The user did it.
    pub(super) fn by_user(own: &Who, why: u32, error: &str) -> Self {
        Self::by(own, why, error)
    }

    /// Somebody did it.
    pub(super) fn by(who: &Who, why: u32, error: &str) -> Self {
        Self { actor: who.handle, why, error: error.into(), words: String::new() }
    }

    /// The handler's sound failed.
    pub(super) fn media(own: &Who, words: &str) -> Self {
        let error = error("Media.StreamingError");
        Self { actor: own.handle, why: MEDIA_ERROR, error, words: words.into() }
    }

    /// No kind of sound in common with the far end.
    pub(super) fn incompatible(target: &Who) -> Self {
        Self::by(target, MEDIA_ERROR, &error("Media.CodecsIncompatible"))
    }

    /// The service has gone, and the call with it.
    pub(crate) fn service_gone() -> Self {
        let words = "the telephone service has stopped".into();
        Self { actor: 0, why: NETWORK_ERROR, error: error("NetworkError"), words }
    }

    /// As it stands on the bus.
    pub(crate) fn value(&self) -> (u32, u32, String, String) {
        (self.actor, self.why, self.error.clone(), self.words.clone())
    }

    /// What a caller is told, whose call the user does not take.
    pub(super) const fn sip_code(&self) -> u32 {
        match self.why {
            BUSY => 486,
            NO_ANSWER | INTERNAL_ERROR | SERVICE_ERROR | NETWORK_ERROR | CONNECTIVITY_ERROR => 480,
            INVALID_CONTACT => 404,
            PERMISSION_DENIED => 403,
            MEDIA_ERROR => 488,
            _ => 603,
        }
    }

    /// A leg ended, of a call between `own` and `far`.
    pub(super) fn of_end(end: &End<'_>, (own, far): (&Who, &Who), call: Stage) -> Self {
        let requested = call.is_requested;
        let reason = EndReason::from_str(end.word).unwrap_or(EndReason::Other);
        let (why, name) = match reason {
            EndReason::HungUp => (USER_REQUESTED, "Terminated"),
            EndReason::Cancelled if requested => (USER_REQUESTED, "Cancelled"),
            // Missed: the caller gave up.
            EndReason::Cancelled => (NO_ANSWER, ""),
            EndReason::AnsweredElsewhere => (USER_REQUESTED, "PickedUpElsewhere"),
            EndReason::Transferred | EndReason::Forwarded => (WAS_FORWARDED, ""),
            EndReason::Busy => (BUSY, "Busy"),
            EndReason::Declined => (REJECTED, "Rejected"),
            EndReason::NoAnswer | EndReason::Unavailable => (NO_ANSWER, "NoAnswer"),
            EndReason::NotRegistered => (NO_ANSWER, "Offline"),
            EndReason::NotFound => (INVALID_CONTACT, "DoesNotExist"),
            EndReason::BadNumber => (INVALID_CONTACT, "InvalidHandle"),
            EndReason::Forbidden => (PERMISSION_DENIED, "PermissionDenied"),
            EndReason::NoCredit => (PERMISSION_DENIED, "InsufficientBalance"),
            EndReason::NoRoute => (SERVICE_ERROR, "NotAvailable"),
            // Somebody said 408, which is not the silence of a network.
            EndReason::Timeout if !call.is_answered && end.q850 != NOBODY_RESPONDS => {
                (NO_ANSWER, "NoAnswer")
            }
            EndReason::LineDown | EndReason::Timeout | EndReason::ProgramGone => {
                (NETWORK_ERROR, "NetworkError")
            }
            EndReason::Congestion | EndReason::Stopping => (SERVICE_ERROR, "ServiceBusy"),
            EndReason::Media => (MEDIA_ERROR, "Media.CodecsIncompatible"),
            EndReason::EmergencyUnavailable => (SERVICE_ERROR, "EmergencyCallsNotSupported"),
            EndReason::ServiceError => (SERVICE_ERROR, "ServiceConfused"),
            EndReason::Other => (INTERNAL_ERROR, "Confused"),
        };
        let actor = match reason {
            EndReason::AnsweredElsewhere => own.handle,
            EndReason::Cancelled if requested => own.handle,
            // At another phone of ours.
            EndReason::Declined | EndReason::Busy if !requested && !call.is_answered => own.handle,
            EndReason::HungUp
            | EndReason::Cancelled
            | EndReason::Busy
            | EndReason::Declined
            | EndReason::NoAnswer
            | EndReason::Unavailable => far.handle,
            _ => 0,
        };
        Self { actor, why, error: error(name), words: end.words.into() }
    }

    /// The service refused to dial, or to answer.
    pub(super) fn of_refusal(refused: &Refused) -> Self {
        let (why, name) = match refused.of_service() {
            Some("BadContact") => (INVALID_CONTACT, "InvalidHandle"),
            Some("NoRoute") => (SERVICE_ERROR, "NotAvailable"),
            Some("EmergencyUnavailable") => (SERVICE_ERROR, "EmergencyCallsNotSupported"),
            Some("LimitReached" | "Stopping") => (SERVICE_ERROR, "ServiceBusy"),
            Some("NotAllowed") => (PERMISSION_DENIED, "PermissionDenied"),
            Some(_) => (INTERNAL_ERROR, "Confused"),
            None => (NETWORK_ERROR, "NetworkError"),
        };
        Self { actor: 0, why, error: error(name), words: refused.words.clone() }
    }
}
