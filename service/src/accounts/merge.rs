// SPDX-License-Identifier: GPL-3.0-or-later
//! From a file and its provider to a [`Plan`].

use std::time::Duration;

use sipwitch_core::{
    line::{Cost, Emergency, Numbering, Users},
    number::Region,
};
use sipwitch_sip::{
    flow::Transport,
    resolver::{Families, Host, Services},
};

use super::{
    file::{AccountFile, Kind},
    plan::{Outside, Plan, Reach, Register, Server, Tls},
    word::AccountId,
};
use crate::providers::{
    AnswerError, AskKey, HostTemplate, Port, Provider, ProviderId, UserTemplate, Words,
    word::{self, IpFamily, Method, Offered, Scheme, Srv},
};

/// How long a registration is to last where nobody says.
const EXPIRES: Duration = Duration::from_secs(600);

/// Why there is no plan for a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// An answer is missing, or does not do; the question is named.
    #[error("{0}")]
    Answer(#[from] AnswerError),
    /// Its provider is not known here.
    #[error("there is no provider {0}: see `sipwitch providers list`, or name a domain")]
    NoProvider(ProviderId),
    /// The password stands among the answers.
    #[error(
        "{0}: it is secret and has no place in a file: take it out, change it at the provider if \
         others could read it, and use `sipwitch accounts password`"
    )]
    Secret(AskKey),
    /// What came out cannot be used.
    #[error("{0}")]
    Value(String),
}

impl Plan {
    /// Merges an account with its provider. `provider` is asked for the file that the account
    /// names.
    ///
    /// # Errors
    ///
    /// If the provider is unknown or an answer does not do.
    pub fn of<'a>(
        id: &AccountId,
        file: &AccountFile,
        provider: impl FnOnce(&ProviderId) -> Option<&'a Provider>,
    ) -> Result<Self, NoPlan> {
        if let Some(gateway) = &file.gateway {
            let reach = Reach::Gateway(gateway.extension.clone());
            let title = gateway.extension.to_string();
            return Ok(Self::around(id, file, None, &title, reach));
        }
        match (&file.provider, &file.domain) {
            (Some(name), _) => {
                let known = provider(name).ok_or_else(|| NoPlan::NoProvider(name.clone()))?;
                Self::at(id, file, known)
            }
            (None, Some(domain)) => Self::at(id, file, &bare(domain, file.kind())?),
            (None, None) => Err(NoPlan::Value("name a provider, or a domain".into())),
        }
    }

    fn at(id: &AccountId, file: &AccountFile, provider: &Provider) -> Result<Self, NoPlan> {
        if let Some(secret) = provider.secret()
            && file.answers.contains_key(&secret.key)
        {
            return Err(NoPlan::Secret(secret.key.clone()));
        }
        let answers = file.answers.iter().map(|(key, answer)| (key.as_str(), answer.as_str()));
        provider.check_answers(answers)?;
        let merge = Merge { file, provider };
        let outside = Box::new(merge.outside()?);
        let reach = if merge.is_trunk() {
            Reach::Trunk { outside, sources: file.trunk.sources.clone() }
        } else {
            Reach::Account(outside)
        };
        let title = provider.name.as_str();
        Ok(Self::around(id, file, Some(provider), title, reach))
    }

    fn around(
        id: &AccountId,
        file: &AccountFile,
        provider: Option<&Provider>,
        name: &str,
        reach: Reach,
    ) -> Self {
        let numbers = &file.numbers;
        let known = provider.map(|provider| &provider.numbers);
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        let costs = &file.costs;
        let prices = || costs.per_minute.values().copied();
        let mut domains: Vec<Box<str>> = Vec::new();
        if let Reach::Account(outside) | Reach::Trunk { outside, .. } = &reach {
            domains.push(outside.domain.to_string().into());
        }
        domains.extend(numbers.domains.iter().map(|domain| domain.as_str().into()));
        let prefix = |own: &Option<crate::providers::Digits>, known: Option<_>| {
            own.as_ref().or(known).map(|digits: &crate::providers::Digits| digits.as_str().into())
        };
        Self {
            id: id.as_str().into(),
            title: file.title.as_ref().map_or(name, Words::as_str).into(),
            provider: file.provider.clone(),
            provider_name: name.into(),
            enabled: file.enabled,
            incoming: file.incoming.number().cloned(),
            users: match &file.users[..] {
                [] => Users::Everybody,
                some => Users::Only(some.to_vec()),
            },
            order: file.order.value(),
            domains,
            numbering: Numbering {
                format: numbers
                    .dial
                    .or_else(|| known?.dial)
                    .unwrap_or_else(|| usual_format(&reach)),
                region: numbers.region.or_else(|| home(provider?)),
                national_prefix: prefix(
                    &numbers.national_prefix,
                    known.and_then(|known| known.national_prefix.as_ref()),
                ),
                international_prefix: prefix(
                    &numbers.international_prefix,
                    known.and_then(|known| known.international_prefix.as_ref()),
                ),
            },
            emergency: Emergency {
                ability: numbers.emergency.or_else(|| Some(known?.emergency)).unwrap_or_default(),
                numbers: known.map_or_else(Vec::new, |known| {
                    known.emergency_numbers.iter().map(|number| number.as_str().into()).collect()
                }),
            },
            rates: costs.per_minute.iter().map(|(begins, cost)| (begins.as_str(), *cost)).collect(),
            costs: prices().min().zip(prices().max()) as Option<(Cost, Cost)>,
            included: costs.included_minutes.map(|count| minutes(count.value())),
            cap: costs.cap_minutes.map(|count| minutes(count.value())),
            leads_to: numbers.only.clone(),
            calls: costs.calls.and_then(|count| u16::try_from(count.value()).ok()),
            messages: provider.map_or(Offered::Unknown, |known| known.messaging.sip_message),
            reach,
        }
    }
}

