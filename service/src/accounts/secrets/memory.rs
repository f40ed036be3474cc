// SPDX-License-Identifier: GPL-3.0-or-later
//! No store at all: the keeper remembers what it was told.

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{Kept, Owner, SecretStore, Trouble};
use crate::secret::Secret;

/// Keeps nothing: as if there were no keyring, and one will not come.
#[derive(Debug)]
pub(super) struct Memory;

impl SecretStore for Memory {
    fn kept(&self) -> Kept {
        Kept::Memory
    }

    fn read<'a>(
        &'a mut self,
        _: &'a Owner,
    ) -> BoxFuture<'a, Result<Option<Secret<String>>, Trouble>> {
        async { Ok(None) }.boxed()
    }

    fn write<'a>(
        &'a mut self,
        _: &'a Owner,
        _: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        async { Ok(()) }.boxed()
    }

    fn remove<'a>(&'a mut self, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        async { Ok(()) }.boxed()
    }

    fn unlock(&mut self) -> BoxFuture<'static, Result<(), Trouble>> {
        async { Ok(()) }.boxed()
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }

    fn rest(&mut self) {}
}
