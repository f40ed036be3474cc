// SPDX-License-Identifier: GPL-3.0-or-later
//! What a line must know of its account, once and for all: addresses as they stand in messages,
//! and what routing may know.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sipwitch_core::{
    cause::Cause,
    line::{Line, LineId, LineKind, Meter},
    routing::Wants,
};
use sipwitch_sip::{
    client_registration::{KeepAlive, Ping},
    endpoint::{Hiding, Identity, IdentityField},
    flow::Transport,
    resolver::{Host, Wanted},
    wire::{Uri, UriError},
};

use crate::{
    accounts::{self, Plan, Source},
    providers::word::{
        CallerId, ContactAddress, FailureMeaning, FailureSign, KeepaliveMethod, Offered, Privacy,
    },
};

/// A number this short is an emergency number or a short code, which no prefix hides.
const SHORT: usize = 6;

/// What a line must know of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which account; the name of its file.
    pub account: Arc<str>,
    /// Its place among the others; the name decides between equals.
    pub order: u32,
    /// What routing knows of it. Its state and its id are the line's own business.
    pub line: Line,
    /// Whether the user wants it.
    pub is_on: bool,
    /// How it is reached.
    pub reach: Reach,
    /// The extension or group that it rings; none rings whoever has a phone.
    pub rings: Option<Box<str>>,
}

/// How a line is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// By registering.
    Account(Box<Outside>),
    /// By its address: nobody registers.
    Trunk {
        /// The other side.
        outside: Box<Outside>,
        /// Where its calls come from; empty for where its servers are.
        sources: Vec<Source>,
    },
    /// It is a phone registered here.
    Gateway(Box<str>),
}

/// Another exchange, as a line speaks to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// Where its servers are to be found.
    pub wanted: Wanted,
    /// The same by one transport each, the one that nobody in between can rewrite first: TLS, then
    /// TCP, as far as the provider has them.
    pub sheltered: Vec<Wanted>,
    /// Whether it is tried without TLS even where it was reached by TLS before: its own settings
    /// say so.
    pub goes_unsecured: bool,
    /// The Request-URI of a REGISTER.
    pub registrar: Uri,
    /// The address of record.
    pub address: Uri,
    /// The address in From, if it is another one.
    pub from: Option<Uri>,
    /// The name shown with it; empty for none.
    pub display: String,
    /// Another word for who calls, where the provider wants it so.
    pub identity: Option<Identity>,
    /// Whether the number is told.
    pub hiding: Hiding,
    /// What is dialled before a number so that the own one is not told; empty for nothing.
    pub hiding_code: String,
    /// The same where the number is to be hidden for once.
    pub hiding_for_once: Hiding,
    /// The digits that hide it for once.
    pub code_for_once: String,
    /// Whether the caller's number is read from P-Asserted-Identity first.
    pub trusts_asserted: bool,
    /// The user name in challenges.
    pub user: String,
    /// The only realm that may see an answer.
    pub realm: Option<String>,
    /// Whether there is a password at all.
    pub has_password: bool,
    /// Route values: the provider's outbound proxy.
    pub route: Vec<Bytes>,
    /// How long a registration is to hold.
    pub expires: Duration,
    /// How flows are kept open.
    pub keep_alive: KeepAlive,
    /// Whether our Contact is the address under which the provider sees us.
    pub maps_contact: bool,
    /// Whether this provider says 403 when the password is wrong.
    pub forbidden_is_password: bool,
    /// User parts by which the provider calls us, beside that of the address.
    pub numbers: Vec<Box<str>>,
}

