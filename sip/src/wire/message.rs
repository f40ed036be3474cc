// SPDX-License-Identifier: GPL-3.0-or-later

use std::borrow::Cow;

use bytes::Bytes;

use super::{Headers, Malformed, Method, Name, NameAddr, Uri, name};

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
    fn of(headers: Headers<'_>) -> Result<Self, Malformed> {
        let value =
            headers.value(&name::CSEQ).ok_or_else(|| Malformed::new(400, "there is no CSeq"))?;
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
        Ok(Self { number, method: Method::from_bytes(&Bytes::copy_from_slice(method)) })
    }
}

/// A request that arrived: a view into its bytes, cheap to clone.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) inner: std::sync::Arc<sipx_sip::Request>,
    method: Method,
}

impl Request {
    pub(super) fn new(inner: sipx_sip::Request) -> Self {
        let method = Method::of_sipx(&inner.method);
        Self { inner: std::sync::Arc::new(inner), method }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> Uri {
        Uri(self.inner.uri.clone())
    }

    /// Whether the version is SIP/2.0; anything else is answered 505.
    #[must_use]
    pub fn is_sip_2(&self) -> bool {
        self.inner.version.is_supported()
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers(&self.inner.headers)
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.inner.body()
    }

    /// The From.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn from(&self) -> Result<NameAddr, Malformed> {
        one_address(self.headers(), &name::FROM)
    }

    /// The To.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn to(&self) -> Result<NameAddr, Malformed> {
        one_address(self.headers(), &name::TO)
    }

    /// The Call-ID.
    ///
    /// # Errors
    /// It is missing or empty.
    pub fn call_id(&self) -> Result<Cow<'_, [u8]>, Malformed> {
        call_id(self.headers())
    }

    /// The CSeq.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn cseq(&self) -> Result<CSeq, Malformed> {
        CSeq::of(self.headers())
    }
}

/// A response that arrived: a view into its bytes, cheap to clone.
#[derive(Debug, Clone)]
pub struct Response {
    pub(super) inner: std::sync::Arc<sipx_sip::Response>,
}

impl Response {
    pub(super) fn new(inner: sipx_sip::Response) -> Self {
        Self { inner: std::sync::Arc::new(inner) }
    }

    /// The status code, 100 to 699.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.inner.status.code()
    }

    /// The reason phrase.
    #[must_use]
    pub fn reason(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.inner.reason)
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers(&self.inner.headers)
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.inner.body()
    }

    /// The From.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn from(&self) -> Result<NameAddr, Malformed> {
        one_address(self.headers(), &name::FROM)
    }

    /// The To.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn to(&self) -> Result<NameAddr, Malformed> {
        one_address(self.headers(), &name::TO)
    }

    /// The Call-ID.
    ///
    /// # Errors
    /// It is missing or empty.
    pub fn call_id(&self) -> Result<Cow<'_, [u8]>, Malformed> {
        call_id(self.headers())
    }

    /// The CSeq.
    ///
    /// # Errors
    /// It is missing or malformed.
    pub fn cseq(&self) -> Result<CSeq, Malformed> {
        CSeq::of(self.headers())
    }
}

fn one_address(headers: Headers<'_>, wanted: &Name) -> Result<NameAddr, Malformed> {
    let spelled = || String::from_utf8_lossy(wanted.as_bytes()).into_owned();
    let value = headers
        .value(wanted)
        .ok_or_else(|| Malformed::new(400, format!("there is no {}", spelled())))?;
    NameAddr::parse(&value).map_err(|error| Malformed::new(400, format!("{}: {error}", spelled())))
}

fn call_id(headers: Headers<'_>) -> Result<Cow<'_, [u8]>, Malformed> {
    headers
        .value(&name::CALL_ID)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Malformed::new(400, "there is no Call-ID"))
}
