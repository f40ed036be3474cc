// SPDX-License-Identifier: GPL-3.0-or-later
//! As whom calls leave: for each way in which providers want to be told, shown and hidden.

use bytes::Bytes;

use super::{
    super::{
        super::ask::{EndpointAsk, EndpointDial},
        house::HOUSE,
        text::Text,
        town::Town,
    },
    calls::NUMBER,
    provider::{account, of},
};
use crate::providers::word::{CallerId, Privacy};

const OWN: &str = "sip:+4930123@provider.test";
const ALICE: &str = "sip:alice@provider.test";
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

/// The first INVITE of a call by an account like this, which is then refused.
fn invite(caller_id: CallerId, hides_number: bool, privacy: Option<Privacy>) -> Text {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let mut plan = account("work", "provider.test");
    let outside = of(&mut plan);
    outside.number = Some("+4930123".into());
    outside.caller_id = caller_id;
    outside.hides_number = hides_number;
    outside.privacy = privacy;
    town.sign_up(plan);
    town.let_in(provider);
    let inside = town.dial(phone, NUMBER);
    let call = town.rung(provider);
    town.reply_with(&call, "486 Busy Here", &[], "");
    town.refused(&inside);
    call.invite
}

/// From, and the fields that say who calls; each empty where it is absent.
fn told(invite: &Text) -> [String; 5] {
    let fields = ["P-Preferred-Identity", "P-Asserted-Identity", "Remote-Party-ID", "Privacy"];
    let mut told = [invite.address("From").to_owned(), "".into(), "".into(), "".into(), "".into()];
    for (at, field) in fields.into_iter().enumerate() {
        assert!(invite.headers(field).len() <= 1, "{field} stands there twice: {invite:?}");
        told[at + 1] = invite.header(field).to_owned();
    }
    told
}

#[test]
fn a_number_that_is_shown_stands_where_the_provider_wants_it_and_nowhere_else() {
    let own = format!("<{OWN}>");
    let party = format!("{own};party=calling;privacy=off;screen=no");
    for (caller_id, expected) in [
        (CallerId::From, [OWN, "", "", "", ""]),
        (CallerId::ProviderPortal, [ALICE, "", "", "", ""]),
        (CallerId::PPreferredIdentity, [ALICE, &own, "", "", ""]),
        (CallerId::PAssertedIdentity, [ALICE, "", &own, "", ""]),
        (CallerId::RemotePartyId, [ALICE, "", "", &party, ""]),
    ] {
        assert_eq!(told(&invite(caller_id, false, None)), expected, "{caller_id:?}");
    }
}

#[test]
fn a_number_that_is_hidden_is_told_to_the_provider_alone() {
    let own = format!("<{OWN}>");
    let party = format!("{own};party=calling;privacy=full;screen=no");
    for (caller_id, expected) in [
        // These know their users by the From, which the called person does not see.
        (CallerId::From, [OWN, "", "", "", "id"]),
        (CallerId::ProviderPortal, [ALICE, "", "", "", "id"]),
        (CallerId::PPreferredIdentity, [ANONYMOUS, &own, "", "", "id"]),
        (CallerId::PAssertedIdentity, [ANONYMOUS, "", &own, "", "id"]),
        (CallerId::RemotePartyId, [ANONYMOUS, "", "", &party, "id"]),
    ] {
        for privacy in [None, Some(Privacy::Rfc3323)] {
            assert_eq!(told(&invite(caller_id, true, privacy)), expected, "{caller_id:?}");
        }
    }
}

#[test]
fn where_a_code_hides_the_number_it_is_dialled_and_nothing_else_is_said() {
    let code = || Some(Privacy::StarCode("*31#".parse().unwrap()));
    let hidden = invite(CallerId::From, true, code());
    assert_eq!(told(&hidden), [OWN, "", "", "", ""]);
    assert_eq!(hidden.uri(), format!("sip:*31%23{NUMBER}@provider.test"));
    let shown = invite(CallerId::From, false, code());
    assert_eq!(shown.uri(), format!("sip:{NUMBER}@provider.test"));
}

/// The first INVITE of a call that asks for the number to be hidden, by a program or by the Privacy
/// of a phone.
fn hidden_for_once(caller_id: CallerId, privacy: Option<Privacy>, dialled: &str) -> [Text; 2] {
    let mut town = Town::new();
    let phone = town.phone("101");
    let program = town.program("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    let mut plan = account("work", "provider.test");
    let outside = of(&mut plan);
    outside.number = Some("+4930123".into());
    outside.caller_id = caller_id;
    outside.privacy = privacy;
    town.sign_up(plan);
    town.let_in(provider);
    let options = EndpointDial { hide_number: true, ..EndpointDial::default() };
    let (contact, offer) = (dialled.to_owned(), Bytes::from(town.sdp(phone)));
    let dial = |reply| EndpointAsk::Dial { contact, offer, options, reply };
    town.asks(program, dial).answer().expect("a line");
    let by_program = town.rung(provider);
    town.reply_with(&by_program, "486 Busy Here", &[], "");
    let offer = town.sdp(phone);
    let uri = format!("sip:{dialled}@{HOUSE}");
    let inside = town.dial_with(phone, &uri, &["Privacy: header;id"], &offer);
    let by_phone = town.rung(provider);
    town.reply_with(&by_phone, "486 Busy Here", &[], "");
    town.refused(&inside);
    [by_program.invite, by_phone.invite]
}

#[test]
fn a_call_that_hides_the_number_for_once_is_hidden_in_the_way_of_the_provider() {
    let own = format!("<{OWN}>");
    for (caller_id, expected) in [
        (CallerId::From, [OWN, "", "", "", "id"]),
        (CallerId::PPreferredIdentity, [ANONYMOUS, &own, "", "", "id"]),
    ] {
        for invite in hidden_for_once(caller_id, None, NUMBER) {
            assert_eq!(told(&invite), expected, "{caller_id:?}");
        }
    }
    let code = Some(Privacy::StarCode("*31#".parse().unwrap()));
    for invite in hidden_for_once(CallerId::From, code, NUMBER) {
        assert_eq!(told(&invite), [OWN, "", "", "", ""]);
        assert_eq!(invite.uri(), format!("sip:*31%23{NUMBER}@provider.test"));
    }
}

#[test]
fn who_helps_sees_who_calls() {
    let code = || Some(Privacy::StarCode("*31#".parse().unwrap()));
    for (privacy, dialled) in [(None, "112"), (code(), "112")] {
        for invite in hidden_for_once(CallerId::PPreferredIdentity, privacy.clone(), dialled) {
            let own = format!("<{OWN}>");
            assert_eq!(told(&invite), [ALICE, &own, "", "", ""]);
            assert_eq!(invite.uri(), "sip:112@provider.test");
        }
    }
}
