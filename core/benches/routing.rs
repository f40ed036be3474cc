// SPDX-License-Identifier: GPL-3.0-or-later
//! What a route costs: ten thousand rules, a hundred lines. `cargo bench -p sipwitch-core`

#![expect(missing_docs, reason = "criterion's macros write functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sipwitch_core::{
    contact::Contact,
    extension::{Extension, ExtensionNumber},
    line::{Cost, DialFormat, Line, LineId, LineKind, LineState},
    number::Region,
    routing::{
        self, Caller, PhoneId, Rules, World,
        rules::{Action, Rule, RuleFile},
    },
};

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

fn house(rules: u32, lines: u64) -> House {
    let formats = [DialFormat::E164Plus, DialFormat::National, DialFormat::International];
    let line = |id: u64| {
        let mut line = Line::new(LineId(id), format!("line-{id}"), LineKind::Account);
        line.state = LineState::Up;
        line.numbering.format = formats[(id % 3) as usize];
        line.rates = (0..50u32).map(|at| (format!("{}", 30 + at), Cost(at))).collect();
        line
    };
    let rule = |at: u32| Rule {
        numbers: vec![format!("+49{:05}.", 10_000 + at).parse().expect("a pattern")],
        action: at.is_multiple_of(2).then_some(Action::Allow),
        prefer: vec![format!("line-{}", at % 100).parse().expect("a name")],
        ..Rule::new(format!("rule {at}").parse().expect("a name"))
    };
    House {
        lines: (0..lines).map(line).collect(),
        rules: Rules::new(RuleFile { rule: (0..rules).map(rule).collect(), ..RuleFile::default() })
            .expect("sensible rules"),
        region: "DE".parse().expect("a country"),
    }
}

fn routes(criterion: &mut Criterion) {
    let caller = Caller::default();
    for (name, rules, lines) in
        [("one line", 0, 1), ("ten lines", 100, 10), ("10000 rules, 100 lines", 10_000, 100)]
    {
        let house = house(rules, lines);
        for contact in ["01234567890", "+442079460000", "112"] {
            let contact: Contact = contact.parse().expect("a contact");
            criterion.bench_function(&format!("{name}, {}", contact.redacted()), |bench| {
                bench.iter(|| routing::route(black_box(&contact), &caller, &house));
            });
        }
    }
}

criterion_group!(benches, routes);
criterion_main!(benches);
