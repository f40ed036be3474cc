// SPDX-License-Identifier: GPL-3.0-or-later
//! The table: SIP status, Q.850 value, words.

use super::Words;

const fn say(what: &'static str) -> Words {
    Words { what, next: None }
}

const fn advise(what: &'static str, next: &'static str) -> Words {
    Words { what, next: Some(next) }
}

/// One SIP status: the Q.850 value of RFC 3398 §8.2.6.1, if it has one, and the words.
struct Status(u16, Option<u8>, Words);

/// One Q.850 value: the SIP status of RFC 3398 §7.2.4.1, and words where they say more than that
/// status does.
struct Value(u8, u16, Option<Words>);

/// In order of the status.
const SIP: &[Status] = &[
    Status(200, Some(16), say("call ended")),
    Status(300, None, say("several ways to reach the contact were offered")),
    Status(301, Some(22), advise("the number has changed", "ask for the new one")),
    Status(302, None, say("the call was sent on to another number")),
    Status(400, Some(41), say("the other side did not understand the call")),
    Status(
        401,
        Some(21),
        advise("the password was asked for and not accepted", "check the account"),
    ),
    Status(
        402,
        Some(21),
        advise("the call has to be paid for first", "check the account's credit"),
    ),
    Status(403, Some(21), say("the call is not allowed")),
    Status(404, Some(1), advise("nobody has this number or name", "check it for a typing error")),
    Status(405, Some(63), say("the other side does not take calls of this kind")),
    Status(406, Some(79), say("the other side accepts no answer this call can give")),
    Status(
        407,
        Some(21),
        advise("the password was asked for and not accepted", "check the account"),
    ),
    Status(408, Some(102), advise("the other side did not respond", "try again later")),
    Status(410, Some(22), advise("the number is no longer in use", "ask for the new one")),
    Status(413, Some(127), say("the call request was too large for the other side")),
    Status(414, Some(127), say("the address is too long for the other side")),
    Status(415, Some(79), say("the other side does not know this kind of media")),
    Status(416, Some(127), say("the other side does not know this kind of address")),
    Status(420, Some(127), say("the other side lacks something the call needs")),
    Status(421, Some(127), say("the other side needs something this call lacks")),
    Status(423, Some(127), say("the registration was too short for the other side")),
    Status(480, Some(18), advise("the person called is not available", "try again later")),
    Status(481, Some(41), say("the call was already over")),
    Status(482, Some(25), advise("the call went round in a circle", "check the diversions")),
    Status(483, Some(25), advise("the call was passed on too often", "check the diversions")),
    Status(484, Some(28), advise("the number is not complete", "dial it in full")),
    Status(485, Some(1), advise("several people have this name", "dial a number")),
    Status(486, Some(17), advise("the person called is busy", "try again later")),
    Status(487, None, say("the caller hung up before anybody answered")),
    Status(488, Some(65), advise("the two sides share no codec", "allow more codecs on the phone")),
    Status(491, None, say("both sides changed the call at the same moment")),
    Status(493, None, say("the other side could not decrypt the call")),
    Status(500, Some(41), advise("the other side failed", "try again later")),
    Status(501, Some(79), say("the other side cannot do this")),
    Status(502, Some(38), advise("a network on the way failed", "try again later")),
    Status(503, Some(41), advise("the service is not available", "try again later")),
    Status(504, Some(102), advise("a network on the way did not respond", "try again later")),
    Status(505, Some(127), say("the other side speaks another version of SIP")),
    Status(513, Some(127), say("the call request was too large for the other side")),
    Status(600, Some(17), advise("the person called is busy everywhere", "try again later")),
    Status(603, Some(21), say("the call was declined")),
    Status(604, Some(1), advise("nobody has this number or name", "check it for a typing error")),
    Status(606, Some(58), advise("the two sides share no codec", "allow more codecs on the phone")),
];

/// In order of the value.
const Q850: &[Value] = &[
    Value(1, 404, None),
    Value(2, 404, Some(say("no network leads to this number"))),
    Value(
        3,
        404,
        Some(advise("no line leads to this contact", "set up a line: sipwitch accounts add")),
    ),
    Value(16, 200, None),
    Value(17, 486, None),
    Value(18, 408, Some(advise("the other side did not respond", "try again later"))),
    Value(19, 480, Some(advise("nobody answered", "try again later"))),
    Value(20, 480, Some(advise("no phone is registered there", "switch the phone on"))),
    Value(21, 403, None),
    Value(22, 410, None),
    Value(23, 410, Some(say("the call was sent on to another number"))),
    Value(25, 483, None),
    Value(26, 404, Some(say("another phone took the call"))),
    Value(27, 502, Some(advise("the other side's line is out of order", "try again later"))),
    Value(28, 484, None),
    Value(29, 501, None),
    Value(31, 480, Some(say("call ended"))),
    Value(34, 503, Some(advise("all lines are in use", "try again in a moment"))),
    Value(38, 503, Some(advise("the telephone network is out of order", "try again later"))),
    Value(41, 503, None),
    Value(42, 503, Some(advise("the telephone network is overloaded", "try again in a moment"))),
    Value(47, 503, None),
    Value(55, 403, None),
    Value(57, 403, Some(say("the line may not be used for calls of this kind"))),
    Value(58, 503, None),
    Value(65, 488, None),
    Value(70, 488, None),
    Value(79, 501, None),
    Value(87, 403, None),
    Value(88, 503, Some(say("the other side cannot take calls of this kind"))),
    Value(102, 504, None),
    Value(111, 500, None),
    Value(127, 500, None),
];

pub(super) fn sip_of(value: u8) -> u16 {
    match Q850.iter().find(|row| row.0 == value) {
        Some(row) => row.1,
        // Unknown values stand for the first of their class (Q.850 §2.2.7.1.1, ITU-T).
        None => match value {
            0..=15 => 404,
            16..=31 => 480,
            32..=47 | 58..=63 | 80..=95 => 503,
            48..=57 => 403,
            64..=79 => 501,
            96..=127 => 500,
            128.. => 500,
        },
    }
}

pub(super) fn q850_of(code: u16) -> Option<u8> {
    SIP.iter().find(|row| row.0 == code).and_then(|row| row.1)
}

/// The words of the Q.850 value, if it has its own and does not contradict the status.
pub(super) fn words_of_q850(value: u8, code: u16) -> Option<Words> {
    let row = Q850.iter().find(|row| row.0 == value)?;
    // The status 487 with 16 is a caller's cancel, 200 with 31 an ended call, and so on: only a
    // row with words of its own speaks before the status.
    let words = row.2?;
    (code < 600).then_some(words)
}

pub(super) fn words_of_sip(code: u16) -> Words {
    match SIP.iter().find(|row| row.0 == code) {
        Some(row) => row.2,
        // An unknown status is the x00 of its class (RFC 3261 §8.1.3.2).
        None => match code {
            0..=199 => say("the call is still being set up"),
            200..=299 => say("call ended"),
            300..=399 => say("the call was sent on to another number"),
            400..=499 => say("the other side did not accept the call"),
            500..=599 => advise("the other side failed", "try again later"),
            600.. => say("the call was declined"),
        },
    }
}

#[cfg(test)]
pub(super) mod rows {
    pub(in super::super) fn sip_codes() -> impl Iterator<Item = (u16, Option<u8>)> {
        super::SIP.iter().map(|row| (row.0, row.1))
    }

    pub(in super::super) fn q850_values() -> impl Iterator<Item = (u8, u16)> {
        super::Q850.iter().map(|row| (row.0, row.1))
    }
}
