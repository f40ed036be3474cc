// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use sipx_sip::HeaderName;

use super::{Headers, Malformed, Method, NameAddr, Uri, header::unfolded, name, scan};

/// A message that arrived.
#[derive(Debug, Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Its header fields.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }
}

/// The sequence number and method of a CSeq (RFC 3261 §20.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    fn of(value: &[u8]) -> Result<Self, Malformed> {
        let bad = || Malformed::new(400, "CSeq is not a number below 2^31 and a method");
        let split = value.iter().position(u8::is_ascii_whitespace).ok_or_else(bad)?;
        let (digits, method) = value.split_at(split);
        let number = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<u32>().ok())
            .filter(|number| *number < 1 << 31)
            .ok_or_else(bad)?;
        let method = method.trim_ascii();
        if method.is_empty() || method.iter().any(u8::is_ascii_whitespace) {
            return Err(bad());
        }
        Ok(Self { number, method: Method::from_slice(method) })
    }
}

/// A message with the places of the fields that everyone asks for, found once.
#[derive(Debug, Clone)]
struct Parsed<M> {
    message: M,
    places: Places,
    from_tag: TagPlace,
    to_tag: TagPlace,
    /// The From and the To, once somebody has read them.
    from: OnceLock<NameAddr>,
    to: OnceLock<NameAddr>,
    /// The topmost Via field, with what its sender is to be told about where it was seen.
    stamped_via: Option<Bytes>,
}

impl<M> Parsed<M> {
    fn of(message: M, headers: impl Fn(&M) -> &sipx_sip::Headers) -> Self {
        let places = Places::of(headers(&message));
        let from_tag = TagPlace::of(places.value(headers(&message), Essential::From));
        let to_tag = TagPlace::of(places.value(headers(&message), Essential::To));
        let (from, to) = (OnceLock::new(), OnceLock::new());
        Self { message, places, from_tag, to_tag, from, to, stamped_via: None }
    }
}

/// Where the first field of each of these names stands, and which stand more than once.
#[derive(Debug, Clone, Copy)]
struct Places {
    first: [u16; Essential::COUNT],
    repeated: [bool; Essential::COUNT],
}

/// The fields of which the places are kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Essential {
    Via,
    From,
    To,
    CallId,
    CSeq,
    MaxForwards,
}

impl Essential {
    const COUNT: usize = 6;
    const NOWHERE: u16 = u16::MAX;

    fn of(name: &HeaderName) -> Option<Self> {
        Some(match name {
            HeaderName::Via => Self::Via,
            HeaderName::From => Self::From,
            HeaderName::To => Self::To,
            HeaderName::CallId => Self::CallId,
            HeaderName::CSeq => Self::CSeq,
            HeaderName::MaxForwards => Self::MaxForwards,
            _ => return None,
        })
    }

    /// The name in its usual spelling.
    pub(super) const fn spelled(self) -> &'static str {
        match self {
            Self::Via => "Via",
            Self::From => "From",
            Self::To => "To",
            Self::CallId => "Call-ID",
            Self::CSeq => "CSeq",
            Self::MaxForwards => "Max-Forwards",
        }
    }
}

impl Places {
    fn of(headers: &sipx_sip::Headers) -> Self {
        let mut first = [Essential::NOWHERE; Essential::COUNT];
        let mut repeated = [false; Essential::COUNT];
        for (at, header) in headers.iter().enumerate() {
            if let Some(essential) = Essential::of(header.name()) {
                let slot = essential as usize;
                if first[slot] == Essential::NOWHERE {
                    first[slot] = u16::try_from(at).unwrap_or(Essential::NOWHERE);
                } else {
                    repeated[slot] = true;
                }
            }
        }
        Self { first, repeated }
    }

    fn value(self, headers: &sipx_sip::Headers, wanted: Essential) -> Option<Cow<'_, [u8]>> {
        let at = self.first[wanted as usize];
        headers.iter().nth(usize::from(at)).map(unfolded)
    }
}

/// Where the tag stands in a From or To, found once: everyone asks for it.
#[derive(Debug, Clone, Copy)]
enum TagPlace {
    Nowhere,
    /// From here to there in the value.
    Between(u16, u16),
    /// The value is spread over lines.
    Folded,
}

impl TagPlace {
    fn of(value: Option<Cow<'_, [u8]>>) -> Self {
        match value {
            None => Self::Nowhere,
            Some(Cow::Owned(_)) => Self::Folded,
            Some(Cow::Borrowed(value)) => {
                let Some(tag) = scan::tag(value) else { return Self::Nowhere };
                let begin = tag.as_ptr().addr() - value.as_ptr().addr();
                match (u16::try_from(begin), u16::try_from(begin + tag.len())) {
                    (Ok(begin), Ok(end)) => Self::Between(begin, end),
                    // No datagram is that long.
                    _ => Self::Folded,
                }
            }
        }
    }

    fn tag<'a>(self, value: impl FnOnce() -> Option<Cow<'a, [u8]>>) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Nowhere => None,
            Self::Between(begin, end) => match value()? {
                Cow::Borrowed(value) => {
                    value.get(usize::from(begin)..usize::from(end)).map(Cow::Borrowed)
                }
                Cow::Owned(_) => None,
            },
            Self::Folded => scan::tag(&value()?).map(|tag| Cow::Owned(tag.to_vec())),
        }
    }
}

