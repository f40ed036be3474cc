// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service says of itself: where it listens, who can ring, which lines stand.

use std::path::Path;

use sipwitch_dbus_interfaces::{
    ProvidersProxy,
    wire::{NoOptions, Severity},
};

use super::{Finding, machine, names};
use crate::{
    commands::providers::place,
    failure::Failure,
    output::Output,
    service::Service,
    world::{Account, World},
};

/// Everything that the service can be asked about.
pub(super) async fn look(service: &Service, output: &Output) -> Result<Vec<Finding>, Failure> {
    let standing = service.standing().await?;
    let mut findings = Vec::new();
    let version = standing.version.as_deref().unwrap_or("unknown");
    findings.push(Finding::good("service", format!("version {version} answers")));
    if let Some((found, next)) = standing.is_older() {
        findings.push(Finding::doubtful("service", found, next));
    }
    if let Some(addresses) = &standing.addresses {
        findings.push(listening(addresses));
        findings.push(machine::firewall(addresses));
    }
    if let Some(file) = standing.configuration_file.filter(|file| !file.is_empty()) {
        findings.push(machine::private("configuration", Path::new(&file)));
    }
    for warning in standing.warnings.unwrap_or_default() {
        findings.push(Finding::doubtful("warning", warning, ""));
    }
    let world = service.world().await?;
    findings.extend(ringing(&world));
    findings.extend(accounts(&world.accounts));
    findings.extend(tunnels(&world.accounts));
    findings.extend(providers(&service.connection).await);
    findings.extend(names::look(service, output, &world.accounts).await);
    if let (Some(state), Some(words)) = (standing.emergency, standing.emergency_words) {
        findings.push(emergency(&state, words));
    }
    Ok(findings)
}

fn listening(addresses: &[String]) -> Finding {
    if addresses.is_empty() {
        return Finding::bad(
            "ports",
            "the service hears SIP nowhere",
            "see the warnings, and `ss -lnup` for who holds the port",
        );
    }
    let all = addresses.join(", ");
    if addresses.iter().any(|address| address.ends_with(":5060")) {
        return Finding::good("ports", all);
    }
    Finding::doubtful(
        "ports",
        format!("{all}, not the usual 5060"),
        "phones must be told the port; `ss -lnup` says who holds 5060",
    )
}

/// Who could ring.
fn ringing(world: &World) -> [Finding; 2] {
    let extensions = if world.extensions.is_empty() {
        Finding::doubtful(
            "extensions",
            "there are none, so no phone can register",
            "make one: sipwitch extensions add 101",
        )
    } else {
        Finding::good("extensions", format!("{} known", world.extensions.len()))
    };
    let phones = if world.phones.is_empty() {
        Finding::doubtful(
            "phones",
            "none is registered, so nothing can ring",
            "say what one needs: sipwitch phones add 101",
        )
    } else {
        Finding::good("phones", format!("{} registered", world.phones.len()))
    };
    [extensions, phones]
}

/// Each account that is not online, with its cause and the next step; the others in one line.
fn accounts(accounts: &[Account]) -> Vec<Finding> {
    if accounts.is_empty() {
        return vec![Finding::doubtful(
            "accounts",
            "there are none, so only phones here can be called",
            "make one: sipwitch accounts add",
        )];
    }
    let mut findings = Vec::new();
    let online = accounts.iter().filter(|account| account.state == "online").count();
    if online > 0 {
        findings.push(Finding::good("accounts", format!("{online} of {} online", accounts.len())));
    }
    findings.extend(accounts.iter().filter(|account| account.state != "online").map(|account| {
        let why = match account.state_reason.as_str() {
            "" => String::new(),
            why => format!(": {why}"),
        };
        let found = format!("{} is {}{why}", account.id, account.state);
        let next = match (account.next_step.as_str(), account.state.as_str()) {
            ("", "off") => format!("switch it on: sipwitch accounts enable {}", account.id),
            ("", "registering") => "it is being tried; look again in a moment".to_owned(),
            (next, _) => next.to_owned(),
        };
        match account.state.as_str() {
            "off" | "registering" | "keyring-locked" => Finding::doubtful("account", found, next),
            _ => Finding::bad("account", found, next),
        }
    }));
    findings
}

/// Files of providers that are passed over.
async fn providers(connection: &zbus::Connection) -> Vec<Finding> {
    let problems = async {
        let proxy = ProvidersProxy::new(connection).await?;
        proxy.list_problems(&NoOptions {}).await
    };
    let problems = match problems.await {
        Ok(problems) => problems,
        Err(error) => return vec![Finding::not_told("providers", error)],
    };
    problems
        .iter()
        .filter(|problem| problem.severity == Severity::Fatal)
        .map(|problem| {
            let found = format!("a provider is passed over: {}", place(problem, ""));
            Finding::doubtful(
                "providers",
                found,
                "mend the file: sipwitch-provider(5) tells its keys",
            )
        })
        .collect()
}

/// A VPN is worth a word only where something cannot be reached.
fn tunnels(accounts: &[Account]) -> Option<Finding> {
    let tunnels = machine::tunnels();
    let lost = accounts.iter().any(|account| account.state == "unreachable");
    (lost && !tunnels.is_empty()).then(|| {
        Finding::doubtful(
            "VPN",
            format!("{} is up, and may keep SIP from its servers", tunnels.join(", ")),
            "switch the VPN off and see whether the accounts come online",
        )
    })
}

/// Whether help could be called. The words name the next step themselves.
fn emergency(state: &str, words: String) -> Finding {
    match state {
        "available" => Finding::good("emergency", words),
        _ => Finding::doubtful("emergency", words, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(state: &str, reason: &str, next: &str) -> Account {
        Account {
            id: "pbx".into(),
            state: state.into(),
            state_reason: reason.into(),
            next_step: next.into(),
            ..Account::default()
        }
    }

    #[test]
    fn an_account_that_is_not_online_is_told_with_its_cause_and_the_next_step() {
        for (state, verdict) in [
            ("refused", "bad"),
            ("needs-password", "bad"),
            ("unreachable", "bad"),
            ("keyring-locked", "doubtful"),
            ("registering", "doubtful"),
            ("off", "doubtful"),
        ] {
            let told = accounts(&[account(state, "why", "do this"), account("online", "", "")]);
            assert_eq!(told[0], Finding::good("accounts", "1 of 2 online"));
            assert_eq!(told[1].verdict, verdict, "{state}");
            assert_eq!(told[1].found, format!("pbx is {state}: why"));
            assert_eq!(told[1].next, "do this");
        }
        let off = accounts(&[account("off", "", "")]);
        assert!(off[0].next.contains("accounts enable pbx"), "{off:?}");
    }

    #[test]
    fn only_a_line_that_takes_emergency_calls_is_good() {
        assert_eq!(emergency("available", "by gsm".into()).verdict, "good");
        for state in ["location-required", "unsure", "unlikely", "none"] {
            assert_eq!(emergency(state, "words".into()).verdict, "doubtful", "{state}");
        }
    }
}
