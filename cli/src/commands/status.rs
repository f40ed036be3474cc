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
    let proxy = &service.proxy;
    let version = proxy.version().await?;
    let addresses = proxy.addresses().await?;
    let domain = proxy.domain().await?;
    let realm = proxy.realm().await?;
    let file = proxy.configuration_file().await?;
    let started = proxy.started_at_microseconds().await?;
    let network = proxy.network().await?;
    let emergency = proxy.emergency().await?;
    let emergency_words = proxy.emergency_words().await?;
    let numbers: BTreeMap<String, Vec<String>> =
        proxy.emergency_numbers().await?.into_iter().collect();
    let warnings = proxy.warnings().await?;
    let world = service.world().await?;
    output.value(&json!({
        "version": version,
        "addresses": addresses,
        "domain": domain,
        "realm": realm,
        "configuration-file": file,
        "started-at-microseconds": started,
        "network": network,
        "emergency": emergency.as_str(),
        "emergency-words": emergency_words,
        "emergency-numbers": numbers,
        "warnings": warnings,
        "extensions": world.extensions.len(),
        "phones": world.phones.len(),
        "calls": world.calls.len(),
    }));
    let heading = if warnings.is_empty() {
        output.paint(Mood::Good, "running")
    } else {
        output.paint(Mood::Doubtful, "running, with warnings")
    };
    let up = duration(now_microseconds().saturating_sub(started));
    output.line(format!("SIP Witch {version}: {heading} for {up}"));
    output.line(format!("  listens on     {}", addresses.join(", ")));
    output.line(format!("  domain         {domain}"));
    output.line(format!("  configuration  {}", if file.is_empty() { "none" } else { &file }));
    if !network.is_empty() {
        output.line(format!("  network        {network}"));
    }
    let mood = match emergency {
        EmergencyState::Available => Mood::Good,
        EmergencyState::LocationRequired | EmergencyState::Unsure => Mood::Doubtful,
        EmergencyState::Unlikely | EmergencyState::None => Mood::Bad,
    };
    output.line(format!("  emergencies    {}", output.paint(mood, &emergency_words)));
    output.line(format!("  extensions     {}", world.extensions.len()));
    output.line(format!("  phones         {}", world.phones.len()));
    output.line(format!("  calls          {}", world.calls.len()));
    for warning in &warnings {
        output.line(output.paint(Mood::Doubtful, &format!("  ! {warning}")));
    }
    Ok(())
}
