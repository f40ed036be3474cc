// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use sipwitch_core::line::{DialFormat, EmergencyAbility, Users};
use sipwitch_sip::{
    flow::Transport,
    resolver::{Families, Services},
};

use crate::{
    accounts::{AccountFile, NoPlan, Plan, Reach},
    providers::{Provider, word::CallerId},
};

use super::provider;

fn plan(text: &str) -> Result<Plan, NoPlan> {
    let provider = provider();
    let file = AccountFile::parse(text).expect("an account");
    let id = "house".parse().expect("a name");
    Plan::of(&id, &file, |id| (id.as_str() == "house-net").then_some(&provider))
}

#[test]
fn facts_of_the_provider_and_answers_of_the_user_become_a_plan() {
    let plan = plan("provider = \"house-net\"\nanswers = { account = \"17\" }").unwrap();
    assert_eq!((&*plan.title, &*plan.address()), ("House Net", "17@north.example.net"));
    assert_eq!(plan.numbering.format, DialFormat::National);
    assert_eq!(plan.numbering.region.unwrap().as_str(), "DE");
    assert_eq!(plan.emergency.ability, EmergencyAbility::Yes);
    assert_eq!(plan.users, Users::Everybody);
    assert!(plan.enabled && plan.needs_secret());
    let outside = plan.outside().unwrap();
    assert_eq!(outside.auth_user.as_deref(), Some("17*1"));
    assert_eq!(outside.caller_id, CallerId::PPreferredIdentity);
    let server = &outside.server;
    assert_eq!(server.registrar.to_string(), "north.example.net");
    assert_eq!(server.proxy.as_ref().unwrap().to_string(), "proxy.example.net");
    assert_eq!(server.transports, [Transport::Tls, Transport::Udp]);
    assert_eq!((server.services, server.families), (Services::Required, Families::Ipv4First));
    assert_eq!((server.tls.port, server.tls.sips), (Some(5071), true));
    // A registration shorter than the provider takes would be refused.
    assert_eq!(outside.register.unwrap().expires, Duration::from_secs(300));
}

