// SPDX-License-Identifier: GPL-3.0-or-later
//! Methods of the connection that newer specifications have as properties, and that every client
//! still calls.

use zbus::Message;

use super::Connection;
use crate::{
    error::{Error, Name},
    protocol::{CONNECTION_INTERFACES, names},
    reply::{Reply, arguments},
};

/// Handle_Type of a contact.
const CONTACT: u32 = 1;

fn contacts_only(kind: u32) -> Result<(), Error> {
    if kind == CONTACT {
        return Ok(());
    }
    Err(Name::InvalidArgument.because(format!("handle type {kind}: there are contacts (1) only")))
}

impl Connection {
    pub(super) fn old_method(&mut self, name: &str, call: &Message) -> Result<Reply, Error> {
        match name {
            "GetInterfaces" => Ok(Reply::of((names(CONNECTION_INTERFACES),))),
            "GetProtocol" => Ok(Reply::of((self.id.protocol().name(),))),
            "GetSelfHandle" => {
                self.connected()?;
                Ok(Reply::of((self.self_handle,)))
            }
            "GetStatus" => Ok(Reply::of((self.status as u32,))),
            // Handles are immortal, and nothing here is done only on interest.
            "AddClientInterest" | "RemoveClientInterest" => Ok(Reply::Nothing),
            "HoldHandles" | "ReleaseHandles" => {
                let (kind, handles): (u32, Vec<u32>) = arguments(call)?;
                self.connected()?;
                contacts_only(kind)?;
                handles.iter().try_for_each(|&handle| self.handles.inspect(handle).map(drop))?;
                Ok(Reply::Nothing)
            }
            "InspectHandles" => {
                let (kind, handles): (u32, Vec<u32>) = arguments(call)?;
                self.connected()?;
                contacts_only(kind)?;
                let identifiers: Result<Vec<String>, Error> = handles
                    .iter()
                    .map(|&handle| self.handles.inspect(handle).map(str::to_owned))
                    .collect();
                Ok(Reply::of((identifiers?,)))
            }
            "RequestHandles" => {
                let (kind, identifiers): (u32, Vec<String>) = arguments(call)?;
                self.connected()?;
                contacts_only(kind)?;
                // All or none: nothing is remembered of a list with a fault in it.
                let normal: Result<Vec<String>, Error> =
                    identifiers.iter().map(|id| self.normal(id)).collect();
                let handles: Result<Vec<u32>, Error> =
                    normal?.iter().map(|id| self.handles.of(id)).collect();
                Ok(Reply::of((handles?,)))
            }
            "ListChannels" => {
                self.connected()?;
                Ok(Reply::of((self.old_channels(),)))
            }
            "RequestChannel" => {
                Err(Name::NotImplemented.because("channels are made by Requests.CreateChannel"))
            }
            _ => Err(Name::NotImplemented.because(format!("{name} is not served"))),
        }
    }
}
