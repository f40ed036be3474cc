// SPDX-License-Identifier: GPL-3.0-or-later
//! Transfers: the far end is connected with somebody else, and our leg ends when it is.

use zbus::Message;

use super::{Around, Call, Leg, not_now};
use crate::{
    error::{Error, Name},
    reply::Reply,
    service::{Answer, Refused},
};

impl Call {
    /// Its leg, if it talks with the contact of this handle.
    pub(crate) fn leg_with(&self, handle: u32) -> Option<u64> {
        match self.leg {
            Leg::There(leg) if self.is_confirmed && self.member.handle == handle => Some(leg),
            _ => None,
        }
    }

    /// Asks the service to connect the far end with a contact, or with the far end of another leg of
    /// ours; the reply comes when the service has begun.
    ///
    /// # Errors
    /// `NotAvailable` if it does not talk, `InvalidHandle` if the member is not in it.
    pub(crate) fn transfer(
        &self,
        member: u32,
        (destination, other): (&str, Option<u64>),
        request: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        if member != self.member.handle {
            let words = format!("{member} is not in the call");
            return Err(Name::InvalidHandle.because(words));
        }
        let leg = self.leg_with(member).filter(|leg| Some(*leg) != other);
        let leg = leg.ok_or_else(|| not_now("only who one talks with is transferred"))?;
        around.outbox.transfer(around.phone, leg, (destination, other), request.clone());
        Ok(Reply::Later)
    }
}

/// What is answered to who asked for a transfer.
pub(crate) fn transfer_begun(answer: Answer<()>) -> Result<Reply, Error> {
    answer.map(|()| Reply::Nothing).map_err(|refused: Refused| {
        let name = match refused.of_service() {
            Some("BadContact") => Name::InvalidHandle,
            Some(_) => Name::NotAvailable,
            None => Name::NetworkError,
        };
        name.because(refused.words)
    })
}
