// SPDX-License-Identifier: GPL-3.0-or-later
//! Whom a call is with: one contact, whatever rings behind it.

use std::collections::HashMap;

use super::{
    Call, Who,
    reason::{self, Reason},
};
use crate::{definition::call::CALL, outbox::Outbox};

impl Call {
    pub(super) fn members(&self) -> HashMap<u32, u32> {
        HashMap::from([(self.member.handle, self.member_flags)])
    }

    pub(super) fn identifiers(&self) -> HashMap<u32, String> {
        HashMap::from([(self.member.handle, self.member.id.clone())])
    }

    /// The far end rings, or holds, or does not any more.
    pub(super) fn change_member(&mut self, flags: u32, outbox: &mut Outbox) {
        if self.member_flags == flags {
            return;
        }
        self.member_flags = flags;
        let reason = Reason::by(&self.member, reason::PROGRESS_MADE, "");
        self.tell_members(Vec::new(), &reason, outbox);
    }

    /// The call is with somebody else now: the far end was transferred.
    pub(crate) fn party_changed(&mut self, party: Who, outbox: &mut Outbox) {
        if self.member == party || self.is_ended() {
            return;
        }
        let before = std::mem::replace(&mut self.member, party);
        self.member_flags = 0;
        let reason = Reason::by(&before, reason::WAS_FORWARDED, "");
        self.tell_members(vec![before.handle], &reason, outbox);
    }

    fn tell_members(&self, removed: Vec<u32>, reason: &Reason, outbox: &mut Outbox) {
        let values = (self.members(), self.identifiers(), removed, reason.value());
        outbox.signal(&self.path(), &CALL, "CallMembersChanged", values);
    }
}
