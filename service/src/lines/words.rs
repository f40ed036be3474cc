// SPDX-License-Identifier: GPL-3.0-or-later
//! The states of a line, for people: what is the matter, and what to do next.

use std::time::Instant;

use sipwitch_core::line::{Down, LineState};
use sipwitch_dbus_interfaces::wire::CertificateFault;
use sipwitch_sip::{
    client_registration::{Password, State, Trouble},
    driver::{Defect, FlowFault},
    flow::Transport,
};

use super::shelter;

/// How a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `registering`, `online`, `needs-password`, `keyring-locked`, `refused`, `unreachable`, `off`.
    pub state: &'static str,
    /// Why, in words; empty where the state says it all.
    pub cause: String,
    /// What is wrong with the certificate of its server, where that is why.
    pub certificate: CertificateFault,
    /// What to do next, in words; empty where there is nothing to do.
    pub next: String,
    /// When it is tried again by itself.
    pub again: Option<Instant>,
    /// What can leave by it although it is not online.
    pub(super) leaves: Leaves,
}

/// What can leave by a line that is not online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    Nothing,
    /// Calls for help.
    Emergencies,
    /// Everything: what stood stands until the provider has answered.
    Everything,
}

impl Standing {
    pub(super) fn new(state: &'static str, cause: impl Into<String>, next: &str) -> Self {
        Self {
            state,
            cause: cause.into(),
            certificate: CertificateFault::None,
            next: next.to_owned(),
            again: None,
            leaves: Leaves::Nothing,
        }
    }

    pub(super) fn off() -> Self {
        Self::new("off", "it is switched off", "switch it on to use it")
    }

    pub(super) fn asleep() -> Self {
        Self::new("off", "the machine sleeps", "wake it up; it goes on by itself")
    }

    pub(super) fn queued() -> Self {
        Self::new("registering", "it waits for its turn", "")
    }

    pub(super) fn fetching() -> Self {
        Self::new("registering", "its password is being fetched", "")
    }

    /// Somebody wants to see whether it works: what stood stands until the provider has answered.
    pub(super) fn tried(leaves: Leaves) -> Self {
        Self { leaves, ..Self::of(&State::Registering) }
    }

    pub(super) fn looking() -> Self {
        Self::new("registering", "its servers are being looked for", "")
    }

    pub(super) fn online(words: &str) -> Self {
        Self::new("online", words, "")
    }

    /// It is online, and would be rewritten on the way if it were not for this transport.
    pub(super) fn sheltered(over: Transport) -> Self {
        let over = shelter::spoken(over);
        Self::online(&format!("by {over}, since other SIP messages are rewritten on the way"))
    }

    /// It is online, but what is written is rewritten on the way, or by the provider itself.
    pub(super) fn rewritten() -> Self {
        Self::new(
            "online",
            "its SIP messages are rewritten on the way, or by the provider itself",
            "if calls fail or are silent, switch SIP ALG off in the router",
        )
    }

    pub(super) fn missing_password() -> Self {
        Self::new("needs-password", "no password is kept for it", "give it its password")
    }

    pub(super) fn locked() -> Self {
        Self::new(
            "keyring-locked",
            "the keyring that holds its password is locked",
            "unlock the keyring; it goes on by itself",
        )
    }

    pub(super) fn no_keyring(why: &str) -> Self {
        Self::new(
            "keyring-locked",
            format!("the keyring cannot be asked for its password: {why}"),
            "start the keyring, or give the password again",
        )
    }

    pub(super) fn unreachable(cause: impl Into<String>, again: Option<Instant>) -> Self {
        let next = if again.is_some() {
            "wait: it is tried again by itself"
        } else {
            "see whether the network and the provider's name are right"
        };
        Self { again, ..Self::new("unreachable", cause, next) }
    }

    /// Its servers were not found.
    pub(super) fn nowhere(why: &str, again: Instant) -> Self {
        let next = "see whether its domain is written as the provider says, and names are looked \
                    up (sipwitch doctor); it is tried again by itself";
        Self { next: next.to_owned(), ..Self::unreachable(why, Some(again)) }
    }

    /// The phone that is the gateway is not registered.
    pub(super) fn no_phone(extension: &str) -> Self {
        let next = format!("have the gateway register here, as extension {extension}");
        Self::new("unreachable", "its phone is not registered", &next)
    }

    /// No connection can be made, for this reason.
    pub(super) fn broken(why: Option<&FlowFault>, again: Option<Instant>) -> Self {
        let cause = trouble(&Trouble::Broken);
        let Some(why) = why else { return Self::unreachable(cause, again) };
        let standing = Self::unreachable(format!("{cause}: {why}"), again);
        let FlowFault::Certificate { bad, .. } = why else { return standing };
        let (certificate, next) = mend(&bad.defect);
        // That it is tried again does not help while nobody does anything.
        Self { certificate, next: next.to_owned(), ..standing }
    }

