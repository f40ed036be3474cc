// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch status`

use std::collections::BTreeMap;

use serde_json::json;
use sipwitch_dbus_interfaces::wire::EmergencyState;

use crate::{
    failure::Failure,
    output::{Mood, Output, duration, now_microseconds},
    service::Service,
};

/// Shows how the service stands.
pub(crate) async fn run(service: &Service, output: &Output) -> Result<(), Failure> {
    let standing = service.standing().await?;
    let world = service.world().await?;
    let waiting: Vec<_> =
        world.accounts.iter().filter(|account| account.messages_waiting > 0).collect();
    let counts: BTreeMap<&str, u32> =
        waiting.iter().map(|account| (&*account.id, account.messages_waiting)).collect();
    output.value(&json!({
        "version": standing.version,
        "addresses": standing.addresses,
        "domain": standing.domain,
        "realm": standing.realm,
        "configuration-file": standing.configuration_file,
        "started-at-microseconds": standing.started_at_microseconds,
        "network": standing.network,
        "emergency": standing.emergency,
        "emergency-words": standing.emergency_words,
        "emergency-numbers": standing.emergency_numbers,
        "warnings": standing.warnings,
        "extensions": world.extensions.len(),
        "phones": world.phones.len(),
        "calls": world.calls.len(),
        "messages-waiting": counts,
        "not-told": standing.lacks,
    }));
    let warnings = standing.warnings.as_deref().unwrap_or_default();
    let older = standing.is_older();
    let heading = if warnings.is_empty() && older.is_none() {
        output.paint(Mood::Good, "running")
    } else {
        output.paint(Mood::Doubtful, "running, with warnings")
    };
    let version =
        standing.version.as_deref().map_or(String::new(), |version| format!(" {version}"));
    let up = standing.started_at_microseconds.map_or(String::new(), |started| {
        format!(" for {}", duration(now_microseconds().saturating_sub(started)))
    });
    output.line(format!("SIP Witch{version}: {heading}{up}"));
    let row = |label: &str, value: &str| output.line(format!("  {label:<14} {value}"));
    if let Some(addresses) = &standing.addresses {
        row("listens on", &addresses.join(", "));
    }
    if let Some(domain) = &standing.domain {
        row("domain", domain);
    }
    if let Some(file) = standing.configuration_file.as_deref() {
        row("configuration", if file.is_empty() { "none" } else { file });
    }
    if let Some(network) = standing.network.as_deref().filter(|network| !network.is_empty()) {
        row("network", network);
    }
    if let Some(words) = &standing.emergency_words {
        let state = standing.emergency.as_deref().map(str::parse);
        row("emergencies", &output.paint(mood(state.and_then(Result::ok)), words));
    }
    row("extensions", &world.extensions.len().to_string());
    row("phones", &world.phones.len().to_string());
    row("calls", &world.calls.len().to_string());
    for account in waiting {
        row("messages", &format!("{}: {}", account.id, account.messages_waiting_words));
    }
    for warning in warnings {
        output.line(output.paint(Mood::Doubtful, &format!("  ! {warning}")));
    }
    if let Some((found, next)) = older {
        output.line(output.paint(Mood::Doubtful, &format!("  ! {found}")));
        output.line(format!("    {next}"));
    }
    Ok(())
}

const fn mood(emergency: Option<EmergencyState>) -> Mood {
    match emergency {
        Some(EmergencyState::Available) => Mood::Good,
        Some(EmergencyState::LocationRequired | EmergencyState::Unsure) | None => Mood::Doubtful,
        Some(EmergencyState::Unlikely | EmergencyState::None) => Mood::Bad,
    }
}
