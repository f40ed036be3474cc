// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{
    super::{BadCredentials, Credentials, Tls, TlsSettings, trust::Trust},
    Authority, names,
};

fn tls(own: Credentials) -> Tls {
    Tls::new(TlsSettings { own: Some(own), ..TlsSettings::default() })
}

#[test]
fn what_is_wrong_with_our_certificate_is_said_with_its_file() {
    let authority = Authority::new();
    let own = authority.write("own", &authority.issue(&names(&["example.org"])));
    let other = authority.write("other", &authority.issue(&names(&["example.org"])));
    let missing = authority.directory.path().join("missing");
    let now = Instant::now();
    let bad = |certificate: &std::path::Path, key: &std::path::Path| {
        let own = Credentials { certificate: certificate.into(), key: key.into() };
        tls(own).accepting(now).err().expect("it cannot be used").to_string()
    };
    let text = bad(&missing, &own.key);
    assert!(text.contains("missing: No such file"), "{text}");
    let text = bad(&own.key, &own.key);
    assert!(text.contains("there is no certificate in it"), "{text}");
    let text = bad(&own.certificate, &own.certificate);
    assert!(text.contains("there is no private key in it"), "{text}");
    let text = bad(&own.certificate, &other.key);
    assert!(text.contains("other.key does not belong to the certificate in"), "{text}");
    let none = Tls::new(TlsSettings::default()).accepting(now).err();
    assert_eq!(none, Some(BadCredentials::None));
    assert!(tls(own).accepting(now).is_ok());
}

#[test]
fn our_certificate_is_read_again_when_its_files_change_and_kept_if_that_fails() {
    let authority = Authority::new();
    let own = authority.write("own", &authority.issue(&names(&["example.org"])));
    let mut tls = tls(own.clone());
    let begin = Instant::now();
    let config = |tls: &mut Tls, seconds| {
        tls.accepting(begin + Duration::from_secs(seconds)).expect("it stands").config
    };
    let first = config(&mut tls, 0);
    authority.write("own", &authority.issue(&names(&["example.org", "more.example.org"])));
    let soon = config(&mut tls, 1);
    assert!(std::sync::Arc::ptr_eq(&first, &soon), "files are not looked at for each connection");
    let second = config(&mut tls, 61);
    assert!(!std::sync::Arc::ptr_eq(&first, &second), "it is renewed");
    // Half written.
    fs::write(&own.certificate, "-----BEGIN CERT").unwrap();
    let third = config(&mut tls, 122);
    assert!(std::sync::Arc::ptr_eq(&second, &third));
    authority.write("own", &authority.issue(&names(&["example.org", "most.example.org"])));
    let fourth = config(&mut tls, 183);
    assert!(!std::sync::Arc::ptr_eq(&third, &fourth), "whole again");
}

#[test]
fn files_of_authorities_that_cannot_be_read_are_left_out() {
    let authority = Authority::new();
    let directory = authority.directory.path();
    let garbage = directory.join("garbage.pem");
    fs::write(&garbage, [0xff; 100]).unwrap();
    let large = directory.join("large.pem");
    fs::File::create(&large).unwrap().set_len(1 << 30).unwrap();
    let files = [garbage, large, directory.join("none.pem"), authority.file()];
    assert_eq!(Trust::load(false, &files).roots.len(), 1);
}
