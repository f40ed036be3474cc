// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{
    super::{
        certificate::{BadCertificate, Certificate, Defect, identity},
        trust::Trust,
    },
    Authority, names,
};
use crate::peer::PeerIdentity;

/// 2026-01-01.
fn today() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600))
}

fn check(trust: &Trust, chain: &[CertificateDer<'_>], wanted: &str) -> Result<(), BadCertificate> {
    let certificate = Certificate::read(&chain[0])?;
    certificate.check_issuer(trust, &chain[1..], today())?;
    certificate.check_name(wanted)
}

#[test]
fn names_are_those_of_sip_uris_or_else_of_the_dns_and_never_wildcards() {
    let authority = Authority::new();
    for (shown, wanted, fits) in [
        (&["example.org"][..], "example.org", true),
        (&["EXAMPLE.org"], "example.ORG", true),
        (&["a.example", "example.org"], "example.org", true),
        (&["example.org"], "example.org.", true),
        (&["sip:example.org"], "example.org", true),
        (&["SIP:Example.org;lr"], "example.org", true),
        (&["sip:example.org:5061"], "example.org", true),
        // A wildcard, a suffix and a parent are other names.
        (&["*.example.org"], "sip.example.org", false),
        (&["example.org"], "sip.example.org", false),
        (&["sip.example.org"], "example.org", false),
        // With a SIP URI the DNS names are for something else, such as a web server.
        (&["sip:example.org", "example.com"], "example.com", false),
        (&["https://example.org/", "example.com"], "example.com", true),
        (&["https://example.com/"], "example.com", false),
        // A user is not a domain.
        (&["sip:bob@example.org"], "example.org", false),
        (&["sips:example.org"], "example.org", false),
        // The common name says this.
        (&["example.org"], "nobody.example", false),
        (&[], "nobody.example", false),
        // Numeric addresses are names of their own.
        (&["192.0.2.1"], "192.0.2.1", true),
        (&["2001:db8::1"], "2001:db8::1", true),
        (&["192.0.2.1"], "192.0.2.2", false),
        (&["example.org"], "192.0.2.1", false),
        (&["sip:192.0.2.1"], "192.0.2.1", false),
    ] {
        let issued = authority.issue(&names(shown));
        let checked = check(&authority.trust(), &issued.chain, wanted);
        assert_eq!(checked.is_ok(), fits, "{shown:?} for {wanted}: {checked:?}");
        if let Err(bad) = checked {
            assert!(matches!(bad.defect, Defect::OtherName(_)), "{bad}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let authority = Authority::new();
    let trust = authority.trust();
    let shown = || names(&["a.example", "b.example"]);
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = shown();
        change(&mut params);
        params
    };
    let past = with(&|params| params.not_after = date_time_ymd(2025, 6, 30));
    let future = with(&|params| params.not_before = date_time_ymd(2030, 6, 30));
    let mail = with(&|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    });
    let stranger = Authority::named("A Stranger");
    for (chain, words) in [
        (authority.issue(&past), "its certificate for a.example, b.example expired on 2025-06-30"),
        (authority.issue(&future), "not valid before 2030-06-30"),
        (authority.issue(&mail), "neither for servers nor for SIP domains"),
        (authority.issue(&shown()), "is for a.example, b.example and not for c.b.example"),
        (
            authority.issue(&names(&["*.b.example"])),
            "is for *.b.example and not for c.b.example; a name with * counts for nothing here",
        ),
        (super::authority::Issued::self_signed(&shown()), "is self-signed; if you know it"),
        (Authority::new().issue(&shown()), "is unsound: InvalidSignatureForPublicKey"),
        (stranger.issue(&shown()), "was issued by A Stranger, an authority unknown here"),
    ] {
        let bad = check(&trust, &chain.chain, "c.b.example").unwrap_err().to_string();
        assert!(bad.contains(words), "{bad}\nhas no: {words}");
    }
    let garbage = [CertificateDer::from(b"certificate".to_vec())];
    let bad = check(&trust, &garbage, "c.example").unwrap_err().to_string();
    assert!(bad.contains("for nobody is unsound"), "{bad}");
}

#[test]
fn many_names_are_told_in_few_words() {
    let many: Vec<String> = (0..300).map(|number| format!("n{number}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let authority = Authority::new();
    let issued = authority.issue(&names(&many));
    let bad = check(&authority.trust(), &issued.chain, "other.example").unwrap_err().to_string();
    assert!(bad.contains("n3.example and 96 more and not for other.example"), "{bad}");
}

#[test]
fn a_chain_over_others_is_followed_and_its_missing_link_is_missed() {
    let authority = Authority::new();
    let issued = authority.issue_in_between(&names(&["example.org"]));
    assert_eq!(check(&authority.trust(), &issued.chain, "example.org"), Ok(()));
    let bad = check(&authority.trust(), &issued.chain[..1], "example.org").unwrap_err();
    assert_eq!(bad.defect, Defect::UnknownIssuer);
    assert_eq!(bad.issuer, "In Between");
}

#[test]
fn a_certificate_for_sip_domains_alone_will_do() {
    let authority = Authority::new();
    let sip_domain = ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 20]);
    for usages in [vec![], vec![sip_domain], vec![ExtendedKeyUsagePurpose::ServerAuth]] {
        let mut params = names(&["sip:example.org"]);
        params.extended_key_usages = usages;
        let issued = authority.issue(&params);
        assert_eq!(check(&authority.trust(), &issued.chain, "example.org"), Ok(()));
    }
}

#[test]
fn the_very_certificate_may_be_named_by_the_user() {
    // As `openssl req -x509` makes them for a PBX in the house: an authority that is a server.
    let mut params = names(&["pbx.example"]);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2020, 1, 1);
    let own = super::authority::Issued::self_signed(&params);
    let authority = Authority::new();
    let file = authority.write("pbx", &own).certificate;
    let trust = Trust::load(false, &[file]);
    assert_eq!(check(&trust, &own.chain, "pbx.example"), Ok(()));
    assert!(check(&trust, &own.chain, "other.example").is_err(), "its name still counts");
    let other = super::authority::Issued::self_signed(&params);
    assert!(check(&trust, &other.chain, "pbx.example").is_err(), "another key of the same name");
}

#[test]
fn who_shows_a_chain_is_proven_or_claimed_and_why() {
    let authority = Authority::new();
    let trust = authority.trust();
    let good = authority.issue(&names(&["sip:example.org", "www.example.org"]));
    let proven = identity(&trust, &good.chain, today());
    assert!(proven.proves("EXAMPLE.org") && !proven.claims("www.example.org"), "{proven:?}");

    let stranger = Authority::named("A Stranger").issue(&names(&["example.org"]));
    let claimed = identity(&trust, &stranger.chain, today());
    assert!(claimed.claims("example.org") && !claimed.proves("example.org"));
    let PeerIdentity::Claimed { why, key: Some(key), .. } = claimed else { panic!("{claimed:?}") };
    assert!(why.contains("an authority unknown here"), "{why}");
    assert_ne!(PeerIdentity::Proven { domains: ["example.org".into()].into(), key }, proven);

    assert_eq!(identity(&trust, &[], today()), PeerIdentity::Nobody);
    let garbage = identity(&trust, &[CertificateDer::from(vec![0x30, 0x80])], today());
    assert!(matches!(garbage, PeerIdentity::Claimed { key: None, .. }), "{garbage:?}");
}
