// SPDX-License-Identifier: GPL-3.0-or-later
//! The users of the system, as its name services know them.

use std::io;
use std::path::Path;

use nix::unistd::{self, Uid};
use sipwitch_digest_store::{Name, Table};

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

/// Whether the user of this name has this number. For users of this machine itself passwd(5) says so:
/// the C library would take each of its lines apart first, which is most of what a verification takes
/// where there are many. For all others, and where the file says something else, the name services do.
pub(crate) fn is_number_of(uid: u32, name: &Name) -> io::Result<bool> {
    let local = Table::read(Path::new("/etc/passwd")).ok();
    if local.and_then(|table| table.number(name.as_str(), 2)) == Some(uid) {
        return Ok(true);
    }
    Ok(number_of(name)? == Some(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_that_of_the_whole_name() {
        let is = |uid, name: &str| is_number_of(uid, &name.parse().unwrap()).unwrap();
        assert!(is(0, "root"));
        assert!(!is(1, "root") && !is(0, "roo") && !is(0, "ROOT") && !is(0, "no such user"));
    }
}
