// SPDX-License-Identifier: GPL-3.0-or-later
//! Phones that prove themselves by the login password.
//!
//! The digests of that password are kept by the digest service, on the system bus, and never come
//! here: it is asked about each response. What it keeps of our user (the realm, the algorithms)
//! belongs in the challenge and may change at any login; it sends no signals, so it is asked for
//! again when a phone comes and the last answer is older than `FRESH`. Both take time. A request
//! that has to wait is kept as it came, and attended to again when the answer is there; its
//! repetitions end in its transaction meanwhile.
//!
//! A phone that says to be of such an extension learns so: from the realm of its challenge, or,
//! where it comes without TLS from another machine, from a refusal. A challenge of our own realm
//! would keep that secret, but phones would answer it with the digest of the login password, in the
//! clear (docs/security.md).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sipwitch_core::extension::ExtensionNumber;
use sipwitch_sip::{
    auth::{
        Verdict,
        elsewhere::{Answer, Elsewhere, InquiryId, MOST, PATIENCE},
    },
    endpoint::Arrival,
    flow::{ConnectionId, Flow, Transport},
    transaction::ServerId,
    wire::{Draft, name},
};

use super::{
    Switchboard,
    door::{Turned, note_refusal},
    errand::Errand,
    notice::LoginView,
};
use crate::store::Authentication;

/// How long what the digest service said is taken to be still so: a password that was changed, and
/// its algorithms with it, is good within this time.
const FRESH: Duration = Duration::from_secs(1);
/// The same where a phone would be turned away: who has just enrolled is not told that he has not.
const FRESH_TO_REFUSE: Duration = Duration::from_millis(100);
/// While phones cannot register, the digest service is asked again so often, for the user to see
/// what is the matter. Phones that come have it asked at once.
const AGAIN: Duration = Duration::from_secs(60);
/// What phones are told that come meanwhile.
const RETRY_AFTER_SECONDS: &str = "30";
/// Begins each warning about the digest service.
const CANNOT: &str = "phones cannot register with the login password";
/// Ends each warning about a phone that must not use the login password.
const NEEDS_TLS: &str =
    "have it use TLS, or `sipwitch digest separate` for a password that needs none";
/// Begins the warning about the switch.
const OPEN: &str = "registrar.login-password-without-tls is on";

/// How far it is known who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has just come.
    New,
    /// What the digest service keeps is known as well as it can be.
    Looked,
    /// The digest service judged its sender to be of this extension.
    Proven(ExtensionNumber),
}

/// What the digest service keeps of our user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Nothing that phones could be held against; why, and what to do, in words.
    Nothing(String),
    /// Digests.
    Digests {
        /// What they were made for.
        realm: String,
        /// The names of their algorithms.
        algorithms: Vec<String>,
        /// Whether they are of the login password, and not of a separate one.
        is_login: bool,
    },
}

#[derive(Debug, Default)]
enum Standing {
    #[default]
    Unknown,
    Ready {
        elsewhere: Elsewhere,
        is_login: bool,
    },
    NotEnrolled(String),
    Unavailable(String),
}

/// The digest service as it stands, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Login {
    standing: Standing,
    /// When it was told.
    told: Option<Instant>,
    /// By when it is told again; none if nobody asks.
    asking: Option<Instant>,
    /// When it is to be asked again by itself.
    again: Option<Instant>,
    /// Requests that wait for its standing.
    undecided: Vec<Arrival>,
    /// Requests whose credentials it was asked about.
    asked: HashMap<InquiryId, (Arrival, ExtensionNumber)>,
}

impl Login {
    /// When [`Switchboard::login_overdue`] wants to be called.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.asking.into_iter().chain(self.again).min()
    }

    /// Forgets an INVITE whose caller gave up.
    pub(super) fn withdrawn(&mut self, transaction: ServerId) {
        self.forget(|arrival| arrival.transaction == transaction);
    }

    /// Forgets whose connection is gone: there is no way to answer, nor to reach the phone.
    pub(super) fn connection_closed(&mut self, connection: ConnectionId) {
        self.forget(|arrival| arrival.flow.connection == Some(connection));
    }

    fn forget(&mut self, is_gone: impl Fn(&Arrival) -> bool) {
        self.undecided.retain(|arrival| !is_gone(arrival));
        self.asked.retain(|_, (arrival, _)| !is_gone(arrival));
    }

    /// How it stands, for others.
    pub(super) fn view(&self) -> LoginView {
        let (state, words) = match &self.standing {
            Standing::Unknown => ("unknown", ""),
            Standing::Ready { .. } => ("ready", ""),
            Standing::NotEnrolled(words) => ("not-enrolled", words.as_str()),
            Standing::Unavailable(words) => ("unavailable", words.as_str()),
        };
        LoginView { state, words: words.to_owned() }
    }

    /// Whether nobody waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.undecided.is_empty() && self.asked.is_empty() && self.asking.is_none()
    }
}

