// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking a provider to tell what waits (RFC 6665 §4.1, RFC 3842): one subscription of one account.
//!
//! Not everybody who keeps mailboxes takes subscriptions, and nobody is to be bothered: who refuses
//! is not asked again before [`Subscription::begin`] is called anew, and who fails only a few times.
//!
//! Time is an argument. After every call [`Subscription::next_request`] is to be asked for what is to
//! be sent, and [`Subscription::next_deadline`] for when it wants to be asked again.

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{CONTENT_TYPE, EVENT};
use crate::{
    dialog::{Dialog, Listeners, Origin, Tag},
    flow::Flow,
    leg::seconds_of,
    wire::{Draft, Headers, Method, Request, Response, name},
};

/// How long a subscription is to hold where the far end does not want it otherwise. RFC 3842 §3.4
/// recommends some hours to days; this is also how long a forgotten one stays unnoticed.
const EXPIRES: Duration = Duration::from_secs(3600);
/// The longest that we let a far end ask for.
const LONGEST: Duration = Duration::from_secs(86_400);
/// It is renewed so long before it ends, if it holds for more than twice that.
const BEFORE: Duration = Duration::from_secs(60);
/// Nobody makes us ask more often.
const LEAST: Duration = Duration::from_secs(60);
/// The first pause after it failed, doubled by each that follows.
const PAUSE: Duration = Duration::from_secs(300);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// So many times in a row it may fail.
const MOST_FAILURES: u32 = 4;
/// How often a far end may find the interval too brief (423).
const MOST_RAISES: u8 = 2;

/// A subscription to what waits in one mailbox.
#[derive(Debug, Clone)]
pub struct Subscription {
    state: State,
    expires: Duration,
    raises: u8,
    failures: u32,
    /// The dialog, once a 2xx made one.
    dialog: Option<Dialog>,
    /// What the first SUBSCRIBE fixed.
    origin: Option<Origin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// A SUBSCRIBE is to be sent.
    Due,
    /// One is under way; what it makes may have been ended by a NOTIFY that was faster.
    Asking { ended: Option<End> },
    /// It holds.
    Active { renew: Instant },
    /// It is left alone until then.
    Waiting { until: Instant },
    /// It is not wanted there.
    Refused,
}

/// What is to become of a subscription that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Again { after: Option<Duration> },
    Refused,
}

impl Subscription {
    /// One that is to be asked for.
    #[must_use]
    pub const fn begin() -> Self {
        Self {
            state: State::Due,
            expires: EXPIRES,
            raises: 0,
            failures: 0,
            dialog: None,
            origin: None,
        }
    }

    /// Our Contact is another one: the far end is told (RFC 6665 §4.1.2.2, a target refresh).
    pub fn moved(&mut self) {
        if matches!(self.state, State::Active { .. }) {
            self.state = State::Due;
        }
    }

    /// The SUBSCRIBE to be sent now, if any, but for its Contact. `fresh` gives one outside any
    /// dialog, with From, To, Call-ID and CSeq; the second of the pair says whether it is that one.
    pub fn next_request(&mut self, fresh: impl FnOnce() -> Draft) -> Option<(Draft, bool)> {
        if self.state != State::Due {
            return None;
        }
        self.state = State::Asking { ended: None };
        let (mut draft, is_first) = match &mut self.dialog {
            Some(dialog) => (dialog.request(&Method::Subscribe, &Listeners::default()).0, false),
            None => {
                let draft = fresh();
                self.origin = origin_of(&draft);
                (draft, true)
            }
        };
        draft
            .push(&name::EVENT, EVENT)
            .push(&name::ACCEPT, CONTENT_TYPE)
            .push(&name::EXPIRES, self.expires.as_secs().to_string());
        Some((draft, is_first))
    }

    /// The far end answered. Provisional answers and late ones change nothing.
    pub fn answered(&mut self, now: Instant, response: &Response, flow: Flow) {
        let State::Asking { ended } = self.state else { return };
        let headers = response.headers();
        match response.status() {
            ..200 => {}
            200..=299 => {
                let number = response.cseq().map_or(1, |cseq| cseq.number);
                match (&mut self.dialog, &self.origin) {
                    (Some(dialog), _) => {
                        dialog.note_own_cseq(number);
                        dialog.refresh_target(headers);
                        dialog.heard_on(flow);
                    }
                    (None, Some(origin)) => {
                        // What makes no dialog is asked for anew when it runs out.
                        let origin = Origin { cseq: number, ..origin.clone() };
                        self.dialog = Dialog::of_response(&origin, response, flow).ok();
                    }
                    (None, None) => {}
                }
                let granted = headers.number(&name::EXPIRES).map_or(self.expires, seconds);
                match ended {
                    Some(end) => self.end(now, end),
                    None if granted.is_zero() => self.end(now, End::Refused),
                    None => self.holds(now, granted),
                }
            }
            423 => {
                let least = headers.number(&name::MIN_EXPIRES).map(seconds);
                self.raises += 1;
                match least.filter(|least| *least > self.expires && *least <= LONGEST) {
                    Some(least) if self.raises <= MOST_RAISES => {
                        self.expires = least;
                        self.state = State::Due;
                    }
                    Some(_) | None => self.end(now, End::Refused),
                }
            }
            408 | 480 | 500 | 502..=504 => {
                let after = headers.value(&name::RETRY_AFTER).and_then(|value| seconds_of(&value));
                self.end(now, End::Again { after });
            }
            _ => self.end(now, End::Refused),
        }
    }

