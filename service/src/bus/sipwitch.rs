// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1

use std::{net::IpAddr, sync::Arc};

use sipwitch_dbus_interfaces::{
    Error, ObjectName,
    wire::{
        CallSummary, ConnectivityChange, HopInfo, NamesInfo, RouteLine, Signatures, TraceInfo,
        TraceOutcome,
    },
};
use tokio::sync::watch;
use zbus::{
    Connection, interface,
    message::Header,
    object_server::SignalEmitter,
    zvariant::{ObjectPath, OwnedObjectPath, Value},
};

use super::{
    call::CallRecord,
    caller::Caller,
    changes::{Property, microseconds},
    desk::Desk,
    options::{self, Dictionary},
};
use crate::{
    connectivity::Change,
    store::records,
    switchboard::{
        ask::{self, Ask, Hop, NamesChecked},
        notice::{ServiceView, TraceLine},
    },
};

/// The most calls that `History` gives at once, so that one answer cannot grow without bound.
const HISTORY_AT_ONCE: u32 = 1000;

/// The service itself.
pub(super) struct SipWitch {
    pub(super) desk: Arc<Desk>,
    pub(super) view: watch::Receiver<ServiceRecord>,
}

/// The service, and how many calls it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServiceRecord {
    pub(super) service: ServiceView,
    pub(super) calls: usize,
}

impl ServiceRecord {
    fn call_count(&self) -> u32 {
        u32::try_from(self.calls).unwrap_or(u32::MAX)
    }
}

/// What can change in the service.
pub(super) const CHANGING: &[Property<ServiceRecord>] = &[
    ("ConfigurationFile", |record| record.service.configuration_file.clone().into()),
    ("Addresses", |record| record.service.addresses.clone().into()),
    ("Domain", |record| record.service.domain.clone().into()),
    ("Realm", |record| record.service.realm.clone().into()),
    ("Network", |record| record.service.network.clone().into()),
    ("Warnings", |record| record.service.warnings.clone().into()),
    ("Emergency", |record| record.service.emergency.into()),
    ("EmergencyWords", |record| record.service.emergency_words.clone().into()),
    ("EmergencyNumbers", |record| record.service.emergency_numbers.clone().into()),
    ("CallCount", |record| record.call_count().into()),
];

/// How a call went, for `CallEnded`.
pub(super) fn summary(record: &CallRecord) -> CallSummary {
    let CallRecord { call, end } = record;
    CallSummary {
        contact: call.contact.clone(),
        caller: call.caller.clone(),
        caller_name: Some(call.caller_name.clone()),
        callee: if call.answered_us > 0 { call.callee.clone() } else { String::new() },
        callee_name: Some(call.callee_name.clone()),
        started_at_microseconds: microseconds(call.started_us),
        answered_at_microseconds: Some(call.answered_us).filter(|&us| us > 0).map(microseconds),
        ended_at_microseconds: microseconds(end.ended_us),
        sip_code: end.sip_code.into(),
        q850_cause: Some(end.q850.into()).filter(|&cause| cause > 0),
        words: end.words.clone(),
        route: call.route.clone(),
        route_trace: call.trace.iter().map(tried).collect(),
        blocked: None,
    }
}

/// What is different in the network, for `ConnectivityChanged`.
pub(super) fn difference(change: &Change) -> ConnectivityChange {
    let words = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_string).collect();
    ConnectivityChange {
        online: change.is_online,
        resumed: change.resumed,
        gone: words(&change.gone),
        new: words(&change.new),
    }
}

/// How a call went, from the store.
fn past(call: records::CallRecord) -> CallSummary {
    CallSummary {
        contact: call.contact,
        caller: call.caller,
        caller_name: None,
        callee: call.callee,
        callee_name: None,
        started_at_microseconds: microseconds(call.started_us),
        answered_at_microseconds: call.answered_us.map(microseconds),
        ended_at_microseconds: microseconds(call.ended_us),
        sip_code: call.sip_code.into(),
        q850_cause: call.q850.map(u32::from),
        words: call.words,
        route: call.route,
        route_trace: call.trace.into_iter().filter_map(was_tried).collect(),
        blocked: Some(call.blocked).filter(|blocked| !blocked.is_empty()),
    }
}

