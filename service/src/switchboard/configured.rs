// SPDX-License-Identifier: GPL-3.0-or-later
//! Settings and rules that change while all runs.

use sipwitch_core::routing::Rules;

use super::{
    Now, Switchboard,
    settings::{self, Settings},
};

impl Switchboard {
    /// Takes other settings; what stands goes on.
    pub fn configure(&mut self, now: Now, settings: Settings) {
        self.now = now;
        self.endpoint.set_settings(settings.endpoint());
        self.registrar.set_rules(settings.registrar.clone());
        self.gate.set(settings.gate.clone());
        self.outside_gate.set(settings.outside.clone());
        self.authenticator.set_rules(settings.auth_rules(&self.service.realm));
        self.settings = settings;
        self.login_settings_changed();
        self.service.addresses =
            self.settings.listening.iter().map(settings::Listening::words).collect();
        self.settings.domain().clone_into(&mut self.service.domain);
        self.region_known();
        self.tell_service();
    }

    /// Takes nothing for known that others keep.
    pub fn refresh(&mut self, now: Now) {
        self.now = now;
        self.login_settings_changed();
    }

    /// Takes other rules of routing, and what is wrong with their file; calls that have their route
    /// keep it.
    pub fn set_rules(&mut self, now: Now, rules: Rules, problem: Option<&str>) {
        const WORDS: &str = "the rules in use stay";
        self.now = now;
        self.rules = rules;
        self.unwarn(|warning| warning.ends_with(WORDS) && Some(warning) != problem);
        if let Some(problem) = problem {
            self.warn(problem.to_owned());
        }
    }
}
