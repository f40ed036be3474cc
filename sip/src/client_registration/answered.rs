// SPDX-License-Identifier: GPL-3.0-or-later
//! What the registrar answers.

use std::time::{Duration, Instant};

use super::{
    Ask, Notice, Password, Ping, Registration, Silence, Trouble,
    answer::{Granted, Sent, mapped},
    binding::{Bound, Phase},
};
use crate::{
    auth::client::Denied,
    flow::Transport,
    leg::seconds_of,
    wire::{Response, Uri, name},
};

/// How often a registrar may find the interval too brief.
const MOST_RAISES: u8 = 3;
/// How often a Contact is corrected in a row.
const MOST_CORRECTIONS: u8 = 2;
/// The longest interval we let a registrar ask for.
const LONGEST_EXPIRES: Duration = Duration::from_secs(7 * 86_400);
/// Keep-alives where the registrar names no interval (RFC 5626 §4.4.1).
const DATAGRAM_ALIVE: Duration = Duration::from_secs(29);
const STREAM_ALIVE: Duration = Duration::from_secs(120);

impl Registration {
    pub(super) fn take_answer(&mut self, now: Instant, at: usize, ask: Ask, response: &Response) {
        let moved = self.note_mapped(at, response);
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if binding.pinging.is_some_and(|(pinging, _)| pinging == ask) {
            binding.pinging = None;
            if moved {
                // The registrar still has the old address.
                self.ask_register(now, at);
            }
            return;
        }
        let Phase::Asking { removes, .. } = binding.phase else { return };
        let status = response.status();
        if matches!(status, 401 | 407) {
            return self.challenged(now, at, removes, response);
        }
        binding.answers.heed(response);
        if removes {
            binding.phase = Phase::Resting;
            if (200..=299).contains(&status) {
                binding.bound = None;
            }
            return;
        }
        match status {
            200..=299 => self.granted(now, at, response),
            300..=399 => self.redirected(now, at, response),
            403 if self.account.forbidden_is_password => {
                self.fall_silent(now, at, Silence::Password(Password::Forbidden));
            }
            403 | 404 | 410 | 604 => self.fall_silent(now, at, Silence::Refused { status }),
            423 => self.too_brief(now, at, response),
            420 | 439 if !binding.is_plain && self.account.instance.is_some() => {
                binding.is_plain = true;
                self.ask_register(now, at);
            }
            _ => {
                let retry_after = response
                    .headers()
                    .value(&name::RETRY_AFTER)
                    .and_then(|value| seconds_of(&value))
                    .filter(|_| matches!(status, 404 | 413 | 480 | 486 | 500 | 503 | 600 | 603));
                // 430 says that this flow is dead (RFC 5626 §11.6).
                if status == 430 {
                    binding.drop_hold();
                }
                self.stumble(now, at, Trouble::Answered { status, retry_after }, retry_after);
            }
        }
    }

