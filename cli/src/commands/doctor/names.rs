// SPDX-License-Identifier: GPL-3.0-or-later
//! How names are looked up.

use sipwitch_dbus_interfaces::wire::{NamesInfo, NoOptions, Signatures};

use super::Finding;
use crate::{output::Output, service::Service, world::Account};

/// So many domains of accounts are looked up; each may take some ten seconds.
const DOMAINS: usize = 3;

/// Whether names can be looked up, and whether the answers can be proven.
pub(super) async fn look(service: &Service, output: &Output, accounts: &[Account]) -> Vec<Finding> {
    let ask = async |domain: &str| {
        let asking = service.proxy.check_names(domain, &NoOptions {});
        output.waiting("asking the name servers", asking).await
    };
    // What cannot be looked at is a finding like others, and hides none of them.
    let mut findings = match ask("").await {
        Ok(report) => Vec::from(general(&report, needs_names(accounts))),
        Err(error) => vec![Finding::not_told("names", error)],
    };
    for domain in doubtful_domains(accounts) {
        findings.push(match ask(domain).await {
            Ok(report) => of_domain(domain, &report),
            Err(error) => Finding::not_told("domain", error),
        });
    }
    findings
}

/// A gateway is a phone here, and an account that is off needs nothing.
fn needs_names(accounts: &[Account]) -> bool {
    accounts.iter().any(|account| account.enabled && !is_gateway(account))
}

fn is_gateway(account: &Account) -> bool {
    account.line.as_ref().is_some_and(|line| line.kind == "gateway")
}

/// The domains of accounts that cannot be reached. Where a provider is known, its file may name
/// other servers, and what is wrong with those the account says itself.
fn doubtful_domains(accounts: &[Account]) -> Vec<&str> {
    let mut domains: Vec<&str> = accounts
        .iter()
        .filter(|account| account.state == "unreachable" && account.provider.is_empty())
        .filter(|account| !is_gateway(account))
        .filter_map(|account| {
            let registrar = account.settings.get("server.registrar").map(String::as_str);
            registrar.or_else(|| account.address.rsplit('@').next())
        })
        .filter(|domain| !domain.is_empty())
        .collect();
    domains.sort_unstable();
    domains.dedup();
    domains.truncate(DOMAINS);
    domains
}

fn general(report: &NamesInfo, are_needed: bool) -> [Finding; 2] {
    let servers = match &report.servers[..] {
        [] => "no name server".to_owned(),
        servers => servers.join(", "),
    };
    let names = if report.signatures == Signatures::Unknown {
        let next = "look at /etc/resolv.conf, or name others: [names] servers in the configuration";
        let found = format!("{servers}: {}", report.failure);
        if are_needed {
            Finding::bad("names", found, next)
        } else {
            Finding::doubtful("names", found, next)
        }
    } else {
        let found = format!("{servers} answers within {} ms", report.milliseconds);
        Finding::good("names", found)
    };
    let signatures = match report.signatures {
        Signatures::Yes => Finding::good("DNSSEC", "answers can be proven"),
        Signatures::No => Finding::doubtful(
            "DNSSEC",
            "the name servers leave signatures out: answers cannot be proven",
            "calls work all the same; servers that hand signatures on can be named: [names] servers",
        ),
        Signatures::Unknown => {
            Finding::doubtful("DNSSEC", "not known, as long as no name server answers", "")
        }
    };
    [names, signatures]
}

fn of_domain(domain: &str, report: &NamesInfo) -> Finding {
    match &report.places[..] {
        [] => Finding::bad(
            "domain",
            format!("{domain} leads nowhere: {}", report.failure),
            "is it written as the provider writes it?",
        ),
        places => Finding::good("domain", format!("{domain} leads to {}", places.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(signatures: Signatures, failure: &str) -> NamesInfo {
        NamesInfo {
            servers: vec!["192.0.2.53:53".into()],
            signatures,
            places: Vec::new(),
            failure: failure.into(),
            milliseconds: 7,
        }
    }

    #[test]
    fn silent_name_servers_are_bad_where_they_are_needed() {
        let silent = report(Signatures::Unknown, "the name servers do not answer");
        for (are_needed, verdict) in [(true, "bad"), (false, "doubtful")] {
            let [names, _] = general(&silent, are_needed);
            assert_eq!(names.verdict, verdict);
            assert!(names.found.contains("192.0.2.53:53: the name servers do not"), "{names:?}");
        }
        let [names, signatures] = general(&report(Signatures::No, ""), true);
        assert_eq!((names.verdict, signatures.verdict), ("good", "doubtful"));
        let [_, signatures] = general(&report(Signatures::Yes, ""), true);
        assert_eq!(signatures.verdict, "good");
    }

    #[test]
    fn only_a_domain_that_an_account_cannot_reach_is_looked_up() {
        let account = |state: &str, provider: &str| Account {
            address: format!("100@{state}.example"),
            state: state.into(),
            provider: provider.into(),
            ..Account::default()
        };
        let line = crate::world::Line { kind: "gateway".into(), ..Default::default() };
        let phone = Account { line: Some(line), ..account("unreachable", "") };
        let accounts = [
            Account { address: "555".into(), ..phone },
            account("unreachable", ""),
            account("unreachable", "dus-net"),
            account("online", ""),
            account("unreachable", ""),
        ];
        assert_eq!(doubtful_domains(&accounts), ["unreachable.example"]);
        let nowhere = of_domain("x.example", &report(Signatures::No, "no such name"));
        assert_eq!((nowhere.verdict, nowhere.next.is_empty()), ("bad", false));
    }
}
