// SPDX-License-Identifier: GPL-3.0-or-later
//! What a program asks becomes what its leg says.

use std::time::Duration;

use bytes::Bytes;
use sipwitch_core::{
    call::{
        CallId, LegEvent, LegId, Side, Tones, Towards,
        leg::{Ask, Body, Carried, ExchangeId, Fork, Invitation, Party, Replaced, Status},
    },
    cause::Cause,
    line::LineId,
    routing::{self, Caller, PhoneId, emergency},
};
use sipwitch_media::relay::End;

use super::{
    super::{
        Switchboard,
        ask::{EndpointAsk, Leaving, Refusal, Reply},
        directory, hiding,
        lookup::{EndpointDialling, Halt, Published, Then},
        notice::Told,
        steering::{all_of, no_call, parse, refusal},
    },
    LONGEST_DESCRIPTION, Leg, MOST_LEGS, Stage, Theirs, Transfer, Whose, no_phone, words,
};

/// How many hops a call may take that begins here (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;

impl Switchboard {
    /// A program asks as a phone.
    pub(in super::super) fn endpoint_asks(
        &mut self,
        phone: u64,
        owner: Option<&str>,
        ask: EndpointAsk,
    ) {
        let allowed = self.may_ask(phone, owner);
        match ask {
            EndpointAsk::SetAvailable { available, reply } => {
                answer(reply, allowed.and_then(|()| self.set_available(phone, available)));
            }
            EndpointAsk::Dial { contact, offer, options, reply } => {
                let dialling = EndpointDialling { phone, contact, offer, options, reply };
                match allowed {
                    Ok(()) => self.go_on(Then::EndpointDial(Box::new(dialling)), Published::NONE),
                    Err(refusal) => answer(dialling.reply, Err(refusal)),
                }
            }
            EndpointAsk::Release { leg } => self.programs.release(leg),
            EndpointAsk::ShowProgress { leg, sip_code, description, reply } => {
                let done =
                    allowed.and_then(|()| self.program_rings(phone, leg, sip_code, description));
                answer(reply, done);
            }
            EndpointAsk::Answer { leg, description, reply } => {
                answer(reply, allowed.and_then(|()| self.program_answers(phone, leg, description)));
            }
            EndpointAsk::Reject { leg, why, reply } => {
                answer(reply, allowed.and_then(|()| self.program_leaves(phone, leg, why, true)));
            }
            EndpointAsk::HangUp { leg, why, reply } => {
                answer(reply, allowed.and_then(|()| self.program_leaves(phone, leg, why, false)));
            }
            EndpointAsk::Offer { leg, description, reply } => {
                answer(reply, allowed.and_then(|()| self.program_offers(phone, leg, description)));
            }
            EndpointAsk::AnswerOffer { leg, exchange, description, reply } => {
                let answered =
                    description_of(description, true).map(|body| (Status::new(200), body));
                let done = allowed.and_then(|()| {
                    let (status, body) = answered?;
                    self.program_answers_offer(phone, leg, exchange, status, body)
                });
                answer(reply, done);
            }
            EndpointAsk::RefuseOffer { leg, exchange, sip_code, reply } => {
                let done = allowed.and_then(|()| {
                    let code = code("sip_code", sip_code, 400, 699)?;
                    if matches!(code, 408 | 481) {
                        let words = "408 and 481 would end the conversation: refuse with 488";
                        return Err(Refusal::BadValue(words.into()));
                    }
                    self.program_answers_offer(phone, leg, exchange, Status::new(code), None)
                });
                answer(reply, done);
            }
            EndpointAsk::Locate { leg, at, reply } => {
                answer(reply, allowed.and_then(|()| self.program_located(phone, leg, &at)));
            }
            EndpointAsk::SendTones { leg, tones, reply } => {
                match allowed.and_then(|()| self.program_tones(phone, leg, &tones)) {
                    Ok(call) => {
                        if let Some(entry) = self.calls.get_mut(&call) {
                            entry.toning = Some(reply);
                        }
                        self.pump(call);
                    }
                    Err(refusal) => answer(reply, Err(refusal)),
                }
            }
            EndpointAsk::Transfer { leg, contact, other, reply } => {
                match allowed.and_then(|()| self.program_transfers(phone, leg, contact, other)) {
                    Ok(transfer) => {
                        if let Some(leg) = self.programs.legs.get_mut(&leg) {
                            leg.transfer =
                                Some(Transfer { exchange: transfer, reply: Some(reply) });
                        }
                    }
                    Err(refusal) => answer(reply, Err(refusal)),
                }
            }
            EndpointAsk::SendMessage { contact, text, content_type, reply } => match allowed {
                Ok(()) => {
                    let from = self.programs.extension_of(phone).map(ToString::to_string);
                    match self.bound_to(phone) {
                        Ok(by) => {
                            let text = (text, content_type);
                            self.send_message(&contact, from.as_deref(), by, text, reply);
                        }
                        Err(refusal) => answer(reply, Err(refusal)),
                    }
                }
                Err(refusal) => answer(reply, Err(refusal)),
            },
            EndpointAsk::Texts { wanted, reply } => match allowed {
                Ok(()) => {
                    let reader = self.reader(phone);
                    self.past_texts(reader, wanted, reply);
                }
                Err(refusal) => answer(reply, Err(refusal)),
            },
            EndpointAsk::MarkRead { messages, reply } => {
                let reader = self.reader(phone);
                let done = allowed.and_then(|()| self.texts_read(reader, messages));
                answer(reply, done);
            }
            EndpointAsk::AcceptMessage { message, reply } => {
                answer(reply, allowed.and_then(|()| self.text_accepted(phone, message)));
            }
        }
    }

