// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Rules

use std::{fmt::Display, str::FromStr, sync::Arc};

use serde::{Deserialize, de::value::StrDeserializer};
use sipwitch_core::routing::rules::{Rule, RuleName};
use sipwitch_dbus_interfaces::{Error, wire::RuleInfo};
use zbus::{Connection, interface, message::Header};

use super::{
    caller::Caller,
    desk::Desk,
    options::{self, Dictionary},
};
use crate::switchboard::ask::{Ask, RulesAsk};

/// The rules of routing.
pub(super) struct Rules {
    pub(super) desk: Arc<Desk>,
}

#[interface(name = "org.gnutelephony.SipWitch1.Rules", introspection_docs = false)]
impl Rules {
    #[zbus(out_args("rules"))]
    async fn list(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<RuleInfo>, Error> {
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Rules(RulesAsk::List { reply });
        Ok(self.desk.ask(&caller, ask).await?.iter().map(info).collect())
    }

    async fn check(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        toml: String,
    ) -> Result<(), Error> {
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Rules(RulesAsk::Check { text: toml, reply });
        self.desk.ask(&caller, ask).await
    }

    async fn add(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        rule: Dictionary,
        options: Dictionary,
    ) -> Result<(), Error> {
        let rule = Box::new(read(options::rule(rule)?)?);
        let first = options::first("Add", options)?;
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Rules(RulesAsk::Add { rule, first, reply });
        self.desk.change(&caller, ask).await
    }

    async fn remove(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        name: String,
    ) -> Result<(), Error> {
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Rules(RulesAsk::Remove { name, reply });
        self.desk.change(&caller, ask).await
    }
}

/// A rule as it crosses the bus: what is empty is absent.
fn info(rule: &Rule) -> RuleInfo {
    fn list<T>(items: &[T], word: impl Fn(&T) -> String) -> Option<Vec<String>> {
        (!items.is_empty()).then(|| items.iter().map(word).collect())
    }
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    RuleInfo {
        name: rule.name.to_string(),
        numbers: list(&rule.numbers, ToString::to_string),
        domains: list(&rule.domains, ToString::to_string),
        classes: list(&rule.classes, |class| class.as_str().to_owned()),
        from: list(&rule.from, ToString::to_string),
        days: list(&rule.days, |day| day.as_str().to_owned()),
        hours: rule.hours.map(|hours| hours.to_string()),
        action: rule.action.map(|action| action.as_str().to_owned()),
        strip: text(&rule.strip),
        prefix: text(&rule.prefix),
        suffix: text(&rule.suffix),
        prefer: list(&rule.prefer, ToString::to_string),
        only: list(&rule.only, ToString::to_string),
        never: list(&rule.never, ToString::to_string),
    }
}

fn read(info: RuleInfo) -> Result<Rule, Error> {
    fn all<T: FromStr<Err: Display>>(
        key: &str,
        texts: Option<Vec<String>>,
    ) -> Result<Vec<T>, Error> {
        let texts = texts.unwrap_or_default();
        texts.iter().map(|text| text.parse().map_err(|error| wrong(key, error))).collect()
    }
    fn words<T: for<'de> Deserialize<'de>>(
        key: &str,
        texts: Option<Vec<String>>,
    ) -> Result<Vec<T>, Error> {
        texts.unwrap_or_default().iter().map(|text| word(key, text)).collect()
    }
    let name: RuleName = info.name.parse().map_err(|error| wrong("name", error))?;
    Ok(Rule {
        numbers: all("numbers", info.numbers)?,
        domains: all("domains", info.domains)?,
        classes: words("classes", info.classes)?,
        from: all("from", info.from)?,
        days: words("days", info.days)?,
        hours: info
            .hours
            .map(|hours| hours.parse().map_err(|error| wrong("hours", error)))
            .transpose()?,
        action: info.action.map(|action| word("action", &action)).transpose()?,
        strip: info.strip.unwrap_or_default().into(),
        prefix: info.prefix.unwrap_or_default().into(),
        suffix: info.suffix.unwrap_or_default().into(),
        prefer: all("prefer", info.prefer)?,
        only: all("only", info.only)?,
        never: all("never", info.never)?,
        ..Rule::new(name)
    })
}

/// A word as the file of rules has it.
fn word<T: for<'de> Deserialize<'de>>(key: &str, text: &str) -> Result<T, Error> {
    let word: StrDeserializer<'_, serde::de::value::Error> =
        serde::de::IntoDeserializer::into_deserializer(text);
    T::deserialize(word).map_err(|error| wrong(key, error))
}

fn wrong(key: &str, error: impl Display) -> Error {
    Error::BadValue(format!("{key} of a rule: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_comes_back_from_the_bus_as_it_was() {
        let text = "[[rule]]\nname = \"all of it\"\nnumbers = [\"0.\"]\ndomains = [\"*.example.org\"]\n\
            classes = [\"mobile\"]\nfrom = [\"101\"]\ndays = [\"monday\"]\nhours = \"22:00-06:00\"\n\
            action = \"allow\"\nstrip = \"0\"\nprefix = \"1\"\nsuffix = \"#\"\nprefer = [\"a\"]\n\
            only = [\"a\"]\nnever = [\"b\"]\n";
        let rules = crate::rules::parse(text).expect("sensible");
        let rule = &rules.file().expect("not empty").rule[0];
        assert_eq!(read(info(rule)).as_ref(), Ok(rule));
        let odd = RuleInfo { days: Some(vec!["Monday".into()]), ..info(rule) };
        let error = read(odd).expect_err("no such day").to_string();
        assert!(error.contains("days of a rule: unknown variant `Monday`"), "{error}");
    }
}
