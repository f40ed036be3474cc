// SPDX-License-Identifier: GPL-3.0-or-later
//! The account of a connection of the protocol `sip`: the service makes it for us, and it goes with
//! us. The connection stands as long as the account is registered.

use std::{collections::HashMap, time::Instant};

use sipwitch_dbus_interfaces::wire::{AccountState, CertificateFault};
use zbus::{Message, zvariant::OwnedValue};
use zeroize::Zeroizing;

use super::{CallReason, Connection, Fault, Kind, Outcome, Reason, Status};
use crate::{
    bridge::path,
    definition::{
        authentication::SERVER_AUTHENTICATION,
        connection::{CONNECTION, REQUESTS},
    },
    error::{Error, Name},
    outbox::Outbox,
    parameters::ProviderAccount,
    password::{Done, Password},
    reply::Reply,
    service::{self, Answer},
};

/// What there is of it.
#[derive(Debug)]
pub(super) struct Provider {
    /// What the client said.
    pub(super) given: ProviderAccount,
    /// Its path, and the unique name of the service that has it.
    account: Option<(String, String)>,
    /// How it stands; none until that is known.
    state: Option<AccountState>,
    /// Why, in words.
    why: String,
    /// What the service has against the provider's certificate.
    certificate: CertificateFault,
    /// The user is asked for the password.
    pub(super) password: Option<Password>,
    /// Whether the service was asked to let it ring.
    is_offered: bool,
}

impl Provider {
    /// An account of which the service does not know yet.
    pub(super) const fn new(given: ProviderAccount) -> Self {
        Self {
            given,
            account: None,
            state: None,
            why: String::new(),
            certificate: CertificateFault::None,
            password: None,
            is_offered: false,
        }
    }
}

impl Connection {
    /// The address of its account; none for the house.
    pub(crate) fn account_address(&self) -> Option<String> {
        match &self.kind {
            Kind::House => None,
            Kind::Provider(provider) => Some(provider.given.address()),
        }
    }

    /// Whether a signal from this sender about this object is the service's word of our account.
    pub(crate) fn is_our_account(&self, path: &str, sender: &str) -> bool {
        let Kind::Provider(provider) = &self.kind else { return false };
        provider.account.as_ref().is_some_and(|(own, owner)| own == path && owner == sender)
    }

    /// The channel that asks for the password.
    pub(crate) fn password(&self) -> Option<&Password> {
        match &self.kind {
            Kind::House => None,
            Kind::Provider(provider) => provider.password.as_ref(),
        }
    }

    /// The service has made the account, or will not.
    pub(crate) fn account_known(
        &mut self,
        answer: Answer<String>,
        sender: &str,
        outbox: &mut Outbox,
    ) -> Outcome {
        let Kind::Provider(provider) = &mut self.kind else { return Outcome::GoesOn };
        match answer {
            Ok(account) => {
                // Watched first, so that nothing happens in between.
                outbox.watch_account(&account, true);
                outbox.ask_account(&account);
                outbox.register_at(&account);
                provider.account = Some((account, sender.to_owned()));
                Outcome::GoesOn
            }
            Err(refused) => self.fail(&Fault::of(&refused), outbox),
        }
    }

