// SPDX-License-Identifier: GPL-3.0-or-later
//! REGISTER, and phones that come and go.

use sipwitch_core::{cause::Cause, extension::ExtensionNumber};
use sipwitch_sip::{
    endpoint::Arrival,
    flow::{Flow, Transport},
    registrar::{self, Binding, BindingChange, PhoneId, TemporaryGruus},
    wire::name,
};

use super::{
    Switchboard,
    ask::{Refusal, Reply},
    door::Turned,
    login::Stage,
    notice::Notice,
    storing::Waiting,
    world::phone_view,
};
use crate::store::{Change, records::BindingRecord};

impl Switchboard {
    /// Takes up the phones that were stored.
    pub(super) fn restore_phones(&mut self, records: Vec<BindingRecord>) {
        let bindings: Vec<Binding> = records
            .iter()
            .filter(|record| self.directory.find(&record.extension).is_some())
            .filter_map(|record| self.binding_of(record))
            .collect();
        let now = self.now;
        let forgotten = self.registrar.restore(now.instant, now.unix_us, bindings);
        self.phones_changed(&forgotten);
    }

    /// RFC 3261 §10.3.
    pub(super) fn register(&mut self, arrival: Arrival, stage: &Stage) {
        let extension = match self.registering(&arrival, stage) {
            Ok(extension) => extension,
            Err(Turned::Later) => return,
            // Who brings no credentials is challenged without being remembered (RFC 3261 §8.2.7):
            // a repetition gets another challenge, which is as good, and thousands of phones that
            // come back at once leave no transaction each.
            Err(Turned::Away(challenge))
                if arrival.request.headers().all(&name::AUTHORIZATION).next().is_none() =>
            {
                self.endpoint.dismiss(arrival.transaction, Some(&challenge));
                return;
            }
            Err(Turned::Away(response)) => {
                self.turn_away(&arrival, &response);
                return;
            }
        };
        let tag = self.endpoint.new_tag();
        let outcome = self.registrar.register(&registrar::Arrival {
            now: self.now.instant,
            unix_us: self.now.unix_us,
            request: &arrival.request,
            flow: arrival.flow,
            extension: extension.as_str(),
            to_tag: &tag,
        });
        // The answer waits for the store: a phone that was told it is registered stays so, whatever
        // becomes of this process (docs/decisions/0006-registrations-outlive-a-crash.md).
        let waiting =
            Waiting::Registration { transaction: arrival.transaction, response: outcome.response };
        let changes = self.changes_of(&outcome.changes);
        self.store_then(changes, waiting);
        self.tell_phones(&outcome.changes);
    }

    /// The extension that the request registers a phone for, if its sender may.
    fn registering(&mut self, arrival: &Arrival, stage: &Stage) -> Result<ExtensionNumber, Turned> {
        let named = arrival.request.to().ok().and_then(|to| self.extension_in(to, arrival));
        if self.is_own_program(arrival) {
            return named.ok_or_else(|| self.turned_away(arrival, 404));
        }
        // Whoever does not prove a password learns nothing about which extensions exist.
        let user = self.authenticate(arrival, named.as_ref(), stage)?;
        match named {
            Some(number) if number.as_str().eq_ignore_ascii_case(&user) => Ok(number),
            _ => Err(self.turned_away(arrival, 403)),
        }
    }

    /// Stores what changed without anybody waiting for it, and tells it.
    pub(super) fn phones_changed(&mut self, changes: &[BindingChange]) {
        for change in self.changes_of(changes) {
            self.store_quietly(change);
        }
        self.tell_phones(changes);
    }

    fn changes_of(&self, changes: &[BindingChange]) -> Vec<Change> {
        changes
            .iter()
            .map(|change| match change {
                BindingChange::Removed { binding, .. } => {
                    Change::RemoveBinding { phone: binding.phone.0 }
                }
                BindingChange::Added(binding) | BindingChange::Refreshed(binding) => {
                    Change::PutBinding(Box::new(record_of(binding)))
                }
            })
            .collect()
    }

    fn tell_phones(&mut self, changes: &[BindingChange]) {
        self.gateways_changed();
        for change in changes {
            let binding = change.binding();
            match change {
                BindingChange::Added(_) => {
                    tracing::info!(
                        extension = %binding.extension, phone = %binding.phone,
                        address = %binding.flow, "phone registered"
                    );
                    self.tell(|| Notice::Phone(phone_view(binding)));
                    self.tell_extension(&binding.extension);
                    self.phone_came(&binding.extension);
                    self.mailbox_for(binding);
                }
                BindingChange::Refreshed(_) => {
                    self.tell(|| Notice::Phone(phone_view(binding)));
                    // It may have been out of reach when a text came.
                    self.phone_came(&binding.extension);
                }
                BindingChange::Removed { why, .. } => {
                    tracing::info!(
                        extension = %binding.extension, phone = %binding.phone,
                        why = why.as_str(), "phone gone"
                    );
                    self.tell(|| Notice::PhoneGone(binding.phone.0));
                    self.tell_extension(&binding.extension);
                }
            }
        }
    }

    pub(super) fn remove_phone(&mut self, phone: u64, reply: Reply<()>) {
        if self.programs.has(phone) {
            self.remove_program(phone, &Cause::normal());
            let _ = reply.send(Ok(()));
            return;
        }
        match self.registrar.remove(PhoneId(phone)) {
            None => {
                let name = phone.to_string();
                let _ = reply.send(Err(Refusal::NotFound { kind: "phone", name }));
            }
            Some(change) => {
                let changes = [change];
                self.tell_phones(&changes);
                let stored = self.changes_of(&changes);
                self.store_then(stored, Waiting::Done { reply });
            }
        }
    }

    /// A binding as it was stored. Ports may have changed while we were away, so that our side of
    /// its flow is looked up anew.
    fn binding_of(&self, record: &BindingRecord) -> Option<Binding> {
        let transport = Transport::from_name(&record.transport)?;
        let remote = record.source.parse().ok()?;
        let local = self.settings.local_for(transport, remote)?;
        Some(Binding {
            phone: PhoneId(record.phone),
            extension: record.extension.as_str().into(),
            contact: record.contact.as_str().into(),
            instance: record.instance.as_str().into(),
            reg_id: record.reg_id,
            call_id: record.call_id.as_str().into(),
            cseq: record.cseq,
            path: record.path.as_str().into(),
            flow: Flow { transport, local, remote, connection: None },
            is_flow_bound: record.is_flow_bound,
            user_agent: record.user_agent.as_str().into(),
            registered_us: record.registered_us,
            expires_us: record.expires_us,
            q: record.q,
            gruus: TemporaryGruus::from_text(&record.gruu),
        })
    }
}

fn record_of(binding: &Binding) -> BindingRecord {
    BindingRecord {
        phone: binding.phone.0,
        extension: binding.extension.to_string(),
        contact: binding.contact.to_string(),
        instance: binding.instance.to_string(),
        reg_id: binding.reg_id,
        call_id: binding.call_id.to_string(),
        cseq: binding.cseq,
        path: binding.path.to_string(),
        transport: binding.flow.transport.name().to_owned(),
        source: binding.flow.remote.to_string(),
        local: binding.flow.local.to_string(),
        is_flow_bound: binding.is_flow_bound,
        user_agent: binding.user_agent.to_string(),
        registered_us: binding.registered_us,
        expires_us: binding.expires_us,
        q: binding.q,
        gruu: binding.gruus.to_text(),
    }
}
