// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be seen of the machine without the service.

use std::{
    env, fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::Finding;
use crate::output::now_microseconds;

/// Only what listens beyond this machine can be stopped by a firewall.
pub(super) fn firewall(addresses: &[String]) -> Finding {
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
pub(super) fn clock() -> Finding {
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

pub(super) fn runtime_directory() -> Finding {
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

pub(super) fn private(about: &'static str, path: &Path) -> Finding {
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

/// Where the kernel tells of interfaces.
const INTERFACES: &str = "/sys/class/net";

/// The interfaces that are up, and the address that is used towards the Internet.
pub(super) fn network() -> Finding {
    let up: Vec<String> = interfaces(Path::new(INTERFACES))
        .into_iter()
        .map(|interface| match interface.is_tunnel {
            true => format!("{} (VPN)", interface.name),
            false => interface.name,
        })
        .collect();
    if up.is_empty() {
        return Finding::doubtful(
            "network",
            "no interface is up, so nobody outside this machine can be called",
            "plug in a cable or join a WLAN",
        );
    }
    let outward: Vec<String> = outward().map(|address| address.to_string()).collect();
    if outward.is_empty() {
        return Finding::doubtful(
            "network",
            format!("{} up, but no way to the Internet", up.join(", ")),
            "only phones in this network can be called; look at the router",
        );
    }
    Finding::good("network", format!("online as {} ({} up)", outward.join(" and "), up.join(", ")))
}

/// The tunnels that are up: a VPN may keep SIP from its servers.
pub(super) fn tunnels() -> Vec<String> {
    let up = interfaces(Path::new(INTERFACES)).into_iter();
    up.filter(|interface| interface.is_tunnel).map(|interface| interface.name).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Interface {
    name: String,
    is_tunnel: bool,
}

/// Those that are up, but the loopback, by name.
fn interfaces(folder: &Path) -> Vec<Interface> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let mut up: Vec<Interface> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            // Tunnels do not know whether they are up, and say so.
            let state = read(path.join("operstate"));
            let kind = read(path.join("type"));
            // if_arp.h: 772 is the loopback; 512 is ppp, 65534 tun and WireGuard.
            let is_tunnel =
                path.join("tun_flags").exists() || matches!(kind.trim(), "512" | "65534");
            let is_up = state.trim() == "up" || (is_tunnel && state.trim() == "unknown");
            let name = entry.file_name().to_string_lossy().into_owned();
            (is_up && kind.trim() != "772").then_some(Interface { name, is_tunnel })
        })
        .collect();
    up.sort_by(|a, b| a.name.cmp(&b.name));
    up
}

/// The addresses the kernel would use towards the Internet. Nothing is sent.
fn outward() -> impl Iterator<Item = IpAddr> {
    // Addresses for documents (RFC 5737, RFC 3849), which lie where the Internet lies.
    [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")].into_iter().filter_map(
        |(from, to)| {
            let socket = UdpSocket::bind(from).ok()?;
            socket.connect(to).ok()?;
            Some(socket.local_addr().ok()?.ip())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_that_are_up_are_told_and_tunnels_known() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, kind, state) in [
            ("lo", "772", "unknown"),
            ("eth0", "1", "up"),
            ("wlan0", "1", "down"),
            ("wg0", "65534", "unknown"),
            ("ppp0", "512", "unknown"),
            ("dummy0", "1", "unknown"),
        ] {
            let interface = folder.path().join(name);
            fs::create_dir(&interface).expect("made");
            fs::write(interface.join("type"), format!("{kind}\n")).expect("written");
            fs::write(interface.join("operstate"), format!("{state}\n")).expect("written");
        }
        let told: Vec<(String, bool)> = interfaces(folder.path())
            .into_iter()
            .map(|interface| (interface.name, interface.is_tunnel))
            .collect();
        let expected = [("eth0", false), ("ppp0", true), ("wg0", true)];
        assert_eq!(told, expected.map(|(name, is_tunnel)| (name.to_owned(), is_tunnel)));
        assert_eq!(interfaces(Path::new("/nonexistent")), []);
    }
}
