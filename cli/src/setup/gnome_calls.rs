// SPDX-License-Identifier: GPL-3.0-or-later
//! GNOME Calls: a group of its `sip-account.cfg`, and the password in the keyring.

use std::collections::HashMap;

use super::{
    Account, Home, Write, already, free_section,
    keyring::{self, Entry},
    on_new_line, present,
};
use crate::{failure::Failure, output::Output};

/// It leaves an account without a password alone; one that is never asked for does.
pub(super) async fn keep_password(
    account: &Account,
    bus: &zbus::Connection,
    output: &Output,
) -> Result<(), Failure> {
    let (host, _) = account.host_and_port();
    let entry = Entry {
        label: format!("GNOME Calls: {}", account.address()),
        attributes: HashMap::from([
            ("xdg:schema", "sm.puri.Calls"),
            ("protocol", "sip"),
            ("server", host),
            ("username", &account.extension),
        ]),
    };
    keyring::store(bus, output, entry, account.password.as_deref().unwrap_or("none")).await
}

pub(super) fn writes(account: &Account, home: &Home) -> Result<Vec<Write>, Failure> {
    let path = home.config.join("calls").join("sip-account.cfg");
    let text = present(&path)?;
    let id = format!("Id=sipwitch-{}", account.extension);
    if text.lines().any(|line| line.trim() == id) {
        return Err(already(&path, account));
    }
    let (host, port) = account.host_and_port();
    let added = format!(
        "\n[sip-{number:02}]\n\
         {id}\n\
         Host={host}\n\
         User={user}\n\
         DisplayName=SIP Witch {user}\n\
         Protocol={transport}\n\
         Port={port}\n\
         AutoConnect=true\n\
         DirectMode=false\n\
         LocalPort=0\n\
         CanTel=true\n\
         MediaEncryption=0\n",
        number = free_section(&text, "sip-"),
        user = account.extension,
        transport = account.transport.to_uppercase(),
    );
    Ok(vec![Write { added: on_new_line(&text, added), path }])
}
