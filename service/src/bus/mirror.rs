// SPDX-License-Identifier: GPL-3.0-or-later
//! Repeats on the bus what the switchboard tells: the only place that adds and removes objects and
//! emits signals.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
    time::SystemTime,
};

use sipwitch_core::call::leg::CallId;
use sipwitch_dbus_interfaces::{ObjectName, names};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc, watch,
};
use zbus::{
    Connection,
    fdo::Properties,
    names::UniqueName,
    object_server::{Interface, SignalEmitter},
    zvariant::{OwnedObjectPath, Value},
};

use super::{
    BusError,
    account::{self, Account},
    blocking::{Blocking, ShownBlocked},
    call::{self, Call, CallRecord, End},
    caller::Watch,
    changes::{self, Property},
    desk::{Desk, Errand, Owned},
    endpoint::{self, Endpoint},
    extension::{self, Extension},
    line::{self, Line},
    phone::{self, Phone},
    providers::Providers,
    rules::Rules,
    sipwitch::{self, ServiceRecord, SipWitch},
};
use crate::{
    providers,
    switchboard::{
        ask::Ask,
        notice::{
            AccountId, AccountView, CallView, ExtensionId, ExtensionView, HeldBack, Notice,
            PhoneId, PhoneView, ToldProgram, World,
        },
    },
};

/// Why the mirror ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The bus closed the connection.
    Bus,
    /// The switchboard has stopped; everything it told is on the bus.
    Switchboard,
}

/// What the bus shows.
#[derive(Debug)]
pub(super) struct Mirror {
    connection: Connection,
    desk: Arc<Desk>,
    notices: broadcast::Receiver<Notice>,
    errands: mpsc::Receiver<Errand>,
    service: watch::Sender<ServiceRecord>,
    calls: HashMap<CallId, Shown>,
    phones: HashMap<PhoneId, ShownPhone>,
    extensions: HashMap<ExtensionId, watch::Sender<ExtensionView>>,
    providers: providers::Providers,
    providers_changed: watch::Receiver<u64>,
    accounts: HashMap<AccountId, ShownAccount>,
    blocked: ShownBlocked,
}

/// A call on the bus.
#[derive(Debug)]
struct Shown {
    view: watch::Sender<CallRecord>,
    /// Set while a program owns it.
    owner: Option<Watch>,
}

/// A phone on the bus.
#[derive(Debug)]
struct ShownPhone {
    view: watch::Sender<PhoneView>,
    /// Set if it is a program.
    owner: Option<Watch>,
}

/// An account on the bus.
#[derive(Debug)]
struct ShownAccount {
    view: watch::Sender<AccountView>,
    /// Set if it goes with a program.
    owner: Option<Watch>,
}

impl Mirror {
    pub(super) fn new(
        connection: Connection,
        desk: Arc<Desk>,
        notices: broadcast::Receiver<Notice>,
        errands: mpsc::Receiver<Errand>,
        providers: providers::Providers,
    ) -> Self {
        Self {
            connection,
            desk,
            notices,
            errands,
            service: watch::Sender::new(ServiceRecord::default()),
            calls: HashMap::new(),
            phones: HashMap::new(),
            extensions: HashMap::new(),
            providers_changed: providers.changes(),
            providers,
            accounts: HashMap::new(),
            blocked: ShownBlocked::default(),
        }
    }

    /// Shows the world as it stands, and the service in it.
    pub(super) async fn fill(&mut self) -> Result<(), BusError> {
        self.announce().await;
        let world = loop {
            match self.notices.recv().await {
                Ok(Notice::World(world)) => break world,
                // Older than the world that is coming.
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.announce().await,
                Err(RecvError::Closed) => return Err(BusError::Stopped),
            }
        };
        let service = ServiceRecord { service: world.service.clone(), calls: 0 };
        self.service.send_replace(service);
        let object = SipWitch { desk: Arc::clone(&self.desk), view: self.service.subscribe() };
        let server = self.connection.object_server();
        server.at(names::ROOT, object).await.map_err(BusError::Serve)?;
        let object = Blocking { desk: Arc::clone(&self.desk) };
        server.at(names::ROOT, object).await.map_err(BusError::Serve)?;
        let object = Rules { desk: Arc::clone(&self.desk) };
        server.at(names::ROOT, object).await.map_err(BusError::Serve)?;
        let (desk, providers) = (Arc::clone(&self.desk), self.providers.clone());
        let object = Providers { desk, providers };
        server.at(names::ROOT, object).await.map_err(BusError::Serve)?;
        self.blocked.fill(world.blocked.clone());
        self.world(*world).await.map_err(BusError::Serve)
    }

