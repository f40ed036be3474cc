// SPDX-License-Identifier: GPL-3.0-or-later
//! Waiting for an account to be online, or to say why it is not.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use sipwitch_dbus_interfaces::{
    AccountProxy,
    wire::{AccountState, PasswordKept},
};

use crate::{
    failure::Failure,
    output::{Mood, Output},
};

/// A provider that has not answered by now is not waited for.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where a password went, in words.
pub(super) fn kept(account: &str, kept: PasswordKept) -> String {
    match kept {
        PasswordKept::Keyring => format!("the password of {account} is in the keyring"),
        PasswordKept::File => {
            format!("the password of {account} is in a file that only you can read")
        }
        PasswordKept::Memory => format!(
            "the password of {account} is kept in memory: no keyring took it, so it is asked for \
             again after a restart"
        ),
        PasswordKept::None | PasswordKept::Unneeded | PasswordKept::Unknown => {
            format!("the password of {account} is kept nowhere")
        }
    }
}

/// How an account stands, in its colour.
pub(super) fn mood(state: &str) -> Mood {
    match state {
        "online" => Mood::Good,
        "registering" | "off" => Mood::Plain,
        "keyring-locked" => Mood::Doubtful,
        _ => Mood::Bad,
    }
}

/// Waits until an account is online, or will not be without the user, and says so.
pub(super) async fn follow(
    output: &Output,
    id: &str,
    account: &AccountProxy<'_>,
    no_wait: bool,
) -> Result<(), Failure> {
    if !no_wait {
        let settled = tokio::time::timeout(PATIENCE, settle(output, account));
        // What takes longer goes on without us.
        if let Ok(done) = output.waiting(&format!("trying {id}"), settled).await {
            done?;
        }
    }
    let state = account.state().await?;
    let (reason, next) = (account.state_reason().await?, account.next_step().await?);
    let words = format!("{id} is {state}{}", if reason.is_empty() { "" } else { ": " });
    let is_good = matches!(state, AccountState::Online | AccountState::Off);
    output.value(&json!({
        "account": id, "state": state.as_str(), "reason": reason, "next": next,
    }));
    if is_good || no_wait || state == AccountState::Registering {
        let painted = output.paint(mood(state.as_str()), state.as_str());
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        output.line(format!("account {id} is {painted}{reason}"));
        return Ok(());
    }
    Err(Failure::new(format!("{words}{reason}"), next))
}

async fn settle(output: &Output, account: &AccountProxy<'_>) -> Result<(), Failure> {
    let mut states = account.receive_state_changed().await;
    let mut is_told = false;
    // The first that comes is the one there is.
    while let Some(change) = states.next().await {
        match change.get().await? {
            AccountState::Registering => {}
            // A window may have opened: whoever closes it is told below.
            AccountState::KeyringLocked if !is_told => {
                is_told = true;
                output.line("waiting for you to unlock the keyring …");
            }
            AccountState::KeyringLocked => {}
            AccountState::Online
            | AccountState::NeedsPassword
            | AccountState::Refused
            | AccountState::Unreachable
            | AccountState::Off => return Ok(()),
        }
    }
    Err(Failure::bus_is_gone())
}
