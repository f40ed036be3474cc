// SPDX-License-Identifier: GPL-3.0-or-later
//! Files of users and packagers: whoever wrote them, they are taken or refused with a place.

use sipwitch_core::{
    contact::Contact,
    extension::{Extension, ExtensionNumber},
    line::{Line, LineId, LineKind, LineState},
    number::Region,
    routing::{self, Caller, Destination, PhoneId, Rules, World, emergency},
};
use sipwitch_service::{config::Mistake, providers::Provider, rules};

/// A mistake is somewhere in the text, and says what is wrong.
fn check(mistake: &Mistake, text: &str) {
    let lines = text.lines().count() + 1;
    assert!((1..=lines).contains(&mistake.line), "{mistake} of {lines} lines");
    assert!(mistake.column >= 1 && !mistake.words.is_empty(), "{mistake}");
}

/// The file of a provider.
pub fn provider(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Provider::parse(text) {
        Ok(parsed) => {
            parsed.warnings.iter().for_each(|warning| check(warning, text));
            let provider = parsed.provider;
            let _ = (provider.registrar(), provider.auth_user(), provider.from_user());
            let _ = (provider.secret(), provider.name_in("de_AT"));
            if let Err(mistake) = provider.check_file_name(text, "provider.toml") {
                check(&mistake, text);
            }
        }
        Err(mistake) => check(&mistake, text),
    }
}

struct House {
    lines: Vec<Line>,
    rules: Rules,
    region: Region,
}

impl World for House {
    fn extension(&self, _: &ExtensionNumber) -> Option<&Extension> {
        None
    }

    fn phones(&self, _: &ExtensionNumber) -> Vec<PhoneId> {
        Vec::new()
    }

    fn is_own_domain(&self, _: &str, _: Option<u16>) -> bool {
        false
    }

    fn lines(&self) -> &[Line] {
        &self.lines
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn region(&self) -> Region {
        self.region
    }
}

/// The file of rules: whatever it forbids, an emergency call has a way, and equal calls go equal
/// ways.
pub fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let rules = match rules::parse(text) {
        Ok(rules) => rules,
        Err(mistake) => return check(&mistake, text),
    };
    let line = |id: u64| {
        let name = ["office", "home", "a"].get(usize::try_from(id).unwrap_or_default());
        let mut line = Line::new(LineId(id), name.copied().unwrap_or("b"), LineKind::Account);
        line.state = LineState::Up;
        line
    };
    let region = "DE".parse().expect("a country");
    let house = House { lines: (0..3).map(line).collect(), rules, region };
    let caller = Caller::default();
    for contact in ["112", "urn:service:sos", "030123456", "0030123456", "sip:a@partner.example"] {
        let contact: Contact = contact.parse().expect("a contact");
        let route = routing::route(&contact, &caller, &house);
        assert_eq!(route, routing::route(&contact, &caller, &house), "{contact:?}");
        let mut targets = route.attempts.iter().flat_map(|attempt| &attempt.targets);
        let leads_out = targets.any(|target| matches!(target.destination, Destination::Line(_)));
        let is_emergency = emergency::is_emergency(&contact, &house);
        assert!(!is_emergency || leads_out, "nobody helps: {route:?}");
    }
}