impl Switchboard {
    /// The extension that a request speaks for, if its phones prove themselves by the login
    /// password. Who withholds his name in the From (RFC 3323) is known by the way he came.
    pub(super) fn authenticates_by_login(
        &self,
        arrival: &Arrival,
        named: Option<&ExtensionNumber>,
    ) -> Option<ExtensionNumber> {
        if let Some(number) = named {
            return self.is_by_login(number).then(|| number.clone());
        }
        let is_same = |flow: &Flow| {
            (flow.transport, flow.remote, flow.connection)
                == (arrival.flow.transport, arrival.flow.remote, arrival.flow.connection)
        };
        let mut by_login = self.directory.by_login();
        by_login
            .find(|number| {
                let phones = self.registrar.phones_of(number.as_str());
                phones.iter().any(|binding| is_same(&binding.flow))
            })
            .cloned()
    }

    pub(super) fn is_by_login(&self, number: &ExtensionNumber) -> bool {
        let entry = self.directory.entry(number);
        entry.is_some_and(|entry| entry.authentication == Authentication::Login)
    }

    /// Whether a request proves the login password. Gives the extension.
    ///
    /// # Errors
    /// Why it does not, or not yet.
    pub(super) fn authenticate_by_login(
        &mut self,
        arrival: &Arrival,
        number: ExtensionNumber,
        stage: &Stage,
    ) -> Result<String, Turned> {
        match stage {
            Stage::Proven(proven) if *proven == number => return Ok(number.to_string()),
            Stage::New if !self.is_login_fresh(self.login_serves(&arrival.flow)) => {
                if self.login.undecided.len() >= MOST {
                    return Err(self.try_later(arrival, "1"));
                }
                self.login.undecided.push(arrival.clone());
                self.ask_for_login();
                return Err(Turned::Later);
            }
            Stage::New | Stage::Looked | Stage::Proven(_) => {}
        }
        let serves = self.login_serves(&arrival.flow);
        let Standing::Ready { elsewhere, .. } = &self.login.standing else {
            return Err(self.try_later(arrival, RETRY_AFTER_SECONDS));
        };
        if !serves {
            self.warn(format!("a phone of extension {number} comes without TLS: {NEEDS_TLS}"));
            let phrase = "The Login Password Needs TLS";
            return Err(self.endpoint.response_to(&arrival.request, 403, phrase).into());
        }
        let (now, source) = (self.now.unix_seconds(), arrival.flow.remote.ip());
        let verdict = self.authenticator.check_elsewhere(
            now,
            self.now.instant,
            &arrival.request,
            source,
            elsewhere,
        );
        while let Some(inquiry) = self.authenticator.poll_inquiry() {
            self.errands.tell(Errand::JudgeLogin(Box::new(inquiry)));
        }
        if let Verdict::Asked(inquiry) = verdict {
            self.login.asked.insert(inquiry, (arrival.clone(), number));
            return Err(Turned::Later);
        }
        note_refusal(arrival, &verdict);
        Err(self.login_refused(arrival, &verdict).into())
    }

    /// The answer to somebody who did not prove the login password.
    fn login_refused(&mut self, arrival: &Arrival, verdict: &Verdict) -> Draft {
        let (now, source) = (self.now.unix_seconds(), arrival.flow.remote.ip());
        let tag = self.endpoint.stateless_tag(&arrival.request);
        match &self.login.standing {
            Standing::Ready { elsewhere, .. } => self.authenticator.answer_elsewhere(
                now,
                &arrival.request,
                source,
                elsewhere,
                verdict,
                &tag,
            ),
            // It changed while the phone was judged.
            Standing::Unknown | Standing::NotEnrolled(_) | Standing::Unavailable(_) => {
                self.later(arrival, RETRY_AFTER_SECONDS)
            }
        }
    }

    fn try_later(&mut self, arrival: &Arrival, seconds: &str) -> Turned {
        self.later(arrival, seconds).into()
    }

    fn later(&mut self, arrival: &Arrival, seconds: &str) -> Draft {
        let phrase = "Passwords Cannot Be Checked Now";
        let mut response = self.endpoint.response_to(&arrival.request, 503, phrase);
        response.push(&name::RETRY_AFTER, seconds);
        response
    }

    /// Whether a phone that comes this way is challenged, as far as is known.
    fn login_serves(&self, flow: &Flow) -> bool {
        match &self.login.standing {
            Standing::Ready { is_login, .. } => {
                !is_login || is_private(flow) || self.settings.login_without_tls
            }
            Standing::Unknown | Standing::NotEnrolled(_) | Standing::Unavailable(_) => false,
        }
    }

    fn is_login_fresh(&self, serves: bool) -> bool {
        let fresh = if serves { FRESH } else { FRESH_TO_REFUSE };
        self.login.told.is_some_and(|told| self.now.instant < told + fresh)
    }

