// SPDX-License-Identifier: GPL-3.0-or-later
//! Legs of programs whose media go through us.
//!
//! What the program says is led before its call hears of it, and what the far end says when the
//! program is told. A description that cannot be led crosses as it is: then that way of the sound is
//! direct, which is worth more than no call. Only one in which the program left out where it is must
//! be led, or it is refused.

use bytes::Bytes;
use sipwitch_core::{
    call::{
        LegEvent, LegId, Side,
        leg::{Body, Fork},
    },
    cause::Cause,
    routing::{Destination, PhoneId, Route},
};
use sipwitch_media::{driver::Located, relay::End, sdp::Description};
use sipwitch_sip::{flow::Flow, registrar};

use super::{
    super::{
        Switchboard,
        anchors::{Far, Unlocated},
        ask::Refusal,
        entry::LegEntry,
        notice::Told,
    },
    asks::ALL_STAGES,
};

/// How many called ends of one leg are remembered with their early descriptions.
const MOST_EARLY: usize = 8;

/// What is remembered of a leg whose media go through us.
#[derive(Debug, Default)]
pub(super) struct Led {
    /// The last description of each end.
    said: [Option<Bytes>; 2],
    /// What each end had said before its last offer.
    before: [Option<Bytes>; 2],
    /// What called ends said early: the answer of one may be that.
    early: Vec<(Fork, Bytes)>,
}

impl Led {
    /// A called end described itself early.
    fn remember(&mut self, fork: Fork, description: &Bytes) {
        self.early.retain(|(known, _)| *known != fork);
        if self.early.len() == MOST_EARLY {
            self.early.remove(0);
        }
        self.early.push((fork, description.clone()));
    }
}

impl Switchboard {
    /// A program's leg is about to say this: its call is to hear the description that the far end is
    /// to get.
    ///
    /// # Errors
    /// It says of some medium not where that is wanted, and cannot be led.
    pub(super) fn lead_out(
        &mut self,
        id: LegId,
        is_offer: bool,
        body: &mut Option<Body>,
    ) -> Result<(), Refusal> {
        let Some(body) = body.as_mut().filter(|body| body.is_sdp()) else { return Ok(()) };
        if !self.programs.wants_anchors(id) {
            return Ok(());
        }
        let far = self.far_of(id);
        self.lead_out_to(far, id, is_offer, &mut body.bytes)
    }

    /// The same, where it is known where the far end is.
    ///
    /// # Errors
    /// As above.
    pub(super) fn lead_out_to(
        &mut self,
        far: Far,
        id: LegId,
        is_offer: bool,
        description: &mut Bytes,
    ) -> Result<(), Refusal> {
        let programs = &mut self.programs;
        if !programs.wants_anchors(id) || !leaves_out_addresses(description) {
            programs.lead(id, End::Near, far, is_offer, description);
            return Ok(());
        }
        programs.try_lead(id, End::Near, far, is_offer, description).map_err(|why| {
            Refusal::TooMany(format!(
                "media whose address is left out cannot go through the service: {why}: describe \
                 them with their addresses"
            ))
        })?;
        let ours = programs.anchors.ours(id);
        if let Some(phone) = programs.legs.get(&id).map(|leg| leg.phone) {
            programs.tell(phone, Told::Anchored { leg: id, ours });
        }
        Ok(())
    }

    /// The program says where media are that it has described.
    ///
    /// # Errors
    /// They cannot be there, or do not go through us.
    pub(super) fn program_located(
        &mut self,
        phone: u64,
        id: LegId,
        at: &[Located],
    ) -> Result<(), Refusal> {
        self.leg_in(phone, id, ALL_STAGES)?;
        self.programs.anchors.locate(id, at).map_err(|why| match why {
            Unlocated::NotLed => Refusal::NotInThisState(
                "no medium of the leg goes through the service: describe them anew with their \
                 addresses"
                    .into(),
            ),
            Unlocated::Impossible(words) => Refusal::BadValue(words),
        })
    }

    /// A program is told something: it gets the description with our ports in it.
    pub(super) fn lead_in(&mut self, told: &mut Told) {
        let Some(id) = told.leg().filter(|leg| self.programs.is_anchored(*leg)) else { return };
        let far = self.far_of(id);
        let programs = &mut self.programs;
        match told {
            Told::Offered { description, .. } => {
                programs.lead(id, End::Far, far, true, description);
            }
            Told::OfferAnswered { sip_code: 300.., .. } => self.take_back(id, End::Near),
            Told::Progress { fork, description, .. } => {
                if let Some(leg) = programs.led(id).filter(|_| !description.is_empty()) {
                    leg.remember(Fork(*fork), description);
                }
                programs.lead(id, End::Far, far, false, description);
            }
            Told::Answered { fork, description, .. } => {
                let early = programs.led(id).map(|led| std::mem::take(&mut led.early));
                let of_fork = |(of, early): (Fork, Bytes)| (of.0 == *fork).then_some(early);
                let early = early.into_iter().flatten().find_map(of_fork);
                match early.filter(|_| description.is_empty()) {
                    // Another end may have described itself since.
                    Some(mut early) => programs.lead(id, End::Far, far, false, &mut early),
                    None => programs.lead(id, End::Far, far, false, description),
                }
            }
            Told::Incoming { offer: description, .. }
            | Told::Confirmed { description, .. }
            | Told::OfferAnswered { description, .. } => {
                programs.lead(id, End::Far, far, false, description);
            }
            _ => {}
        }
    }

