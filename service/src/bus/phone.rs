// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Phone

use std::sync::Arc;

use sipwitch_dbus_interfaces::{Error, ObjectName};
use tokio::sync::watch;
use zbus::{
    Connection, interface,
    message::Header,
    zvariant::{ObjectPath, OwnedObjectPath},
};

use super::{
    caller::Caller,
    changes::{Property, microseconds},
    desk::Desk,
};
use crate::switchboard::{ask::Ask, notice::PhoneView};

/// One registered device.
pub(super) struct Phone {
    pub(super) desk: Arc<Desk>,
    pub(super) view: watch::Receiver<PhoneView>,
}

/// What a refresh can change.
pub(super) const CHANGING: &[Property<PhoneView>] = &[
    ("Contact", |phone| phone.contact.clone().into()),
    ("Transport", |phone| phone.transport.into()),
    ("Address", |phone| phone.address.clone().into()),
    ("UserAgent", |phone| phone.user_agent.clone().into()),
    ("InstanceId", |phone| phone.instance.clone().into()),
    ("RegisteredAtMicroseconds", |phone| microseconds(phone.registered_us).into()),
    ("ExpiresAtMicroseconds", |phone| microseconds(phone.expires_us).into()),
];

#[interface(name = "org.gnutelephony.SipWitch1.Phone", introspection_docs = false)]
impl Phone {
    async fn remove(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let phone = self.view.borrow().id;
        let caller = Caller::new(connection, &header);
        self.desk.change(&caller, |reply| Ask::RemovePhone { phone, reply }).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn extension(&self) -> OwnedObjectPath {
        match self.view.borrow().extension.as_str() {
            // The phone of a program's own account.
            "" => ObjectPath::from_static_str_unchecked("/").into(),
            extension => ObjectName::Extension(extension.to_owned()).path(),
        }
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn extension_number(&self) -> String {
        self.view.borrow().extension.clone()
    }

    #[zbus(property)]
    fn contact(&self) -> String {
        self.view.borrow().contact.clone()
    }

    #[zbus(property)]
    fn transport(&self) -> &'static str {
        self.view.borrow().transport
    }

    #[zbus(property)]
    fn address(&self) -> String {
        self.view.borrow().address.clone()
    }

    #[zbus(property)]
    fn user_agent(&self) -> String {
        self.view.borrow().user_agent.clone()
    }

    #[zbus(property)]
    fn instance_id(&self) -> String {
        self.view.borrow().instance.clone()
    }

    #[zbus(property)]
    fn registered_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().registered_us)
    }

    #[zbus(property)]
    fn expires_at_microseconds(&self) -> u64 {
        microseconds(self.view.borrow().expires_us)
    }
}
