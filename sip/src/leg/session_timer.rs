// SPDX-License-Identifier: GPL-3.0-or-later
//! Session timers (RFC 4028): a call whose far end is gone does not stand for ever.
//!
//! Wherever the RFC leaves the choice, we refresh: a phone that claims to and forgets would lose
//! its call.

use std::time::{Duration, Instant};

use crate::{
    endpoint::Settings,
    wire::{Draft, Headers, name},
};

/// Below this no timer may be (RFC 4028 §4).
const LEAST: u32 = 90;

/// A failed refresh is tried again after this.
const RETRY: Duration = Duration::from_secs(8);

/// The timer of one dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionTimer {
    seconds: u32,
    role: Role,
    /// When it is over without a refresh.
    expires: Instant,
    /// When to refresh, if that is ours to do.
    refresh: Instant,
}

/// Who refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    Theirs,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Refresh,
    Expired,
}

/// A Session-Expires value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SessionExpires {
    seconds: u32,
    /// `refresher=uac` or `uas`, as seen from the message's transaction.
    by_client: Option<bool>,
}

impl SessionExpires {
    fn of(headers: Headers<'_>) -> Option<Self> {
        let value = headers.value(&name::SESSION_EXPIRES)?;
        let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let seconds = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let by_client = parts.find_map(|part| {
            let (name, value) = part.split_at(part.iter().position(|&byte| byte == b'=')?);
            let value = value[1..].trim_ascii();
            if !name.trim_ascii().eq_ignore_ascii_case(b"refresher") {
                return None;
            }
            match () {
                () if value.eq_ignore_ascii_case(b"uac") => Some(true),
                () if value.eq_ignore_ascii_case(b"uas") => Some(false),
                () => None,
            }
        });
        Some(Self { seconds, by_client })
    }
}

/// Whole seconds, at least those of the RFC.
pub(super) fn least(settings: &Settings) -> u32 {
    seconds(settings.min_session_interval).max(LEAST)
}

fn wanted(settings: &Settings) -> u32 {
    seconds(settings.session_interval).max(least(settings))
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// Whether a request asks for a shorter interval than we take: to be answered 422 with Min-SE
/// (RFC 4028 §9). A caller without `timer` could not understand that.
pub(super) fn is_too_short(request: Headers<'_>, settings: &Settings) -> bool {
    SessionExpires::of(request).is_some_and(|asked| asked.seconds < least(settings))
        && request.has_token(&name::SUPPORTED, "timer")
}

/// Puts our wish into a first INVITE; `at_least` is the Min-SE of a 422.
pub(super) fn ask(draft: &mut Draft, settings: &Settings, at_least: u32) {
    let seconds = wanted(settings).max(at_least);
    draft.set(&name::SESSION_EXPIRES, format!("{seconds};refresher=uac"));
    if at_least > LEAST {
        draft.set(&name::MIN_SE, at_least.to_string());
    }
}

impl SessionTimer {
    fn new(now: Instant, seconds: u32, role: Role) -> Self {
        let whole = Duration::from_secs(seconds.into());
        // RFC 4028 §10: end it a little before the interval is over.
        let margin = Duration::from_secs(32).min(whole / 3);
        Self { seconds, role, expires: now + (whole - margin), refresh: now + whole / 2 }
    }

    /// The timer after a 2xx to our INVITE or UPDATE (RFC 4028 §7.2). A far end that says nothing
    /// knows no timers, and we refresh for both.
    pub(super) fn of_response(now: Instant, response: Headers<'_>, settings: &Settings) -> Self {
        match SessionExpires::of(response) {
            Some(agreed) => {
                let role = if agreed.by_client == Some(false) { Role::Theirs } else { Role::Ours };
                Self::new(now, agreed.seconds.max(LEAST), role)
            }
            None => Self::new(now, wanted(settings), Role::Ours),
        }
    }

    /// The timer after our 2xx to their INVITE or UPDATE, written into that 2xx (RFC 4028 §9).
    pub(super) fn answer(
        now: Instant,
        request: Headers<'_>,
        settings: &Settings,
        draft: &mut Draft,
    ) -> Self {
        let knows_timers = request.has_token(&name::SUPPORTED, "timer")
            || request.has_token(&name::REQUIRE, "timer");
        let asked = SessionExpires::of(request);
        let bound = request.number(&name::MIN_SE).unwrap_or(0).max(least(settings));
        let wanted = wanted(settings);
        let seconds = asked.map_or(wanted, |asked| asked.seconds.min(wanted)).max(bound).max(LEAST);
        let theirs = knows_timers && asked.and_then(|asked| asked.by_client) == Some(true);
        if knows_timers || asked.is_some() {
            let refresher = if theirs { "uac" } else { "uas" };
            draft.set(&name::SESSION_EXPIRES, format!("{seconds};refresher={refresher}"));
            if theirs {
                draft.push(&name::REQUIRE, "timer");
            }
        }
        Self::new(now, seconds, if theirs { Role::Theirs } else { Role::Ours })
    }

    /// Puts the running timer into a request of ours, roles as they are (RFC 4028 §7.4).
    pub(super) fn put(&self, draft: &mut Draft) {
        let refresher = if self.role == Role::Ours { "uac" } else { "uas" };
        draft.set(&name::SESSION_EXPIRES, format!("{};refresher={refresher}", self.seconds));
    }

    /// Takes the Min-SE of a 422 and tries again soon (RFC 4028 §7.3).
    pub(super) fn lengthen(&mut self, now: Instant, at_least: u32) {
        self.seconds = self.seconds.max(at_least);
        self.refresh = now;
    }

    /// A refresh failed and may succeed later.
    pub(super) fn retry(&mut self, now: Instant) {
        self.refresh = now + RETRY;
    }

    /// A refresh is on its way: nothing more is due until it is answered, or all is over.
    pub(super) fn asked(&mut self) {
        self.refresh = self.expires;
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        match self.role {
            _ if self.expires <= now => Due::Expired,
            Role::Ours if self.refresh <= now => Due::Refresh,
            Role::Ours | Role::Theirs => Due::Nothing,
        }
    }

    pub(super) fn next_deadline(&self) -> Instant {
        match self.role {
            Role::Ours => self.refresh.min(self.expires),
            Role::Theirs => self.expires,
        }
    }
}
