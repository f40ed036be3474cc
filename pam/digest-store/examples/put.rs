// SPDX-License-Identifier: GPL-3.0-or-later
//! Puts one user into a database, as often as told: what the tests kill, and start a hundred times at
//! once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sipwitch_digest_store::{Algorithm, Entry, Error, Name, Realm, Store};

const WAIT: Duration = Duration::from_secs(60);

fn put(path: &str, name: &Name, password: &str) -> Result<(), Error> {
    let path = PathBuf::from(path);
    let second = path.with_file_name("second").join("sipwitch.db");
    let store = Store::at(path).or_else(second).owned_by(nix::unistd::geteuid().as_raw());
    let fresh = Realm::random().expect("random numbers");
    let written = store.change(WAIT, |database| {
        let realm = database.realm().unwrap_or_else(|| {
            database.set_realm(&fresh);
            fresh.clone()
        });
        let algorithms = [Algorithm::Sha256];
        database.put(&Entry::of_password(name, 1000, &realm, &algorithms, password.as_bytes()))?;
        Ok(true)
    })?;
    println!("{}", written.path.display());
    if let Some(why) = written.instead {
        eprintln!("{why}");
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, password, names @ ..] = &arguments[..] else {
        eprintln!("usage: put FILE PASSWORD NAME...");
        return ExitCode::from(2);
    };
    for name in names {
        let done = name.parse().map_err(|refused| format!("{name}: {refused}"));
        let done =
            done.and_then(|name| put(path, &name, password).map_err(|error| error.to_string()));
        if let Err(error) = done {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
