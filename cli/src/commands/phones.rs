// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch phones`

use clap::ValueEnum;
use qrcode::{QrCode, render::unicode};
use serde_json::json;
use sipwitch_dbus_interfaces::{ObjectName, PhoneProxy};

use super::extensions;
use crate::{
    arguments::{Phones, Program},
    failure::Failure,
    output::{Output, duration, now_microseconds},
    service::Service,
    setup::{self, Account},
};

/// Looks after phones.
pub(crate) async fn run(
    service: &Service,
    output: &Output,
    command: Option<Phones>,
) -> Result<(), Failure> {
    match command.unwrap_or(Phones::List) {
        Phones::List => list(service, output).await,
        Phones::Add { extension, qr, new_password } => {
            add(service, output, &extension, qr, new_password).await
        }
        Phones::Setup { program, extension, new_password, dry_run } => {
            set_up(service, output, program, &extension, new_password, dry_run).await
        }
        Phones::Remove { phone } => remove(service, output, phone).await,
    }
}

async fn list(service: &Service, output: &Output) -> Result<(), Failure> {
    let phones = service.world().await?.phones;
    output.value(&phones);
    let now = now_microseconds();
    let rows: Vec<Vec<String>> = phones
        .iter()
        .map(|phone| {
            vec![
                phone.id.to_string(),
                phone.extension.clone(),
                format!("{}:{}", phone.transport, phone.address),
                duration(phone.expires_at_microseconds.saturating_sub(now)),
                phone.user_agent.clone(),
            ]
        })
        .collect();
    output.table(
        &["PHONE", "EXTENSION", "ADDRESS", "EXPIRES", "PROGRAM"],
        &rows,
        "no phone is registered; `sipwitch phones add 101` says what one needs",
    );
    Ok(())
}

async fn remove(service: &Service, output: &Output, phone: u64) -> Result<(), Failure> {
    let known = service.world().await?.phones;
    if !known.iter().any(|known| known.id == phone) {
        return Err(Failure::new(
            format!("there is no phone {phone}"),
            "`sipwitch phones` lists them",
        ));
    }
    let path = ObjectName::Phone(phone).path();
    PhoneProxy::builder(&service.connection).path(path)?.build().await?.remove().await?;
    output.value(&json!({ "phone": phone, "done": "removed" }));
    output.line(format!("phone {phone} is forgotten until it registers again"));
    Ok(())
}

/// What a phone of that extension needs to know.
async fn account(service: &Service, extension: &str) -> Result<Account, Failure> {
    let addresses = service.proxy.addresses().await?;
    let parsed: Vec<(String, String)> = addresses
        .iter()
        .filter_map(|address| {
            address.split_once(':').map(|(transport, at)| (transport.to_owned(), at.to_owned()))
        })
        .collect();
    let (transport, server) = parsed
        .iter()
        .find(|(transport, _)| transport == "udp")
        .or_else(|| parsed.first())
        .cloned()
        .ok_or_else(|| {
            Failure::new("the service listens nowhere", "see `sipwitch status` for warnings")
        })?;
    Ok(Account {
        extension: extension.to_ascii_lowercase(),
        domain: service.proxy.domain().await?,
        server,
        transport,
        password: None,
    })
}

async fn add(
    service: &Service,
    output: &Output,
    extension: &str,
    qr: bool,
    new_password: bool,
) -> Result<(), Failure> {
    let made = extensions::ensure(service, extension).await?;
    let mut account = account(service, extension).await?;
    if new_password {
        account.password = Some(extensions::generate(service, extension).await?);
    }
    output.value(&json!({
        "extension": account.extension,
        "address": account.address(),
        "server": account.server,
        "transport": account.transport,
        "domain": account.domain,
        "user": account.extension,
        "password": account.password,
        "uri": account.uri(),
    }));
    if made {
        output.line(format!("extension {} made", account.extension));
    }
    output.line("Give the phone this account:");
    output.line(format!("  address    {}", account.address()));
    output.line(format!("  user name  {}", account.extension));
    output.line(format!("  server     {} (registrar and outbound proxy)", account.server));
    output.line(format!("  transport  {}", account.transport.to_uppercase()));
    match &account.password {
        Some(password) => output.line(format!("  password   {password}   (shown only now)")),
        None => {
            output.line("  password   none for a program of yours on this machine;");
            output.line("             for any other phone ask for one: --new-password");
        }
    }
    if qr {
        let code = QrCode::new(account.uri()).map_err(|error| {
            Failure::new(format!("no QR code can hold this account: {error}"), "")
        })?;
        output.block(code.render::<unicode::Dense1x2>().quiet_zone(true).build());
    }
    Ok(())
}

async fn set_up(
    service: &Service,
    output: &Output,
    program: Program,
    extension: &str,
    new_password: bool,
    dry_run: bool,
) -> Result<(), Failure> {
    if new_password && program == Program::GnomeCalls {
        return Err(Failure::usage(
            "GNOME Calls keeps passwords in the keyring, where they cannot be written for it",
            "leave --new-password out, and enter a password of `sipwitch extensions password` there",
        ));
    }
    let home = setup::Home::of_user()?;
    let mut account = account(service, extension).await?;
    let mut writes = setup::writes(program, &account, &home)?;
    if !dry_run && extensions::ensure(service, extension).await? {
        output.line(format!("extension {} made", account.extension));
    }
    if new_password {
        account.password = Some(extensions::generate(service, extension).await?);
        writes = setup::writes(program, &account, &home)?;
    }
    for write in &writes {
        if dry_run {
            output.line(format!("would write {}:", write.path.display()));
            output.block(write.added.trim());
        } else {
            write.carry_out()?;
            output.line(format!("wrote {}", write.path.display()));
        }
    }
    output.value(&json!({
        "program": program.to_possible_value().map(|value| value.get_name().to_owned()),
        "extension": account.extension,
        "files": writes.iter().map(|write| write.path.display().to_string()).collect::<Vec<_>>(),
        "written": !dry_run,
    }));
    if !dry_run {
        output.line(setup::next_step(program));
    }
    Ok(())
}
