// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service says of a leg, and what a call asks of it.

use sipwitch_dbus_interfaces::wire::{EndpointDialOptions, HangUpOptions};
use sipwitch_media::sdp::Kind;

use super::{
    Around, Call, FORWARDED, Leg, MEMBER_HELD, MEMBER_RINGING, State, Who,
    content::{Content, MAX_CONTENTS, Plan},
    described::agreed,
    media::{self, Line},
    reason::{self, End, Reason, Stage},
    session::{Asked, Turn},
    stream::{RAW_UDP, Ways},
    waits::Exchange,
};
use crate::service::Answer;

/// The far end answers so when both offered at once.
const CLASH: u32 = 491;

impl Call {
    /// Somebody calls; none if no handler could have what they describe. Without a description the
    /// caller wants ours first: the handler is shown an empty offer of sound.
    pub(crate) fn incoming(
        number: u32,
        own: Who,
        target: Who,
        leg: u64,
        description: &[u8],
    ) -> Option<Self> {
        let mut call = Self::new(number, own, target, false, State::Initialised);
        call.leg = Leg::There(leg);
        if description.is_empty() {
            call.new_content(Plan::initial(Kind::Audio, "", true)).local_sending = 1;
            return Some(call);
        }
        let lines = media::read(description)?;
        call.take_lines(&lines);
        for (index, line) in lines.into_iter().enumerate() {
            let Some(remote) = line.remote.filter(|_| call.contents.len() < MAX_CONTENTS) else {
                continue;
            };
            let mut plan = Plan::initial(line.kind, "", false);
            plan.transport = remote.transport();
            let content = call.new_content(plan);
            content.line = Some(index);
            content.reached_first_at(&remote);
            content.show(remote, true, None);
        }
        (!call.contents.is_empty()).then_some(call)
    }

    /// Asks the service to dial.
    pub(super) fn dial(&mut self, around: &mut Around<'_>) {
        self.wants_offer = false;
        match self.describe(Turn::Offer) {
            Ok(offer) => {
                self.leg = Leg::Dialling;
                let options = EndpointDialOptions {
                    display: around.display.clone(),
                    hide_number: around.hides.then_some(true),
                    ..EndpointDialOptions::default()
                };
                around.outbox.dial(around.phone, self.number, &self.target.id, &offer, &options);
            }
            Err(fault) => self.hang_up(Reason::media(&self.own, &fault.to_string()), around),
        }
    }

    /// Asks the service to answer the caller.
    pub(super) fn answer(&mut self, leg: u64, around: &mut Around<'_>) {
        self.wants_offer = false;
        self.drop_all(&self.strangers(), &Reason::incompatible(&self.member), around);
        if self.contents.is_empty() {
            self.hang_up(Reason::incompatible(&self.target), around);
            return;
        }
        let is_offer = self.slots.is_empty();
        match self.describe(if is_offer { Turn::Offer } else { Turn::Answer }) {
            Ok(answer) => {
                self.is_answered = true;
                around.outbox.answer_leg(around.phone, leg, self.number, &answer);
            }
            Err(fault) => self.hang_up(Reason::media(&self.own, &fault.to_string()), around),
        }
    }

    /// Contents of which the two ends have no codec in common.
    fn strangers(&self) -> Vec<u32> {
        let is_strange = |content: &&Content| {
            content.remote.as_ref().is_some_and(|remote| {
                agreed(&content.local.described.codecs, &remote.described.codecs).is_empty()
            })
        };
        self.contents.iter().filter(is_strange).map(|content| content.number).collect()
    }

    fn drop_all(&mut self, numbers: &[u32], reason: &Reason, around: &mut Around<'_>) {
        for number in numbers {
            self.drop_content(*number, reason, around.outbox);
        }
    }

