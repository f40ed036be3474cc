// SPDX-License-Identifier: GPL-3.0-or-later
//! The files we install beside the binaries, and the documents we ship: each is read by the program
//! it is for, or at least by a parser of its format.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use sipwitch_dbus_interfaces::digest;
use toml::Table;

const UNIT: &str = "sipwitch.service";
const BUS_NAME: &str = "org.gnutelephony.SipWitch1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Our own files below `folder` whose name ends with `ending`, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A template as `make install` fills it in.
fn filled_in(template: &str, bindir: &Path) -> String {
    let text = read(&root().join("data").join(template));
    let folder = bindir.display().to_string();
    text.replace("@bindir@", &folder).replace("@libexecdir@", &folder)
}

/// The keys of one group of a key file, which D-Bus and systemd both use.
fn group(text: &str, wanted: &str) -> BTreeMap<String, String> {
    let mut inside = false;
    let mut keys = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == wanted;
        } else if !inside || line.is_empty() || line.starts_with('#') {
        } else {
            let (key, value) = line
                .split_once('=')
                .unwrap_or_else(|| panic!("`{line}` is neither a group, a key nor a comment"));
            keys.insert(key.to_owned(), value.to_owned());
        }
    }
    assert!(!keys.is_empty(), "no group [{wanted}]");
    keys
}

#[test]
fn the_bus_leaves_the_starting_to_the_unit_we_ship() {
    let bindir = Path::new("/usr/bin");
    let bus =
        group(&filled_in("dbus-1/org.gnutelephony.SipWitch1.service.in", bindir), "D-BUS Service");
    assert_eq!(bus["Name"], BUS_NAME);
    assert_eq!(bus["SystemdService"], UNIT);
    assert_eq!(bus["Exec"], "/usr/bin/sipwitchd");

    let unit = group(&filled_in("systemd/sipwitch.service.in", bindir), "Service");
    assert_eq!(unit["Type"], "dbus");
    assert_eq!(unit["BusName"], BUS_NAME);
    assert_eq!(unit["ExecStart"], bus["Exec"], "both ways start the same program");
}

#[test]
fn the_bus_starts_the_connection_manager_by_its_unit() {
    let bindir = Path::new("/usr/bin");
    let name = "org.freedesktop.Telepathy.ConnectionManager.sipwitch";
    let bus = group(&filled_in(&format!("dbus-1/{name}.service.in"), bindir), "D-BUS Service");
    assert_eq!(bus["Name"], name);
    assert_eq!(bus["SystemdService"], "telepathy-sipwitch.service");
    assert_eq!(bus["Exec"], "/usr/bin/telepathy-sipwitch");
    let unit = filled_in("systemd/telepathy-sipwitch.service.in", bindir);
    let unit = group(&unit, "Service");
    assert_eq!(unit["BusName"], name);
    assert_eq!(unit["ExecStart"], bus["Exec"], "both ways start the same program");
}

#[test]
fn the_system_bus_starts_the_digest_service_by_its_unit() {
    let folder = Path::new("/usr/libexec");
    let name = "org.gnutelephony.SipWitchDigest1";
    let bus = group(&filled_in(&format!("dbus-1/{name}.service.in"), folder), "D-BUS Service");
    assert_eq!(bus["Name"], name);
    assert_eq!(bus["SystemdService"], "sipwitch-digestd.service");
    assert_eq!(bus["Exec"], "/usr/libexec/sipwitch-digestd");
    assert_eq!(bus["User"], "root");
    let unit = group(&filled_in("systemd/sipwitch-digestd.service.in", folder), "Service");
    assert_eq!(unit["BusName"], name);
    assert_eq!(unit["ExecStart"], bus["Exec"], "both ways start the same program");
    let policy = read(&root().join(format!("data/dbus-1/{name}.conf")));
    assert!(policy.contains(&format!("<deny send_destination=\"{name}\"/>")), "deny by default");
    for action in [digest::ACTION_CHANGE_OWN, digest::ACTION_MANAGE] {
        let policy = read(&root().join("data/polkit-1/org.gnutelephony.sipwitch.digest.policy"));
        assert!(policy.contains(&format!("<action id=\"{action}\">")), "{action}");
    }
}

#[test]
fn systemd_finds_the_digest_service_confined() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let unit = room.path().join("sipwitch-digestd.service");
    let text = filled_in("systemd/sipwitch-digestd.service.in", Path::new("/usr/libexec"));
    fs::write(&unit, text).expect("written");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--threshold=15"])
        .arg(&unit)
        .output()
        .expect("systemd-analyze runs: .ci/need packages test");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "more exposed than 1.5 of 10:\n{said}");
}

