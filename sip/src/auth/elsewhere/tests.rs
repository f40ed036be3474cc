// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use bytes::Bytes;
use md5::{Digest, Md5};
use proptest::prelude::*;
use sha2::{Sha256, Sha512_256};

use super::{
    Answer, Counted, Elsewhere, Inquiry, InquiryId, MOST, MOST_OF_PAIR, MOST_OF_SOURCE, PATIENCE,
};
use crate::{
    auth::{Algorithm, Authenticator, Ha1Pair, Patience, Refusal, Rules, Verdict},
    wire::{Limits, Message, Request, name, parse_datagram},
};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NOW: u64 = 1_790_000_000;
const URI: &str = "sip:example.org";
const STALE: Verdict = Verdict::Challenge { stale: true };
const WRONG: Verdict = Verdict::Challenge { stale: false };

/// A judge whose neighbour keeps the digests of `machine`, where ada's password is "geheim".
struct Pair {
    judge: Authenticator,
    elsewhere: Elsewhere,
    begin: Instant,
    now: Instant,
}

/// What a phone signs.
#[derive(Clone, Copy)]
struct Phone {
    source: IpAddr,
    user: &'static str,
    password: &'static str,
    algorithm: Algorithm,
}

const ADA: Phone =
    Phone { source: HOME, user: "ada", password: "geheim", algorithm: Algorithm::Sha256 };

