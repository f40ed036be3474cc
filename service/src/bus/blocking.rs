// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitch1.Blocking

use std::{collections::BTreeMap, sync::Arc};

use sipwitch_dbus_interfaces::{Error, wire::BlockedInfo};
use zbus::{Connection, interface, message::Header, object_server::SignalEmitter};

use super::{
    caller::Caller,
    changes::microseconds,
    desk::Desk,
    options::{self, Dictionary},
};
use crate::switchboard::{
    ask::{Ask, BlockingAsk},
    notice::{BlockedChange, BlockedView},
};

/// The callers whom the user does not want to hear.
pub(super) struct Blocking {
    pub(super) desk: Arc<Desk>,
}

#[interface(name = "org.gnutelephony.SipWitch1.Blocking", introspection_docs = false)]
impl Blocking {
    #[zbus(out_args("callers"))]
    async fn list(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<BlockedInfo>, Error> {
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Blocking(BlockingAsk::List { reply });
        Ok(self.desk.ask(&caller, ask).await?.into_iter().map(info).collect())
    }

    #[zbus(out_args("blocked_by"))]
    async fn check(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        callers: Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Blocking(BlockingAsk::Check { callers, reply });
        self.desk.ask(&caller, ask).await
    }

    #[zbus(out_args("blocked"))]
    async fn add(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        callers: Vec<String>,
        options: Dictionary,
    ) -> Result<Vec<String>, Error> {
        let reason = options::reason(options)?;
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Blocking(BlockingAsk::Add { callers, reason, reply });
        self.desk.change(&caller, ask).await
    }

    #[zbus(out_args("unblocked"))]
    async fn remove(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
        callers: Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let caller = Caller::new(connection, &header);
        let ask = |reply| Ask::Blocking(BlockingAsk::Remove { callers, reply });
        self.desk.change(&caller, ask).await
    }

    #[zbus(signal)]
    pub(super) async fn blocked_changed(
        emitter: &SignalEmitter<'_>,
        blocked: Vec<BlockedInfo>,
        unblocked: Vec<String>,
    ) -> zbus::Result<()>;
}

fn info(view: BlockedView) -> BlockedInfo {
    let BlockedView { caller, reason, since_us } = view;
    BlockedInfo { caller, reason, since_microseconds: microseconds(since_us) }
}

/// What the bus was told of the list, so that what a slow bus lost can be made good.
#[derive(Debug, Default)]
pub(super) struct ShownBlocked(BTreeMap<String, BlockedView>);

impl ShownBlocked {
    /// Takes the whole list, without telling.
    pub(super) fn fill(&mut self, all: Vec<BlockedView>) {
        self.0 = all.into_iter().map(|view| (view.caller.clone(), view)).collect();
    }

    /// Takes the whole list, and gives what is different.
    pub(super) fn compare(&mut self, all: Vec<BlockedView>) -> BlockedChange {
        let old = std::mem::take(&mut self.0);
        self.fill(all);
        let differs = |view: &&BlockedView| old.get(&view.caller) != Some(*view);
        BlockedChange {
            blocked: self.0.values().filter(differs).cloned().collect(),
            unblocked: old.into_keys().filter(|caller| !self.0.contains_key(caller)).collect(),
        }
    }

    /// Takes what is different, and tells it.
    pub(super) async fn tell(
        &mut self,
        emitter: &SignalEmitter<'_>,
        change: BlockedChange,
    ) -> zbus::Result<()> {
        let BlockedChange { blocked, unblocked } = change;
        if blocked.is_empty() && unblocked.is_empty() {
            return Ok(());
        }
        self.0.extend(blocked.iter().map(|view| (view.caller.clone(), view.clone())));
        for caller in &unblocked {
            self.0.remove(caller);
        }
        let blocked = blocked.into_iter().map(info).collect();
        Blocking::blocked_changed(emitter, blocked, unblocked).await
    }
}