    /// Repeats until one of the two ends is gone.
    pub(super) async fn run(mut self) -> Gone {
        let connection = self.connection.clone();
        loop {
            let result = tokio::select! {
                // In this order: an errand is done when everything told before it is shown.
                biased;
                () = connection.closed() => {
                    self.owners_left().await;
                    return Gone::Bus;
                }
                notice = self.notices.recv() => match notice {
                    Ok(notice) => self.hear(notice).await,
                    Err(RecvError::Lagged(lost)) => {
                        tracing::warn!(lost, "the bus is slow; showing it the world anew");
                        // What programs were told is in no snapshot.
                        let _ = self.desk.asks().send(Ask::EndpointsLost).await;
                        self.announce().await;
                        Ok(())
                    }
                    Err(RecvError::Closed) => return Gone::Switchboard,
                },
                Some(errand) = self.errands.recv() => {
                    self.run_errand(errand);
                    Ok(())
                }
                Ok(()) = self.providers_changed.changed() => self.tell_of_providers().await,
            };
            if let Err(error) = result {
                // If the connection broke, the next turn says so; anything else concerns one signal.
                tracing::warn!(%error, "the bus did not take a signal");
            }
        }
    }

    async fn tell_of_providers(&self) -> zbus::Result<()> {
        Providers::providers_changed(&self.root()?).await
    }

    async fn announce(&self) {
        // If the switchboard is gone, the notices end as well, and that is where it is seen.
        let _ = self.desk.asks().send(Ask::Announce).await;
    }

    fn run_errand(&mut self, errand: Errand) {
        if let Some((owned, presence)) = errand.owned {
            let owner = match owned {
                Owned::Call(call) => self.calls.get_mut(&call).map(|shown| &mut shown.owner),
                Owned::Phone(phone) => self.phones.get_mut(&phone).map(|shown| &mut shown.owner),
                Owned::Account(account) => {
                    self.accounts.get_mut(&account).map(|shown| &mut shown.owner)
                }
            };
            if let Some(owner) = owner {
                *owner = Some(presence.report_to(self.desk.asks().clone()));
            }
        }
        // The asker may have gone.
        let _ = errand.done.send(());
    }

    /// Without a bus, no program can reach the calls it owns.
    async fn owners_left(&mut self) {
        let calls = self.calls.values_mut().filter_map(|shown| shown.owner.take());
        let phones = self.phones.values_mut().filter_map(|shown| shown.owner.take());
        let accounts = self.accounts.values_mut().filter_map(|shown| shown.owner.take());
        let owners: HashSet<String> =
            calls.chain(phones).chain(accounts).map(|watch| watch.owner().to_owned()).collect();
        for owner in owners {
            let _ = self.desk.asks().send(Ask::OwnerLeft { owner }).await;
        }
    }

    async fn hear(&mut self, notice: Notice) -> zbus::Result<()> {
        match notice {
            Notice::World(world) => self.world(*world).await,
            Notice::Service(service) => {
                let calls = self.calls.len();
                self.show_service(ServiceRecord { service, calls }).await
            }
            Notice::Call(call) => self.call(call).await,
            Notice::CallEnded(ended) => {
                let words = ended.words;
                let (sip_code, q850) = (ended.sip_code, ended.q850);
                let end = End { ended_us: ended.ended_us, sip_code, q850, words };
                self.call_ended(ended.call, end).await
            }
            Notice::Connectivity(change) => {
                let mut record = self.service.borrow().clone();
                record.service.network.clone_from(&change.words);
                self.show_service(record).await?;
                let details = sipwitch::difference(&change);
                SipWitch::connectivity_changed(&self.root()?, &change.words, details).await
            }
            Notice::HeldBack(held) => {
                let HeldBack { caller, domain, extension, words } = &held;
                SipWitch::caller_held_back(&self.root()?, caller, domain, extension, words).await
            }
            Notice::Blocked(change) => {
                let root = self.root()?;
                self.blocked.tell(&root, *change).await
            }
            Notice::Dtmf { call, tone, from } => {
                let emitter = self.emitter(&ObjectName::Call(call.0).path())?;
                Call::dtmf_received(&emitter, tone.encode_utf8(&mut [0; 4]), &from).await
            }
            Notice::Program(told) => {
                let ToldProgram { phone, owner, told } = *told;
                let mut emitter = self.emitter(&ObjectName::Phone(phone).path())?;
                if let Some(owner) = owner {
                    emitter = emitter.set_destination(UniqueName::try_from(owner)?.into());
                }
                endpoint::tell(&emitter, told).await
            }
            Notice::Phone(phone) => self.phone(phone).await,
            Notice::PhoneGone(phone) => self.phone_gone(phone).await,
            Notice::Extension(extension) => self.extension(extension).await,
            Notice::ExtensionGone(extension) => self.extension_gone(extension).await,
            Notice::Account(account) => self.account(*account).await,
            Notice::AccountGone(account) => self.account_gone(account).await,
        }
    }

