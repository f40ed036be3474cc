// SPDX-License-Identifier: GPL-3.0-or-later
//! Accounts and lines as they stand.

use super::progress;
use crate::{
    failure::Failure,
    output::{Output, duration, now_microseconds},
    service::Service,
    world::Account,
};

pub(super) async fn list(service: &Service, output: &Output) -> Result<(), Failure> {
    let accounts = service.world().await?.accounts;
    output.value(&accounts);
    let rows: Vec<Vec<String>> = accounts
        .iter()
        .map(|account| {
            let incoming = match account.incoming.as_str() {
                "" => "everybody",
                extension => extension,
            };
            vec![
                account.id.clone(),
                account.title.clone(),
                account.address.clone(),
                account.state.clone(),
                incoming.to_owned(),
                beginning(&account.state_reason),
            ]
        })
        .collect();
    output.table(
        &["ACCOUNT", "TITLE", "ADDRESS", "STATE", "RINGS", "WHY"],
        &rows,
        "no accounts yet; make one: sipwitch accounts add",
    );
    Ok(())
}

/// As much of a reason as a line of a table has room for; `accounts show` tells it whole.
fn beginning(reason: &str) -> String {
    const ROOM: usize = 80;
    match reason.char_indices().nth(ROOM) {
        None => reason.to_owned(),
        Some((end, _)) => format!("{} …", reason[..end].trim_end()),
    }
}

pub(super) async fn one(service: &Service, output: &Output, id: &str) -> Result<(), Failure> {
    let accounts = service.world().await?.accounts;
    let Some(account) = accounts.into_iter().find(|account| account.id == id) else {
        return Err(Failure::new(
            format!("there is no account {id}"),
            "`sipwitch accounts` lists them",
        ));
    };
    output.value(&account);
    for (label, value) in rows(output, &account) {
        if !value.is_empty() {
            output.line(format!("{label:<18}{value}"));
        }
    }
    Ok(())
}

fn rows(output: &Output, account: &Account) -> Vec<(String, String)> {
    let now = now_microseconds();
    let left = |at: u64| match at {
        0 => String::new(),
        at => format!("in {}", duration(at.saturating_sub(now))),
    };
    let provider = match account.provider.as_str() {
        "" => String::new(),
        id => format!("{} ({id})", account.provider_name),
    };
    let mut rows: Vec<(String, String)> = [
        ("account", account.id.clone()),
        ("title", account.title.clone()),
        ("provider", provider),
        ("address", account.address.clone()),
        ("shows as", account.shows_as.clone()),
        ("messages", account.messages_waiting_words.clone()),
        ("state", output.paint(progress::mood(&account.state), &account.state)),
        ("why", account.state_reason.clone()),
        ("next step", account.next_step.clone()),
        ("tried again", left(account.tries_again_at_microseconds)),
        ("renewed at latest", left(account.registered_until_microseconds)),
        ("server", format!("{} {}", account.transport, account.server).trim().to_owned()),
        ("password", account.password_kept.clone()),
        ("rings", account.incoming.clone()),
        ("used by", account.users.join(", ")),
        ("order", account.order.to_string()),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .into();
    let pairs = account.answers.iter().chain(&account.settings);
    rows.extend(pairs.map(|(key, value)| (key.clone(), value.clone())));
    if let Some(line) = &account.line {
        rows.extend(
            [
                ("region", line.region.clone()),
                ("emergency calls", line.emergency.clone()),
                ("costs", line.cost.clone()),
                ("texts", line.messages.clone()),
            ]
            .map(|(label, value)| (label.to_owned(), value)),
        );
    }
    rows
}

/// `sipwitch lines`
pub(crate) async fn lines(service: &Service, output: &Output) -> Result<(), Failure> {
    let accounts = service.world().await?.accounts;
    let lines: Vec<_> = accounts.iter().filter_map(|account| account.line.as_ref()).collect();
    output.value(&lines);
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.name.clone(),
                line.kind.clone(),
                line.usable.clone(),
                line.emergency.clone(),
                line.region.clone(),
                line.cost.clone(),
                beginning(&line.usable_reason),
            ]
        })
        .collect();
    output.table(
        &["LINE", "KIND", "USABLE", "EMERGENCY", "REGION", "COSTS", "WHY"],
        &rows,
        "no lines yet; make an account: sipwitch accounts add",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn a_long_reason_is_begun() {
        assert_eq!(beginning("it answers"), "it answers");
        let long = "ä".repeat(79) + " and more";
        assert_eq!(beginning(&long), "ä".repeat(79) + " …");
    }
}
