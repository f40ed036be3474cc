// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service says of a leg, and what a call asks of it.

use sipwitch_dbus_interfaces::wire::{EndpointDialOptions, HangUpOptions};

use super::{
    Around, Call, FORWARDED, Leg, MEMBER_HELD, MEMBER_RINGING, State, Who,
    reason::{self, Reason},
    sound::{Remote, agreed},
};
use crate::service::Answer;

impl Call {
    /// Somebody calls. `None` as description: the caller wants ours first, which a handler cannot
    /// give before it has seen one; the call rings, and the handler is shown an empty offer.
    pub(crate) fn incoming(
        number: u32,
        own: Who,
        target: Who,
        leg: u64,
        description: &[u8],
    ) -> Option<Self> {
        let mut call = Self::new(number, own, target, false, "audio".into(), State::Initialised);
        call.leg = Leg::There(leg);
        let content = call.content.as_mut()?;
        if description.is_empty() {
            content.show_nothing();
            return Some(call);
        }
        let remote = Remote::read(description)?;
        let candidates = remote.candidates();
        content.show(remote, true, None, call.target.handle, None);
        content.reached_first_at(candidates);
        Some(call)
    }

    /// Asks the service to dial.
    pub(super) fn dial(&mut self, around: &mut Around<'_>) {
        let Some(content) = &mut self.content else { return };
        let codecs = content.local.codecs.clone();
        match content.describe(sipwitch_media::sdp::Direction::SendRecv, &codecs) {
            Ok(offer) => {
                self.leg = Leg::Dialling;
                let options = EndpointDialOptions {
                    display: around.display.clone(),
                    ..EndpointDialOptions::default()
                };
                around.outbox.dial(around.phone, self.number, &self.target.id, &offer, &options);
            }
            Err(fault) => self.hang_up(Reason::media(&self.own, &fault.to_string()), around),
        }
    }

    /// Asks the service to answer the caller.
    pub(super) fn answer(&mut self, leg: u64, around: &mut Around<'_>) {
        let Some(content) = &mut self.content else { return };
        let (codecs, direction) = match &content.remote {
            Some(remote) => (agreed(&content.local.codecs, &remote.codecs), remote.answer(false)),
            None => (content.local.codecs.clone(), sipwitch_media::sdp::Direction::SendRecv),
        };
        if codecs.is_empty() {
            self.hang_up(Reason::incompatible(&self.target), around);
            return;
        }
        match content.describe(direction, &codecs) {
            Ok(answer) => around.outbox.answer_leg(around.phone, leg, self.number, &answer),
            Err(fault) => self.hang_up(Reason::media(&self.own, &fault.to_string()), around),
        }
    }

    /// The service has dialled, or will not.
    pub(crate) fn dialled(&mut self, answer: Answer<u64>, around: &mut Around<'_>) {
        match (answer, self.leg) {
            (Ok(leg), Leg::Unwanted) => {
                self.leg = Leg::Gone;
                around.outbox.hang_up(around.phone, leg, &HangUpOptions::default());
            }
            (Ok(leg), _) => self.leg = Leg::There(leg),
            (Err(refused), _) => {
                self.leg = Leg::Gone;
                self.end(Reason::of_refusal(&refused), around.outbox);
            }
        }
    }

    /// The service has taken the answer, or not: then `Ended` is on its way, or was before.
    pub(crate) fn answer_taken(&mut self, answer: Answer<()>, around: &mut Around<'_>) {
        if let Err(refused) = answer
            && !matches!(refused.of_service(), Some("NoSuchCall"))
        {
            self.hang_up(Reason::of_refusal(&refused), around);
        }
    }

