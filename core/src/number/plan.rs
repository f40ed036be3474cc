// SPDX-License-Identifier: GPL-3.0-or-later
//! The numbering plans of all countries: the wall before libphonenumber's data and its Rust port.
//!
//! Nothing of that crate is seen outside this file (docs/decisions/0011-numbers-of-the-world.md).
//! It costs megabytes and milliseconds, so it is loaded when the first number is dialled that
//! needs it, and [`forget`] gives the memory back.

use std::cell::RefCell;

use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PhoneNumber, PhoneNumberFormat, PhoneNumberType,
    PhoneNumberUtil,
};

use super::{Class, E164, Region, Understood};

thread_local! {
    /// Constants of the world, kept by the one thread that routes.
    static PLANS: RefCell<Option<PhoneNumberUtil>> = const { RefCell::new(None) };
}

/// Gives back the memory that the numbering plans take. They come again when they are needed.
pub fn forget() {
    PLANS.with_borrow_mut(|plans| *plans = None);
}

/// Whether the numbering plans take memory now.
#[must_use]
pub fn is_loaded() -> bool {
    PLANS.with_borrow(Option::is_some)
}

/// None where the data that came with the crate cannot be read, which its own tests exclude.
fn with<T>(ask: impl FnOnce(&PhoneNumberUtil) -> Option<T>) -> Option<T> {
    PLANS.with_borrow_mut(|plans| {
        if plans.is_none() {
            *plans = PhoneNumberUtil::new().ok();
        }
        plans.as_ref().and_then(ask)
    })
}

type TheirRegion = rlibphonenumber::Region;

/// The region as the crate names it; none for the world and for countries without numbers.
fn theirs(region: Region) -> Option<TheirRegion> {
    (region != Region::WORLD).then(|| TheirRegion::from_code(region.as_str()).ok()).flatten()
}

/// What a number is that was dialled in this region; none where it is not a number of the world:
/// a short number, a service code, a number too long.
pub(super) fn understand(dialled: &str, region: Region) -> Option<Understood> {
    // Codes for the network (`*21#`) are its own, and only digits go near the crate.
    let digits = dialled.strip_prefix('+').unwrap_or(dialled);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    with(|plans| {
        let number = plans.parse_and_keep_raw_input(dialled, theirs(region)).ok()?;
        let mut kind = plans.get_number_type(&number);
        if kind == PhoneNumberType::Unknown
            && plans.is_possible_number_with_reason(&number) != Ok(NumberLengthType::IsPossible)
        {
            return None;
        }
        if number.country_code_source() == CountryCodeSource::FromDefaultCountry
            && !is_whole(plans, &number, kind, digits)
        {
            return None;
        }
        let e164: E164 = plans.format(&number, PhoneNumberFormat::E164).parse().ok()?;
        // Zeros where no plan has any: each reading would take another of them for the prefix of
        // the country, so that nobody can say which number is meant.
        if kind == PhoneNumberType::Unknown
            && plans
                .parse(e164.as_str(), None)
                .is_ok_and(|again| plans.format(&again, PhoneNumberFormat::E164) != e164.as_str())
        {
            return None;
        }
        if satellite_or_worse(&e164) {
            kind = PhoneNumberType::PremiumRate;
        }
        let home = theirs(region);
        let country = plans.get_region_for_number(&number);
        let code = number.country_code;
        let is_home = match (country, home) {
            (Some(country), Some(home)) => country == home,
            // A range too new for the data: the country code has to do.
            (None, Some(home)) => plans.get_country_code_for_region(home) == Some(code),
            (_, None) => false,
        };
        let national = in_digits(&plans.format(&number, PhoneNumberFormat::National)).into();
        let code = u16::try_from(code).ok()?;
        Some(Understood { e164, class: class(kind, is_home), code, national })
    })
}

/// Whether a number that was dialled without a country code is one of the country, and not of one
/// town in it: Germany's `030123456` is, and `30123456` is dialled as it is. A number that no plan
/// knows must at least begin as the country's do, or `11833` would be taken for one.
fn is_whole(
    plans: &PhoneNumberUtil,
    number: &PhoneNumber,
    kind: PhoneNumberType,
    dialled: &str,
) -> bool {
    if kind == PhoneNumberType::Unknown {
        return !significant(&e164_of(plans, number), number).eq(dialled);
    }
    let national = in_digits(&plans.format(number, PhoneNumberFormat::National));
    national == dialled || !national.ends_with(dialled)
}

fn e164_of(plans: &PhoneNumberUtil, number: &PhoneNumber) -> String {
    in_digits(&plans.format(number, PhoneNumberFormat::E164))
}

fn in_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Networks that no country has, and that cost like premium numbers (ITU-T E.164 Annex D): 870
/// Inmarsat, 881 and 882 and 883 satellites and global networks, 979 international premium rate.
fn satellite_or_worse(number: &E164) -> bool {
    ["870", "881", "882", "883", "979"].iter().any(|code| number.digits().starts_with(code))
}

const fn class(kind: PhoneNumberType, is_home: bool) -> Class {
    use PhoneNumberType as Kind;
    match (kind, is_home) {
        (Kind::PremiumRate | Kind::SharedCost | Kind::Pager | Kind::PersonalNumber, _) => {
            Class::Premium
        }
        (Kind::TollFree, true) => Class::Freephone,
        (Kind::Mobile, true) => Class::Mobile,
        (
            Kind::FixedLine
            | Kind::FixedLineOrMobile
            | Kind::VoIP
            | Kind::UAN
            | Kind::VoiceMail
            | Kind::Unknown,
            true,
        ) => Class::National,
        (_, false) => Class::International,
    }
}

/// The country code of a region.
pub(super) fn code(region: Region) -> Option<u16> {
    let region = theirs(region)?;
    with(|plans| plans.get_country_code_for_region(region)?.try_into().ok())
}

/// The digits without their country code.
fn significant<'a>(digits: &'a str, number: &PhoneNumber) -> &'a str {
    let code = number.country_code.to_string();
    digits.strip_prefix(&*code).unwrap_or(digits)
}