    /// The service has dialled, or will not.
    pub(crate) fn dialled(&mut self, answer: Answer<u64>, around: &mut Around<'_>) {
        match (answer, self.leg) {
            (Ok(leg), Leg::Unwanted) => {
                self.leg = Leg::Gone;
                around.outbox.hang_up(around.phone, leg, &HangUpOptions::default());
            }
            (Ok(leg), _) => {
                self.leg = Leg::There(leg);
                self.advance(around);
            }
            (Err(refused), Leg::Dialling) if self.places_are_wanted(&refused) => {
                self.leg = Leg::None;
                self.advance(around);
            }
            (Err(refused), _) => {
                self.leg = Leg::Gone;
                self.end(Reason::of_refusal(&refused), around);
            }
        }
    }

    /// The service has taken the answer, or not: then `Ended` is on its way, or was before.
    pub(crate) fn answer_taken(&mut self, answer: Answer<()>, around: &mut Around<'_>) {
        match answer {
            Err(refused) if self.places_are_wanted(&refused) => {
                self.is_answered = false;
                self.advance(around);
            }
            Err(refused) if refused.of_service() != Some("NoSuchCall") => {
                self.hang_up(Reason::of_refusal(&refused), around);
            }
            _ => {}
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
        let reason = Reason::by(&self.member, reason::PROGRESS_MADE, "");
        match sip_code {
            180 => {
                self.change_member(self.member_flags | MEMBER_RINGING, around.outbox);
                if self.state == State::Initialising {
                    self.change(State::Initialised, reason, around.outbox);
                }
            }
            181 if self.flags & FORWARDED == 0 => {
                self.flags |= FORWARDED;
                let reason = Reason { why: reason::WAS_FORWARDED, ..reason };
                self.change(self.state, reason, around.outbox);
            }
            182 => {
                let message = if words.is_empty() { "queued" } else { words };
                self.details.insert("queue-message".into(), message.to_owned().into());
                self.change(self.state, reason, around.outbox);
            }
            _ => {}
        }
        self.advance(around);
    }

    /// Somebody answered.
    pub(crate) fn answered(&mut self, description: &[u8], around: &mut Around<'_>) {
        if self.is_ended() || self.is_confirmed || !self.hears(description, true, around) {
            return;
        }
        self.is_confirmed = true;
        self.change_member(self.member_flags & !MEMBER_RINGING, around.outbox);
        self.details.remove("queue-message");
        let reason = Reason::by(&self.member, reason::PROGRESS_MADE, "");
        self.change(State::Accepted, reason, around.outbox);
        self.settle(around);
        self.advance(around);
    }

    /// The caller has our answer.
    pub(crate) fn confirmed(&mut self, description: &[u8], around: &mut Around<'_>) {
        if self.is_ended() || !self.hears(description, true, around) {
            return;
        }
        self.is_confirmed = true;
        self.settle(around);
        self.advance(around);
    }

    /// Both ends have agreed on all that was described.
    fn settle(&mut self, around: &mut Around<'_>) {
        let own = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
        for content in self.contents.iter_mut().filter(|content| content.line.is_some()) {
            content.settle(&own, around.outbox);
        }
        self.steer(around.outbox);
        for content in &mut self.contents {
            if let Some(remote) = &content.remote {
                let sends = remote.direction.sends();
                content.remote_sends(sends, around.outbox);
            }
        }
    }

    /// Takes an answer of the far end, early or not. Without a medium in it there is no call: false.
    fn hears(&mut self, description: &[u8], is_final: bool, around: &mut Around<'_>) -> bool {
        let lines = if description.is_empty() { None } else { media::read(description) };
        let Some(lines) = lines else {
            // What was said early holds; where nothing was, there is nothing to hear.
            let is_known = description.is_empty()
                && self.contents.iter().any(|content| content.remote.is_some());
            if is_final && !is_known {
                self.hang_up(Reason::incompatible(&self.member), around);
            }
            return is_known || !is_final;
        };
        let refused = self.shows(&lines, false, around);
        if is_final {
            let why = Reason::by(&self.member, reason::REJECTED, &reason::error("Rejected"));
            self.refused(&refused, &why, around);
        }
        !self.is_ended()
    }

    /// Contents that the far end does not have are no more, and without any there is no call.
    fn refused(&mut self, numbers: &[u32], reason: &Reason, around: &mut Around<'_>) {
        if !numbers.is_empty() && numbers.len() == self.contents.len() {
            self.hang_up(Reason::incompatible(&self.member), around);
            return;
        }
        self.drop_all(numbers, reason, around);
    }

    /// Shows the handler what the far end says of each content; those of which it says nothing.
    fn shows(&mut self, lines: &[Line], is_answered: bool, around: &mut Around<'_>) -> Vec<u32> {
        let mut absent = Vec::new();
        for content in self.contents.iter_mut().filter(|content| content.line.is_some()) {
            let Some(remote) = Self::remote_at(lines, content.line) else {
                absent.push(content.number);
                continue;
            };
            content.reached_at(remote, around.outbox);
            if is_answered {
                content.before.clone_from(&content.remote);
            }
            if content.remote.as_ref().is_some_and(|before| remote.is_like(before)) {
                // Only the direction differs, which the handler need not agree to.
                content.remote = Some(remote.clone());
            } else {
                content.show(remote.clone(), is_answered, Some(around.outbox));
            }
        }
        absent
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
            self.exchange = Some(Exchange { number: exchange, is_empty: true });
            self.advance(around);
            return;
        }
        let Some(lines) = media::read(description) else {
            around.outbox.refuse_description(around.phone, leg, exchange, 488);
            return;
        };
        let left = self.shows(&lines, true, around);
        let reason = Reason::by(&self.member, reason::USER_REQUESTED, "");
        let is_any = self.contents.len() > left.len()
            || lines.iter().enumerate().any(|(index, _)| self.is_new_at(&lines, index));
        if !is_any {
            around.outbox.refuse_description(around.phone, leg, exchange, 488);
            return;
        }
        self.drop_all(&left, &reason, around);
        self.take_lines(&lines);
        for (index, line) in lines.iter().enumerate() {
            if self.is_new_at(&lines, index) && self.contents.len() < MAX_CONTENTS {
                self.added_by_far_end(index, line, around);
            }
        }
        for content in &mut self.contents {
            if let Some(remote) = &content.remote {
                let sends = remote.direction.sends();
                content.remote_sends(sends, around.outbox);
            }
        }
        self.exchange = Some(Exchange { number: exchange, is_empty: false });
        self.await_handler(around.now);
        self.advance(around);
    }

