// SPDX-License-Identifier: GPL-3.0-or-later
//! What a method of ours gives, and how its arguments are read.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use zbus::{
    Message,
    zvariant::{Structure, Type, Value},
};

use crate::error::{Error, Name};

/// A dictionary of anything.
pub(crate) type Map = HashMap<String, Value<'static>>;

/// What a method gives.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Nothing.
    Nothing,
    /// Values.
    Values(Structure<'static>),
    /// The answer comes when somebody else has answered us.
    Later,
}

impl Reply {
    /// A reply with values.
    pub(crate) fn of(values: impl Into<Structure<'static>>) -> Self {
        Self::Values(values.into())
    }
}

/// The arguments of a call, whose types were compared with the table before.
pub(crate) fn arguments<T: DeserializeOwned + Type>(message: &Message) -> Result<T, Error> {
    message.body().deserialize_unchecked().map_err(|error| {
        Name::InvalidArgument.because(format!("these arguments cannot be: {error}"))
    })
}
