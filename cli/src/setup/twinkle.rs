// SPDX-License-Identifier: GPL-3.0-or-later
//! Twinkle: a profile of its own, `~/.twinkle/sipwitch-101.cfg`, and a port that is free.

use super::{Account, Home, Write, already, on_new_line, present, takes_our_port};
use crate::failure::Failure;

pub(super) fn writes(account: &Account, home: &Home) -> Result<Vec<Write>, Failure> {
    let file = format!("sipwitch-{}.cfg", account.extension);
    let path = home.directory.join(".twinkle").join(file);
    if path.exists() {
        return Err(already(&path, account));
    }
    // Servers stand without a scheme here; with one they are taken for no server at all.
    let added = format!(
        "user_name={user}\n\
         user_domain={domain}\n\
         user_display={user}\n\
         auth_realm=\n\
         auth_name={user}\n\
         auth_pass={password}\n\
         outbound_proxy={server}\n\
         all_requests_to_proxy=yes\n\
         registrar={server}\n\
         registration_time=300\n\
         register_at_startup=yes\n\
         sip_transport={transport}\n",
        user = account.extension,
        domain = account.domain,
        server = account.server,
        transport = account.transport,
        password = account.password.as_deref().unwrap_or_default(),
    );
    let mut writes = vec![Write { path, added }];
    // It listens on one port for all profiles and does not start if the service has it.
    let path = home.directory.join(".twinkle").join("twinkle.sys");
    let text = present(&path)?;
    if takes_our_port(&text, "sip_port", account) {
        let port = account.host_and_port().1.parse().unwrap_or(5060_u16).saturating_add(2);
        writes.push(Write { added: on_new_line(&text, format!("sip_port={port}\n")), path });
    }
    Ok(writes)
}
