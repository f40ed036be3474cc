// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that are phones.

mod account;
mod anchored;
mod calls;
mod hostile;
mod talking;
mod texts;

use bytes::Bytes;
use sipwitch_core::call::{CallId, LegId};

use super::{
    super::{
        ask::{Ask, EndpointAsk, EndpointDial, Leaving, NewEndpoint, Refusal, Reply},
        notice::{Notice, Told},
    },
    house::{Asked, person},
    text::sdp,
    town::{Town, password_of},
};

const FIRST: CallId = CallId(1);
const OWNER: &str = ":1.42";

/// What a program offers: nothing that the house would write so.
fn described(port: u16) -> Bytes {
    let mut bytes = sdp("program", port, "sendrecv").into_bytes();
    // No valid UTF-8, and an odd line: it is to cross byte for byte.
    bytes.extend_from_slice(b"a=x-name:\xe9\xff  two  spaces \r\n");
    bytes.into()
}

impl Town {
    /// A program that is a phone, and can be reached.
    pub(super) fn program(&mut self, number: &str) -> u64 {
        let phone = self.quiet_program(number, OWNER);
        let available = true;
        self.asks(phone, |reply| EndpointAsk::SetAvailable { available, reply }).answer().unwrap();
        phone
    }

    /// One that has only registered.
    fn quiet_program(&mut self, number: &str, owner: &str) -> u64 {
        if self.board.directory.find(number).is_none() {
            self.add_extension(number, person(&password_of(number)));
        }
        let endpoint = NewEndpoint {
            account: None,
            extension: Some(number.into()),
            name: "softphone".into(),
            all_calls: false,
            anchored: false,
            marks_read: true,
        };
        let owner = Some(owner.to_owned());
        let asked = self.wish(|reply| Ask::RegisterEndpoint { endpoint, owner, reply });
        asked.answer().unwrap()
    }

    /// The program asks something.
    pub(super) fn asks<T>(
        &mut self,
        phone: u64,
        ask: impl FnOnce(Reply<T>) -> EndpointAsk,
    ) -> Asked<T> {
        self.asks_as(phone, OWNER, ask)
    }

    fn asks_as<T>(
        &mut self,
        phone: u64,
        owner: &str,
        ask: impl FnOnce(Reply<T>) -> EndpointAsk,
    ) -> Asked<T> {
        let owner = Some(owner.to_owned());
        self.wish(|reply| Ask::Endpoint { phone, owner, ask: ask(reply) })
    }

    /// The program has read a reply that names a leg or an exchange.
    fn release(&mut self, phone: u64, leg: LegId) {
        self.ask(Ask::Endpoint { phone, owner: None, ask: EndpointAsk::Release { leg } });
        self.collect();
    }

    /// The program dials, and knows its leg.
    fn program_calls(&mut self, phone: u64, contact: &str, offer: &Bytes) -> LegId {
        let (contact, offer, options) = (contact.into(), offer.clone(), EndpointDial::default());
        let asked = self.asks(phone, |reply| EndpointAsk::Dial { contact, offer, options, reply });
        let (leg, _) = asked.answer().unwrap();
        self.release(phone, leg);
        leg
    }

    fn program_answers(&mut self, phone: u64, leg: LegId, answer: &Bytes) -> Result<(), Refusal> {
        let description = answer.clone();
        self.asks(phone, |reply| EndpointAsk::Answer { leg, description, reply }).answer()
    }

    fn program_hangs_up(&mut self, phone: u64, leg: LegId) {
        let why = Leaving::default();
        self.asks(phone, |reply| EndpointAsk::HangUp { leg, why, reply }).answer().unwrap();
    }

    /// The next that any program is told: whom, and what.
    fn told_to(&mut self) -> Option<(u64, Told)> {
        let at = self.notices.iter().position(|notice| matches!(notice, Notice::Program(_)))?;
        let Notice::Program(told) = self.notices.remove(at) else { unreachable!() };
        assert!(told.owner.is_some(), "sent to one program: {told:?}");
        Some((told.phone, told.told))
    }

    /// The next that this program is told, which must be there.
    #[track_caller]
    fn told(&mut self, phone: u64) -> Told {
        match self.told_to() {
            Some((to, told)) if to == phone => told,
            other => panic!("program {phone} should have been told something, not {other:?}"),
        }
    }

    /// Somebody calls the program: its leg, and the offer.
    #[track_caller]
    fn told_of_call(&mut self, phone: u64) -> (LegId, Bytes) {
        match self.told(phone) {
            Told::Incoming { leg, offer, .. } => (leg, offer),
            other => panic!("a call should have come, not {other:?}"),
        }
    }

    /// The leg ended for this reason.
    #[track_caller]
    fn told_of_end(&mut self, phone: u64, of: LegId, why: &str) {
        match self.told(phone) {
            Told::Ended { leg, reason, .. } => assert_eq!((leg, reason), (of, why)),
            other => panic!("leg {of:?} should have ended, not {other:?}"),
        }
    }

    #[track_caller]
    fn nothing_is_told(&mut self) {
        assert_eq!(self.told_to(), None);
    }
}
