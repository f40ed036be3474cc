// SPDX-License-Identifier: GPL-3.0-or-later
//! baresip: one line of `~/.baresip/accounts`.

use super::{Account, Home, Write, already, on_new_line, present};
use crate::failure::Failure;

pub(super) fn writes(account: &Account, home: &Home) -> Result<Vec<Write>, Failure> {
    let path = home.directory.join(".baresip").join("accounts");
    let text = present(&path)?;
    let address = format!("sip:{}", account.address());
    let has = |line: &str| {
        let line = line.trim_start();
        !line.starts_with('#') && line.split(['<', '>', ';', ' ']).any(|part| part == address)
    };
    if text.lines().any(has) {
        return Err(already(&path, account));
    }
    // Without auth_pass baresip would ask on its terminal; an empty one is asked for too.
    let password = account.password.as_deref().unwrap_or("none");
    let added = format!(
        "<{address};transport={transport}>;outbound=\"sip:{server};transport={transport}\";\
         auth_user={user};auth_pass={password};regint=300\n",
        transport = account.transport,
        server = account.server,
        user = account.extension,
    );
    Ok(vec![Write { added: on_new_line(&text, added), path }])
}
