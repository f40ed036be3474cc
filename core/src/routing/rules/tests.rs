// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;
use crate::routing::{Caller, Weekday};

fn rule(name: &str) -> Rule {
    Rule::new(name.parse().unwrap())
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn lines(names: &[&str]) -> Vec<LineName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn rules(list: Vec<Rule>) -> Rules {
    Rules::new(RuleFile { rule: list, ..RuleFile::default() }).unwrap()
}

fn names(rules: &Rules, question: &Question<'_>) -> Vec<String> {
    let checked = rules.0.as_deref().unwrap();
    let found = checked.index.candidates(question).into_iter().map(|at| at as usize);
    let fitting = found.filter(|at| question.fits(&checked.file.rule[*at]));
    fitting.map(|at| checked.file.rule[at].name.to_string()).collect()
}

fn asked<'a>(dialled: &'a str, number: Option<&'a E164>, caller: &'a Caller) -> Question<'a> {
    let class = Class::National;
    Question { dialled: Some(dialled), number, domain: None, class, caller, now: None }
}

#[test]
fn the_rules_that_fit_are_found_in_the_order_of_the_file() {
    let bar = |rule: Rule| Rule { action: Some(Action::Bar), ..rule };
    let all = rules(vec![
        bar(Rule { numbers: patterns(&["+49301."]), ..rule("berlin") }),
        bar(Rule { numbers: patterns(&["030."]), ..rule("as dialled") }),
        bar(rule("everything")),
        bar(Rule { numbers: patterns(&["."]), ..rule("all numbers") }),
        bar(Rule { domains: vec!["*.example.org".parse().unwrap()], ..rule("domains") }),
        bar(Rule { numbers: patterns(&["0X0123456"]), ..rule("with a hole") }),
        bar(Rule { classes: vec![Class::Mobile], ..rule("mobile") }),
        bar(Rule { from: vec!["102".parse().unwrap()], ..rule("of 102") }),
        bar(Rule { days: vec![Weekday::Monday], ..rule("on mondays") }),
    ]);
    let caller = Caller::default();
    let number: E164 = "+4930123456".parse().unwrap();
    let question = asked("030123456", Some(&number), &caller);
    assert_eq!(
        names(&all, &question),
        ["berlin", "as dialled", "everything", "all numbers", "with a hole"]
    );
    let of_102 = Caller { extension: Some("102".parse().unwrap()), ..Caller::default() };
    let monday = Some(LocalTime { weekday: Weekday::Monday, minute: 0 });
    let question = Question {
        class: Class::Mobile,
        now: monday,
        domain: Some("sip.example.org"),
        ..asked("7", None, &of_102)
    };
    assert_eq!(
        names(&all, &question),
        ["everything", "all numbers", "domains", "mobile", "of 102", "on mondays"]
    );
    let below = Question { dialled: None, domain: Some("example.org"), ..question };
    assert!(!names(&all, &below).contains(&"domains".to_owned()));
}

