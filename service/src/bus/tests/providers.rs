// SPDX-License-Identifier: GPL-3.0-or-later
//! Providers over the bus.

use std::{fs, path::Path};

use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::{
    Error, ProvidersProxy,
    wire::{
        CheckOptions, EmergencyAbility, LanguageOptions, NoOptions, ProviderFilter, ProviderKind,
        Severity,
    },
};
use tempfile::TempDir;

use super::house::{House, soon};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/providers.d");

async fn ids(providers: &ProvidersProxy<'_>, filter: ProviderFilter) -> Vec<String> {
    let listed = soon(providers.list_providers(&filter)).await.expect("listed");
    listed.into_iter().map(|provider| provider.id).collect()
}

#[tokio::test]
async fn what_is_shipped_can_be_listed_searched_and_shown() {
    let house = House::with_providers(vec![Path::new(SHIPPED).to_owned()]).await;
    let providers = ProvidersProxy::new(&house.client).await.expect("a proxy");
    let all = ids(&providers, ProviderFilter::default()).await;
    assert!(all.len() >= 35 && all.is_sorted(), "{all:?}");
    assert!(soon(providers.list_problems(&NoOptions {})).await.expect("listed").is_empty());

    let search = |words: &str| ProviderFilter { search: Some(words.into()), ..Default::default() };
    assert_eq!(ids(&providers, search("DUS net")).await, ["dus-net"]);
    assert_eq!(ids(&providers, search("no such house")).await, [""; 0]);
    let country = |code: &str| ProviderFilter { country: Some(code.into()), ..Default::default() };
    let french = ids(&providers, country("fr")).await;
    assert!(french.contains(&"ippi".into()) && french.contains(&"linphone".into()), "{french:?}");
    assert!(!french.contains(&"dus-net".into()), "{french:?}");
    let routers = ProviderFilter { kind: Some(ProviderKind::HomeRouter), ..Default::default() };
    assert!(ids(&providers, routers).await.contains(&"fritzbox".into()));

    let dus = soon(providers.get_provider("dus-net", &LanguageOptions::default())).await;
    let dus = dus.expect("shipped");
    assert_eq!((dus.kind, dus.emergency), (ProviderKind::Itsp, EmergencyAbility::Unknown));
    assert_eq!(dus.facts["media.dtmf-payload"], 101_u32.into());
    assert_eq!(dus.evidence, ["docs"]);
    assert!(dus.origin.ends_with("/providers.d/dus-net.toml"));
    let secret: Vec<&str> =
        dus.ask.iter().filter(|field| field.secret).map(|field| field.key.as_str()).collect();
    assert_eq!(secret, ["password"]);
    let german = LanguageOptions { language: Some("de_DE.UTF-8".into()) };
    let german = soon(providers.get_provider("dus-net", &german)).await.expect("shipped");
    assert_ne!(german.ask[0].label, dus.ask[0].label);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_and_what_is_mended_with_a_signal() {
    let room = TempDir::new().expect("a folder");
    let file = room.path().join("mine.toml");
    fs::copy(Path::new(SHIPPED).join("dus-net.toml"), room.path().join("dus-net.toml"))
        .expect("copied");
    fs::write(&file, "schema = 1\nid = \"mine\"\n").expect("written");
    let house = House::with_providers(vec![room.path().to_owned()]).await;
    let providers = ProvidersProxy::new(&house.client).await.expect("a proxy");
    let mut changed = providers.receive_providers_changed().await.expect("a stream");

    let problems = soon(providers.list_problems(&NoOptions {})).await.expect("listed");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].file.as_deref(), file.to_str());
    assert_eq!((problems[0].severity, problems[0].line), (Severity::Fatal, 1));
    assert_eq!(ids(&providers, ProviderFilter::default()).await, ["dus-net"]);
    let options = LanguageOptions::default();
    let refused = soon(providers.get_provider("mine", &options)).await.expect_err("refused");
    assert!(matches!(&refused, Error::BadValue(words) if words.contains("mine.toml:1:1:")));
    for id in ["nobody", "../../etc/passwd", ""] {
        let unknown = soon(providers.get_provider(id, &options)).await.expect_err("unknown");
        assert!(matches!(unknown, Error::NoSuchProvider(_)), "{unknown:?}");
    }

    let shipped = fs::read_to_string(room.path().join("dus-net.toml")).expect("readable");
    let mended = shipped.replace("id = \"dus-net\"", "id = \"mine\"\ncolour = \"blue\"");
    fs::write(&file, &mended).expect("written");
    soon(changed.next()).await.expect("told");
    assert_eq!(ids(&providers, ProviderFilter::default()).await, ["dus-net", "mine"]);

    let check = |text: String, name: &str| {
        let options = CheckOptions { file_name: Some(name.into()) };
        let providers = providers.clone();
        async move { soon(providers.check_provider(&text, &options)).await.expect("checked") }
    };
    let warned = check(mended.clone(), "mine.toml").await;
    assert_eq!((warned.len(), warned[0].severity), (1, Severity::Warning));
    assert_eq!((warned[0].key.as_str(), warned[0].file.as_ref()), ("colour", None));
    assert_eq!(check(shipped, "dus-net.toml").await, []);
    assert_eq!(check(mended, "yours.toml").await[0].key, "id");
    let large = check("#".repeat(65_537), "large.toml").await;
    assert_eq!(large[0].words, "it is larger than 64 KiB, too large for a provider");
    assert_eq!((large[0].line, large[0].column), (0, 0));
}
