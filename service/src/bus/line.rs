// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Line

use tokio::sync::watch;
use zbus::interface;

use super::changes::Property;
use crate::switchboard::notice::AccountView;

/// The line that an account is.
pub(super) struct Line {
    pub(super) view: watch::Receiver<AccountView>,
}

/// All but the name can change.
pub(super) const CHANGING: &[Property<AccountView>] = &[
    ("Kind", |account| account.line.kind.into()),
    ("Usable", |account| account.line.usable.into()),
    ("UsableReason", |account| reason(account).into()),
    ("Messages", |account| account.line.messages.into()),
    ("Domains", |account| account.line.domains.clone().into()),
    ("Region", |account| account.line.region.clone().into()),
    ("Emergency", |account| account.line.emergency.into()),
    ("EmergencyNumbers", |account| account.line.emergency_numbers.clone().into()),
    ("Cost", |account| account.line.cost.clone().into()),
];

fn reason(account: &AccountView) -> String {
    match account.line.usable {
        "yes" => String::new(),
        _ => account.standing.cause.clone(),
    }
}

#[interface(name = "org.gnutelephony.SipWitch1.Line", introspection_docs = false)]
impl Line {
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> String {
        self.view.borrow().id.clone()
    }

    #[zbus(property)]
    fn kind(&self) -> &'static str {
        self.view.borrow().line.kind
    }

    #[zbus(property)]
    fn usable(&self) -> &'static str {
        self.view.borrow().line.usable
    }

    #[zbus(property)]
    fn usable_reason(&self) -> String {
        reason(&self.view.borrow())
    }

    #[zbus(property)]
    fn messages(&self) -> &'static str {
        self.view.borrow().line.messages
    }

    #[zbus(property)]
    fn domains(&self) -> Vec<String> {
        self.view.borrow().line.domains.clone()
    }

    #[zbus(property)]
    fn region(&self) -> String {
        self.view.borrow().line.region.clone()
    }

    #[zbus(property)]
    fn emergency(&self) -> &'static str {
        self.view.borrow().line.emergency
    }

    #[zbus(property)]
    fn emergency_numbers(&self) -> Vec<String> {
        self.view.borrow().line.emergency_numbers.clone()
    }

    #[zbus(property)]
    fn cost(&self) -> String {
        self.view.borrow().line.cost.clone()
    }
}
