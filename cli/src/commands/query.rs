// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch query`

use serde_json::json;
use sipwitch_dbus_interfaces::wire::NoOptions;

use crate::{
    failure::Failure,
    output::{Mood, Output, clean},
    service::Service,
};

/// Asks an address what it is.
pub(crate) async fn run(service: &Service, output: &Output, uri: &str) -> Result<(), Failure> {
    output.line(format!("asking {uri}, for 32 seconds at most"));
    let hops =
        output.waiting("waiting for an answer", service.proxy.query(uri, &NoOptions {})).await?;
    let values: Vec<_> = hops
        .iter()
        .map(|hop| {
            json!({
                "address": hop.address,
                "status": hop.status,
                "reason": hop.reason,
                "server": hop.server,
                "allow": hop.allow,
                "milliseconds": hop.milliseconds,
            })
        })
        .collect();
    output.value(&values);
    let mut answered = false;
    for (at, hop) in hops.iter().enumerate() {
        let status = match hop.status {
            Some(code) => {
                answered |= code != 483;
                let mood = if (200..300).contains(&code) { Mood::Good } else { Mood::Doubtful };
                output.paint(mood, &format!("{code} {}", clean(&hop.reason)))
            }
            None => output.paint(Mood::Bad, &clean(&hop.reason)),
        };
        output.line(format!(
            "{:>2}  {}  {status}  {} ms",
            at + 1,
            clean(&hop.address),
            hop.milliseconds
        ));
        if !hop.server.is_empty() {
            output.line(format!("      program  {}", clean(&hop.server)));
        }
        if !hop.allow.is_empty() {
            output.line(format!("      takes    {}", clean(&hop.allow)));
        }
    }
    if answered {
        return Ok(());
    }
    Err(Failure::new(
        format!("nothing answered for {uri}"),
        "check the address, and whether anything listens there",
    ))
}
