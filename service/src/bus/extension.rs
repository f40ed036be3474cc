// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Extension

use std::sync::Arc;

use sipwitch_dbus_interfaces::{Error, ObjectName};
use tokio::sync::watch;
use zbus::{Connection, interface, message::Header, zvariant::OwnedObjectPath};

use super::{
    caller::Caller,
    changes::Property,
    desk::Desk,
    options::{self, Dictionary},
};
use crate::{
    secret::Secret,
    switchboard::{
        ask::{Ask, ExtensionChange},
        notice::ExtensionView,
    },
};

/// One extension.
pub(super) struct Extension {
    pub(super) desk: Arc<Desk>,
    pub(super) view: watch::Receiver<ExtensionView>,
}

/// All but the number can change.
pub(super) const CHANGING: &[Property<ExtensionView>] = &[
    ("Name", |extension| extension.name.clone().into()),
    ("Kind", |extension| extension.kind.into()),
    ("Members", |extension| extension.members.clone().into()),
    ("HasPassword", |extension| extension.has_password.into()),
    ("Authentication", |extension| extension.authentication.into()),
    ("LoginState", |extension| extension.login.state.into()),
    ("LoginWords", |extension| extension.login.words.clone().into()),
    ("RingSeconds", |extension| extension.ring_seconds.into()),
    ("Phones", |extension| phones(extension).into()),
];

fn phones(extension: &ExtensionView) -> Vec<OwnedObjectPath> {
    extension.phones.iter().map(|&phone| ObjectName::Phone(phone).path()).collect()
}

impl Extension {
    fn id(&self) -> String {
        self.view.borrow().number.clone()
    }

    async fn change(&self, caller: &Caller<'_>, change: ExtensionChange) -> Result<(), Error> {
        let number = self.id();
        self.desk.change(caller, |reply| Ask::ChangeExtension { number, change, reply }).await
    }
}

#[interface(name = "org.gnutelephony.SipWitch1.Extension", introspection_docs = false)]
impl Extension {
    async fn update(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        properties: Dictionary,
    ) -> Result<(), Error> {
        let change = options::extension("Update", properties)?;
        self.change(&Caller::new(connection, &header), change).await
    }

    async fn set_password(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        password: String,
    ) -> Result<(), Error> {
        let password = Some(Secret::new(password));
        let change = ExtensionChange { password, ..ExtensionChange::default() };
        self.change(&Caller::new(connection, &header), change).await
    }

    #[zbus(out_args("password"))]
    async fn generate_password(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Error> {
        let number = self.id();
        let caller = Caller::new(connection, &header);
        let password =
            self.desk.change(&caller, |reply| Ask::GeneratePassword { number, reply }).await?;
        Ok(password.expose().clone())
    }

    async fn remove(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let number = self.id();
        let caller = Caller::new(connection, &header);
        self.desk.change(&caller, |reply| Ask::RemoveExtension { number, reply }).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn number(&self) -> String {
        self.id()
    }

    #[zbus(property)]
    fn name(&self) -> String {
        self.view.borrow().name.clone()
    }

    #[zbus(property)]
    fn kind(&self) -> &'static str {
        self.view.borrow().kind
    }

    #[zbus(property)]
    fn members(&self) -> Vec<String> {
        self.view.borrow().members.clone()
    }

    #[zbus(property)]
    fn has_password(&self) -> bool {
        self.view.borrow().has_password
    }

    #[zbus(property)]
    fn authentication(&self) -> &'static str {
        self.view.borrow().authentication
    }

    #[zbus(property)]
    fn login_state(&self) -> &'static str {
        self.view.borrow().login.state
    }

    #[zbus(property)]
    fn login_words(&self) -> String {
        self.view.borrow().login.words.clone()
    }

    #[zbus(property)]
    fn ring_seconds(&self) -> u32 {
        self.view.borrow().ring_seconds
    }

    #[zbus(property)]
    fn phones(&self) -> Vec<OwnedObjectPath> {
        phones(&self.view.borrow())
    }
}