    pub(super) fn challenged(
        &mut self,
        now: Instant,
        at: usize,
        removes: bool,
        response: &Response,
    ) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let answered = match &self.credentials {
            None => return self.fall_silent_unless(now, at, removes, Password::Missing),
            Some(credentials) => binding.answers.challenged(
                &mut binding.tries,
                response,
                credentials,
                &mut self.random,
            ),
        };
        match answered {
            Ok(()) => self.send_register(now, at, removes),
            Err(why @ (Denied::Refused | Denied::NotKnown | Denied::OtherRealm)) => {
                self.fall_silent_unless(now, at, removes, Password::Denied(why));
            }
            Err(_) if removes => binding.phase = Phase::Resting,
            Err(why) => self.give_up_ways(now, at, Trouble::Challenged(why), None),
        }
    }

    /// Whoever goes anyway need not be asked for a password.
    pub(super) fn fall_silent_unless(
        &mut self,
        now: Instant,
        at: usize,
        removes: bool,
        why: Password,
    ) {
        match self.bindings.get_mut(at) {
            Some(binding) if removes => binding.phase = Phase::Resting,
            _ => self.fall_silent(now, at, Silence::Password(why)),
        }
    }

    pub(super) fn granted(&mut self, now: Instant, at: usize, response: &Response) {
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let Some(contact) = binding.sent.clone() else { return };
        let instance = self.account.instance.as_deref().filter(|_| !binding.is_plain);
        let sent = Sent {
            contact: &contact,
            contact_user: &self.account.contact_user,
            instance,
            reg_id: instance.filter(|_| self.account.outbound).map(|_| binding.reg_id),
            expires: binding.expires.unwrap_or(self.account.expires),
        };
        let granted = Granted::read(response, &sent);
        if granted.expires.is_zero() {
            binding.drop_hold();
            return self.stumble(now, at, Trouble::NotKept, None);
        }
        binding.tried = 0;
        binding.raises = 0;
        binding.trouble = None;
        let until = now + granted.expires.min(LONGEST_EXPIRES);
        binding.held_until = Some(until);
        binding.held_since.get_or_insert(now);
        let outbound = granted.outbound;
        let before = binding.registered_as.take();
        binding.registered_as = binding.mapped;
        let moved = before.zip(binding.mapped).filter(|(before, now)| before != now);
        let flow = binding.flow;
        let changed = granted.echoed.clone().filter(|echoed| {
            let usual = if flow.transport == Transport::Tls { 5061 } else { 5060 };
            let place = |uri: &Uri| (uri.host().to_ascii_lowercase(), uri.port().unwrap_or(usual));
            place(echoed) != place(&contact)
        });
        let is_new = changed.is_some() && changed != binding.echoed;
        let echoed = changed.as_ref().map(ToString::to_string);
        binding.bound = Some(Bound { contact: contact.to_string(), echoed, until, outbound });
        binding.echoed.clone_from(&changed);
        let interval = self.account.keep_alive.interval.or_else(|| {
            let is_translated = binding.mapped.is_some_and(|mapped| mapped != flow.local);
            let usual = if flow.transport.is_reliable() { STREAM_ALIVE } else { DATAGRAM_ALIVE };
            let needed = granted.outbound || is_translated || changed.is_some();
            granted.flow_timer.or_else(|| needed.then_some(usual))
        });
        let takes_flows = granted.outbound;
        let expires = granted.expires;
        binding.granted = Some(granted);
        let mut refresh = self.refresh_after(expires);
        let mut ping = None;
        if let Some(interval) = interval {
            let after = self.ping_after(interval);
            match self.account.keep_alive.ping {
                Ping::Crlf | Ping::Options => ping = Some((now + after, interval)),
                Ping::Register => refresh = refresh.min(after),
                Ping::Nothing => {}
            }
        }
        if let Some(binding) = self.bindings.get_mut(at) {
            binding.ping = ping;
            binding.phase = Phase::Waiting { until: now + refresh };
        }
        if let Some((before, now)) = moved {
            self.notice(Notice::Moved { flow, before, now });
        }
        if let Some(echoed) = changed.filter(|_| is_new) {
            self.notice(Notice::ContactChanged { flow, sent: contact.clone(), echoed });
        }
        self.correct_contact(now, at, &contact);
        if takes_flows && self.bindings.len() == 1 && !self.has_one_flow {
            self.add_flow(now);
        }
    }

    /// Registers once more if our Contact is to say how we are seen, and did not. A translator that
    /// shows us otherwise each time cannot be followed.
    fn correct_contact(&mut self, now: Instant, at: usize, sent: &Uri) {
        if !self.account.maps_contact {
            return;
        }
        let is_right = self.contact(at).as_ref() == Some(sent);
        let Some(binding) = self.bindings.get_mut(at) else { return };
        if is_right {
            binding.corrections = 0;
        } else if binding.corrections < MOST_CORRECTIONS {
            binding.corrections += 1;
            self.ask_register(now, at);
        }
    }

    /// 423 (RFC 3261 §10.2.8): a few times, and only if that leads anywhere.
    pub(super) fn too_brief(&mut self, now: Instant, at: usize, response: &Response) {
        let least = response.headers().number(&name::MIN_EXPIRES);
        let least = least.map(|least| Duration::from_secs(least.into()));
        let Some(binding) = self.bindings.get_mut(at) else { return };
        let asked = binding.expires.unwrap_or(self.account.expires);
        binding.raises += 1;
        match least {
            Some(least)
                if least > asked && least <= LONGEST_EXPIRES && binding.raises <= MOST_RAISES =>
            {
                binding.expires = Some(least);
                self.ask_register(now, at);
            }
            Some(_) | None => self.give_up_ways(now, at, Trouble::IntervalTooBrief, None),
        }
    }

    /// Learns under which address we are seen; says whether that is another one than before.
    pub(super) fn note_mapped(&mut self, at: usize, response: &Response) -> bool {
        let Some(binding) = self.bindings.get_mut(at) else { return false };
        let Some(now) = mapped(response, binding.flow.local) else { return false };
        let before = binding.mapped.replace(now);
        if before == Some(now) {
            return false;
        }
        let flow = binding.flow;
        self.notice(Notice::Mapped { flow, before, now });
        before.is_some()
    }
}