#[test]
fn a_session_makes_the_account_of_telepathy_at_its_first_login() {
    let entry = filled_in("autostart/sipwitch-telepathy.desktop.in", Path::new("/usr/bin"));
    let entry = group(&entry, "Desktop Entry");
    assert_eq!((&*entry["Type"], &*entry["NoDisplay"]), ("Application", "true"));
    assert_eq!(entry["TryExec"], "/usr/bin/sipwitch");
    assert_eq!(entry["Exec"], "/usr/bin/sipwitch telepathy first-use");
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    for (unit, program) in
        [(UNIT, "sipwitchd"), ("telepathy-sipwitch.service", "telepathy-sipwitch")]
    {
        is_without_fault(unit, program, "--user");
    }
    is_without_fault("sipwitch-digestd.service", "sipwitch-digestd", "--system");
}

fn is_without_fault(name: &str, program: &str, manager: &str) {
    let room = tempfile::tempdir().expect("a temporary folder");
    let daemon = room.path().join(program);
    symlink("/bin/true", &daemon).expect("a stand-in for the daemon: only its presence is checked");
    let unit = room.path().join(name);
    let text = filled_in(&format!("systemd/{name}.in"), room.path());
    fs::write(&unit, text).expect("written");

    let verify = |unit: &Path| {
        let output = Command::new("systemd-analyze")
            .args([manager, "--man=no", "verify"])
            .arg(unit)
            .env("XDG_RUNTIME_DIR", room.path())
            .output()
            .expect("systemd-analyze runs: .ci/need packages test");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let (passed, said) = verify(&unit);
    assert!(passed && !said.contains(name), "{said}");

    // The same check does see a fault.
    let faulty = read(&unit).replace("LockPersonality=", "LockPersonalities=");
    fs::write(&unit, faulty).expect("written");
    let (_, said) = verify(&unit);
    assert!(said.contains("LockPersonalities"), "{said}");
}

#[test]
fn every_toml_file_is_toml() {
    let files = files(&root(), ".toml");
    assert!(files.len() > 8, "the manifests at least");
    for path in files {
        if let Err(error) = read(&path).parse::<Table>() {
            panic!("{}: {error}", path.display());
        }
    }
}

#[test]
fn every_man_page_is_formatted_without_a_warning() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let output =
        Command::new(root().join("packaging/config-man")).output().expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let keys = text.matches("\n.TP\n").count();
    assert!(keys > 20, "the page describes every key of the shipped configuration:\n{text}");
    let page = room.path().join("sipwitch-config.5");
    fs::write(&page, text).expect("written");

    let mut pages = files(&root().join("data/man"), ".8");
    pages.extend(files(&root().join("data/man"), ".5"));
    assert!(pages.len() >= 2, "{pages:?}");
    pages.push(page);
    for page in pages {
        let output = Command::new("groff")
            .args(["-man", "-Tutf8", "-Kutf8", "-ww", "-z"])
            .arg(&page)
            .output()
            .expect("groff runs: .ci/need packages test");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
}

/// The targets of the links of a Markdown text that lead to a file.
fn links(text: &str) -> Vec<&str> {
    let ends = text.match_indices("](").map(|(at, found)| &text[at + found.len()..]);
    ends.filter_map(|rest| rest.split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn every_link_between_our_documents_leads_somewhere() {
    let mut seen = 0;
    for path in files(&root(), ".md") {
        let folder = path.parent().expect("a file is in a folder");
        let text = read(&path);
        for target in links(&text) {
            seen += 1;
            assert!(folder.join(target).exists(), "{}: no {target}", path.display());
        }
    }
    assert!(seen > 10, "the documents lead from one to the next");
}

#[test]
fn every_decision_says_context_decision_and_consequences() {
    let decisions = files(&root().join("docs/decisions"), ".md");
    assert!(decisions.len() >= 6, "{decisions:?}");
    for (number, path) in (1..).zip(&decisions) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(name.starts_with(&format!("{number:04}-")), "{name}: decisions are numbered");
        let text = read(path);
        for heading in ["## Context", "## Decision", "## Consequences"] {
            assert!(text.contains(heading), "{name} lacks `{heading}`");
        }
    }
}

/// Runs a make target with our own variables only.
fn make(arguments: &[&str]) -> String {
    let output = Command::new("make")
        .args(["--no-print-directory", "PROFILE=dev"])
        .args(arguments)
        .current_dir(root())
        .env_remove("DESTDIR")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .expect("make runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "make {arguments:?} (cargo build comes first): {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_installed_is_removed_again_and_nothing_else() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let prefix = room.path().join("house");
    let others = prefix.join("share/man/man1");
    fs::create_dir_all(&others).expect("made");
    fs::write(others.join("other.1"), "somebody else's\n").expect("written");
    let before = files(room.path(), "");

    let variable = format!("PREFIX={}", prefix.display());
    make(&["generated"]);
    make(&["install", &variable]);
    make(&["install", &variable]); // over an older installation
    for path in [
        "bin/sipwitch",
        "bin/sipwitchd",
        "lib/security/pam_sipwitch.so",
        "etc/xdg/autostart/sipwitch-telepathy.desktop",
        "bin/telepathy-sipwitch",
        "share/bash-completion/completions/sipwitch",
        "share/dbus-1/services/org.freedesktop.Telepathy.ConnectionManager.sipwitch.service",
        "share/dbus-1/services/org.gnutelephony.SipWitch1.service",
        "share/fish/vendor_completions.d/sipwitch.fish",
        "share/man/man1/sipwitch-dial.1",
        "share/man/man1/sipwitch.1",
        "share/man/man5/sipwitch-account.5",
        "share/man/man5/sipwitch-config.5",
        "share/man/man5/sipwitch-provider.5",
        "share/man/man5/sipwitch.db.5",
        "share/man/man8/pam_sipwitch.8",
        "share/man/man8/sipwitch-digestd.8",
        "share/man/man8/sipwitchd.8",
        "share/man/man8/telepathy-sipwitch.8",
        "share/pam-configs/sipwitch",
        "share/sipwitch/config.toml",
        "share/sipwitch/providers.d/dus-net.toml",
        "share/systemd/user/sipwitch.service",
        "share/systemd/user/telepathy-sipwitch.service",
        "share/telepathy/managers/sipwitch.manager",
        "share/zsh/site-functions/_sipwitch",
    ] {
        assert!(prefix.join(path).is_file(), "{path} is not installed");
    }
    let profile = read(&prefix.join("share/pam-configs/sipwitch"));
    let module = prefix.join("lib/security/pam_sipwitch.so").display().to_string();
    assert_eq!(profile.matches(&format!("optional {module}\n")).count(), 2, "{profile}");
    assert!(profile.contains("\nDefault: no\n"), "root chooses it: {profile}");
    let bus = read(&prefix.join("share/dbus-1/services/org.gnutelephony.SipWitch1.service"));
    let program = group(&bus, "D-BUS Service").remove("Exec").expect("checked elsewhere");
    assert_eq!(Path::new(&program), prefix.join("bin/sipwitchd"));
    let output = Command::new(prefix.join("bin/sipwitch"))
        .args(["config", "check"])
        .arg(prefix.join("share/sipwitch/config.toml"))
        .output()
        .expect("the installed program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let installed = files(&prefix.join("share/sipwitch/providers.d"), ".toml");
    assert_eq!(installed.len(), files(&root().join("data/providers.d"), ".toml").len());
    let checked = Command::new(prefix.join("bin/sipwitchd"))
        .arg("--check-provider")
        .args(&installed)
        .output()
        .expect("the installed service runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");

    make(&["uninstall", &variable]);
    assert_eq!(files(room.path(), ""), before);
    assert!(!prefix.join("bin").exists() && !prefix.join("share/sipwitch").exists());
    what_only_the_system_can_use_is_installed_in_usr_alone();
}

/// No test of its own: two at once would generate the same files.
fn what_only_the_system_can_use_is_installed_in_usr_alone() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let destination = format!("DESTDIR={}", room.path().display());
    let name = "org.gnutelephony.SipWitchDigest1";
    let ours = [
        "libexec/sipwitch-digestd".to_owned(),
        format!("share/dbus-1/system-services/{name}.service"),
        format!("share/dbus-1/system.d/{name}.conf"),
        "lib/systemd/system/sipwitch-digestd.service".to_owned(),
        "share/polkit-1/actions/org.gnutelephony.sipwitch.digest.policy".to_owned(),
        "lib/pam.d/sipwitch-digestd".to_owned(),
    ];
    for (prefix, installed) in [("/usr", true), ("/usr/local", false)] {
        let variable = format!("PREFIX={prefix}");
        let variables = [destination.as_str(), &variable];
        make(&[&["install"], &variables[..]].concat());
        for path in &ours {
            let path = room.path().join(&prefix[1..]).join(path);
            assert_eq!(path.is_file(), installed, "{}", path.display());
        }
        let ignored = room.path().join("etc/etckeeper/update-ignore.d/50sipwitch");
        assert_eq!(ignored.is_file(), installed);
        let unit = room.path().join("usr/lib/systemd/system/sipwitch-digestd.service");
        if installed {
            assert_eq!(
                group(&read(&unit), "Service")["ExecStart"],
                "/usr/libexec/sipwitch-digestd"
            );
        }
        make(&[&["uninstall"], &variables[..]].concat());
        assert_eq!(files(room.path(), ""), Vec::<PathBuf>::new());
    }
}