impl Facts {
    /// What an account's plan says.
    ///
    /// # Errors
    /// Something in it cannot stand in an address.
    pub fn of(plan: &Plan) -> Result<Self, UriError> {
        let (kind, reach) = match &plan.reach {
            accounts::Reach::Account(outside) => {
                let reach = Box::new(Outside::of(outside)?);
                let reach = match outside.register {
                    Some(_) => Reach::Account(reach),
                    None => Reach::Trunk { outside: reach, sources: Vec::new() },
                };
                (LineKind::Account, reach)
            }
            accounts::Reach::Trunk { outside, sources } => {
                let outside = Box::new(Outside::of(outside)?);
                (LineKind::Trunk, Reach::Trunk { outside, sources: sources.clone() })
            }
            accounts::Reach::Gateway(extension) => {
                let kind = LineKind::Gateway { extension: extension.clone() };
                (kind, Reach::Gateway(extension.as_str().into()))
            }
        };
        let line = Line {
            display: plan.title.clone(),
            messages: plan.messages != Offered::No,
            domains: plan.domains.clone(),
            numbering: plan.numbering.clone(),
            emergency: plan.emergency.clone(),
            rates: plan.rates.clone(),
            meter: Meter { included: plan.included, cap: plan.cap, ..Meter::default() },
            users: plan.users.clone(),
            leads_to: plan.leads_to.clone(),
            free: plan.calls,
            // The owner gives the id.
            ..Line::new(LineId(0), &*plan.id, kind)
        };
        Ok(Self {
            account: Arc::clone(&plan.id),
            order: plan.order,
            line,
            is_on: plan.enabled,
            reach,
            rings: plan.incoming.as_ref().map(|number| number.as_str().into()),
        })
    }

    /// The exchange it leads to, unless it is a phone of ours.
    #[must_use]
    pub fn outside(&self) -> Option<&Outside> {
        match &self.reach {
            Reach::Account(outside) | Reach::Trunk { outside, .. } => Some(outside),
            Reach::Gateway(_) => None,
        }
    }
}

impl Reach {
    /// The extension of the phone that it is, if it is one.
    #[must_use]
    pub fn gateway(&self) -> Option<&str> {
        match self {
            Self::Gateway(extension) => Some(extension),
            Self::Account(_) | Self::Trunk { .. } => None,
        }
    }
}

impl Facts {
    /// The user of its address, as a person reads it.
    pub(crate) fn called_as(&self) -> Option<String> {
        self.outside()?.address.user()
    }
}

impl Outside {
    /// An exchange about which nothing else is known yet.
    #[must_use]
    pub fn new(wanted: Wanted, registrar: Uri, address: Uri) -> Self {
        Self {
            wanted,
            sheltered: Vec::new(),
            goes_unsecured: false,
            registrar,
            user: address.user().unwrap_or_default(),
            address,
            from: None,
            display: String::new(),
            identity: None,
            hiding: Hiding::Shown,
            hiding_code: String::new(),
            hiding_for_once: Hiding::ByPrivacy,
            code_for_once: String::new(),
            trusts_asserted: false,
            realm: None,
            has_password: true,
            route: Vec::new(),
            expires: Duration::from_secs(3600),
            keep_alive: KeepAlive::default(),
            maps_contact: false,
            forbidden_is_password: false,
            numbers: Vec::new(),
        }
    }

