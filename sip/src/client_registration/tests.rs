// SPDX-License-Identifier: GPL-3.0-or-later
//! An account and a registrar of plain text, in virtual time.

mod answers;
mod fixture;
mod life;
mod properties;
mod refusals;
mod streams;
mod wire;
