// SPDX-License-Identifier: GPL-3.0-or-later
//! Numbers that are looked up before they are called (ENUM).

use std::time::Duration;

use sipwitch_core::call::{CallId, LegId};

use super::{
    super::{
        ask::{
            Ask, DialOptions, EndpointAsk, EndpointDial, NewEndpoint, Refusal, Reply, RouteLine,
        },
        settings::Settings,
    },
    house::{Asked, Plan, settings},
    text::sdp,
    town::{Phone, Town},
};

const FIRST: CallId = CallId(1);
const NUMBER: &str = "+4930901820";
const FRIEND: &str = "sip:anna@friend.test";

/// A house whose user wants numbers looked up, with phone 101, and a friend who published where
/// his number leads.
fn curious() -> (Town, Phone, Phone) {
    let wanted = Settings { enum_root: Some("e164.arpa".into()), ..settings() };
    let mut town = Town::of(Plan { settings: wanted, ..Plan::usual() });
    let phone = town.phone("101");
    let at = "127.0.0.8:5060".parse().unwrap();
    let transport = sipwitch_sip::flow::Transport::Udp;
    town.names.insert("friend.test".into(), vec![(transport, at)]);
    town.published.insert(NUMBER.into(), vec![FRIEND.into()]);
    let friend = town.stranger_at("anna", at);
    (town, phone, friend)
}

impl Town {
    fn explained(&mut self, contact: &str) -> Asked<Vec<RouteLine>> {
        let (contact, options) = (contact.to_owned(), DialOptions::default());
        self.wish(|reply| Ask::Explain { contact, options, reply })
    }
}

#[test]
fn a_number_is_called_where_its_holder_published_it() {
    let (mut town, phone, friend) = curious();
    let mut inside = town.dial(phone, NUMBER);
    let mut outside = town.rung(friend);
    assert_eq!(outside.invite.uri(), FRIEND);
    assert_eq!(town.looked_up, [NUMBER]);
    let answer = town.sdp(friend);
    town.reply(&outside, "200 OK", &answer);
    town.heard(&mut inside, "200 INVITE");
    town.ack(&inside, "");
    town.heard(&mut outside, "ACK");
    town.hang_up(&mut inside);
    town.ended(&mut outside);
    town.assert_over();
}

#[test]
fn nothing_is_looked_up_that_the_user_did_not_want_or_that_is_no_ones_business() {
    let mut town = Town::new();
    let phone = town.phone("101");
    town.published.insert(NUMBER.into(), vec![FRIEND.into()]);
    let call = town.dial(phone, NUMBER);
    assert!(town.refused(&call).status().unwrap() >= 400);
    assert_eq!(town.looked_up, [""; 0], "it is off by default");

    let (mut town, phone, _) = curious();
    town.phone("102");
    for contact in ["112", "sos", "102", "anna"] {
        let _ = town.explained(contact).answer().unwrap();
    }
    // Neither by a call, where it would cost time.
    let call = town.dial(phone, "112");
    assert!(town.refused(&call).status().unwrap() >= 400, "no line carries it");
    assert_eq!(town.looked_up, [""; 0]);
}

#[test]
fn a_silent_name_server_costs_half_a_second_and_the_call_goes_on() {
    let (mut town, phone, friend) = curious();
    town.is_dns_silent = true;
    let call = town.dial(phone, NUMBER);
    let other = town.phone("102");
    town.pass(Duration::from_millis(400));
    assert!(!town.has(phone, "404 INVITE"), "it waits");
    // Others do not.
    let inside = town.dial(other, "101");
    let rung = town.rung(phone);
    town.reply(&rung, "180 Ringing", "");
    town.cancel(&inside);
    town.cancelled(&rung);
    town.pass(Duration::from_millis(200));
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.assert_silent(friend);
    town.pass_seconds(60);
    town.assert_empty();
}

#[test]
fn a_caller_who_gives_up_meanwhile_leaves_nothing_behind() {
    let (mut town, phone, friend) = curious();
    town.is_dns_silent = true;
    let call = town.dial(phone, NUMBER);
    town.cancel(&call);
    assert_eq!(town.refused(&call).status(), Some(487));
    town.pass_seconds(60);
    town.assert_silent(friend);
    town.assert_empty();
    assert!(town.states(FIRST).is_empty(), "no call began");
}

