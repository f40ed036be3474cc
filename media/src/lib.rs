// SPDX-License-Identifier: GPL-3.0-or-later
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod relay;
pub mod sdp;
