// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Call
//! One call.

#![allow(missing_docs, reason = "zbus writes bare accessors for the arguments of signals")]

use zbus::proxy;

use crate::{
    Error,
    wire::{CallState, LegInfo, NoOptions, Origin, TraceInfo},
};

/// Calls `org.gnutelephony.SipWitch1.Call`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Call",
    default_service = "org.gnutelephony.SipWitch1"
)]
pub trait Call {
    /// End the call.
    fn hangup(&self) -> Result<(), Error>;

    /// Answer for the program that asks.
    fn answer(&self) -> Result<(), Error>;

    /// Put the call on hold.
    fn hold(&self) -> Result<(), Error>;

    /// Take the call from hold.
    fn resume(&self) -> Result<(), Error>;

    /// Connect the caller to somebody else.
    fn transfer(&self, contact: &str, options: &NoOptions) -> Result<(), Error>;

    /// Send tones to the called side.
    fn send_dtmf(&self, tones: &str, options: &NoOptions) -> Result<(), Error>;

    /// The call ended.
    #[zbus(signal)]
    fn ended(&self, sip_code: u32, q850_cause: u32, words: &str) -> zbus::Result<()>;

    /// A phone in the call sent a tone.
    #[zbus(signal)]
    fn dtmf_received(&self, tone: &str, from: &str) -> zbus::Result<()>;

    /// How far the call is.
    #[zbus(property)]
    fn state(&self) -> zbus::Result<CallState>;

    /// What was dialled.
    #[zbus(property(emits_changed_signal = "const"))]
    fn contact(&self) -> zbus::Result<String>;

    /// Who calls.
    #[zbus(property)]
    fn caller(&self) -> zbus::Result<String>;

    /// The caller's name.
    #[zbus(property)]
    fn caller_name(&self) -> zbus::Result<String>;

    /// Who rings or has answered.
    #[zbus(property)]
    fn callee(&self) -> zbus::Result<String>;

    /// The callee's name.
    #[zbus(property)]
    fn callee_name(&self) -> zbus::Result<String>;

    /// Who began it.
    #[zbus(property(emits_changed_signal = "const"))]
    fn origin(&self) -> zbus::Result<Origin>;

    /// The other domain in the call; empty if there is none.
    #[zbus(property)]
    fn peer_domain(&self) -> zbus::Result<String>;

    /// What proves it; empty if nothing does.
    #[zbus(property)]
    fn peer_proof(&self) -> zbus::Result<String>;

    /// Why the call goes this way.
    #[zbus(property)]
    fn route(&self) -> zbus::Result<String>;

    /// What was tried, in the order in which it began.
    #[zbus(property)]
    fn route_trace(&self) -> zbus::Result<Vec<TraceInfo>>;

    /// Whether the call is on hold.
    #[zbus(property)]
    fn held(&self) -> zbus::Result<bool>;

    /// Our half of the conversation with each phone or line.
    #[zbus(property)]
    fn legs(&self) -> zbus::Result<Vec<LegInfo>>;

    /// When the call began.
    #[zbus(property(emits_changed_signal = "const"))]
    fn started_at_microseconds(&self) -> zbus::Result<u64>;

    /// When somebody answered, or 0.
    #[zbus(property)]
    fn answered_at_microseconds(&self) -> zbus::Result<u64>;

    /// When the call ended, or 0.
    #[zbus(property)]
    fn ended_at_microseconds(&self) -> zbus::Result<u64>;

    /// The cause as a SIP status, or 0.
    #[zbus(property)]
    fn sip_code(&self) -> zbus::Result<u32>;

    /// The cause of Q.850, or 0.
    #[zbus(property, name = "Q850Cause")]
    fn q850_cause(&self) -> zbus::Result<u32>;

    /// The cause for people.
    #[zbus(property)]
    fn cause_words(&self) -> zbus::Result<String>;
}
