// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests of one leg asked of the other, and the answers brought back, unharmed.

use super::{
    Call, LegCommand, LegId,
    exchange::{Exchange, Kind, MAX_EXCHANGES, Purpose},
    leg::{Ask, Carried, ExchangeId, ReliableId, Status},
    switch::Stage,
};

use std::time::Instant;

/// Where a request goes.
enum Whither {
    /// To this leg.
    Leg(LegId),
    /// To nobody: no other leg.
    Nobody,
    /// To a leg that cannot take it now.
    NotNow,
}

impl Call {
    pub(super) fn on_asked(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        ask: Ask,
        carried: Carried,
    ) {
        if self.exchanges.len() >= MAX_EXCHANGES {
            return self.reply(leg, exchange, 500);
        }
        if let Ask::Prack { reliable } = ask {
            return self.relay_prack(leg, exchange, reliable, carried);
        }
        let kind = match ask {
            Ask::Reinvite => Kind::Reinvite,
            Ask::Update if carried.body.is_some() => Kind::Describing,
            _ => Kind::Plain,
        };
        if kind != Kind::Plain && self.is_fixed(leg) {
            return self.reply(leg, exchange, 491);
        }
        match self.whither(leg, kind) {
            Whither::Leg(to) => {
                if kind != Kind::Plain && self.held_by_user {
                    return self.asked_alone(leg, exchange, &ask, &carried);
                }
                if kind != Kind::Plain && self.is_negotiating(to) {
                    // Glare across the switch: the other leg's offer came first.
                    return self.reply(leg, exchange, 491);
                }
                self.relay(leg, exchange, to, ask, carried, kind);
            }
            Whither::Nobody => self.asked_alone(leg, exchange, &ask, &carried),
            Whither::NotNow => {
                let code = if kind == Kind::Plain { 480 } else { 491 };
                self.reply(leg, exchange, code);
            }
        }
    }

    /// Whether the leg's media are being negotiated already, by itself or by a splice.
    fn is_fixed(&self, leg: LegId) -> bool {
        self.is_negotiating(leg) || (self.splice.is_some() && self.peer(leg).is_some())
    }

    fn whither(&self, leg: LegId, kind: Kind) -> Whither {
        if let Some(peer) = self.peer(leg) {
            return match (self.stage(leg), self.stage(peer)) {
                (Some(Stage::Established), Some(Stage::Established)) => Whither::Leg(peer),
                // The answer is not acknowledged yet: an offer now would overtake it.
                (_, Some(stage)) if stage.is_answered() && kind == Kind::Plain => {
                    Whither::Leg(peer)
                }
                _ => Whither::NotNow,
            };
        }
        let Some(caller) = self.waiting_caller() else { return Whither::Nobody };
        // A re-INVITE has no place before the answer (RFC 3261 §14.1).
        if kind == Kind::Reinvite {
            return Whither::NotNow;
        }
        // Requests in an early dialog do not say which: the one shown last is meant.
        match self.early.as_ref().and_then(|early| early.newest()) {
            Some(newest) if leg == caller => Whither::Leg(newest),
            Some(newest) if leg == newest => Whither::Leg(caller),
            Some(_) => Whither::NotNow,
            None => Whither::Nobody,
        }
    }

    fn relay(
        &mut self,
        from: LegId,
        theirs: ExchangeId,
        to: LegId,
        ask: Ask,
        carried: Carried,
        kind: Kind,
    ) {
        let offer = if kind == Kind::Plain { None } else { carried.sdp().cloned() };
        let delayed = kind == Kind::Reinvite && carried.body.is_none();
        let established = self.stage(to) == Some(Stage::Established);
        let carried =
            if offer.is_some() && established { self.offer_to(to, carried) } else { carried };
        let purpose = Purpose::Relay { asker: from, theirs, offer, delayed };
        self.ask(to, ask, carried, kind, purpose);
    }

    /// Each reliable response is acknowledged to the far end that sent it; the PRACK may bring an
    /// answer, or a new offer, whose answer its own answer brings (RFC 3262 §5).
    fn relay_prack(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        reliable: ReliableId,
        carried: Carried,
    ) {
        let found = self.early.as_mut().and_then(|early| early.acknowledge(reliable));
        let Some((to, reliable)) = found else {
            // Acknowledged before, or of a far end that is gone (RFC 3262 §3).
            return self.reply(leg, exchange, 481);
        };
        let offer = carried.sdp().cloned();
        if let (Some(sdp), Some(leg)) = (&offer, self.leg_mut(leg)) {
            leg.received = Some(sdp.clone());
        }
        let kind = if offer.is_some() { Kind::Describing } else { Kind::Plain };
        let purpose = Purpose::Relay { asker: leg, theirs: exchange, offer, delayed: false };
        self.ask(to, Ask::Prack { reliable }, carried, kind, purpose);
    }

    /// Nobody is there to ask: the switch answers itself.
    fn asked_alone(&mut self, leg: LegId, exchange: ExchangeId, ask: &Ask, carried: &Carried) {
        let answered = self.stage(leg) == Some(Stage::Established);
        match ask {
            Ask::Options => self.reply(leg, exchange, 200),
            Ask::Reinvite | Ask::Update => match carried.sdp() {
                Some(offer) if answered => self.answer_inactive(leg, exchange, offer),
                // A session refresh without media.
                None if *ask == Ask::Update && carried.body.is_none() => {
                    self.reply(leg, exchange, 200);
                }
                // It wants an offer, and there is nobody who could make one now.
                Some(_) | None => self.reply(leg, exchange, 491),
            },
            // No transfer of ours is reported to us (RFC 6665 §4.1.3).
            Ask::Notify | Ask::Prack { .. } => self.reply(leg, exchange, 481),
            Ask::Info | Ask::Message | Ask::Other(_) => self.reply(leg, exchange, 480),
        }
    }

