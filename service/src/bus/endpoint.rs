// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Endpoint

use std::{collections::HashMap, future::Future, sync::Arc};

use bytes::Bytes;
use sipwitch_core::call::leg::{CallId, LegId};
use sipwitch_dbus_interfaces::{
    Error, ObjectName,
    wire::{IncomingCallInfo, MediaAddress, OfferInfo, PastText, TextInfo},
};
use tokio::sync::watch;
use zbus::{
    Connection, interface,
    message::Header,
    object_server::{ResponseDispatchNotifier, SignalEmitter},
    zvariant::{ObjectPath, OwnedObjectPath, Value},
};

use super::{
    caller::Caller,
    changes::{Property, microseconds},
    desk::Desk,
    media,
    options::{self, Dictionary},
};
use crate::{
    store::records::TextRecord,
    switchboard::{
        ask::{Ask, EndpointAsk, Leaving, Reply, WantedPast},
        notice::{PhoneView, Told},
    },
};

/// A program that is a phone.
pub(super) struct Endpoint {
    pub(super) desk: Arc<Desk>,
    pub(super) view: watch::Receiver<PhoneView>,
}

/// What can change in a program.
pub(super) const CHANGING: &[Property<PhoneView>] =
    &[("Available", |phone| phone.program.is_some_and(|program| program.available).into())];

impl Endpoint {
    async fn ask<T>(
        &self,
        header: &Header<'_>,
        connection: &Connection,
        ask: impl FnOnce(Reply<T>) -> EndpointAsk,
    ) -> Result<T, Error> {
        let caller = Caller::new(connection, header);
        let phone = self.view.borrow().id;
        let owner = caller.name().map(str::to_owned);
        let asked = |reply| Ask::Endpoint { phone, owner, ask: ask(reply) };
        self.desk.change(&caller, asked).await
    }

    /// Tells the switchboard when the program has the reply that names a leg or an exchange.
    fn release_after(&self, replied: impl Future<Output = ()> + Send + 'static, leg: LegId) {
        let phone = self.view.borrow().id;
        let asks = self.desk.asks().clone();
        tokio::spawn(async move {
            replied.await;
            let ask = EndpointAsk::Release { leg };
            // If the switchboard has stopped, nobody waits.
            let _ = asks.send(Ask::Endpoint { phone, owner: None, ask }).await;
        });
    }
}

#[interface(name = "org.gnutelephony.SipWitch1.Endpoint", introspection_docs = false)]
impl Endpoint {
    async fn set_available(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        available: bool,
    ) -> Result<(), Error> {
        let ask = |reply| EndpointAsk::SetAvailable { available, reply };
        self.ask(&header, connection, ask).await
    }

    #[zbus(out_args("leg", "call"))]
    async fn dial(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        offer: Vec<u8>,
        options: Dictionary,
    ) -> Result<(u64, ResponseDispatchNotifier<OwnedObjectPath>), Error> {
        let options = options::endpoint_dial(options)?;
        let offer = Bytes::from(offer);
        let ask = |reply| EndpointAsk::Dial { contact, offer, options, reply };
        let (leg, CallId(call)) = self.ask(&header, connection, ask).await?;
        let (call, replied) = ResponseDispatchNotifier::new(ObjectName::Call(call).path());
        self.release_after(replied, leg);
        Ok((leg.0, call))
    }

    async fn show_progress(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        sip_code: u32,
        description: Vec<u8>,
    ) -> Result<(), Error> {
        let (leg, description) = (LegId(leg), Bytes::from(description));
        let ask = |reply| EndpointAsk::ShowProgress { leg, sip_code, description, reply };
        self.ask(&header, connection, ask).await
    }

    async fn answer(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        description: Vec<u8>,
    ) -> Result<(), Error> {
        let (leg, description) = (LegId(leg), Bytes::from(description));
        let ask = |reply| EndpointAsk::Answer { leg, description, reply };
        self.ask(&header, connection, ask).await
    }

    async fn reject(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        sip_code: u32,
        options: Dictionary,
    ) -> Result<(), Error> {
        let why = Leaving { sip_code: Some(sip_code), ..options::leaving("Reject", options)? };
        let ask = |reply| EndpointAsk::Reject { leg: LegId(leg), why, reply };
        self.ask(&header, connection, ask).await
    }

