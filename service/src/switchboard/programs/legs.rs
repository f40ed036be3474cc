// SPDX-License-Identifier: GPL-3.0-or-later
//! What the call switch wants of a program's leg becomes what the program is told.

use std::time::Instant;

use bytes::Bytes;
use sipwitch_core::{
    call::{
        CallId, LegCommand, LegEvent, LegId,
        description::{self, Direction},
        leg::{Ask, Carried, ExchangeId, Invitation, Status},
    },
    cause::Cause,
};
use sipwitch_media::relay::End;

use super::{
    super::{Switchboard, ask::Refusal, entry::tone_of, notice::Told},
    LONGEST_DESCRIPTION, Leg, MOST_KEPT_BACK, MOST_LEGS, PATIENCE, Programs, Stage, Theirs,
};

impl Programs {
    /// Rings at a program.
    ///
    /// # Errors
    /// It cannot take the call.
    pub(in super::super) fn start(
        &mut self,
        phone: u64,
        leg: LegId,
        call: CallId,
        invitation: &Invitation,
    ) -> Result<(), Cause> {
        let program = self.phones.get(&phone).ok_or_else(Cause::not_registered)?;
        if !program.available {
            return Err(Cause::not_registered());
        }
        if self.legs.values().filter(|leg| leg.phone == phone).count() >= MOST_LEGS {
            return Err(Cause::busy());
        }
        let offer = match &invitation.carried.body {
            None => Bytes::new(),
            Some(body) if !body.is_sdp() => return Err(Cause::from_sip(415)),
            Some(body) if body.bytes.len() > LONGEST_DESCRIPTION => {
                return Err(Cause::from_sip(513));
            }
            Some(body) => body.bytes.clone(),
        };
        let new = Leg::new(phone, program, Stage::Ringing);
        self.legs.insert(leg, new);
        let told = Told::Incoming {
            leg,
            call,
            offer,
            caller: invitation.from.address.clone(),
            caller_name: invitation.from.display.clone(),
            dialled: invitation.to.address.clone(),
            diverted_by: invitation.diverted_by.as_ref().map(|by| by.address.clone()),
        };
        self.tell(phone, told);
        Ok(())
    }

