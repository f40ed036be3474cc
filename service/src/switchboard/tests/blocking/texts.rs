// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts of those who are blocked.

use super::{
    super::{house::person, text::Text},
    *,
};

const PLAIN: &str = "Content-Type: text/plain";

impl Town {
    /// Somebody sends a text by the line; its answer.
    fn texted_by(&mut self, provider: Phone, from: &str, to: &str, kind: &str, body: &str) -> Text {
        let (via, serial) = (self.via(provider), self.serial());
        let headers = [
            via,
            "Max-Forwards: 70".into(),
            format!("From: <{from}>;tag=x{serial}"),
            format!("To: <{to}>"),
            format!("Call-ID: text-{serial}"),
            "CSeq: 1 MESSAGE".into(),
            kind.into(),
        ];
        self.send(provider, &Text::write(&format!("MESSAGE {to} SIP/2.0"), &headers, body));
        let answer = |text: &Text| text.method() == "MESSAGE" && text.status().is_some();
        self.find(provider, answer).unwrap_or_else(|| self.fail("the text is answered"))
    }
}

#[test]
fn texts_of_the_blocked_are_taken_and_shown_to_nobody() {
    let (mut town, phone, provider, contact) = online();
    town.blocks(&["+4930901820"], "").unwrap();
    let answer = town.texted_by(provider, EVE, &contact, PLAIN, "buy this");
    assert_eq!(answer.status(), Some(202), "as if it waited for a phone");
    town.assert_silent(phone);
    // What cannot wait fares as if nobody were in.
    let kind = "Content-Type: application/im-iscomposing+xml";
    let answer = town.texted_by(provider, EVE, &contact, kind, "<isComposing/>");
    assert_eq!(answer.status(), Some(480));
    // It comes to light neither when a phone registers nor when she is blocked no more.
    town.unblocks(&["+4930901820"]).unwrap();
    town.register(phone, 600);
    town.assert_silent(phone);
    town.send_request(provider, "MESSAGE", &contact, &[PLAIN], "hello");
    assert_eq!(town.expect(phone, "MESSAGE").body, "hello");
}

#[test]
fn an_extension_that_is_blocked_writes_to_nobody_in_the_house() {
    let (mut town, anna, provider, _) = online();
    let bert = town.phone("102");
    town.add_extension("103", person("a password"));
    town.blocks(&["102"], "").unwrap();
    let answer =
        town.request(bert, "MESSAGE", &format!("sip:101@{HOUSE}"), &[PLAIN], "are you there?");
    assert_eq!(answer.status(), Some(202));
    town.assert_silent(anna);
    // Extensions that do not exist are told apart as ever, and texts leave the house.
    let answer = town.request(bert, "MESSAGE", &format!("sip:nobody@{HOUSE}"), &[PLAIN], "?");
    assert_eq!(answer.status(), Some(404));
    town.send_request(bert, "MESSAGE", "sip:eve@provider.test", &[PLAIN], "out");
    assert_eq!(town.expect(provider, "MESSAGE").body, "out");
    let (contact, from) = ("101".to_owned(), Some("102".to_owned()));
    let asked =
        town.wish(|reply| Ask::SendMessage { contact, from, text: "by a program".into(), reply });
    assert_eq!(asked.answer().map(|sent| sent.state), Ok("stored"));
    town.assert_silent(anna);
}