    /// Only the program that is the phone asks as the phone.
    fn may_ask(&self, phone: u64, owner: Option<&str>) -> Result<(), Refusal> {
        let program = self.programs.phones.get(&phone).ok_or_else(|| no_phone(phone))?;
        if program.owner.as_deref() == owner {
            Ok(())
        } else {
            Err(Refusal::NotAllowed(format!("phone {phone} is another program")))
        }
    }

    /// Dials. The program may have left while a number was looked up; then nothing is done.
    pub(in super::super) fn program_dials(
        &mut self,
        dialling: &EndpointDialling,
        published: &Published,
    ) -> Result<(LegId, CallId), Halt> {
        let EndpointDialling { phone, ref contact, ref offer, ref options, .. } = *dialling;
        let parsed = parse(contact)?;
        let contacts = all_of(&parsed, &options.also)?;
        let mut body = description_of(offer.clone(), true)?;
        let display = options.display.as_deref().map(|name| words("display", name)).transpose()?;
        let house = self.house(None);
        let is_emergency = contacts.iter().any(|one| emergency::is_emergency(one, &house));
        if self.is_stopping {
            return Err(Refusal::Stopping.into());
        }
        let legs = self.programs.legs.values().filter(|leg| leg.phone == phone).count();
        if !is_emergency && (legs >= MOST_LEGS || self.begun() >= self.settings.max_calls) {
            return Err(Refusal::TooMany(format!(
                "{legs} calls of the program and {} in all are under way, as many as are allowed: \
                 end some",
                self.begun()
            ))
            .into());
        }
        let whose = self.programs.whose(phone).ok_or_else(|| no_phone(phone))?.clone();
        let caller = Caller {
            phone: Some(PhoneId(phone)),
            extension: whose.extension().cloned(),
            by: if is_emergency { None } else { self.bound_to(phone)? },
            ..Caller::default()
        };
        let mut route = self
            .find_route(None, published, |house| routing::route_any(&contacts, &caller, house))?;
        if route.attempts.is_empty() {
            let words = route.refusal().sentence();
            let refusal = if is_emergency {
                Refusal::EmergencyUnavailable(words)
            } else {
                Refusal::NoRoute(format!("{contact}: {words}"))
            };
            return Err(refusal.into());
        }
        if let Some(refusal) = self.blocked_program(whose.extension(), &route, contact) {
            return Err(refusal.into());
        }
        if let Some(seconds) = options.ring_seconds {
            let ring = Duration::from_secs(seconds.clamp(1, directory::MAX_RING).into());
            route.attempts.iter_mut().for_each(|attempt| attempt.ring = ring);
        }
        let program = self.programs.phones.get(&phone).ok_or_else(|| no_phone(phone))?;
        let new = Leg::new(phone, program, Stage::Dialling);
        let leg = self.leg_ids.allocate();
        self.programs.legs.insert(leg, new);
        self.programs.keep_back(leg);
        if let Some(body) = &mut body {
            let far = self.far_of_route(&route);
            if let Err(refusal) = self.lead_out_to(far, leg, true, &mut body.bytes) {
                self.programs.forget(leg);
                return Err(refusal.into());
            }
        }
        let named = || match &whose {
            Whose::Extension(number) => {
                self.directory.entry(number).map(|one| one.extension.display.clone())
            }
            Whose::Account(_) => None,
        };
        let address = match &whose {
            Whose::Extension(number) => number.to_string(),
            Whose::Account(account) => self.address_of_account(account),
        };
        let mut carried = Carried { fields: Vec::new(), body };
        if options.hide_number {
            hiding::ask(&mut carried);
        }
        let invitation = Invitation {
            from: Party { display: display.or_else(named).unwrap_or_default(), address },
            to: Party { display: String::new(), address: parsed.user().to_owned() },
            carried,
            // PRACK is between SIP phones.
            reliable_provisional: false,
            hops: HOPS,
            diverted_by: None,
        };
        let call = self.begin_incoming(leg, contact, Some(phone), None, invitation, route);
        Ok((leg, call))
    }

