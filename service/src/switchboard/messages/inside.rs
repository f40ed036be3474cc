// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts written within a call (RFC 3428 §4: MESSAGE may be sent in a dialog that is there). Those
//! between two phones cross as they are; a program gets them as it gets any text.

use sipwitch_core::call::{
    Side,
    leg::{Carried, ExchangeId, Field, LegId},
};

use super::{super::Switchboard, Content, MAX_BODY, Sender, TAKEN, Text};

impl Switchboard {
    /// The far end of a program's call writes to it.
    pub(in super::super) fn text_in_call(
        &mut self,
        leg: LegId,
        exchange: ExchangeId,
        carried: &Carried,
    ) {
        match self.text_within(leg, carried) {
            Ok(text) => self.send_text(text, Sender::Call(leg, exchange)),
            Err(415) => {
                let fields = vec![Field { name: "Accept".into(), value: TAKEN.into() }];
                self.programs.reply_with(leg, exchange, 415, Carried { fields, body: None });
            }
            Err(status) => self.programs.reply(leg, exchange, status),
        }
    }

    fn text_within(&self, leg: LegId, carried: &Carried) -> Result<Text, u16> {
        let program = self.programs.phone_of(leg).ok_or(481_u16)?;
        let entry = self.legs.get(&leg).and_then(|call| self.calls.get(call)).ok_or(481_u16)?;
        let body = carried.body.as_ref().ok_or(400_u16)?;
        if body.bytes.len() > MAX_BODY {
            return Err(513);
        }
        let kind = String::from_utf8_lossy(&body.content_type).into_owned();
        let content = Content::of(Some(kind), &body.bytes);
        if content.is_textless() {
            return Err(415);
        }
        let is_caller = entry.call.talking(Side::Caller) == Some(leg);
        let party = if is_caller { &entry.callee } else { &entry.caller };
        let from = match party.address.as_str() {
            whole if whole.starts_with("sip:") || whole.starts_with("sips:") => {
                format!("<{whole}>")
            }
            foreign if foreign.contains('@') => format!("<sip:{foreign}>"),
            user => self.address_of(user),
        };
        let text = Text::arrived(content, String::new(), from, self.now.unix_us);
        Ok(Text { program: Some(program), ..text })
    }
}
