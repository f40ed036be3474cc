// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is meant: by an entry of the list, and by a call.

use std::{fmt, str::FromStr};

use crate::{
    contact::{Address, Contact, MAX_CONTACT, ParseContactError},
    extension::ExtensionNumber,
    number::{E164, ParseE164Error, Region, Understood},
    routing::{World, emergency},
};

/// The word for whoever does not say who he is.
const ANONYMOUS: &str = "anonymous";
/// Domains below it are nobody's (RFC 2606 §2); RFC 3323 §4.1.1.3 has `anonymous.invalid`.
const NOBODY: &str = ".invalid";
/// The fewest digits that can be a number with its country code and without a `+`.
const LEAST_INTERNATIONAL: usize = 8;

/// Who is blocked, written in one way. Its text is read back by [`FromStr`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    /// Whoever hides his number: `anonymous`.
    Anonymous,
    /// All numbers that begin so; the digits behind the `+`: `+49900*`.
    Beginning(Box<str>),
    /// Everybody at a domain: `@example.org`.
    Domain(Box<str>),
    /// A name of the house, or a number that the world does not dial: `102`.
    Local(Box<str>),
    /// A number: `+4930123456`.
    Number(E164),
    /// Somebody at a domain: `bob@example.org`.
    Address(Box<str>),
}

/// Why a text is nobody whom one can block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseWhoError {
    /// A beginning that is none.
    #[error(
        "{0:?} is no beginning of numbers: write + and the country code before it, such as +49900*"
    )]
    Beginning(String),
    /// It is no contact.
    #[error(transparent)]
    Contact(#[from] ParseContactError),
    /// A number for help.
    #[error("{0} is for emergencies, and who helps is never blocked")]
    Emergency(String),
    /// A beginning that every number has.
    #[error(
        "{0:?} would block everybody: name a beginning such as +49900*, or `anonymous` for those who \
         hide their number"
    )]
    Everybody(String),
    /// The domain of the house.
    #[error("{0:?} is this house: block its extensions one by one")]
    House(String),
    /// A domain without anybody.
    #[error("{0:?} names nobody there: write @ before a domain to block all of it")]
    Nobody(String),
    /// A number with a `+` that is none of the world.
    #[error(transparent)]
    Number(#[from] ParseE164Error),
}

impl Who {
    /// Reads what a user or a program writes, in this house: `030 123456` there is a number of the
    /// country, and an address of the house its extension.
    ///
    /// # Errors
    /// Nobody can be blocked by that; the error says why.
    pub fn read(text: &str, world: &impl World) -> Result<Self, ParseWhoError> {
        if text.len() > MAX_CONTACT {
            return Err(ParseContactError::TooLong(text.len(), MAX_CONTACT).into());
        }
        let text = text.trim();
        if let Some(stray) = text.chars().find(|c| c.is_control()) {
            return Err(ParseContactError::Letter(stray).into());
        }
        if text.eq_ignore_ascii_case(ANONYMOUS) {
            return Ok(Self::Anonymous);
        }
        if let Some(domain) = text.strip_prefix('@') {
            return whole_domain(text, domain, world);
        }
        if let Some(local) = extension(text, world) {
            return Ok(local);
        }
        if let Some(digits) = text.strip_suffix('*') {
            return beginning(text, digits);
        }
        let contact: Contact = text.parse()?;
        let who = of_contact(text, &contact.at_home(world), world)?;
        let written = who.to_string();
        if written.len() > MAX_CONTACT {
            return Err(ParseContactError::TooLong(written.len(), MAX_CONTACT).into());
        }
        let is_help = |contact: Contact| emergency::is_emergency(&contact, world);
        if matches!(who, Self::Local(_)) && written.parse().is_ok_and(is_help) {
            return Err(ParseWhoError::Emergency(written));
        }
        Ok(who)
    }
}

fn of_contact(text: &str, contact: &Contact, world: &impl World) -> Result<Who, ParseWhoError> {
    if is_nobody(contact) {
        return Ok(Who::Anonymous);
    }
    match contact {
        Contact::Service(_) => Err(ParseWhoError::Emergency(text.into())),
        Contact::Name(name) => Ok(Who::Local(name.as_str().into())),
        Contact::Number(number) => match extension(number.as_str(), world) {
            Some(local) => Ok(local),
            None => Ok(of_digits(number.as_str(), world.region())?),
        },
        Contact::Sip(address) if address.user.is_empty() => Err(ParseWhoError::Nobody(text.into())),
        Contact::Sip(address) => Ok(number_at(address, world).unwrap_or_else(|| at(address))),
    }
}