    /// The only line by which a program may call; none for one that is a phone of the house.
    fn bound_to(&self, phone: u64) -> Result<Option<LineId>, Refusal> {
        match self.programs.whose(phone) {
            None => Err(no_phone(phone)),
            Some(Whose::Extension(_)) => Ok(None),
            Some(Whose::Account(account)) => {
                let line = self.lines.of_account(account);
                let words = || format!("the account {account} is no line: see its state");
                line.map(Some).ok_or_else(|| Refusal::NoRoute(words()))
            }
        }
    }

    fn program_rings(
        &mut self,
        phone: u64,
        leg: LegId,
        sip_code: u32,
        description: Bytes,
    ) -> Result<(), Refusal> {
        self.leg_in(phone, leg, &[Stage::Ringing])?;
        let mut body = description_of(description, false)?;
        let code = match sip_code {
            180 => 180,
            182 => 182,
            183 => 183,
            other => {
                let words = format!("{other} is no progress: use 180, 182 or 183");
                return Err(Refusal::BadValue(words));
            }
        };
        self.lead_out(leg, false, &mut body)?;
        let event = LegEvent::Progress {
            fork: Fork(0),
            status: Status::new(code),
            reliable: None,
            carried: Carried { fields: Vec::new(), body },
        };
        self.programs.say(leg, event);
        Ok(())
    }

    fn program_answers(
        &mut self,
        phone: u64,
        leg: LegId,
        description: Bytes,
    ) -> Result<(), Refusal> {
        let mut body = description_of(description, true)?;
        self.leg_in(phone, leg, &[Stage::Ringing])?;
        self.lead_out(leg, false, &mut body)?;
        self.leg_in(phone, leg, &[Stage::Ringing])?.stage = Stage::Answered;
        let carried = Carried { fields: Vec::new(), body };
        self.programs.say(leg, LegEvent::Answered { fork: Fork(0), carried });
        Ok(())
    }

