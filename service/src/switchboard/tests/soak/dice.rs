// SPDX-License-Identifier: GPL-3.0-or-later
//! Chance from a seed (SplitMix64): the same seed tells the same story.

/// The dice.
#[derive(Debug, Clone)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(super) fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap_or(0)]
    }

    /// The number of somebody: mostly there, sometimes not.
    pub(super) fn number(&mut self, numbers: usize) -> String {
        match self.below(50) {
            0 => "99999".to_owned(),
            1 => "112".to_owned(),
            2 => "600".to_owned(),
            _ => number_of(usize::try_from(self.below(numbers as u64)).unwrap_or(0)),
        }
    }
}

/// The number of that extension of the city.
pub(super) fn number_of(at: usize) -> String {
    format!("{}", 1000 + at)
}
