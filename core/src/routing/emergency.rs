// SPDX-License-Identifier: GPL-3.0-or-later
//! Emergency calls. They come before every other rule: no extension, barring, preference, cost or
//! cap stands in their way, and nothing that was dialled is changed.

mod table;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{
    Attempt, Because, Caller, Destination, Origin, Persistence, RING_TIME, Rejected, Route, Target,
    Wants, Why, World,
};
use crate::{
    contact::Contact,
    line::{EmergencyAbility, Line, LineKind, LineState},
    number::Region,
};

/// Numbers that mean an emergency wherever one is (3GPP TS 22.101 §10.1.1 lists them for phones
/// without a SIM card); those that other countries use for something else are left to
/// [`numbers`] and [`World::emergency_numbers`].
pub const UNIVERSAL: &[&str] = &["000", "112", "911", "999"];

/// Whether the text is one of [`UNIVERSAL`].
#[must_use]
pub fn is_universal(number: &str) -> bool {
    UNIVERSAL.contains(&number)
}

/// The emergency numbers of a country, the general one first; none where the country is not known.
pub fn numbers(region: Region) -> impl Iterator<Item = &'static str> {
    table::country(region.as_str())
        .into_iter()
        .flat_map(|country| country.numbers().collect::<Vec<_>>())
}

/// What is dialled for help here, by service (RFC 5031 §4.2), help of any kind first. A single
/// service stands only where the country has a number for it; what the lines know besides, and what
/// means an emergency everywhere, is for help of any kind.
#[must_use]
pub fn services(world: &impl World) -> Vec<(&'static str, Vec<String>)> {
    const SINGLE: [&str; 3] = ["sos.police", "sos.fire", "sos.ambulance"];
    let region = world.region();
    let general = number_of("sos", region);
    let single: Vec<(&str, Vec<String>)> = SINGLE
        .iter()
        .map(|service| (*service, number_of(service, region)))
        .filter(|(_, number)| *number != general)
        .map(|(service, number)| (service, vec![number.to_owned()]))
        .collect();
    let is_single = |number: &str| single.iter().any(|(_, numbers)| numbers[0] == number);
    let of_lines = world.lines().iter().filter(|line| line.voice);
    let of_lines = of_lines.flat_map(|line| line.emergency.numbers.iter().map(|known| &**known));
    let of_country: Vec<&str> = std::iter::once(general).chain(numbers(region)).collect();
    let everywhere = world.emergency_numbers().iter().map(String::as_str);
    let mut any: Vec<String> = Vec::new();
    for number in
        of_country.into_iter().chain(everywhere).chain(of_lines).chain(UNIVERSAL.iter().copied())
    {
        if !is_single(number) && !any.iter().any(|known| known == number) {
            any.push(number.to_owned());
        }
    }
    std::iter::once(("sos", any)).chain(single).collect()
}

/// Whether the text is an emergency number in this country, or in every one.
#[must_use]
pub fn is_number(number: &str, region: Region) -> bool {
    is_universal(number)
        || table::country(region.as_str())
            .is_some_and(|country| country.numbers().any(|known| known == number))
}

/// Whether the text is an emergency number in any country.
#[must_use]
pub fn is_number_anywhere(number: &str) -> bool {
    is_universal(number) || table::countries().any(|c| c.numbers().any(|known| known == number))
}

/// Whether the contact calls for help: `112`, `sos`, `urn:service:sos.fire`, also as the user part
/// of an address of this house. At a foreign domain such a user part is that domain's to interpret.
#[must_use]
pub fn is_emergency(contact: &Contact, world: &impl World) -> bool {
    call_for(contact, world).is_some()
}

/// What is to be dialled, if the contact calls for help.
pub(super) fn call_for(contact: &Contact, world: &impl World) -> Option<Box<str>> {
    let here = contact.at_home(world);
    let dialled = match &*here {
        Contact::Service(service) => return Some(number_of(service, world.region()).into()),
        Contact::Number(number) => number.as_str(),
        Contact::Name(name) => name,
        Contact::Sip(_) => return None,
    };
    let lower = dialled.to_ascii_lowercase();
    if lower == "sos" || lower.starts_with("sos.") {
        return Some(number_of(&lower, world.region()).into());
    }
    let is_known = is_number(dialled, world.region())
        || world.emergency_numbers().iter().any(|known| known == dialled)
        || world.lines().iter().any(|line| {
            line.voice && line.emergency.numbers.iter().any(|known| **known == *dialled)
        });
    is_known.then(|| dialled.into())
}

