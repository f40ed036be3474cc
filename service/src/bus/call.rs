// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Call

use std::{collections::HashMap, sync::Arc};

use sipwitch_dbus_interfaces::{Error, ObjectName};
use tokio::sync::watch;
use zbus::{Connection, interface, message::Header, object_server::SignalEmitter, zvariant::Value};

use super::{
    caller::Caller,
    changes::{Property, microseconds},
    desk::Desk,
    options::{self, Dictionary},
};
use crate::switchboard::{
    ask::{Ask, Reply},
    notice::{CallView, LegView, TraceLine},
};

/// One call.
pub(super) struct Call {
    pub(super) desk: Arc<Desk>,
    pub(super) view: watch::Receiver<CallRecord>,
}

/// A call, and at its end why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallRecord {
    pub(super) call: CallView,
    /// All zero and empty until the call has ended.
    pub(super) end: End,
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) ended_us: i64,
    pub(super) sip_code: u16,
    pub(super) q850: u8,
    pub(super) words: String,
}

/// What can change in a call.
pub(super) const CHANGING: &[Property<CallRecord>] = &[
    ("State", |record| record.call.state.into()),
    ("Caller", |record| record.call.caller.clone().into()),
    ("CallerName", |record| record.call.caller_name.clone().into()),
    ("Callee", |record| record.call.callee.clone().into()),
    ("CalleeName", |record| record.call.callee_name.clone().into()),
    ("PeerDomain", |record| record.call.peer.domain.to_string().into()),
    ("PeerProof", |record| record.call.peer.proof.into()),
    ("Route", |record| record.call.route.clone().into()),
    ("RouteTrace", |record| trace(&record.call.trace).into()),
    ("Held", |record| record.call.held.into()),
    ("Legs", |record| legs(&record.call.legs).into()),
    ("AnsweredAtMicroseconds", |record| microseconds(record.call.answered_us).into()),
    ("EndedAtMicroseconds", |record| microseconds(record.end.ended_us).into()),
    ("SipCode", |record| u32::from(record.end.sip_code).into()),
    ("Q850Cause", |record| u32::from(record.end.q850).into()),
    ("CauseWords", |record| record.end.words.clone().into()),
];

type Leg = HashMap<&'static str, Value<'static>>;

fn trace(trace: &[TraceLine]) -> Vec<HashMap<&'static str, Value<'static>>> {
    trace
        .iter()
        .map(|line| {
            HashMap::from([
                ("destination", line.destination.clone().into()),
                ("outcome", line.outcome.into()),
                ("reason", line.reason.into()),
                ("sip-code", u32::from(line.sip_code).into()),
                ("words", line.words.clone().into()),
                ("milliseconds", line.milliseconds.into()),
            ])
        })
        .collect()
}

fn legs(legs: &[LegView]) -> Vec<Leg> {
    legs.iter()
        .map(|leg| {
            let mut entries: Leg = HashMap::from([
                ("role", leg.role.into()),
                ("state", leg.state.into()),
                ("address", leg.address.clone().into()),
            ]);
            if let Some(phone) = leg.phone {
                entries.insert("phone", ObjectName::Phone(phone).path().into_inner().into());
            }
            entries
        })
        .collect()
}

impl Call {
    async fn ask(
        &self,
        header: &Header<'_>,
        connection: &Connection,
        ask: impl FnOnce(sipwitch_core::call::leg::CallId, Reply<()>) -> Ask,
    ) -> Result<(), Error> {
        let call = self.view.borrow().call.id;
        let caller = Caller::new(connection, header);
        self.desk.change(&caller, |reply| ask(call, reply)).await
    }
}

#[interface(name = "org.gnutelephony.SipWitch1.Call", introspection_docs = false)]
impl Call {
    async fn hangup(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.ask(&header, connection, |call, reply| Ask::Hangup { call, reply }).await
    }

    async fn answer(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.ask(&header, connection, |call, reply| Ask::Answer { call, reply }).await
    }

    async fn hold(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.ask(&header, connection, |call, reply| Ask::Hold { call, reply }).await
    }

    async fn resume(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.ask(&header, connection, |call, reply| Ask::Resume { call, reply }).await
    }

    async fn transfer(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        options: Dictionary,
    ) -> Result<(), Error> {
        options::none("Transfer", options)?;
        self.ask(&header, connection, |call, reply| Ask::Transfer { call, contact, reply }).await
    }

    async fn send_dtmf(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        tones: String,
        options: Dictionary,
    ) -> Result<(), Error> {
        options::none("SendDtmf", options)?;
        self.ask(&header, connection, |call, reply| Ask::SendDtmf { call, tones, reply }).await
    }

    #[zbus(signal)]
    pub(super) async fn ended(
        emitter: &SignalEmitter<'_>,
        sip_code: u32,
        q850_cause: u32,
        words: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(super) async fn dtmf_received(
        emitter: &SignalEmitter<'_>,
        tone: &str,
        from: &str,
    ) -> zbus::Result<()>;

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.view.borrow().call.state
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn contact(&self) -> String {
        self.view.borrow().call.contact.clone()
    }

    #[zbus(property)]
    fn caller(&self) -> String {
        self.view.borrow().call.caller.clone()
    }

    #[zbus(property)]
    fn caller_name(&self) -> String {
        self.view.borrow().call.caller_name.clone()
    }

    #[zbus(property)]
    fn callee(&self) -> String {
        self.view.borrow().call.callee.clone()
    }

    #[zbus(property)]
    fn callee_name(&self) -> String {
        self.view.borrow().call.callee_name.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn origin(&self) -> &'static str {
        self.view.borrow().call.origin
    }

    #[zbus(property)]
    fn route(&self) -> String {
        self.view.borrow().call.route.clone()
    }

    #[zbus(property)]
    fn peer_domain(&self) -> String {
        self.view.borrow().call.peer.domain.to_string()
    }

    #[zbus(property)]
    fn peer_proof(&self) -> &'static str {
        self.view.borrow().call.peer.proof
    }

    #[zbus(property)]
    fn route_trace(&self) -> Vec<HashMap<&'static str, Value<'static>>> {
        trace(&self.view.borrow().call.trace)
    }

    #[zbus(property)]
    fn held(&self) -> bool {
        self.view.borrow().call.held
    }

    #[zbus(property)]
    fn legs(&self) -> Vec<Leg> {
        legs(&self.view.borrow().call.legs)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().call.started_us)
    }

    #[zbus(property)]
    fn answered_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().call.answered_us)
    }

    #[zbus(property)]
    fn ended_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().end.ended_us)
    }

    #[zbus(property)]
    fn sip_code(&self) -> u32 {
        self.view.borrow().end.sip_code.into()
    }

    #[zbus(property, name = "Q850Cause")]
    fn q850_cause(&self) -> u32 {
        self.view.borrow().end.q850.into()
    }

    #[zbus(property)]
    fn cause_words(&self) -> String {
        self.view.borrow().end.words.clone()
    }
}
