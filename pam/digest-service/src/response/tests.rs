// SPDX-License-Identifier: GPL-3.0-or-later
//! Examples of the RFCs, what Python's hashlib makes of the rest, and what is no response.

use proptest::prelude::*;

use super::*;

fn parts(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn ha1(response: &Response, password: &str) -> Ha1 {
    response.algorithm.ha1(&response.user, &response.realm, password.as_bytes())
}

#[test]
fn the_examples_of_the_rfcs_are_right() {
    let of_2617 = [
        ("username", "Mufasa"),
        ("realm", "testrealm@host.com"),
        ("nonce", "dcd98b7102dd2f0e8b11d0f600bfb0c093"),
        ("uri", "/dir/index.html"),
        ("method", "GET"),
    ];
    let with_qop = [("qop", "auth"), ("nc", "00000001"), ("cnonce", "0a4f113b")];
    let mut old = parts(&of_2617);
    // RFC 2617 with the erratum on RFC 2069.
    old.insert("response".into(), "670fd8c2df070c60b045671b8b24ff02".into());
    let mut newer = parts(&[&of_2617[..], &with_qop].concat());
    newer.insert("response".into(), "6629fae49393a05397450978507c4ef1".into());
    for parts in [old, newer] {
        let response = Response::read(&parts).unwrap();
        assert!(response.is_of(&ha1(&response, "Circle Of Life")));
        assert!(!response.is_of(&ha1(&response, "Circle of Life")));
    }
    // RFC 7616 §3.9.1.
    for (algorithm, answer) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let response = Response::read(&parts(&[
            ("username", "Mufasa"),
            ("realm", "http-auth@example.org"),
            ("nonce", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"),
            ("uri", "/dir/index.html"),
            ("method", "GET"),
            ("qop", "auth"),
            ("nc", "00000001"),
            ("cnonce", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"),
            ("algorithm", algorithm),
            ("response", answer),
        ]));
        let response = response.unwrap();
        assert!(response.is_of(&ha1(&response, "Circle of Life")), "{algorithm}");
    }
}

/// Algorithm, qop, hash of the body, response.
const MADE_BY_PYTHON: &[(&str, &str, &str, &str)] = &[
    ("MD5", "", "", "3ebf0fab5fdc9dc743d0a5d80965aba2"),
    ("MD5", "auth", "", "79f9b7ae5b492bf049ea5dc103effc3d"),
    ("MD5", "auth-int", "b0d75ee0fad0609be9c67fb60aaf290a", "465cc202b4de706180286e46eb03017e"),
    ("MD5-sess", "", "", "6a5347cc9b9b8a792840ea46c36444d7"),
    ("MD5-sess", "auth", "", "293ffc8fa95d0c694428b9a36d4f66ef"),
    (
        "MD5-sess",
        "auth-int",
        "b0d75ee0fad0609be9c67fb60aaf290a",
        "3881493873477464d4efd6c29b5268f7",
    ),
    ("SHA-256", "", "", "31322feaca6efd7195d21accf6ca0f0dc6685eaf0eb6b1bea5ce729914ceff63"),
    ("SHA-256", "auth", "", "6a1debeb383a0b76e2ca5f9c11c1c0feed0984c6742fd46c273e463c9deea862"),
    (
        "SHA-256",
        "auth-int",
        "4cf57627095fbc4886de378fcb3407917caca20bf078ca3f0fac3e5ca9b192d8",
        "42c5424a112256e3d21a039adf84b92a7d15be7ecc08cb2e94f103baecce7d6c",
    ),
    ("SHA-256-sess", "", "", "54e6c546e6af6c4bc7c11d234b43c9f5ba030066d8af40e7fee31191a167c995"),
    (
        "SHA-256-sess",
        "auth",
        "",
        "19ad15a835ae2c5e8b4614ceacc23753b07fac69404356910541dade06773e41",
    ),
    (
        "SHA-256-sess",
        "auth-int",
        "4cf57627095fbc4886de378fcb3407917caca20bf078ca3f0fac3e5ca9b192d8",
        "456eae6698a0495b8c0861276496762d807dc4e5c501cba281b5eb53aecfe1b4",
    ),
    ("SHA-512-256", "", "", "8b0740f807a6b0622a849f2e354433b685c72f5d5af8d5eff748f5cb2d52024b"),
    ("SHA-512-256", "auth", "", "d5dc1f1991b691ea63a08ae986eab5a4b24fb5235d35fd16ff52c01089eb411b"),
    (
        "SHA-512-256",
        "auth-int",
        "e050f8d20c299116e66c1c52b5a7f4d2acf70360afc71d77ba606422a5971779",
        "76becfca8474b805769d3cdd0448a1b12437593d670b9221eda02313aac4df1a",
    ),
    (
        "SHA-512-256-sess",
        "",
        "",
        "66ba0c167b9ce5c5006128aa50b7577822db7a11274f950dca0fc97c99391f85",
    ),
    (
        "SHA-512-256-sess",
        "auth",
        "",
        "ce15568c3199385f9df7790c650fbf14064df2151f28fd4d518ab63ee0ed1d7c",
    ),
    (
        "SHA-512-256-sess",
        "auth-int",
        "e050f8d20c299116e66c1c52b5a7f4d2acf70360afc71d77ba606422a5971779",
        "de6e6185aea226c62c3486deb9f5a1cf3db1ab905aa96a2c0530155308274888",
    ),
];

fn made_by_python(at: usize) -> HashMap<String, String> {
    let (algorithm, qop, body, answer) = MADE_BY_PYTHON[at];
    let mut parts = parts(&[
        ("username", "anna"),
        ("realm", "house"),
        ("nonce", "n:1"),
        ("cnonce", "c,2"),
        ("nc", "0000000a"),
        ("uri", "sip:example.org"),
        ("method", "REGISTER"),
        ("algorithm", algorithm),
        ("response", answer),
        ("opaque", "of no interest"),
    ]);
    if !qop.is_empty() {
        parts.insert("qop".into(), qop.into());
    }
    if !body.is_empty() {
        parts.insert("body-digest".into(), body.into());
    }
    parts
}

#[test]
fn every_algorithm_works_with_every_protection() {
    for (at, made) in MADE_BY_PYTHON.iter().enumerate() {
        let parts = made_by_python(at);
        let response = Response::read(&parts).unwrap();
        assert!(response.is_of(&ha1(&response, "Zoë 1")), "{made:?}");
        assert!(!response.is_of(&ha1(&response, "Zoe 1")));

        // What it was made of cannot be exchanged.
        let mut used = vec!["username", "realm", "nonce", "uri", "method", "response"];
        if parts.contains_key("qop") {
            used.extend(["nc", "cnonce"]);
        }
        used.extend(parts.contains_key("body-digest").then_some("body-digest"));
        for name in used {
            let mut other = parts.clone();
            let value = &parts[name];
            let flipped = if value.ends_with('1') { '2' } else { '1' };
            other.insert(name.into(), format!("{}{flipped}", &value[..value.len() - 1]));
            let other = Response::read(&other).unwrap();
            assert!(!other.is_of(&ha1(&other, "Zoë 1")), "{name} {made:?}");
        }
    }
}

#[test]
fn capitals_of_names_and_hashes_do_not_matter() {
    let mut parts = made_by_python(3);
    for name in ["algorithm", "response"] {
        let value = parts[name].to_ascii_uppercase();
        parts.insert(name.into(), value);
    }
    let response = Response::read(&parts).unwrap();
    assert!(response.is_of(&ha1(&response, "Zoë 1")));
}

#[test]
fn what_is_missing_or_of_a_wrong_form_is_named() {
    for name in
        ["username", "realm", "nonce", "uri", "method", "response", "nc", "cnonce", "body-digest"]
    {
        let mut parts = made_by_python(5);
        parts.remove(name);
        assert_eq!(Response::read(&parts), Err(BadResponse::Missing(name)));
        parts.insert(name.into(), "x".repeat(LONGEST_PART + 1));
        assert_eq!(Response::read(&parts), Err(BadResponse::Long(name)));
    }
    let long = "0".repeat(63);
    for (name, value) in [
        ("username", ""),
        ("username", "an:na"),
        ("username", "anna\n"),
        ("realm", "ho\"use"),
        ("nonce", ""),
        ("cnonce", ""),
        ("uri", ""),
        ("method", ""),
        ("nc", ""),
        ("nc", "0000000g"),
        ("nc", "000000001"),
        ("nc", "-1"),
        ("qop", "auth-conf"),
        ("qop", "AUTH"),
        ("algorithm", ""),
        ("algorithm", "-sess"),
        ("algorithm", "AKAv1-MD5"),
        ("algorithm", "SHA256"),
        ("algorithm", "MD5-sess-sess"),
        ("algorithm", "éé-ess"),
        ("response", ""),
        ("response", &long),
        ("response", &"g".repeat(64)),
        ("body-digest", "00"),
        ("userhash", "true"),
    ] {
        let mut parts = made_by_python(8);
        parts.insert(name.into(), value.into());
        assert_eq!(Response::read(&parts), Err(BadResponse::Form(name)), "{name}={value}");
    }
    let many = (0..=MOST_PARTS).map(|at| (at.to_string(), String::new())).collect();
    assert_eq!(Response::read(&many), Err(BadResponse::Many));
}

proptest! {
    #[test]
    fn no_string_makes_it_panic_or_right(
        replaced in proptest::collection::hash_map(
            prop_oneof!["username", "nonce", "uri", "nc", "cnonce", "qop", "algorithm", "response"],
            ".{0,80}",
            1..4,
        ),
        at in 0..MADE_BY_PYTHON.len(),
    ) {
        let mut parts = made_by_python(at);
        let good = Response::read(&parts).unwrap();
        parts.extend(replaced);
        if let Ok(response) = Response::read(&parts) {
            let ha1 = ha1(&good, "Zoë 1");
            prop_assert!(!response.is_of(&ha1) || response == good || parts == made_by_python(at)
                || response.response == good.response);
        }
    }
}
