// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines: accounts at providers of plain text, in virtual time.

mod accounts;
mod calls;
mod identity;
mod mailbox;
mod mailbox_asked;
mod metering;
mod moving;
mod paths;
pub(super) mod provider;
mod rewritten;
mod secured;
mod texts;
