// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch phones`

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

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
                // A program is a phone for as long as it is on the bus.
                match phone.expires_at_microseconds {
                    0 => "never".to_owned(),
                    at => duration(at.saturating_sub(now)),
                },
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

/// What a phone of that extension needs to know, seen from this machine or from the house.
async fn account(service: &Service, extension: &str, from: Seen) -> Result<Account, Failure> {
    let addresses = service.proxy.addresses().await?;
    let (transport, server) = server(&addresses, from).ok_or_else(|| {
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

/// From where a phone sees the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// On this machine, as the programs that we set up.
    Here,
    /// Anywhere.
    House,
}

/// The best of the places where the service listens: for a phone here one that only this machine
/// reaches, for others one that they reach; datagrams before streams, which every phone knows.
fn server(addresses: &[String], from: Seen) -> Option<(String, String)> {
    let parsed = addresses.iter().filter_map(|address| {
        let (transport, at) = address.split_once(':')?;
        Some((transport, at.parse::<SocketAddr>().ok()?))
    });
    let (transport, mut at) = parsed.min_by_key(|(transport, at)| {
        let reached = (from == Seen::Here) == at.ip().is_loopback();
        (!reached && !at.ip().is_unspecified(), *transport != "udp")
    })?;
    if !at.ip().is_unspecified() {
        return Some((transport.into(), at.to_string()));
    }
    if from == Seen::House
        && let Ok(name) = nix::unistd::gethostname()
    {
        return Some((transport.into(), format!("{}:{}", name.to_string_lossy(), at.port())));
    }
    at.set_ip(if at.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    Some((transport.into(), at.to_string()))
}

async fn add(
    service: &Service,
    output: &Output,
    extension: &str,
    qr: bool,
    new_password: bool,
) -> Result<(), Failure> {
    let made = extensions::ensure(service, extension).await?;
    let mut account = account(service, extension, Seen::House).await?;
    if new_password {
        account.password = Some(extensions::generate(service, extension).await?);
    }
    let extensions = service.world().await?.extensions;
    let by_login = extensions
        .iter()
        .any(|known| known.number == account.extension && known.authentication == "login");
    let user = if by_login { super::digest::own_name() } else { account.extension.clone() };
    output.value(&json!({
        "extension": account.extension,
        "address": account.address(),
        "server": account.server,
        "transport": account.transport,
        "domain": account.domain,
        "user": user,
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
        None if by_login => {
            output.line(format!("  authentication user name  {user}"));
            output
                .line("  password   that of your login, or the separate one of `sipwitch digest`;");
            output.line("             on other machines that of your login needs TLS");
        }
        Some(password) => output.line(format!("  password   {password}   (shown only now)")),
        None => {
            output.line("  password   none for a program of yours on this machine;");
            output.line("             for any other phone ask for one: --new-password");
        }
    }
    if account.server.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback()) {
        output
            .line("Only this machine reaches that server: for phones of the house let the service");
        output.line("listen on an address of theirs (`listen` in the configuration file).");
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
    let home = setup::Home::of_user()?;
    let mut account = account(service, extension, Seen::Here).await?;
    let mut writes = setup::writes(program, &account, &home)?;
    if !dry_run && extensions::ensure(service, extension).await? {
        output.line(format!("extension {} made", account.extension));
    }
    if new_password {
        account.password = Some(extensions::generate(service, extension).await?);
        writes = setup::writes(program, &account, &home)?;
    }
    if !dry_run {
        setup::keep_password(program, &account, &service.connection, output).await?;
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
        if new_password && program == Program::GnomeCalls {
            output.line(
                "It knows MD5 alone: the configuration must say digest-algorithms = [\"MD5\"]",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_told_the_place_that_it_reaches() {
        let said = |addresses: &[&str], from| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            server(&addresses, from).map(|(transport, at)| format!("{transport}:{at}"))
        };
        let both = ["tcp:127.0.0.1:5060", "udp:127.0.0.1:5060", "udp:192.0.2.7:5060"];
        assert_eq!(said(&both, Seen::Here).unwrap(), "udp:127.0.0.1:5060");
        assert_eq!(said(&both, Seen::House).unwrap(), "udp:192.0.2.7:5060");
        assert_eq!(said(&both[..2], Seen::House).unwrap(), "udp:127.0.0.1:5060");
        assert_eq!(said(&["tcp:[::1]:5060"], Seen::Here).unwrap(), "tcp:[::1]:5060");
        assert_eq!(said(&["udp:0.0.0.0:5062"], Seen::Here).unwrap(), "udp:127.0.0.1:5062");
        assert!(!said(&["udp:0.0.0.0:5062"], Seen::House).unwrap().contains("0.0.0.0"));
        assert_eq!(said(&[], Seen::Here), None);
    }
}
