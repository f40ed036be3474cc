// SPDX-License-Identifier: GPL-3.0-or-later
//! What the store finds at the place of its file: traps, other people's files, folders that cannot be
//! written to.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, mkfifo};
use sipwitch_digest_store::{Algorithm, Entry, Error, Hazard, Name, Realm, Store};
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(5);

fn me() -> u32 {
    Uid::effective().as_raw()
}

fn room() -> (TempDir, PathBuf) {
    let room = tempfile::tempdir().expect("a temporary folder");
    let path = room.path().join("sipwitch.db");
    (room, path)
}

fn store(path: &Path) -> Store {
    Store::at(path).owned_by(me())
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn put(store: &Store, user: &str) -> Result<PathBuf, Error> {
    put_in(store, user, WAIT).map(|written| written.path)
}

fn put_in(
    store: &Store,
    user: &str,
    wait: Duration,
) -> Result<sipwitch_digest_store::Written, Error> {
    let realm: Realm = "house".parse().expect("a realm");
    let entry = Entry::of_password(&name(user), 1000, &realm, &[Algorithm::Sha256], b"secret");
    store.change(wait, |database| database.put(&entry).map(|()| true))
}

fn hazard<T>(result: Result<T, Error>) -> Hazard {
    match result {
        Err(Error::Unsafe { hazard, .. }) => hazard,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    }
}

/// Neither read nor written, and what is there stays.
fn refused(path: &Path, wanted: Hazard) {
    assert_eq!(hazard(store(path).read()), wanted);
    assert_eq!(hazard(put(&store(path), "anna")), wanted);
}

#[test]
fn a_new_file_is_the_owners_alone_whatever_the_umask() {
    let (_room, path) = room();
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o777));
    put(&store(&path), "anna").unwrap();
    nix::sys::stat::umask(before);
    for file in [path.clone(), path.with_file_name(".sipwitch.db.lock")] {
        let meta = fs::metadata(&file).unwrap();
        assert_eq!(meta.mode() & 0o077, 0);
        assert_eq!(meta.uid(), me());
    }
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(store(&path).read().unwrap().database.entry(&name("anna")).is_some());
}

#[test]
fn links_and_second_names_are_refused() {
    let (room, path) = room();
    let victim = room.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    symlink(&victim, &path).unwrap();
    refused(&path, Hazard::Link);
    fs::remove_file(&path).unwrap();
    symlink(room.path().join("nowhere"), &path).unwrap();
    refused(&path, Hazard::Link);
    assert!(!room.path().join("nowhere").exists());
    fs::remove_file(&path).unwrap();
    fs::hard_link(&victim, &path).unwrap();
    refused(&path, Hazard::SecondName);
    fs::remove_file(&path).unwrap();

    // The files beside it are no way round.
    let lock = path.with_file_name(".sipwitch.db.lock");
    fs::remove_file(&lock).unwrap();
    symlink(&victim, &lock).unwrap();
    assert_eq!(hazard(put(&store(&path), "anna")), Hazard::Link);
    fs::remove_file(&lock).unwrap();
    fs::hard_link(&victim, &lock).unwrap();
    assert_eq!(hazard(put(&store(&path), "anna")), Hazard::SecondName);
    fs::remove_file(&lock).unwrap();
    symlink(&victim, path.with_file_name(".sipwitch.db.new")).unwrap();
    put(&store(&path), "anna").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");

    // Nor is the folder.
    let folder = room.path().join("folder");
    symlink(room.path(), &folder).unwrap();
    refused(&folder.join("sipwitch.db"), Hazard::Link);
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let (_room, path) = room();
    mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&path, Hazard::NoFile);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&path, Hazard::NoFile);
}

#[test]
fn what_is_open_to_others_or_somebody_elses_is_refused() {
    let (room, path) = room();
    put(&store(&path), "anna").unwrap();
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        refused(&path, Hazard::Mode);
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    for mode in [0o770, 0o702, 0o1777] {
        fs::set_permissions(room.path(), Permissions::from_mode(mode)).unwrap();
        refused(&path, Hazard::Mode);
    }
    fs::set_permissions(room.path(), Permissions::from_mode(0o700)).unwrap();
    let stranger = Store::at(&path).owned_by(me() + 1);
    assert_eq!(hazard(stranger.read()), Hazard::Owner);
    assert_eq!(hazard(put(&stranger, "bert")), Hazard::Owner);
    if Uid::effective().is_root() {
        chown(&path, Some(4711), None).unwrap();
        refused(&path, Hazard::Owner);
        chown(&path, Some(0), None).unwrap();
    }
    assert!(store(&path).read().unwrap().database.entry(&name("anna")).is_some());
}

