// SPDX-License-Identifier: GPL-3.0-or-later
//! Who holds a port, for the error message: /proc says it, of one's own processes at least.

use std::{
    fmt, fs,
    net::{IpAddr, SocketAddr},
};

use crate::flow::Transport;

/// A program that holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub name: String,
    /// Its process number.
    pub process: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.process)
    }
}

/// Who holds that address, if it can be seen.
pub(super) fn holder_of(transport: Transport, address: SocketAddr) -> Option<Holder> {
    let protocol = if transport.is_reliable() { "tcp" } else { "udp" };
    let inode = [protocol.to_owned(), format!("{protocol}6")].iter().find_map(|file| {
        let table = fs::read_to_string(format!("/proc/net/{file}")).ok()?;
        inode_in(&table, transport.is_reliable(), address)
    })?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let Ok(number) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files
            .filter_map(Result::ok)
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == wanted.as_str());
        if holds {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(Holder { name: name.trim().to_owned(), process: number });
        }
    }
    None
}

/// The socket in a table of /proc/net that stands in the way of that address.
fn inode_in(table: &str, is_stream: bool, address: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (host, port) = fields.nth(1)?.split_once(':')?;
        let state = fields.nth(1)?;
        // Of streams only those that listen.
        if u16::from_str_radix(port, 16).ok()? != address.port() || (is_stream && state != "0A") {
            return None;
        }
        let held = host_of(host)?;
        let collides =
            held == address.ip() || held.is_unspecified() || address.ip().is_unspecified();
        if collides { fields.nth(5)?.parse().ok() } else { None }
    })
}

/// An address as /proc/net writes it: words of 32 bits in the machine's own order.
fn host_of(hex: &str) -> Option<IpAddr> {
    let mut octets = Vec::with_capacity(16);
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        octets.extend_from_slice(&word.to_ne_bytes());
    }
    match octets.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(octets).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?).to_canonical()),
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_proc_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
            uid  timeout inode ref pointer drops\n\
            10: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        \
            0 4711 2 0000000000000000 0\n\
            11: 00000000000000000000000001000000:13C5 00000000:0000 07 00000000:00000000 \
            00:00000000 00000000  1000        0 4712 2 0000000000000000 0\n";
        assert_eq!(inode_in(table, false, "127.0.0.1:5060".parse().unwrap()), Some(4711));
        assert_eq!(inode_in(table, false, "0.0.0.0:5060".parse().unwrap()), Some(4711));
        assert_eq!(inode_in(table, false, "[::1]:5061".parse().unwrap()), Some(4712));
        assert_eq!(inode_in(table, false, "127.0.0.2:5060".parse().unwrap()), None);
        assert_eq!(inode_in(table, true, "127.0.0.1:5060".parse().unwrap()), None, "not listening");
    }
}
