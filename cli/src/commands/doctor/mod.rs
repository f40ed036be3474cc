// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch doctor`

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    failure::Failure,
    output::{Mood, Output, now_microseconds},
    service::Service,
};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// What.
    about: &'static str,
    /// `good`, `doubtful`, `bad`.
    verdict: &'static str,
    /// What was found.
    found: String,
    /// What to do; empty if nothing.
    next: String,
}

impl Finding {
    fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, verdict: "good", found: found.into(), next: String::new() }
    }

    fn doubtful(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { about, verdict: "doubtful", found: found.into(), next: next.into() }
    }

    fn bad(about: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { about, verdict: "bad", found: found.into(), next: next.into() }
    }
}

/// Looks for what could keep calls from working.
pub(crate) async fn run(system: bool, output: &Output) -> Result<(), Failure> {
    let mut findings = vec![runtime_directory(), clock()];
    match Service::connect(system).await {
        Err(failure) => findings.push(Finding::bad("bus", failure.cause, failure.next)),
        Ok(service) => {
            findings.push(Finding::good("bus", "the bus answers"));
            match look(&service).await {
                Ok(more) => findings.extend(more),
                Err(failure) => {
                    findings.push(Finding::bad("service", failure.cause, failure.next));
                }
            }
        }
    }
    output.value(&findings);
    for finding in &findings {
        let (mood, mark) = match finding.verdict {
            "good" => (Mood::Good, "✓"),
            "doubtful" => (Mood::Doubtful, "!"),
            _ => (Mood::Bad, "✗"),
        };
        output.line(format!(
            "{} {:<13} {}",
            output.paint(mood, mark),
            finding.about,
            finding.found
        ));
        if !finding.next.is_empty() {
            output.line(format!("  {:<13} → {}", "", finding.next));
        }
    }
    let bad = findings.iter().filter(|finding| finding.verdict == "bad").count();
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("{bad} things keep calls from working"), "do what the arrows say"))
}

async fn look(service: &Service) -> Result<Vec<Finding>, Failure> {
    let proxy = &service.proxy;
    let mut findings = Vec::new();
    let version = proxy.version().await?;
    findings.push(Finding::good("service", format!("version {version} answers")));
    let addresses = proxy.addresses().await?;
    findings.push(listening(&addresses));
    findings.push(firewall(&addresses));
    let file = proxy.configuration_file().await?;
    if !file.is_empty() {
        findings.push(private("configuration", Path::new(&file)));
    }
    for warning in proxy.warnings().await? {
        findings.push(Finding::doubtful("warning", warning, ""));
    }
    let world = service.world().await?;
    findings.push(if world.extensions.is_empty() {
        Finding::doubtful(
            "extensions",
            "there are none, so no phone can register",
            "make one: sipwitch extensions add 101",
        )
    } else {
        Finding::good("extensions", format!("{} known", world.extensions.len()))
    });
    findings.push(if world.phones.is_empty() {
        Finding::doubtful(
            "phones",
            "none is registered, so nothing can ring",
            "say what one needs: sipwitch phones add 101",
        )
    } else {
        Finding::good("phones", format!("{} registered", world.phones.len()))
    });
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

/// Only what listens beyond this machine can be stopped by a firewall.
fn firewall(addresses: &[String]) -> Finding {
    let outside = addresses.iter().any(|address| {
        address
            .split_once(':')
            .and_then(|(_, at)| at.parse::<SocketAddr>().ok())
            .is_some_and(|at| !at.ip().is_loopback())
    });
    if !outside {
        return Finding::good("firewall", "not concerned: only this machine can reach the service");
    }
    let tools: [(&str, &str); 3] = [
        ("/usr/sbin/ufw", "sudo ufw allow 5060"),
        ("/usr/bin/firewall-cmd", "sudo firewall-cmd --add-service=sip"),
        ("/usr/sbin/nft", "`sudo nft list ruleset` should accept the port"),
    ];
    match tools.iter().find(|(path, _)| Path::new(path).exists()) {
        None => Finding::good("firewall", "none is installed"),
        Some((path, next)) => {
            Finding::doubtful("firewall", format!("{path} is here and may keep phones away"), *next)
        }
    }
}

/// A wrong clock spoils certificates and the lifetime of registrations.
fn clock() -> Finding {
    // 2026-01-01: no build of this program is older.
    const BUILT_AFTER: u64 = 1_767_225_600_000_000;
    if now_microseconds() < BUILT_AFTER {
        return Finding::bad(
            "clock",
            "it is set to the past",
            "set it: sudo timedatectl set-ntp true",
        );
    }
    Finding::good("clock", "plausible")
}

fn runtime_directory() -> Finding {
    let Some(directory) = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) else {
        return Finding::doubtful(
            "session",
            "XDG_RUNTIME_DIR is not set",
            "log in through a desktop or `loginctl enable-linger`",
        );
    };
    match fs::metadata(&directory) {
        Err(error) => Finding::bad(
            "session",
            format!("{}: {error}", directory.display()),
            "log in anew, so that the session gets its directory",
        ),
        Ok(metadata) if metadata.uid() != nix::unistd::getuid().as_raw() => Finding::bad(
            "session",
            format!("{} belongs to another user", directory.display()),
            "do not carry the environment over with su; log in as the user",
        ),
        Ok(_) => Finding::good("session", directory.display().to_string()),
    }
}

fn private(about: &'static str, path: &Path) -> Finding {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::good(about, format!("{} does not exist: the defaults hold", path.display()))
        }
        Err(error) => Finding::bad(about, format!("{}: {error}", path.display()), "mend it"),
        Ok(metadata) if metadata.permissions().mode() & 0o022 != 0 => Finding::bad(
            about,
            format!("{} can be changed by others", path.display()),
            format!("chmod go-w {}", path.display()),
        ),
        Ok(_) => Finding::good(about, path.display().to_string()),
    }
}
