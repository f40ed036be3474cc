// SPDX-License-Identifier: GPL-3.0-or-later
//! What the user's clock shows at a moment.

use sipwitch_core::routing::{LocalTime, Weekday};

/// The weekday and the time of the day in the user's time zone; none where the system does not
/// know it.
#[must_use]
pub fn at(unix_us: i64) -> Option<LocalTime> {
    let shown = shown(unix_us)?;
    // Sunday is its day 0, and ours the last.
    let weekday = *Weekday::ALL.get(usize::try_from((shown.tm_wday + 6) % 7).ok()?)?;
    let minute = u16::try_from(shown.tm_hour * 60 + shown.tm_min).ok()?;
    Some(LocalTime { weekday, minute })
}

/// The month on the user's calendar, as 202611; none where the system does not know it.
#[must_use]
pub fn month(unix_us: i64) -> Option<u32> {
    let shown = shown(unix_us)?;
    let (year, month) = (shown.tm_year.checked_add(1900)?, shown.tm_mon + 1);
    u32::try_from(year).ok()?.checked_mul(100)?.checked_add(u32::try_from(month).ok()?)
}

/// The day on the user's calendar, as 2026-11-23; none where the system does not know it.
#[must_use]
pub fn day(unix_us: i64) -> Option<String> {
    let shown = shown(unix_us)?;
    let year = shown.tm_year.checked_add(1900)?;
    Some(format!("{year:04}-{:02}-{:02}", shown.tm_mon + 1, shown.tm_mday))
}

#[expect(unsafe_code, reason = "localtime_r(3) has no safe face")]
fn shown(unix_us: i64) -> Option<libc::tm> {
    let seconds: libc::time_t = unix_us.div_euclid(1_000_000);
    let mut shown = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to memory of ours that lives as long as the call; `shown` is only
    // read where the call says that it wrote it.
    unsafe {
        if libc::localtime_r(&raw const seconds, shown.as_mut_ptr()).is_null() {
            return None;
        }
        Some(shown.assume_init())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_later_it_is_the_next_day_at_the_same_time() {
        // Monday, 2026-11-23 12:00 UTC, is a Monday or Tuesday everywhere on earth.
        let noon = 1_795_435_200_000_000;
        let today = at(noon).unwrap();
        assert!(matches!(today.weekday, Weekday::Monday | Weekday::Tuesday), "{today:?}");
        let yesterday = at(noon - 86_400_000_000).unwrap();
        assert_eq!(yesterday, LocalTime { weekday: today.weekday.before(), ..today });
        assert!(at(i64::MAX).is_some());
    }

    #[test]
    fn a_day_has_its_month_and_its_year() {
        // Noon of 2026-11-23, which is that day or the next everywhere on earth.
        let day = day(1_795_435_200_000_000).unwrap();
        assert!(["2026-11-23", "2026-11-24"].contains(&day.as_str()), "{day}");
        let _ = (shown(i64::MAX), shown(i64::MIN));
    }

    #[test]
    fn a_month_has_its_year() {
        // 2026-11-23 and 2026-12-02, which are in these months everywhere on earth.
        assert_eq!(month(1_795_435_200_000_000), Some(202_611));
        assert_eq!(month(1_795_435_200_000_000 + 9 * 86_400_000_000), Some(202_612));
        let _ = (month(i64::MAX), month(i64::MIN));
    }
}