    /// TLS does not lead to it, and it is not tried without.
    pub(super) fn without_tls(self) -> Self {
        let cause = format!("{}; it is not tried without TLS, but for emergencies", self.cause);
        let next = match self.certificate {
            CertificateFault::None => {
                "see whether something between you and the provider blocks TLS, or the provider \
                 has given it up; then name the transports that you want: server.transports"
            }
            _ => &self.next,
        };
        Self { cause, next: next.to_owned(), leaves: Leaves::Emergencies, ..self }
    }

    /// How a registration stands.
    pub(super) fn of(state: &State) -> Self {
        match state {
            State::Off => Self::off(),
            State::Registering => Self::new("registering", "the provider is being asked", ""),
            State::Online => Self::online(""),
            State::NeedsPassword(why) => Self::of_password(*why),
            State::Refused { status } => Self::new(
                "refused",
                format!("the provider refuses this account ({status})"),
                "see whether the user name is right and the account in order, then switch it off \
                 and on",
            ),
            State::Unreachable { why, again } => Self::unreachable(trouble(why), *again),
        }
    }

    fn of_password(why: Password) -> Self {
        match why {
            Password::Missing => Self::missing_password(),
            Password::Denied(denied) => Self::new(
                "needs-password",
                format!("{denied}"),
                "give the right password; nothing is tried before, since providers lock accounts",
            ),
            Password::Forbidden => Self::new(
                "needs-password",
                "the provider refused the account, by which it means the password",
                "give the right password; nothing is tried before, since providers lock accounts",
            ),
        }
    }

    /// The same for routing.
    pub(super) fn line_state(&self) -> LineState {
        match self.state {
            "online" => LineState::Up,
            _ if self.leaves == Leaves::Everything => LineState::Up,
            _ if self.leaves == Leaves::Emergencies => LineState::EmergencyOnly,
            "needs-password" => LineState::Down(Down::NeedsPassword),
            "keyring-locked" => LineState::Down(Down::KeyringLocked),
            "refused" => LineState::Down(Down::Refused),
            "off" => LineState::Down(Down::Off),
            "registering" => LineState::Down(Down::Registering),
            _ => LineState::Down(Down::Unreachable),
        }
    }
}

/// The same fault for programs, and what a person can do about it.
const fn mend(defect: &Defect) -> (CertificateFault, &'static str) {
    match defect {
        Defect::Expired(_) => (
            CertificateFault::Expired,
            "see whether the date of this machine is right; if it is, ask the provider for a new \
             certificate",
        ),
        Defect::NotYet(_) => (
            CertificateFault::NotYetValid,
            "set the clock of this machine right; if it is, ask the provider",
        ),
        Defect::OtherName(_) => (
            CertificateFault::OtherName,
            "see whether the name of the provider's server is written as the provider says; if it \
             is, ask the provider, and do not go on: somebody else may answer there",
        ),
        Defect::SelfSigned => (
            CertificateFault::SelfSigned,
            "if it is an exchange that you know, name the file of its certificate in \
             tls-authorities; else ask the provider",
        ),
        Defect::UnknownIssuer => (
            CertificateFault::UnknownIssuer,
            "ask the provider who issued it; an authority that you trust is named in \
             tls-authorities",
        ),
        Defect::OtherPurpose => {
            (CertificateFault::OtherPurpose, "ask the provider for a certificate for servers")
        }
        Defect::Revoked => (
            CertificateFault::Revoked,
            "do not go on, and ask the provider: somebody else may answer there",
        ),
        Defect::Unsound(_) => {
            (CertificateFault::Unsound, "ask the provider for a certificate that is in order")
        }
    }
}

fn trouble(trouble: &Trouble) -> String {
    match trouble {
        Trouble::NoWay => "no network leads to the provider".to_owned(),
        Trouble::NoAnswer => "the provider does not answer".to_owned(),
        Trouble::Broken => "no connection to the provider can be made".to_owned(),
        Trouble::Answered { status: 503, .. } => "the provider is busy or down (503)".to_owned(),
        Trouble::Answered { status, .. } => format!("the provider answers {status}"),
        Trouble::NotKept => "the provider forgot the registration at once".to_owned(),
        Trouble::IntervalTooBrief => {
            "the provider finds every time to register for too short (423)".to_owned()
        }
        Trouble::Redirected => "the provider sends us in circles".to_owned(),
        Trouble::Challenged(denied) => format!("the provider does not let us in: {denied}"),
    }
}
