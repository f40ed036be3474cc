// SPDX-License-Identifier: GPL-3.0-or-later

mod book;
mod documents;
mod hostile;
mod merging;

use crate::providers::Provider;

/// A provider that asks for something, and wants a password.
const PROVIDER: &str = include_str!("tests/house-net.toml");

fn provider() -> Provider {
    Provider::parse(PROVIDER).expect("a provider").provider
}
