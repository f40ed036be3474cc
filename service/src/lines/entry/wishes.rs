// SPDX-License-Identifier: GPL-3.0-or-later
//! What a line wants done.

use std::time::Instant;

use sipwitch_sip::client_registration::{Action, State};

use super::{
    super::{Purpose, Shared, Why, Wish, detour},
    Entry, LOOK_BEFORE, Stage,
};

impl Entry {
    /// What the machines below want done.
    pub(super) fn carry_out(&mut self, now: Instant, shared: &mut Shared<'_>) {
        let line = self.id;
        let (mut is_unreachable, mut is_online) = (false, false);
        match &mut self.stage {
            Stage::Registering { registration, look } => {
                while let Some(action) = registration.poll() {
                    let wish = match action {
                        Action::Send { ask, flow, request } => {
                            // It did not wait for the other to answer: that one was silent.
                            if let Some(silent) =
                                self.asked.replace(flow).filter(|old| *old != flow)
                                && let Some(way) = self.ways.iter().find(|way| way.is_over(&silent))
                            {
                                shared.failed.failed(now, &way.place);
                            }
                            let why = Why::Registration(ask);
                            Wish::Send { line, why, flow, request: Box::new(request) }
                        }
                        Action::Transmit(transmit) => Wish::Transmit(transmit),
                        Action::Locate { uri } => match detour(&uri) {
                            Some(wanted) => {
                                Wish::FindWays { line, wanted, purpose: Purpose::Detour }
                            }
                            None => {
                                registration.located(now, &[]);
                                continue;
                            }
                        },
                        Action::Reach { flow } => {
                            match self.ways.iter().find(|way| way.is_over(&flow)) {
                                Some(way) => Wish::Reach {
                                    line,
                                    place: way.place.clone(),
                                    purpose: Purpose::Stream(flow),
                                },
                                None => {
                                    registration.reached(now, &flow, None);
                                    continue;
                                }
                            }
                        }
                        Action::State(State::Unreachable { again: Some(again), .. }) => {
                            *look = again.checked_sub(LOOK_BEFORE).map(|at| at.max(now));
                            is_unreachable = true;
                            continue;
                        }
                        Action::State(state) => {
                            *look = None;
                            (is_unreachable, is_online) = (false, state == State::Online);
                            continue;
                        }
                        Action::Noticed(notice) => Wish::Noticed { line, notice },
                    };
                    shared.out.push_back(wish);
                }
                self.is_tried &= registration.is_trying();
            }
            Stage::Watching(trunk) => {
                let Some(outside) = self.facts.outside() else { return };
                if let Some(at) = trunk.wants_to_ask(now, self.ways.len())
                    && let Some(way) = self.ways.get(at)
                {
                    let request = trunk.options(outside, shared);
                    shared.out.push_back(Wish::Send {
                        line,
                        why: Why::Health,
                        flow: way.flow,
                        request: Box::new(request),
                    });
                }
            }
            Stage::Resting
            | Stage::Fetching
            | Stage::Without(_)
            | Stage::Looking
            | Stage::Nowhere { .. }
            | Stage::Gateway(_) => {}
        }
        if is_unreachable {
            self.leave_shelter(shared);
        }
        if is_online {
            self.note_secured(shared);
        }
    }
}
