// SPDX-License-Identifier: GPL-3.0-or-later
//! Twinkle: a profile of its own, `~/.twinkle/sipwitch-101.cfg`.

use super::{Account, Home, Write, already};
use crate::failure::Failure;

pub(super) fn writes(account: &Account, home: &Home) -> Result<Vec<Write>, Failure> {
    let file = format!("sipwitch-{}.cfg", account.extension);
    let path = home.directory.join(".twinkle").join(file);
    if path.exists() {
        return Err(already(&path, account));
    }
    let added = format!(
        "user_name={user}\n\
         user_domain={domain}\n\
         user_display={user}\n\
         auth_realm=\n\
         auth_name={user}\n\
         auth_pass={password}\n\
         outbound_proxy=sip:{server};transport={transport}\n\
         all_requests_to_proxy=yes\n\
         registrar=sip:{server};transport={transport}\n\
         registration_time=300\n\
         register_at_startup=yes\n\
         sip_transport={transport}\n",
        user = account.extension,
        domain = account.domain,
        server = account.server,
        transport = account.transport,
        password = account.password.as_deref().unwrap_or_default(),
    );
    Ok(vec![Write { path, added }])
}