/// The number of a service of RFC 5031 in a country; `112` where the country is not known: every
/// mobile network takes it.
#[must_use]
pub fn number_of(service: &str, region: Region) -> &'static str {
    table::country(region.as_str()).map_or("112", |country| country.number_of(service))
}

/// How a line stands in the order in which lines are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A radio: its network knows the call for what it is, and where it comes from.
    Gsm,
    /// A line by what it says of itself.
    Line(EmergencyAbility),
}

impl Place {
    const fn of(line: &Line) -> Self {
        match line.kind {
            LineKind::Gsm => Self::Gsm,
            LineKind::Account | LineKind::Gateway { .. } | LineKind::Modem | LineKind::Trunk => {
                Self::Line(line.emergency.ability)
            }
        }
    }
}

/// The lines that can carry a cry for help now, in the order in which they are tried. A line that
/// has no room is the very last: its room may be given back in the meantime.
fn ready(world: &impl World, wants: Wants) -> Vec<&Line> {
    let mut lines: Vec<&Line> =
        world.lines().iter().filter(|line| objection(line, wants).is_none()).collect();
    lines.sort_by_key(|line| (line.free == Some(0), Place::of(line)));
    lines
}

/// What no will can overcome: the line is down, or carries nothing of the kind.
const fn objection(line: &Line, wants: Wants) -> Option<Why> {
    match (line.state, wants) {
        (LineState::Down(down), _) => Some(Why::LineDown(down)),
        (_, Wants::Call) if !line.voice => Some(Why::NoVoice),
        (LineState::EmergencyOnly, Wants::Text) => Some(Why::EmergencyOnly),
        (_, Wants::Text) if !line.messages => Some(Why::NoMessages),
        (LineState::EmergencyOnly | LineState::Up, _) => None,
    }
}

/// The route of an emergency call: every line that is up, one after the other.
pub(super) fn route(
    contact: &Contact,
    dialled: &str,
    caller: &Caller,
    world: &impl World,
) -> Route {
    // Calls of strangers are not sent on, least of all in the user's name.
    if caller.origin != Origin::House {
        return Route::refused(contact.to_string(), Why::FromOutside);
    }
    let mut route = Route::default();
    for line in ready(world, caller.wants) {
        let target = Target { destination: Destination::Line(line.id), dialled: dialled.into() };
        if route.attempts.iter().any(|attempt| attempt.targets.contains(&target)) {
            continue;
        }
        let because = Because::Emergency { line: line.title().into(), place: Place::of(line) };
        let ring = world.ring_time().max(RING_TIME);
        route.attempts.push(Attempt {
            persistence: Persistence::Always,
            ..Attempt::outside(vec![target], because, ring, 0)
        });
    }
    if route.attempts.is_empty() {
        route = Route::refused(contact.to_string(), Why::EmergencyWithoutLine);
    }
    for line in world.lines() {
        if let Some(why) = objection(line, caller.wants) {
            route.rejected.push(Rejected { what: line.title().to_owned(), why });
        }
    }
    route
}

/// Whether an emergency call could leave the house now, told as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// No line is up that carries voice.
    None,
    /// By this line first.
    By {
        /// Its name for a person.
        line: Box<str>,
        /// What can be expected of it.
        place: Place,
    },
}

/// Whether an emergency call could leave the house now.
#[must_use]
pub fn availability(world: &impl World) -> Availability {
    ready(world, Wants::Call).first().map_or(Availability::None, |line| Availability::By {
        line: line.title().into(),
        place: Place::of(line),
    })
}

impl Availability {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::By { place, .. } => place.as_str(),
        }
    }
}

impl Place {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm | Self::Line(EmergencyAbility::Yes) => "available",
            Self::Line(EmergencyAbility::LocationRequired) => "location-required",
            Self::Line(EmergencyAbility::Unknown) => "unsure",
            Self::Line(EmergencyAbility::No) => "unlikely",
        }
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, place) = match self {
            Self::None => {
                return f
                    .write_str("no line here can carry an emergency call: use another telephone");
            }
            Self::By { line, place } => (line, place),
        };
        match place {
            Place::Gsm => write!(f, "emergency calls go by the radio {line}"),
            Place::Line(EmergencyAbility::Yes) => write!(f, "emergency calls go by {line}"),
            Place::Line(EmergencyAbility::LocationRequired) => write!(
                f,
                "emergency calls go by {line}, which must know your address: check it there"
            ),
            Place::Line(EmergencyAbility::Unknown) => write!(
                f,
                "emergency calls are tried by {line}, and nobody knows whether it takes them"
            ),
            Place::Line(EmergencyAbility::No) => write!(
                f,
                "emergency calls are tried by {line}, which says that it does not take them: \
                 use another telephone"
            ),
        }
    }
}