    /// What is gone first, so that no object refers to one that was.
    async fn world(&mut self, world: World) -> zbus::Result<()> {
        for call in gone(&self.calls, world.calls.iter().map(|call| call.id)) {
            self.call_lost(call).await?;
        }
        for phone in gone(&self.phones, world.phones.iter().map(|phone| phone.id)) {
            self.phone_gone(phone).await?;
        }
        let extensions = world.extensions.iter().map(|extension| extension.number.clone());
        for extension in gone(&self.extensions, extensions) {
            self.extension_gone(extension).await?;
        }
        let accounts = world.accounts.iter().map(|account| account.id.clone());
        for account in gone(&self.accounts, accounts) {
            self.account_gone(account).await?;
        }
        for extension in world.extensions {
            self.extension(extension).await?;
        }
        for account in world.accounts {
            self.account(account).await?;
        }
        for phone in world.phones {
            self.phone(phone).await?;
        }
        for call in world.calls {
            self.call(call).await?;
        }
        let (root, change) = (self.root()?, self.blocked.compare(world.blocked));
        self.blocked.tell(&root, change).await?;
        let calls = self.calls.len();
        self.show_service(ServiceRecord { service: world.service, calls }).await
    }

    async fn call(&mut self, call: CallView) -> zbus::Result<()> {
        let id = call.id;
        let path = ObjectName::Call(id.0).path();
        let record = CallRecord { call, end: End::default() };
        if let Some(shown) = self.calls.get(&id) {
            return self.show::<Call, _>(&path, &shown.view, record, call::CHANGING).await;
        }
        let view = watch::Sender::new(record);
        let object = Call { desk: Arc::clone(&self.desk), view: view.subscribe() };
        self.calls.insert(id, Shown { view, owner: None });
        self.connection.object_server().at(path, object).await?;
        self.count_calls().await
    }

    async fn call_ended(&mut self, call: CallView, end: End) -> zbus::Result<()> {
        let Some(shown) = self.calls.remove(&call.id) else {
            // Its beginning was lost to a slow bus: nobody here knows it. The history does.
            return Ok(());
        };
        let path = ObjectName::Call(call.id.0).path();
        let record = CallRecord { call: CallView { state: "ended", ..call }, end };
        let summary = sipwitch::summary(&record);
        let (sip_code, q850) = (summary.sip_code, summary.q850_cause.unwrap_or(0));
        let words = summary.words.clone();
        self.show::<Call, _>(&path, &shown.view, record, call::CHANGING).await?;
        Call::ended(&self.emitter(&path)?, sip_code, q850, &words).await?;
        SipWitch::call_ended(&self.root()?, path.as_ref(), summary).await?;
        self.connection.object_server().remove::<Call, _>(path).await?;
        self.count_calls().await
    }

    /// A call whose end was lost to a slow bus.
    async fn call_lost(&mut self, id: CallId) -> zbus::Result<()> {
        let Some(shown) = self.calls.get(&id) else { return Ok(()) };
        let call = shown.view.borrow().call.clone();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let end = End {
            ended_us: i64::try_from(now.as_micros()).unwrap_or(i64::MAX),
            words: "the bus was too slow to be told why the call ended; see the history".into(),
            ..End::default()
        };
        self.call_ended(call, end).await
    }

    async fn phone(&mut self, phone: PhoneView) -> zbus::Result<()> {
        let id = phone.id;
        let path = ObjectName::Phone(id).path();
        if let Some(ShownPhone { view, .. }) = self.phones.get(&id) {
            let endpoint = changes::between(endpoint::CHANGING, &view.borrow(), &phone);
            self.show::<Phone, _>(&path, view, phone, phone::CHANGING).await?;
            return self.tell::<Endpoint>(&path, endpoint).await;
        }
        let is_program = phone.program.is_some();
        let view = watch::Sender::new(phone);
        let object = Phone { desk: Arc::clone(&self.desk), view: view.subscribe() };
        let endpoint = Endpoint { desk: Arc::clone(&self.desk), view: view.subscribe() };
        self.phones.insert(id, ShownPhone { view, owner: None });
        // Who hears of the phone finds the endpoint there.
        if is_program {
            self.connection.object_server().at(path.clone(), endpoint).await?;
        }
        self.connection.object_server().at(path, object).await.map(drop)
    }

