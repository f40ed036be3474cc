// SPDX-License-Identifier: GPL-3.0-or-later
//! Writers that are killed, and writers that come all at once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sipwitch_digest_store::{Algorithm, Database, Entry, Name, Store};

/// The example beside this test.
fn put() -> PathBuf {
    let test = std::env::current_exe().expect("the test is a file");
    let target = test.parent().and_then(Path::parent).expect("it is in deps/");
    let program = target.join("examples/put");
    assert!(program.exists(), "{}: cargo build --examples makes it", program.display());
    program
}

fn store(path: &Path) -> Store {
    let second = path.with_file_name("second").join("sipwitch.db");
    Store::at(path).or_else(second).owned_by(nix::unistd::geteuid().as_raw())
}

fn run(path: &Path, password: &str, names: &[&str]) {
    let output = Command::new(put()).arg(path).arg(password).args(names).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn is(entry: &Entry, password: &str) -> bool {
    let algorithms = [Algorithm::Sha256];
    let wanted =
        Entry::of_password(&entry.name, 1000, &entry.realm, &algorithms, password.as_bytes());
    entry.is_as_good_as(&wanted)
}

fn read(path: &Path) -> Database {
    store(path).read().expect("readable at any time").database
}

/// `strace` with these options around the writer.
fn traced(options: &[&str], path: &Path, password: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(options).arg(put()).arg(path).args([password, "anna"]).stdout(Stdio::null());
    command
}

#[test]
fn a_writer_killed_at_any_step_leaves_the_old_or_the_new() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("sipwitch.db");
    run(&path, "old", &["anna", "bert"]);
    let whole = fs::read(&path).unwrap();
    let anna: Name = "anna".parse().unwrap();
    let mut seen = [0, 0];
    // Every call that touches a file; strace counts each of them for itself.
    let calls = "openat statx read flock unlinkat fchown fchmod write fsync renameat close";
    for (call, time) in calls.split(' ').flat_map(|call| (1..=12).map(move |time| (call, time))) {
        let step = format!("{call} {time}");
        fs::write(&path, &whole).unwrap();
        let inject = format!("inject={call}:signal=SIGKILL:when={time}");
        let output = traced(&["-e", &format!("trace={call}"), "-e", &inject], &path, "new")
            .output()
            .expect("strace runs: .ci/need packages test");
        let status = output.status;
        let said = String::from_utf8_lossy(&output.stderr);
        let killed = status.signal() == Some(9) || status.code() == Some(137);
        assert!(killed || status.success(), "{step}: {status} {said}");

        let database = read(&path);
        assert_eq!(database.problems(), [], "{step}");
        assert_eq!(database.entries().count(), 2, "{step}");
        assert!(is(&database.entry(&"bert".parse().unwrap()).unwrap(), "old"), "{step}");
        let found = database.entry(&anna).unwrap();
        let new = is(&found, "new");
        assert!(new || is(&found, "old"), "{step}");
        assert!(new || killed, "{step}: it said that it had written");
        seen[usize::from(new)] += usize::from(killed);

        // What it left stops nobody, and does not pile up.
        run(&path, "later", &["anna"]);
        assert!(is(&read(&path).entry(&anna).unwrap(), "later"), "{step}");
        let names: BTreeSet<_> =
            room.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [".sipwitch.db.lock".into(), "sipwitch.db".into()].into(), "{step}");
    }
    assert!(seen[0] > 10 && seen[1] > 1, "killed before and after the new one was there: {seen:?}");
}

#[test]
fn what_was_written_is_on_the_disk_before_it_has_the_name() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("sipwitch.db");
    let options = ["-e", "trace=openat,write,fsync,fdatasync,renameat,renameat2,rename"];
    let output = traced(&options, &path, "new").output().expect("strace runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let after = |start: usize, words: &[&str]| -> usize {
        let lines = said.lines().enumerate().skip(start);
        let mut found = lines.filter(|(_, line)| words.iter().all(|word| line.contains(word)));
        found.next().unwrap_or_else(|| panic!("no {words:?} after line {start} of:\n{said}")).0 + 1
    };
    let created = after(0, &["openat", ".sipwitch.db.new", "O_EXCL", "O_NOFOLLOW", "0600"]);
    let written = after(created, &["write("]);
    let on_disk = after(written, &["fsync("]);
    let named = after(on_disk, &["rename", ".sipwitch.db.new"]);
    after(named, &["fsync("]);
    // Nothing else was opened to be written.
    let opened: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("O_WRONLY") || line.contains("O_RDWR"))
        .filter(|line| {
            !line.contains("\".sipwitch.db.new\"") && !line.contains("\".sipwitch.db.lock\"")
        })
        .collect();
    assert_eq!(opened, Vec::<&str>::new());
}

#[test]
fn a_hundred_processes_at_once_lose_nothing() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("sipwitch.db");
    let mut writers: Vec<_> = (0..100)
        .map(|number| {
            let names = [format!("user{number}"), format!("other{number}")];
            Command::new(put()).arg(&path).arg("secret").args(names).stdout(Stdio::null()).spawn()
        })
        .map(|child| child.expect("it starts"))
        .collect();
    // Whoever reads meanwhile sees a whole file.
    let mut sizes = BTreeSet::new();
    while writers.iter_mut().any(|writer| writer.try_wait().unwrap().is_none()) {
        let database = read(&path);
        assert_eq!(database.problems(), []);
        sizes.insert(database.entries().count());
    }
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let database = read(&path);
    let realms: BTreeSet<String> =
        database.entries().map(|entry| entry.realm.as_str().to_owned()).collect();
    assert_eq!(realms.len(), 1, "the realm was made once");
    assert_eq!(database.entries().filter(|entry| is(entry, "secret")).count(), 200);
    assert!(sizes.len() > 1, "the reader met them: {sizes:?}");
}