    fn of(plan: &accounts::Outside) -> Result<Self, UriError> {
        let server = &plan.server;
        let prefers_tls = server.transports.first() == Some(&Transport::Tls);
        let is_sips = prefers_tls && server.tls.sips;
        let uri = |user: Option<&str>, host: &Host| {
            let uri = Uri::sip(user.unwrap_or_default(), &host.to_string(), None)?;
            if is_sips { Uri::parse(uri.to_string().replacen("sip:", "sips:", 1)) } else { Ok(uri) }
        };
        let address = uri(plan.user.as_deref(), &plan.domain)?;
        let from = match (&plan.from_user, &plan.number, plan.caller_id) {
            (_, Some(number), CallerId::From) => Some(uri(Some(number), &plan.domain)?),
            (Some(user), _, _) => Some(uri(Some(user), &plan.domain)?),
            (None, _, _) => None,
        };
        let field = match plan.caller_id {
            CallerId::From | CallerId::ProviderPortal => None,
            CallerId::PPreferredIdentity => Some(IdentityField::Preferred),
            CallerId::PAssertedIdentity => Some(IdentityField::Asserted),
            CallerId::RemotePartyId => Some(IdentityField::RemoteParty),
        };
        let shown = plan.number.as_deref().or(plan.user.as_deref());
        let identity = match field {
            Some(field) => Some(Identity {
                field,
                display: plan.display.to_string(),
                address: uri(shown, &plan.domain)?,
            }),
            None => None,
        };
        let (hiding_for_once, code_for_once) = match &plan.privacy {
            Some(Privacy::StarCode(code)) => (Hiding::Shown, code.as_str().to_owned()),
            Some(Privacy::Rfc3323) | None if identity.is_some() => {
                (Hiding::Anonymous, String::new())
            }
            Some(Privacy::Rfc3323) | None => (Hiding::ByPrivacy, String::new()),
        };
        let (hiding, hiding_code) = if plan.hides_number {
            (hiding_for_once, code_for_once.clone())
        } else {
            (Hiding::Shown, String::new())
        };
        let sign = FailureSign::Status { status: 403, after: None };
        let outside = Self {
            from,
            display: plan.display.to_string(),
            trusts_asserted: plan.caller_id != CallerId::From,
            identity,
            hiding,
            hiding_code,
            hiding_for_once,
            code_for_once,
            user: plan.auth_user.as_deref().or(plan.user.as_deref()).unwrap_or_default().into(),
            realm: plan.realm.as_deref().map(str::to_owned),
            has_password: plan.needs_secret,
            route: route(server),
            sheltered: sheltered(server),
            goes_unsecured: server.transports_are_own,
            expires: plan.register.map_or(USUAL_EXPIRES, |register| {
                register.expires.max(register.min_expires.unwrap_or_default())
            }),
            keep_alive: keep_alive(plan.keepalive),
            maps_contact: plan.contact == ContactAddress::Mapped,
            forbidden_is_password: plan.on_failure.get(&sign) == Some(&FailureMeaning::BadPassword),
            numbers: plan.number.iter().chain(&plan.numbers).cloned().collect(),
            ..Self::new(wanted(server), uri(None, &server.registrar)?, address)
        };
        Ok(outside)
    }

    /// How the number is hidden, and by which digits, where a call asks for it or not.
    pub(super) fn hiding(&self, for_once: bool) -> (Hiding, &str) {
        if for_once {
            (self.hiding_for_once, &self.code_for_once)
        } else {
            (self.hiding, &self.hiding_code)
        }
    }

    /// The Request-URI of a call or text to what is dialled: a number or name at the provider, or a
    /// whole address.
    ///
    /// # Errors
    /// It cannot stand in a URI.
    pub(super) fn request_uri(
        &self,
        dialled: &str,
        wants: Wants,
        code: &str,
    ) -> Result<Uri, Cause> {
        let uri = if dialled.starts_with("sip:") || dialled.starts_with("sips:") {
            Uri::parse(dialled.to_owned())
        } else if dialled.contains('@') {
            Uri::parse(format!("sip:{dialled}"))
        } else {
            // What hides the number in a call is part of the number in a text.
            let is_call = wants != Wants::Text;
            let is_long = dialled.bytes().filter(u8::is_ascii_digit).count() > SHORT;
            let code = if is_call && is_long { code } else { "" };
            Uri::sip(&format!("{code}{dialled}"), &self.address.host(), self.address.port())
        };
        let uri = uri.map_err(|_| Cause::from_sip(484))?;
        if self.address.is_sips() && !uri.is_sips() {
            let secure = uri.to_string().replacen("sip:", "sips:", 1);
            return Uri::parse(secure).map_err(|_| Cause::from_sip(484));
        }
        Ok(uri)
    }

