// SPDX-License-Identifier: GPL-3.0-or-later
//! A provider that does exactly what a test tells it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use sipwitch_core::line::{Emergency, Numbering, Rates, Users};
use sipwitch_sip::{
    auth::client::Secret,
    flow::Transport,
    resolver::{Families, Services},
};

use super::super::{
    text::Text,
    town::{Phone, Town},
};
use crate::{
    accounts::{Account, Holder, Kept, Outside, Plan, Reach, Register, Server, Tls},
    providers::word::{CallerId, ContactAddress, Offered},
    switchboard::{
        Inner,
        ask::Ask,
        notice::{AccountView, Notice},
    },
};

/// The password of every account, as its provider knows it.
pub(super) const PASSWORD: &str = "the right one";

/// An account of alice at a provider.
pub(in super::super) fn account(name: &str, host: &str) -> Plan {
    Plan {
        id: name.into(),
        title: name.into(),
        provider: None,
        provider_name: host.into(),
        enabled: true,
        reach: Reach::Account(Box::new(outside(host))),
        incoming: None,
        users: Users::Everybody,
        order: 0,
        domains: vec![host.into()],
        numbering: Numbering::default(),
        emergency: Emergency::default(),
        rates: Rates::default(),
        costs: None,
        included: None,
        cap: None,
        leads_to: Vec::new(),
        calls: None,
        messages: Offered::Yes,
    }
}

pub(in super::super) fn outside(host: &str) -> Outside {
    Outside {
        user: Some("alice".into()),
        domain: host.parse().unwrap(),
        from_user: None,
        auth_user: None,
        realm: None,
        algorithms: Vec::new(),
        needs_secret: true,
        display: Box::default(),
        number: None,
        numbers: Vec::new(),
        server: Server {
            registrar: host.parse().unwrap(),
            proxy: None,
            port: None,
            transports: vec![Transport::Udp],
            transports_are_own: false,
            services: Services::Usual,
            tls: Tls::default(),
            families: Families::Ipv4Only,
        },
        register: Some(Register {
            expires: Duration::from_secs(3600),
            min_expires: None,
            min_interval: None,
        }),
        keepalive: None,
        contact: ContactAddress::Own,
        caller_id: CallerId::From,
        privacy: None,
        hides_number: false,
        on_failure: BTreeMap::new(),
        stun: None,
    }
}

/// The exchange of a plan.
pub(in super::super) fn of(plan: &mut Plan) -> &mut Outside {
    match &mut plan.reach {
        Reach::Account(outside) | Reach::Trunk { outside, .. } => outside,
        Reach::Gateway(_) => panic!("a gateway leads to no exchange"),
    }
}

impl Town {
    /// A provider at one address.
    pub(in super::super) fn provider(&mut self, host: &str, at: &str) -> Phone {
        self.provider_at(host, &[at])[0]
    }

    /// A provider with several servers, the best first.
    pub(in super::super) fn provider_at(&mut self, host: &str, at: &[&str]) -> Vec<Phone> {
        let at: Vec<SocketAddr> = at.iter().map(|at| at.parse().unwrap()).collect();
        let places = at.iter().map(|at| (Transport::Udp, *at)).collect();
        self.names.insert(host.to_owned(), places);
        at.into_iter().map(|at| self.stranger_at(host, at)).collect()
    }

    /// Makes an account, whose password is in the keyring.
    pub(in super::super) fn sign_up(&mut self, plan: Plan) {
        self.sign_up_for(plan, Holder::User);
    }

    /// The same, for somebody.
    pub(in super::super) fn sign_up_for(&mut self, mut plan: Plan, holder: Holder) {
        if holder.is_program() {
            plan.users = Users::ItsProgram;
        }
        let name = plan.id.to_string();
        self.keyring.entry(name).or_insert_with(|| Ok(Secret::new(PASSWORD)));
        let now = self.time();
        let account = Account {
            holder,
            plan: Arc::new(plan),
            answers: BTreeMap::new(),
            settings: BTreeMap::new(),
            kept: Kept::Keyring,
        };
        self.board.put_account(now, account);
        self.collect();
    }

    /// Takes an account away.
    pub(in super::super) fn sign_off(&mut self, account: &str) {
        let now = self.time();
        self.board.account_gone(now, account);
        self.collect();
    }

    /// Somebody gives the password of an account.
    pub(in super::super) fn give_password(&mut self, account: &str, password: &str) {
        let secret = Ok(Secret::new(password));
        self.come_in(Inner::Secret { account: account.into(), secret });
        self.collect();
    }

    /// Somebody wants to see whether an account works.
    pub(in super::super) fn try_again(&mut self, account: &str) {
        let asked = self.begin(|reply| Ask::TryAccountAgain { account: account.into(), reply });
        self.collect();
        self.wait(asked).unwrap();
    }

    /// The next REGISTER, which comes within so many seconds.
    pub(in super::super) fn next_register(&mut self, provider: Phone, seconds: u64) -> Text {
        for _ in 0..seconds {
            if let Some(register) = self.find(provider, |text| text.kind() == "REGISTER") {
                return register;
            }
            self.pass_seconds(1);
        }
        self.fail("no REGISTER comes")
    }

    /// Challenges a request, and gives the one that answers.
    pub(in super::super) fn challenge(&mut self, provider: Phone, request: &Text) -> Text {
        let more = [
            "WWW-Authenticate: Digest realm=\"provider\", nonce=\"n1\", qop=\"auth\", algorithm=MD5",
        ];
        self.respond(provider, request, "401 Unauthorized", "p", &more, "");
        let method = request.method().to_owned();
        self.expect(provider, &method)
    }

    /// Grants a REGISTER.
    pub(in super::super) fn grant(&mut self, provider: Phone, register: &Text, seconds: u32) {
        let contact = format!("Contact: <{}>;expires={seconds}", register.address("Contact"));
        self.respond(provider, register, "200 OK", "p", &[&contact], "");
    }

    /// The account registers there, with its password; gives the REGISTER that was granted.
    pub(in super::super) fn let_in(&mut self, provider: Phone) -> Text {
        let register = self.expect(provider, "REGISTER");
        assert_eq!(register.header("Authorization"), "", "nobody asked for a password yet");
        let register = self.challenge(provider, &register);
        assert!(is_right(&register, PASSWORD), "{register:?}");
        self.grant(provider, &register, 3600);
        register
    }

    /// The latest that was told of a line.
    pub(in super::super) fn line(&self, account: &str) -> &AccountView {
        let told = self.notices.iter().rev().find_map(|notice| match notice {
            Notice::Account(view) if view.id == account => Some(&**view),
            _ => None,
        });
        told.unwrap_or_else(|| panic!("nothing was told of {account}: {:#?}", self.notices))
    }
}

/// Whether the Authorization of a request is that of alice with this password.
pub(in super::super) fn is_right(request: &Text, password: &str) -> bool {
    use super::super::digest::{hex_md5, parameter};
    let value = request.header("Authorization");
    let of = |name| parameter(value, name);
    let one = hex_md5(&format!("alice:provider:{password}"));
    let two = hex_md5(&format!("{}:{}", request.method(), of("uri")));
    let response =
        hex_md5(&format!("{one}:{}:{}:{}:auth:{two}", of("nonce"), of("nc"), of("cnonce")));
    response == of("response")
}