    async fn phone_gone(&mut self, phone: PhoneId) -> zbus::Result<()> {
        if let Some(shown) = self.phones.remove(&phone) {
            let path = ObjectName::Phone(phone).path();
            self.connection.object_server().remove::<Phone, _>(path.clone()).await?;
            if shown.view.borrow().program.is_some() {
                self.connection.object_server().remove::<Endpoint, _>(path).await?;
            }
        }
        Ok(())
    }

    async fn extension(&mut self, extension: ExtensionView) -> zbus::Result<()> {
        let id = extension.number.clone();
        let path = ObjectName::Extension(id.clone()).path();
        if let Some(view) = self.extensions.get(&id) {
            return self.show::<Extension, _>(&path, view, extension, extension::CHANGING).await;
        }
        let view = watch::Sender::new(extension);
        let object = Extension { desk: Arc::clone(&self.desk), view: view.subscribe() };
        self.extensions.insert(id, view);
        self.connection.object_server().at(path, object).await.map(drop)
    }

    async fn extension_gone(&mut self, extension: ExtensionId) -> zbus::Result<()> {
        if self.extensions.remove(&extension).is_some() {
            let path = ObjectName::Extension(extension).path();
            self.connection.object_server().remove::<Extension, _>(path).await?;
        }
        Ok(())
    }

    /// An account has two interfaces, since it is a line too.
    async fn account(&mut self, account: AccountView) -> zbus::Result<()> {
        let id = account.id.clone();
        let path = ObjectName::Account(id.clone()).path();
        if let Some(ShownAccount { view, .. }) = self.accounts.get(&id) {
            let line = changes::between(line::CHANGING, &view.borrow(), &account);
            self.show::<Account, _>(&path, view, account, account::CHANGING).await?;
            return self.tell::<Line>(&path, line).await;
        }
        let view = watch::Sender::new(account);
        let line = Line { view: view.subscribe() };
        let object = Account { desk: Arc::clone(&self.desk), view: view.subscribe() };
        self.accounts.insert(id, ShownAccount { view, owner: None });
        // Who hears of the account finds its line there.
        self.connection.object_server().at(path.clone(), line).await?;
        self.connection.object_server().at(path, object).await.map(drop)
    }

    async fn account_gone(&mut self, account: AccountId) -> zbus::Result<()> {
        if self.accounts.remove(&account).is_some() {
            let path = ObjectName::Account(account).path();
            self.connection.object_server().remove::<Account, _>(path.clone()).await?;
            self.connection.object_server().remove::<Line, _>(path).await?;
        }
        Ok(())
    }

    async fn count_calls(&self) -> zbus::Result<()> {
        let service = self.service.borrow().service.clone();
        self.show_service(ServiceRecord { service, calls: self.calls.len() }).await
    }

    async fn show_service(&self, record: ServiceRecord) -> zbus::Result<()> {
        let root = ObjectName::Root.path();
        self.show::<SipWitch, _>(&root, &self.service, record, sipwitch::CHANGING).await
    }

    /// Replaces a snapshot, and then tells what is different.
    async fn show<I: Interface, S: PartialEq>(
        &self,
        path: &OwnedObjectPath,
        view: &watch::Sender<S>,
        new: S,
        properties: &[Property<S>],
    ) -> zbus::Result<()> {
        let changed = changes::between(properties, &view.borrow(), &new);
        view.send_replace(new);
        self.tell::<I>(path, changed).await
    }

    async fn tell<I: Interface>(
        &self,
        path: &OwnedObjectPath,
        changed: HashMap<&'static str, Value<'static>>,
    ) -> zbus::Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let emitter = self.emitter(path)?;
        Properties::properties_changed(&emitter, I::name(), changed, (&[][..]).into()).await
    }

    fn root(&self) -> zbus::Result<SignalEmitter<'static>> {
        SignalEmitter::new(&self.connection, names::ROOT)
    }

    fn emitter(&self, path: &OwnedObjectPath) -> zbus::Result<SignalEmitter<'static>> {
        SignalEmitter::new(&self.connection, path.clone())
    }
}

/// The keys of a map that are not among those that are there.
fn gone<K: Clone + Eq + Hash, V>(map: &HashMap<K, V>, there: impl Iterator<Item = K>) -> Vec<K> {
    let there: HashSet<K> = there.collect();
    map.keys().filter(|key| !there.contains(key)).cloned().collect()
}
