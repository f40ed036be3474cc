// SPDX-License-Identifier: GPL-3.0-or-later
//! Against a played digest service at the other end of a socket pair.

use std::sync::Mutex as Locked;

use sipwitch_dbus_interfaces::digest::PATH;
use sipwitch_sip::auth::elsewhere::{Counted, InquiryId};
use tokio::net::UnixStream;
use zbus::{Guid, connection, interface};

use super::*;

/// How long an answer may take, the patience with a silent service included.
const SOON: Duration = Duration::from_secs(20);

/// What the played service says of a response.
#[derive(Debug, Clone)]
enum Says {
    Verdict(Result<bool, Error>),
    Nothing,
}

struct Played {
    says: Says,
    status: Result<DigestStatus, Error>,
    asked: Arc<Locked<Vec<HashMap<String, String>>>>,
}

#[interface(name = "org.gnutelephony.SipWitchDigest1")]
impl Played {
    async fn verify_response(&self, response: HashMap<String, String>) -> Result<bool, Error> {
        self.asked.lock().unwrap().push(response);
        match &self.says {
            Says::Verdict(verdict) => verdict.clone(),
            Says::Nothing => std::future::pending().await,
        }
    }

    async fn status(&self, user: String) -> Result<DigestStatus, Error> {
        assert_eq!(user, "", "the caller's own");
        self.status.clone()
    }
}

fn status() -> DigestStatus {
    DigestStatus {
        user: "ada".into(),
        uid: 1000,
        enrolled: true,
        problem: None,
        realm: "machine".into(),
        algorithms: vec!["SHA-256".into(), "MD5".into()],
        source: Some(DigestSource::Login),
        changed_at_microseconds: 1,
        path: "/etc/sipwitch.db".into(),
        fallback: false,
        wait_seconds: 42,
    }
}

/// A service that says that, and whoever asks it.
struct Asking {
    service: DigestService,
    told: mpsc::UnboundedReceiver<Inner>,
    asked: Arc<Locked<Vec<HashMap<String, String>>>>,
    _theirs: Connection,
}

impl Asking {
    async fn of(says: Says, status: Result<DigestStatus, Error>) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let asked = Arc::default();
        let played = Played { says, status, asked: Arc::clone(&asked) };
        let theirs = connection::Builder::unix_stream(theirs)
            .server(Guid::generate())
            .unwrap()
            .p2p()
            .serve_at(PATH, played)
            .unwrap();
        let ours = connection::Builder::unix_stream(ours).p2p();
        let (theirs, ours) = tokio::try_join!(theirs.build(), ours.build()).unwrap();
        let (inner, told) = mpsc::unbounded_channel();
        let bus = Arc::new(Mutex::new(Some(ours)));
        Self { service: DigestService { bus, inner }, told, asked, _theirs: theirs }
    }

    async fn next(&mut self) -> Inner {
        let told = tokio::time::timeout(SOON, self.told.recv()).await;
        told.expect("told in time").expect("we hold a sender")
    }

    async fn judge(&mut self, inquiry: Inquiry) -> Answer {
        self.service.judge(inquiry);
        match self.next().await {
            Inner::LoginJudged { inquiry, answer } => {
                assert_eq!(inquiry, InquiryId(7));
                answer
            }
            other => panic!("{other:?}"),
        }
    }
}

fn inquiry() -> Inquiry {
    Inquiry {
        id: InquiryId(7),
        username: "ada".into(),
        realm: "machine".into(),
        nonce: "n".into(),
        method: "REGISTER".into(),
        uri: "sip:house".into(),
        algorithm: "SHA-256",
        response: "00".into(),
        counted: Some(Counted { qop: "auth".into(), nc: "00000001".into(), cnonce: "c".into() }),
    }
}