/// A gateway or a private exchange is spoken to as one dials; the world by whole numbers.
fn usual_format(reach: &Reach) -> sipwitch_core::line::DialFormat {
    match reach {
        Reach::Gateway(_) => sipwitch_core::line::DialFormat::AsIs,
        Reach::Account(_) | Reach::Trunk { .. } => sipwitch_core::line::DialFormat::default(),
    }
}

/// The country whose numbers are national at a provider: the only one it serves, or that of the
/// country code of its numbers.
fn home(provider: &Provider) -> Option<Region> {
    match provider.country[..] {
        [country] if country != Region::WORLD => Some(country),
        _ => Region::of_country_code(provider.numbers.country_code.as_ref()?.as_str()),
    }
}

/// What is known of a domain of which nothing is known.
///
/// # Errors
///
/// Never: the domain was checked when it was read.
pub(super) fn bare(domain: &HostTemplate, kind: Option<Kind>) -> Result<Provider, NoPlan> {
    let auth = match kind {
        Some(Kind::Trunk) => "method = \"address\"",
        Some(Kind::Account | Kind::Gateway) | None => "user = \"{user}\"",
    };
    let ask = match kind {
        Some(Kind::Trunk) => "fields = []",
        Some(Kind::Account | Kind::Gateway) | None => {
            "fields = [{ key = \"user\", label = \"User name\", help = \"What stands before the @ \
             of your address\" }, { key = \"password\", label = \"Password\", secret = true }]"
        }
    };
    let text = format!(
        "schema = 1\nid = \"domain\"\nname = \"{domain}\"\nkind = \"enterprise\"\ndomain = \
         \"{domain}\"\nevidence = [\"memory\"]\n[auth]\n{auth}\n[ask]\n{ask}\n"
    );
    let parsed = Provider::parse(&text).map_err(|error| NoPlan::Value(error.words))?;
    Ok(parsed.provider)
}

struct Merge<'a> {
    file: &'a AccountFile,
    provider: &'a Provider,
}

