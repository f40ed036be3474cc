// SPDX-License-Identifier: GPL-3.0-or-later
//! The process that proves a password: it reads it, asks PAM, prints its digests, and ends.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, umask};
use pam_client2::{Context, ConversationHandler, ErrorCode, Flag};
use sipwitch_digest_service::verdict;
use sipwitch_digest_store::{Algorithm, Name, Realm};
use zeroize::Zeroizing;

const SERVICE: &str = "sipwitch-digestd";
/// As in the PAM module.
const LONGEST_PASSWORD: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Says what became of it, on standard output and as the code to end with.
pub(crate) fn prove(user: &str, realm: &Realm, algorithms: &[Algorithm]) -> u8 {
    let password = match read() {
        Ok(password) => password,
        Err(why) => return tell(verdict::UNUSABLE, &why),
    };
    let Ok(name) = user.parse::<Name>() else {
        return tell(verdict::UNCLEAR, "the user's name cannot be stored");
    };
    match is_right(&name, &password) {
        Ok(()) => {
            for algorithm in algorithms {
                let digest = algorithm.ha1(&name, realm, password.to_bytes());
                println!("{algorithm}={}", digest.reveal());
            }
            verdict::RIGHT
        }
        Err(error) if is_refusal(error.code) => verdict::WRONG,
        Err(error) => tell(verdict::UNCLEAR, &error.words),
    }
}

fn tell(verdict: u8, words: &str) -> u8 {
    println!("{words}");
    verdict
}

/// All of standard input. It is not taken from the buffer of the standard library, which nobody wipes.
fn read() -> Result<Zeroizing<CString>, String> {
    let deadline = Instant::now() + PATIENCE;
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let mut input = File::from(input);
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_PASSWORD + 1));
    let mut part = Zeroizing::new([0; LONGEST_PASSWORD]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut ready = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, timeout).map_err(|errno| errno.to_string())? == 0 {
            return Err("the pipe was not closed within ten seconds".into());
        }
        match input.read(&mut *part).map_err(|error| error.to_string())? {
            0 => break,
            length if text.len() + length > LONGEST_PASSWORD => {
                return Err("longer than 1024 bytes".into());
            }
            length => text.extend_from_slice(&part[..length]),
        }
    }
    if text.is_empty() {
        return Err("nothing came through the pipe".into());
    }
    CString::new(&text[..])
        .map(Zeroizing::new)
        .map_err(|_| "a password has no byte of zero in it".into())
}

/// Why PAM does not say that it is right.
struct Doubt {
    code: ErrorCode,
    words: String,
}

impl From<pam_client2::Error> for Doubt {
    fn from(error: pam_client2::Error) -> Self {
        Self { code: error.code(), words: error.to_string() }
    }
}

/// Whether it is what stacks say to a wrong password. Each such answer may have been a guess, and counts
/// as one: pam_faillock makes a refusal of it (`[default=die]`), other modules have had enough of them.
fn is_refusal(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::AUTH_ERR | ErrorCode::PERM_DENIED | ErrorCode::MAXTRIES)
}

fn is_right(name: &Name, password: &CStr) -> Result<(), Doubt> {
    // pam_faillock gives a user's file of failures to the user, and leaves it to the group of root to
    // write to it afterwards. From here on nothing of ours is written.
    umask(Mode::S_IRWXO);
    let answer = Answer { password: Some(password) };
    let mut pam = Context::new(SERVICE, Some(name.as_str()), answer)?;
    pam.authenticate(Flag::DISALLOW_NULL_AUTHTOK)?;
    // Its code can be that of a wrong password too, and that it is not.
    pam.acct_mgmt(Flag::NONE)
        .map_err(|error| Doubt { code: ErrorCode::ACCT_EXPIRED, words: error.to_string() })?;
    match pam.user() {
        Ok(user) if user == name.as_str() => Ok(()),
        _ => Err(Doubt {
            code: ErrorCode::USER_UNKNOWN,
            words: "PAM let in a user of another name".into(),
        }),
    }
}

/// Answers the first question that is asked without an echo, and no other: what else a module wants to
/// know, nobody is there to tell it.
struct Answer<'a> {
    password: Option<&'a CStr>,
}

impl ConversationHandler for Answer<'_> {
    fn prompt_echo_on(&mut self, _prompt: &CStr) -> Result<CString, ErrorCode> {
        Err(ErrorCode::CONV_ERR)
    }

    fn prompt_echo_off(&mut self, _prompt: &CStr) -> Result<CString, ErrorCode> {
        self.password.take().map(CStr::to_owned).ok_or(ErrorCode::CONV_ERR)
    }

    fn text_info(&mut self, _message: &CStr) {}

    fn error_msg(&mut self, _message: &CStr) {}
}