    /// Whether this user part is ours at the provider.
    pub(super) fn is_called(&self, user: &str) -> bool {
        let digits = |text: &str| text.trim_start_matches('+').to_owned();
        let own = self.address.user();
        let named = own.as_deref().into_iter().chain(self.numbers.iter().map(|n| &**n));
        named.into_iter().any(|own| own == user || digits(own) == digits(user))
    }
}

/// How long a registration holds where nobody says.
const USUAL_EXPIRES: Duration = Duration::from_secs(600);

/// Where the servers are to be found. TLS may be heard at a host of its own.
fn wanted(server: &accounts::Server) -> Wanted {
    let host = server.proxy.as_ref().unwrap_or(&server.registrar);
    let prefers_tls = server.transports.first() == Some(&Transport::Tls);
    let has_own_tls = server.tls.host.is_some() || server.tls.port.is_some();
    let mut wanted = Wanted {
        port: server.port,
        transports: server.transports.clone(),
        families: server.families,
        services: server.services,
        secure: prefers_tls && server.tls.sips,
        ..Wanted::new(host.clone())
    };
    // A certificate is made out to a domain, also where the user states a numeric address.
    if let (Host::Address(_), Host::Name(domain)) = (host, &server.registrar) {
        wanted.certificate_name = Some(Arc::clone(domain));
    }
    match (prefers_tls, has_own_tls) {
        (true, true) => {
            wanted.host = server.tls.host.as_ref().unwrap_or(host).clone();
            wanted.port = server.tls.port.or(server.port);
            wanted.transport = Some(Transport::Tls);
            wanted.transports = vec![Transport::Tls];
        }
        // Elsewhere than at the port that is stated.
        (false, true) => wanted.transports.retain(|transport| *transport != Transport::Tls),
        (_, false) => {}
    }
    // A port with one transport is that transport's.
    if let (Some(_), [only]) = (wanted.port, wanted.transports.as_slice()) {
        wanted.transport = Some(*only);
    }
    wanted
}

/// The same by transports that are rewritten less easily than others.
fn sheltered(server: &accounts::Server) -> Vec<Wanted> {
    let offered = |transport: &Transport| server.transports.contains(transport);
    let only = |transport: Transport| {
        let server = accounts::Server { transports: vec![transport], ..server.clone() };
        wanted(&server)
    };
    let prefers_tls = server.transports.first() == Some(&Transport::Tls);
    let by = |transport: Transport| match transport {
        // A port that is stated beside another transport is not that of TLS.
        Transport::Tls if !prefers_tls && server.tls.port.is_none() => {
            Wanted { port: None, transport: Some(transport), ..only(transport) }
        }
        // Whether addresses are `sips:` was settled by the preferred transport.
        transport => Wanted { transport: Some(transport), ..only(transport) },
    };
    let wanted = [Transport::Tls, Transport::Tcp].into_iter().filter(offered).map(by);
    wanted.map(|wanted| Wanted { secure: false, ..wanted }).collect()
}

/// The outbound proxy as a Route value (RFC 3261 §8.1.2).
fn route(server: &accounts::Server) -> Vec<Bytes> {
    let Some(proxy) = &server.proxy else { return Vec::new() };
    let port = server.port.map(|port| format!(":{port}")).unwrap_or_default();
    vec![format!("<sip:{proxy}{port};lr>").into()]
}

fn keep_alive(plan: Option<(KeepaliveMethod, Duration)>) -> KeepAlive {
    let Some((method, interval)) = plan else { return KeepAlive::default() };
    match method {
        KeepaliveMethod::Crlf => KeepAlive { ping: Ping::Crlf, interval: Some(interval) },
        KeepaliveMethod::Options => KeepAlive { ping: Ping::Options, interval: Some(interval) },
        KeepaliveMethod::Register => KeepAlive { ping: Ping::Register, interval: Some(interval) },
        KeepaliveMethod::Outbound => KeepAlive::default(),
    }
}