    /// How the account stands, or what is different with it.
    pub(crate) fn account_stands(
        &mut self,
        properties: Answer<HashMap<String, OwnedValue>>,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Outcome {
        let properties = match properties {
            Ok(properties) => properties,
            Err(refused) => return self.fail(&Fault::of(&refused), outbox),
        };
        let Kind::Provider(provider) = &mut self.kind else { return Outcome::GoesOn };
        if properties.contains_key("StateReason") {
            provider.why = service::text(&properties, "StateReason");
        }
        if properties.contains_key("CertificateFault") {
            // A word that is newer than we are is something against it all the same.
            let fault = service::text(&properties, "CertificateFault").parse();
            provider.certificate = fault.unwrap_or(CertificateFault::Unsound);
        }
        if properties.contains_key("State") {
            // A word that is newer than we are says that it is not online.
            let state = service::text(&properties, "State").parse();
            provider.state = Some(state.unwrap_or(AccountState::Registering));
        }
        self.settle(outbox, now)
    }

    /// Does what the state of the account asks for.
    pub(crate) fn settle(&mut self, outbox: &mut Outbox, now: Instant) -> Outcome {
        let Kind::Provider(provider) = &mut self.kind else { return Outcome::GoesOn };
        let (why, certificate) = (provider.why.clone(), provider.certificate);
        match (provider.state, self.status) {
            (None, _) | (_, Status::Disconnected) => Outcome::GoesOn,
            (Some(AccountState::Online), _) => {
                match &mut provider.password {
                    Some(asked) if asked.is_tried() => {
                        asked.succeeded(outbox);
                        return Outcome::GoesOn;
                    }
                    // It goes on when the client knows.
                    Some(asked) if !asked.is_accepted() => return Outcome::GoesOn,
                    _ => {}
                }
                if !provider.is_offered && self.phone.is_some() {
                    provider.is_offered = true;
                    // Nobody of the house is in the list; what the service knows of help is.
                    self.list_awaited(outbox);
                }
                Outcome::GoesOn
            }
            (
                Some(AccountState::NeedsPassword | AccountState::KeyringLocked),
                Status::Connecting,
            ) => {
                match &mut provider.password {
                    Some(asked) if asked.is_tried() => asked.failed(&why, outbox),
                    Some(_) => {}
                    None => self.ask_for_password(outbox),
                }
                Outcome::GoesOn
            }
            (Some(AccountState::NeedsPassword | AccountState::KeyringLocked), _)
            | (Some(AccountState::Refused), _) => {
                let reason = Reason::AuthenticationFailed;
                let fault = Fault::new(Name::AuthenticationFailed, reason, why);
                self.lose(&fault, outbox, now)
            }
            // What talks goes on talking: the provider may be back before that ends.
            (Some(AccountState::Unreachable), Status::Connected) if self.has_calls() => {
                Outcome::GoesOn
            }
            (Some(AccountState::Unreachable), _) => {
                let fault = Fault::unreachable(certificate, why);
                self.lose(&fault, outbox, now)
            }
            (Some(AccountState::Off), _) => self.lose(&Fault::confused(why), outbox, now),
            (Some(AccountState::Registering), _) => Outcome::GoesOn,
        }
    }

    fn lose(&mut self, fault: &Fault, outbox: &mut Outbox, now: Instant) -> Outcome {
        self.close_calls(Some(&CallReason::service_gone()), outbox, now);
        self.fail(fault, outbox)
    }

    fn ask_for_password(&mut self, outbox: &mut Outbox) {
        let own = (self.self_handle, self.self_id().to_owned());
        self.next_call += 1;
        let number = self.id.channel(self.next_call);
        let Kind::Provider(provider) = &mut self.kind else { return };
        let (user, realm) = (provider.given.user.clone(), provider.given.domain.clone());
        let asked = Password::new(number, own, user, realm);
        let connection = self.id.path();
        let channels = (vec![(path(&asked.path()), asked.immutable())],);
        outbox.signal(&connection, &REQUESTS, "NewChannels", channels);
        let old = (path(&asked.path()), SERVER_AUTHENTICATION.name.to_owned(), 0u32, 0u32, false);
        outbox.signal(&connection, &CONNECTION, "NewChannel", old);
        provider.password = Some(asked);
        // The user takes as long as he takes.
        self.gives_up_at = None;
    }

    /// A method of the channel that asks for the password.
    ///
    /// # Errors
    /// Telepathy's, by the method.
    pub(crate) fn password_method(
        &mut self,
        number: u32,
        name: &str,
        call: &Message,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Result<(Reply, Outcome), Error> {
        let gone = || Name::NotAvailable.because("it is closed");
        let Kind::Provider(provider) = &mut self.kind else { return Err(gone()) };
        let asked = provider.password.as_mut().filter(|asked| asked.number() == number);
        let (reply, done) = asked.ok_or_else(gone)?.method(name, call, outbox)?;
        let outcome = match done {
            Done::Nothing => Outcome::GoesOn,
            Done::Given(password) => {
                self.show_password(password, outbox);
                Outcome::GoesOn
            }
            Done::Accepted => self.settle(outbox, now),
            Done::Closed => self.password_closed(outbox),
        };
        Ok((reply, outcome))
    }

    fn show_password(&mut self, password: Zeroizing<String>, outbox: &mut Outbox) {
        let Kind::Provider(provider) = &mut self.kind else { return };
        let Some((account, _)) = &provider.account else { return };
        // It stands as it stood until the service says otherwise: that is not its word to this.
        provider.state = Some(AccountState::Registering);
        outbox.set_password(account, &password);
        // One that was refused before is not shown again unless somebody insists.
        if provider.given.password.as_ref() == Some(&password) {
            outbox.try_again(account);
        }
        provider.given.password = Some(password);
    }

    fn password_closed(&mut self, outbox: &mut Outbox) -> Outcome {
        let Kind::Provider(provider) = &mut self.kind else { return Outcome::GoesOn };
        let Some(asked) = provider.password.take() else { return Outcome::GoesOn };
        asked.tell_closed(outbox);
        if asked.is_accepted() || self.status != Status::Connecting {
            return Outcome::GoesOn;
        }
        let words = match provider.why.as_str() {
            "" => "no password was given".to_owned(),
            why => why.to_owned(),
        };
        let reason = Reason::AuthenticationFailed;
        self.fail(&Fault::new(Name::AuthenticationFailed, reason, words), outbox)
    }

    /// The service did not take a password.
    pub(crate) fn password_taken(
        &mut self,
        answer: Answer<String>,
        outbox: &mut Outbox,
    ) -> Outcome {
        let Err(refused) = answer else { return Outcome::GoesOn };
        let Kind::Provider(provider) = &mut self.kind else { return Outcome::GoesOn };
        if let Some(asked) = provider.password.as_mut().filter(|asked| asked.is_tried()) {
            asked.failed(&refused.words, outbox);
        }
        Outcome::GoesOn
    }

    /// Gives the account back.
    pub(super) fn leave_account(&mut self, outbox: &mut Outbox) {
        let Kind::Provider(provider) = &mut self.kind else { return };
        if let Some(asked) = provider.password.take() {
            asked.tell_closed(outbox);
        }
        if let Some((account, _)) = provider.account.take() {
            outbox.watch_account(&account, false);
            outbox.remove_account(&account);
        }
    }

    /// The service has left, and the account with it.
    pub(super) fn account_gone(&mut self) {
        if let Kind::Provider(provider) = &mut self.kind {
            provider.account = None;
        }
    }
}
