// SPDX-License-Identifier: GPL-3.0-or-later
//! Routes in words: causes for phones, sentences for people.

use std::fmt;

use super::{Because, Choice, Reason, Rejected, Why, emergency::Place};
use crate::{cause::Cause, line::EmergencyAbility, number::Class};

impl Why {
    /// What the caller's phone is told when nothing better was found.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Barred(_) | Self::FromOutside | Self::Toll { .. } => {
                Cause::barred().with_text(self.to_string())
            }
            Self::CallersOwnPhone | Self::NotRegistered => Cause::not_registered(),
            Self::CannotDial
            | Self::CapReached
            | Self::Forbidden(_)
            | Self::LeadsElsewhere
            | Self::NoLine
            | Self::NoMessages
            | Self::NoVoice
            | Self::NotForCaller
            | Self::OwnLine
            | Self::PeersOff
            | Self::TooInsecure(_)
            | Self::TooMany => Cause::no_line(),
            Self::EmergencyOnly | Self::LineDown(_) => Cause::no_line_up(),
            Self::EmergencyWithoutLine => Cause::no_emergency_line(),
            Self::EmptyGroup | Self::Unknown => Cause::not_found(),
            Self::InUse => Cause::lines_in_use(),
            Self::TooLarge => Cause::too_many_hops(),
        }
    }

    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Barred(_) => "barred",
            Self::CallersOwnPhone => "callers-own-phone",
            Self::CannotDial => "cannot-dial",
            Self::CapReached => "cap-reached",
            Self::EmergencyOnly => "emergency-only",
            Self::EmergencyWithoutLine => "emergency-without-line",
            Self::EmptyGroup => "empty-group",
            Self::Forbidden(_) => "forbidden",
            Self::FromOutside => "from-outside",
            Self::InUse => "in-use",
            Self::LeadsElsewhere => "leads-elsewhere",
            Self::LineDown(_) => "line-down",
            Self::NoLine => "no-line",
            Self::NoMessages => "no-messages",
            Self::NoVoice => "no-voice",
            Self::NotForCaller => "not-for-caller",
            Self::NotRegistered => "not-registered",
            Self::OwnLine => "own-line",
            Self::PeersOff => "peers-off",
            Self::Toll { .. } => "toll-level",
            Self::TooInsecure(_) => "too-insecure",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Barred(rule) => return write!(f, "the rule \"{rule}\" bars the call"),
            Self::CallersOwnPhone => "it is the phone that calls",
            Self::CannotDial => "it is no whole number, and the line is in another country",
            Self::CapReached => "it has been used for as many minutes as it may be",
            Self::EmergencyOnly => "it takes emergency calls alone now",
            Self::EmergencyWithoutLine => {
                "it is an emergency number, and no line here can carry an emergency call"
            }
            Self::EmptyGroup => "the group has no members",
            Self::Forbidden(rule) => return write!(f, "the rule \"{rule}\" forbids this line"),
            Self::FromOutside => "a call from outside is not sent outside again",
            Self::InUse => "it can take no more calls at once",
            Self::LeadsElsewhere => "it leads to other numbers",
            Self::LineDown(down) => return write!(f, "the line is down: {down}"),
            Self::NoLine => "no line leads there",
            Self::NoMessages => "it carries no text messages",
            Self::NoVoice => "it carries no voice",
            Self::NotForCaller => "it is not for this extension",
            Self::NotRegistered => "no phone is registered for it",
            Self::OwnLine => "the call came from there",
            Self::PeersOff => "other domains are not called directly here",
            Self::Toll { class, level } => {
                return write!(f, "it is {}, and the caller may call {level} alone", a(*class));
            }
            Self::TooInsecure(security) => {
                return write!(f, "its security is \"{}\", which is not enough", security.as_str());
            }
            Self::TooLarge => "more would ring than one call may ring",
            Self::TooMany => "enough others are tried before it",
            Self::Unknown => "there is no such extension",
        })
    }
}

/// A contact of a class, in words.
const fn a(class: Class) -> &'static str {
    match class {
        Class::Freephone => "a freephone number",
        Class::Internal => "an extension",
        Class::Internet => "an address on the Internet",
        Class::International => "a number of another country",
        Class::Mobile => "a mobile number",
        Class::National => "a number of this country",
        Class::Premium => "a premium number",
        Class::Short => "a short number or a code",
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emergency { line, place } => {
                let why = match place {
                    Place::Gsm => "radios are tried first",
                    Place::Line(EmergencyAbility::Yes) => "it takes emergency calls",
                    Place::Line(EmergencyAbility::LocationRequired) => {
                        "it takes emergency calls where it knows the address"
                    }
                    Place::Line(EmergencyAbility::Unknown) => {
                        "nobody knows whether it takes emergency calls"
                    }
                    Place::Line(EmergencyAbility::No) => {
                        "it says that it takes no emergency calls, and is tried all the same"
                    }
                };
                write!(f, "an emergency by {line}: {why}")
            }
            Self::Extension(number) => write!(f, "extension {number} was dialled"),
            Self::Group(number) => write!(f, "group {number} was dialled, all its phones ring"),
            Self::Line(choice) => choice.fmt(f),
            Self::Member { group, member } => {
                write!(f, "group {group} was dialled, it is the turn of {member}")
            }
            Self::Peer(domain) => write!(f, "{domain} is called directly"),
            Self::Published(domain) => {
                write!(f, "the holder of the number published an address at {domain}")
            }
            Self::Service(number) => write!(f, "service {number} was dialled"),
            Self::Program(account) => write!(f, "{account} is the account of this program alone"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, reason, cost, changed_by } = self;
        match reason {
            Reason::Gsm => write!(f, "the radio {line} leads there"),
            Reason::Included => write!(f, "{line} leads there, in minutes paid for already"),
            Reason::LeadsThere => write!(f, "{line} is for these numbers"),
            Reason::OnNet(domain) => write!(f, "{domain} is reached by {line}"),
            Reason::Preferred(rule) => write!(f, "the rule \"{rule}\" prefers {line}"),
            Reason::Provider => write!(f, "{line} leads there"),
            Reason::TelephoneNetwork => write!(f, "{line} leads to the telephone network"),
        }?;
        if let Some(cost) = cost {
            write!(f, ", at {cost} a minute")?;
        }
        match changed_by {
            Some(rule) => write!(f, "; the rule \"{rule}\" changed the number"),
            None => Ok(()),
        }
    }
}

impl Because {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Emergency { .. } => "emergency",
            Self::Extension(_) => "extension",
            Self::Group(_) => "group",
            Self::Line(choice) => choice.reason.as_str(),
            Self::Member { .. } => "member",
            Self::Peer(_) => "peer",
            Self::Published(_) => "published",
            Self::Service(_) => "service",
            Self::Program(_) => "program",
        }
    }
}

impl Reason {
    /// Its stable lower-case name, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Gsm => "gsm",
            Self::Included => "included",
            Self::LeadsThere => "leads-there",
            Self::OnNet(_) => "on-net",
            Self::Preferred(_) => "preferred",
            Self::Provider => "provider",
            Self::TelephoneNetwork => "telephone-network",
        }
    }
}
