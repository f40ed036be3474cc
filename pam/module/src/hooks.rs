// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done when. It is root's work: for a screen locker that runs as the user nothing happens.

use std::ffi::c_int;
use std::time::{SystemTime, UNIX_EPOCH};

use sipwitch_digest_store::Source;

use crate::ffi::{self, DELETE_CRED, Level, Pam, Stash, Token, UPDATE_AUTHTOK};
use crate::options::Options;
use crate::record::{Outcome, record};

/// Whether the password is right is not known yet: it is kept for setcred, because PAM wipes its own
/// copy meanwhile.
pub(crate) fn authenticate(pam: &Pam, _flags: c_int, _arguments: &[String]) {
    if !ffi::is_root() {
        return;
    }
    // Fingerprints and keys leave no token.
    if let (Some(user), Some(token)) = (pam.user(), pam.token()) {
        pam.stash(Stash { user, token });
    }
}

/// A login: a first one, or the first after a change that we did not see.
pub(crate) fn setcred(pam: &Pam, flags: c_int, arguments: &[String]) {
    // Taken in any case: it is not needed any more.
    let Some(stash) = pam.take_stash() else { return };
    // Where a module mapped one name to another, the token is not that of this user.
    if flags & DELETE_CRED == 0 && pam.user().as_ref() == Some(&stash.user) {
        keep(pam, &stash.user, &stash.token, &Source::Login, arguments);
    }
}

/// A change. The first of the two rounds only asks whether all are ready.
pub(crate) fn chauthtok(pam: &Pam, flags: c_int, arguments: &[String]) {
    if flags & UPDATE_AUTHTOK == 0 || !ffi::is_root() {
        return;
    }
    if let (Some(user), Some(token)) = (pam.user(), pam.token()) {
        keep(pam, &user, &token, &Source::Password, arguments);
    }
}

fn keep(pam: &Pam, user: &str, token: &Token, source: &Source, arguments: &[String]) {
    let (options, mistakes) = Options::read(arguments);
    for mistake in mistakes {
        pam.log(Level::Warning, &mistake);
    }
    let Some(options) = options else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match record(user, token, source, &options, now) {
        Ok(Outcome::Kept { instead: Some(why), path }) => {
            let path = path.display();
            pam.log(Level::Warning, &format!("the database is {path} from now on: {why}"));
        }
        Ok(outcome) if options.debug => pam.log(Level::Debug, &format!("{user}: {outcome}")),
        Ok(_) => {}
        Err(error) => {
            pam.log(Level::Warning, &format!("the digest of {user} stays as it was: {error}"));
        }
    }
}