    /// Has the digest service asked how it stands, if any extension needs it.
    pub(super) fn look_at_login(&mut self) {
        if self.directory.by_login().next().is_some() && !self.is_login_fresh(true) {
            self.ask_for_login();
        }
        self.login_configured();
    }

    /// Other algorithms may be offered now, or be kept.
    pub(super) fn login_settings_changed(&mut self) {
        self.login.told = None;
        self.look_at_login();
    }

    fn ask_for_login(&mut self) {
        self.login.again = None;
        if self.login.asking.is_none() {
            self.login.asking = Some(self.now.instant + PATIENCE);
            self.errands.tell(Errand::LookAtLogin);
        }
    }

    /// The digest service told what it keeps, or cannot be asked.
    pub(super) fn login_kept(&mut self, kept: Result<Kept, String>) {
        let before = self.login.view();
        self.login.told = Some(self.now.instant);
        self.login.asking = None;
        self.login.standing = match kept {
            Err(words) => Standing::Unavailable(words),
            Ok(Kept::Nothing(words)) => Standing::NotEnrolled(words),
            Ok(Kept::Digests { realm, algorithms, is_login }) => {
                let is_kept = |name: &str| algorithms.iter().any(|kept| kept == name);
                let mut offered = self.settings.algorithms.clone();
                offered.retain(|algorithm| is_kept(algorithm.name()));
                if offered.is_empty() {
                    Standing::NotEnrolled(format!(
                        "what is kept is {}, of which registrar.digest-algorithms has none: add \
                         one there, or `sipwitch digest separate`",
                        algorithms.join(", ")
                    ))
                } else {
                    let elsewhere = Elsewhere { realm, algorithms: offered };
                    Standing::Ready { elsewhere, is_login }
                }
            }
        };
        self.login_configured();
        let view = self.login.view();
        let is_used = self.directory.by_login().next().is_some();
        let is_trouble = is_used && !matches!(self.login.standing, Standing::Ready { .. });
        self.login.again = is_trouble.then(|| self.now.instant + AGAIN);
        let warning = format!("{CANNOT}: {}", view.words);
        self.unwarn(|known| known.starts_with(CANNOT) && !(is_trouble && known == warning));
        if is_trouble {
            self.warn(warning);
        }
        if view != before {
            let by_login: Vec<_> = self.directory.by_login().cloned().collect();
            by_login.iter().for_each(|number| self.tell_extension(number.as_str()));
        }
        for arrival in std::mem::take(&mut self.login.undecided) {
            self.attend(arrival, &Stage::Looked);
        }
    }

    /// The digest service judged a phone.
    pub(super) fn login_judged(&mut self, inquiry: InquiryId, answer: Answer) {
        let now = self.now.unix_seconds();
        // It may come too late.
        if let Some(verdict) = self.authenticator.answered_elsewhere(now, inquiry, answer) {
            self.judged(inquiry, &verdict);
        }
    }

    fn judged(&mut self, inquiry: InquiryId, verdict: &Verdict) {
        // The phone may have gone meanwhile.
        let Some((arrival, number)) = self.login.asked.remove(&inquiry) else { return };
        if let Verdict::Accepted { .. } = verdict {
            self.attend(arrival, &Stage::Proven(number));
            return;
        }
        note_refusal(&arrival, verdict);
        let response = self.login_refused(&arrival, verdict);
        self.turn_away(&arrival, &response);
    }

    /// Answers whoever waited too long, and asks again. Harmless when called too early.
    pub(super) fn login_overdue(&mut self) {
        let now = self.now.instant;
        for (inquiry, verdict) in self.authenticator.elsewhere_overdue(now) {
            self.judged(inquiry, &verdict);
        }
        if self.login.asking.is_some_and(|due| due <= now) {
            self.login_kept(Err("the digest service does not answer: see `systemctl status \
                                 sipwitch-digestd`"
                .into()));
        }
        if self.login.again.is_some_and(|due| due <= now) {
            self.ask_for_login();
        }
    }

    /// Says what the user should know of it, as things are.
    pub(super) fn login_configured(&mut self) {
        let is_used = self.directory.by_login().next().is_some();
        let of_login = !matches!(self.login.standing, Standing::Ready { is_login: false, .. });
        if is_used && of_login && self.settings.login_without_tls {
            self.warn(format!(
                "{OPEN}: whoever can read the network can guess at your login password"
            ));
        } else {
            self.unwarn(|warning| warning.starts_with(OPEN));
        }
        let is_closed = is_used && of_login && !self.settings.login_without_tls;
        self.unwarn(|warning| warning.ends_with(NEEDS_TLS) && !is_closed);
        if !is_used {
            self.login.again = None;
            self.unwarn(|warning| warning.starts_with(CANNOT));
        }
    }
}

/// Whether nobody else can read what comes this way.
fn is_private(flow: &Flow) -> bool {
    flow.transport == Transport::Tls || flow.remote.ip().to_canonical().is_loopback()
}
