// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fmt, io::Write as _};

use crate::{flow::Flow, wire::COOKIE};

/// Room for an ordinary Via.
const USUAL: usize = 112;

/// Makes our branches and knows them again. A branch says in which slot its transaction is, so that
/// an answer finds it without a search, and has 64 random bits, so that nobody else can answer.
pub(super) struct Branches {
    /// Stands in all branches of this process: a request that comes back has it in a Via.
    mark: String,
}

impl Branches {
    pub(super) fn new(random: u64) -> Self {
        Self { mark: format!("{}{random:016x}", std::str::from_utf8(COOKIE).unwrap_or_default()) }
    }

    /// The Via of a request.
    pub(super) fn via(&self, flow: &Flow, slot: u32, secret: u64) -> Vec<u8> {
        self.line(flow, format_args!("{slot:x}"), secret)
    }

    /// The Via of an ACK to a 2xx, which nothing answers.
    pub(super) fn ack_via(&self, flow: &Flow, secret: u64) -> Vec<u8> {
        self.line(flow, format_args!("ack"), secret)
    }

    fn line(&self, flow: &Flow, slot: fmt::Arguments<'_>, secret: u64) -> Vec<u8> {
        let (transport, local, mark) = (flow.transport.via_name(), flow.local, &self.mark);
        let mut line = Vec::with_capacity(USUAL);
        // Nothing to fail: it is written into memory.
        let _ =
            write!(line, "SIP/2.0/{transport} {local};branch={mark}.{slot}.{secret:016x};rport");
        line
    }

    /// The slot and the random bits of a branch of ours.
    pub(super) fn read(&self, branch: &[u8]) -> Option<(u32, u64)> {
        let rest = branch.strip_prefix(self.mark.as_bytes())?.strip_prefix(b".")?;
        let rest = std::str::from_utf8(rest).ok()?;
        let (slot, secret) = rest.split_once('.')?;
        Some((u32::from_str_radix(slot, 16).ok()?, u64::from_str_radix(secret, 16).ok()?))
    }
}