#[tokio::test]
async fn what_is_kept_is_told_with_what_to_do_where_nothing_is() {
    let separate = DigestStatus { source: Some(DigestSource::Separate), ..status() };
    let later = DigestStatus { source: Some(DigestSource::Unknown), ..status() };
    let nothing = DigestStatus { enrolled: false, source: None, ..status() };
    let realm = DigestStatus { problem: Some(DigestProblem::OtherRealm), ..nothing.clone() };
    for (status, is_login) in [
        (status(), Some(true)),
        (separate, Some(false)),
        (later, Some(true)),
        (nothing, None),
        (realm, None),
    ] {
        let mut asking = Asking::of(Says::Nothing, Ok(status)).await;
        asking.service.look();
        match (asking.next().await, is_login) {
            (
                Inner::LoginKept(Ok(Kept::Digests { realm, algorithms, is_login })),
                Some(expected),
            ) => {
                assert_eq!(realm, "machine");
                assert_eq!(algorithms, ["SHA-256", "MD5"]);
                assert_eq!(is_login, expected);
            }
            (Inner::LoginKept(Ok(Kept::Nothing(words))), None) => {
                assert!(words.contains("sipwitch digest enrol"), "{words}");
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn each_thing_it_may_say_has_its_answer() {
    let said = || String::from("said");
    for (verdict, answer) in [
        (Ok(true), Answer::Right),
        (Ok(false), Answer::Wrong),
        (Err(Error::NotAuthorized(said())), Answer::Wrong),
        (Err(Error::BadResponse(said())), Answer::Wrong),
        (Err(Error::TooManyFailures(said())), Answer::HeldOff { seconds: 42 }),
        (Err(Error::NotEnrolled(said())), Answer::Silent),
        (Err(Error::LimitReached(said())), Answer::Silent),
    ] {
        let mut asking = Asking::of(Says::Verdict(verdict.clone()), Ok(status())).await;
        assert_eq!(asking.judge(inquiry()).await, answer, "{verdict:?}");
        let asked = asking.asked.lock().unwrap().remove(0);
        let mut parts: Vec<(&str, &str)> =
            asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        parts.sort_unstable();
        assert_eq!(
            parts,
            [
                ("algorithm", "SHA-256"),
                ("cnonce", "c"),
                ("method", "REGISTER"),
                ("nc", "00000001"),
                ("nonce", "n"),
                ("qop", "auth"),
                ("realm", "machine"),
                ("response", "00"),
                ("uri", "sip:house"),
                ("username", "ada"),
            ]
        );
    }
}

#[tokio::test]
async fn what_the_bus_cannot_carry_is_wrong_and_the_connection_stays() {
    let mut asking = Asking::of(Says::Verdict(Ok(true)), Ok(status())).await;
    let zero = Inquiry { username: "a\0a".into(), ..inquiry() };
    assert_eq!(asking.judge(zero).await, Answer::Wrong);
    assert!(asking.asked.lock().unwrap().is_empty());
    assert_eq!(asking.judge(inquiry()).await, Answer::Right);
    let plain = Inquiry { counted: None, ..inquiry() };
    assert_eq!(asking.judge(plain).await, Answer::Right);
    assert!(!asking.asked.lock().unwrap()[1].contains_key("nc"));
}

#[tokio::test]
async fn a_service_that_fails_or_says_nothing_is_unavailable_in_words() {
    let broken = Error::NotStored("the database cannot be read".into());
    for (says, word) in [
        (Says::Verdict(Err(broken)), "the database cannot be read"),
        (Says::Nothing, "does not answer"),
    ] {
        let mut asking = Asking::of(says, Ok(status())).await;
        asking.service.judge(inquiry());
        match asking.next().await {
            Inner::LoginKept(Err(words)) => assert!(words.contains(word), "{words}"),
            other => panic!("{other:?}"),
        }
        match asking.next().await {
            Inner::LoginJudged { answer, .. } => assert_eq!(answer, Answer::Silent),
            other => panic!("{other:?}"),
        }
    }
}
