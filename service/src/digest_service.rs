// SPDX-License-Identifier: GPL-3.0-or-later
//! The digest service, asked over the system bus: what it keeps of our user, and whether a phone
//! knows the password. Each question waits in a task of its own, and is always answered.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use sipwitch_dbus_interfaces::{
    DigestProxy,
    digest::Error,
    wire::{DigestProblem, DigestSource, DigestStatus},
};
use sipwitch_sip::auth::elsewhere::{Answer, Inquiry};
use tokio::sync::{Mutex, mpsc};
use zbus::{Connection, proxy::CacheProperties};

use crate::switchboard::{Inner, login::Kept};

/// How long it may take, being started included: less than the switchboard waits.
const PATIENCE: Duration = Duration::from_millis(3500);

/// Asks the digest service. There is no connection to the system bus before the first question.
#[derive(Debug, Clone)]
pub(crate) struct DigestService {
    bus: Arc<Mutex<Option<Connection>>>,
    inner: mpsc::UnboundedSender<Inner>,
}

impl DigestService {
    /// One whose answers go there.
    pub(crate) fn new(inner: mpsc::UnboundedSender<Inner>) -> Self {
        Self { bus: Arc::default(), inner }
    }

    /// Asks what is kept of our user.
    pub(crate) fn look(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            let kept =
                match this.within_patience(async { this.proxy().await?.status("").await }).await {
                    Ok(status) => Ok(kept(&status)),
                    Err(error) => Err(words(&error)),
                };
            // The loop may have ended, here and below.
            let _ = this.inner.send(Inner::LoginKept(kept));
        });
    }

    /// Asks whether a phone knows the password.
    pub(crate) fn judge(&self, inquiry: Inquiry) {
        let this = self.clone();
        tokio::spawn(async move {
            let judged = this.within_patience(this.verify(&inquiry)).await;
            let answer = match judged {
                Ok(true) => Answer::Right,
                // Whose name it is not ours to ask about, nobody has.
                Ok(false) | Err(Error::NotAuthorized(_) | Error::BadResponse(_)) => Answer::Wrong,
                Err(Error::TooManyFailures(_)) => {
                    let status = async { this.proxy().await?.status("").await };
                    let status = this.within_patience(status).await;
                    let seconds = status.map_or(1, |status| status.wait_seconds);
                    Answer::HeldOff { seconds: seconds.into() }
                }
                // It forgot him meanwhile, or another part of him.
                Err(Error::NotEnrolled(_) | Error::LimitReached(_)) => Answer::Silent,
                Err(error) => {
                    let _ = this.inner.send(Inner::LoginKept(Err(words(&error))));
                    Answer::Silent
                }
            };
            let _ = this.inner.send(Inner::LoginJudged { inquiry: inquiry.id, answer });
        });
    }

    async fn verify(&self, inquiry: &Inquiry) -> Result<bool, Error> {
        let mut response = HashMap::from([
            ("username", inquiry.username.as_str()),
            ("realm", &inquiry.realm),
            ("nonce", &inquiry.nonce),
            ("method", &inquiry.method),
            ("uri", &inquiry.uri),
            ("algorithm", inquiry.algorithm),
            ("response", &inquiry.response),
        ]);
        if let Some(counted) = &inquiry.counted {
            response.extend([
                ("qop", counted.qop.as_str()),
                ("nc", &counted.nc),
                ("cnonce", &counted.cnonce),
            ]);
        }
        // The bus takes no text with a zero in it, and would break off for it.
        if response.values().any(|value| value.contains('\0')) {
            return Ok(false);
        }
        self.proxy().await?.verify_response(&response).await
    }

    async fn proxy(&self) -> Result<DigestProxy<'static>, Error> {
        let mut bus = self.bus.lock().await;
        let connection = match &*bus {
            Some(connection) => connection.clone(),
            None => bus.insert(Connection::system().await?).clone(),
        };
        drop(bus);
        // It has two properties, and tells of no change of them.
        let proxy = DigestProxy::builder(&connection).cache_properties(CacheProperties::No);
        Ok(proxy.build().await?)
    }

    /// A question that takes too long failed. After a failure of the bus there is another
    /// connection next time: the bus may have been started anew.
    async fn within_patience<T>(
        &self,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answer = match tokio::time::timeout(PATIENCE, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::ZBus(zbus::Error::Failure(SILENCE.into()))),
        };
        if let Err(Error::ZBus(error)) = &answer
            && !matches!(error, zbus::Error::MethodError(..) | zbus::Error::FDO(_))
        {
            *self.bus.lock().await = None;
        }
        answer
    }
}

const SILENCE: &str = "it does not answer";

fn kept(status: &DigestStatus) -> Kept {
    if status.enrolled {
        return Kept::Digests {
            realm: status.realm.clone(),
            algorithms: status.algorithms.clone(),
            is_login: status.source != Some(DigestSource::Separate),
        };
    }
    let why = match status.problem {
        Some(DigestProblem::OtherRealm) => "what is kept of your password is for another realm",
        Some(DigestProblem::OtherPerson) => {
            "what is kept of your password is of somebody else who had your name"
        }
        Some(DigestProblem::NoSuchUser) | None => "nothing is kept of your login password yet",
    };
    Kept::Nothing(format!(
        "{why}: run `sipwitch digest enrol`, or `sipwitch digest separate` for one of its own"
    ))
}

/// Why it cannot be asked, with what to do.
fn words(error: &Error) -> String {
    const INSTEAD: &str =
        "or give the extension a password of its own: `sipwitch extensions password`";
    const SEE: &str = "see `systemctl status sipwitch-digestd`";
    match error {
        Error::ZBus(zbus::Error::MethodError(name, ..))
            if name.as_str() == "org.freedesktop.DBus.Error.ServiceUnknown" =>
        {
            format!("the digest service is not installed: install sipwitch-digestd, {INSTEAD}")
        }
        Error::ZBus(zbus::Error::MethodError(_, words, _)) => {
            let words = words.as_deref().unwrap_or("it does not say why");
            format!("the digest service does not start: {words}; {SEE}")
        }
        Error::ZBus(zbus::Error::Failure(silence)) if silence == SILENCE => {
            format!("the digest service does not answer; {SEE}")
        }
        Error::ZBus(error) => {
            format!("the digest service cannot be reached on the system bus: {error}; {INSTEAD}")
        }
        other => format!("the digest service: {other}"),
    }
}
