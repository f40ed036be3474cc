// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Endpoint
//! A program that is a phone.
//!
//! The signals go to that program alone. Subscribe to them with the proxy before `set_available`
//! and before `dial`: what is said of a leg comes after the proxy can hear it.

#![allow(missing_docs, reason = "zbus writes bare accessors for the arguments of signals")]

use zbus::{
    proxy,
    zvariant::{ObjectPath, OwnedObjectPath},
};

use crate::{
    Error,
    wire::{
        EndpointDialOptions, EndpointMessageOptions, EndpointTransferOptions, HangUpOptions,
        IncomingCallInfo, MediaAddress, MessageResult, OfferInfo, PastText, PastTextOptions,
        RejectOptions, TextInfo,
    },
};

/// Calls `org.gnutelephony.SipWitch1.Endpoint`; the XML tells what each member does.
#[proxy(
    interface = "org.gnutelephony.SipWitch1.Endpoint",
    default_service = "org.gnutelephony.SipWitch1"
)]
pub trait Endpoint {
    /// Say whether the program can be reached.
    fn set_available(&self, available: bool) -> Result<(), Error>;

    /// Call: the leg, and the call it lies in.
    fn dial(
        &self,
        contact: &str,
        offer: &[u8],
        options: &EndpointDialOptions,
    ) -> Result<(u64, OwnedObjectPath), Error>;

    /// Tell the caller how far the call is.
    fn show_progress(&self, leg: u64, sip_code: u32, description: &[u8]) -> Result<(), Error>;

    /// Take the call.
    fn answer(&self, leg: u64, description: &[u8]) -> Result<(), Error>;

    /// Do not take the call.
    fn reject(&self, leg: u64, sip_code: u32, options: &RejectOptions) -> Result<(), Error>;

    /// Leave.
    fn hang_up(&self, leg: u64, options: &HangUpOptions) -> Result<(), Error>;

    /// Describe the program's end anew; the answer is the name of the exchange.
    fn offer_description(&self, leg: u64, description: &[u8]) -> Result<u32, Error>;

    /// Answer the other end's offer.
    fn answer_description(&self, leg: u64, exchange: u32, description: &[u8]) -> Result<(), Error>;

    /// Refuse the other end's offer.
    fn refuse_description(&self, leg: u64, exchange: u32, sip_code: u32) -> Result<(), Error>;

    /// Say where media are that were described without an address.
    fn set_media_addresses(&self, leg: u64, addresses: &[MediaAddress]) -> Result<(), Error>;

    /// Send tones to the other end.
    fn send_tones(&self, leg: u64, tones: &str) -> Result<(), Error>;

    /// Connect the other end to somebody else.
    fn transfer(
        &self,
        leg: u64,
        contact: &str,
        options: &EndpointTransferOptions,
    ) -> Result<(), Error>;

    /// Send a text as the extension of this phone.
    fn send_message(
        &self,
        contact: &str,
        text: &str,
        options: &EndpointMessageOptions,
    ) -> Result<MessageResult, Error>;

    /// Texts of the past, the newest first.
    fn texts(
        &self,
        contact: &str,
        limit: u32,
        options: &PastTextOptions,
    ) -> Result<Vec<PastText>, Error>;

    /// Texts were read.
    fn mark_read(&self, messages: &[u64]) -> Result<(), Error>;

    /// Take a text.
    fn accept_message(&self, message: u64) -> Result<(), Error>;

    /// Somebody calls.
    #[zbus(signal)]
    fn incoming_call(
        &self,
        leg: u64,
        call: ObjectPath<'_>,
        offer: Vec<u8>,
        properties: IncomingCallInfo,
    ) -> zbus::Result<()>;

    /// A program asked for the call to be answered here.
    #[zbus(signal)]
    fn answer_wanted(&self, leg: u64) -> zbus::Result<()>;

    /// Media that were described without an address go through these ports.
    #[zbus(signal)]
    fn media_anchored(&self, leg: u64, addresses: Vec<MediaAddress>) -> zbus::Result<()>;

    /// The called side got so far.
    #[zbus(signal)]
    fn progress(
        &self,
        leg: u64,
        fork: u32,
        sip_code: u32,
        words: &str,
        description: Vec<u8>,
    ) -> zbus::Result<()>;

    /// Somebody answered.
    #[zbus(signal)]
    fn answered(&self, leg: u64, fork: u32, description: Vec<u8>) -> zbus::Result<()>;

    /// The caller has the answer.
    #[zbus(signal)]
    fn confirmed(&self, leg: u64, description: Vec<u8>) -> zbus::Result<()>;

    /// The other end describes itself anew.
    #[zbus(signal)]
    fn description_offered(
        &self,
        leg: u64,
        exchange: u32,
        description: Vec<u8>,
        properties: OfferInfo,
    ) -> zbus::Result<()>;

    /// The other end answered an offer.
    #[zbus(signal)]
    fn offer_answered(
        &self,
        leg: u64,
        exchange: u32,
        sip_code: u32,
        words: &str,
        description: Vec<u8>,
    ) -> zbus::Result<()>;

    /// The other end sent a tone.
    #[zbus(signal)]
    fn tone_received(&self, leg: u64, tone: &str) -> zbus::Result<()>;

    /// So far the transfer has come.
    #[zbus(signal)]
    fn transfer_progress(&self, leg: u64, sip_code: u32, words: &str) -> zbus::Result<()>;

    /// The leg talks with somebody else now.
    #[zbus(signal)]
    fn party_changed(
        &self,
        leg: u64,
        call: ObjectPath<'_>,
        address: &str,
        name: &str,
    ) -> zbus::Result<()>;

    /// A leg ended.
    #[zbus(signal)]
    fn ended(
        &self,
        leg: u64,
        reason: &str,
        sip_code: u32,
        q850_cause: u32,
        words: &str,
    ) -> zbus::Result<()>;

    /// A text came for the extension.
    #[zbus(signal)]
    fn message_received(
        &self,
        message: u64,
        sender: &str,
        content_type: &str,
        content: Vec<u8>,
        properties: TextInfo,
    ) -> zbus::Result<()>;

    /// A text that was kept has got further.
    #[zbus(signal)]
    fn message_reported(&self, message: u64, contact: &str, state: &str) -> zbus::Result<()>;

    /// Whether calls ring here and texts come here.
    #[zbus(property)]
    fn available(&self) -> zbus::Result<bool>;

    /// Whether it rings for the calls to every person of the house.
    #[zbus(property(emits_changed_signal = "const"))]
    fn all_calls(&self) -> zbus::Result<bool>;
}