    /// The called side got so far.
    pub(crate) fn progress(
        &mut self,
        sip_code: u32,
        words: &str,
        description: &[u8],
        around: &mut Around<'_>,
    ) {
        if !matches!(self.state, State::Initialising | State::Initialised) {
            return;
        }
        self.hears(description, false, around);
        match sip_code {
            180 => {
                self.change_member(self.member_flags | MEMBER_RINGING, around.outbox);
                if self.state == State::Initialising {
                    let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "");
                    self.change(State::Initialised, reason, around.outbox);
                }
            }
            181 if self.flags & FORWARDED == 0 => {
                self.flags |= FORWARDED;
                let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "");
                self.change(self.state, reason, around.outbox);
            }
            182 => {
                let message = if words.is_empty() { "queued" } else { words };
                self.details.insert("queue-message".into(), message.to_owned().into());
                let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "");
                self.change(self.state, reason, around.outbox);
            }
            _ => {}
        }
    }

    /// Somebody answered.
    pub(crate) fn answered(&mut self, description: &[u8], around: &mut Around<'_>) {
        if self.is_ended() {
            return;
        }
        if !self.hears(description, true, around) {
            return;
        }
        self.is_confirmed = true;
        self.change_member(self.member_flags & !MEMBER_RINGING, around.outbox);
        self.details.remove("queue-message");
        let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "");
        self.change(State::Accepted, reason, around.outbox);
        self.want_sending(around.outbox);
        let sends = self.remote().is_none_or(|remote| remote.direction.sends());
        self.remote_sends(sends, around.outbox);
        self.advance(around);
    }

    /// The caller has our answer.
    pub(crate) fn confirmed(&mut self, description: &[u8], around: &mut Around<'_>) {
        if self.is_ended() || !self.hears(description, true, around) {
            return;
        }
        self.is_confirmed = true;
        self.advance(around);
    }

    fn remote(&self) -> Option<&Remote> {
        self.content.as_ref().and_then(|content| content.remote.as_ref())
    }

    /// Takes an answer of the far end, early or not. Without sound in it there is no call: false.
    fn hears(&mut self, description: &[u8], is_final: bool, around: &mut Around<'_>) -> bool {
        if description.is_empty() {
            // What was said early holds; where nothing was, there is nothing to hear.
            let is_known = self.remote().is_some();
            if is_final && !is_known {
                self.hang_up(Reason::incompatible(&self.target), around);
            }
            return is_known || !is_final;
        }
        let Some(remote) = Remote::read(description) else {
            if is_final {
                self.hang_up(Reason::incompatible(&self.target), around);
            }
            return false;
        };
        self.reached_at(remote.candidates(), around.outbox);
        let is_old = self.remote().is_some_and(|before| remote.is_like(before));
        let target = self.target.handle;
        let Some(content) = &mut self.content else { return false };
        if is_old {
            content.remote = Some(remote);
        } else {
            content.show(remote, false, None, target, Some(around.outbox));
        }
        true
    }

    /// The far end describes itself anew.
    pub(crate) fn offered(
        &mut self,
        exchange: u32,
        description: &[u8],
        held: bool,
        around: &mut Around<'_>,
    ) {
        let Leg::There(leg) = self.leg else { return };
        let flags = self.member_flags & !MEMBER_HELD;
        self.change_member(if held { flags | MEMBER_HELD } else { flags }, around.outbox);
        if description.is_empty() {
            self.answer_exchange(exchange, around);
            return;
        }
        let Some(remote) = Remote::read(description) else {
            around.outbox.refuse_description(around.phone, leg, exchange, 488);
            return;
        };
        self.remote_sends(remote.direction.sends(), around.outbox);
        self.reached_at(remote.candidates(), around.outbox);
        let is_old = self.remote().is_some_and(|before| remote.is_like(before));
        let target = self.target.handle;
        let Some(content) = &mut self.content else { return };
        if is_old {
            // Only the direction differs, which the handler need not agree to.
            content.shape = remote.shape().clone();
            content.remote = Some(remote);
            self.answer_exchange(exchange, around);
        } else {
            content.show(remote, true, Some(exchange), target, Some(around.outbox));
        }
    }

    /// Answers an offer that came within the conversation.
    pub(super) fn answer_exchange(&mut self, exchange: u32, around: &mut Around<'_>) {
        let Leg::There(leg) = self.leg else { return };
        let hold = self.hold.holds();
        let Some(content) = &mut self.content else { return };
        let (codecs, direction) = match &content.remote {
            Some(remote) => (agreed(&content.local.codecs, &remote.codecs), remote.answer(hold)),
            None => return,
        };
        let described =
            if codecs.is_empty() { None } else { content.describe(direction, &codecs).ok() };
        match described {
            Some(answer) => {
                around.outbox.answer_description(around.phone, leg, exchange, &answer);
            }
            None => around.outbox.refuse_description(around.phone, leg, exchange, 488),
        }
    }

    /// The service names our offer, or refuses to make it.
    pub(crate) fn offer_named(&mut self, answer: Answer<u32>, around: &mut Around<'_>) {
        match (answer, &mut self.hold.asked) {
            (Ok(exchange), Some(asked)) => asked.exchange = Some(exchange),
            (Err(_), asked) => {
                if let Some(holds) = asked.take().and_then(|asked| asked.holds) {
                    self.hold_answered(holds, false, around.outbox);
                }
            }
            (Ok(_), None) => {}
        }
    }

    /// The far end has answered our offer.
    pub(crate) fn offer_answered(
        &mut self,
        exchange: u32,
        sip_code: u32,
        description: &[u8],
        around: &mut Around<'_>,
    ) {
        let accepted = (200..300).contains(&sip_code);
        if accepted && !description.is_empty() {
            self.hears(description, false, around);
        }
        if self.hold.asked.is_none_or(|asked| asked.exchange != Some(exchange)) {
            return;
        }
        if let Some(holds) = self.hold.asked.take().and_then(|asked| asked.holds) {
            self.hold_answered(holds, accepted, around.outbox);
        }
    }

    /// The leg is no more.
    pub(crate) fn leg_ended(&mut self, word: &str, words: &str, around: &mut Around<'_>) {
        self.leg = Leg::Gone;
        let reason = Reason::of_end(word, words, &self.own, &self.target, self.is_requested);
        self.end(reason, around.outbox);
    }
}
