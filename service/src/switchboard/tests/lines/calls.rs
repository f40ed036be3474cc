// SPDX-License-Identifier: GPL-3.0-or-later
//! Calls by lines.

use sipwitch_core::call::CallId;

use super::{
    super::{
        house::HOUSE,
        talk::Talk,
        town::{Phone, Town},
    },
    provider::{PASSWORD, account, is_right, of},
};

const FIRST: CallId = CallId(1);
/// A number of another country than the house's own: dialled with `+`, and sent so.
pub(super) const NUMBER: &str = "+4930901820";

/// A house with phone 101 and an account that is online; gives its Contact too.
pub(super) fn online() -> (Town, Phone, Phone, String) {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.sign_up(account("work", "provider.test"));
    let register = town.let_in(provider);
    let contact = register.address("Contact").to_owned();
    (town, phone, provider, contact)
}

impl Town {
    /// The provider asks for a password, and gets it; gives the call as it stands then.
    fn rung_with_password(&mut self, provider: Phone) -> Talk {
        let first = self.rung(provider);
        assert_eq!(first.invite.header("Authorization"), "");
        let more = [
            "WWW-Authenticate: Digest realm=\"provider\", nonce=\"c1\", qop=\"auth\", algorithm=MD5",
        ];
        self.reply_with(&first, "401 Unauthorized", &more, "");
        let mut first = first;
        self.heard(&mut first, "ACK");
        let second = self.rung(provider);
        assert!(is_right(&second.invite, PASSWORD), "{:?}", second.invite);
        second
    }

    /// The far end answers, and both talk.
    fn take(&mut self, inside: &mut Talk, outside: &mut Talk) {
        let answer = self.sdp(outside.phone);
        self.reply(outside, "200 OK", &answer);
        self.heard(inside, "200 INVITE");
        self.ack(inside, "");
        self.heard(outside, "ACK");
    }
}

#[test]
fn a_call_from_outside_rings_the_extension_of_the_account() {
    let (mut town, phone, provider, contact) = online();
    let offer = town.sdp(provider);
    let mut outside = town.dial_with(provider, &contact, &[], &offer);
    // No challenge, and the caller as the provider says it.
    let mut inside = town.rung(phone);
    assert_eq!(inside.invite.body, offer);
    town.reply(&inside, "180 Ringing", "");
    town.heard(&mut outside, "180 INVITE");
    let answer = town.sdp(phone);
    town.reply(&inside, "200 OK", &answer);
    let ok = town.heard(&mut outside, "200 INVITE");
    assert_eq!(ok.address("Contact"), contact, "it goes on as it came");
    town.ack(&outside, "");
    town.heard(&mut inside, "ACK");
    assert_eq!(town.view(FIRST).contact, "alice");
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}

#[test]
fn a_call_to_the_number_instead_of_the_contact_is_known_by_where_it_comes_from() {
    let (mut town, phone, provider, _) = online();
    let offer = town.sdp(provider);
    let uri = format!("sip:4930123@{HOUSE}");
    let outside = town.dial_with(provider, &uri, &[], &offer);
    let inside = town.rung(phone);
    town.reply(&inside, "180 Ringing", "");
    town.cancel(&outside);
    town.cancelled(&inside);
    // Whoever else does so is asked who he is.
    let stranger = town.stranger_at("stranger", "127.0.0.9:5060".parse().unwrap());
    town.send_request(stranger, "INVITE", &uri, &[], "");
    town.expect(stranger, "401 INVITE");
    assert!(!town.has(phone, "INVITE"));
}

#[test]
fn a_call_leaves_by_the_line_as_the_account_and_shows_its_password_when_asked() {
    let (mut town, phone, provider, contact) = online();
    let mut inside = town.dial(phone, NUMBER);
    let mut outside = town.rung_with_password(provider);
    let invite = outside.invite.clone();
    assert_eq!(invite.uri(), format!("sip:{NUMBER}@provider.test"));
    assert_eq!(invite.address("From"), "sip:alice@provider.test");
    assert_eq!(invite.address("Contact"), contact, "where we can be called back");
    assert_eq!(invite.body, inside.invite.body, "the offer crosses untouched");
    assert!(!format!("{invite:?}").contains("101@"), "no extension is told outside: {invite:?}");
    town.reply(&outside, "183 Session Progress", &town.sdp(provider));
    town.heard(&mut inside, "183 INVITE");
    town.take(&mut inside, &mut outside);
    let view = town.view(FIRST);
    assert_eq!(view.state, "connected");
    assert_eq!(view.trace.len(), 1, "{view:?}");
    assert_eq!(view.trace[0].destination, format!("{NUMBER} by line work"));
    assert_eq!(view.trace[0].outcome, "answered");
    town.hang_up(&mut inside);
    town.ended(&mut outside);
    assert_eq!(town.end(FIRST).sip_code, 200);
}

