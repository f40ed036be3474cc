// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls and their legs.
//!
//! [`leg`] is the language between the call switch and whatever carries a leg (the SIP engine, a
//! modem driver, a D-Bus endpoint). [`Call`] is the switch: one pure state machine per call.
//!
//! A call is one caller leg and the callee legs tried for it. Both sides' dialogs are ours, and
//! descriptions of media cross byte for byte as long as the two legs of a connected call are those
//! that began it; media therefore stays between the phones.
//!
//! Its owner, the switchboard, hands in what legs say and what users want, then takes out
//! [`Action`]s until there are none:
//!
//! | what happens | input | what comes out first |
//! |---|---|---|
//! | a phone calls | [`Call::incoming`] | [`Action::Start`] per phone that is to ring |
//! | a program dials | [`Call::dial`] | [`Action::Start`] per phone of the user |
//! | a leg says something | [`Call::leg_event`] | [`Action::Command`] to the other leg |
//! | [`Call::next_deadline`] passed | [`Call::deadline`] | the next attempt, or the end |
//! | a route was wanted | [`Call::routed`] | [`Action::Start`] |
//! | a leg of another call was wanted | [`Call::joined`] | a re-INVITE to it |
//! | the user hangs up | [`Call::hang_up`] | [`LegCommand::End`] to each leg, [`Action::Ended`] |
//!
//! Rules that hold for every call, whatever the order of events, and are tested as properties:
//! each leg gets at most one answer and exactly one end; after [`Action::Ended`] nothing more comes
//! out; events of legs that are gone, and events that a leg's state does not allow, change nothing.

mod action;
pub mod description;
mod divert;
mod dtmf;
mod early;
mod exchange;
mod fail_over;
mod fork;
mod hold;
mod join;
pub mod leg;
mod pick_up;
mod relay;
mod splice;
mod switch;
#[cfg(test)]
mod tests;
mod third_party;
mod transfer;

pub use action::{
    Action, CallState, CommandError, LegIds, QueryId, Report, RouteReason, Side, Skipped,
    TransferStep,
};
pub use dtmf::{MAX_TONES, ParseTonesError, Tones, Towards};
pub use fail_over::blames_the_way;
pub use join::ReleasedLeg;
pub use leg::{CallId, LegCommand, LegEvent, LegId};
pub use switch::Call;
pub use third_party::Dial;