fn tried(line: &TraceLine) -> TraceInfo {
    TraceInfo {
        destination: line.destination.clone(),
        outcome: line.outcome.parse().unwrap_or(TraceOutcome::Dialing),
        reason: line.reason.to_owned(),
        sip_code: line.sip_code.into(),
        words: line.words.clone(),
        milliseconds: line.milliseconds,
    }
}

/// None for an outcome that this version does not know.
fn was_tried(line: records::TraceRecord) -> Option<TraceInfo> {
    Some(TraceInfo {
        destination: line.destination,
        outcome: line.outcome.parse().ok()?,
        reason: line.reason,
        sip_code: line.sip_code.into(),
        words: line.words,
        milliseconds: line.milliseconds,
    })
}

fn line(line: ask::RouteLine) -> RouteLine {
    let ask::RouteLine { attempt, destination, reason, words } = line;
    RouteLine { attempt, destination, reason, words }
}

fn hop(hop: Hop) -> HopInfo {
    let Hop { address, status, reason, server, allow, milliseconds } = hop;
    HopInfo { address, status: status.map(u32::from), reason, server, allow, milliseconds }
}

fn names(checked: NamesChecked) -> NamesInfo {
    let NamesChecked { servers, signatures, places, failure, milliseconds } = checked;
    let signatures = match signatures {
        Some(true) => Signatures::Yes,
        Some(false) => Signatures::No,
        None => Signatures::Unknown,
    };
    NamesInfo { servers, signatures, places, failure, milliseconds }
}

#[interface(name = "org.gnutelephony.SipWitch1", introspection_docs = false)]
impl SipWitch {
    #[zbus(out_args("call"))]
    async fn dial(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        options: Dictionary,
    ) -> Result<OwnedObjectPath, Error> {
        let options = options::dial("Dial", options)?;
        let caller = Caller::new(connection, &header);
        let call = if options.detached {
            let ask = |reply| Ask::Dial { contact, options, owner: None, reply };
            self.desk.change(&caller, ask).await?
        } else {
            self.desk
                .dial(&caller, |owner, reply| Ask::Dial { contact, options, owner, reply })
                .await?
        };
        Ok(ObjectName::Call(call.0).path())
    }

    #[zbus(out_args("attempts", "rejected"))]
    async fn explain(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        options: Dictionary,
    ) -> Result<(Vec<RouteLine>, Vec<RouteLine>), Error> {
        let options = options::dial("Explain", options)?;
        let caller = Caller::new(connection, &header);
        let lines =
            self.desk.ask(&caller, |reply| Ask::Explain { contact, options, reply }).await?;
        Ok(lines.into_iter().map(line).partition(|line| line.attempt > 0))
    }

    #[zbus(out_args("result"))]
    async fn send_message(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        contact: String,
        text: String,
        options: Dictionary,
    ) -> Result<std::collections::HashMap<&'static str, Value<'static>>, Error> {
        let from = options::message(options)?;
        let caller = Caller::new(connection, &header);
        let sent =
            self.desk.ask(&caller, |reply| Ask::SendMessage { contact, from, text, reply }).await?;
        Ok([("state", sent.state.into())].into())
    }

    #[zbus(out_args("extension"))]
    async fn add_extension(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        number: String,
        properties: Dictionary,
    ) -> Result<OwnedObjectPath, Error> {
        let change = options::extension("AddExtension", properties)?;
        let caller = Caller::new(connection, &header);
        let id =
            self.desk.change(&caller, |reply| Ask::AddExtension { number, change, reply }).await?;
        Ok(ObjectName::Extension(id).path())
    }

    #[zbus(out_args("added", "changed", "refused"))]
    async fn import_extensions(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        csv: String,
        options: Dictionary,
    ) -> Result<(u32, u32, Vec<(u32, String)>), Error> {
        options::none("ImportExtensions", options)?;
        let caller = Caller::new(connection, &header);
        let imported =
            self.desk.change(&caller, |reply| Ask::ImportExtensions { csv, reply }).await?;
        Ok((imported.added, imported.changed, imported.refused))
    }