    pub(super) fn on_replied(
        &mut self,
        now: Instant,
        leg: LegId,
        ours: ExchangeId,
        status: Status,
        carried: Carried,
    ) {
        if !status.is_final() {
            return;
        }
        // A second answer to the same request changes nothing.
        let Some(exchange) = self.take_exchange(leg, ours) else { return };
        match exchange.purpose {
            Purpose::Confirm { .. } => self.exchanges.push(exchange),
            Purpose::Orphan { delayed } => {
                if exchange.kind == Kind::Reinvite && status.is_success() {
                    if let Some(sdp) = carried.sdp() {
                        self.note_answer(leg, sdp);
                    }
                    let offer = carried.sdp().filter(|_| delayed);
                    self.confirm_alone(leg, ours, offer);
                }
            }
            Purpose::Relay { .. } => self.relay_reply(exchange, status, carried),
            Purpose::Splice => self.splice_replied(now, leg, ours, &status, &carried),
            Purpose::Tone => self.tone_replied(&status),
        }
    }

    fn relay_reply(&mut self, exchange: Exchange, status: Status, carried: Carried) {
        let Exchange { leg, ours, kind, purpose } = exchange;
        let Purpose::Relay { asker, theirs, offer, delayed } = purpose else { return };
        if kind == Kind::Plain || !status.is_success() {
            return self.reply_with(asker, theirs, status, carried);
        }
        let described = carried.sdp().cloned();
        if !self.stage(leg).is_some_and(Stage::is_answered) || self.waiting_caller() == Some(leg) {
            // Early dialogs: descriptions cross as they are, and each far end has its own.
            self.note_early(asker, offer.as_ref());
            self.note_early(leg, described.as_ref());
            return self.reply_with(asker, theirs, status, carried);
        }
        if delayed {
            // The answer offers; the asker's acknowledgement will bring the answer.
            let carried = self.offer_to(asker, carried);
            match described {
                Some(offer) => {
                    self.note_offer(leg, &offer);
                    let purpose = Purpose::Confirm { asker, theirs, offer };
                    self.exchanges.push(Exchange { leg, ours, kind, purpose });
                }
                None => self.confirm_alone(leg, ours, None),
            }
            return self.reply_with(asker, theirs, status, carried);
        }
        if let Some(offer) = &offer {
            self.note_offer(asker, offer);
        }
        if let Some(answer) = &described {
            self.note_answer(leg, answer);
        }
        let carried = self.answer_to(asker, carried, offer.as_ref());
        if kind == Kind::Reinvite {
            // The asker's acknowledgement adds nothing to this (RFC 3261 §14.2).
            let carried = Carried::nothing();
            self.command(leg, LegCommand::ConfirmReinvite { exchange: ours, carried });
        }
        self.reply_with(asker, theirs, status, carried);
    }

    fn note_early(&mut self, leg: LegId, sdp: Option<&bytes::Bytes>) {
        let Some(sdp) = sdp else { return };
        if let Some(early) = &mut self.early {
            early.describe_newest(leg, sdp);
        }
        if let Some(leg) = self.leg_mut(leg) {
            leg.received = Some(sdp.clone());
        }
    }

    pub(super) fn on_reinvite_confirmed(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        carried: Carried,
    ) {
        let waits = |e: &Exchange| {
            matches!(&e.purpose, Purpose::Confirm { asker, theirs, .. }
                if *asker == leg && *theirs == exchange)
        };
        // Of an answer that needed nothing from it, or late: nobody waits for it.
        let Some(at) = self.exchanges.iter().position(waits) else { return };
        let Exchange { leg: asked, ours, purpose, .. } = self.exchanges.swap_remove(at);
        let Purpose::Confirm { offer, .. } = purpose else { return };
        if let Some(answer) = carried.sdp() {
            self.note_answer(leg, answer);
        }
        let carried = self.answer_to(asked, carried, Some(&offer));
        self.command(asked, LegCommand::ConfirmReinvite { exchange: ours, carried });
    }

    /// The caller acknowledged our answer, and with it answers an offer the callee made.
    pub(super) fn on_confirmed(&mut self, leg: LegId, carried: Carried) {
        if self.stage(leg) != Some(Stage::Confirming) {
            return;
        }
        let answer = carried.sdp().cloned();
        if let Some(leg) = self.leg_mut(leg) {
            leg.stage = Stage::Established;
            if answer.is_some() {
                leg.received.clone_from(&answer);
            }
        }
        // The early dialogs have become the call.
        self.early = None;
        let Some(peer) = self.peer(leg) else { return };
        if self.stage(peer) == Some(Stage::Unconfirmed) {
            if let Some(peer) = self.leg_mut(peer) {
                peer.stage = Stage::Established;
                if answer.is_some() {
                    peer.sent = answer;
                }
            }
            self.command(peer, LegCommand::Confirm { carried });
        }
    }
}