    /// Whether the far end has a medium there that is not among ours.
    fn is_new_at(&self, lines: &[Line], index: usize) -> bool {
        lines[index].remote.is_some()
            && !self.contents.iter().any(|content| content.line == Some(index))
    }

    /// The far end adds a medium. Whether ours flows too is for the user to say.
    fn added_by_far_end(&mut self, index: usize, line: &Line, around: &mut Around<'_>) {
        let Some(remote) = line.remote.clone() else { return };
        let plan = Plan {
            kind: line.kind.clone(),
            name: String::new(),
            is_initial: false,
            is_own: false,
            wants: Ways { sends: false, receives: true },
            transport: if remote.transport() == RAW_UDP { RAW_UDP } else { self.transport },
        };
        let content = self.new_content(plan);
        content.line = Some(index);
        content.reached_first_at(&remote);
        content.show(remote, true, None);
        let number = content.number;
        self.tell_added(number, around.outbox);
    }

    /// Answers an offer that came within the conversation, when the handler has said all to it.
    pub(super) fn answer_exchange(&mut self, around: &mut Around<'_>) {
        let (Some(exchange), Leg::There(leg)) = (self.exchange, self.leg) else { return };
        self.exchange = None;
        let strangers = if exchange.is_empty { Vec::new() } else { self.strangers() };
        let is_new = |number: &u32| self.content(*number).is_some_and(|one| !one.is_established);
        // What was there before is not given up: then it is the offer that is refused.
        let (new, old): (Vec<u32>, Vec<u32>) = strangers.into_iter().partition(is_new);
        self.drop_all(&new, &Reason::incompatible(&self.member), around);
        let turn = if exchange.is_empty { Turn::Offer } else { Turn::Answer };
        let described = if old.is_empty() { self.describe(turn).ok() } else { None };
        match described {
            Some(answer) => {
                let number = exchange.number;
                if exchange.is_empty {
                    self.asked = Some(Asked { exchange: Some(number), holds: None });
                }
                around.outbox.answer_description(around.phone, leg, number, &answer);
                if !exchange.is_empty {
                    self.settle(around);
                }
            }
            None => around.outbox.refuse_description(around.phone, leg, exchange.number, 488),
        }
    }

