// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests under way: which of ours on one leg stands for which of the other leg's.

use bytes::Bytes;

use super::{
    Call, LegCommand, LegId, description,
    leg::{Ask, Body, Carried, ExchangeId},
};
use crate::cause::Cause;

/// The most requests under way in one call; more are refused, whoever floods.
pub(super) const MAX_EXCHANGES: usize = 32;

/// A request we made.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Who was asked.
    pub leg: LegId,
    pub ours: ExchangeId,
    pub kind: Kind,
    pub purpose: Purpose,
}

/// What a request may do to the description of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It carries an offer or answer in two messages (UPDATE, PRACK).
    Describing,
    /// It does not concern media.
    Plain,
    /// It is a re-INVITE, with an acknowledgement as its third message.
    Reinvite,
}

/// Why we made it.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The answer offered, and was relayed: the asker's acknowledgement brings the answer to that.
    Confirm { asker: LegId, theirs: ExchangeId, offer: Bytes },
    /// Whoever wanted it is gone. What the answer needs for the far end's sake is done.
    Orphan { delayed: bool },
    /// The other leg asked it.
    Relay { asker: LegId, theirs: ExchangeId, offer: Option<Bytes>, delayed: bool },
    /// A step of a splice.
    Splice,
    /// A tone.
    Tone,
}

impl Call {
    /// Asks a leg something, and remembers why.
    pub(super) fn ask(
        &mut self,
        leg: LegId,
        ask: Ask,
        carried: Carried,
        kind: Kind,
        purpose: Purpose,
    ) -> Option<ExchangeId> {
        let asked = self.leg_mut(leg)?;
        asked.asks = asked.asks.wrapping_add(1);
        let ours = ExchangeId(asked.asks);
        self.exchanges.push(Exchange { leg, ours, kind, purpose });
        self.command(leg, LegCommand::Ask { exchange: ours, ask, carried });
        Some(ours)
    }

    pub(super) fn take_exchange(&mut self, leg: LegId, ours: ExchangeId) -> Option<Exchange> {
        let at = self.exchanges.iter().position(|e| e.leg == leg && e.ours == ours)?;
        let exchange = self.exchanges.swap_remove(at);
        if self.exchanges.is_empty() {
            self.exchanges = Vec::new();
        }
        Some(exchange)
    }

    /// Whether an offer is under way on this leg. Another one would be glare (RFC 3261 §14,
    /// RFC 3311 §5.2), whichever side it came from.
    pub(super) fn is_negotiating(&self, leg: LegId) -> bool {
        self.exchanges.iter().any(|exchange| {
            let asker = match exchange.purpose {
                Purpose::Confirm { asker, .. } | Purpose::Relay { asker, .. } => Some(asker),
                Purpose::Orphan { .. } | Purpose::Splice | Purpose::Tone => None,
            };
            exchange.kind != Kind::Plain && (exchange.leg == leg || asker == Some(leg))
        })
    }

    /// Forgets the exchanges of a leg that is gone, and tells those who wait for it.
    pub(super) fn drop_exchanges(&mut self, gone: LegId) {
        let mut tone_lost = false;
        for mut exchange in std::mem::take(&mut self.exchanges) {
            match exchange.purpose {
                Purpose::Relay { asker, theirs, .. } if exchange.leg == gone => {
                    // 408 and 481 would end the asker's own dialog (RFC 5057 §5.1). An offer may
                    // be made again to whoever comes next.
                    if self.leg(asker).is_some() {
                        let code = if exchange.kind == Kind::Plain { 480 } else { 491 };
                        self.reply(asker, theirs, code);
                    }
                }
                Purpose::Tone if exchange.leg == gone => tone_lost = true,
                Purpose::Relay { asker, delayed, .. } if asker == gone => {
                    exchange.purpose = Purpose::Orphan { delayed };
                    self.exchanges.push(exchange);
                }
                Purpose::Confirm { asker, offer, .. } if asker == gone && exchange.leg != gone => {
                    self.confirm_alone(exchange.leg, exchange.ours, Some(&offer));
                }
                _ if exchange.leg == gone => {}
                _ => self.exchanges.push(exchange),
            }
        }
        if tone_lost {
            self.tones_refused(Cause::from_sip(480));
        }
    }

    /// Acknowledges an answer to a re-INVITE for which nobody else is left: an offer in it is
    /// answered so that no media flows.
    pub(super) fn confirm_alone(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        offer: Option<&Bytes>,
    ) {
        let carried = match offer {
            Some(offer) => self.inactive_for(leg, offer),
            None => Carried::nothing(),
        };
        self.command(leg, LegCommand::ConfirmReinvite { exchange, carried });
    }

    /// Our own inactive answer to a leg's offer.
    pub(super) fn inactive_for(&mut self, leg: LegId, offer: &Bytes) -> Carried {
        let answer = description::inactive_answer_to(offer, leg.0);
        if let Some(leg) = self.leg_mut(leg) {
            leg.rewriting = true;
        }
        Carried::body(Body::sdp(self.describe(leg, answer)))
    }

    /// The description as this leg may hear it, remembered as the one sent last.
    pub(super) fn describe(&mut self, to: LegId, sdp: Bytes) -> Bytes {
        let Some(leg) = self.leg_mut(to) else { return sdp };
        let sdp = if leg.rewriting { description::continued(&sdp, leg.sent.as_ref()) } else { sdp };
        leg.sent = Some(sdp.clone());
        sdp
    }

    /// An offer for this leg, with at least as many media as it was told of before.
    pub(super) fn offer_to(&mut self, to: LegId, carried: Carried) -> Carried {
        self.redescribe(to, carried, |sdp, sent| {
            let known = sent.map_or(0, |sent| description::media_count(sent));
            match sent {
                Some(sent) if known > description::media_count(&sdp) => {
                    description::fitted(&sdp, known, sent)
                }
                Some(_) | None => sdp,
            }
        })
    }

    /// An answer for this leg, with as many media as the leg offered.
    pub(super) fn answer_to(
        &mut self,
        to: LegId,
        carried: Carried,
        offer: Option<&Bytes>,
    ) -> Carried {
        self.redescribe(to, carried, |sdp, _| match offer {
            Some(offer) => description::fitted(&sdp, description::media_count(offer), offer),
            None => sdp,
        })
    }

    fn redescribe(
        &mut self,
        to: LegId,
        mut carried: Carried,
        fit: impl FnOnce(Bytes, Option<&Bytes>) -> Bytes,
    ) -> Carried {
        let Some(leg) = self.leg(to) else { return carried };
        let Some(body) = carried.body.take_if(|body| body.is_sdp()) else { return carried };
        // Counts differ only where legs were joined that did not describe themselves to each other.
        let joined = self.legs.iter().any(|leg| leg.rewriting);
        let sdp = if joined { fit(body.bytes, leg.sent.as_ref()) } else { body.bytes };
        let bytes = self.describe(to, sdp);
        carried.body = Some(Body { bytes, ..body });
        carried
    }
}