    fn program_leaves(
        &mut self,
        phone: u64,
        leg: LegId,
        why: Leaving,
        rejects: bool,
    ) -> Result<(), Refusal> {
        let (least, stages): (u32, &[Stage]) =
            if rejects { (400, &[Stage::Ringing]) } else { (200, ALL_STAGES) };
        let usual = match self.leg_in(phone, leg, stages)?.stage {
            Stage::Ringing => Cause::from_sip(603),
            Stage::Dialling => Cause::cancelled(),
            Stage::Answered | Stage::Talking => Cause::normal(),
        };
        let mut cause = match why.sip_code {
            None => usual,
            Some(given) => Cause::from_sip(code("sip-code", given, least, 699)?),
        };
        if let Some(value) = why.q850 {
            let value = u8::try_from(value).ok().filter(|value| (1..=127).contains(value));
            let words = "q850-cause must be from 1 to 127";
            cause.q850 = Some(value.ok_or_else(|| Refusal::BadValue(words.into()))?);
        }
        if let Some(given) = why.words {
            cause.text = words("words", &given)?;
        }
        self.programs.end(leg, &cause);
        self.programs.say(leg, LegEvent::Ended { cause });
        Ok(())
    }

    fn program_offers(
        &mut self,
        phone: u64,
        id: LegId,
        description: Bytes,
    ) -> Result<u32, Refusal> {
        let mut body = description_of(description, true)?;
        let leg = self.leg_in(phone, id, &[Stage::Talking])?;
        if leg.ours.is_some() || leg.theirs.is_some() {
            let words = "an offer is under way: wait until it is answered";
            return Err(Refusal::NotInThisState(words.into()));
        }
        self.lead_out(id, true, &mut body)?;
        let leg = self.leg_in(phone, id, &[Stage::Talking])?;
        let exchange = leg.next_exchange();
        leg.ours = Some(exchange);
        self.programs.keep_back(id);
        let carried = Carried { fields: Vec::new(), body };
        let event = LegEvent::Asked { exchange: ExchangeId(exchange), ask: Ask::Reinvite, carried };
        self.programs.say(id, event);
        Ok(exchange)
    }

    fn program_answers_offer(
        &mut self,
        phone: u64,
        id: LegId,
        exchange: u32,
        status: Status,
        mut body: Option<Body>,
    ) -> Result<(), Refusal> {
        let waits = |theirs: &Theirs| theirs.exchange == exchange;
        let none = || {
            let words = format!("no offer {exchange} waits for an answer");
            Refusal::NotInThisState(words)
        };
        let leg = self.leg_in(phone, id, ALL_STAGES)?;
        leg.theirs.as_ref().filter(|theirs| waits(theirs)).ok_or_else(none)?;
        self.lead_out(id, false, &mut body)?;
        let leg = self.leg_in(phone, id, ALL_STAGES)?;
        let theirs = leg.theirs.take_if(|theirs| waits(theirs)).ok_or_else(none)?;
        if theirs.is_reinvite && !theirs.is_described && status.is_success() {
            leg.confirming = Some((theirs.asked, exchange));
        }
        self.programs.overdue.remove(&(theirs.due, id));
        if !status.is_success() {
            self.take_back(id, End::Far);
        }
        let carried = Carried { fields: Vec::new(), body };
        self.programs.say(id, LegEvent::Replied { exchange: theirs.asked, status, carried });
        Ok(())
    }

    fn program_tones(&mut self, phone: u64, leg: LegId, tones: &str) -> Result<CallId, Refusal> {
        self.leg_in(phone, leg, &[Stage::Talking])?;
        let tones: Tones =
            tones.parse().map_err(|error: sipwitch_core::call::ParseTonesError| {
                Refusal::BadValue(error.to_string())
            })?;
        let call = *self.legs.get(&leg).ok_or_else(|| no_leg(leg))?;
        let entry = self.calls.get_mut(&call).ok_or_else(|| no_call(call))?;
        let is_caller = entry.call.talking(Side::Caller) == Some(leg);
        let side = if is_caller { Side::Callee } else { Side::Caller };
        entry.call.send_tones(Towards::Side(side), &tones).map_err(refusal)?;
        Ok(call)
    }

