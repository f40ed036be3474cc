// SPDX-License-Identifier: GPL-3.0-or-later
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;

const TEXT: &str = "\
# What extensions may call.
[extension.103]
may-call = \"national\"

[line.dus-net]
cost = { \"+49\" = \"0.01\", \"\" = \"0.5\" }
cap-minutes = 100

# Berlin by the office.
[[rule]]
name = \"berlin\"
numbers = [\"+4930.\"]
prefer = [\"office\"]

[[rule]] # at night
name = \"nights\"
days = [\"monday\"]
hours = \"22:00-06:00\"
action = \"bar\"
";

fn rule(text: &str) -> Rule {
    let file: RuleFile = toml::from_str(text).unwrap();
    file.rule.into_iter().next().unwrap()
}

fn names(text: &str) -> Vec<String> {
    let rules = parse(text).unwrap();
    rules.file().unwrap().rule.iter().map(|rule| rule.name.to_string()).collect()
}

#[test]
fn mistakes_are_told_with_line_column_and_a_way_out() {
    assert!(parse(TEXT).is_ok());
    for (text, words) in [
        (
            "[[rule]]\nname = \"a\"\nnumber = [\"1\"]\n",
            "3:1: unknown key \"number\": did you mean \"numbers\"?",
        ),
        ("[lines.x]\n", "1:2: lines: unknown key \"lines\": did you mean \"line\"?"),
        (
            "[[rule]]\nname = \"a\"\nprefer = [\"x\"]\n[[rule]]\nname = \"b\"\n",
            "4:1: rule \"b\" says nothing: give it action, strip, prefix, suffix, prefer, \
             only or never",
        ),
        (
            "[[rule]]\nname = \"a\"\naction = \"bar\"\n[[rule]]\nname = \"a\"\naction = \"bar\"\n",
            "4:1: two rules are called \"a\": each needs a name of its own",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), words, "{text}");
    }
    let level = "[extension.101]\nmay-call = \"all\"\n";
    let words = parse(level).unwrap_err().to_string();
    assert!(words.starts_with("2:12: ") && words.contains("`international`"), "{words}");
    let hours = "[[rule]]\nname = \"a\"\nhours = \"8-12\"\n";
    let words = parse(hours).unwrap_err().to_string();
    assert!(words.starts_with("3:9: ") && words.contains("08:00-17:30"), "{words}");
    let pattern = "[[rule]]\nname = \"a\"\nnumbers = [\"030 1\"]\n";
    let words = parse(pattern).unwrap_err().to_string();
    assert!(words.contains("X (any digit)"), "{words}");
}

#[test]
fn rules_are_added_and_removed_and_the_rest_stays_as_it_was_written() {
    let new = rule("[[rule]]\nname = \"new\"\nnumbers = [\"0.\"]\nstrip = \"0\"\n");
    let last = edit::add(TEXT, &new, false).unwrap();
    assert!(last.starts_with(TEXT), "{last}");
    assert_eq!(names(&last), ["berlin", "nights", "new"]);
    let first = edit::add(TEXT, &new, true).unwrap();
    assert_eq!(names(&first), ["new", "berlin", "nights"]);
    assert!(first.contains("# What extensions") && first.contains("# at night"), "{first}");
    let without = edit::remove(&last, "berlin").unwrap();
    assert_eq!(names(&without), ["nights", "new"]);
    assert!(without.contains("# What extensions") && without.contains("cap-minutes"), "{without}");
    assert!(
        edit::add(
            TEXT,
            &rule(&written(&rule("[[rule]]\nname = \"berlin\"\nonly = [\"a\"]\n"))),
            true
        )
        .is_err()
    );
    assert!(edit::remove(TEXT, "nobody").is_err());
    assert_eq!(names(&edit::add("", &new, false).unwrap()), ["new"]);
}

#[test]
fn a_text_that_cannot_be_edited_in_place_is_written_anew() {
    let text = "rule = [{ name = \"a\", action = \"bar\" }, { name = \"b\", action = \"bar\" }]\n";
    assert_eq!(names(&edit::remove(text, "a").unwrap()), ["b"]);
    let new = rule("[[rule]]\nname = \"c\"\naction = \"allow\"\n");
    assert_eq!(names(&edit::add(text, &new, false).unwrap()), ["a", "b", "c"]);
}

fn asked<T>(
    book: &mut RuleBook,
    ask: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> RulesAsk,
) -> (bool, Result<T, Refusal>) {
    let (reply, mut answer) = oneshot::channel();
    let changed = book.answer(ask(reply));
    (changed, answer.try_recv().unwrap())
}

#[tokio::test]
async fn the_book_keeps_its_rules_while_the_file_makes_no_sense() {
    let home = TempDir::new().unwrap();
    let path = path_in(home.path());
    let mut book = RuleBook::open(path.clone());
    assert_eq!((book.rules(), book.problem()), (Rules::NONE, None));
    let new = rule("[[rule]]\nname = \"new\"\naction = \"bar\"\n");
    let (changed, done) = asked(&mut book, |reply| RulesAsk::Add {
        rule: Box::new(new.clone()),
        first: false,
        reply,
    });
    assert_eq!((changed, done), (true, Ok(())));
    let (_, list) = asked(&mut book, |reply| RulesAsk::List { reply });
    assert_eq!(list, Ok(vec![new]));
    fs::write(&path, "[[rule]]\nnam = 1\n").unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(20), book.changed()).await.unwrap();
    book.read();
    assert!(book.problem().unwrap().contains("rules.toml:2:1: "), "{:?}", book.problem());
    assert!(book.rules().file().is_some());
    // Nothing is written over what cannot be read.
    let (changed, done) = asked(&mut book, |reply| RulesAsk::Remove { name: "new".into(), reply });
    let Err(Refusal::BadValue(words)) = done else { panic!("{done:?}") };
    assert!(!changed && words.contains("/rules.toml:2:1: "), "{words}");
    fs::remove_file(&path).unwrap();
    book.read();
    assert_eq!((book.rules(), book.problem()), (Rules::NONE, None));
    fs::write(&path, " ".repeat(4 * 1024 * 1024 + 1)).unwrap();
    book.read();
    assert!(book.problem().unwrap().contains("larger than 4 MiB"));
}

/// It stands in no line of any file.
#[tokio::test]
async fn a_rule_that_is_asked_for_is_refused_without_a_place() {
    let home = TempDir::new().unwrap();
    let path = path_in(home.path());
    let mut book = RuleBook::open(path.clone());
    let mut add = |text: &str| {
        let rule = Box::new(rule(text));
        match asked(&mut book, |reply| RulesAsk::Add { rule, first: true, reply }) {
            (false, Err(Refusal::BadValue(words))) => words,
            other => panic!("{other:?}"),
        }
    };
    let empty = "[[rule]]\nname = \"empty\"\n";
    let words = add(empty);
    assert!(words.starts_with("rule \"empty\" "), "{words}");
    // What the user wrote is told with its place there, not where the new rule would move it.
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("# mine\n\n{empty}")).unwrap();
    let words = add("[[rule]]\nname = \"new\"\naction = \"bar\"\n");
    let place = format!("{}:3:1: rule \"empty\" ", path.display());
    assert!(words.starts_with(&place), "{words}");
}

/// What the documentation shows can be copied.
#[test]
fn the_rules_in_the_documentation_make_sense() {
    let text = include_str!("../../../docs/routing.md");
    let samples: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert_eq!(samples.len(), 2);
    for sample in samples {
        parse(sample).unwrap_or_else(|mistake| panic!("{mistake}\n{sample}"));
    }
}
