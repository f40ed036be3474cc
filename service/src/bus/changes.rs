// SPDX-License-Identifier: GPL-3.0-or-later
//! From two snapshots to `PropertiesChanged`.

use std::collections::HashMap;

use zbus::zvariant::Value;

/// A property that can change, and how to read it from a snapshot.
pub(super) type Property<S> = (&'static str, fn(&S) -> Value<'static>);

/// What is different in `new`.
pub(super) fn between<S>(
    properties: &[Property<S>],
    old: &S,
    new: &S,
) -> HashMap<&'static str, Value<'static>> {
    properties
        .iter()
        .filter_map(|(name, read)| {
            let value = read(new);
            (value != read(old)).then_some((*name, value))
        })
        .collect()
}

/// A time as the contract has it: 0 where there is none.
pub(super) fn microseconds(since_1970: i64) -> u64 {
    u64::try_from(since_1970).unwrap_or(0)
}
