// SPDX-License-Identifier: GPL-3.0-or-later
//! Whole numbers that know their unit and their bounds. What is constructed is in bounds.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} is out of bounds: it must be between {min} and {max}{unit}")]
pub struct OutOfBounds {
    value: i64,
    unit: &'static str,
    min: u32,
    max: u32,
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name<const MIN: u32, const MAX: u32>(u32);

        impl<const MIN: u32, const MAX: u32> $name<MIN, MAX> {
            /// A value known when the program is written. Out of bounds it does not compile where
            /// a constant is made of it, and panics elsewhere.
            #[must_use]
            pub const fn literal(value: u32) -> Self {
                assert!(value >= MIN && value <= MAX, "out of bounds");
                Self(value)
            }

            /// The number.
            #[must_use]
            pub const fn value(self) -> u32 {
                self.0
            }
        }

        impl<const MIN: u32, const MAX: u32> TryFrom<i64> for $name<MIN, MAX> {
            type Error = OutOfBounds;

            fn try_from(value: i64) -> Result<Self, OutOfBounds> {
                match u32::try_from(value) {
                    Ok(inside) if (MIN..=MAX).contains(&inside) => Ok(Self(inside)),
                    _ => Err(OutOfBounds { value, unit: $unit, min: MIN, max: MAX }),
                }
            }
        }

        impl<const MIN: u32, const MAX: u32> fmt::Display for $name<MIN, MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for $name<MIN, MAX> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::try_from(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        impl<const MIN: u32, const MAX: u32> Serialize for $name<MIN, MAX> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(self.0)
            }
        }
    };
}

unit!(
    /// A size in bytes.
    Bytes,
    " bytes"
);
unit!(
    /// A number of things.
    Count,
    ""
);
unit!(
    /// A time in days.
    Days,
    " days"
);
unit!(
    /// A time in seconds.
    Seconds,
    " seconds"
);

impl<const MIN: u32, const MAX: u32> Bytes<MIN, MAX> {
    /// As a length.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0 as usize
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// As a length.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0 as usize
    }

    /// Whether it is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<const MIN: u32, const MAX: u32> Days<MIN, MAX> {
    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64 * 86_400)
    }
}

impl<const MIN: u32, const MAX: u32> Seconds<MIN, MAX> {
    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_construction() {
        type Few = Seconds<5, 10>;
        assert_eq!(Few::try_from(5).unwrap().duration(), Duration::from_secs(5));
        assert_eq!(Few::try_from(10).unwrap().value(), 10);
        for wrong in [4, 11, -1, i64::MAX, i64::MIN] {
            let error = Few::try_from(wrong).unwrap_err().to_string();
            assert!(error.contains(&wrong.to_string()) && error.contains("5 and 10"), "{error}");
        }
        assert_eq!(Days::<1, 2>::literal(2).duration(), Duration::from_secs(172_800));
    }
}
