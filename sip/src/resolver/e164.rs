// SPDX-License-Identifier: GPL-3.0-or-later
//! ENUM: from a telephone number to the SIP addresses that its owner published in the DNS
//! (RFC 6116, RFC 3764).
//!
//! Whoever asks tells the name servers whom somebody calls, and whoever answers decides where the
//! call goes. So nothing here is asked unless the user wants it, and only answers count that are
//! proven by DNSSEC; whether they are is the shell's to know.

mod regexp;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use self::regexp::Rewrite;
use super::{Data, Naptr, Record, host::check_name};
use crate::wire::Uri;

/// The public root of all numbers (RFC 6116 §2).
pub const PUBLIC_ROOT: &str = "e164.arpa";
/// How long a number may be looked up. The caller waits meanwhile.
pub const NUMBER_DEADLINE: Duration = Duration::from_millis(500);

/// The most digits of a number (ITU-T E.164).
const MOST_DIGITS: usize = 15;
/// Addresses taken of one number.
const MOST_ADDRESSES: usize = 8;
/// The longest address.
const LONGEST_ADDRESS: usize = 255;

/// A text that is no international number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ENUM takes a + and 2 to 15 digits")]
pub struct NotAnE164Number;

/// The name that stands for a number below a root: its digits, the last first.
///
/// # Errors
/// It is no international number, or the root is no name.
pub fn number_domain(number: &str, root: &str) -> Result<Arc<str>, NotAnE164Number> {
    let digits = number.strip_prefix('+').ok_or(NotAnE164Number)?;
    let is_number = (2..=MOST_DIGITS).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number {
        return Err(NotAnE164Number);
    }
    let mut name = String::with_capacity(2 * digits.len() + root.len());
    for digit in digits.chars().rev() {
        name.push(digit);
        name.push('.');
    }
    name.push_str(root);
    check_name(&name).map_err(|_| NotAnE164Number)
}

/// The SIP addresses that the records of a number's name make of the number, the first to be tried
/// first. What is broken, leads elsewhere or serves something else is left out.
#[must_use]
pub fn number_addresses(number: &str, records: Vec<Record>) -> Vec<Uri> {
    let mut rules: Vec<Naptr> = records
        .into_iter()
        .filter_map(|record| match record.data {
            Data::Naptr(rule) => Some(rule),
            _ => None,
        })
        .filter(|rule| rule.flags.eq_ignore_ascii_case("u") && is_for_sip(&rule.services))
        .collect();
    rules.sort_by_key(|rule| (rule.order, rule.preference));
    let mut addresses: Vec<Uri> = Vec::new();
    for rule in &rules {
        let Some(address) = address(number, rule) else { continue };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
        if addresses.len() == MOST_ADDRESSES {
            break;
        }
    }
    addresses
}

/// `E2U` and any number of services, one of which is SIP (RFC 6116 §3.4.3). Subtypes do not matter.
fn is_for_sip(services: &str) -> bool {
    let mut parts = services.split('+');
    parts.next().is_some_and(|first| first.eq_ignore_ascii_case("E2U"))
        && parts.any(|service| {
            service.split(':').next().is_some_and(|kind| kind.eq_ignore_ascii_case("sip"))
        })
}

fn address(number: &str, rule: &Naptr) -> Option<Uri> {
    let text = Rewrite::parse(&rule.regexp).ok()?.apply(number)?;
    if text.len() > LONGEST_ADDRESS || text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return None;
    }
    let uri = Uri::parse(text).ok()?;
    // Header fields in it would be written into our requests.
    (uri.is_sip() && !uri.has_headers() && !uri.host().is_empty()).then_some(uri)
}
