// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch extensions`

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
    time::Duration,
};

use futures_util::StreamExt;

use serde_json::json;
use sipwitch_dbus_interfaces::{
    Error, ExtensionProxy, ObjectName,
    wire::{Authentication, ExtensionKind, ExtensionProperties, LoginState, NoOptions},
};
use tokio::time::timeout;

use crate::{
    arguments::{ExtensionArguments, Extensions},
    failure::Failure,
    output::Output,
    prompt,
    service::Service,
};

/// The most bytes of a CSV file that are sent: what a message on the bus may bear.
const MAX_CSV: u64 = 16 * 1024 * 1024;

/// Looks after extensions.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    command: Option<Extensions>,
) -> Result<(), Failure> {
    match command.unwrap_or(Extensions::List) {
        Extensions::List => list(service, output).await,
        Extensions::Add { number, properties } => {
            let properties = of(properties)?;
            service.proxy.add_extension(&number, &properties).await?;
            done(output, &number, "made")?;
            mind_login(service, output, &number, &properties).await
        }
        Extensions::Change { number, properties } => {
            let properties = of(properties)?;
            if properties == ExtensionProperties::default() {
                return Err(Failure::usage(
                    format!("nothing that could change about {number} was named"),
                    "name it: --name, --kind, --member, --ring, --authentication",
                ));
            }
            proxy(service, &number).await?.update(&properties).await?;
            done(output, &number, "changed")?;
            mind_login(service, output, &number, &properties).await
        }
        Extensions::Remove { number } => {
            proxy(service, &number).await?.remove().await?;
            done(output, &number, "removed")
        }
        Extensions::Password { number, generate: true } => {
            let password = generate(service, &number).await?;
            output.value(&json!({ "extension": number, "password": password }));
            output.line(format!("the password of {number} is now: {password}"));
            output.line("it is kept only as digests and cannot be shown again");
            Ok(())
        }
        Extensions::Password { number, generate: false } => {
            let password = read_password(&number)?;
            proxy(service, &number).await?.set_password(&password).await?;
            done(output, &number, "has a new password")
        }
        Extensions::Import { file } => import(service, output, &file).await,
    }
}

async fn list(service: &Service, output: &Output) -> Result<(), Failure> {
    let extensions = service.world().await?.extensions;
    output.value(&extensions);
    let rows: Vec<Vec<String>> = extensions
        .iter()
        .map(|extension| {
            vec![
                extension.number.clone(),
                extension.name.clone(),
                if extension.kind == "group" {
                    format!("group of {}", extension.members.join(" "))
                } else {
                    extension.kind.clone()
                },
                match (extension.authentication.as_str(), extension.has_password) {
                    ("login", _) if extension.login_state == "ready" => "login".into(),
                    ("login", _) => format!("login ({})", extension.login_state),
                    (_, true) => "set".into(),
                    (_, false) => "none".into(),
                },
                extension.phones.len().to_string(),
            ]
        })
        .collect();
    output.table(
        &["NUMBER", "NAME", "KIND", "PASSWORD", "PHONES"],
        &rows,
        "no extensions yet; make one: sipwitch extensions add 101 --name Anna",
    );
    Ok(())
}

fn of(arguments: ExtensionArguments) -> Result<ExtensionProperties, Failure> {
    let kind = match arguments.kind {
        None => None,
        Some(word) => Some(
            word.parse::<ExtensionKind>().map_err(|error| Failure::usage(error.to_string(), ""))?,
        ),
    };
    Ok(ExtensionProperties {
        name: arguments.name,
        kind,
        members: (!arguments.members.is_empty()).then_some(arguments.members),
        ring_seconds: arguments.ring,
        password: None,
        authentication: match arguments.authentication {
            None => None,
            Some(word) => {
                let parsed = word.parse::<Authentication>();
                Some(parsed.map_err(|error| Failure::usage(error.to_string(), ""))?)
            }
        },
    })
}

/// How long the digest service may take until it is known how it stands.
const LOOKING: Duration = Duration::from_secs(5);

/// Says what is still to be done where phones are to register with the login password.
async fn mind_login(
    service: &Service,
    output: &Output,
    number: &str,
    properties: &ExtensionProperties,
) -> Result<(), Failure> {
    if properties.authentication != Some(Authentication::Login) {
        return Ok(());
    }
    let proxy = proxy(service, number).await?;
    let known = async {
        let mut changes = proxy.receive_login_state_changed().await;
        while proxy.login_state().await? == LoginState::Unknown {
            if changes.next().await.is_none() {
                break;
            }
        }
        zbus::Result::Ok(())
    };
    // Whether it came or not, what stands there is shown.
    let _ = output.waiting("asking the digest service", timeout(LOOKING, known)).await;
    match proxy.login_state().await? {
        LoginState::Ready => output.line("its phones register with your login name and password"),
        LoginState::None => {}
        LoginState::Unknown | LoginState::NotEnrolled | LoginState::Unavailable => {
            output.line(format!("its phones cannot register yet: {}", proxy.login_words().await?));
        }
    }
    Ok(())
}

fn done(output: &Output, number: &str, what: &str) -> Result<(), Failure> {
    output.value(&json!({ "extension": number, "done": what }));
    output.line(format!("extension {number} {what}"));
    Ok(())
}

/// Makes the extension unless it is there.
pub(crate) async fn ensure(service: &Service, number: &str) -> Result<bool, Failure> {
    match service.proxy.add_extension(number, &ExtensionProperties::default()).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Has the service choose a password.
pub(crate) async fn generate(service: &Service, number: &str) -> Result<String, Failure> {
    Ok(proxy(service, number).await?.generate_password().await?)
}

async fn proxy(service: &Service, number: &str) -> Result<ExtensionProxy<'static>, Failure> {
    let known = service.world().await?.extensions;
    if !known.iter().any(|extension| extension.number.eq_ignore_ascii_case(number)) {
        return Err(Failure::new(
            format!("there is no extension {number}"),
            "`sipwitch extensions` lists them",
        ));
    }
    let path = ObjectName::Extension(number.to_ascii_lowercase()).path();
    Ok(ExtensionProxy::builder(&service.connection).path(path)?.build().await?)
}

async fn import(service: &Service, output: &Output, file: &Path) -> Result<(), Failure> {
    let mut csv = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().take(MAX_CSV + 1).read_to_string(&mut csv)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_CSV + 1).read_to_string(&mut csv))
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", file.display()), ""))?;
    if csv.len() as u64 > MAX_CSV {
        return Err(Failure::usage(
            format!("{} is larger than 16 MiB", file.display()),
            "cut it into parts, each with the line of column names",
        ));
    }
    let importing = service.proxy.import_extensions(&csv, &NoOptions {});
    let (added, changed, refused) = output.waiting("importing", importing).await?;
    output.value(&json!({
        "added": added,
        "changed": changed,
        "refused": refused.iter()
            .map(|(line, why)| json!({ "line": line, "reason": why })).collect::<Vec<_>>(),
    }));
    output.line(format!("{added} made, {changed} changed, {} lines refused", refused.len()));
    for (line, why) in &refused {
        output.line(format!("  line {line}: {why}"));
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("{} lines were refused", refused.len()),
        "mend them and import the file again: what is there already is only changed",
    ))
}

/// Asks twice on a terminal, without showing it; else takes one line of standard input, so that it
/// never stands on a command line.
fn read_password(number: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return prompt::piped();
    }
    let first = prompt::hidden(&format!("new password of {number}: "))?;
    let again = prompt::hidden("again: ")?;
    if first != again {
        return Err(Failure::usage("the two passwords differ", "try again"));
    }
    Ok(first)
}
