// SPDX-License-Identifier: GPL-3.0-or-later
//! What waits at a provider, and who hears of it.

use super::{
    super::town::{Phone, Town},
    calls::online,
};

const SUMMARY: [&str; 2] =
    ["Event: message-summary", "Content-Type: application/simple-message-summary"];

impl Town {
    /// The provider tells what waits, outside any dialog or, with `;tag=…`, inside one.
    fn tell_waiting(&mut self, provider: Phone, contact: &str, body: &str) {
        self.send_request(provider, "NOTIFY", contact, &SUMMARY, body);
    }

    /// A phone is told, and does with it what phones do; gives the body.
    fn lamp(&mut self, phone: Phone, status: &str) -> String {
        let notify = self.expect(phone, "NOTIFY");
        assert_eq!(notify.header("Event"), "message-summary");
        self.respond(phone, &notify, status, "t", &[], "");
        notify.body
    }
}

#[test]
fn what_waits_is_shown_with_the_account_and_told_to_phones_now_and_when_they_come() {
    let (mut town, phone, provider, contact) = online();
    let body =
        "Messages-Waiting: yes\r\nMessage-Account: sip:evil@x\r\nVoice-Message: 2/1 (0/0)\r\n";
    town.tell_waiting(provider, &contact, body);
    town.expect(provider, "200 NOTIFY");
    let view = town.line("work");
    assert_eq!((view.messages_waiting, &*view.messages_waiting_words), (2, "2 new voice messages"));
    let told = town.lamp(phone, "200 OK");
    assert!(told.contains("Voice-Message: 2/1 (0/0)") && !told.contains("evil"), "{told}");
    // The same once more is no news.
    town.tell_waiting(provider, &contact, body);
    town.expect(provider, "200 NOTIFY");
    town.assert_silent(phone);
    // One that comes later hears of it; one that is here and refreshes does not.
    let second = town.phone("101");
    assert!(town.lamp(second, "489 Bad Event").contains("Messages-Waiting: yes"));
    town.register(phone, 3600);
    town.assert_silent(phone);
    // All was heard.
    town.tell_waiting(provider, &contact, "Messages-Waiting: no\r\nVoice-Message: 0/0\r\n");
    town.expect(provider, "200 NOTIFY");
    assert_eq!(town.line("work").messages_waiting, 0);
    for phone in [phone, second] {
        assert!(town.lamp(phone, "200 OK").contains("Messages-Waiting: no"));
    }
}

#[test]
fn a_notify_in_a_dialog_that_only_the_provider_remembers_is_taken() {
    let (mut town, phone, provider, contact) = online();
    let headers = [
        town.via(provider),
        "Max-Forwards: 70".into(),
        "From: <sip:alice@provider.test>;tag=p".into(),
        "To: <sip:alice@provider.test>;tag=from-before-the-restart".into(),
        "Call-ID: subscription".into(),
        "CSeq: 7 NOTIFY".into(),
        "Event: Message-Summary;id=3".into(),
        "Subscription-State: active;expires=600".into(),
    ];
    let notify = super::super::text::Text::write(
        &format!("NOTIFY {contact} SIP/2.0"),
        &headers,
        "Messages-Waiting: yes\r\n",
    );
    town.send(provider, &notify);
    town.expect(provider, "200 NOTIFY");
    assert_eq!(&*town.line("work").messages_waiting_words, "messages wait");
    assert!(town.lamp(phone, "200 OK").contains("Voice-Message: 1/0"));
}

#[test]
fn nobody_else_lights_a_lamp_and_nonsense_is_refused() {
    let (mut town, phone, provider, contact) = online();
    for (body, status) in
        [("Messages-Waiting: perhaps", 400), (&*"\u{0}".repeat(60_000), 400), ("", 200)]
    {
        town.tell_waiting(provider, &contact, body);
        town.expect(provider, &format!("{status} NOTIFY"));
    }
    let more = ["Event: dialog", "Content-Type: application/simple-message-summary"];
    town.send_request(provider, "NOTIFY", &contact, &more, "Messages-Waiting: yes");
    town.expect(provider, "481 NOTIFY");
    let stranger = town.stranger_at("eve", "127.0.0.9:5060".parse().unwrap());
    let uri = format!("sip:101@{}", super::super::house::HOUSE);
    town.tell_waiting(stranger, &uri, "Messages-Waiting: yes");
    town.expect(stranger, "481 NOTIFY");
    town.assert_silent(phone);
    assert_eq!(town.line("work").messages_waiting, 0);
}

#[test]
fn what_waited_for_an_account_goes_with_it() {
    let (mut town, phone, provider, contact) = online();
    town.tell_waiting(provider, &contact, "Messages-Waiting: yes");
    town.expect(provider, "200 NOTIFY");
    town.lamp(phone, "200 OK");
    town.sign_off("work");
    assert!(town.lamp(phone, "200 OK").contains("Messages-Waiting: no"));
}
