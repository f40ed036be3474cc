// SPDX-License-Identifier: GPL-3.0-or-later
//! Has a login password proven, by this program in a process of its own: whatever PAM's modules do
//! there ends with it, and the password as well.

use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;
use std::{fmt, io};

use sipwitch_digest_store::{Algorithm, Ha1, Name, Realm};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::verdict;

/// Modules may ask servers of other machines; nobody waits longer for one.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than three digests, or a sentence, have.
const LONGEST_OUTPUT: u64 = 4096;
/// This program, even when another version has taken its name.
const OURSELVES: &str = "/proc/self/exe";

/// What came out.
pub(crate) enum Proof {
    /// The digests of the password, which is right.
    Right(Vec<(Algorithm, Ha1)>),
    Wrong,
    /// PAM does not say.
    Unclear(String),
    /// It was no password.
    Unusable(String),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Right(_) => "Right",
            Self::Wrong => "Wrong",
            Self::Unclear(_) => "Unclear",
            Self::Unusable(_) => "Unusable",
        })
    }
}

/// Proves what comes out of a pipe.
pub(crate) async fn prove(
    user: &Name,
    realm: &Realm,
    algorithms: &[Algorithm],
    password: OwnedFd,
) -> io::Result<Proof> {
    let list: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let mut child = Command::new(OURSELVES)
        .arg0("sipwitch-digestd")
        .args(["prove", "--", user.as_str(), realm.as_str(), &list.join(",")])
        .env_clear()
        .stdin(Stdio::from(password))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("no pipe to it"))?;
    let done = tokio::time::timeout(PATIENCE, async {
        // With room for all of it, nothing is reallocated and left behind.
        let room = usize::try_from(LONGEST_OUTPUT).unwrap_or_default() + 1;
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        output.take(LONGEST_OUTPUT).read_to_end(&mut text).await?;
        Ok::<_, io::Error>((child.wait().await?, text))
    });
    let Ok(done) = done.await else {
        return Ok(Proof::Unclear("PAM took longer than a minute".into()));
    };
    let (status, text) = done?;
    let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
    let words = || text.trim().to_owned();
    Ok(match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(verdict::RIGHT) => match digests(&text, algorithms) {
            Some(digests) => Proof::Right(digests),
            None => Proof::Unclear("a module of PAM wrote to the standard output".into()),
        },
        Some(verdict::WRONG) => Proof::Wrong,
        Some(verdict::UNCLEAR) => Proof::Unclear(words()),
        Some(verdict::UNUSABLE) => Proof::Unusable(words()),
        _ => Proof::Unclear(format!("a module of PAM ended the process: {status}")),
    })
}

/// Exactly one digest for each of the algorithms, in their order.
fn digests(text: &str, algorithms: &[Algorithm]) -> Option<Vec<(Algorithm, Ha1)>> {
    let mut lines = text.lines();
    let mut found = Vec::with_capacity(algorithms.len());
    for &algorithm in algorithms {
        let (name, digest) = lines.next()?.split_once('=')?;
        let digest = Ha1::parse(algorithm, digest).filter(|_| name == algorithm.name())?;
        found.push((algorithm, digest));
    }
    lines.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_taken_for_digests() {
        let (md5, sha) = ("0".repeat(32), "1".repeat(64));
        let both = [Algorithm::Sha256, Algorithm::Md5];
        let good = format!("SHA-256={sha}\nMD5={md5}\n");
        assert_eq!(digests(&good, &both).unwrap().len(), 2);
        for bad in [
            "",
            &format!("MD5={md5}\nSHA-256={sha}\n"),
            &format!("Welcome!\nSHA-256={sha}\nMD5={md5}\n"),
            &format!("SHA-256={sha}\nMD5={md5}\nMD5={md5}\n"),
            &format!("SHA-256={sha}\nMD5={sha}\n"),
            &format!("SHA-256={sha}\n"),
        ] {
            assert!(digests(bad, &both).is_none(), "{bad}");
        }
    }
}
