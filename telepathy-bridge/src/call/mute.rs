// SPDX-License-Identifier: GPL-3.0-or-later
//! Muting: the handler stops to send the sound of the user, and the far end is not told.

use zbus::Message;

use super::{Around, Call, not_now, not_served, stream::Flow};
use crate::{
    definition::call::MUTE,
    error::Error,
    outbox::Outbox,
    reply::{Reply, arguments},
};

/// Local_Mute_State.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Muting {
    #[default]
    Unmuted = 0,
    Muted = 1,
    PendingMute = 2,
    PendingUnmute = 3,
}

impl Muting {
    /// Whether no sound is to be sent.
    pub(super) const fn is_wanted(self) -> bool {
        matches!(self, Self::Muted | Self::PendingMute)
    }
}

impl Call {
    pub(super) fn mute_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        if name != "RequestMuted" {
            return Err(not_served(name));
        }
        let wanted: bool = arguments(call)?;
        if self.is_ended() {
            return Err(not_now("it is over"));
        }
        if wanted != self.mute.is_wanted() {
            let state = if wanted { Muting::PendingMute } else { Muting::PendingUnmute };
            self.mute_changes(state, around.outbox);
            for content in self.contents.iter_mut().filter(|content| content.is_audio()) {
                content.failed.sends = false;
            }
        }
        Ok(Reply::Nothing)
    }

    /// The handler has done what muting or unmuting asks of it, or not yet.
    pub(super) fn mute_advances(&mut self, outbox: &mut Outbox) {
        let mut sounds = self.contents.iter().filter(|content| content.is_audio());
        match self.mute {
            Muting::PendingMute if sounds.all(|one| one.sending == Flow::Stopped) => {
                self.mute_changes(Muting::Muted, outbox);
            }
            Muting::PendingUnmute
                if sounds.all(|one| matches!(one.sending, Flow::Started | Flow::Stopped)) =>
            {
                self.mute_changes(Muting::Unmuted, outbox);
            }
            Muting::PendingMute | Muting::PendingUnmute | Muting::Muted | Muting::Unmuted => {}
        }
    }

    fn mute_changes(&mut self, state: Muting, outbox: &mut Outbox) {
        self.mute = state;
        outbox.signal(&self.path(), &MUTE, "MuteStateChanged", (state as u32,));
    }
}