    #[zbus(out_args("account"))]
    async fn add_account(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        properties: Dictionary,
    ) -> Result<OwnedObjectPath, Error> {
        let account = options::new_account(properties)?;
        let caller = Caller::new(connection, &header);
        let id = self.desk.add_account(&caller, account).await?;
        Ok(ObjectName::Account(id).path())
    }

    #[zbus(out_args("phone"))]
    async fn register_endpoint(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        options: Dictionary,
    ) -> Result<OwnedObjectPath, Error> {
        let endpoint = options::endpoint(options)?;
        let caller = Caller::new(connection, &header);
        let phone = self.desk.register(&caller, endpoint).await?;
        Ok(ObjectName::Phone(phone).path())
    }

    #[zbus(out_args("calls"))]
    async fn history(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        limit: u32,
        options: Dictionary,
    ) -> Result<Vec<CallSummary>, Error> {
        options::none("History", options)?;
        let limit = limit.min(HISTORY_AT_ONCE);
        let caller = Caller::new(connection, &header);
        let calls = self.desk.ask(&caller, |reply| Ask::History { limit, reply }).await?;
        Ok(calls.into_iter().map(past).collect())
    }

    #[zbus(out_args("hops"))]
    async fn query(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        uri: String,
        options: Dictionary,
    ) -> Result<Vec<HopInfo>, Error> {
        options::none("Query", options)?;
        let caller = Caller::new(connection, &header);
        let hops = self.desk.ask(&caller, |reply| Ask::Query { uri, reply }).await?;
        Ok(hops.into_iter().map(hop).collect())
    }

    #[zbus(out_args("report"))]
    async fn check_names(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        domain: String,
        options: Dictionary,
    ) -> Result<NamesInfo, Error> {
        options::none("CheckNames", options)?;
        let caller = Caller::new(connection, &header);
        let checked = self.desk.ask(&caller, |reply| Ask::CheckNames { domain, reply }).await?;
        Ok(names(checked))
    }

    #[zbus(out_args("needs_restart"))]
    async fn reload(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<String>, Error> {
        let caller = Caller::new(connection, &header);
        self.desk.change(&caller, |reply| Ask::Reload { reply }).await
    }

    #[zbus(signal)]
    pub(super) async fn caller_held_back(
        emitter: &SignalEmitter<'_>,
        caller: &str,
        domain: &str,
        extension: &str,
        words: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(super) async fn call_ended(
        emitter: &SignalEmitter<'_>,
        call: ObjectPath<'_>,
        summary: CallSummary,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(super) async fn connectivity_changed(
        emitter: &SignalEmitter<'_>,
        words: &str,
        details: ConnectivityChange,
    ) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().service.started_us)
    }

    #[zbus(property)]
    fn configuration_file(&self) -> String {
        self.view.borrow().service.configuration_file.clone()
    }

    #[zbus(property)]
    fn addresses(&self) -> Vec<String> {
        self.view.borrow().service.addresses.clone()
    }

    #[zbus(property)]
    fn domain(&self) -> String {
        self.view.borrow().service.domain.clone()
    }

    #[zbus(property)]
    fn realm(&self) -> String {
        self.view.borrow().service.realm.clone()
    }

    #[zbus(property)]
    fn warnings(&self) -> Vec<String> {
        self.view.borrow().service.warnings.clone()
    }

    #[zbus(property)]
    fn network(&self) -> String {
        self.view.borrow().service.network.clone()
    }

    #[zbus(property)]
    fn emergency(&self) -> &'static str {
        self.view.borrow().service.emergency
    }

    #[zbus(property)]
    fn emergency_words(&self) -> String {
        self.view.borrow().service.emergency_words.clone()
    }

    #[zbus(property)]
    fn emergency_numbers(&self) -> Vec<(String, Vec<String>)> {
        self.view.borrow().service.emergency_numbers.clone()
    }

    #[zbus(property)]
    fn call_count(&self) -> u32 {
        self.view.borrow().call_count()
    }
}