    fn program_transfers(
        &mut self,
        phone: u64,
        id: LegId,
        contact: String,
        other: Option<LegId>,
    ) -> Result<u32, Refusal> {
        let replaces = match other {
            Some(other) if other == id => {
                let words = "other-leg is the leg itself".to_owned();
                return Err(Refusal::BadValue(words));
            }
            Some(other) => {
                if !contact.is_empty() {
                    let words = "either a contact or other-leg, not both".to_owned();
                    return Err(Refusal::BadValue(words));
                }
                self.leg_in(phone, other, &[Stage::Talking])?;
                Some(Replaced::Leg(other))
            }
            None => {
                parse(&contact)?;
                None
            }
        };
        let leg = self.leg_in(phone, id, &[Stage::Talking])?;
        if leg.transfer.is_some() {
            let words = "a transfer is under way: wait how it ends";
            return Err(Refusal::NotInThisState(words.into()));
        }
        let exchange = leg.next_exchange();
        let event = LegEvent::TransferAsked {
            exchange: ExchangeId(exchange),
            target: contact,
            replaces,
            carried: Carried::nothing(),
        };
        self.programs.say(id, event);
        Ok(exchange)
    }

    /// The program's leg, if it is in one of these stages.
    pub(super) fn leg_in(
        &mut self,
        phone: u64,
        id: LegId,
        stages: &[Stage],
    ) -> Result<&mut Leg, Refusal> {
        let leg = self.programs.legs.get_mut(&id).filter(|leg| leg.phone == phone);
        let leg = leg.ok_or_else(|| no_leg(id))?;
        if stages.contains(&leg.stage) {
            return Ok(leg);
        }
        Err(Refusal::NotInThisState(match leg.stage {
            Stage::Dialling => "the other end has not answered yet".into(),
            Stage::Ringing => "the call is not answered yet".into(),
            Stage::Answered => "the caller has not heard of the answer yet".into(),
            Stage::Talking => "the call is answered already".into(),
        }))
    }

    /// The call is to be answered, whoever wants that: the program at which it rings is told.
    pub(in super::super) fn answer_wanted(&mut self, call: CallId) -> bool {
        let Some(entry) = self.calls.get(&call) else { return false };
        let ringing = entry.legs.iter().find(|leg| self.programs.is_ringing(leg.id));
        let Some(leg) = ringing.map(|leg| leg.id) else { return false };
        if let Some(phone) = self.programs.legs.get(&leg).map(|leg| leg.phone) {
            self.programs.tell(phone, Told::AnswerWanted { leg });
        }
        true
    }
}

pub(super) const ALL_STAGES: &[Stage] =
    &[Stage::Dialling, Stage::Ringing, Stage::Answered, Stage::Talking];

fn answer<T>(reply: Reply<T>, answer: Result<T, Refusal>) {
    // The program may have gone.
    let _ = reply.send(answer);
}

fn no_leg(leg: LegId) -> Refusal {
    Refusal::NotFound { kind: "call", name: format!("for leg {}: it has ended", leg.0) }
}

fn code(what: &str, given: u32, least: u32, most: u32) -> Result<u16, Refusal> {
    let code = u16::try_from(given).ok().filter(|_| (least..=most).contains(&given));
    code.ok_or_else(|| {
        Refusal::BadValue(format!(
            "{what} must be a SIP status from {least} to {most}, not {given}"
        ))
    })
}

/// A description as a program gives it. It is not understood here, only held against its bound and
/// its first line (RFC 8866 §5), so that nothing else travels as one.
fn description_of(bytes: Bytes, wanted: bool) -> Result<Option<Body>, Refusal> {
    if bytes.is_empty() && !wanted {
        return Ok(None);
    }
    if bytes.len() > LONGEST_DESCRIPTION {
        return Err(Refusal::BadValue(format!(
            "the description has {} bytes, more than {LONGEST_DESCRIPTION}",
            bytes.len()
        )));
    }
    if !bytes.starts_with(b"v=0") {
        return Err(Refusal::BadValue("the description does not begin with v=0".into()));
    }
    Ok(Some(Body::sdp(bytes)))
}
