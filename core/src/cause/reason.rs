// SPDX-License-Identifier: GPL-3.0-or-later
//! Causes as values of the Reason header field (RFC 3326 §2).

use super::Cause;

/// Why a Reason value was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseReasonError {
    /// Neither `SIP` nor `Q.850`.
    #[error("unknown protocol {0:?} in Reason: expected SIP or Q.850")]
    Protocol(String),
    /// No `cause` parameter.
    #[error("no cause parameter in Reason")]
    NoCause,
    /// A `cause` that is not a number of its protocol.
    #[error("cause {0:?} in Reason is not a number of its protocol")]
    Cause(String),
}

/// Longer texts are cut: they are words for a person, not a place to store things.
const MAX_TEXT: usize = 200;

impl Cause {
    /// The value of a Reason header field with protocol `SIP`, such as
    /// `SIP;cause=200;text="Call completed elsewhere"`.
    #[must_use]
    pub fn sip_reason(&self) -> String {
        let mut value = format!("SIP;cause={}", self.sip);
        push_text(&mut value, &self.text);
        value
    }

    /// The value of a Reason header field with protocol `Q.850`, such as `Q.850;cause=16`; none
    /// when neither the cause nor the table knows one.
    #[must_use]
    pub fn q850_reason(&self) -> Option<String> {
        let number = self.q850_or_mapped()?;
        let mut value = format!("Q.850;cause={number}");
        push_text(&mut value, &self.text);
        Some(value)
    }

    /// The one Reason value that says most to a phone: Q.850 for an ordinary end (as the public
    /// network does), SIP for everything else.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.is_answered_elsewhere() || !self.is_normal() {
            return self.sip_reason();
        }
        self.q850_reason().unwrap_or_else(|| self.sip_reason())
    }

    /// Reads one Reason value.
    ///
    /// # Errors
    /// When the protocol is neither `SIP` nor `Q.850`, or its cause is missing or out of range.
    pub fn from_reason(value: &str) -> Result<Self, ParseReasonError> {
        let mut parts = Parts(value);
        let protocol = parts.next().unwrap_or_default().trim();
        let (mut cause, mut text) = (None, String::new());
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if name.trim().eq_ignore_ascii_case("cause") {
                cause = Some(value.trim());
            } else if name.trim().eq_ignore_ascii_case("text") {
                text = unquote(value.trim());
            }
        }
        let bad = |cause: &str| ParseReasonError::Cause(cut(cause));
        if protocol.eq_ignore_ascii_case("SIP") {
            let cause = cause.ok_or(ParseReasonError::NoCause)?;
            match cause.parse() {
                Ok(sip @ 100..=699) => {
                    let q850 = (sip == 200 && text == super::ANSWERED_ELSEWHERE).then_some(26);
                    Ok(Self { sip, q850, text, retry_after: None })
                }
                _ => Err(bad(cause)),
            }
        } else if protocol.eq_ignore_ascii_case("Q.850") {
            let cause = cause.ok_or(ParseReasonError::NoCause)?;
            match cause.parse() {
                Ok(number @ 1..=127) => Ok(Self { text, ..Self::from_q850(number) }),
                _ => Err(bad(cause)),
            }
        } else {
            Err(ParseReasonError::Protocol(cut(protocol)))
        }
    }
}

/// Splits at semicolons outside quotes.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (mut quoted, mut escaped) = (false, false);
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b';' if !quoted => {
                    let part = &self.0[..at];
                    self.0 = &self.0[at + 1..];
                    return Some(part);
                }
                _ => {}
            }
        }
        Some(std::mem::take(&mut self.0))
    }
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return cut(value);
    };
    let (mut text, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            // What a foreign switch sends ends up in terminals and notifications.
            if !c.is_control() {
                text.push(c);
            }
        }
    }
    cut(&text)
}

fn push_text(value: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    value.push_str(";text=\"");
    for c in cut(text).chars() {
        if matches!(c, '"' | '\\') {
            value.push('\\');
        }
        // A line break here would end the header field.
        value.push(if c.is_control() { ' ' } else { c });
    }
    value.push('"');
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