macro_rules! shared_accessors {
    () => {
        /// The header fields.
        #[must_use]
        pub fn headers(&self) -> Headers<'_> {
            Headers(&self.0.message.headers)
        }

        /// The body, byte for byte.
        #[must_use]
        pub fn body(&self) -> &Bytes {
            self.0.message.body()
        }

        /// The From.
        ///
        /// # Errors
        /// It is missing or malformed.
        pub fn from(&self) -> Result<&NameAddr, Malformed> {
            self.address(Essential::From, &self.0.from)
        }

        /// The To.
        ///
        /// # Errors
        /// It is missing or malformed.
        pub fn to(&self) -> Result<&NameAddr, Malformed> {
            self.address(Essential::To, &self.0.to)
        }

        /// The tag of the From, found without reading the address.
        #[must_use]
        pub fn from_tag(&self) -> Option<Cow<'_, [u8]>> {
            self.0.from_tag.tag(|| self.essential(Essential::From))
        }

        /// The tag of the To, found without reading the address.
        #[must_use]
        pub fn to_tag(&self) -> Option<Cow<'_, [u8]>> {
            self.0.to_tag.tag(|| self.essential(Essential::To))
        }

        /// The Call-ID.
        ///
        /// # Errors
        /// It is missing or empty, or has blanks or control characters in it.
        pub fn call_id(&self) -> Result<Cow<'_, [u8]>, Malformed> {
            let value =
                self.essential(Essential::CallId).ok_or_else(|| missing(Essential::CallId))?;
            // It is sent back and compared byte for byte: nothing may be in it that a line could
            // not carry (RFC 3261 §25.1 `callid`).
            if value.is_empty() || value.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
                return Err(Malformed::new(400, "Call-ID is empty or has a blank in it"));
            }
            Ok(value)
        }

        /// The CSeq.
        ///
        /// # Errors
        /// It is missing or malformed.
        pub fn cseq(&self) -> Result<CSeq, Malformed> {
            let value = self.essential(Essential::CSeq).ok_or_else(|| missing(Essential::CSeq))?;
            CSeq::of(&value)
        }

        /// The topmost Via field as it came; its first hop is read with [`Via::first`].
        ///
        /// [`Via::first`]: super::Via::first
        #[must_use]
        pub fn via(&self) -> Option<Cow<'_, [u8]>> {
            self.essential(Essential::Via)
        }

        /// The first field of that name.
        pub(super) fn essential(&self, wanted: Essential) -> Option<Cow<'_, [u8]>> {
            self.0.places.value(&self.0.message.headers, wanted)
        }

        /// Whether more than one field has that name.
        pub(super) fn is_repeated(&self, wanted: Essential) -> bool {
            self.0.places.repeated[wanted as usize]
        }

        fn address<'a>(
            &'a self,
            wanted: Essential,
            read: &'a OnceLock<NameAddr>,
        ) -> Result<&'a NameAddr, Malformed> {
            if let Some(read) = read.get() {
                return Ok(read);
            }
            let value = self.essential(wanted).ok_or_else(|| missing(wanted))?;
            let address = NameAddr::parse(&value)
                .map_err(|error| Malformed::new(400, format!("{}: {error}", wanted.spelled())))?;
            Ok(read.get_or_init(|| address))
        }
    };
}

/// A request that arrived: a view into its bytes, cheap to clone.
#[derive(Debug, Clone)]
pub struct Request(Arc<Parsed<sipx_sip::Request>>, Method);

impl Request {
    pub(super) fn new(message: sipx_sip::Request) -> Self {
        let method = Method::of_sipx(&message.method);
        Self(Arc::new(Parsed::of(message, |message| &message.headers)), method)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.1
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> Uri {
        Uri(self.0.message.uri.clone())
    }

    /// Whether the version is SIP/2.0; anything else is answered 505.
    #[must_use]
    pub fn is_sip_2(&self) -> bool {
        self.0.message.version.is_supported()
    }

    /// Keeps the topmost Via field as it has to stand in responses.
    pub(crate) fn stamp_via(&mut self, field: Bytes) {
        Arc::make_mut(&mut self.0).stamped_via = Some(field);
    }

    /// The Via fields as they have to stand in responses.
    pub(super) fn response_vias(&self) -> impl Iterator<Item = Bytes> {
        let stamped = self.0.stamped_via.clone();
        let skipped = usize::from(stamped.is_some());
        let others = self.headers().all(&name::VIA).skip(skipped);
        stamped.into_iter().chain(others.map(|value| Bytes::from(value.into_owned())))
    }

    shared_accessors!();
}

/// A response that arrived: a view into its bytes, cheap to clone.
#[derive(Debug, Clone)]
pub struct Response(Arc<Parsed<sipx_sip::Response>>);

impl Response {
    pub(super) fn new(message: sipx_sip::Response) -> Self {
        Self(Arc::new(Parsed::of(message, |message| &message.headers)))
    }

    /// The status code, 100 to 699.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.message.status.code()
    }

    /// The reason phrase.
    #[must_use]
    pub fn reason(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0.message.reason)
    }

    /// Whether the version is SIP/2.0.
    #[must_use]
    pub fn is_sip_2(&self) -> bool {
        self.0.message.version.is_supported()
    }

    shared_accessors!();
}

fn missing(field: Essential) -> Malformed {
    Malformed::new(400, format!("there is no {}", field.spelled()))
}
