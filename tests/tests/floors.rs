// SPDX-License-Identifier: GPL-3.0-or-later
//! The house rules that a compiler does not know: who may use whom, where the clock and the sockets
//! live, the licence line, and the size of a file. ARCHITECTURE.md draws the picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Every crate of the house and the crates it may use: all that is absent is forbidden.
const FLOORS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("sip", &["core"]),
    ("media", &["core"]),
    ("dbus-interfaces", &["core"]),
    ("idle", &[]),
    ("modem-drivers", &["core", "dbus-interfaces"]),
    ("service", &["core", "sip", "media", "dbus-interfaces", "idle", "modem-drivers"]),
    ("telepathy-bridge", &["core", "dbus-interfaces", "idle", "media"]),
    ("settings", &["dbus-interfaces"]),
    ("cli", &["dbus-interfaces"]),
    ("pam/module", &["pam/digest-store", "pam/digest-service"]),
    ("pam/digest-store", &[]),
    ("pam/digest-service", &["pam/digest-store", "dbus-interfaces"]),
    // An oracle that shares a parser with the accused is no oracle.
    ("simulators", &["core", "dbus-interfaces"]),
    ("tests", ANYTHING),
    ("fuzz", ANYTHING),
];

/// Beside the house: they may see everything, and nothing sees them.
const ANYTHING: &[&str] = &["*"];

/// Where a protocol engine must stay free of the outside world.
struct Pure {
    room: &'static str,
    except: &'static str,
    crates: &'static [&'static str],
}

const PURE: &[Pure] = &[
    Pure { room: "core", except: "", crates: &["nix", "rusqlite", "socket2", "tokio", "zbus"] },
    Pure { room: "sip", except: "sip/src/driver", crates: &["rusqlite", "zbus"] },
    Pure { room: "media", except: "media/src/driver", crates: &["rusqlite", "zbus"] },
];

/// Words that mean a clock, a socket, a task or a source of chance.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "getrandom",
    "nix",
    "socket2",
    "std::fs",
    "thread::spawn",
    "tokio",
    "zbus",
];

const LICENCE: &str = "// SPDX-License-Identifier: GPL-3.0-or-later";
const LONGEST_FILE: usize = 700;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_owned()
}

fn manifest(path: &Path) -> Table {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rooms that are built, by folder: the members of the workspace, and fuzz/ once it is there.
fn rooms() -> Vec<(String, Table)> {
    let workspace = manifest(&root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().expect("members is a list");
    let mut folders: Vec<String> = members
        .iter()
        .map(|member| member.as_str().expect("a member is a folder").to_owned())
        .collect();
    if root().join("fuzz/Cargo.toml").exists() {
        folders.push("fuzz".to_owned());
    }
    folders
        .into_iter()
        .map(|folder| {
            let manifest = manifest(&root().join(&folder).join("Cargo.toml"));
            (folder, manifest)
        })
        .collect()
}

/// What a manifest depends on, whether to build, to test or on one target only.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    fn collect(table: &Table, found: &mut BTreeSet<String>) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(Value::Table(entries)) = table.get(kind) else { continue };
            for (name, entry) in entries {
                let renamed = entry.get("package").and_then(Value::as_str);
                found.insert(renamed.unwrap_or(name).to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(manifest, &mut found);
    if let Some(Value::Table(targets)) = manifest.get("target") {
        for target in targets.values().filter_map(Value::as_table) {
            collect(target, &mut found);
        }
    }
    found
}

fn package(manifest: &Table) -> &str {
    manifest["package"]["name"].as_str().expect("a package has a name")
}

/// The faults of one crate against the table, in words.
fn trespasses(
    room: &str,
    uses: &BTreeSet<String>,
    rooms: &BTreeMap<String, String>,
) -> Vec<String> {
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{room} has no row in FLOORS: give it one, and ARCHITECTURE.md too")];
    };
    uses.iter()
        .filter_map(|used| {
            let used = rooms.get(used)?;
            let may = *allowed == ANYTHING || allowed.contains(&used.as_str()) || used == room;
            (!may).then(|| format!("{room} uses {used}: it may use {allowed:?}"))
        })
        .collect()
}

#[test]
fn every_crate_uses_only_the_floors_below_it() {
    let manifests = rooms();
    let names: BTreeMap<String, String> = manifests
        .iter()
        .map(|(folder, manifest)| (package(manifest).to_owned(), folder.clone()))
        .collect();
    let faults: Vec<String> = manifests
        .iter()
        .flat_map(|(folder, manifest)| trespasses(folder, &dependencies(manifest), &names))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_trespass_and_an_unknown_room_are_found() {
    let names = BTreeMap::from([
        ("sipwitch-sip".to_owned(), "sip".to_owned()),
        ("sipwitch-simulators".to_owned(), "simulators".to_owned()),
    ]);
    let text = "[target.'cfg(unix)'.dev-dependencies]\nwire = { package = \"sipwitch-sip\" }";
    let uses = dependencies(&text.parse().expect("valid TOML"));
    assert_eq!(trespasses("cli", &uses, &names).len(), 1);
    assert_eq!(trespasses("simulators", &uses, &names).len(), 1);
    assert_eq!(trespasses("service", &uses, &names).len(), 0);
    assert_eq!(trespasses("attic", &uses, &names).len(), 1);
    let uses = BTreeSet::from(["sipwitch-simulators".to_owned()]);
    assert_eq!(trespasses("service", &uses, &names).len(), 1);
    assert_eq!(trespasses("tests", &uses, &names).len(), 0);
}

#[test]
fn every_crate_obeys_the_lints_and_the_licence_of_the_workspace() {
    for (folder, manifest) in rooms() {
        if folder == "fuzz" {
            continue; // a workspace of its own, as cargo-fuzz wants
        }
        let inherits = |table: &str, key: Option<&str>| {
            let value = manifest.get(table).and_then(|value| match key {
                Some(key) => value.get(key),
                None => Some(value),
            });
            value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        assert!(inherits("package", Some("license")), "{folder}: license.workspace = true");
        // A crate cannot take the workspace's lints and add its own: pam/ needs unsafe code.
        let pam = folder.starts_with("pam/") && manifest.contains_key("lints");
        assert!(pam || inherits("lints", None), "{folder}: [lints] workspace = true");
    }
}

/// Every .rs file of the project, with its path from the root.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let entries =
            fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let path = path.strip_prefix(root()).expect("walked from the root");
            (path.to_string_lossy().into_owned(), text)
        })
        .collect()
}

#[test]
fn every_source_file_names_its_licence_first() {
    let bare: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().next() != Some(LICENCE))
        .map(|(path, _)| path)
        .collect();
    assert!(bare.is_empty(), "these do not begin with `{LICENCE}`:\n{}", bare.join("\n"));
}