#[test]
fn explain_says_what_a_call_would_do() {
    let (mut town, _, _) = curious();
    let told = town.explained(NUMBER).answer().unwrap();
    assert_eq!(told[0].reason, "published");
    assert_eq!(told[0].destination, format!("{FRIEND} directly"));
    // What nobody published is told as soon as that is known.
    let told = town.explained("+4930901821").answer().unwrap();
    assert!(told.iter().all(|line| line.attempt == 0), "{told:?}");
    assert_eq!(town.looked_up, [NUMBER, "+4930901821"]);
}

#[test]
fn a_program_dials_a_published_number_unless_it_leaves_before() {
    let (mut town, phone, friend) = curious();
    let dial = |town: &mut Town| {
        let options = DialOptions { from: Some("101".into()), ..DialOptions::default() };
        let (contact, owner) = (NUMBER.to_owned(), Some(":1.7".to_owned()));
        town.wish(|reply| Ask::Dial { contact, options, owner, reply })
    };
    assert_eq!(dial(&mut town).answer(), Ok(FIRST));
    let mut at_user = town.rung(phone);
    let offer = town.sdp(phone);
    town.reply(&at_user, "200 OK", &offer);
    town.heard(&mut at_user, "ACK");
    let outside = town.rung(friend);
    assert_eq!(outside.invite.uri(), FRIEND);
    town.reply(&outside, "180 Ringing", "");
    town.ask(Ask::OwnerLeft { owner: ":1.7".into() });
    town.collect();
    town.cancelled(&outside);
    town.ended(&mut at_user);

    town.is_dns_silent = true;
    let _asked = dial(&mut town);
    town.ask(Ask::OwnerLeft { owner: ":1.7".into() });
    town.pass_seconds(60);
    town.assert_silent(phone);
    town.assert_empty();
}

#[test]
fn a_service_that_stops_lets_nobody_wait() {
    let (mut town, phone, _) = curious();
    town.is_dns_silent = true;
    let call = town.dial(phone, NUMBER);
    let (contact, options) = (NUMBER.to_owned(), DialOptions::default());
    let asked = town.wish(|reply| Ask::Dial { contact, options, owner: None, reply });
    town.ask(Ask::Stop);
    town.collect();
    assert_eq!(asked.answer(), Err(Refusal::Stopping));
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.pass_seconds(60);
    town.assert_empty();
}

#[test]
fn what_is_published_comes_before_the_lines_and_addresses_of_this_house_are_left_out() {
    let (mut town, _, _) = curious();
    let own = format!("sip:101@{}", super::house::HOUSE);
    town.published.insert(NUMBER.into(), vec![own, FRIEND.into()]);
    let told = town.explained(NUMBER).answer().unwrap();
    let tried: Vec<_> = told.iter().filter(|line| line.attempt > 0).collect();
    assert_eq!(tried.len(), 1, "{told:?}");
    assert_eq!(tried[0].destination, format!("{FRIEND} directly"));
}

/// A program that is a phone of 101: what it says when it dials.
fn program(town: &mut Town) -> impl FnOnce(Reply<(LegId, CallId)>) -> Ask + use<> {
    let endpoint = NewEndpoint {
        account: None,
        extension: Some("101".into()),
        name: "softphone".into(),
        all_calls: false,
        anchored: false,
        marks_read: false,
    };
    let owner = Some(":1.42".to_owned());
    let asked = town.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply });
    let phone = asked.answer().unwrap();
    move |reply| {
        let (contact, options) = (NUMBER.to_owned(), EndpointDial::default());
        let offer = sdp("program", 4000, "sendrecv").into_bytes().into();
        let ask = EndpointAsk::Dial { contact, offer, options, reply };
        Ask::Endpoint { phone, owner: Some(":1.42".to_owned()), ask }
    }
}

#[test]
fn a_program_that_dials_as_a_phone_reaches_who_published_his_number_as_well() {
    let (mut town, _, friend) = curious();
    let dial = program(&mut town);
    town.wish(dial).answer().unwrap();
    assert_eq!(town.rung(friend).invite.uri(), FRIEND);
    assert_eq!(town.looked_up, [NUMBER]);
}

#[test]
fn a_program_that_leaves_while_its_number_is_looked_up_calls_nobody() {
    let (mut town, _, friend) = curious();
    town.is_dns_silent = true;
    let dial = program(&mut town);
    let asked = town.wish(dial);
    town.ask(Ask::OwnerLeft { owner: ":1.42".into() });
    town.collect();
    town.pass_seconds(60);
    assert!(matches!(asked.answer(), Err(Refusal::NotFound { .. })));
    town.assert_silent(friend);
    town.assert_empty();
}