    /// The handler did not answer an offer of the far end in time: what it added is no more.
    pub(super) fn refuse_exchange(&mut self, around: &mut Around<'_>) {
        let (Some(exchange), Leg::There(leg)) = (self.exchange.take(), self.leg) else { return };
        around.outbox.refuse_description(around.phone, leg, exchange.number, 488);
        for content in &mut self.contents {
            content.remote = content.before.take().or_else(|| content.remote.take());
        }
    }

    /// The service names our offer, or refuses to make it.
    pub(crate) fn offer_named(&mut self, answer: Answer<u32>, around: &mut Around<'_>) {
        match (answer, &mut self.asked) {
            (Ok(exchange), Some(asked)) => asked.exchange = Some(exchange),
            (Err(refused), Some(asked)) => {
                let holds = asked.holds;
                self.asked = None;
                self.places_are_wanted(&refused);
                match holds {
                    Some(holds) => self.hold_answered(holds, false, around.outbox),
                    // An offer of the far end was faster: ours comes after it.
                    None => {
                        self.wants_offer = true;
                        self.await_other_offer(around.now);
                    }
                }
            }
            (_, None) => {}
        }
        self.advance(around);
    }

    /// The far end has answered our offer.
    pub(crate) fn offer_answered(
        &mut self,
        exchange: u32,
        sip_code: u32,
        description: &[u8],
        around: &mut Around<'_>,
    ) {
        let Some(asked) = self.asked.filter(|asked| asked.exchange == Some(exchange)) else {
            return;
        };
        self.asked = None;
        let accepted = (200..300).contains(&sip_code);
        if accepted && !description.is_empty() && !self.hears(description, true, around) {
            return;
        }
        match asked.holds {
            Some(holds) => self.hold_answered(holds, accepted, around.outbox),
            None if sip_code == CLASH => {
                self.wants_offer = true;
                self.await_other_offer(around.now);
            }
            None if !accepted => self.change_refused(around),
            None => {}
        }
        if accepted {
            self.settle(around);
        }
        self.advance(around);
    }

    /// The far end does not want what we changed: all is as it was before.
    fn change_refused(&mut self, around: &mut Around<'_>) {
        let own = Reason::by(&self.member, reason::REJECTED, &reason::error("Rejected"));
        let new = self.contents.iter().filter(|content| !content.is_established);
        let new: Vec<u32> = new.map(|content| content.number).collect();
        self.drop_all(&new, &own, around);
        for content in &mut self.contents {
            content.wants = content.agreed;
            let state = if content.wants.sends { 2 } else { 0 };
            content.local_sends(state, &own, around.outbox);
        }
    }

    /// The leg is no more.
    pub(crate) fn leg_ended(&mut self, end: &End<'_>, around: &mut Around<'_>) {
        self.leg = Leg::Gone;
        let is_answered = self.is_confirmed;
        let stage = Stage { is_requested: self.is_requested, is_answered };
        let reason = Reason::of_end(end, (&self.own, &self.member), stage);
        self.end(reason, around);
    }
}
