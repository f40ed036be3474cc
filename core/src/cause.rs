// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a leg or call ended: SIP code, Q.850 cause and words, in one type and one table.
//!
//! The mappings are those of RFC 3398 (§7.2.4.1 from Q.850 to SIP, §8.2.6.1 back); the text form is
//! the Reason header field of RFC 3326, which adapters put on the wire as it is.

mod reason;
mod table;
#[cfg(test)]
mod tests;
mod word;

use std::time::Duration;

pub use reason::ParseReasonError;

/// Why a leg or call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The SIP status code (RFC 3261 §21); 200 is a normal end.
    pub sip: u16,
    /// The Q.850 cause value, where one is known (RFC 3326).
    pub q850: Option<u8>,
    /// Words for a person; empty means the table's.
    pub text: String,
    /// How long whoever said so wants to be left alone (RFC 3261 §20.33).
    pub retry_after: Option<Duration>,
}

/// What a person reads about a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What happened.
    pub what: &'static str,
    /// What can be done about it, where anything can.
    pub next: Option<&'static str>,
}

/// What RFC 3326 and 3GPP agreed to send to the phones that did not win (RFC 3326 §2).
const ANSWERED_ELSEWHERE: &str = "Call completed elsewhere";

impl Cause {
    /// A cause known by its SIP status code.
    #[must_use]
    pub const fn from_sip(code: u16) -> Self {
        Self { sip: code, q850: None, text: String::new(), retry_after: None }
    }

    /// A cause known by its Q.850 value, with the SIP code of RFC 3398 §7.2.4.1.
    #[must_use]
    pub fn from_q850(value: u8) -> Self {
        Self {
            sip: table::sip_of(value),
            q850: Some(value),
            text: String::new(),
            retry_after: None,
        }
    }

    /// The same cause in other words.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Somebody hung up.
    #[must_use]
    pub const fn normal() -> Self {
        Self { sip: 200, q850: Some(16), text: String::new(), retry_after: None }
    }

    /// Another phone took the call. Phones told so do not count it as missed.
    #[must_use]
    pub fn answered_elsewhere() -> Self {
        Self { sip: 200, q850: Some(26), text: ANSWERED_ELSEWHERE.into(), retry_after: None }
    }

    /// Whether this is [`Self::answered_elsewhere`], also as a foreign switch words it.
    #[must_use]
    pub fn is_answered_elsewhere(&self) -> bool {
        self.sip == 200 && (self.q850 == Some(26) || self.text == ANSWERED_ELSEWHERE)
    }

    /// The caller gave up before anybody answered.
    #[must_use]
    pub const fn cancelled() -> Self {
        Self { sip: 487, q850: Some(16), text: String::new(), retry_after: None }
    }

    /// It rang for as long as it may, and nobody answered.
    #[must_use]
    pub const fn no_answer() -> Self {
        Self { sip: 480, q850: Some(19), text: String::new(), retry_after: None }
    }

    /// Nothing at all was heard from the far end.
    #[must_use]
    pub const fn timeout() -> Self {
        Self { sip: 408, q850: Some(18), text: String::new(), retry_after: None }
    }

    /// Nothing came from either side for so long that nobody can be there any more.
    #[must_use]
    pub fn media_lost() -> Self {
        Self { sip: 408, q850: Some(102), text: String::new(), retry_after: None }
            .with_text("Nothing was heard from either side for 90 seconds")
    }

    /// Nobody has this number or name.
    #[must_use]
    pub const fn not_found() -> Self {
        Self { sip: 404, q850: Some(1), text: String::new(), retry_after: None }
    }

    /// The extension exists, and none of its phones is here.
    #[must_use]
    pub const fn not_registered() -> Self {
        Self { sip: 480, q850: Some(20), text: String::new(), retry_after: None }
    }

    /// The contact cannot be understood as one.
    #[must_use]
    pub const fn not_a_contact() -> Self {
        Self { sip: 484, q850: Some(28), text: String::new(), retry_after: None }
    }

    /// The called person is busy.
    #[must_use]
    pub const fn busy() -> Self {
        Self { sip: 486, q850: Some(17), text: String::new(), retry_after: None }
    }

    /// No line leads to the contact: no route to the destination, which is 404 (RFC 3398 §8.2.6.1).
    /// A 503 would tell a phone that this service is down.
    #[must_use]
    pub const fn no_line() -> Self {
        Self { sip: 404, q850: Some(3), text: String::new(), retry_after: None }
    }

    /// The line that leads there is down, so that another may be tried.
    #[must_use]
    pub const fn line_down() -> Self {
        Self { sip: 503, q850: Some(27), text: String::new(), retry_after: None }
    }

