// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses and ports that no other test uses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::{PATIENCE, Program};

/// A loopback address of this test process alone (the whole of 127/8 is local), so that ports need
/// not be unique in the machine.
#[must_use]
pub fn loopback() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 64 | (high & 0x3f), middle, low))
}

/// Another loopback address of this test process alone: a stranger, to a server that counts by
/// source.
#[must_use]
pub fn other_loopback() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 128 | (high & 0x3f), middle, low))
}

/// The one loopback address of IPv6.
#[must_use]
pub fn loopback6() -> IpAddr {
    IpAddr::V6(Ipv6Addr::LOCALHOST)
}

/// A port that is free for UDP and TCP on every address of its kind, with the three above it (speech
/// takes pairs). Below the range the kernel gives to sockets without a port, so that it stays free.
///
/// # Errors
/// None was found in a bounded number of tries.
pub fn free_port(at: IpAddr) -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let any: IpAddr =
        if at.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let start = std::process::id().wrapping_mul(37) % 2_700;
    for _ in 0..500 {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let Ok(port) = u16::try_from(20_000 + (start + step) % 2_700 * 4) else { continue };
        if (port..port + 4).all(|port| is_free(SocketAddr::new(any, port))) {
            return Ok(port);
        }
    }
    bail!("no free port was found between 20000 and 30800")
}

/// A place for a server: 5060 on the address if it can be had. Four digits, since Debian's sipsak
/// cuts the fifth off when it writes an address.
///
/// # Errors
/// None was found.
pub fn server_place(at: IpAddr) -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // ::1 is the same for every test; the process id keeps them apart.
    let start = if at.is_ipv4() { 0 } else { std::process::id() };
    for _ in 0..500 {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let Ok(port) = u16::try_from(5_060 + (start + step) % 4_000) else { continue };
        if is_free(SocketAddr::new(at, port)) {
            return Ok(SocketAddr::new(at, port));
        }
    }
    bail!("no free port was found at {at} between 5060 and 9060")
}

fn is_free(place: SocketAddr) -> bool {
    UdpSocket::bind(place).is_ok() && TcpListener::bind(place).is_ok()
}

/// An address with a free port.
///
/// # Errors
/// None was found.
pub fn free_place(at: IpAddr) -> Result<SocketAddr> {
    Ok(SocketAddr::new(at, free_port(at)?))
}

/// Waits until a program has a UDP socket on that port. The kernel is asked, since a probe that binds
/// the port itself may take it from the program.
///
/// # Errors
/// It ended or does not listen there.
pub fn listens(program: &mut Program, port: u16) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while owner_of_udp_port(port)? != Some(program.pid()) {
        ensure!(program.is_running(), "it has ended:\n{}", program.tail());
        ensure!(Instant::now() < deadline, "nobody listens at {port}:\n{}", program.tail());
        program.said.skip();
        program.said.wait(Duration::from_millis(20), |_| Some(()));
    }
    Ok(())
}

/// Whose process has a UDP socket on that port: by the socket's inode, from the kernel's table to
/// the open files of our own processes.
///
/// # Errors
/// The kernel's table cannot be read.
pub fn owner_of_udp_port(port: u16) -> Result<Option<u32>> {
    let wanted = format!(":{port:04X}");
    let mut inodes = Vec::new();
    // Of the network that this thread is in, which may be one made for the test.
    for table in ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            if fields.get(1).is_some_and(|local| local.ends_with(&wanted)) {
                inodes.extend(fields.get(9).map(|inode| format!("socket:[{inode}]")));
            }
        }
    }
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let links = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        if links
            .into_iter()
            .any(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
        {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}