#[test]
fn rules_that_make_no_sense_are_refused_by_name() {
    let bar = Some(Action::Bar);
    let name = || "odd".parse::<RuleName>().unwrap();
    let one = |rule: Rule| Rules::new(RuleFile { rule: vec![rule], ..RuleFile::default() });
    assert_eq!(one(rule("odd")), Err(RulesError::SaysNothing(name())));
    let changes = Rule { prefix: "0".into(), ..rule("odd") };
    assert_eq!(one(changes), Err(RulesError::ChangesWhat(name())));
    let strips = Rule { strip: "9".into(), numbers: patterns(&["9.", "0."]), ..rule("odd") };
    let (strip, pattern) = ("9".into(), "0.".into());
    assert_eq!(one(strips), Err(RulesError::Strip { rule: name(), strip, pattern }));
    for sign in ["0a", "1+", "++", " "] {
        let dials = Rule { prefix: sign.into(), numbers: patterns(&["9."]), ..rule("odd") };
        assert_eq!(one(dials), Err(RulesError::NotDialled(name(), sign.into())));
    }
    let torn = Rule { prefer: lines(&["a"]), never: lines(&["a"]), ..rule("odd") };
    assert_eq!(one(torn), Err(RulesError::Torn(name(), "a".parse().unwrap())));
    let long = Rule { prefer: lines(&["a"; 201]), ..rule("odd") };
    assert_eq!(one(long), Err(RulesError::LongList(name(), 201)));
    let two = vec![Rule { action: bar, ..rule("odd") }, Rule { action: bar, ..rule("odd") }];
    let two = RuleFile { rule: two, ..RuleFile::default() };
    assert_eq!(Rules::new(two), Err(RulesError::Doubled(name())));
    let mut file = RuleFile::default();
    let line = LineRule { prefix: "0x".into(), ..LineRule::default() };
    file.line.insert("pbx".parse().unwrap(), line);
    let error = RulesError::LineDials("pbx".parse().unwrap(), "0x".into());
    assert_eq!(Rules::new(file), Err(error));
    let many = vec![rule("odd"); MAX_RULES + 1];
    let many = RuleFile { rule: many, ..RuleFile::default() };
    assert_eq!(Rules::new(many), Err(RulesError::TooMany(MAX_RULES + 1)));
    assert_eq!(Rules::new(RuleFile::default()).as_ref(), Ok(Rules::NONE));
}

#[test]
fn names_and_domains_are_checked_at_the_door() {
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        assert!(name.parse::<RuleName>().is_err(), "{name:?}");
    }
    assert_eq!(" work calls ".parse::<RuleName>().unwrap().as_str(), "work calls");
    for name in ["", "a b", "ü", "a/b"] {
        assert!(name.parse::<LineName>().is_err(), "{name:?}");
    }
    assert_eq!("Dus-Net".parse::<LineName>().unwrap().as_str(), "dus-net");
    for domain in ["", "*.", "*", "a..b", "*.*.org", "exa mple.org"] {
        assert!(domain.parse::<DomainPattern>().is_err(), "{domain:?}");
    }
    let below: DomainPattern = "*.Example.org".parse().unwrap();
    for (domain, fits) in [
        ("sip.example.org", true),
        ("a.b.example.org", true),
        ("example.org", false),
        ("badexample.org", false),
        (".example.org", false),
    ] {
        assert_eq!(below.fits(domain), fits, "{domain}");
    }
}

prop_compose! {
    fn any_rule()(
        name in 0u32..1_000_000,
        numbers in prop::collection::vec(r"\+?[0-9XZN]{0,6}\.?", 0..3),
        domains in prop::collection::vec(r"(\*\.)?[a-c](\.[a-c]){0,2}", 0..2),
    ) -> Rule {
        Rule {
            numbers: numbers.iter().filter_map(|text| text.parse().ok()).collect(),
            domains: domains.iter().filter_map(|text| text.parse().ok()).collect(),
            action: Some(Action::Bar),
            ..rule(&name.to_string())
        }
    }
}

proptest! {
    /// The index finds what asking every rule would find.
    #[test]
    fn the_index_leaves_nothing_out(
        list in prop::collection::vec(any_rule(), 0..40),
        dialled in r"[0-9]{0,8}",
        number in prop::option::of(r"\+[1-9][0-9]{4,8}"),
        domain in prop::option::of(r"[a-c](\.[a-c]){0,3}"),
    ) {
        let caller = Caller::default();
        let number: Option<E164> = number.map(|text| text.parse().unwrap());
        let question = Question {
            domain: domain.as_deref(),
            ..asked(&dialled, number.as_ref(), &caller)
        };
        let index = Index::new(&list);
        let found: Vec<u32> = index.candidates(&question).into_iter()
            .filter(|at| question.fits(&list[*at as usize])).collect();
        let all: Vec<u32> =
            (0u32..).zip(&list).filter(|(_, rule)| question.fits(rule)).map(|(at, _)| at).collect();
        prop_assert_eq!(found, all);
    }
}
