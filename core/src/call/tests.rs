// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls told as ladders: what is said, and the lines that come out.

mod bench;
mod failing_over;
mod forking;
mod holding;
mod joining;
mod phones;
mod properties;
mod relaying;
mod third_party;
mod transferring;
