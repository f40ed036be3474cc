// SPDX-License-Identifier: GPL-3.0-or-later
//! Times on the user's clock. Nobody here reads one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A time on the user's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalTime {
    /// The day.
    pub weekday: Weekday,
    /// Minutes since midnight, below 1440.
    pub minute: u16,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days speak for themselves")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All of them, Monday first.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// Its lower-case name, for programs and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }

    /// The day before.
    #[must_use]
    pub const fn before(self) -> Self {
        Self::ALL[(self as usize + 6) % 7]
    }
}

/// A part of the day: `08:00-17:30`, also over midnight: `22:00-06:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: u16,
    to: u16,
}

/// A text is no part of the day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a part of the day: write 08:00-17:30, or 22:00-06:00 over midnight")]
pub struct ParseHoursError(String);

impl Hours {
    /// Whether it is this part of one of these days; no days are all days. What goes over midnight
    /// belongs to the day on which it began.
    #[must_use]
    pub fn hold(self, days: &[Weekday], now: LocalTime) -> bool {
        let on = |day| days.is_empty() || days.contains(&day);
        let Self { from, to } = self;
        if from < to {
            return on(now.weekday) && (from..to).contains(&now.minute);
        }
        (now.minute >= from && on(now.weekday)) || (now.minute < to && on(now.weekday.before()))
    }
}

impl FromStr for Hours {
    type Err = ParseHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            if !digits(hours) || !digits(minutes) {
                return None;
            }
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            // 24:00 is the end of a day.
            let minute = hours * 60 + minutes;
            (minutes < 60 && minute <= 1440).then_some(minute)
        };
        let parsed = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match parsed {
            Some((from, to)) if from != to && from < 1440 => Ok(Self { from, to }),
            _ => Err(ParseHoursError(text.chars().take(20).collect())),
        }
    }
}

impl TryFrom<String> for Hours {
    type Error = ParseHoursError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_day_hold_on_their_days() {
        let at = |weekday, minute| LocalTime { weekday, minute };
        let work: Hours = "08:00-17:30".parse().unwrap();
        let days = [Weekday::Monday, Weekday::Friday];
        assert!(work.hold(&days, at(Weekday::Monday, 480)));
        assert!(!work.hold(&days, at(Weekday::Monday, 1050)));
        assert!(!work.hold(&days, at(Weekday::Sunday, 480)));
        assert!(work.hold(&[], at(Weekday::Sunday, 480)));
        // A night belongs to the evening on which it began.
        let night: Hours = "22:00-06:00".parse().unwrap();
        assert!(night.hold(&days, at(Weekday::Monday, 1320)));
        assert!(night.hold(&days, at(Weekday::Tuesday, 0)));
        assert!(!night.hold(&days, at(Weekday::Monday, 0)));
        assert!(!night.hold(&days, at(Weekday::Tuesday, 1320)));
        assert!(!night.hold(&days, at(Weekday::Tuesday, 360)));
        let evening: Hours = "18:00-24:00".parse().unwrap();
        assert!(evening.hold(&[], at(Weekday::Monday, 1439)));
    }

    #[test]
    fn what_is_no_part_of_the_day_is_refused() {
        for text in
            ["", "8-17", "08:00", "08:00-25:00", "08:60-09:00", "08:00-08:00", "24:00-06:00"]
        {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
        assert_eq!("08:00-24:00".parse::<Hours>().unwrap().to_string(), "08:00-24:00");
    }
}
