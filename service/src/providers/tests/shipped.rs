// SPDX-License-Identifier: GPL-3.0-or-later
//! The providers that we ship.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use sipwitch_core::line::EmergencyAbility;

use crate::providers::{
    AskField, Entry, Folders, Words,
    word::{Evidence, Kind, Method},
};

fn shipped() -> Vec<Arc<Entry>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/providers.d");
    let shelf = Folders::new(vec![folder]).read();
    assert_eq!(shelf.refused, [], "each file is a provider called as its file is");
    shelf.entries.into_values().collect()
}

/// An answer that its question takes.
fn answer(field: &AskField) -> &str {
    let chosen = field.choices.first();
    let words = field.default.as_ref().or(chosen).or(field.example.as_ref());
    words.map_or("anna", Words::as_str)
}

#[test]
fn each_shipped_file_is_read_without_a_warning_and_works_with_the_answers_it_names() {
    let shipped = shipped();
    assert!(shipped.len() >= 40, "{}", shipped.len());
    for entry in &shipped {
        let provider = &entry.provider;
        let id = &provider.id;
        assert_eq!(entry.warnings, [], "{id}");
        for field in provider.ask.fields.iter().filter(|field| !field.secret) {
            field.check(answer(field)).unwrap_or_else(|error| panic!("{id}: {error}"));
            if let Some(example) = &field.example {
                field.check(example.as_str()).unwrap_or_else(|error| panic!("{id}: {error}"));
            }
        }
        let given =
            |key: &str| provider.ask.fields.iter().find(|f| f.key.as_str() == key).map(answer);
        let server = &provider.server;
        let tls = server.tls.as_ref().and_then(|tls| tls.host.as_ref());
        let hosts = [
            Some(&provider.domain),
            Some(provider.registrar()),
            server.outbound_proxy.as_ref(),
            tls,
        ];
        for host in hosts.into_iter().flatten() {
            host.fill(given).unwrap_or_else(|error| panic!("{id}: {host}: {error}"));
        }
        for user in [provider.from_user(), provider.auth_user()].into_iter().flatten() {
            user.fill(given).unwrap_or_else(|error| panic!("{id}: {user}: {error}"));
        }
        // Nothing is asked in vain.
        let used: BTreeSet<&str> = provider.places().map(|(_, _, place)| place.as_str()).collect();
        for field in provider.ask.fields.iter().filter(|field| !field.secret) {
            assert!(used.contains(field.key.as_str()), "{id}: {} leads nowhere", field.key);
        }
        let wants_password = provider.auth.method == Method::Digest;
        assert_eq!(provider.secret().is_some(), wants_password, "{id}");
    }
}

#[test]
fn what_is_claimed_has_its_evidence() {
    for entry in shipped() {
        let provider = &entry.provider;
        let id = &provider.id;
        assert!(!provider.evidence.contains(&Evidence::Tested), "{id}: nobody has");
        let seen = provider.evidence.contains(&Evidence::Docs);
        assert!(seen || provider.verified.is_none(), "{id}: verified against what?");
        let order = provider.evidence.windows(2).all(|two| two[0] < two[1]);
        assert!(order, "{id}: the most reliable first, each once");
        // A life may hang on this: only somebody who has seen it may say yes.
        assert_ne!(provider.numbers.emergency, EmergencyAbility::Yes, "{id}");
        let calls_numbers = provider.kind != Kind::FreeSip;
        assert!(!calls_numbers || provider.numbers.emergency != EmergencyAbility::No, "{id}");
    }
}

#[test]
fn there_is_one_for_whoever_has_only_an_address_a_box_or_an_exchange() {
    let ids: BTreeSet<String> =
        shipped().iter().map(|entry| entry.provider.id.to_string()).collect();
    for id in [
        "any-sip-provider",
        "fritzbox",
        "speedport",
        "home-router",
        "ip-pbx",
        "ip-pbx-trunk",
        "sip-trunk",
    ] {
        assert!(ids.contains(id), "{id}");
    }
}