#[test]
fn a_line_that_answers_503_is_left_for_the_next_and_the_caller_hears_one_steady_call() {
    let (mut town, phone, first, _) = online();
    let second = town.provider("second.test", "127.0.0.4:5060");
    let mut other = account("zz-second", "second.test");
    other.order = 1;
    town.sign_up(other);
    town.let_in(second);
    let mut inside = town.dial(phone, NUMBER);
    let refused = town.rung(first);
    town.reply_with(&refused, "503 Service Unavailable", &[], "");
    town.heard(&mut refused.clone(), "ACK");
    let mut outside = town.rung_with_password(second);
    assert_eq!(outside.invite.address("From"), "sip:alice@second.test");
    town.reply(&outside, "180 Ringing", "");
    town.heard(&mut inside, "180 INVITE");
    town.take(&mut inside, &mut outside);
    let trace: Vec<_> = town
        .view(FIRST)
        .trace
        .iter()
        .map(|line| (line.destination.clone(), line.outcome, line.sip_code))
        .collect();
    let by = |line: &str| format!("{NUMBER} by line {line}");
    assert_eq!(trace, [(by("work"), "failed", 503), (by("zz-second"), "answered", 200)]);
    assert_eq!(town.states(FIRST), ["dialing", "ringing", "connected"]);
    town.hang_up(&mut outside);
    town.ended(&mut inside);
}

#[test]
fn a_silent_server_costs_four_seconds_and_the_next_one_of_the_same_line_is_asked() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let servers = town.provider_at("provider.test", &["127.0.0.3:5060", "127.0.0.4:5060"]);
    town.sign_up(account("work", "provider.test"));
    town.let_in(servers[0]);
    town.device(servers[0]).is_dead = true;
    let mut inside = town.dial(phone, NUMBER);
    town.pass_seconds(4);
    let mut outside = town.rung_with_password(servers[1]);
    town.take(&mut inside, &mut outside);
    town.hang_up(&mut inside);
    town.ended(&mut outside);
    // The next call begins where the last one got through.
    let mut inside = town.dial(phone, NUMBER);
    let mut outside = town.rung_with_password(servers[1]);
    town.take(&mut inside, &mut outside);
    town.hang_up(&mut inside);
    town.ended(&mut outside);
    // A while later the first server is given another chance.
    town.pass_seconds(60);
    town.device(servers[0]).is_dead = false;
    let mut inside = town.dial(phone, NUMBER);
    let mut outside = town.rung_with_password(servers[0]);
    town.take(&mut inside, &mut outside);
    town.hang_up(&mut inside);
    town.ended(&mut outside);
}

#[test]
fn the_address_that_the_registrar_made_for_us_is_the_contact_of_calls() {
    for (gruu, is_used) in [
        ("sip:alice@provider.test;gr=urn:uuid:6f2c", true),
        ("sips:alice@provider.test;gr=urn:uuid:6f2c", false),
        ("tel:+4930901820", false),
    ] {
        let mut town = Town::new();
        let phone = town.phone("101");
        let provider = town.provider("provider.test", "127.0.0.3:5060");
        town.sign_up(account("work", "provider.test"));
        let register = town.expect(provider, "REGISTER");
        assert!(register.header("Supported").contains("gruu"), "{register:?}");
        let register = town.challenge(provider, &register);
        let contact = register.address("Contact").to_owned();
        let granted = format!("Contact: <{contact}>;pub-gruu=\"{gruu}\";expires=3600");
        town.respond(provider, &register, "200 OK", "p", &[&granted], "");
        let expected = if is_used { gruu } else { &contact };
        let mut inside = town.dial(phone, NUMBER);
        let mut outside = town.rung_with_password(provider);
        assert_eq!(outside.invite.address("Contact"), expected);
        town.take(&mut inside, &mut outside);
        town.hang_up(&mut outside);
        town.ended(&mut inside);
        // Whoever calls by it is led to the Contact that is registered, and hears of it in turn.
        let offer = town.sdp(provider);
        let mut outside = town.dial_with(provider, &contact, &[], &offer);
        let mut inside = town.rung(phone);
        let answer = town.sdp(phone);
        town.reply(&inside, "200 OK", &answer);
        let ok = town.heard(&mut outside, "200 INVITE");
        assert_eq!(ok.address("Contact"), expected);
        town.ack(&outside, "");
        town.heard(&mut inside, "ACK");
        town.hang_up(&mut inside);
        town.ended(&mut outside);
    }
}

