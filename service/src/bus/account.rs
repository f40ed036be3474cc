// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Account

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use sipwitch_dbus_interfaces::Error;
use tokio::sync::watch;
use zbus::{Connection, interface, message::Header};

use super::{
    caller::Caller,
    changes::{Property, microseconds},
    desk::Desk,
    options::{self, Dictionary},
};
use crate::{
    secret::Secret,
    switchboard::{ask::Ask, notice::AccountView},
};

/// One account.
pub(super) struct Account {
    pub(super) desk: Arc<Desk>,
    pub(super) view: watch::Receiver<AccountView>,
}

/// All but the id can change.
pub(super) const CHANGING: &[Property<AccountView>] = &[
    ("Title", |account| account.title.clone().into()),
    ("Provider", |account| account.provider.clone().into()),
    ("ProviderName", |account| account.provider_name.clone().into()),
    ("Address", |account| account.address.clone().into()),
    ("Answers", |account| map(&account.answers).into()),
    ("Settings", |account| map(&account.settings).into()),
    ("Enabled", |account| account.enabled.into()),
    ("Incoming", |account| account.incoming.clone().into()),
    ("Users", |account| account.users.clone().into()),
    ("Order", |account| account.order.into()),
    ("State", |account| account.standing.state.into()),
    ("StateReason", |account| account.standing.cause.clone().into()),
    ("CertificateFault", |account| account.standing.certificate.as_str().into()),
    ("NextStep", |account| account.standing.next_step.clone().into()),
    ("TriesAgainAtMicroseconds", |account| microseconds(account.standing.again_us).into()),
    ("RegisteredUntilMicroseconds", |account| microseconds(account.standing.until_us).into()),
    ("Transport", |account| account.standing.transport.into()),
    ("Server", |account| account.standing.server.clone().into()),
    ("ShowsAs", |account| account.shows_as.clone().into()),
    ("MessagesWaiting", |account| account.messages_waiting.into()),
    ("MessagesWaitingWords", |account| account.messages_waiting_words.clone().into()),
    ("PasswordKept", |account| account.password_kept.into()),
];

fn map(of: &BTreeMap<String, String>) -> HashMap<String, String> {
    of.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Account {
    fn account(&self) -> String {
        self.view.borrow().id.clone()
    }
}

#[interface(name = "org.gnutelephony.SipWitch1.Account", introspection_docs = false)]
impl Account {
    async fn update(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        properties: Dictionary,
    ) -> Result<(), Error> {
        let change = Box::new(options::account("Update", properties)?);
        let account = self.account();
        let caller = Caller::new(connection, &header);
        self.desk.change(&caller, |reply| Ask::ChangeAccount { account, change, reply }).await
    }

    #[zbus(out_args("kept"))]
    async fn set_password(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        password: String,
    ) -> Result<&'static str, Error> {
        let password = Secret::new(password);
        let account = self.account();
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::SetAccountPassword { account, password, reply };
        self.desk.change(&caller, ask).await
    }

    async fn try_again(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let account = self.account();
        let caller = Caller::new(connection, &header);
        self.desk.change(&caller, |reply| Ask::TryAccountAgain { account, reply }).await
    }

    async fn remove(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let account = self.account();
        let caller = Caller::new(connection, &header);
        self.desk.change(&caller, |reply| Ask::RemoveAccount { account, reply }).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> String {
        self.account()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn transient(&self) -> bool {
        self.view.borrow().transient
    }

    #[zbus(property)]
    fn title(&self) -> String {
        self.view.borrow().title.clone()
    }

    #[zbus(property)]
    fn provider(&self) -> String {
        self.view.borrow().provider.clone()
    }

    #[zbus(property)]
    fn provider_name(&self) -> String {
        self.view.borrow().provider_name.clone()
    }

    #[zbus(property)]
    fn address(&self) -> String {
        self.view.borrow().address.clone()
    }

    #[zbus(property)]
    fn answers(&self) -> HashMap<String, String> {
        map(&self.view.borrow().answers)
    }

    #[zbus(property)]
    fn settings(&self) -> HashMap<String, String> {
        map(&self.view.borrow().settings)
    }

    #[zbus(property)]
    fn enabled(&self) -> bool {
        self.view.borrow().enabled
    }

    #[zbus(property)]
    fn incoming(&self) -> String {
        self.view.borrow().incoming.clone()
    }

    #[zbus(property)]
    fn users(&self) -> Vec<String> {
        self.view.borrow().users.clone()
    }

    #[zbus(property)]
    fn order(&self) -> u32 {
        self.view.borrow().order
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.view.borrow().standing.state
    }

    #[zbus(property)]
    fn state_reason(&self) -> String {
        self.view.borrow().standing.cause.clone()
    }

    #[zbus(property)]
    fn certificate_fault(&self) -> &'static str {
        self.view.borrow().standing.certificate.as_str()
    }

    #[zbus(property)]
    fn next_step(&self) -> String {
        self.view.borrow().standing.next_step.clone()
    }

    #[zbus(property)]
    fn tries_again_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().standing.again_us)
    }

    #[zbus(property)]
    fn registered_until_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().standing.until_us)
    }

    #[zbus(property)]
    fn transport(&self) -> &'static str {
        self.view.borrow().standing.transport
    }

    #[zbus(property)]
    fn server(&self) -> String {
        self.view.borrow().standing.server.clone()
    }

    #[zbus(property)]
    fn shows_as(&self) -> String {
        self.view.borrow().shows_as.clone()
    }

    #[zbus(property)]
    fn messages_waiting(&self) -> u32 {
        self.view.borrow().messages_waiting
    }

    #[zbus(property)]
    fn messages_waiting_words(&self) -> String {
        self.view.borrow().messages_waiting_words.clone()
    }

    #[zbus(property)]
    fn password_kept(&self) -> &'static str {
        self.view.borrow().password_kept
    }
}
