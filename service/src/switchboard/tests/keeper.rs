// SPDX-License-Identifier: GPL-3.0-or-later
//! The digest service, played: it keeps what a test says, and answers when a test lets it.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use sipwitch_sip::auth::elsewhere::{Answer, Inquiry};

use crate::switchboard::login::Kept;

/// The realm of the played digest service.
pub(super) const REALM: &str = "machine";
/// The login name of the user.
pub(super) const USER: &str = "ada";

/// How it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It answers at once.
    Prompt,
    /// It refuses to judge for so many seconds.
    HoldsOff(u64),
    /// It is asked, and says nothing.
    Silent,
}

/// The digest service.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) manner: Manner,
    pub(super) kept: Result<Kept, String>,
    pub(super) password: String,
    /// How often it was asked what it keeps.
    pub(super) looked: usize,
    /// What it was asked to judge and did not answer.
    pub(super) open: Vec<Inquiry>,
    /// How often it was asked to judge.
    pub(super) judged: usize,
}

impl Keeper {
    /// It keeps the login password under these algorithms.
    pub(super) fn of(password: &str, algorithms: &[&str]) -> Self {
        let kept = Kept::Digests {
            realm: REALM.into(),
            algorithms: algorithms.iter().map(|name| (*name).to_owned()).collect(),
            is_login: true,
        };
        Self { kept: Ok(kept), password: password.into(), ..Self::default() }
    }

    /// What it keeps; none if it says nothing.
    pub(super) fn look(&mut self) -> Option<Result<Kept, String>> {
        self.looked += 1;
        (self.manner != Manner::Silent).then(|| self.kept.clone())
    }

    /// What it says of a response; none if it says nothing.
    pub(super) fn judge(&mut self, inquiry: Inquiry) -> Option<Answer> {
        self.judged += 1;
        match self.manner {
            Manner::Prompt => Some(self.verdict(&inquiry)),
            Manner::HoldsOff(seconds) => Some(Answer::HeldOff { seconds }),
            Manner::Silent => {
                self.open.push(inquiry);
                None
            }
        }
    }

    /// What it would say.
    pub(super) fn verdict(&self, inquiry: &Inquiry) -> Answer {
        let hash = |text: String| {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            match inquiry.algorithm {
                "SHA-256" => hex(&Sha256::digest(text)),
                "SHA-512-256" => hex(&Sha512_256::digest(text)),
                "MD5" => hex(&Md5::digest(text)),
                other => panic!("{other} was not kept"),
            }
        };
        let counted = inquiry.counted.as_ref().expect("phones count");
        let one = hash(format!("{USER}:{REALM}:{}", self.password));
        let two = hash(format!("{}:{}", inquiry.method, inquiry.uri));
        let right = hash(format!(
            "{one}:{}:{}:{}:{}:{two}",
            inquiry.nonce, counted.nc, counted.cnonce, counted.qop
        ));
        let is_right = inquiry.username == USER && inquiry.realm == REALM;
        if is_right && inquiry.response == right { Answer::Right } else { Answer::Wrong }
    }
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            manner: Manner::Prompt,
            kept: Err("it is not installed: install it".into()),
            password: String::new(),
            looked: 0,
            open: Vec::new(),
            judged: 0,
        }
    }
}
