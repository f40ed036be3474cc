// SPDX-License-Identifier: GPL-3.0-or-later
//! The users of this machine, from its own files and from nowhere else: no name service is asked, which
//! could take its time, load libraries, or answer for users of another machine.

use std::ffi::CStr;
use std::io;
use std::path::Path;

use sipwitch_digest_store::Table;
use zeroize::Zeroizing;

/// Where the files are.
#[derive(Clone, Copy)]
pub(crate) struct Files {
    pub(crate) passwd: &'static str,
    pub(crate) group: &'static str,
    pub(crate) shadow: &'static str,
}

impl Files {
    /// passwd(5), group(5), shadow(5).
    pub(crate) const OF_THE_MACHINE: Self =
        Self { passwd: "/etc/passwd", group: "/etc/group", shadow: "/etc/shadow" };
}

/// A user of this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    gid: u32,
}

/// The user of this name.
pub(crate) fn user(files: &Files, name: &str) -> io::Result<Option<User>> {
    let table = Table::read(Path::new(files.passwd))?;
    let user = table.number(name, 2).zip(table.number(name, 3));
    Ok(user.map(|(uid, gid)| User { uid, gid }))
}

/// Whether a user belongs to a group, as his own or as one of its members.
pub(crate) fn is_in(files: &Files, name: &str, user: &User, group: &str) -> io::Result<bool> {
    let table = Table::read(Path::new(files.group))?;
    Ok(table.line(group).is_some_and(|fields| {
        let own = fields.get(2).is_some_and(|gid| *gid == user.gid.to_string().as_bytes());
        let members = fields.get(3).copied().unwrap_or_default();
        own || members.split(|byte| *byte == b',').any(|member| member == name.as_bytes())
    }))
}

/// What crypt(3) made of the user's password. None if there is no such thing.
pub(crate) fn hash(files: &Files, name: &str) -> io::Result<Option<Hash>> {
    let table = Table::read(Path::new(files.shadow))?;
    let fields = table.line(name).unwrap_or_default();
    // An empty field lets in without a password, and one with a mark in front lets nobody in.
    let hash = fields.get(1).filter(|hash| !hash.is_empty() && !b"!*".contains(&hash[0]));
    Ok(hash.map(|hash| {
        let mut text = Zeroizing::new(Vec::with_capacity(hash.len() + 1));
        text.extend_from_slice(hash);
        text.push(0);
        Hash(text)
    }))
}

/// A field of shadow(5), and a zero byte. It is wiped, and it does not print.
#[derive(PartialEq, Eq)]
pub(crate) struct Hash(Zeroizing<Vec<u8>>);

impl Hash {
    /// As crypt(3) takes it.
    pub(crate) fn setting(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Files = Files {
        passwd: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/passwd"),
        group: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/group"),
        shadow: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shadow"),
    };

    #[test]
    fn users_are_found_by_their_whole_name() {
        let found = |name| user(&FILES, name).unwrap();
        assert_eq!(found("anna"), Some(User { uid: 2001, gid: 2001 }));
        for name in ["ann", "annab", "", "broken", "anna:x", "+"] {
            assert_eq!(found(name), None, "{name}");
        }
        let nowhere = Files { passwd: "/nowhere/passwd", ..FILES };
        assert!(user(&nowhere, "anna").is_err());
    }

    #[test]
    fn members_of_a_group_are_those_listed_and_those_whose_own_it_is() {
        let check = |name: &str, group: &str| {
            let user = user(&FILES, name).unwrap().unwrap();
            is_in(&FILES, name, &user, group).unwrap()
        };
        assert!(check("anna", "phones") && check("anna", "anna") && check("bert", "phones"));
        assert!(!check("bert", "anna") && !check("cora", "phones") && !check("anna", "nobody"));
    }

    #[test]
    fn locked_and_empty_passwords_prove_nothing() {
        let found = |name: &str| hash(&FILES, name).unwrap();
        assert_eq!(found("anna").unwrap().setting(), Some(c"$6$salt$hash"));
        for name in ["bert", "cora", "dora", "nobody"] {
            assert!(found(name).is_none(), "{name}");
        }
    }
}