#[test]
fn no_source_file_has_grown_too_long_to_read() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: {lines} lines, at most {LONGEST_FILE}"))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

/// The code of a file without its comments and without the tests at its end, with line numbers.
///
/// Tests may take `Instant::now()` as the zero of their virtual clock: there is no other way to make
/// an `Instant`.
fn product_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut before_tests = true;
    let lines: Vec<&str> = text.lines().collect();
    let ends = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    lines.into_iter().enumerate().filter_map(move |(number, line)| {
        before_tests &= ends != Some(number);
        let code = line.split("//").next().unwrap_or_default();
        before_tests.then_some((number + 1, code))
    })
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/testing/")
}

fn impurities(path: &str, text: &str) -> Vec<String> {
    product_code(text)
        .filter_map(|(number, code)| {
            let word = IMPURE.iter().find(|word| names(code, word))?;
            Some(format!("{path}:{number} names {word}"))
        })
        .collect()
}

/// Whether `code` holds `word` as a word of its own.
fn names(code: &str, word: &str) -> bool {
    let of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(of_a_name) && !after.is_some_and(of_a_name)
    })
}

#[test]
fn the_engines_read_no_clock_and_open_no_socket() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let engine = PURE.iter().find(|pure| {
            let inside = path.starts_with(&format!("{}/src/", pure.room));
            inside && (pure.except.is_empty() || !path.starts_with(pure.except))
        });
        if engine.is_some() && !is_test(&path) {
            faults.extend(impurities(&path, &text));
        }
    }
    for (folder, manifest) in rooms() {
        let Some(pure) = PURE.iter().find(|pure| pure.room == folder) else { continue };
        for name in dependencies(&manifest) {
            if pure.crates.contains(&name.as_str()) {
                faults.push(format!("{folder}/Cargo.toml uses {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_impure_engine_is_found() {
    let impure = "let now = std::time::Instant::now(); // not so\nuse tokio::net::UdpSocket;\n";
    assert_eq!(impurities("sip/src/endpoint.rs", impure).len(), 2);
    let pure = "// tokio is for the driver\nlet tokio_free = now;\n\n#[cfg(test)]\nmod tests {\n    \
                Instant::now();\n}\n";
    assert_eq!(impurities("sip/src/endpoint.rs", pure), Vec::<String>::new());
}
