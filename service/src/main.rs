// SPDX-License-Identifier: GPL-3.0-or-later
//! sipwitchd, the session service that mediates all telephony.

fn main() {}