fn hex(algorithm: Algorithm, text: &str) -> String {
    let bytes = match algorithm {
        Algorithm::Md5 | Algorithm::Md5Session => Md5::digest(text).to_vec(),
        Algorithm::Sha256 | Algorithm::Sha256Session => Sha256::digest(text).to_vec(),
        Algorithm::Sha512T256 | Algorithm::Sha512T256Session => Sha512_256::digest(text).to_vec(),
    };
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request(authorization: &str) -> Request {
    let text = format!(
        "REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:101@example.org>;tag=a\r\nTo: <sip:101@example.org>\r\n\
         Call-ID: c\r\nCSeq: 1 REGISTER\r\nUser-Agent: Desk/1\r\n{authorization}\
         Content-Length: 0\r\n\r\n"
    );
    match parse_datagram(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

impl Pair {
    fn new() -> Self {
        let rules = Rules { realm: "example.org".into(), ..Rules::default() };
        let realm = "machine".to_owned();
        let algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
        let begin = Instant::now();
        Self {
            judge: Authenticator::new(rules, &[7; 32], 1),
            elsewhere: Elsewhere { realm, algorithms },
            begin,
            now: begin,
        }
    }

    fn seconds(&self) -> u64 {
        NOW + (self.now - self.begin).as_secs()
    }

    fn challenges(&mut self, source: IpAddr) -> Vec<String> {
        let asked = request("");
        let (now, instant) = (self.seconds(), self.now);
        let verdict = self.judge.check_elsewhere(now, instant, &asked, source, &self.elsewhere);
        assert_eq!(verdict, WRONG);
        let draft =
            self.judge.answer_elsewhere(now, &asked, source, &self.elsewhere, &verdict, "t");
        let Ok(Message::Response(response)) = parse_datagram(draft.encode(), &Limits::default())
        else {
            panic!("a response");
        };
        assert_eq!(response.status(), 401);
        let values = response.headers().all(&name::WWW_AUTHENTICATE);
        values.map(|value| String::from_utf8(value.into_owned()).unwrap()).collect()
    }

    fn nonce(&mut self, source: IpAddr) -> String {
        let challenge = self.challenges(source).remove(0);
        let (_, rest) = challenge.split_once("nonce=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    fn try_with(&mut self, phone: Phone, nonce: &str, nc: u32) -> Verdict {
        let Phone { source, user, password, algorithm } = phone;
        let ha1 = hex(algorithm, &format!("{user}:machine:{password}"));
        let ha2 = hex(algorithm, &format!("REGISTER:{URI}"));
        let response = hex(algorithm, &format!("{ha1}:{nonce}:{nc:08x}:c0:auth:{ha2}"));
        let request = request(&format!(
            "Authorization: Digest username=\"{user}\", realm=\"machine\", nonce=\"{nonce}\", \
             uri=\"{URI}\", algorithm={}, qop=auth, nc={nc:08x}, cnonce=\"c0\", \
             response=\"{response}\"\r\n",
            algorithm.name()
        ));
        let (now, instant) = (self.seconds(), self.now);
        self.judge.check_elsewhere(now, instant, &request, source, &self.elsewhere)
    }

    /// Tries and expects to be asked about.
    fn ask(&mut self, phone: Phone, nonce: &str, nc: u32) -> InquiryId {
        match self.try_with(phone, nonce, nc) {
            Verdict::Asked(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, id: InquiryId, answer: Answer) -> Option<Verdict> {
        self.judge.answered_elsewhere(self.seconds(), id, answer)
    }

    /// The neighbour answers everything that he is asked.
    fn keeper_answers(&mut self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        while let Some(inquiry) = self.judge.poll_inquiry() {
            let answer = if is_right(&inquiry) { Answer::Right } else { Answer::Wrong };
            verdicts.extend(self.answer(inquiry.id, answer));
        }
        verdicts
    }

    /// From the challenge to the verdict.
    fn once(&mut self, phone: Phone) -> Verdict {
        let nonce = self.nonce(phone.source);
        match self.try_with(phone, &nonce, 1) {
            Verdict::Asked(_) => self.keeper_answers().remove(0),
            verdict => verdict,
        }
    }
}

/// The neighbour: he has nothing but what an [`Inquiry`] says.
fn is_right(inquiry: &Inquiry) -> bool {
    let Inquiry { username, realm, nonce, method, uri, algorithm, response, counted, .. } = inquiry;
    let algorithm = Algorithm::from_name(algorithm).unwrap();
    let Some(Counted { qop, nc, cnonce }) = counted else { return false };
    let ha1 = hex(algorithm, "ada:machine:geheim");
    let ha2 = hex(algorithm, &format!("{method}:{uri}"));
    username == "ada"
        && realm == "machine"
        && *response == hex(algorithm, &format!("{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}"))
}

fn accepted() -> Verdict {
    Verdict::Accepted { user: "ada".into() }
}

fn held(seconds: u64) -> Verdict {
    Verdict::Refused(Refusal::TooManyFailures { retry_after_seconds: seconds })
}

#[test]
fn the_challenge_names_the_realm_elsewhere_and_what_is_kept_there_alone() {
    let mut pair = Pair::new();
    let both = pair.challenges(HOME);
    assert_eq!(both.len(), 2);
    for (challenge, algorithm) in both.iter().zip(["SHA-256", "MD5"]) {
        assert!(challenge.starts_with("Digest realm=\"machine\""), "{challenge}");
        assert!(challenge.contains(&format!("algorithm={algorithm},")), "{challenge}");
    }
    pair.elsewhere.algorithms = vec![Algorithm::Sha256];
    assert_eq!(pair.challenges(HOME).len(), 1);
    let nonce = pair.nonce(HOME);
    assert_eq!(pair.try_with(Phone { algorithm: Algorithm::Md5, ..ADA }, &nonce, 1), WRONG);
    assert_eq!(pair.judge.poll_inquiry(), None, "what was not offered is not asked about");
}

#[test]
fn a_right_answer_lets_in_and_a_wrong_one_is_challenged_again() {
    let mut pair = Pair::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        assert_eq!(pair.once(Phone { algorithm, ..ADA }), accepted());
        assert_eq!(pair.once(Phone { algorithm, password: "old", ..ADA }), WRONG);
    }
    assert_eq!(pair.judge.next_deadline(), None);
}

#[test]
fn credentials_of_our_own_realm_are_of_no_use_there_nor_the_other_way_round() {
    let mut pair = Pair::new();
    // A nonce belongs to its realm.
    let own = pair.judge.challenges(NOW, &request(""), HOME, false).remove(0);
    let (_, rest) = own.split_once("nonce=\"").unwrap();
    let own = rest.split_once('"').unwrap().0;
    assert_eq!(pair.try_with(ADA, own, 1), STALE);
    let nonce = pair.nonce(HOME);
    let signed = request(&format!(
        "Authorization: Digest username=\"ada\", realm=\"machine\", nonce=\"{nonce}\", \
         uri=\"{URI}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\", response=\"{}\"\r\n",
        "0".repeat(32)
    ));
    let lookup = |_: crate::auth::Username<'_>, hash| {
        Ha1Pair::of("ada", "example.org", "geheim").under(hash)
    };
    assert_eq!(pair.judge.check(NOW, &signed, HOME, lookup), WRONG);
    assert_eq!(pair.judge.poll_inquiry(), None);
}

#[test]
fn a_late_answer_is_none_and_the_phone_was_told_when_to_try_again() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(HOME);
    let id = pair.ask(ADA, &nonce, 1);
    let due = pair.judge.next_deadline().unwrap();
    assert_eq!(due, pair.now + PATIENCE);
    pair.now = due - Duration::from_millis(1);
    assert_eq!(pair.judge.elsewhere_overdue(pair.now), []);
    pair.now = due;
    let silent = Verdict::Refused(Refusal::NoAnswer { retry_after_seconds: 5 });
    assert_eq!(pair.judge.elsewhere_overdue(pair.now), [(id, silent.clone())]);
    assert_eq!(pair.judge.next_deadline(), None);
    assert_eq!(pair.judge.poll_inquiry(), None, "what is over is not asked about any more");
    assert_eq!(pair.answer(id, Answer::Right), None);
    let (now, asked) = (pair.seconds(), request(""));
    let draft = pair.judge.answer_elsewhere(now, &asked, HOME, &pair.elsewhere, &silent, "t");
    let told = String::from_utf8(draft.encode().to_vec()).unwrap();
    assert!(told.starts_with("SIP/2.0 503 "), "{told}");
    assert!(told.contains("\r\nRetry-After: 5\r\n"), "{told}");
    // The count was not used up.
    assert_eq!(pair.try_with(ADA, &nonce, 1), Verdict::Asked(InquiryId(id.0 + 1)));
    assert_eq!(pair.keeper_answers(), [accepted()]);
}

#[test]
fn a_keeper_who_is_silent_or_holds_off_is_held_against_nobody() {
    let mut pair = Pair::new();
    for _ in 0..20 {
        for (answer, verdict) in [
            (Answer::Silent, Verdict::Refused(Refusal::NoAnswer { retry_after_seconds: 5 })),
            (Answer::HeldOff { seconds: 30 }, held(30)),
            (Answer::HeldOff { seconds: 0 }, held(1)),
        ] {
            let nonce = pair.nonce(HOME);
            let id = pair.ask(ADA, &nonce, 1);
            assert_eq!(pair.answer(id, answer), Some(verdict));
            pair.judge.poll_inquiry();
        }
    }
    assert_eq!(pair.once(ADA), accepted());
}

#[test]
fn of_two_requests_with_the_same_credentials_one_comes_in() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(HOME);
    let (one, two) = (pair.ask(ADA, &nonce, 1), pair.ask(ADA, &nonce, 1));
    assert_eq!(pair.answer(two, Answer::Right), Some(accepted()));
    assert_eq!(pair.answer(one, Answer::Right), Some(STALE));
    let next = pair.ask(ADA, &nonce, 2);
    assert_eq!(pair.answer(next, Answer::Right), Some(accepted()));
    assert_eq!(pair.answer(next, Answer::Right), None, "an inquiry is answered once");
}

#[test]
fn guessing_is_held_off_here_before_the_keeper_hears_of_it() {
    let mut pair = Pair::new();
    let wrong = Phone { password: "wrong", ..ADA };
    for _ in 0..6 {
        assert_eq!(pair.once(wrong), WRONG);
    }
    assert_eq!(pair.once(wrong), held(2));
    assert_eq!(pair.judge.poll_inquiry(), None);
    assert_eq!(pair.once(ADA), held(2), "right, but not now");
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
    assert_eq!(pair.once(Phone { source: other, ..ADA }), accepted(), "from elsewhere");
    pair.now += Duration::from_secs(2);
    assert_eq!(pair.once(ADA), accepted());
    assert_eq!(pair.once(wrong), WRONG, "the right password clears the past");
}

#[test]
fn a_name_that_nobody_has_fares_as_one_with_a_wrong_password() {
    let (mut one, mut two) = (Pair::new(), Pair::new());
    for attempt in 0..12 {
        let wrong = one.once(Phone { password: "wrong", ..ADA });
        let nobody = two.once(Phone { user: "eve", ..ADA });
        assert_eq!(wrong, nobody, "attempt {attempt}");
    }
    assert_eq!(one.judge.inquiries.last, two.judge.inquiries.last, "both were asked about");
}

#[test]
fn guesses_made_at_once_do_not_get_round_the_patience() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(LOCAL);
    let wrong = Phone { source: LOCAL, password: "wrong", ..ADA };
    let mut asked = 0;
    for nc in 1..1000 {
        match pair.try_with(wrong, &nonce, nc) {
            Verdict::Asked(_) => asked += 1,
            verdict => assert_eq!(verdict, Verdict::Refused(Refusal::Busy)),
        }
    }
    assert_eq!(asked, MOST_OF_PAIR);
    // A neighbour on the same machine, under another name, is not shut out.
    let other = Phone { source: LOCAL, user: "eve", ..ADA };
    assert!(matches!(pair.try_with(other, &nonce, 1), Verdict::Asked(_)));
    assert_eq!(pair.keeper_answers(), vec![WRONG; MOST_OF_PAIR + 1]);
    assert!(matches!(
        pair.try_with(wrong, &nonce, 1000),
        Verdict::Refused(Refusal::TooManyFailures { .. })
    ));
}

#[test]
fn a_flood_is_bounded_for_each_source_and_in_all_and_ebbs() {
    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut pair = Pair::new();
    let mut asked = 0;
    for host in 0..100_u8 {
        let source = IpAddr::V4(Ipv4Addr::new(198, 51, 100, host));
        let nonce = pair.nonce(source);
        let mut of_source = 0;
        for nc in 1..100 {
            let user = NAMES[nc as usize % NAMES.len()];
            match pair.try_with(Phone { source, user, ..ADA }, &nonce, nc) {
                Verdict::Asked(_) => of_source += 1,
                verdict => assert_eq!(verdict, Verdict::Refused(Refusal::Busy)),
            }
        }
        assert!(of_source <= MOST_OF_SOURCE);
        asked += of_source;
    }
    assert_eq!(asked, MOST);
    let nonce = pair.nonce(HOME);
    assert_eq!(pair.try_with(ADA, &nonce, 1), Verdict::Refused(Refusal::Busy));
    pair.now += PATIENCE;
    assert_eq!(pair.judge.elsewhere_overdue(pair.now).len(), MOST);
    assert_eq!(pair.once(ADA), accepted());
}

#[test]
fn what_is_too_long_to_hand_on_is_malformed() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(HOME);
    let long = "x".repeat(1025);
    for (user, cnonce) in [(long.as_str(), "c"), ("ada", long.as_str())] {
        let signed = request(&format!(
            "Authorization: Digest username=\"{user}\", realm=\"machine\", nonce=\"{nonce}\", \
             uri=\"{URI}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"{cnonce}\", \
             response=\"{}\"\r\n",
            "0".repeat(32)
        ));
        let (now, instant) = (pair.seconds(), pair.now);
        let verdict = pair.judge.check_elsewhere(now, instant, &signed, HOME, &pair.elsewhere);
        assert!(
            matches!(&verdict, Verdict::Malformed(fault) if fault.status == 400),
            "{verdict:?}"
        );
    }
    assert_eq!(pair.judge.poll_inquiry(), None);
}