#[test]
fn a_file_that_nobody_has_users_for_is_refused() {
    let (_room, path) = room();
    put(&store(&path), "anna").unwrap();
    File::options().write(true).open(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    refused(&path, Hazard::Size);
}

#[test]
fn a_file_of_a_later_version_stays_as_it_is() {
    let (_room, path) = room();
    let text = "# sipwitch digest db v2\nv2:anna\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(store(&path).read(), Err(Error::Later { .. })));
    assert!(matches!(put(&store(&path), "anna"), Err(Error::Later { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn whoever_holds_the_lock_makes_others_wait_and_give_up() {
    let (_room, path) = room();
    put(&store(&path), "anna").unwrap();
    let lock = File::open(path.with_file_name(".sipwitch.db.lock")).unwrap();
    lock.lock().unwrap();
    let wait = Duration::from_millis(50);
    let start = Instant::now();
    assert!(matches!(put_in(&store(&path), "bert", wait), Err(Error::Busy { .. })));
    assert!(start.elapsed() >= wait);
    assert!(
        store(&path).read().unwrap().database.entry(&name("anna")).is_some(),
        "reading goes on"
    );
    lock.unlock().unwrap();
    put(&store(&path), "bert").unwrap();
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let (_room, path) = room();
    let written = store(&path).change(WAIT, |_| Ok(false)).unwrap();
    assert!(!written.changed && !path.exists());
    assert!(matches!(
        put(&store(Path::new("/nowhere/sipwitch.db")), "anna"),
        Err(Error::Io { .. })
    ));
}

/// Runs the writer in a mount namespace where `mount` was done first.
fn in_namespace(mount: &str, path: &Path, user: &str) -> String {
    let test = std::env::current_exe().expect("the test is a file");
    let put = test.parent().and_then(Path::parent).expect("it is in deps/").join("examples/put");
    assert!(put.exists(), "{}: cargo build --examples makes it", put.display());
    let script = format!("set -e\n{mount}\nexec {} \"$1\" secret {user}", put.display());
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(path)
        .output()
        .expect("unshare is part of every system");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot be"), "whoever leaves the first place says why: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_place_that_cannot_be_written_to_has_a_second_which_then_is_the_database() {
    for mount in [
        // The folder is read-only but for the second place.
        "mount --bind \"${1%/*}\" \"${1%/*}\"; mount --bind \"${1%/*}/second\" \"${1%/*}/second\"; \
         mount -o remount,bind,ro \"${1%/*}\"",
        // The file is a mount, which nothing can be renamed over.
        "mount --bind \"$1\" \"$1\"",
    ] {
        let (room, path) = room();
        let second = room.path().join("second/sipwitch.db");
        fs::create_dir(second.parent().unwrap()).unwrap();
        let both = store(&path).or_else(&second);
        assert_eq!(put(&both, "anna").unwrap(), path);
        let before = fs::read(&path).unwrap();

        assert_eq!(in_namespace(mount, &path, "bert"), second.display().to_string(), "{mount}");
        assert_eq!(fs::read(&path).unwrap(), before);
        // From now on that is the database, with what the first held, even where both can be written.
        let reading = both.read().unwrap();
        assert_eq!(reading.path, second);
        let written = put_in(&both, "cora", WAIT).unwrap();
        assert_eq!((&written.path, written.instead.is_none()), (&second, true));
        let names: Vec<String> =
            both.read().unwrap().database.entries().map(|entry| entry.name.to_string()).collect();
        assert_eq!(names, ["anna", "bert", "cora"], "{mount}");

        // Root goes back by moving it.
        fs::rename(&second, &path).unwrap();
        assert_eq!(put(&both, "dora").unwrap(), path);
        assert_eq!(both.read().unwrap().database.entries().count(), 4);
    }
}

#[test]
fn a_fault_that_is_not_of_the_place_leads_nowhere_else() {
    let (room, path) = room();
    let second = room.path().join("new-folder/sipwitch.db");
    fs::write(&path, "# sipwitch digest db v1\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    // A folder in the place of the file that is written first cannot be removed as a file: EISDIR is
    // a fault to be told, and no reason to go elsewhere.
    fs::create_dir(path.with_file_name(".sipwitch.db.new")).unwrap();
    let both = store(&path).or_else(&second);
    assert!(matches!(put_in(&both, "anna", WAIT), Err(Error::Io { .. })));
    assert!(!second.exists());
}
