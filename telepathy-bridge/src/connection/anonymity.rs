// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether those who are called see who calls. The service hides it in the way of each provider.

use zbus::zvariant::{OwnedValue, Value};

use super::Connection;
use crate::{
    definition::connection::ANONYMITY,
    error::{Error, Name},
    outbox::Outbox,
};

/// Anonymity_Mode_Flags: who calls is not shown. Addresses of the network are none of our business:
/// the far end needs them.
const CLIENT_INFO: u32 = 1;

impl Connection {
    /// A property of the interface.
    pub(super) fn anonymity_property(&self, name: &str) -> Option<Value<'static>> {
        Some(match name {
            "SupportedAnonymityModes" => CLIENT_INFO.into(),
            "AnonymityModes" => if self.hides { CLIENT_INFO } else { 0 }.into(),
            "AnonymityMandatory" => false.into(),
            _ => return None,
        })
    }

    /// A client changes a property.
    ///
    /// # Errors
    /// `NotImplemented` for what cannot be hidden, `NotAvailable` for a promise that nobody can
    /// make, `InvalidArgument` for another type.
    pub(crate) fn set_anonymity(
        &mut self,
        name: &str,
        value: &OwnedValue,
        outbox: &mut Outbox,
    ) -> Result<(), Error> {
        let wrong = |wanted: &str| Name::InvalidArgument.because(format!("{name} is {wanted}"));
        if name == "AnonymityMandatory" {
            return match value.downcast_ref::<bool>() {
                Ok(false) => Ok(()),
                Ok(true) => {
                    let words = "whether a provider really hides a number cannot be known";
                    Err(Name::NotAvailable.because(words))
                }
                Err(_) => Err(wrong("true or false")),
            };
        }
        let modes = value.downcast_ref::<u32>().map_err(|_| wrong("a number"))?;
        if modes & !CLIENT_INFO != 0 {
            let words = format!("of the modes {modes} only Client_Info ({CLIENT_INFO}) is there");
            return Err(Name::NotImplemented.because(words));
        }
        let hides = modes == CLIENT_INFO;
        if std::mem::replace(&mut self.hides, hides) != hides {
            outbox.signal(&self.id.path(), &ANONYMITY, "AnonymityModesChanged", (modes,));
        }
        Ok(())
    }
}
