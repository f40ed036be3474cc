// SPDX-License-Identifier: GPL-3.0-or-later
//! Linphone: sections of its `linphonerc`.

use super::{Account, Home, Write, already, free_section, on_new_line, present};
use crate::failure::Failure;

pub(super) fn writes(account: &Account, home: &Home) -> Result<Vec<Write>, Failure> {
    // The file has stood in two places; the one that exists is in use.
    let old = home.directory.join(".linphonerc");
    let path = if old.exists() { old } else { home.config.join("linphone").join("linphonerc") };
    let text = present(&path)?;
    let identity = format!("reg_identity=sip:{}", account.address());
    if text.lines().any(|line| line.trim() == identity) {
        return Err(already(&path, account));
    }
    let number = free_section(&text, "proxy_");
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
    if let Some(password) = &account.password {
        let number = free_section(&text, "auth_info_");
        added.push_str(&format!(
            "\n[auth_info_{number}]\nusername={}\npasswd={password}\ndomain={}\n",
            account.extension, account.domain
        ));
    }
    Ok(vec![Write { added: on_new_line(&text, added), path }])
}
