// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service says of itself. One that was started before it was upgraded knows less than
//! this program: the rest is read all the same.

use std::collections::BTreeMap;

use zbus::zvariant::OwnedValue;

use crate::{failure::RESTART, properties::Properties};

/// How the service stands. What it does not tell is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its version.
    pub(crate) version: Option<String>,
    /// Where it hears SIP.
    pub(crate) addresses: Option<Vec<String>>,
    /// The domain of its extensions.
    pub(crate) domain: Option<String>,
    /// The realm of passwords.
    pub(crate) realm: Option<String>,
    /// The configuration file in use; empty if there is none.
    pub(crate) configuration_file: Option<String>,
    /// When it started.
    pub(crate) started_at_microseconds: Option<u64>,
    /// The network, in words.
    pub(crate) network: Option<String>,
    /// Whether an emergency call could leave the house.
    pub(crate) emergency: Option<String>,
    /// The same for people.
    pub(crate) emergency_words: Option<String>,
    /// What is dialled for help, by service.
    pub(crate) emergency_numbers: Option<BTreeMap<String, Vec<String>>>,
    /// What the user should know.
    pub(crate) warnings: Option<Vec<String>>,
    /// The names of the properties that it does not have.
    pub(crate) lacks: Vec<&'static str>,
}

impl Standing {
    /// What is among the properties of the service.
    pub(crate) fn of(properties: &Properties) -> Self {
        let mut seen = Seen { properties, lacks: Vec::new() };
        let numbers: Option<Vec<(String, Vec<String>)>> = seen.take("EmergencyNumbers");
        Self {
            version: seen.take("Version"),
            addresses: seen.take("Addresses"),
            domain: seen.take("Domain"),
            realm: seen.take("Realm"),
            configuration_file: seen.take("ConfigurationFile"),
            started_at_microseconds: seen.take("StartedAtMicroseconds"),
            network: seen.take("Network"),
            emergency: seen.take("Emergency"),
            emergency_words: seen.take("EmergencyWords"),
            emergency_numbers: numbers.map(|numbers| numbers.into_iter().collect()),
            warnings: seen.take("Warnings"),
            lacks: seen.lacks,
        }
    }

    /// What to say of a service that is older than this program: what is missing, and what to do.
    pub(crate) fn is_older(&self) -> Option<(String, &'static str)> {
        if self.lacks.is_empty() {
            return None;
        }
        let found = format!(
            "the running service is older than this program and does not tell {}",
            self.lacks.join(", ")
        );
        Some((found, RESTART))
    }
}

struct Seen<'a> {
    properties: &'a Properties,
    lacks: Vec<&'static str>,
}

impl Seen<'_> {
    fn take<T: TryFrom<OwnedValue>>(&mut self, name: &'static str) -> Option<T> {
        let found = self.properties.take(name);
        if found.is_none() {
            self.lacks.push(name);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zbus::zvariant::Value;

    use super::*;

    fn properties(values: Vec<(&str, Value<'_>)>) -> Properties {
        let owned = values.into_iter().map(|(name, value)| {
            (name.to_owned(), OwnedValue::try_from(value).expect("no file descriptors in here"))
        });
        Properties(owned.collect::<HashMap<_, _>>())
    }

    #[test]
    fn what_an_older_service_does_not_tell_is_named_and_the_rest_is_read() {
        let numbers = vec![("sos", vec!["112", "911"])];
        let standing = Standing::of(&properties(vec![
            ("Version", "0.1.0".into()),
            ("Addresses", vec!["udp:127.0.0.1:5060"].into()),
            ("EmergencyNumbers", numbers.into()),
            ("StartedAtMicroseconds", 5_u64.into()),
            // What it means by this is not what we mean.
            ("Network", 7_u32.into()),
        ]));
        assert_eq!(standing.version.as_deref(), Some("0.1.0"));
        assert_eq!(standing.started_at_microseconds, Some(5));
        let numbers = standing.emergency_numbers.clone().expect("it tells them");
        assert_eq!(numbers["sos"], ["112", "911"]);
        assert_eq!(standing.network, None);
        assert!(standing.lacks.contains(&"Network") && standing.lacks.contains(&"Warnings"));
        let (found, next) = standing.is_older().expect("it lacks something");
        assert!(found.contains("older") && found.contains("EmergencyWords"), "{found}");
        assert!(!found.contains("Version,") && next.contains("systemctl --user restart"), "{next}");
    }
}
