// SPDX-License-Identifier: GPL-3.0-or-later
//! Moving a standing leg to another flow, because the one it is on is gone or goes: a re-INVITE
//! over the new one tells the far end our new Contact (RFC 3261 §12.2, §14).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand_core::RngCore;
use sipwitch_core::call::leg::{Body, Carried, ExchangeId};

use super::{
    Invite, Leg, State,
    asking::{Answered, Purpose},
    cause_of,
};
use crate::{
    endpoint::{Context, OnLine},
    flow::Flow,
    transaction::ClientId,
    wire::{Method, Response, name},
};

/// A move that waits because the session is being changed otherwise.
pub(super) struct Move {
    due: Instant,
    description: Option<Bytes>,
    tries: u8,
}

/// How often one move is tried.
const MOST_TRIES: u8 = 5;

impl Leg {
    /// Sends everything over this flow from now on, and tells the far end so.
    pub(crate) fn move_to(
        &mut self,
        context: &mut Context,
        flow: Flow,
        line: Option<Arc<OnLine>>,
        description: Option<Bytes>,
    ) {
        if let (Some(line), Some(speaker)) = (line, &mut self.speaker) {
            speaker.line = line;
        }
        match &mut self.state {
            State::Standing(standing) => standing.dialog.move_to(flow),
            State::Leaving(leaving) => {
                leaving.dialog.move_to(flow);
                return self.leave_over_new_flow(context);
            }
            // What is being set up is tried again over another way, not moved.
            State::Calling(_) | State::Ringing(_) => {
                return context.tell_moved(self.id, false);
            }
            State::Over => return,
        }
        self.contact = self.contact_on(&flow);
        self.tell_new_place(context, description, 0);
    }

    fn tell_new_place(&mut self, context: &mut Context, description: Option<Bytes>, tries: u8) {
        if tries >= MOST_TRIES {
            return context.tell_moved(self.id, false);
        }
        let is_busy = self.clash().is_some();
        let takes_update = self.takes_update;
        let State::Standing(standing) = &mut self.state else { return };
        if is_busy || standing.invite != Invite::Idle {
            return self.put_move_off(context, description, tries);
        }
        standing.moving = None;
        let kept = standing.description.clone();
        let (method, carried) = match description.clone().or(kept) {
            Some(sdp) => (Method::Invite, Carried::body(Body::sdp(sdp))),
            // Without a description it still is a target refresh (RFC 3311 §5.1).
            None if takes_update => (Method::Update, Carried::nothing()),
            None => return context.tell_moved(self.id, false),
        };
        let purpose = Purpose::Move { method: method.clone(), description, tries };
        if !self.send_change(context, &method, &carried, purpose) {
            context.tell_moved(self.id, false);
        }
    }

    /// Tries later, after a time that the far end does not choose as well (RFC 3261 §14.1).
    fn put_move_off(&mut self, context: &mut Context, description: Option<Bytes>, tries: u8) {
        let wait = Duration::from_millis(u64::from(2100 + context.random.next_u32() % 1900));
        let due = context.now + wait;
        if let State::Standing(standing) = &mut self.state {
            standing.moving = Some(Box::new(Move { due, description, tries: tries + 1 }));
        }
    }

    /// Does a move that is due.
    pub(super) fn move_if_due(&mut self, context: &mut Context) {
        let State::Standing(standing) = &mut self.state else { return };
        if let Some(due) = standing.moving.take_if(|moving| moving.due <= context.now) {
            self.tell_new_place(context, due.description, due.tries);
        }
    }

    /// Takes the answer to the request that told our new place.
    pub(super) fn move_answered(
        &mut self,
        context: &mut Context,
        client: ClientId,
        response: &Response,
        (method, description, tries): (Method, Option<Bytes>, u8),
    ) {
        let status = response.status();
        match status {
            200..=299 => {
                let answered = Answered { client, response, description: description.clone() };
                let reinvite = (method == Method::Invite).then_some(ExchangeId(0));
                self.changed(context, &answered, reinvite);
                if reinvite.is_some() {
                    self.confirm(context, reinvite, &Carried::nothing());
                }
                context.tell_moved(self.id, true);
            }
            491 => self.put_move_off(context, description, tries),
            422 => {
                let least = response.headers().number(&name::MIN_SE);
                if let (State::Standing(standing), Some(least)) = (&mut self.state, least) {
                    standing.timer.lengthen(context.now, least);
                }
                self.put_move_off(context, description, tries);
            }
            481 => self.end_if_gone(context, cause_of(status, response.headers())),
            // The call goes on as far as it can; its session timer ends it if that is nowhere.
            _ => context.tell_moved(self.id, false),
        }
    }
}

impl Move {
    pub(super) fn due(&self) -> Instant {
        self.due
    }
}
