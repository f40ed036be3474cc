// SPDX-License-Identifier: GPL-3.0-or-later
//! Linphone: sections of the `linphonerc` of its desktop program and of its console.

use super::{Account, Home, Write, already, free_section, on_new_line, present, takes_our_port};
use crate::failure::Failure;

pub(super) fn writes(account: &Account, home: &Home) -> Result<Vec<Write>, Failure> {
    let desktop = home.config.join("linphone").join("linphonerc");
    let console = home.directory.join(".linphonerc");
    let identity = format!("reg_identity=sip:{}", account.address());
    let mut writes = Vec::new();
    for path in [&desktop, &console] {
        let text = present(path)?;
        if !text.lines().any(|line| line.trim() == identity) {
            let added = sections(account, &identity, &text);
            writes.push(Write { added: on_new_line(&text, added), path: path.clone() });
        }
    }
    if writes.is_empty() { Err(already(&desktop, account)) } else { Ok(writes) }
}

fn sections(account: &Account, identity: &str, text: &str) -> String {
    let number = free_section(text, "proxy_");
    let mut added = format!(
        "\n[proxy_{number}]\n\
         reg_proxy=<sip:{server};transport={transport}>\n\
         reg_route=<sip:{server};transport={transport};lr>\n\
         {identity}\n\
         reg_expires=300\n\
         reg_sendregister=1\n\
         publish=0\n",
        server = account.server,
        transport = account.transport,
    );
    // It would take port 5060 of every address and fail, for the service has it; -1 is any port. A
    // section that comes again is added to the first.
    if takes_our_port(text, "sip_port", account) {
        added.push_str("\n[sip]\nsip_port=-1\nsip_tcp_port=-1\nsip_tls_port=-1\n");
    }
    if let Some(password) = &account.password {
        let number = free_section(text, "auth_info_");
        added.push_str(&format!(
            "\n[auth_info_{number}]\nusername={}\npasswd={password}\ndomain={}\n",
            account.extension, account.domain
        ));
    }
    added
}