    /// No answer will come.
    pub fn failed(&mut self, now: Instant) {
        if matches!(self.state, State::Asking { .. }) {
            self.end(now, End::Again { after: None });
        }
    }

    /// Whether a NOTIFY is of this subscription.
    #[must_use]
    pub fn owns(&self, notify: &Request) -> bool {
        let Some(origin) = &self.origin else { return false };
        notify.call_id().is_ok_and(|id| *id == *origin.call_id)
            && notify.to_tag().and_then(|tag| Tag::parse(&tag)) == Some(origin.local_tag)
    }

    /// A NOTIFY of this subscription says how long it holds, or that it ended (RFC 6665 §4.1.3).
    pub fn notified(&mut self, now: Instant, notify: &Request) {
        let said = Said::read(notify.headers());
        match (&mut self.state, said) {
            (State::Asking { ended }, Said::Ended(end)) => *ended = Some(end),
            (State::Active { .. }, Said::Ended(end)) => self.end(now, end),
            // It may hold for less than was granted, and never for more.
            (State::Active { renew }, Said::Holds(Some(left))) => {
                *renew = (*renew).min(now + renew_after(left));
            }
            (_, Said::Holds(_))
            | (State::Due | State::Waiting { .. } | State::Refused, Said::Ended(_)) => {}
        }
    }

    /// Does what is due. Harmless when called too early.
    pub fn handle_deadline(&mut self, now: Instant) {
        match self.state {
            State::Active { renew: due } => {
                if due <= now {
                    // It did hold.
                    self.failures = 0;
                    self.state = State::Due;
                }
            }
            State::Waiting { until } if until <= now => self.state = State::Due,
            State::Due | State::Asking { .. } | State::Waiting { .. } | State::Refused => {}
        }
    }

    /// When [`Self::handle_deadline`] wants to be called.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Active { renew: due } | State::Waiting { until: due } => Some(due),
            State::Due | State::Asking { .. } | State::Refused => None,
        }
    }

    fn holds(&mut self, now: Instant, granted: Duration) {
        self.raises = 0;
        self.state = State::Active { renew: now + renew_after(granted) };
    }

    fn end(&mut self, now: Instant, end: End) {
        self.dialog = None;
        self.origin = None;
        self.state = match end {
            End::Again { .. } if self.failures >= MOST_FAILURES => State::Refused,
            End::Again { after } => {
                let pause = PAUSE.saturating_mul(1 << self.failures.min(8));
                self.failures += 1;
                let pause = after.unwrap_or(pause).clamp(LEAST, LONGEST_PAUSE);
                State::Waiting { until: now + pause }
            }
            End::Refused => State::Refused,
        };
    }
}

/// What a Subscription-State says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Holds(Option<Duration>),
    Ended(End),
}

impl Said {
    fn read(headers: Headers<'_>) -> Self {
        let text = headers.text(&name::SUBSCRIPTION_STATE).unwrap_or_default();
        let mut parts = text.split(';').map(str::trim);
        let state = parts.next().unwrap_or_default();
        let parameters: Vec<(&str, &str)> =
            parts.take(16).filter_map(|part| part.split_once('=')).collect();
        let parameter = |wanted: &str| {
            let found = parameters.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim())
        };
        let number = |wanted| parameter(wanted).and_then(|text| text.parse().ok()).map(seconds);
        if !state.eq_ignore_ascii_case("terminated") {
            return Self::Holds(number("expires"));
        }
        let after = number("retry-after");
        let reason = parameter("reason").unwrap_or_default().to_ascii_lowercase();
        Self::Ended(match reason.as_str() {
            "rejected" | "noresource" | "invariant" => End::Refused,
            "deactivated" | "timeout" => End::Again { after: Some(LEAST) },
            // "probation", "giveup", and what nobody explains.
            _ => End::Again { after },
        })
    }
}

fn origin_of(draft: &Draft) -> Option<Origin> {
    let from = draft.value(&name::FROM)?;
    let tag = from.windows(5).rposition(|part| part == b";tag=")? + 5;
    Some(Origin {
        call_id: Arc::from(draft.value(&name::CALL_ID)?),
        local: Arc::from(from),
        local_tag: Tag::parse(&from[tag..])?,
        cseq: 1,
        request_uri: Box::from(draft.request_uri()),
    })
}

fn renew_after(granted: Duration) -> Duration {
    let granted = granted.min(LONGEST);
    let before = if granted > 2 * BEFORE { BEFORE } else { granted / 2 };
    (granted - before).max(LEAST)
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
