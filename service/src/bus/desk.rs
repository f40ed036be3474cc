// SPDX-License-Identifier: GPL-3.0-or-later
//! The desk at which programs ask the switchboard.

use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::Error;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

use super::caller::{Caller, Guard, Presence};
use crate::{
    accounts::Holder,
    switchboard::{
        ask::{Ask, NewAccount, NewEndpoint, Refusal, Reply},
        notice::{AccountId, PhoneId},
    },
};

/// Asks under way at once, of all programs together. More are refused, not queued.
const PLACES: usize = 256;
/// Errands that wait for the mirror; each belongs to an ask, whose program waits too.
const ERRANDS: usize = 16;

/// Brings asks to the switchboard and waits for the answers.
#[derive(Debug)]
pub(super) struct Desk {
    asks: mpsc::Sender<Ask>,
    errands: mpsc::Sender<Errand>,
    places: Semaphore,
    guard: Guard,
}

/// What the mirror is to do once it shows everything that has been told until now.
#[derive(Debug)]
pub(super) struct Errand {
    /// What ends with its owner.
    pub(super) owned: Option<(Owned, Presence)>,
    /// Done.
    pub(super) done: oneshot::Sender<()>,
}

/// What a program owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owned {
    Call(CallId),
    Phone(PhoneId),
    Account(AccountId),
}

impl Desk {
    pub(super) fn new(asks: mpsc::Sender<Ask>, guard: Guard) -> (Self, mpsc::Receiver<Errand>) {
        let (errands, received) = mpsc::channel(ERRANDS);
        (Self { asks, errands, places: Semaphore::new(PLACES), guard }, received)
    }

    /// The way to the switchboard, for what nobody waits for.
    pub(super) const fn asks(&self) -> &mpsc::Sender<Ask> {
        &self.asks
    }

    /// Lets a program in that may ask, as long as there is room; it has its place until that is
    /// dropped.
    pub(super) async fn enter(&self, caller: &Caller<'_>) -> Result<SemaphorePermit<'_>, Error> {
        let place = self.places.try_acquire().map_err(|_| {
            Error::LimitReached(format!("{PLACES} requests are under way; try again later"))
        })?;
        self.guard.admit(caller).await?;
        Ok(place)
    }

    /// Asks something that changes nothing here.
    pub(super) async fn ask<T>(
        &self,
        caller: &Caller<'_>,
        ask: impl FnOnce(Reply<T>) -> Ask,
    ) -> Result<T, Error> {
        let _place = self.enter(caller).await?;
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?.map_err(translate)
    }

    /// Asks for a change, and comes back when the objects show it.
    pub(super) async fn change<T>(
        &self,
        caller: &Caller<'_>,
        ask: impl FnOnce(Reply<T>) -> Ask,
    ) -> Result<T, Error> {
        let answer = self.ask(caller, ask).await?;
        self.settle(None).await;
        Ok(answer)
    }

    /// Asks for a call that ends with the program that asked.
    pub(super) async fn dial(
        &self,
        caller: &Caller<'_>,
        ask: impl FnOnce(Option<String>, Reply<CallId>) -> Ask,
    ) -> Result<CallId, Error> {
        let presence = caller.presence().await?;
        let owner = presence.as_ref().map(|presence| presence.name().to_owned());
        let call = self.ask(caller, |reply| ask(owner, reply)).await?;
        self.settle(presence.map(|presence| (Owned::Call(call), presence))).await;
        Ok(call)
    }

    /// Makes the program that asks a phone, for as long as it is there.
    pub(super) async fn register(
        &self,
        caller: &Caller<'_>,
        endpoint: NewEndpoint,
    ) -> Result<PhoneId, Error> {
        let presence = caller.presence().await?;
        let owner = presence.as_ref().map(|presence| presence.name().to_owned());
        let ask = |reply| Ask::RegisterEndpoint { endpoint, owner, reply };
        let phone = self.ask(caller, ask).await?;
        self.settle(presence.map(|presence| (Owned::Phone(phone), presence))).await;
        Ok(phone)
    }

    /// Makes an account: one that stays, or one that goes with the program that asked.
    pub(super) async fn add_account(
        &self,
        caller: &Caller<'_>,
        mut account: NewAccount,
    ) -> Result<AccountId, Error> {
        let presence = match &mut account.holder {
            Holder::User => None,
            Holder::Program(holder) => {
                let presence = caller.presence().await?;
                *holder = presence.as_ref().map(|presence| presence.name().into());
                presence
            }
        };
        let account = Box::new(account);
        let id = self.ask(caller, |reply| Ask::AddAccount { account, reply }).await?;
        self.settle(presence.map(|presence| (Owned::Account(id.clone()), presence))).await;
        Ok(id)
    }

    async fn settle(&self, owned: Option<(Owned, Presence)>) {
        let (done, settled) = oneshot::channel();
        // No mirror, no objects to wait for: the service is stopping.
        if self.errands.send(Errand { owned, done }).await.is_ok() {
            let _ = settled.await;
        }
    }
}

pub(super) fn stopping() -> Error {
    translate(Refusal::Stopping)
}

fn translate(refusal: Refusal) -> Error {
    let words = refusal.to_string();
    match refusal {
        Refusal::BadContact(_) => Error::BadContact(words),
        Refusal::BadValue(_) => Error::BadValue(words),
        Refusal::NotFound { kind: "call", .. } => Error::NoSuchCall(words),
        Refusal::NotFound { kind: "account", .. } => Error::NoSuchAccount(words),
        Refusal::NotFound { kind: "phone", .. } => Error::NoSuchPhone(words),
        Refusal::NotFound { .. } => Error::NoSuchExtension(words),
        Refusal::NotAllowed(_) => Error::NotAllowed(words),
        Refusal::AlreadyExists { .. } => Error::AlreadyExists(words),
        Refusal::NotInThisState(_) => Error::NotInThisState(words),
        Refusal::NoRoute(_) => Error::NoRoute(words),
        Refusal::EmergencyUnavailable(_) => Error::EmergencyUnavailable(words),
        Refusal::NoPhone(_) => Error::NoPhone(words),
        Refusal::TooMany(_) => Error::LimitReached(words),
        Refusal::NotStored(_) => Error::NotStored(words),
        Refusal::Stopping => Error::Stopping(words),
    }
}
