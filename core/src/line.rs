// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines: the ways out of the house.

/// Names one line for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub u64);
