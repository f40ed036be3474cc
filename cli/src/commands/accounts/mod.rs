// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch accounts` and `sipwitch lines`

mod add;
mod guide;
mod progress;
mod ringing;
mod show;

use serde_json::json;
use sipwitch_dbus_interfaces::{AccountProxy, ObjectName, wire::AccountProperties};

use crate::{
    arguments::{AccountArguments, Accounts},
    failure::Failure,
    output::Output,
    prompt,
    service::Service,
};

pub(crate) use show::lines;

/// Looks after accounts.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    command: Option<Accounts>,
) -> Result<(), Failure> {
    match command.unwrap_or(Accounts::List) {
        Accounts::List => show::list(service, output).await,
        Accounts::Show { account } => show::one(service, output, &account).await,
        Accounts::Add(wanted) => add::run(service, output, *wanted).await,
        Accounts::Change { account, properties } => {
            let properties = of(properties);
            if properties == AccountProperties::default() {
                return Err(Failure::usage(
                    format!("nothing that could change about {account} was named"),
                    "name it: --title, --answer, --set, --incoming, --user, --order, --region",
                ));
            }
            proxy(service, &account).await?.update(&properties).await?;
            done(output, &account, "changed")
        }
        Accounts::Password { account, forget: true, .. } => {
            proxy(service, &account).await?.set_password("").await?;
            done(output, &account, "has no password any more")
        }
        Accounts::Password { account, password_stdin, no_wait, .. } => {
            let proxy = proxy(service, &account).await?;
            let password = password(&account, password_stdin)?;
            let kept = proxy.set_password(&password).await?;
            output.line(progress::kept(&account, kept));
            progress::follow(output, &account, &proxy, no_wait).await
        }
        Accounts::Remove { account } => {
            proxy(service, &account).await?.remove().await?;
            done(output, &account, "removed")
        }
        Accounts::Enable { account, no_wait } => {
            let proxy = proxy(service, &account).await?;
            let on = AccountProperties { enabled: Some(true), ..AccountProperties::default() };
            proxy.update(&on).await?;
            progress::follow(output, &account, &proxy, no_wait).await
        }
        Accounts::Disable { account } => {
            let off = AccountProperties { enabled: Some(false), ..AccountProperties::default() };
            proxy(service, &account).await?.update(&off).await?;
            done(output, &account, "is off")
        }
        Accounts::TryAgain { account, no_wait } => {
            let proxy = proxy(service, &account).await?;
            proxy.try_again().await?;
            progress::follow(output, &account, &proxy, no_wait).await
        }
    }
}

fn of(arguments: AccountArguments) -> AccountProperties {
    let map =
        |pairs: Vec<(String, String)>| (!pairs.is_empty()).then(|| pairs.into_iter().collect());
    AccountProperties {
        title: arguments.title,
        incoming: arguments.incoming,
        users: match &arguments.users[..] {
            [] => None,
            // An empty name stands for everybody.
            [none] if none.is_empty() => Some(Vec::new()),
            _ => Some(arguments.users),
        },
        order: arguments.order,
        region: arguments.region,
        answers: map(arguments.answers),
        settings: map(arguments.settings),
        ..AccountProperties::default()
    }
}

fn done(output: &Output, account: &str, what: &str) -> Result<(), Failure> {
    output.value(&json!({ "account": account, "done": what }));
    output.line(format!("account {account} {what}"));
    Ok(())
}

/// Asks on a terminal, without showing it; else takes one line of standard input, so that it never
/// stands on a command line.
fn password(account: &str, from_stdin: bool) -> Result<String, Failure> {
    let given = if from_stdin || !prompt::somebody_is_there() {
        prompt::piped()?
    } else {
        prompt::hidden(&format!("password of {account}: "))?
    };
    if given.is_empty() {
        return Err(Failure::usage("no password was given", "use --forget to take it away"));
    }
    Ok(given)
}

async fn proxy(service: &Service, account: &str) -> Result<AccountProxy<'static>, Failure> {
    let known = service.world().await?.accounts;
    if !known.iter().any(|one| one.id == account) {
        return Err(Failure::new(
            format!("there is no account {account}"),
            "`sipwitch accounts` lists them, `sipwitch accounts add` makes one",
        ));
    }
    at(service, account).await
}

async fn at(service: &Service, account: &str) -> Result<AccountProxy<'static>, Failure> {
    let path = ObjectName::Account(account.to_owned()).path();
    Ok(AccountProxy::builder(&service.connection).path(path)?.build().await?)
}