    /// The call wants something of a program's leg.
    pub(in super::super) fn command(&mut self, now: Instant, id: LegId, command: LegCommand) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let phone = leg.phone;
        match command {
            LegCommand::Progress { fork, status, carried, .. } => {
                let description = described(&carried);
                let Status { code: sip_code, reason: words } = status;
                let told = Told::Progress { leg: id, fork: fork.0, sip_code, words, description };
                self.tell(phone, told);
            }
            LegCommand::Answer { fork, carried } => {
                leg.stage = Stage::Talking;
                let description = described(&carried);
                self.tell(phone, Told::Answered { leg: id, fork: fork.0, description });
                // There is nothing that could get lost between us.
                self.say(id, LegEvent::Confirmed { carried: Carried::nothing() });
            }
            LegCommand::Confirm { carried } => {
                leg.stage = Stage::Talking;
                let description = described(&carried);
                self.tell(phone, Told::Confirmed { leg: id, description });
            }
            LegCommand::Ask { exchange, ask, carried } => {
                self.asked(now, id, exchange, &ask, &carried);
            }
            LegCommand::Reply { exchange, status, carried } => {
                self.replied(id, exchange, status, &carried);
            }
            LegCommand::ConfirmReinvite { exchange, carried } => {
                let Some((_, ours)) = leg.confirming.take_if(|(asked, _)| *asked == exchange)
                else {
                    return;
                };
                let told = Told::OfferAnswered {
                    leg: id,
                    exchange: ours,
                    sip_code: 200,
                    words: String::new(),
                    description: described(&carried),
                };
                self.tell(phone, told);
            }
            LegCommand::TransferProgress { exchange, status } => {
                let is_its = leg.transfer.as_ref().is_some_and(|t| t.exchange == exchange.0);
                if !is_its {
                    return;
                }
                if status.is_final() {
                    leg.transfer = None;
                }
                // That it was taken up is what the reply said.
                if status.code > 100 {
                    let Status { code: sip_code, reason: words } = status;
                    self.tell(phone, Told::Transfer { leg: id, sip_code, words });
                }
            }
            LegCommand::End { cause } => self.end(id, &cause),
        }
        self.bound(id);
    }

    /// The other end asks something.
    fn asked(&mut self, now: Instant, id: LegId, asked: ExchangeId, ask: &Ask, carried: &Carried) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let phone = leg.phone;
        let code = match ask {
            Ask::Reinvite | Ask::Update => {
                let is_reinvite = *ask == Ask::Reinvite;
                let description = match &carried.body {
                    // A session refresh without media.
                    None if !is_reinvite => return self.reply(id, asked, 200),
                    None => Bytes::new(),
                    Some(body) if !body.is_sdp() => return self.reply(id, asked, 415),
                    Some(body) if body.bytes.len() > LONGEST_DESCRIPTION => {
                        return self.reply(id, asked, 513);
                    }
                    Some(body) => body.bytes.clone(),
                };
                // Glare: one offer at a time on one leg (RFC 3261 §14.2).
                if leg.ours.is_some() || leg.theirs.is_some() {
                    return self.reply(id, asked, 491);
                }
                let exchange = leg.next_exchange();
                let is_described = !description.is_empty();
                let due = now + PATIENCE;
                leg.theirs = Some(Theirs { exchange, asked, is_reinvite, is_described, due });
                self.overdue.insert((due, id));
                let held = is_described
                    && matches!(
                        description::direction(&description),
                        Direction::Inactive | Direction::SendOnly
                    );
                let told = Told::Offered { leg: id, exchange, description, held };
                return self.tell(phone, told);
            }
            Ask::Info => match tone_of(carried) {
                Some(tone) => {
                    self.tell(phone, Told::Tone { leg: id, tone });
                    200
                }
                None if carried.body.is_none() => 200,
                None => 415,
            },
            Ask::Options => 200,
            Ask::Notify | Ask::Prack { .. } => 481,
            // A text is given to its program before it comes here.
            Ask::Message | Ask::Other(_) => 405,
        };
        self.reply(id, asked, code);
    }

    /// The other end answered what the program asked.
    fn replied(&mut self, id: LegId, exchange: ExchangeId, status: Status, carried: &Carried) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let phone = leg.phone;
        if leg.ours == Some(exchange.0) {
            leg.ours = None;
            let is_success = status.is_success();
            let description = if is_success { described(carried) } else { Bytes::new() };
            let Status { code: sip_code, reason: words } = status;
            let exchange_told = exchange.0;
            let told = Told::OfferAnswered {
                leg: id,
                exchange: exchange_told,
                sip_code,
                words,
                description,
            };
            self.tell(phone, told);
            if is_success {
                let carried = Carried::nothing();
                self.say(id, LegEvent::ReinviteConfirmed { exchange, carried });
            }
            return;
        }
        let Some(transfer) = leg.transfer.as_mut().filter(|t| t.exchange == exchange.0) else {
            return;
        };
        let reply = transfer.reply.take();
        if !status.is_success() {
            leg.transfer = None;
        }
        if let Some(reply) = reply {
            let _ = reply.send(if status.is_success() {
                Ok(())
            } else {
                Err(Refusal::NotInThisState(
                    "the call is being changed already, or there is nobody to transfer: try again \
                     in a moment"
                        .into(),
                ))
            });
        }
    }

    /// The leg is over, and the program is told.
    pub(super) fn end(&mut self, id: LegId, cause: &Cause) {
        let Some(leg) = self.legs.remove(&id) else { return };
        if leg.led.is_some() {
            self.anchors.close(id);
        }
        if let Some(theirs) = leg.theirs {
            self.overdue.remove(&(theirs.due, id));
        }
        if let Some(reply) = leg.transfer.and_then(|transfer| transfer.reply) {
            let words = "the call ended before it was done".to_owned();
            let _ = reply.send(Err(Refusal::NotInThisState(words)));
        }
        let told = Told::Ended {
            leg: id,
            reason: cause.word(),
            sip_code: cause.sip,
            q850: cause.q850_or_mapped().unwrap_or(0),
            words: cause.sentence(),
        };
        self.tell(leg.phone, told);
    }

    /// A leg whose program does not learn of it cannot keep what happens to it for ever.
    fn bound(&mut self, id: LegId) {
        let is_full = |kept: &super::KeptBack| kept.told.len() > MOST_KEPT_BACK;
        if self.legs.contains_key(&id) && self.kept_back.get(&id).is_some_and(is_full) {
            let cause = Cause::from_sip(500);
            self.end(id, &cause);
            self.say(id, LegEvent::Ended { cause });
        }
    }

    pub(super) fn say(&mut self, leg: LegId, event: LegEvent) {
        self.events.push_back((leg, event));
    }

    pub(in super::super) fn reply(&mut self, leg: LegId, exchange: ExchangeId, code: u16) {
        self.reply_with(leg, exchange, code, Carried::nothing());
    }

    /// The same, with fields.
    pub(in super::super) fn reply_with(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        code: u16,
        carried: Carried,
    ) {
        self.say(leg, LegEvent::Replied { exchange, status: Status::new(code), carried });
    }

    /// Offers that a program did not answer in time are refused; all stays as it was.
    fn refuse_overdue(&mut self, now: Instant) -> Vec<LegId> {
        let mut refused = Vec::new();
        while let Some(&(due, id)) = self.overdue.first() {
            if due > now {
                break;
            }
            self.overdue.pop_first();
            let Some(leg) = self.legs.get_mut(&id) else { continue };
            if let Some(theirs) = leg.theirs.take() {
                self.reply(id, theirs.asked, 488);
                refused.push(id);
            }
        }
        refused
    }
}

impl Switchboard {
    /// Gives a leg's command to whoever carries it.
    pub(in super::super) fn command_leg(&mut self, leg: LegId, command: LegCommand) {
        let now = self.now.instant;
        if let LegCommand::Ask { exchange, ask: Ask::Message, carried } = &command
            && self.programs.has_leg(leg)
        {
            return self.text_in_call(leg, *exchange, carried);
        }
        if self.programs.has_leg(leg) {
            self.programs.command(now, leg, command);
        } else {
            self.endpoint.command(now, leg, command);
        }
    }

    /// Does for programs what is due.
    pub(in super::super) fn programs_overdue(&mut self) {
        for leg in self.programs.refuse_overdue(self.now.instant) {
            self.take_back(leg, End::Far);
        }
    }

    /// Tells a program whom it talks with now.
    pub(in super::super) fn party_changed(&mut self, call: CallId, leg: LegId) {
        let Some(entry) = self.calls.get(&call) else { return };
        let is_caller = entry.call.talking(sipwitch_core::call::Side::Caller) == Some(leg);
        let party = if is_caller { &entry.callee } else { &entry.caller };
        let (address, name) = (party.address.clone(), party.display.clone());
        if let Some(phone) = self.programs.legs.get(&leg).map(|leg| leg.phone) {
            self.programs.tell(phone, Told::Party { leg, call, address, name });
        }
    }
}

fn described(carried: &Carried) -> Bytes {
    carried.sdp().cloned().unwrap_or_default()
}
