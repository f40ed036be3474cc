// SPDX-License-Identifier: GPL-3.0-or-later
//! The switchboard: the one task that owns calls, phones, extensions and the SIP engine.

pub mod ask;
pub mod notice;
