// SPDX-License-Identifier: GPL-3.0-or-later
//! The users of the system, as its name services know them.

use std::io;

use nix::unistd::{self, Uid};
use sipwitch_digest_store::Name;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: Name,
    pub(crate) uid: u32,
}

/// The user of this number. One whose name cannot be stored is none.
pub(crate) fn by_number(uid: u32) -> io::Result<Option<User>> {
    let found = unistd::User::from_uid(Uid::from_raw(uid))?;
    Ok(found.and_then(|user| Some(User { name: user.name.parse().ok()?, uid: user.uid.as_raw() })))
}

/// The number of the user of this name.
pub(crate) fn number_of(name: &Name) -> io::Result<Option<u32>> {
    let found = unistd::User::from_name(name.as_str())?;
    // A name service that knows no difference between capitals and others answers for another name.
    let found = found.filter(|user| user.name == name.as_str());
    Ok(found.map(|user| user.uid.as_raw()))
}
