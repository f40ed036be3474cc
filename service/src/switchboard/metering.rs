// SPDX-License-Identifier: GPL-3.0-or-later
//! What calls tell of the lines they leave by: how they went, and how long they lasted.

use sipwitch_core::{
    call::{CallId, LegEvent, LegId, blames_the_way},
    cause::Cause,
};

use super::{Switchboard, entry::LegEntry};
use crate::{local_time, store::Change};

impl Switchboard {
    /// A leg has something to tell that speaks for or against the line it calls by.
    pub(super) fn judge_line(&mut self, call: CallId, leg: LegId, event: &LegEvent) {
        let calling = self.calls.get(&call).and_then(|entry| entry.calling_line(leg));
        let Some((line, rang)) = calling else { return };
        match event {
            LegEvent::Progress { status, .. } if matches!(status.code, 180 | 183) => {
                self.lines.call_arrived(line);
            }
            LegEvent::Answered { .. } => self.lines.call_arrived(line),
            LegEvent::Ended { cause } if blames_the_way(cause, rang) => {
                self.lines.call_failed(self.now.instant, line, cause.retry_after);
            }
            _ => {}
        }
    }

    /// A leg is given up: for having been silent, which speaks against its line, or otherwise.
    pub(super) fn judge_given_up(&mut self, call: CallId, leg: LegId, cause: &Cause) {
        let calling = self.calls.get(&call).and_then(|entry| entry.calling_line(leg));
        if let Some((line, false)) = calling
            && cause.sip == 408
        {
            self.lines.call_failed(self.now.instant, line, None);
        }
    }

    /// A leg is over: its minutes count, if it left by a line and was answered.
    pub(super) fn meter(&mut self, leg: Option<LegEntry>) {
        let Some(LegEntry { line: Some(line), answered: Some(answered), .. }) = leg else { return };
        self.see_month();
        let lasted = self.now.instant.saturating_duration_since(answered);
        if let Some(meter) = self.lines.call_lasted(line, lasted) {
            self.store_quietly(Change::PutMeter(Box::new(meter)));
        }
    }

    /// Looks whether another month has begun, before what was used is counted or asked for.
    pub(super) fn see_month(&mut self) {
        if let Some(month) = local_time::month(self.now.unix_us) {
            self.lines.month_is(month);
        }
    }
}
