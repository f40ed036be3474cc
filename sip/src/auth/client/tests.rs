// SPDX-License-Identifier: GPL-3.0-or-later

use bytes::Bytes;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sha2::{Digest as _, Sha512_256};

use super::{response::About, *};
use crate::{
    auth::{self, Algorithm, Authenticator, Ha1, Ha1Pair, Verdict},
    wire::{Limits, Message, Method, Request, Uri, parse_datagram},
};

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn alice() -> Credentials {
    Credentials::new("alice", Secret::new("secret"))
}

fn draft() -> Draft {
    let mut draft = Draft::request(&Method::Register, &Uri::parse("sip:example.net").unwrap());
    draft
        .push(&name::MAX_FORWARDS, "70")
        .push(&name::FROM, "<sip:alice@example.net>;tag=a")
        .push(&name::TO, "<sip:alice@example.net>")
        .push(&name::CALL_ID, "c")
        .push(&name::CSEQ, "1 REGISTER");
    draft
}

fn read(draft: &Draft) -> Request {
    let via = b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1";
    match parse_datagram(draft.encode_with_via(Some(via)), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn refusal(status: u16, fields: &[u8]) -> Option<Response> {
    let mut text = format!(
        "SIP/2.0 {status} Ask\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n"
    )
    .into_bytes();
    text.extend_from_slice(fields);
    text.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    match parse_datagram(text.into(), &Limits::default()) {
        Ok(Message::Response(response)) => Some(response),
        _ => None,
    }
}

fn asked(fields: &str) -> Response {
    refusal(401, fields.as_bytes()).expect("a response")
}

/// What is shown after this challenge.
fn shown(fields: &str) -> Result<Vec<String>, Denied> {
    let (mut answers, mut tries) = (Answers::default(), Tries::default());
    answers.challenged(&mut tries, &asked(fields), &alice(), &mut random())?;
    let mut draft = draft();
    answers.put(&mut draft, &alice());
    let request = read(&draft);
    let all = [&*name::AUTHORIZATION, &*name::PROXY_AUTHORIZATION];
    let values = all.into_iter().flat_map(|name| {
        request
            .headers()
            .all(name)
            .map(|value| String::from_utf8(value.into_owned()).unwrap())
            .collect::<Vec<_>>()
    });
    Ok(values.collect())
}

#[test]
fn the_examples_of_rfc_7616_3_9_1_come_out() {
    let mufasa = Credentials::new("Mufasa", Secret::new("Circle of Life"));
    for (algorithm, expected) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let field = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let challenge = challenge::read_all(field.as_bytes()).remove(0).expect("it is understood");
        let mut space = Space::new(false, challenge, &mut random());
        space.count = 1;
        space.cnonce = (*b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ").into();
        let about = About { method: b"GET", uri: b"/dir/index.html", body: b"" };
        assert_eq!(space.response(&about, &mufasa).to_hex().as_bytes(), expected.as_bytes());
    }
}

#[test]
fn without_qop_the_answer_is_that_of_rfc_2069() {
    let shown = shown("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n").unwrap().remove(0);
    // printf alice:r:secret | md5sum, REGISTER:sip:example.net, and both around the nonce.
    let md5 = |parts: &[&[u8]]| auth::Hash::Md5.of(parts).to_hex();
    let key = md5(&[b"alice:r:secret"]);
    let about = md5(&[b"REGISTER:sip:example.net"]);
    let expected = md5(&[key.as_bytes(), b":n:", about.as_bytes()]);
    let expected = String::from_utf8(expected.as_bytes().to_vec()).unwrap();
    assert!(shown.contains(&format!("response=\"{expected}\"")), "{shown}");
    for absent in ["qop", "nc=", "cnonce", "algorithm", "opaque"] {
        assert!(!shown.contains(absent), "{shown}");
    }
}

#[test]
fn our_own_judge_takes_what_is_shown() {
    let kept = |hash| {
        let sha512 = || Ha1::sha512_256(&Sha512_256::digest("alice:sipwitch:secret").into());
        Ha1Pair::of("alice", "sipwitch", "secret").under(hash).unwrap_or_else(sha512)
    };
    for algorithm in [
        Algorithm::Md5,
        Algorithm::Md5Session,
        Algorithm::Sha256,
        Algorithm::Sha256Session,
        Algorithm::Sha512T256,
        Algorithm::Sha512T256Session,
    ] {
        let rules = auth::Rules { algorithms: vec![algorithm], ..auth::Rules::default() };
        let mut judge = Authenticator::new(rules, &[1; 32], 1);
        let source = "192.0.2.7".parse().unwrap();
        let lookup = |judge: &mut Authenticator, draft: &Draft| {
            let request = read(draft);
            let verdict = judge.check(1, &request, source, |_, hash| Some(kept(hash)));
            (judge.answer(1, &request, source, &verdict, "t").encode(), verdict)
        };
        let mut draft = draft();
        let (refusal, _) = lookup(&mut judge, &draft);
        let Ok(Message::Response(refusal)) = parse_datagram(refusal, &Limits::default()) else {
            panic!("a response")
        };
        let (mut answers, mut tries) = (Answers::default(), Tries::default());
        answers.challenged(&mut tries, &refusal, &alice(), &mut random()).unwrap();
        for count in 1..=3 {
            answers.put(&mut draft, &alice());
            let (_, verdict) = lookup(&mut judge, &draft);
            let user = "alice".to_owned();
            assert_eq!(verdict, Verdict::Accepted { user }, "{algorithm:?}, use {count}");
        }
    }
}

#[test]
fn the_strongest_algorithm_is_taken_whatever_comes_first() {
    let field = |algorithm: &str| {
        format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"{algorithm}\r\n")
    };
    for (offered, taken) in [
        (&["", ", algorithm=SHA-256"][..], "algorithm=SHA-256,"),
        (&[", algorithm=SHA-256", ", algorithm=MD5"], "algorithm=SHA-256,"),
        (&[", algorithm=SHA-256", ", algorithm=sha-512-256"], "algorithm=SHA-512-256,"),
        (&[", algorithm=\"SHA-256-sess\"", ""], "algorithm=SHA-256-sess,"),
        (&[", algorithm=WARP", ", algorithm=md5"], "algorithm=MD5,"),
    ] {
        let fields: String = offered.iter().map(|offer| field(offer)).collect();
        let shown = shown(&fields).unwrap();
        assert_eq!(shown.len(), 1, "one answer for one realm");
        assert!(shown[0].contains(taken), "{offered:?}: {shown:?}");
    }
    // Several in one field, as HTTP has them.
    let one = "WWW-Authenticate: Basic realm=\"r\", Digest realm=\"r\", nonce=\"n\", \
        Digest realm=\"r\", nonce=\"m\", algorithm=SHA-256\r\n";
    assert!(shown(one).unwrap()[0].contains("nonce=\"m\""));
}

#[test]
fn several_who_ask_each_get_their_answer() {
    let (mut answers, mut tries) = (Answers::default(), Tries::default());
    for (status, field) in [
        (407, "Proxy-Authenticate: Digest realm=\"a\", nonce=\"1\", qop=\"auth\"\r\n"),
        (407, "Proxy-Authenticate: Digest realm=\"b\", nonce=\"2\", qop=\"auth\"\r\n"),
        (401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"3\", qop=\"auth\"\r\n"),
    ] {
        let response = refusal(status, field.as_bytes()).unwrap();
        answers.challenged(&mut tries, &response, &alice(), &mut random()).unwrap();
    }
    let mut draft = draft();
    answers.put(&mut draft, &alice());
    answers.put(&mut draft, &alice());
    let request = read(&draft);
    assert_eq!(request.headers().count(&name::PROXY_AUTHORIZATION), 2);
    assert_eq!(request.headers().count(&name::AUTHORIZATION), 1);
    let shown = in_draft(&draft);
    assert_eq!(shown.len(), 3);
    assert!(
        shown.iter().all(|(_, value)| { String::from_utf8_lossy(value).contains("nc=00000002") })
    );
    // One more who asks without an end is too much.
    let mut denied = None;
    for realm in 0..20 {
        let field = format!("Proxy-Authenticate: Digest realm=\"x{realm}\", nonce=\"1\"\r\n");
        let response = refusal(407, field.as_bytes()).unwrap();
        denied = answers.challenged(&mut tries, &response, &alice(), &mut random()).err();
        if denied.is_some() {
            break;
        }
    }
    assert_eq!(denied, Some(Denied::Endless));
    // In the next request those who ask take the places of those who do not ask any more.
    let mut tries = Tries::default();
    let response = asked("WWW-Authenticate: Digest realm=\"new\", nonce=\"1\"\r\n");
    assert_eq!(answers.challenged(&mut tries, &response, &alice(), &mut random()), Ok(()));
    assert!(answers.spaces.len() <= MOST_SPACES);
}

#[test]
fn a_password_is_shown_once_and_twice_more_where_the_nonce_was_stale() {
    let field = |stale: &str| {
        asked(&format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"{stale}\r\n"))
    };
    let mut answers = Answers::default();
    let mut ask = |tries: &mut Tries, stale| {
        answers.challenged(tries, &field(stale), &alice(), &mut random())
    };
    let mut tries = Tries::default();
    assert_eq!(ask(&mut tries, ""), Ok(()));
    assert_eq!(ask(&mut tries, ""), Err(Denied::Refused));
    let mut tries = Tries::default();
    assert_eq!(ask(&mut tries, ", stale=true"), Ok(()));
    assert_eq!(ask(&mut tries, ", stale=TRUE"), Ok(()));
    assert_eq!(ask(&mut tries, ", stale=\"true\""), Ok(()));
    assert_eq!(ask(&mut tries, ", stale=true"), Err(Denied::Endless));
    let mut tries = Tries::default();
    assert_eq!(ask(&mut tries, ""), Ok(()));
    assert_eq!(ask(&mut tries, ", stale=true"), Ok(()));
    assert_eq!(ask(&mut tries, ", stale=false"), Err(Denied::Refused));
}

