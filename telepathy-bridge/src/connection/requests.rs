// SPDX-License-Identifier: GPL-3.0-or-later
//! Channels that clients ask for.

use zbus::Message;

use super::Connection;
use crate::{
    error::{Error, Name},
    reply::Reply,
};

impl Connection {
    pub(super) fn requests_method(&mut self, name: &str, _call: &Message) -> Result<Reply, Error> {
        self.connected()?;
        Err(Name::NotImplemented.because(format!("{name}: no class of channels can be asked for")))
    }
}