/// What happens to a phone and its keeper, in any order.
#[derive(Debug, Clone)]
enum Step {
    Try { right: bool, nc: u32, host: u8 },
    Answer { which: usize, silent: bool },
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (any::<bool>(), 1..12_u32, 0..3_u8).prop_map(|(right, nc, host)| Step::Try {
            right,
            nc,
            host
        }),
        (0..8_usize, any::<bool>()).prop_map(|(which, silent)| Step::Answer { which, silent }),
        (0..6000_u16).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever the order: each inquiry ends once, no count of a nonce comes in twice, nobody comes
    /// in with a wrong password, and in the end nothing is left.
    #[test]
    fn every_inquiry_ends_once(steps in steps()) {
        let mut pair = Pair::new();
        let source = |host: u8| IpAddr::V4(Ipv4Addr::new(192, 0, 2, host));
        let nonces: Vec<String> = (0..3).map(|host| pair.nonce(source(host))).collect();
        let mut open: Vec<(InquiryId, bool, (u8, u32))> = Vec::new();
        let mut used = std::collections::HashSet::new();
        pair.judge.backoff = crate::auth::Backoff::new(Patience { free: 4, ..Patience::default() });
        for step in steps {
            match step {
                Step::Try { right, nc, host } => {
                    let password = if right { "geheim" } else { "wrong" };
                    let phone = Phone { source: source(host), password, ..ADA };
                    if let Verdict::Asked(id) = pair.try_with(phone, &nonces[usize::from(host)], nc) {
                        let inquiry = pair.judge.poll_inquiry().unwrap();
                        prop_assert_eq!(inquiry.id, id);
                        prop_assert_eq!(is_right(&inquiry), right);
                        open.push((id, right, (host, nc)));
                    }
                }
                Step::Answer { which, silent } => {
                    if which < open.len() {
                        let (id, right, count) = open.remove(which);
                        let answer = match (silent, right) {
                            (true, _) => Answer::Silent,
                            (false, true) => Answer::Right,
                            (false, false) => Answer::Wrong,
                        };
                        let verdict = pair.answer(id, answer);
                        prop_assert!(verdict.is_some());
                        prop_assert!(pair.answer(id, Answer::Right).is_none());
                        if matches!(verdict, Some(Verdict::Accepted { .. })) {
                            prop_assert!(right && !silent);
                            prop_assert!(used.insert(count), "{:?} twice", count);
                        }
                    }
                }
                Step::Pass(milliseconds) => {
                    pair.now += Duration::from_millis(milliseconds.into());
                    for (id, verdict) in pair.judge.elsewhere_overdue(pair.now) {
                        prop_assert!(!matches!(verdict, Verdict::Accepted { .. }), "{:?}", verdict);
                        let before = open.len();
                        open.retain(|(other, ..)| *other != id);
                        prop_assert_eq!(open.len() + 1, before);
                    }
                }
            }
            prop_assert!(open.len() <= MOST);
            prop_assert_eq!(open.is_empty(), pair.judge.next_deadline().is_none());
        }
        pair.now += PATIENCE;
        prop_assert_eq!(pair.judge.elsewhere_overdue(pair.now).len(), open.len());
        prop_assert!(pair.judge.next_deadline().is_none());
    }
}
