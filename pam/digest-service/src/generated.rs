// SPDX-License-Identifier: GPL-3.0-or-later
//! Passwords that nobody chose.

use zeroize::Zeroizing;

/// No 0 and O, no 1, l and I: it is typed into a telephone.
const CHARACTERS: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// 116 bits: no digest of it can be guessed back, not even one of MD5.
const LENGTH: usize = 20;

/// A new password.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn password() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut password = Zeroizing::new(String::with_capacity(LENGTH));
    let mut byte = Zeroizing::new([0; 1]);
    while password.len() < LENGTH {
        getrandom::fill(&mut *byte)?;
        // What is above the last whole round of characters would make the first ones likelier.
        let rounds = 256 / CHARACTERS.len() * CHARACTERS.len();
        let at = usize::from(byte[0]);
        if at < rounds {
            password.push(char::from(CHARACTERS[at % CHARACTERS.len()]));
        }
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn passwords_are_all_different_and_every_character_is_as_likely() {
        let mut counts = BTreeMap::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2000 {
            let password = password().unwrap();
            assert_eq!(password.len(), LENGTH);
            assert!(seen.insert(password.to_string()));
            for character in password.chars() {
                *counts.entry(character).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(counts.len(), CHARACTERS.len());
        // 702 of each; a deviation of 26. These bounds are ten of them wide.
        assert!(counts.values().all(|count| (440..960).contains(count)), "{counts:?}");
    }
}
