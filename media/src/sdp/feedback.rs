// SPDX-License-Identifier: GPL-3.0-or-later
//! What the sender of video may be asked by RTCP (RFC 4585 §4.2).

use super::codec::payload_type;
use super::{Fault, phrase, word};

/// One `a=rtcp-fb`: `96 nack pli`, or `* trr-int 100`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// For which codec; for all without one.
    pub payload_type: Option<u8>,
    /// `nack`, `ccm`, `trr-int`, `transport-cc` …
    pub kind: String,
    /// `pli`, `fir`; for `trr-int` the least time between reports, in milliseconds.
    pub parameters: String,
}

impl Feedback {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (codec, rest) = text.split_once(char::is_whitespace)?;
        let payload_type = match codec {
            "*" => None,
            number => Some(payload_type(number)?),
        };
        let (kind, parameters) = match rest.trim().split_once(char::is_whitespace) {
            Some((kind, parameters)) => (kind, parameters.trim()),
            None => (rest.trim(), ""),
        };
        if kind.is_empty() {
            return None;
        }
        Some(Self { payload_type, kind: kind.to_owned(), parameters: parameters.to_owned() })
    }

    pub(super) fn text(&self) -> Result<String, Fault> {
        const WHAT: &str = "a feedback message";
        let kind = word(&self.kind, WHAT)?;
        let codec = match self.payload_type {
            Some(number @ 0..128) => number.to_string(),
            Some(_) => return Err(Fault::Value(WHAT)),
            None => "*".to_owned(),
        };
        Ok(match phrase(&self.parameters, WHAT)? {
            "" => format!("{codec} {kind}"),
            parameters => format!("{codec} {kind} {parameters}"),
        })
    }
}
