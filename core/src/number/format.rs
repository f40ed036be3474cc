// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers in the form in which a line takes them.

use super::{Region, Understood, plan};
use crate::line::{DialFormat, Numbering};

/// What comes before a country code where it is not `00` (ITU-T Operational Bulletin, list of
/// dialling procedures): the countries of the North American plan are told by their code.
const INTERNATIONAL: &[(&str, &str)] = &[
    ("AU", "0011"),
    ("BY", "810"),
    ("CO", "009"),
    ("CU", "119"),
    ("HK", "001"),
    ("ID", "001"),
    ("IL", "00"),
    ("JP", "010"),
    ("KE", "000"),
    ("KH", "001"),
    ("KR", "001"),
    ("KZ", "810"),
    ("NG", "009"),
    ("RU", "810"),
    ("SG", "001"),
    ("TH", "001"),
    ("TJ", "810"),
    ("TM", "810"),
    ("TW", "002"),
    ("TZ", "000"),
    ("UG", "000"),
];

/// The countries of the North American Numbering Plan, whose international prefix is `011`.
const NORTH_AMERICA: &[&str] = &[
    "AG", "AI", "AS", "BB", "BM", "BS", "CA", "DM", "DO", "GD", "GU", "JM", "KN", "KY", "LC", "MP",
    "MS", "PR", "SX", "TC", "TT", "US", "VC", "VG", "VI",
];

/// What is dialled before a country code in this region.
pub(super) fn international_prefix(region: Region) -> &'static str {
    let region = region.as_str();
    if NORTH_AMERICA.contains(&region) {
        return "011";
    }
    let found = INTERNATIONAL.iter().find(|(name, _)| *name == region);
    found.map_or("00", |(_, prefix)| prefix)
}

impl Numbering {
    /// The number as the line takes it. `house` is the country where the line has none of its own.
    #[must_use]
    pub fn dial(&self, number: &Understood, dialled: &str, house: Region) -> String {
        let region = self.region.unwrap_or(house);
        match self.format {
            DialFormat::AsIs => dialled.to_owned(),
            DialFormat::E164 => number.e164.digits().to_owned(),
            DialFormat::E164Plus => number.e164.to_string(),
            DialFormat::National if plan::code(region) == Some(number.code) => {
                match &self.national_prefix {
                    Some(prefix) => format!("{prefix}{}", number.significant()),
                    None => number.national.to_string(),
                }
            }
            DialFormat::International | DialFormat::National => {
                let prefix = self.international_prefix.as_deref();
                let prefix = prefix.unwrap_or_else(|| international_prefix(region));
                format!("{prefix}{}", number.e164.digits())
            }
        }
    }
}