/// The digits of a number that stands in an address: one with a `+` is the number wherever the
/// address is, any other where a line has its domain.
fn number_at(address: &Address, world: &impl World) -> Option<Who> {
    let Ok(Contact::Number(number)) = address.user.parse() else { return None };
    let of_line = world
        .lines()
        .iter()
        .find(|line| line.domains.iter().any(|domain| domain.eq_ignore_ascii_case(&address.host)));
    if !number.is_international() && of_line.is_none() {
        return None;
    }
    let region = of_line.and_then(|line| line.numbering.region).unwrap_or_else(|| world.region());
    of_digits(number.as_str(), region).ok()
}

/// An extension of the house, which may look like anything else.
fn extension(text: &str, world: &impl World) -> Option<Who> {
    let number: ExtensionNumber = text.parse().ok()?;
    world.extension(&number).map(|extension| Who::Local(extension.number.as_str().into()))
}

fn whole_domain(text: &str, domain: &str, world: &impl World) -> Result<Who, ParseWhoError> {
    let no_host = || ParseContactError::Host(domain.into());
    let Ok(Contact::Sip(address)) = format!("sip:{domain}").parse() else {
        return Err(no_host().into());
    };
    // A port, a user or parameters are no part of a domain.
    if address.port.is_some() || !address.user.is_empty() || domain.contains([';', '?', '@']) {
        return Err(no_host().into());
    }
    if world.is_own_domain(&address.host, None) {
        return Err(ParseWhoError::House(text.into()));
    }
    Ok(Who::Domain(address.host.into()))
}

fn beginning(text: &str, digits: &str) -> Result<Who, ParseWhoError> {
    let digits: String =
        digits.chars().filter(|c| !(c.is_whitespace() || "-./()".contains(*c))).collect();
    if digits.trim_start_matches('+').trim_end_matches('*').is_empty() {
        return Err(ParseWhoError::Everybody(text.into()));
    }
    let found = digits.strip_prefix('+').filter(|digits| is_beginning(digits));
    found.map_or_else(
        || Err(ParseWhoError::Beginning(text.into())),
        |digits| Ok(Who::Beginning(digits.into())),
    )
}

/// At most as many as the longest number has (E.164); none begins with a zero.
fn is_beginning(digits: &str) -> bool {
    matches!(digits.len(), 1..=15)
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
}

/// The number as the whole world dials it, where the world does.
///
/// # Errors
/// It has a `+` and is no number all the same. Nothing else begins with one, so that no number can
/// be read as a beginning.
fn of_digits(digits: &str, region: Region) -> Result<Who, ParseE164Error> {
    if digits.starts_with('+') {
        return digits.parse().map(Who::Number);
    }
    Ok(match Understood::read(digits, region) {
        Some(known) => Who::Number(known.e164),
        None => Who::Local(digits.into()),
    })
}

fn at(address: &Address) -> Who {
    Who::Address(format!("{}@{}", address.user.to_lowercase(), address.host).into())
}

