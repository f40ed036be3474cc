// SPDX-License-Identifier: GPL-3.0-or-later
//! sipwitch, the command line of SIP Witch.

fn main() {}
