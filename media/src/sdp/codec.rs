// SPDX-License-Identifier: GPL-3.0-or-later
//! Codecs: what a payload type means (RFC 8866 §6.6, §6.15).

use super::{Fault, phrase, word};

/// The most parameters of one codec that are understood; real ones have a dozen.
pub const MAX_PARAMETERS: usize = 64;

/// The name of the codec that carries digits (RFC 4733); its parameter stands without a key, and
/// is called `events` here.
const DIGITS: &str = "telephone-event";

/// One codec of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// The number in the header of each RTP packet, at most 127.
    pub payload_type: u8,
    /// The encoding name, `PCMU`, in the peer's spelling; case means nothing.
    pub name: String,
    /// The clock of its time stamps, in Hz.
    pub clock_hz: u32,
    /// Channels of sound; 1 where it is not said or there is no sound.
    pub channels: u8,
    /// The parameters of `a=fmtp`, in order: `("useinbandfec", "1")`. A word without a value has an
    /// empty one; a text that is no list of parameters has an empty key.
    pub parameters: Vec<(String, String)>,
}

impl Codec {
    /// A codec of one channel without parameters.
    #[must_use]
    pub fn new(payload_type: u8, name: &str, clock_hz: u32) -> Self {
        let name = name.to_owned();
        Self { payload_type, name, clock_hz, channels: 1, parameters: Vec::new() }
    }

    /// Whether both mean the same encoding, whatever their payload types. Their parameters are for
    /// whoever encodes to judge.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
            && self.clock_hz == other.clock_hz
            && self.channels == other.channels
    }

    /// The value of `0 PCMU/8000/1`.
    pub(super) fn of_rtpmap(text: &str) -> Option<Self> {
        let (payload_type, encoding) = text.split_once(char::is_whitespace)?;
        let mut parts = encoding.trim().split('/');
        let name = parts.next().filter(|name| word(name, "").is_ok())?;
        let clock_hz = parts.next()?.trim().parse().ok().filter(|&clock| clock > 0)?;
        let channels = match parts.next() {
            Some(channels) => channels.trim().parse().ok().filter(|&count| count > 0)?,
            None => 1,
        };
        let payload_type = self::payload_type(payload_type)?;
        Some(Self { channels, ..Self::new(payload_type, name, clock_hz) })
    }

    /// Payload types that mean something without `a=rtpmap` (RFC 3551 §6).
    pub(super) fn assigned(payload_type: u8) -> Option<Self> {
        let (name, clock_hz, channels) = match payload_type {
            0 => ("PCMU", 8000, 1),
            3 => ("GSM", 8000, 1),
            4 => ("G723", 8000, 1),
            5 => ("DVI4", 8000, 1),
            6 => ("DVI4", 16000, 1),
            7 => ("LPC", 8000, 1),
            8 => ("PCMA", 8000, 1),
            // 16 kHz of sound, and yet 8000: the RFC's own old mistake.
            9 => ("G722", 8000, 1),
            10 => ("L16", 44100, 2),
            11 => ("L16", 44100, 1),
            12 => ("QCELP", 8000, 1),
            13 => ("CN", 8000, 1),
            14 => ("MPA", 90000, 1),
            15 => ("G728", 8000, 1),
            16 => ("DVI4", 11025, 1),
            17 => ("DVI4", 22050, 1),
            18 => ("G729", 8000, 1),
            25 => ("CelB", 90000, 1),
            26 => ("JPEG", 90000, 1),
            28 => ("nv", 90000, 1),
            31 => ("H261", 90000, 1),
            32 => ("MPV", 90000, 1),
            33 => ("MP2T", 90000, 1),
            34 => ("H263", 90000, 1),
            _ => return None,
        };
        Some(Self { channels, ..Self::new(payload_type, name, clock_hz) })
    }

    /// Takes the parameters out of the text after the payload type of `a=fmtp`.
    pub(super) fn read_parameters(&mut self, text: &str) {
        let text = text.trim();
        if self.name.eq_ignore_ascii_case(DIGITS) && !text.contains('=') {
            self.parameters = vec![("events".to_owned(), text.to_owned())];
        } else if !text.contains(['=', ';']) && text.contains(char::is_whitespace) {
            self.parameters = vec![(String::new(), text.to_owned())];
        } else {
            let parts = text.split(';').map(str::trim);
            let pairs = parts.map(|part| match part.split_once('=') {
                Some((key, value)) => (key.trim_end(), value.trim_start()),
                None => (part, ""),
            });
            self.parameters = pairs
                .filter(|(key, _)| !key.is_empty())
                .take(MAX_PARAMETERS)
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
        }
    }

    /// The value of `a=rtpmap`.
    pub(super) fn rtpmap(&self) -> Result<String, Fault> {
        let Self { payload_type, name, clock_hz, channels, .. } = self;
        if *payload_type > 127 || *clock_hz == 0 || *channels == 0 {
            return Err(Fault::Value("a codec without payload type, clock or channel"));
        }
        let name = word(name, "the name of a codec")?;
        if name.contains('/') {
            return Err(Fault::Value("the name of a codec"));
        }
        Ok(match channels {
            1 => format!("{payload_type} {name}/{clock_hz}"),
            _ => format!("{payload_type} {name}/{clock_hz}/{channels}"),
        })
    }

    /// The value of `a=fmtp`, if it needs one.
    pub(super) fn fmtp(&self) -> Result<Option<String>, Fault> {
        const WHAT: &str = "a parameter of a codec";
        if self.parameters.is_empty() {
            return Ok(None);
        }
        if self.parameters.len() > MAX_PARAMETERS {
            return Err(Fault::TooMany("parameters of a codec"));
        }
        let digits = self.name.eq_ignore_ascii_case(DIGITS);
        let alone = self.parameters.len() == 1;
        let mut parts = Vec::with_capacity(self.parameters.len());
        for (key, value) in &self.parameters {
            let (key, value) = (phrase(key, WHAT)?, phrase(value, WHAT)?);
            if key.contains(['=', ';']) || value.contains(';') {
                return Err(Fault::Value(WHAT));
            }
            let bare = alone && !value.is_empty() && !value.contains('=');
            parts.push(match (key, value) {
                ("", value) if bare => value.to_owned(),
                ("", _) => return Err(Fault::Value(WHAT)),
                ("events", events) if digits && bare => events.to_owned(),
                // A word alone is a parameter only where it cannot be taken for a text.
                (key, "") if !digits && !key.contains(char::is_whitespace) => key.to_owned(),
                (key, value) => format!("{key}={value}"),
            });
        }
        Ok(Some(format!("{} {}", self.payload_type, parts.join(";"))))
    }
}

/// A payload type of RTP: seven bits.
pub(super) fn payload_type(text: &str) -> Option<u8> {
    text.trim().parse().ok().filter(|&number| number <= 127)
}

/// What an answer may hold of `offered` to one who has `own`: in the order and with the payload
/// types of the offer, and our parameters (RFC 3264 §6.1).
#[must_use]
pub fn common(offered: &[Codec], own: &[Codec]) -> Vec<Codec> {
    let answer = offered.iter().filter_map(|codec| {
        let ours = own.iter().find(|ours| ours.is_like(codec))?;
        Some(Codec { parameters: ours.parameters.clone(), ..codec.clone() })
    });
    answer.collect()
}