impl Merge<'_> {
    fn is_trunk(&self) -> bool {
        match self.file.kind() {
            Some(kind) => kind == Kind::Trunk,
            None => self.provider.auth.method == Method::Address,
        }
    }

    fn answer(&self, key: &str) -> Option<&str> {
        let given = self.file.answers.iter().find(|(asked, _)| asked.as_str() == key);
        self.provider.answer_or_default(key, given.map(|(_, answer)| answer.as_str()))
    }

    fn host(&self, template: &HostTemplate) -> Result<Host, NoPlan> {
        let text = template.fill(|key| self.answer(key))?;
        text.parse().map_err(|error| NoPlan::Value(format!("{text}: {error}")))
    }

    fn maybe_host(&self, template: Option<&HostTemplate>) -> Result<Option<Host>, NoPlan> {
        template.map(|template| self.host(template)).transpose()
    }

    fn user(&self, template: Option<&UserTemplate>) -> Result<Option<Box<str>>, NoPlan> {
        let filled = template.map(|template| template.fill(|key| self.answer(key))).transpose()?;
        Ok(filled.map(Into::into))
    }

    fn outside(&self) -> Result<Outside, NoPlan> {
        let Self { file, provider } = *self;
        let user = self.user(provider.auth.user.as_ref())?;
        let from = file.identity.from_user.as_ref().or(provider.identity.from_user.as_ref());
        let from_user = self.user(from)?.filter(|from| Some(from) != user.as_ref());
        let own = file.nat.keepalive.as_ref();
        let keepalive = own.map(|keep| (keep.method, keep.interval_seconds.duration()));
        let usual = provider.nat.keepalive.as_ref();
        let usual = usual.map(|keep| (keep.method, keep.interval_seconds.duration()));
        let needs_secret = !self.is_trunk();
        let auth_user = self.user(file.auth.auth_user.as_ref().or_else(|| provider.auth_user()))?;
        Ok(Outside {
            domain: self.host(&provider.domain)?,
            from_user,
            auth_user: auth_user.filter(|_| needs_secret),
            user,
            realm: file.auth.realm.as_ref().or(provider.auth.realm.as_ref()).map(text),
            algorithms: match &file.auth.algorithms[..] {
                [] => provider.auth.algorithms.clone(),
                own => own.to_vec(),
            },
            needs_secret,
            display: file.identity.display_name.as_ref().map_or("", Words::as_str).into(),
            number: file.identity.number.as_ref().map(|number| number.as_str().into()),
            numbers: file.numbers.own.iter().map(|number| number.as_str().into()).collect(),
            server: self.server()?,
            register: self.register(),
            keepalive: keepalive.or(usual),
            contact: file.nat.contact.or(provider.nat.contact).unwrap_or_default(),
            caller_id: file.identity.caller_id.unwrap_or(provider.identity.caller_id),
            privacy: provider.identity.privacy.clone(),
            hides_number: file.identity.hide_number,
            on_failure: provider.auth.on_failure.clone(),
            stun: provider.server.stun.as_ref().map(|stun| stun.as_str().into()),
        })
    }

    fn server(&self) -> Result<Server, NoPlan> {
        let (own, known) = (&self.file.server, &self.provider.server);
        let tls = known.tls.as_ref();
        let port = |port: Option<Port>| port.and_then(|port| u16::try_from(port.value()).ok());
        let transports =
            if own.transports.is_empty() { &known.transports } else { &own.transports };
        let registrar = own.registrar.as_ref().unwrap_or_else(|| self.provider.registrar());
        let proxy = own.outbound_proxy.as_ref().or(known.outbound_proxy.as_ref());
        let tls_host = own.tls_host.as_ref().or_else(|| tls?.host.as_ref());
        let scheme = own.tls_scheme.or_else(|| Some(tls?.scheme)).unwrap_or_default();
        Ok(Server {
            registrar: self.host(registrar)?,
            proxy: self.maybe_host(proxy)?,
            port: port(own.port.or(known.port)),
            transports: match &transports[..] {
                [] => vec![Transport::Tls, Transport::Tcp, Transport::Udp],
                some => some.iter().copied().map(transport).collect(),
            },
            transports_are_own: !own.transports.is_empty(),
            services: match own.srv.unwrap_or(known.srv) {
                Srv::Yes => Services::Usual,
                Srv::No => Services::Off,
                Srv::Required => Services::Required,
            },
            tls: Tls {
                host: self.maybe_host(tls_host)?,
                port: port(own.tls_port.or_else(|| tls?.port)),
                sips: scheme == Scheme::Sips,
            },
            families: families(if own.ip.is_empty() { &known.ip } else { &own.ip }),
        })
    }

    fn register(&self) -> Option<Register> {
        let (own, known) = (&self.file.register, &self.provider.register);
        let wanted = own.required.unwrap_or(known.required) && !self.is_trunk();
        let expires = own.expires_seconds.or(known.expires_seconds);
        let min_expires = known.min_expires_seconds.map(|seconds| seconds.duration());
        wanted.then(|| Register {
            expires: expires
                .map_or(EXPIRES, |seconds| seconds.duration())
                .max(min_expires.unwrap_or_default()),
            min_expires,
            min_interval: known.min_interval_seconds.map(|seconds| seconds.duration()),
        })
    }
}

fn text(realm: &crate::providers::Realm) -> Box<str> {
    realm.as_str().into()
}

const fn transport(word: word::Transport) -> Transport {
    match word {
        word::Transport::Tls => Transport::Tls,
        word::Transport::Tcp => Transport::Tcp,
        word::Transport::Udp => Transport::Udp,
    }
}

const fn families(words: &[IpFamily]) -> Families {
    match words {
        [] | [IpFamily::V6, IpFamily::V4, ..] => Families::Ipv6First,
        [IpFamily::V4, IpFamily::V6, ..] => Families::Ipv4First,
        [IpFamily::V4, ..] => Families::Ipv4Only,
        [IpFamily::V6, ..] => Families::Ipv6Only,
    }
}
