// SPDX-License-Identifier: GPL-3.0-or-later
//! Which file of which folder counts.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{FULL, least};
use crate::providers::{Folders, LARGEST_FILE, MOST_FILES, check};

/// Three folders, the highest first.
struct Room {
    _folder: TempDir,
    folders: [PathBuf; 3],
}

impl Room {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let folders = ["home", "etc", "usr"].map(|name| folder.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        Self { _folder: folder, folders }
    }

    fn read(&self) -> (Vec<String>, Vec<String>) {
        let shelf = Folders::new(self.folders.to_vec()).read();
        let found = shelf.entries.values().map(|entry| {
            let folder = entry.origin.parent().unwrap().file_name().unwrap();
            format!("{} {}", folder.display(), entry.provider.name)
        });
        (found.collect(), shelf.refused.iter().map(ToString::to_string).collect())
    }

    fn find(&self, id: &str) -> Option<String> {
        let folders = Folders::new(self.folders.to_vec());
        let found = folders.find(&id.parse().unwrap()).unwrap();
        found.map(|entry| entry.provider.name.to_string())
    }
}

fn provider(id: &str, name: &str) -> String {
    let text = least("", "").replace("id = \"x\"", &format!("id = \"{id}\""));
    text.replace("\"X\"", &format!("\"{name}\""))
}

pub(super) fn put(folder: &Path, id: &str, name: &str) {
    fs::write(folder.join(format!("{id}.toml")), provider(id, name)).unwrap();
}

#[test]
fn the_highest_file_of_a_name_counts() {
    let room = Room::new();
    let [home, etc, usr] = &room.folders;
    put(usr, "a", "A shipped");
    put(usr, "b", "B shipped");
    put(usr, "c", "C shipped");
    put(etc, "b", "B of the machine");
    put(home, "c", "C of the user");
    put(home, "d", "D of the user");
    assert_eq!(
        room.read().0,
        ["usr A shipped", "etc B of the machine", "home C of the user", "home D of the user"]
    );
    assert_eq!(room.find("b").as_deref(), Some("B of the machine"));
    assert_eq!(room.find("e"), None);
}

#[test]
fn an_empty_file_or_a_link_to_nowhere_takes_a_provider_away() {
    let room = Room::new();
    let [home, etc, usr] = &room.folders;
    for id in ["a", "b", "c"] {
        put(usr, id, id);
    }
    fs::write(home.join("a.toml"), "").unwrap();
    symlink("/dev/null", etc.join("b.toml")).unwrap();
    let (found, refused) = room.read();
    assert_eq!(found, ["usr c"]);
    assert_eq!(refused, [""; 0]);
    assert_eq!((room.find("a"), room.find("b")), (None, None));
    // A file above the mask counts again.
    put(home, "b", "mine");
    assert_eq!(room.read().0, ["home mine", "usr c"]);
}

#[test]
fn a_file_that_is_refused_is_told_and_the_others_are_read() {
    let room = Room::new();
    let [home, etc, usr] = &room.folders;
    for id in ["bad", "device", "folder", "good", "large", "latin", "lost", "pipe"] {
        put(usr, id, id);
    }
    let bad = provider("bad", "B").replace("\"itsp\"", "\"isp\"");
    fs::write(home.join("bad.toml"), bad).unwrap();
    symlink("/dev/zero", home.join("device.toml")).unwrap();
    fs::create_dir(home.join("folder.toml")).unwrap();
    // A hundred megabytes that take no room.
    let large = OpenOptions::new().write(true).create_new(true).open(home.join("large.toml"));
    large.unwrap().set_len(100 << 20).unwrap();
    fs::write(home.join("latin.toml"), b"name = \"Z\xfcrich\"").unwrap();
    symlink("/nowhere/at/all", home.join("lost.toml")).unwrap();
    nix::unistd::mkfifo(&home.join("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(etc.join("other-name.toml"), provider("my-name", "M")).unwrap();
    fs::write(etc.join("Two Words.toml"), provider("two-words", "T")).unwrap();
    // What is no provider's file by its name is none of ours.
    fs::write(etc.join("README"), "x").unwrap();
    fs::write(etc.join(".swap.toml"), "x").unwrap();

    let (found, refused) = room.read();
    assert_eq!(found, ["usr good"], "a refused file takes those below it along");
    let id = "or the id be that of the file";
    let told = [
        &format!("other-name.toml:2:1: id: the file must be called my-name.toml, {id}"),
        &format!("Two Words.toml:2:1: id: the file must be called two-words.toml, {id}"),
        "bad.toml:4:8: kind: \"isp\" is unknown here: use one of itsp, free-sip, home-router, trunk, \
         bridge, enterprise",
        "device.toml: is no ordinary file",
        "folder.toml: is no ordinary file",
        "large.toml: is larger than 64 KiB, too large for a provider",
        "latin.toml: cannot be read: it is no UTF-8 text",
        "lost.toml: cannot be read: No such file or directory (os error 2)",
        "pipe.toml: is no ordinary file",
    ];
    assert_eq!(refused.len(), told.len(), "{refused:#?}");
    for words in told {
        assert!(refused.iter().any(|line| line.ends_with(words)), "{words}\n{refused:#?}");
    }
    assert!(Folders::new(room.folders.to_vec()).find(&"bad".parse().unwrap()).is_err());
}

#[test]
fn there_may_be_no_folder_and_too_many_files() {
    let room = Room::new();
    let [home, etc, usr] = &room.folders;
    fs::remove_dir(home).unwrap();
    fs::remove_dir(etc).unwrap();
    fs::write(etc, "no folder").unwrap();
    assert_eq!(room.read(), (Vec::new(), Vec::new()));
    for number in 0..=MOST_FILES {
        put(usr, &format!("p{number:04}"), "P");
    }
    let (found, refused) = room.read();
    assert_eq!(found.len(), MOST_FILES);
    assert_eq!(refused.len(), 1);
    let words = "p1000.toml: is one too many: more than 1000 providers are not read";
    assert!(refused[0].ends_with(words), "{refused:?}");
}

#[test]
fn one_file_is_checked_by_itself() {
    let room = Room::new();
    let file = room.folders[0].join("house-net.toml");
    fs::write(&file, FULL).unwrap();
    assert_eq!(check(&file).unwrap().provider.id.as_str(), "house-net");
    fs::write(&file, "").unwrap();
    let said = check(&file).unwrap_err().to_string();
    assert!(said.contains("house-net.toml:1:1: an empty file takes away"), "{said}");
    fs::write(&file, "#".repeat(usize::try_from(LARGEST_FILE).unwrap() + 1)).unwrap();
    assert!(check(&file).is_err());
}