#[test]
fn the_country_code_of_a_provider_tells_the_region_of_an_account_without_one() {
    let house = |countries: &str, account: &str| {
        let text = format!(
            "schema = 1\nid = \"house-net\"\nname = \"House Net\"\nkind = \"itsp\"\ndomain = \
             \"example.net\"\ncountry = {countries}\nevidence = [\"memory\"]\n[auth]\nuser = \
             \"{{account}}\"\n[numbers]\ncountry-code = \"43\"\n[ask]\nfields = [{{ key = \
             \"account\", label = \"Account\" }}, {{ key = \"password\", label = \"Password\", \
             secret = true }}]\n"
        );
        let provider = Provider::parse(&text).expect("a provider").provider;
        let account =
            format!("provider = \"house-net\"\nanswers = {{ account = \"1\" }}\n{account}");
        let account = AccountFile::parse(&account).expect("an account");
        let id = "house".parse().expect("a name");
        let plan = Plan::of(&id, &account, |_| Some(&provider)).expect("a plan");
        plan.numbering.region.map(String::from)
    };
    assert_eq!(house(r#"["DE", "AT"]"#, "").as_deref(), Some("AT"));
    assert_eq!(house(r#"["ZZ"]"#, "").as_deref(), Some("AT"));
    // What is said more plainly comes first.
    assert_eq!(house(r#"["DE"]"#, "").as_deref(), Some("DE"));
    assert_eq!(house(r#"["ZZ"]"#, "[numbers]\nregion = \"CH\"").as_deref(), Some("CH"));
}

#[test]
fn what_the_user_says_comes_before_what_the_provider_says() {
    let plan = plan(
        r#"
        provider = "house-net"
        title = "Office"
        order = 5
        incoming = "101"
        users = ["101", "102"]
        [answers]
        account = "17"
        region = "south"
        [server]
        transports = ["udp"]
        srv = "no"
        port = 5070
        [auth]
        auth-user = "{account}-x"
        [register]
        expires-seconds = 900
        [identity]
        display-name = "Ada"
        caller-id = "from"
        [numbers]
        dial = "00"
        own = ["+4930123456"]
        [costs]
        per-minute = { "" = "0.20", "49" = "0.01" }
        cap-minutes = 300
        "#,
    )
    .unwrap();
    assert_eq!((&*plan.title, plan.order), ("Office", 5));
    assert_eq!(plan.incoming.as_ref().unwrap().as_str(), "101");
    assert!(matches!(&plan.users, Users::Only(users) if users.len() == 2));
    assert_eq!(plan.numbering.format, DialFormat::International);
    assert_eq!(plan.cap, Some(Duration::from_secs(300 * 60)));
    let (least, most) = plan.costs.unwrap();
    assert_eq!((least.to_string(), most.to_string()), ("0.01".into(), "0.20".into()));
    let outside = plan.outside().unwrap();
    assert_eq!(outside.domain.to_string(), "south.example.net");
    assert_eq!(outside.auth_user.as_deref(), Some("17-x"));
    assert_eq!(&*outside.numbers[0], "+4930123456");
    let server = &outside.server;
    assert_eq!((server.port, server.services), (Some(5070), Services::Off));
    assert_eq!(server.transports, [Transport::Udp]);
    assert_eq!(outside.register.unwrap().expires, Duration::from_secs(900));
}

#[test]
fn a_bare_domain_is_enough() {
    let plan = plan("domain = \"Pbx.Example.org\"\nanswers = { user = \"100\" }").unwrap();
    assert_eq!((&*plan.title, &*plan.address()), ("Pbx.Example.org", "100@pbx.example.org"));
    let outside = plan.outside().unwrap();
    assert_eq!(outside.server.transports, [Transport::Tls, Transport::Tcp, Transport::Udp]);
    assert!(outside.register.is_some() && outside.needs_secret);
    assert_eq!(outside.auth_user.as_deref(), Some("100"));
}

#[test]
fn a_trunk_has_no_password_and_a_gateway_is_a_phone() {
    let trunk = "domain = \"192.0.2.1\"\nkind = \"trunk\"\n[trunk]\nsources = [\"192.0.2.0/28\"]";
    let trunk = plan(trunk).unwrap();
    assert!(!trunk.needs_secret());
    assert_eq!((trunk.kind(), &*trunk.address()), ("trunk", "192.0.2.1"));
    let Reach::Trunk { outside, sources } = &trunk.reach else { panic!("{trunk:?}") };
    assert!(outside.register.is_none());
    assert!(sources[0].contains("192.0.2.15".parse().unwrap()));
    assert!(sources[0].contains("::ffff:192.0.2.15".parse().unwrap()));
    assert!(!sources[0].contains("192.0.2.16".parse().unwrap()));

    let gateway = plan("numbers = { only = [\"0.\"] }\n[gateway]\nextension = \"900\"").unwrap();
    assert_eq!((gateway.kind(), gateway.leads_to.len()), ("gateway", 1));
    assert_eq!(gateway.numbering.format, DialFormat::AsIs);
}

#[test]
fn an_answer_that_does_not_do_is_named() {
    for (text, words) in [
        ("provider = \"house-net\"", "account: it was not answered"),
        (
            "provider = \"house-net\"\nanswers = { account = \"x\" }",
            "account: it does not match [0-9]+",
        ),
        (
            "provider = \"house-net\"\nanswers = { account = \"1\", region = \"west\" }",
            "region: use one of north, south",
        ),
        (
            "provider = \"house-net\"\nanswers = { account = \"1\", domian = \"1\" }",
            "\"domian\" is not asked: house-net asks region, account, password",
        ),
        ("provider = \"other-net\"", "there is no provider other-net"),
        ("domain = \"example.org\"", "user: it was not answered"),
    ] {
        let error = plan(text).unwrap_err().to_string();
        assert!(error.starts_with(words), "{text}: {error}");
    }
}

#[test]
fn a_password_in_a_file_is_refused_and_not_repeated() {
    let text = "provider = \"house-net\"\nanswers = { account = \"1\", password = \"hunter2\" }";
    let error = plan(text).unwrap_err().to_string();
    assert!(error.starts_with("password: it is secret"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
