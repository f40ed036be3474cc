// SPDX-License-Identifier: GPL-3.0-or-later
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "driver")]
pub mod driver;
pub mod relay;
pub mod sdp;
