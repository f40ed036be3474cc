// SPDX-License-Identifier: GPL-3.0-or-later
//! Hears from the kernel that interfaces, addresses or routes changed (rtnetlink(7)).
//!
//! What exactly is not read: the network is looked at anew in any case, and what a kernel queue
//! lost would be missing. So one socket and no parser are enough.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    },
};
use tokio::io::unix::AsyncFd;

/// Links, addresses and routes of both families.
const GROUPS: libc::c_int = libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV6_ROUTE;

/// So many messages are thrown away at one wake-up; more are there at the next.
const DRAIN: usize = 1024;

/// The kernel's voice.
#[derive(Debug)]
pub struct Netlink(AsyncFd<OwnedFd>);

impl Netlink {
    /// Begins to listen. Needs a tokio runtime, and no privileges.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS.unsigned_abs()))?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, to make sure of what holds here: the descriptor is \
                      owned, never replaced, and closed after it was taken from the reactor"
        )]
        Ok(Self(AsyncFd::new(socket)?))
    }

    /// Waits until something changed. May be dropped and asked again without losing it.
    ///
    /// # Errors
    /// If the socket is broken: nothing is heard any more.
    pub async fn changed(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.0.readable().await?;
            match guard.try_io(|socket| drain(socket.get_ref())) {
                Ok(drained) => return drained,
                Err(_would_block) => {}
            }
        }
    }
}

/// Throws away what is there.
fn drain(socket: &OwnedFd) -> io::Result<()> {
    // A message that does not fit is cut, which is as good.
    let mut buffer = [0; 64];
    let mut heard = false;
    for _ in 0..DRAIN {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            // The kernel's queue overflowed: much has changed.
            Ok(_) | Err(Errno::ENOBUFS) => heard = true,
            Err(Errno::EAGAIN) if heard => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
