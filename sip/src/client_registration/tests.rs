// SPDX-License-Identifier: GPL-3.0-or-later
//! An account and a registrar of plain text, in virtual time.

mod fixture;
mod life;
mod refusals;
mod streams;
