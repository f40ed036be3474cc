// SPDX-License-Identifier: GPL-3.0-or-later
//! Who has the providers, and hears of changes.

use std::{fs, future::Future, path::Path, time::Duration};

use tempfile::TempDir;

use super::places::put;
use crate::providers::{Folders, Providers, open};

/// How long anything here may take before it counts as not coming.
const DEADLINE: Duration = Duration::from_secs(20);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("in time")
}

async fn names(providers: &Providers) -> Vec<String> {
    let shelf = soon(providers.all()).await.unwrap();
    shelf.entries.values().map(|entry| entry.provider.name.to_string()).collect()
}

fn library(folders: &[&Path]) -> Providers {
    let folders = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let (providers, library) = open(Folders::new(folders));
    tokio::spawn(library.run());
    providers
}

#[tokio::test]
async fn a_file_that_changes_is_told_and_read_anew() {
    let room = TempDir::new().unwrap();
    let (home, usr) = (room.path().join("a/b/home"), room.path().join("usr"));
    fs::create_dir(&usr).unwrap();
    put(&usr, "a", "A shipped");
    let providers = library(&[&home, &usr]);
    let mut changes = providers.changes();
    assert_eq!(names(&providers).await, ["A shipped"]);

    put(&usr, "b", "B shipped");
    soon(changes.changed()).await.unwrap();
    assert_eq!(names(&providers).await, ["A shipped", "B shipped"]);

    // The higher folder comes later, and its file at once or after it.
    fs::create_dir_all(&home).unwrap();
    put(&home, "a", "mine");
    while names(&providers).await != ["mine", "B shipped"] {
        soon(changes.changed()).await.unwrap();
    }
    changes.borrow_and_update();
    fs::write(home.join("b.toml"), "").unwrap();
    while names(&providers).await != ["mine"] {
        soon(changes.changed()).await.unwrap();
    }
    fs::remove_dir_all(room.path().join("a")).unwrap();
    while names(&providers).await != ["A shipped", "B shipped"] {
        soon(changes.changed()).await.unwrap();
    }
    // And comes again.
    fs::create_dir_all(&home).unwrap();
    put(&home, "a", "mine again");
    while names(&providers).await != ["mine again", "B shipped"] {
        soon(changes.changed()).await.unwrap();
    }
}

#[tokio::test]
async fn one_provider_is_had_without_the_others() {
    let room = TempDir::new().unwrap();
    put(room.path(), "a", "A");
    fs::write(room.path().join("b.toml"), "schema = 1").unwrap();
    let providers = library(&[room.path()]);
    let one = |id: &str| {
        let found = providers.one(id.parse().unwrap());
        async move { soon(found).await.unwrap().map(|entry| entry.map(|e| e.provider.name.to_string())) }
    };
    for _ in 0..2 {
        assert_eq!(one("a").await.unwrap().as_deref(), Some("A"));
        assert_eq!(one("c").await.unwrap(), None);
        let refused = one("b").await.unwrap_err().to_string();
        assert!(refused.ends_with("b.toml:1:1: the key \"id\" is missing"), "{refused}");
        // With everything read the answers are the same.
        assert_eq!(names(&providers).await, ["A"]);
    }
}