    async fn hang_up(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        options: Dictionary,
    ) -> Result<(), Error> {
        let why = options::leaving("HangUp", options)?;
        let ask = |reply| EndpointAsk::HangUp { leg: LegId(leg), why, reply };
        self.ask(&header, connection, ask).await
    }

    #[zbus(out_args("exchange"))]
    async fn offer_description(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        description: Vec<u8>,
    ) -> Result<ResponseDispatchNotifier<u32>, Error> {
        let (leg, description) = (LegId(leg), Bytes::from(description));
        let ask = |reply| EndpointAsk::Offer { leg, description, reply };
        let exchange = self.ask(&header, connection, ask).await?;
        let (reply, replied) = ResponseDispatchNotifier::new(exchange);
        self.release_after(replied, leg);
        Ok(reply)
    }

    async fn answer_description(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        exchange: u32,
        description: Vec<u8>,
    ) -> Result<(), Error> {
        let (leg, description) = (LegId(leg), Bytes::from(description));
        let ask = |reply| EndpointAsk::AnswerOffer { leg, exchange, description, reply };
        self.ask(&header, connection, ask).await
    }

    async fn refuse_description(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        exchange: u32,
        sip_code: u32,
    ) -> Result<(), Error> {
        let leg = LegId(leg);
        let ask = |reply| EndpointAsk::RefuseOffer { leg, exchange, sip_code, reply };
        self.ask(&header, connection, ask).await
    }

    async fn set_media_addresses(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        addresses: Vec<MediaAddress>,
    ) -> Result<(), Error> {
        let (leg, at) = (LegId(leg), media::located(&addresses)?);
        let ask = |reply| EndpointAsk::Locate { leg, at, reply };
        self.ask(&header, connection, ask).await
    }

    async fn send_tones(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        tones: String,
    ) -> Result<(), Error> {
        let ask = |reply| EndpointAsk::SendTones { leg: LegId(leg), tones, reply };
        self.ask(&header, connection, ask).await
    }

    async fn transfer(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        leg: u64,
        contact: String,
        options: Dictionary,
    ) -> Result<(), Error> {
        let other = options::other_leg(options)?.map(LegId);
        let ask = |reply| EndpointAsk::Transfer { leg: LegId(leg), contact, other, reply };
        self.ask(&header, connection, ask).await
    }

    #[zbus(out_args("result"))]
    async fn send_message(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        text: String,
        options: Dictionary,
    ) -> Result<HashMap<&'static str, Value<'static>>, Error> {
        let content_type = options::content_type(options)?;
        let ask = |reply| EndpointAsk::SendMessage { contact, text, content_type, reply };
        let sent = self.ask(&header, connection, ask).await?;
        Ok([("state", sent.state.into()), ("message", sent.message.into())].into())
    }

    #[zbus(out_args("texts"))]
    async fn texts(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        limit: u32,
        options: Dictionary,
    ) -> Result<Vec<PastText>, Error> {
        let wanted = WantedPast { contact, limit, unread: options::unread(options)? };
        let ask = |reply| EndpointAsk::Texts { wanted, reply };
        let texts = self.ask(&header, connection, ask).await?;
        Ok(texts.into_iter().filter_map(past).collect())
    }

    async fn mark_read(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        messages: Vec<u64>,
    ) -> Result<(), Error> {
        let ask = |reply| EndpointAsk::MarkRead { messages, reply };
        self.ask(&header, connection, ask).await
    }

    async fn accept_message(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        message: u64,
    ) -> Result<(), Error> {
        let ask = |reply| EndpointAsk::AcceptMessage { message, reply };
        self.ask(&header, connection, ask).await
    }

