// SPDX-License-Identifier: GPL-3.0-or-later
//! How a line stands.

use sipwitch_sip::client_registration::{Registration, State, Trouble};

use super::{
    super::{Standing, words::Leaves},
    Entry, Stage,
};
use crate::accounts::NoSecret;

impl Entry {
    /// How it stands.
    pub(in super::super) fn standing(&self) -> Standing {
        if !self.facts.is_on {
            return Standing::off();
        }
        if self.sleeps {
            return Standing::asleep();
        }
        match &self.stage {
            Stage::Resting => Standing::queued(),
            Stage::Fetching => Standing::fetching(),
            Stage::Without(NoSecret::Missing) => Standing::missing_password(),
            Stage::Without(NoSecret::Locked) => Standing::locked(),
            Stage::Without(NoSecret::Unavailable(why)) => Standing::no_keyring(why),
            Stage::Looking => Standing::looking(),
            Stage::Nowhere { why, again } => {
                self.standing_unsecured(Standing::nowhere(why, *again))
            }
            Stage::Registering { registration, .. } => match registration.state() {
                State::Online if self.is_tried => Standing::tried(Leaves::Everything),
                State::Unreachable { .. } if self.is_tried && self.unsecured.is_empty() => {
                    Standing::tried(Leaves::Nothing)
                }
                State::Unreachable { .. } if self.is_tried => Standing::tried(Leaves::Emergencies),
                State::Online => self.standing_online(registration),
                State::Unreachable { why: Trouble::Broken, again } => {
                    self.standing_unsecured(Standing::broken(self.broken.as_deref(), again))
                }
                state @ State::Unreachable { .. } => self.standing_unsecured(Standing::of(&state)),
                state => Standing::of(&state),
            },
            Stage::Watching(trunk) => trunk.standing(),
            Stage::Gateway(true) => Standing::online("its phone is registered"),
            Stage::Gateway(false) => {
                Standing::no_phone(self.facts.reach.gateway().unwrap_or_default())
            }
        }
    }

    fn standing_online(&self, registration: &Registration) -> Standing {
        let over = registration.flows().next().map(|flow| flow.transport);
        match (self.shelter, over) {
            (Some(shelter), Some(over)) if shelter.is_rewritten(over) => Standing::rewritten(),
            (Some(_), Some(over)) => Standing::sheltered(over),
            _ => Standing::of(&State::Online),
        }
    }
}
