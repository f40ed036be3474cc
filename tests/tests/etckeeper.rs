// SPDX-License-Identifier: GPL-3.0-or-later
//! The digests stay out of the history that etckeeper keeps of /etc. The real one does it, unpacked
//! and not installed, on a folder of the test's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// An /etc with etckeeper's configuration and our file among its own.
struct Etc {
    folder: TempDir,
    program: PathBuf,
}

impl Etc {
    fn new(with_ours: bool) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let unpacked = root.join("target/tools/unpacked/etckeeper");
        let program = unpacked.join("usr/bin/etckeeper");
        assert!(program.exists(), "{} is missing: run .ci/need unpacked test", program.display());
        let folder = TempDir::new().expect("a folder");
        let etc = Self { folder, program };
        let copied = Command::new("cp")
            .arg("-r")
            .arg(unpacked.join("etc/etckeeper"))
            .arg(etc.configuration())
            .status()
            .expect("cp");
        assert!(copied.success());
        if with_ours {
            let ours = etc.configuration().join("update-ignore.d/50sipwitch");
            fs::copy(root.join("data/etckeeper/50sipwitch"), &ours).expect("copied");
            let mode = fs::metadata(&ours).expect("there").permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "run-parts(8) runs only what may be run");
        }
        fs::create_dir(etc.path()).expect("made");
        etc
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("etckeeper")
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    fn write(&self, name: &str) {
        fs::write(self.path().join(name), "secret\n").expect("written");
    }

    fn etckeeper(&self, words: &[&str]) {
        let out = Command::new(&self.program)
            .arg(words[0])
            .arg("-d")
            .arg(self.path())
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("ETCKEEPER_CONF_DIR", self.configuration())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "root")
            .env("GIT_AUTHOR_EMAIL", "root@localhost")
            .env("GIT_COMMITTER_NAME", "root")
            .env("GIT_COMMITTER_EMAIL", "root@localhost")
            .output()
            .expect("etckeeper starts");
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// The files in its history.
    fn kept(&self) -> Vec<String> {
        let out = Command::new("git")
            .args(["-c", "safe.directory=*", "ls-tree", "-r", "--name-only", "HEAD"])
            .current_dir(self.path())
            .env("HOME", self.folder.path())
            .output()
            .expect("git starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
    }
}

const SECRET: [&str; 3] = ["sipwitch.db", ".sipwitch.db.new", ".sipwitch.db.lock"];

#[test]
fn without_our_entry_it_would_keep_the_digests() {
    let etc = Etc::new(false);
    etc.etckeeper(&["init"]);
    etc.write("hosts");
    etc.write("sipwitch.db");
    etc.etckeeper(&["commit", "first"]);
    let kept = etc.kept();
    assert!(
        kept.contains(&"hosts".to_owned()) && kept.contains(&"sipwitch.db".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn with_our_entry_the_digests_stay_out_of_its_history() {
    let etc = Etc::new(true);
    etc.etckeeper(&["init"]);
    etc.write("hosts");
    SECRET.iter().for_each(|name| etc.write(name));
    etc.etckeeper(&["commit", "first"]);
    let kept = etc.kept();
    assert!(kept.contains(&"hosts".to_owned()), "{kept:?}");
    assert!(!kept.iter().any(|name| SECRET.contains(&name.as_str())), "{kept:?}");
    // Updated again, each name stands there once.
    etc.etckeeper(&["update-ignore"]);
    let ignored = fs::read_to_string(etc.path().join(".gitignore")).expect("there");
    for name in SECRET {
        assert_eq!(ignored.lines().filter(|line| *line == name).count(), 1, "{ignored}");
    }
}

#[test]
fn where_it_was_there_before_us_its_next_update_takes_the_entry() {
    let etc = Etc::new(false);
    etc.etckeeper(&["init"]);
    etc.write("hosts");
    etc.etckeeper(&["commit", "first"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let ours = etc.configuration().join("update-ignore.d/50sipwitch");
    fs::copy(root.join("data/etckeeper/50sipwitch"), ours).expect("copied");
    etc.etckeeper(&["update-ignore"]);
    SECRET.iter().for_each(|name| etc.write(name));
    etc.etckeeper(&["commit", "second"]);
    let kept = etc.kept();
    assert!(!kept.iter().any(|name| SECRET.contains(&name.as_str())), "{kept:?}");
}