#[test]
fn a_line_that_is_down_is_not_tried_and_the_words_say_so() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.keyring.insert("work".into(), Err(crate::accounts::NoSecret::Locked));
    town.sign_up(account("work", "provider.test"));
    let call = town.dial(phone, NUMBER);
    assert!(town.refused(&call).status().unwrap() >= 400);
    town.assert_silent(provider);
    assert!(!town.end(FIRST).words.is_empty());
}

#[test]
fn a_trunk_needs_no_registration_and_is_watched() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let exchange = town.provider("exchange.test", "127.0.0.3:5060");
    let mut plan = account("exchange", "exchange.test");
    of(&mut plan).needs_secret = false;
    let outside = Box::new(of(&mut plan).clone());
    plan.reach = crate::accounts::Reach::Trunk { outside, sources: Vec::new() };
    town.sign_up(plan);
    let options = town.expect(exchange, "OPTIONS");
    // It knows no OPTIONS, but it is there.
    town.respond(exchange, &options, "405 Method Not Allowed", "p", &[], "");
    assert_eq!(town.line("exchange").standing.state, "online");
    let mut inside = town.dial(phone, NUMBER);
    let mut out = town.rung(exchange);
    town.take(&mut inside, &mut out);
    town.hang_up(&mut inside);
    town.ended(&mut out);
    // The extension that the exchange dials is the one that rings.
    let offer = town.sdp(exchange);
    let call = town.dial_with(exchange, &format!("sip:101@{HOUSE}"), &[], &offer);
    let ringing = town.rung(phone);
    town.reply(&ringing, "180 Ringing", "");
    town.cancel(&call);
    town.cancelled(&ringing);
    // It dies, and comes back.
    town.device(exchange).is_dead = true;
    town.pass_seconds(70);
    assert_eq!(town.line("exchange").standing.state, "unreachable");
    town.device(exchange).is_dead = false;
    town.pass_seconds(31);
    while let Some(options) = town.find(exchange, |text| text.kind() == "OPTIONS") {
        town.respond(exchange, &options, "200 OK", "p", &[], "");
    }
    assert_eq!(town.line("exchange").standing.state, "online");
}

#[test]
fn a_phone_that_is_a_gateway_carries_calls_while_it_is_registered() {
    let mut town = Town::new();
    let phone = town.phone("101");
    let mut plan = account("landline", "nowhere.test");
    plan.reach = crate::accounts::Reach::Gateway("900".parse().unwrap());
    town.sign_up(plan);
    let view = town.line("landline");
    assert_eq!(view.standing.state, "unreachable");
    assert!(view.standing.next_step.contains("as extension 900"), "{view:?}");
    let gateway = town.phone("900");
    assert_eq!(town.line("landline").standing.state, "online");
    let mut inside = town.dial(phone, NUMBER);
    let mut out = town.rung(gateway);
    assert!(out.invite.uri().starts_with(&format!("sip:{NUMBER}@")), "{:?}", out.invite);
    town.take(&mut inside, &mut out);
    town.hang_up(&mut out);
    town.ended(&mut inside);
}

#[test]
fn a_provider_sends_a_call_on_inside_its_own_network_and_to_no_number() {
    let (mut town, phone, provider, _) = online();
    let mut other = account("zz-second", "second.test");
    other.order = 1;
    let second = town.provider("second.test", "127.0.0.4:5060");
    town.sign_up(other);
    town.let_in(second);
    for target in
        ["sip:+4990012345@second.test", "sip:+4990012345@provider.test", "tel:+4990012345"]
    {
        let call = town.dial(phone, NUMBER);
        let mut outside = town.rung_with_password(provider);
        let on = format!("Contact: <{target}>");
        town.reply_with(&outside, "302 Moved Temporarily", &[&on], "");
        town.heard(&mut outside, "ACK");
        // The other line carries the call that was dialled, and nothing else.
        let mut next = town.rung_with_password(second);
        assert_eq!(next.invite.uri(), format!("sip:{NUMBER}@second.test"), "{target}");
        town.reply_with(&next, "486 Busy Here", &[], "");
        town.heard(&mut next, "ACK");
        assert!(town.refused(&call).status().unwrap() >= 400, "{target}");
    }
    let call = town.dial(phone, NUMBER);
    let mut outside = town.rung_with_password(provider);
    town.reply_with(&outside, "302 Moved Temporarily", &["Contact: <sip:berta@provider.test>"], "");
    town.heard(&mut outside, "ACK");
    let inside = town.rung_with_password(provider);
    assert_eq!(inside.invite.uri(), "sip:berta@provider.test");
    town.reply(&inside, "180 Ringing", "");
    town.cancel(&call);
    town.cancelled(&inside);
}
