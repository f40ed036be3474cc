// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch digest realm`

use serde_json::json;
use sipwitch_dbus_interfaces::DigestProxy;

use crate::{failure::Failure, output::Output, prompt};

/// Shows the realm.
pub(super) async fn show(output: &Output, digests: &DigestProxy<'_>) -> Result<(), Failure> {
    let realm = digests.realm().await?;
    output.value(&json!({ "realm": realm }));
    if realm.is_empty() {
        output.line("no realm was made yet: the first `sipwitch digest enrol` does it");
    } else {
        output.line(realm);
    }
    Ok(())
}

/// Changes it, once whoever asks knows what that costs.
pub(super) async fn change(
    output: &Output,
    digests: &DigestProxy<'_>,
    realm: &str,
    yes: bool,
) -> Result<(), Failure> {
    let (would_be, losers) = digests.set_realm(realm, true).await?;
    let called = if would_be.is_empty() { "one made at random" } else { would_be.as_str() };
    if losers.is_empty() {
        output.line(format!("the realm becomes {called}; nobody's digests are lost by that"));
    } else {
        output.line(format!(
            "the realm becomes {called}; what is kept of {} is of no use then:",
            users(losers.len())
        ));
        losers.iter().for_each(|user| output.line(format!("  {user}")));
        output.line("Their phones are refused until they log in (with pam_sipwitch.so), run");
        output.line("`sipwitch digest enrol`, or take a new separate password.");
    }
    if !yes && !losers.is_empty() {
        if !prompt::somebody_is_there() {
            return Err(Failure::usage(
                format!(
                    "changing the realm costs {} the password of their phones",
                    users(losers.len())
                ),
                "say --yes if that is meant",
            ));
        }
        let answer = prompt::line("change it? [y/N] ")?;
        if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
            return Err(Failure::new("the realm stays as it is", ""));
        }
    }
    let (realm, lost) = digests.set_realm(realm, false).await?;
    output.value(&json!({ "realm": realm, "users": lost }));
    output.line(format!("the realm is {realm} now"));
    Ok(())
}

fn users(count: usize) -> String {
    if count == 1 { "1 user".to_owned() } else { format!("{count} users") }
}