fn is_nobody(contact: &Contact) -> bool {
    match contact {
        Contact::Name(name) => name == ANONYMOUS,
        Contact::Sip(address) => {
            address.user.eq_ignore_ascii_case(ANONYMOUS) || address.host.ends_with(NOBODY)
        }
        Contact::Number(_) | Contact::Service(_) => false,
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str(ANONYMOUS),
            Self::Beginning(digits) => write!(f, "+{digits}*"),
            Self::Domain(host) => write!(f, "@{host}"),
            Self::Local(text) | Self::Address(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for Who {
    type Err = ParseWhoError;

    /// Reads what [`fmt::Display`] wrote, and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseWhoError::Nobody(text.chars().take(MAX_CONTACT).collect());
        if text.is_empty() || text.len() > MAX_CONTACT || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        if text == ANONYMOUS {
            return Ok(Self::Anonymous);
        }
        let digits = text.strip_prefix('+').and_then(|text| text.strip_suffix('*'));
        if let Some(digits) = digits.filter(|digits| is_beginning(digits)) {
            return Ok(Self::Beginning(digits.into()));
        }
        Ok(match (text.parse(), text.split_once('@')) {
            (Ok(number), _) => Self::Number(number),
            (_, Some(("", host))) if !host.is_empty() => Self::Domain(host.into()),
            (_, Some((_, host))) if !host.is_empty() => Self::Address(text.into()),
            (_, Some(_)) => return Err(wrong()),
            (_, None) => Self::Local(text.into()),
        })
    }
}

/// Who calls, in all the ways in which a list may name him.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// What names him alone.
    names: Vec<Who>,
    /// The domain that he is of, where that says something about him.
    domain: Option<Box<str>>,
    is_anonymous: bool,
}

impl Caller {
    /// An extension of the house.
    #[must_use]
    pub fn extension(number: &ExtensionNumber) -> Self {
        Self { names: vec![Who::Local(number.as_str().into())], ..Self::default() }
    }

    /// Somebody on a line whose numbers are those of a region, as its provider says it; none where it
    /// says nothing. The domain is the provider's, and says nothing of who calls a number.
    #[must_use]
    pub fn on_line(contact: Option<&Contact>, region: Region) -> Self {
        let Some(contact) = contact else { return Self::hidden() };
        if is_nobody(contact) {
            return Self::hidden();
        }
        match contact {
            Contact::Service(_) => Self::default(),
            Contact::Name(name) => Self::named(Who::Local(name.as_str().into())),
            Contact::Number(number) => Self::numbered(number.as_str(), region),
            Contact::Sip(address) if address.user.is_empty() => Self::hidden(),
            Contact::Sip(address) => match address.user.parse() {
                Ok(Contact::Number(number)) => {
                    let mut caller = Self::numbered(number.as_str(), region);
                    caller.names.push(at(address));
                    caller
                }
                _ => Self::at(address),
            },
        }
    }

    /// Somebody of another domain, or a program of the user's own, which says of itself what it likes.
    #[must_use]
    pub fn outside(contact: Option<&Contact>, world: &impl World) -> Self {
        let Some(contact) = contact else { return Self::hidden() };
        let contact = contact.at_home(world);
        if is_nobody(&contact) {
            return Self::hidden();
        }
        match &*contact {
            Contact::Service(_) => Self::default(),
            Contact::Name(name) => Self::named(Who::Local(name.as_str().into())),
            Contact::Number(number) => Self::numbered(number.as_str(), world.region()),
            Contact::Sip(address) if address.user.is_empty() => {
                Self { is_anonymous: true, ..Self::at(address) }
            }
            Contact::Sip(address) => {
                let mut caller = Self::at(address);
                caller.names.extend(number_at(address, world));
                caller
            }
        }
    }

    fn hidden() -> Self {
        Self { is_anonymous: true, ..Self::default() }
    }

    fn named(who: Who) -> Self {
        Self { names: vec![who], ..Self::default() }
    }

    fn at(address: &Address) -> Self {
        Self { domain: Some(address.host.as_str().into()), ..Self::named(at(address)) }
    }

    fn numbered(digits: &str, region: Region) -> Self {
        let Ok(who) = of_digits(digits, region) else { return Self::default() };
        let mut caller = Self::named(who);
        // Some providers leave the + out.
        if matches!(caller.names[0], Who::Local(_))
            && digits.len() >= LEAST_INTERNATIONAL
            && let Some(known) = Understood::read(&format!("+{digits}"), region)
        {
            caller.names.push(Who::Number(known.e164));
        }
        caller
    }

    /// What may stand on a list for him, what means him alone first.
    pub(super) fn names(&self) -> impl Iterator<Item = Who> {
        let domain = self.domain.iter().map(|host| Who::Domain(host.clone()));
        let numbers = self.names.iter().filter_map(|who| match who {
            Who::Number(number) => Some(number.digits()),
            _ => None,
        });
        let beginnings = numbers.flat_map(|digits| {
            (1..=digits.len()).rev().map(|end| Who::Beginning(digits[..end].into()))
        });
        let anonymous = self.is_anonymous.then_some(Who::Anonymous);
        self.names.iter().cloned().chain(domain).chain(beginnings).chain(anonymous)
    }
}
