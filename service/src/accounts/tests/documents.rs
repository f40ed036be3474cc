// SPDX-License-Identifier: GPL-3.0-or-later
//! The documents name every key that a file of an account may have.

use std::{fs, path::Path};

use crate::accounts::AccountFile;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("it is shipped")
}

/// The keys of a section, as the reader of files lists them to whoever writes another.
fn keys(section: &str) -> Vec<String> {
    let text = if section.is_empty() { "zz = 1".into() } else { format!("[{section}]\nzz = 1") };
    let error = toml::from_str::<AccountFile>(&text).expect_err("zz is no key");
    let words = error.message().to_owned();
    assert!(words.starts_with("unknown field `zz`"), "{section}: {words}");
    words.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_guide_and_the_manual_name_every_key() {
    let guide = read("docs/accounts.md");
    let manual = read("data/man/sipwitch-account.5").replace("\\-", "-");
    let tables =
        ["server", "auth", "register", "identity", "numbers", "nat", "costs", "trunk", "gateway"];
    let mut seen = 0;
    for section in tables {
        for key in keys(section) {
            let path = format!("{section}.{key}");
            if tables.contains(&path.as_str()) {
                continue;
            }
            seen += 1;
            assert!(guide.contains(&format!("`{path}")), "docs/accounts.md lacks {path}");
            assert!(manual.contains(&format!("\\fB{path}")), "sipwitch-account(5) lacks {path}");
        }
    }
    for key in keys("") {
        if !tables.contains(&key.as_str()) {
            seen += 1;
            let written = [
                format!(" {key} = "),
                format!("\n{key} = "),
                format!("\n[{key}]"),
                format!("`{key}`"),
            ];
            assert!(written.iter().any(|words| guide.contains(words)), "the guide lacks {key}");
            let written = [format!("\n.B {key}\n"), format!("\n.B [{key}]\n")];
            assert!(written.iter().any(|words| manual.contains(words)), "the manual lacks {key}");
        }
    }
    assert!(seen > 40, "{seen} keys");
}

#[test]
fn the_examples_of_the_guide_and_the_manual_are_accounts() {
    let guide = read("docs/accounts.md");
    let guide = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    AccountFile::parse(guide.expect("an example")).expect("it is sound");
    let manual = read("data/man/sipwitch-account.5").replace("\\-", "-");
    let manual =
        manual.split(".SH EXAMPLE\n.nf\n").nth(1).and_then(|rest| rest.split(".fi").next());
    AccountFile::parse(manual.expect("an example")).expect("it is sound");
}
