// SPDX-License-Identifier: GPL-3.0-or-later
//! The properties of one object, as they came over the bus.

use std::collections::{BTreeMap, HashMap};

use zbus::zvariant::OwnedValue;

use crate::output::clean;

/// The properties of one object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties(pub HashMap<String, OwnedValue>);

impl Properties {
    /// One of them; none where the service has none of this name, or means something else by it.
    pub(crate) fn take<T: TryFrom<OwnedValue>>(&self, name: &str) -> Option<T> {
        T::try_from(self.0.get(name)?.try_clone().ok()?).ok()
    }

    /// A text, which may come from a stranger's phone.
    pub(crate) fn text(&self, name: &str) -> String {
        clean(&self.take::<String>(name).unwrap_or_default())
    }

    pub(crate) fn pairs(&self, name: &str) -> BTreeMap<String, String> {
        let pairs = self.take::<HashMap<String, String>>(name).unwrap_or_default();
        pairs.into_iter().map(|(key, value)| (clean(&key), clean(&value))).collect()
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.take(name).unwrap_or_default()
    }
}