#[test]
fn what_cannot_be_answered_is_told_apart() {
    for (fields, denied) in [
        ("", Denied::NoChallenge),
        ("WWW-Authenticate: \r\n", Denied::NoChallenge),
        ("WWW-Authenticate: Basic realm=\"r\"\r\n", Denied::NotKnown),
        ("WWW-Authenticate: Digest realm=\"r\"\r\n", Denied::NotKnown),
        ("WWW-Authenticate: Digest nonce=\"r\"\r\n", Denied::NotKnown),
        ("WWW-Authenticate: Digest realm=\"r\", nonce=\"\"\r\n", Denied::NotKnown),
        ("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=X\r\n", Denied::NotKnown),
        ("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"x\"\r\n", Denied::NotKnown),
    ] {
        assert_eq!(shown(fields).unwrap_err(), denied, "{fields}");
    }
    let long = format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{}\"\r\n", "n".repeat(2000));
    assert_eq!(shown(&long).unwrap_err(), Denied::NotKnown);
    let pinned = Credentials { realm: Some("mine".into()), ..alice() };
    let other = asked("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
    let denied =
        Answers::default().challenged(&mut Tries::default(), &other, &pinned, &mut random());
    assert_eq!(denied, Err(Denied::OtherRealm));
}

#[test]
fn quotes_and_escapes_go_back_as_they_came() {
    let shown = shown(
        "WWW-Authenticate: Digest realm=\"a \\\"b\\\\, c\", nonce = \"n,=\" , opaque=\"\",qop=auth\r\n",
    )
    .unwrap()
    .remove(0);
    assert!(shown.contains("realm=\"a \\\"b\\\\, c\""), "{shown}");
    assert!(shown.contains("nonce=\"n,=\""), "{shown}");
    assert!(shown.contains("opaque=\"\""), "{shown}");
    assert!(shown.contains("qop=auth, nc=00000001, cnonce=\""), "{shown}");
    let odd = Credentials::new("a\"\\\r\nb", Secret::new("x"));
    let (mut answers, mut tries) = (Answers::default(), Tries::default());
    let response = asked("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
    answers.challenged(&mut tries, &response, &odd, &mut random()).unwrap();
    let mut draft = draft();
    answers.put(&mut draft, &odd);
    let value = read(&draft).headers().text(&name::AUTHORIZATION).unwrap();
    assert!(value.starts_with("Digest username=\"a\\\"\\\\  b\", realm="), "{value}");
}

#[test]
fn the_next_nonce_is_taken_where_it_is_clear_whose_it_is() {
    let info = |value: &str| {
        let text = format!("Authentication-Info: qop=auth, nextnonce=\"{value}\"\r\n");
        refusal(200, text.as_bytes()).unwrap()
    };
    let shown = |answers: &mut Answers| {
        let mut draft = draft();
        answers.put(&mut draft, &alice());
        read(&draft).headers().text(&name::AUTHORIZATION).unwrap()
    };
    for (algorithm, renewed) in [("MD5", true), ("MD5-sess", false)] {
        let (mut answers, mut tries) = (Answers::default(), Tries::default());
        let field = format!(
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm={algorithm}\r\n"
        );
        answers.challenged(&mut tries, &asked(&field), &alice(), &mut random()).unwrap();
        shown(&mut answers);
        answers.heed(&info("m"));
        answers.heed(&info(""));
        let next = shown(&mut answers);
        assert_eq!(next.contains("nonce=\"m\"") && next.contains("nc=00000001"), renewed, "{next}");
    }
}

#[test]
fn a_nonce_that_is_used_up_is_used_no_more() {
    let (mut answers, mut tries) = (Answers::default(), Tries::default());
    let field = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    answers.challenged(&mut tries, &asked(field), &alice(), &mut random()).unwrap();
    answers.spaces[0].count = u32::MAX - 1;
    let mut draft = draft();
    answers.put(&mut draft, &alice());
    assert!(read(&draft).headers().text(&name::AUTHORIZATION).unwrap().contains("nc=ffffffff"));
    answers.put(&mut draft, &alice());
    assert_eq!(read(&draft).headers().count(&name::AUTHORIZATION), 0);
}

#[test]
fn nothing_printed_shows_the_password() {
    let credentials = Credentials::new("alice", Secret::new("hunter2"));
    assert!(!format!("{credentials:?}").contains("hunter2"));
    assert_ne!(credentials, alice());
    let (mut answers, mut tries) = (Answers::default(), Tries::default());
    let field = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    answers.challenged(&mut tries, &asked(field), &credentials, &mut random()).unwrap();
    assert!(!format!("{answers:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_challenge_makes_the_reader_panic_or_break_out(
        value in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = challenge::read_all(&value);
        let _ = challenge::next_nonce(&value);
    }

    #[test]
    fn whatever_is_sent_back_stays_in_one_sound_field(
        realm in "[ -~\u{e4}]{0,12}",
        more in "(, ?[a-z]{1,8} ?=?(\"[ -~]{0,8}\"|[!-~]{0,8})){0,4}",
    ) {
        let field = format!("WWW-Authenticate: Digest nonce=\"n\", realm=\"{realm}\"{more}\r\n");
        let Some(response) = refusal(401, field.as_bytes()) else { return Ok(()) };
        let (mut answers, mut tries) = (Answers::default(), Tries::default());
        if answers.challenged(&mut tries, &response, &alice(), &mut random()).is_ok() {
            let mut draft = draft();
            answers.put(&mut draft, &alice());
            let request = read(&draft);
            prop_assert_eq!(request.headers().count(&name::AUTHORIZATION), 1);
            let value = request.headers().value(&name::AUTHORIZATION).unwrap();
            // Our own reader takes it for one set of credentials for alice.
            let read = auth::Credentials::parse(&value).expect("sound").expect("digest");
            prop_assert_eq!(&*read.username, b"alice");
            prop_assert_eq!(&*read.uri, b"sip:example.net");
        }
    }
}

/// Keeps the type in the tests' sight: it is what an ACK repeats.
#[test]
fn a_request_without_credentials_has_none_to_repeat() {
    assert_eq!(in_draft(&draft()), Vec::<(Name, Bytes)>::new());
}
