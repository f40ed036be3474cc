// SPDX-License-Identifier: GPL-3.0-or-later
//! The country of the user, as the environment tells it (locale(7)).

use sipwitch_core::number::Region;

/// The variables that name it, the more important first.
const VARIABLES: &[&str] = &["LC_ALL", "LC_TELEPHONE", "LANG"];

/// The country of the user; the world where the environment names none.
pub fn region(variable: impl Fn(&str) -> Option<String>) -> Region {
    let named = VARIABLES.iter().filter_map(|name| variable(name)).find(|value| !value.is_empty());
    named.and_then(|value| region_of(&value)).unwrap_or_default()
}

/// `de_AT.UTF-8@euro`
fn region_of(locale: &str) -> Option<Region> {
    let (_, territory) = locale.split_once('_')?;
    territory.split(['.', '@']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_names_the_country() {
        for (variables, wanted) in [
            (&[("LANG", "de_AT.UTF-8@euro")][..], "AT"),
            (&[("LANG", "en_US.UTF-8"), ("LC_TELEPHONE", "de_DE.UTF-8")], "DE"),
            (&[("LC_ALL", "fr_FR"), ("LC_TELEPHONE", "de_DE.UTF-8")], "FR"),
            (&[("LC_ALL", ""), ("LANG", "it_IT")], "IT"),
            (&[("LC_ALL", "C"), ("LANG", "it_IT")], "ZZ"),
            (&[("LANG", "C.UTF-8")], "ZZ"),
            (&[("LANG", "eo")], "ZZ"),
            (&[("LANG", "xx_123")], "ZZ"),
            (&[], "ZZ"),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
            };
            assert_eq!(region(variable).as_str(), wanted, "{variables:?}");
        }
    }
}