    /// An offer was refused: what its end said before holds on.
    pub(super) fn take_back(&mut self, id: LegId, from: End) {
        let before = self.programs.led(id).and_then(|led| led.before[from as usize].take());
        if let Some(mut before) = before {
            let far = self.far_of(id);
            self.programs.lead(id, from, far, false, &mut before);
        }
    }

    /// Both ends of a leg have been silent for so long that nobody can be there any more.
    pub(in super::super) fn media_lost(&mut self, id: LegId) {
        if self.programs.is_anchored(id) {
            let cause = Cause::media_lost();
            self.programs.end(id, &cause);
            self.programs.say(id, LegEvent::Ended { cause });
        }
    }

    /// Where the far end of a leg is. Where several are called at once, one that is not on this
    /// machine decides.
    fn far_of(&self, id: LegId) -> Far {
        let entry = self.legs.get(&id).and_then(|call| self.calls.get(call));
        let Some(entry) = entry else { return Far::default() };
        let talks = |side| entry.call.talking(side) == Some(id);
        let side = [Side::Caller, Side::Callee].into_iter().find(|side| talks(*side));
        let other = side.and_then(|side| entry.call.talking(side.other()));
        let is_caller = |leg: &LegEntry| leg.role == "caller";
        let calls = entry.legs.iter().any(|leg| leg.id == id && is_caller(leg));
        let is_far = |leg: &&LegEntry| match other {
            Some(other) => leg.id == other,
            None => leg.id != id && is_caller(leg) != calls,
        };
        let places = entry.legs.iter().filter(is_far).map(|leg| {
            if self.programs.has_leg(leg.id) {
                return Far::program();
            }
            let flow = self.endpoint.flow_of(leg.id);
            flow.map(|flow| far_over(&flow, leg.peer.is_none())).unwrap_or_default()
        });
        farthest(places)
    }

    /// Where those are whom a program's call is to reach.
    pub(super) fn far_of_route(&self, route: &Route) -> Far {
        let targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
        farthest(targets.map(|target| {
            let flow = match target.destination {
                Destination::Phone(PhoneId(phone)) if self.programs.has(phone) => {
                    return Far::program();
                }
                Destination::Phone(PhoneId(phone)) => {
                    let binding = self.registrar.phone(registrar::PhoneId(phone));
                    binding.map(|binding| binding.reached_by())
                }
                Destination::Line(line) => {
                    self.lines.speaker(line).and_then(|on| self.lines.best_flow(&on))
                }
                Destination::Peer => None,
            };
            flow.map(|flow| far_over(&flow, true)).unwrap_or_default()
        }))
    }
}

impl super::Programs {
    /// Whether the media of the leg go through us.
    fn is_anchored(&self, id: LegId) -> bool {
        self.legs.get(&id).is_some_and(|leg| leg.led.is_some())
    }

    /// Whether its program wants them to, be it possible or not.
    fn wants_anchors(&self, id: LegId) -> bool {
        let phone = self.legs.get(&id).and_then(|leg| self.phones.get(&leg.phone));
        phone.is_some_and(|program| program.anchored)
    }

    fn led(&mut self, id: LegId) -> Option<&mut Led> {
        self.legs.get_mut(&id)?.led.as_deref_mut()
    }

    /// Puts in the place of a description that `from` made the one that the other end is to get, if
    /// that can be.
    pub(super) fn lead(
        &mut self,
        id: LegId,
        from: End,
        far: Far,
        is_offer: bool,
        description: &mut Bytes,
    ) {
        if !self.is_anchored(id) || description.is_empty() {
            return;
        }
        if let Err(why) = self.try_lead(id, from, far, is_offer, description) {
            tracing::warn!(leg = id.0, "sound goes directly from end to end: {why}");
            // Where nothing was led yet, nothing is to be led: both ways are direct then.
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.led.take_if(|led| led.said == [None, None]);
            }
        }
    }

    /// The same, or nothing has changed.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    fn try_lead(
        &mut self,
        id: LegId,
        from: End,
        far: Far,
        is_offer: bool,
        description: &mut Bytes,
    ) -> Result<(), String> {
        let led = self.legs.get_mut(&id).and_then(|leg| leg.led.as_deref_mut());
        let led = led.ok_or("the sound of the call goes directly from end to end")?;
        let leads = self.anchors.lead(id, from, far, description)?;
        let at = from as usize;
        let before = led.said[at].replace(description.clone());
        if is_offer {
            led.before[at] = before;
        }
        *description = leads;
        Ok(())
    }
}

/// Whether a description says of some medium not where it is wanted.
fn leaves_out_addresses(description: &[u8]) -> bool {
    let description = Description::parse(description).ok();
    description.is_some_and(|said| said.streams().any(|stream| stream.is_unplaced()))
}

/// One that is not on this machine, or the first.
fn farthest(places: impl Iterator<Item = Far>) -> Far {
    let mut first = None;
    for place in places {
        if !place.is_here() {
            return place;
        }
        first = first.or(Some(place));
    }
    first.unwrap_or_default()
}

fn far_over(flow: &Flow, is_authenticated: bool) -> Far {
    let ours = Some(flow.local.ip()).filter(|ip| !ip.is_unspecified());
    Far { ours, signalling: Some(flow.remote.ip()), is_authenticated }
}
