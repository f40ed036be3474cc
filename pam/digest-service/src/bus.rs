// SPDX-License-Identifier: GPL-3.0-or-later
// org.gnutelephony.SipWitchDigest1
//! The object on the bus.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::stat::{SFlag, fstat};
use sipwitch_dbus_interfaces::{digest::Error, wire::DigestStatus};
use sipwitch_digest_store::{Algorithm, Entry, Name, Realm, Source};
use zbus::message::Header;
use zbus::{Connection, fdo, interface, zvariant};

use crate::access::{Caller, Whom, refused};
use crate::books::{Books, Compared};
use crate::keeper::Keeper;
use crate::prover::{self, Proof};
use crate::response::Response;
use crate::{generated, users};

/// Serves `org.gnutelephony.SipWitchDigest1`.
#[derive(Clone, Debug)]
pub(crate) struct Digest {
    pub(crate) books: Books,
    pub(crate) keeper: Arc<Keeper>,
    /// Of login passwords, the strongest first.
    pub(crate) algorithms: Vec<Algorithm>,
}

#[interface(name = "org.gnutelephony.SipWitchDigest1")]
impl Digest {
    #[zbus(out_args("right"))]
    async fn verify_response(
        &self,
        response: HashMap<String, String>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<bool, Error> {
        let caller = Caller::of(&header, connection).await?;
        let response =
            Response::read(&response).map_err(|bad| Error::BadResponse(bad.to_string()))?;
        let verified = self.verify(&caller, &response);
        if let Err(Error::NotAuthorized(_)) = &verified {
            caller.is_refused("a response of another user", &self.books);
        }
        verified
    }

    #[zbus(out_args("status"))]
    async fn status(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<DigestStatus, Error> {
        let caller = Caller::of(&header, connection).await?;
        let whom = caller.whom(user)?;
        if let Whom::Other(user) = &whom {
            caller.may_manage(Some(user), &self.books, connection).await?;
        }
        self.status_of(whom.user())
    }

    #[zbus(out_args("status"))]
    async fn enrol(
        &self,
        user: &str,
        password: zvariant::OwnedFd,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<DigestStatus, Error> {
        let caller = Caller::of(&header, connection).await?;
        let whom = caller.whom(user)?;
        if let Whom::Other(user) = &whom {
            caller.may_manage(Some(user), &self.books, connection).await?;
        }
        self.enrol_proven(&caller, &whom, password.into()).await?;
        self.status_of(whom.user())
    }

    #[zbus(out_args("password"))]
    async fn separate(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Error> {
        let caller = Caller::of(&header, connection).await?;
        let whom = caller.whom(user)?;
        caller.may_change(&whom, &self.books, connection).await?;
        let user = whom.user().clone();
        let password = generated::password()
            .map_err(|error| Error::NotStored(format!("no random numbers: {error}")))?;
        let entry = {
            let password = password.clone();
            move |realm: &Realm| {
                let all = &Algorithm::ALL;
                let entry =
                    Entry::of_password(&user.name, user.uid, realm, all, password.as_bytes());
                Entry { changed: now(), source: Source::Separate, ..entry }
            }
        };
        self.keeper.put_new(entry).await?;
        tracing::info!("user number {} gave {} a separate password", caller.uid, name(&whom));
        Ok(password.to_string())
    }

    async fn remove(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let caller = Caller::of(&header, connection).await?;
        let name = match caller.whom(user) {
            Ok(whom) => {
                caller.may_change(&whom, &self.books, connection).await?;
                whom.user().name.clone()
            }
            Err(Error::NoSuchUser(_)) if !user.is_empty() => {
                caller.may_manage(None, &self.books, connection).await?;
                user.parse().map_err(|_| not_enrolled())?
            }
            Err(error) => return Err(error),
        };
        if !self.keeper.remove(name.clone()).await? {
            return Err(not_enrolled());
        }
        tracing::info!("user number {} removed what was kept of {name}", caller.uid);
        Ok(())
    }

    #[zbus(out_args("digests", "problems"))]
    async fn list(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(Vec<DigestStatus>, Vec<String>), Error> {
        let caller = Caller::of(&header, connection).await?;
        caller.may_manage(None, &self.books, connection).await?;
        let (mut digests, problems) = self.keeper.list().await?;
        let now = Instant::now();
        for status in &mut digests {
            status.wait_seconds = self.wait_seconds(status.uid, now);
        }
        Ok((digests, problems))
    }

    #[zbus(out_args("users"))]
    async fn prune(
        &self,
        dry_run: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<String>, Error> {
        let caller = Caller::of(&header, connection).await?;
        caller.may_manage(None, &self.books, connection).await?;
        let users = self.keeper.prune(dry_run).await?;
        if !dry_run && !users.is_empty() {
            tracing::info!("user number {} pruned {}", caller.uid, users.join(", "));
        }
        Ok(users)
    }

    #[zbus(out_args("new_realm", "users"))]
    async fn set_realm(
        &self,
        realm: &str,
        dry_run: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(String, Vec<String>), Error> {
        let caller = Caller::of(&header, connection).await?;
        caller.may_manage(None, &self.books, connection).await?;
        let wanted = match realm {
            "" => None,
            text => Some(text.parse::<Realm>().map_err(|_| {
                let words = "empty, longer than 256 bytes, or with a colon, a quotation mark, a \
                             backslash or a control character";
                Error::BadValue(format!("a realm is not {words}"))
            })?),
        };
        let (realm, users) = self.keeper.set_realm(wanted, dry_run).await?;
        if !dry_run {
            let (by, count) = (caller.uid, users.len());
            tracing::info!(
                "user number {by} made {realm} the realm: of no use are {count} digests"
            );
        }
        Ok((realm, users))
    }

    #[zbus(property(emits_changed_signal = "false"))]
    async fn realm(&self) -> fdo::Result<String> {
        let database = self.keeper.read().map_err(|error| fdo::Error::Failed(error.to_string()))?;
        Ok(database.realm().map(|realm| realm.to_string()).unwrap_or_default())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn algorithms(&self) -> Vec<String> {
        self.algorithms.iter().map(ToString::to_string).collect()
    }
}

impl Digest {
    fn verify(&self, caller: &Caller, response: &Response) -> Result<bool, Error> {
        let database = self.keeper.read()?;
        let lookup = |error| Error::NotStored(format!("the users cannot be looked up: {error}"));
        let entry = database.entry(&response.user).filter(|entry| entry.uid == caller.uid);
        let Some(entry) = entry else {
            let user = users::by_number(caller.uid).map_err(lookup)?;
            return Err(match user {
                Some(user) if user.name == response.user => not_enrolled(),
                _ => refused("that is another user's name"),
            });
        };
        // The name may be another person's by now, who has another number.
        if !users::is_number_of(caller.uid, &entry.name).map_err(lookup)? {
            return Err(refused("that is another user's name"));
        }
        let of_realm = database.realm().as_ref() == Some(&entry.realm);
        let digest = entry.digest(response.algorithm);
        let Some(digest) = digest.filter(|_| of_realm && response.realm == entry.realm) else {
            return Err(Error::NotEnrolled(format!(
                "no digest of {} is kept for this realm and {}: Status tells for which",
                entry.name, response.algorithm
            )));
        };
        match self.books.compare(caller.uid, Instant::now(), || response.is_of(digest)) {
            Compared::Right => Ok(true),
            Compared::Wrong(wait) => {
                tracing::warn!(
                    "a response for {} was of a wrong password{}",
                    entry.name,
                    next(wait)
                );
                Ok(false)
            }
            Compared::Not(wait) => Err(too_many(wait)),
        }
    }

    async fn enrol_proven(
        &self,
        caller: &Caller,
        whom: &Whom,
        password: OwnedFd,
    ) -> Result<(), Error> {
        let user = whom.user().clone();
        let is_pipe = fstat(&password).is_ok_and(|stat| {
            SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO
        });
        if !is_pipe {
            return Err(Error::BadValue("the password does not come through a pipe".into()));
        }
        let _proving = self.books.proving(user.uid).ok_or_else(|| {
            Error::LimitReached("another password is being proven: try again".into())
        })?;
        if let Some(wait) = self.books.wait(user.uid, Instant::now()) {
            return Err(too_many(wait));
        }
        let realm = self.keeper.realm().await?;
        let before = self.keeper.read()?.entry(&user.name);
        let proof = prover::prove(&user.name, &realm, &self.algorithms, password).await;
        let proof = proof.map_err(|error| {
            Error::CannotProve(format!("the process that proves does not start: {error}"))
        })?;
        let digests = match proof {
            Proof::Right(digests) => digests,
            Proof::Wrong => {
                let next = next(self.books.failed(user.uid, Instant::now()));
                let (by, name) = (caller.uid, &user.name);
                tracing::warn!("user number {by} gave a wrong password for {name}{next}");
                let words =
                    format!("that is not the password of {name}, or {name} may not log in now");
                return Err(Error::WrongPassword(words));
            }
            Proof::Unclear(words) => {
                tracing::warn!("PAM does not prove the password of {}: {words}", user.name);
                return Err(Error::CannotProve(words));
            }
            Proof::Unusable(words) => {
                return Err(Error::BadValue(format!("the password: {words}")));
            }
        };
        let entry = Entry {
            name: user.name,
            uid: user.uid,
            realm,
            digests,
            unknown: Vec::new(),
            changed: now(),
            source: Source::Enrolled,
        };
        self.keeper.put_in_place_of(before, entry).await?;
        tracing::info!("user number {} enrolled {}", caller.uid, name(whom));
        Ok(())
    }

    fn status_of(&self, user: &users::User) -> Result<DigestStatus, Error> {
        let mut status = self.keeper.status(user)?;
        status.wait_seconds = self.wait_seconds(user.uid, Instant::now());
        Ok(status)
    }

    fn wait_seconds(&self, uid: u32, now: Instant) -> u32 {
        let wait = self.books.wait(uid, now).unwrap_or_default();
        u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

fn name(whom: &Whom) -> &Name {
    &whom.user().name
}

/// For the log: what follows from another failure.
fn next(wait: Option<Duration>) -> String {
    wait.map(|wait| format!(": no answer for {} s", wait.as_secs())).unwrap_or_default()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn not_enrolled() -> Error {
    Error::NotEnrolled("nothing is kept of that user".into())
}

fn too_many(wait: Duration) -> Error {
    let seconds = wait.as_millis().div_ceil(1000);
    Error::TooManyFailures(format!("too many wrong passwords: try again in {seconds} s"))
}

#[cfg(test)]
mod tests;