    /// The lines that lead there are down: out of order, which is 480 to a phone. It says something
    /// of the lines, and nothing of the number.
    #[must_use]
    pub fn no_line_up() -> Self {
        Self { sip: 480, q850: Some(27), text: String::new(), retry_after: None }
            .with_text("The line that leads there is down")
    }

    /// The lines that lead there can take no more calls (RFC 3398 has 503 for 34, which would tell
    /// a phone that this service is down).
    #[must_use]
    pub fn lines_in_use() -> Self {
        Self { sip: 480, q850: Some(34), text: String::new(), retry_after: None }
            .with_text("All lines that lead there are in use")
    }

    /// The caller may not make this call.
    #[must_use]
    pub const fn barred() -> Self {
        Self { sip: 403, q850: Some(21), text: String::new(), retry_after: None }
    }

    /// No line can carry an emergency call. 503, so that a phone with another account tries that.
    #[must_use]
    pub fn no_emergency_line() -> Self {
        Self { sip: 503, q850: Some(3), text: String::new(), retry_after: None }
            .with_text("No line here can carry an emergency call: use another telephone now")
    }

    /// The two sides share no kind of media.
    #[must_use]
    pub const fn not_acceptable() -> Self {
        Self { sip: 488, q850: Some(65), text: String::new(), retry_after: None }
    }

    /// The call went round too often (Max-Forwards, diversions).
    #[must_use]
    pub const fn too_many_hops() -> Self {
        Self { sip: 483, q850: Some(25), text: String::new(), retry_after: None }
    }

    /// The leg was connected to somebody else by a transfer or a `Replaces`.
    #[must_use]
    pub fn transferred() -> Self {
        Self { sip: 200, q850: Some(16), text: "Call transferred".into(), retry_after: None }
    }

    /// The program that owned the call left the bus.
    #[must_use]
    pub fn owner_left_bus() -> Self {
        Self {
            sip: 200,
            q850: Some(31),
            text: "The program that made the call is gone".into(),
            retry_after: None,
        }
    }

    /// The service stops.
    #[must_use]
    pub fn shutdown() -> Self {
        Self {
            sip: 503,
            q850: Some(41),
            text: "The telephone service is stopping".into(),
            retry_after: None,
        }
    }

    /// The Q.850 value: the one given, else the one of RFC 3398 §8.2.6.1 for the SIP code.
    #[must_use]
    pub fn q850_or_mapped(&self) -> Option<u8> {
        self.q850.or_else(|| table::q850_of(self.sip))
    }

    /// Whether the call ended as calls should: somebody talked, and hung up.
    #[must_use]
    pub const fn is_normal(&self) -> bool {
        self.sip >= 200 && self.sip < 300
    }

    /// What a person reads: the cause, and the next step where there is one.
    ///
    /// The Q.850 value decides where it says more than the SIP code (`480` alone does not tell
    /// "nobody answered" from "no phone is registered").
    #[must_use]
    pub fn words(&self) -> Words {
        self.q850
            .and_then(|value| table::words_of_q850(value, self.sip))
            .unwrap_or_else(|| table::words_of_sip(self.sip))
    }

    /// The whole sentence for a person: the text that came with the cause or the table's, and the
    /// next step.
    #[must_use]
    pub fn sentence(&self) -> String {
        let words = self.words();
        let what = if self.text.is_empty() { words.what } else { &self.text };
        match words.next {
            Some(next) => format!("{what}: {next}"),
            None => what.to_owned(),
        }
    }

    /// The order in which final responses of forked legs are preferred (RFC 3261 §16.7, step 6):
    /// the lowest is told to the caller. A 6xx is final for every branch; then what says most about
    /// the person called comes first.
    #[must_use]
    pub const fn rank(&self) -> u16 {
        match self.sip {
            600..=699 => 0,
            // Busy says that the person is there.
            486 => 10,
            // Challenges and repairable requests, which §16.7 prefers among the 4xx.
            401 | 407 | 415 | 420 | 484 => 20,
            488 => 25,
            480 => 30,
            403 => 40,
            404 | 410 => 50,
            408 => 60,
            300..=399 => 70,
            400..=499 => 80,
            // 503 is to be told only when nothing better came (§16.7 step 6).
            503 => 200,
            500..=599 => 100,
            _ => 300,
        }
    }

    /// The better of two for the caller; the first on a tie.
    #[must_use]
    pub fn preferred(self, other: Self) -> Self {
        if other.rank() < self.rank() { other } else { self }
    }
}
