// SPDX-License-Identifier: GPL-3.0-or-later
//! BIND 9: a name server with zones of its own, signed and unsigned.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::program::{foreign, in_home, new_home};
use crate::{Program, net};

/// How far a zone can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Signed, and the zone above vouches for it.
    Well,
    /// Signed, and changed afterwards: each `FORGE` in it became `FAKED`.
    Forged,
    /// Not signed, and the zone above says so.
    Not,
}

/// A zone below the root.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its name, without the dot at its end.
    pub name: String,
    /// Its records, in the form of a zone file; without SOA and NS.
    pub records: String,
    /// Whether it is signed.
    pub signed: Signed,
}

impl Zone {
    /// A zone that is signed.
    #[must_use]
    pub fn new(name: &str, records: &str) -> Self {
        Self { name: name.into(), records: records.into(), signed: Signed::Well }
    }

    /// The same, signed or not.
    #[must_use]
    pub fn signed(mut self, signed: Signed) -> Self {
        self.signed = signed;
        self
    }
}

/// A name server that knows a root of its own and the zones it was given.
#[derive(Debug)]
pub struct Named {
    /// Where it answers, by UDP and TCP.
    pub at: SocketAddr,
    /// The key of its root, a file with one DNSKEY record.
    pub anchor: PathBuf,
    _program: Program,
    _home: TempDir,
}

impl Named {
    /// Signs the zones, starts it and waits until it answers. A zone may lie in another.
    ///
    /// # Errors
    /// It is not installed, refuses a zone or does not come up.
    pub fn start(zones: &[Zone]) -> Result<Self> {
        // It listens on addresses that an interface has, not on any of the loopback network.
        let at = net::free_place(Ipv4Addr::LOCALHOST.into())?;
        let home = new_home()?;
        let maker = Maker { home: home.path(), at: at.ip() };
        // The lowest zones first: each writes its delegation for the one it lies in.
        let mut zones = zones.to_vec();
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.name.split('.').count()));
        let mut delegations: Vec<(String, String)> = Vec::new();
        let mut lines = String::new();
        let mut anchor = PathBuf::new();
        for zone in zones.iter().chain([&Zone::new("", "")]) {
            let (below, above): (Vec<_>, Vec<_>) = std::mem::take(&mut delegations)
                .into_iter()
                .partition(|(name, _)| zone.name.is_empty() || is_in(name, &zone.name));
            delegations = above;
            let below: String = below.into_iter().map(|(_, lines)| lines).collect();
            let made = maker.make(zone, &below)?;
            lines.push_str(&format!(
                "zone \"{}.\" {{ type primary; file \"{}\"; check-names ignore; }};\n",
                zone.name,
                made.file.display()
            ));
            delegations.push((zone.name.clone(), made.delegation));
            anchor = made.anchor;
        }
        let settings = format!(
            "options {{\n  directory \"{home}\";\n  listen-on port {port} {{ {ip}; }};\n  \
             listen-on-v6 {{ none; }};\n  pid-file none;\n  session-keyfile none;\n  \
             recursion no;\n  allow-query {{ any; }};\n  dnssec-validation no;\n  notify no;\n  \
             minimal-responses yes;\n  max-records-per-type 0;\n}};\ncontrols {{ }};\n{lines}",
            home = home.path().display(),
            port = at.port(),
            ip = at.ip(),
        );
        fs::write(home.path().join("named.conf"), settings)?;
        let mut command = in_home(unconfined("named", "bind9", home.path())?, home.path());
        command.args(["-g", "-n", "1", "-c", "named.conf"]);
        let mut program = Program::start("named", &mut command)?;
        program.wait_for("running")?;
        Ok(Self { at, anchor, _program: program, _home: home })
    }
}

fn is_in(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// A copy of a system's server: Debian's AppArmor profiles keep the installed ones, by their path,
/// from everything outside their own folders.
pub(super) fn unconfined(name: &str, package: &str, home: &Path) -> Result<PathBuf> {
    let copy = home.join(name);
    fs::copy(foreign(name, package)?, &copy).with_context(|| format!("copy {name}"))?;
    Ok(copy)
}

struct Maker<'a> {
    home: &'a Path,
    at: IpAddr,
}

struct Made {
    file: PathBuf,
    /// What the zone above says of this one.
    delegation: String,
    anchor: PathBuf,
}

impl Maker<'_> {
    fn make(&self, zone: &Zone, below: &str) -> Result<Made> {
        let Zone { name, records, signed } = zone;
        let stem = if name.is_empty() { "root" } else { name };
        let dot = if name.is_empty() { "." } else { &format!("{name}.") };
        let server = if name.is_empty() { "ns." } else { &format!("ns.{name}.") };
        let text = format!(
            "$ORIGIN {dot}\n$TTL 300\n@ SOA {server} hostmaster.{server} 1 3600 600 86400 60\n\
             @ NS {server}\n{server} A {ip}\n{below}\n$ORIGIN {dot}\n{records}\n",
            ip = self.at
        );
        let plain = self.home.join(format!("{stem}.zone"));
        fs::write(&plain, text)?;
        let mut delegation = format!("{dot} NS {server}\n{server} A {}\n", self.at);
        if *signed == Signed::Not {
            return Ok(Made { file: plain, delegation, anchor: PathBuf::new() });
        }
        let keys = self.home.join(format!("{stem}.keys"));
        fs::create_dir(&keys)?;
        let keys_of = keys.display().to_string();
        let new_key = |more: &[&str]| {
            let mut arguments = vec!["-q", "-K", &keys_of, "-a", "ECDSAP256SHA256"];
            arguments.extend(more);
            arguments.push(dot);
            self.run("dnssec-keygen", &arguments)
        };
        let anchor = keys.join(format!("{}.key", new_key(&["-f", "KSK"])?.trim()));
        new_key(&[])?;
        let file = self.home.join(format!("{stem}.signed"));
        let (from, to) = (plain.display().to_string(), file.display().to_string());
        self.run("dnssec-signzone", &["-S", "-K", &keys_of, "-o", dot, "-f", &to, &from])?;
        let set = self.home.join(format!("dsset-{dot}"));
        delegation.push_str(&fs::read_to_string(&set).with_context(|| set.display().to_string())?);
        if *signed == Signed::Forged {
            let text = fs::read_to_string(&file)?;
            ensure!(text.contains("FORGE"), "there is nothing to forge in {name}");
            fs::write(&file, text.replace("FORGE", "FAKED"))?;
        }
        Ok(Made { file, delegation, anchor })
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(foreign(name, "bind9-utils")?)
            .args(arguments)
            .current_dir(self.home)
            .output()
            .with_context(|| format!("run {name}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} {arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
