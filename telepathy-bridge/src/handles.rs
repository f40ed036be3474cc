// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers for contacts, as Telepathy wants them: never 0, and never another contact's.

use std::collections::HashMap;

use crate::error::{Error, Name};

/// More contacts than anybody calls in one session; a client that asks for more has lost its mind.
pub(crate) const MAX_HANDLES: usize = 1 << 16;

/// The handles of a connection. They live as long as it does (`HasImmortalHandles`).
#[derive(Debug, Default)]
pub(crate) struct Handles {
    identifiers: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Handles {
    /// The handle of a normal identifier; a new one where it has none.
    ///
    /// # Errors
    /// `NotAvailable`, if there are [`MAX_HANDLES`] already.
    pub(crate) fn of(&mut self, identifier: &str) -> Result<u32, Error> {
        if let Some(&handle) = self.numbers.get(identifier) {
            return Ok(handle);
        }
        let next = u32::try_from(self.identifiers.len() + 1).unwrap_or(u32::MAX);
        if self.identifiers.len() >= MAX_HANDLES {
            let words = format!("this connection has {MAX_HANDLES} contacts: connect again");
            return Err(Name::NotAvailable.because(words));
        }
        self.identifiers.push(identifier.to_owned());
        self.numbers.insert(identifier.to_owned(), next);
        Ok(next)
    }

    /// The handle of a normal identifier, if it has one.
    pub(crate) fn known(&self, identifier: &str) -> Option<u32> {
        self.numbers.get(identifier).copied()
    }

    /// The identifier of a handle.
    pub(crate) fn identifier(&self, handle: u32) -> Option<&str> {
        let index = usize::try_from(handle.checked_sub(1)?).ok()?;
        self.identifiers.get(index).map(String::as_str)
    }

    /// The identifier of a handle.
    ///
    /// # Errors
    /// `InvalidHandle`, if it was never given out.
    pub(crate) fn inspect(&self, handle: u32) -> Result<&str, Error> {
        self.identifier(handle)
            .ok_or_else(|| Name::InvalidHandle.because(format!("{handle} is no handle of ours")))
    }
}