    #[zbus(signal)]
    async fn incoming_call(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        call: ObjectPath<'_>,
        offer: &[u8],
        properties: IncomingCallInfo,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn answer_wanted(emitter: &SignalEmitter<'_>, leg: u64) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn media_anchored(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        addresses: Vec<MediaAddress>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn progress(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        fork: u32,
        sip_code: u32,
        words: &str,
        description: &[u8],
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn answered(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        fork: u32,
        description: &[u8],
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn confirmed(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        description: &[u8],
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn description_offered(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        exchange: u32,
        description: &[u8],
        properties: OfferInfo,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn offer_answered(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        exchange: u32,
        sip_code: u32,
        words: &str,
        description: &[u8],
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn tone_received(emitter: &SignalEmitter<'_>, leg: u64, tone: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn transfer_progress(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        sip_code: u32,
        words: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn party_changed(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        call: ObjectPath<'_>,
        address: &str,
        name: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn ended(
        emitter: &SignalEmitter<'_>,
        leg: u64,
        reason: &str,
        sip_code: u32,
        q850_cause: u32,
        words: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn message_received(
        emitter: &SignalEmitter<'_>,
        message: u64,
        sender: &str,
        content_type: &str,
        content: &[u8],
        properties: TextInfo,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn message_reported(
        emitter: &SignalEmitter<'_>,
        message: u64,
        contact: &str,
        state: &str,
    ) -> zbus::Result<()>;

    #[zbus(property)]
    fn available(&self) -> bool {
        self.view.borrow().program.is_some_and(|program| program.available)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn all_calls(&self) -> bool {
        self.view.borrow().program.is_some_and(|program| program.all_calls)
    }
}

/// A text of the past; none in a state that the contract does not know.
fn past(record: TextRecord) -> Option<PastText> {
    Some(PastText {
        message: record.id,
        contact: record.contact,
        text: record.text,
        sent: record.is_sent,
        at_microseconds: microseconds(record.at_us),
        state: record.state.as_str().parse().ok()?,
        elsewhere: record.is_elsewhere,
    })
}

/// Tells a program something; `to` sends to it alone.
pub(super) async fn tell(to: &SignalEmitter<'_>, told: Told) -> zbus::Result<()> {
    match told {
        Told::Incoming { leg, call, offer, caller, caller_name, dialled, diverted_by } => {
            let call = ObjectName::Call(call.0).path();
            let who = IncomingCallInfo { caller, caller_name, dialled, diverted_by };
            Endpoint::incoming_call(to, leg.0, call.as_ref(), &offer, who).await
        }
        Told::AnswerWanted { leg } => Endpoint::answer_wanted(to, leg.0).await,
        Told::Anchored { leg, ours } => {
            Endpoint::media_anchored(to, leg.0, media::addresses(&ours)).await
        }
        Told::Progress { leg, fork, sip_code, words, description } => {
            Endpoint::progress(to, leg.0, fork, sip_code.into(), &words, &description).await
        }
        Told::Answered { leg, fork, description } => {
            Endpoint::answered(to, leg.0, fork, &description).await
        }
        Told::Confirmed { leg, description } => Endpoint::confirmed(to, leg.0, &description).await,
        Told::Offered { leg, exchange, description, held } => {
            let offer = OfferInfo { held };
            Endpoint::description_offered(to, leg.0, exchange, &description, offer).await
        }
        Told::OfferAnswered { leg, exchange, sip_code, words, description } => {
            let code = sip_code.into();
            Endpoint::offer_answered(to, leg.0, exchange, code, &words, &description).await
        }
        Told::Tone { leg, tone } => {
            Endpoint::tone_received(to, leg.0, tone.encode_utf8(&mut [0; 4])).await
        }
        Told::Transfer { leg, sip_code, words } => {
            Endpoint::transfer_progress(to, leg.0, sip_code.into(), &words).await
        }
        Told::Party { leg, call, address, name } => {
            let call = ObjectName::Call(call.0).path();
            Endpoint::party_changed(to, leg.0, call.as_ref(), &address, &name).await
        }
        Told::Ended { leg, reason, sip_code, q850, words } => {
            Endpoint::ended(to, leg.0, reason, sip_code.into(), q850.into(), &words).await
        }
        Told::Text { message, sender, content_type, content, stored, extension } => {
            let info = TextInfo { stored, extension };
            Endpoint::message_received(to, message, &sender, &content_type, &content, info).await
        }
        Told::Report { message, contact, state } => {
            Endpoint::message_reported(to, message, &contact, state).await
        }
    }
}
