// SPDX-License-Identifier: GPL-3.0-or-later
//! The text of the contract, for whoever compares himself with it.

/// `org.gnutelephony.SipWitch1`.
pub const SIPWITCH: &str = include_str!("../xml/org.gnutelephony.SipWitch1.xml");
/// `org.gnutelephony.SipWitch1.Call`.
pub const CALL: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Call.xml");
/// `org.gnutelephony.SipWitch1.Phone`.
pub const PHONE: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Phone.xml");
/// `org.gnutelephony.SipWitch1.Endpoint`.
pub const ENDPOINT: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Endpoint.xml");
/// `org.gnutelephony.SipWitch1.Extension`.
pub const EXTENSION: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Extension.xml");
/// `org.gnutelephony.SipWitch1.Account`.
pub const ACCOUNT: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Account.xml");
/// `org.gnutelephony.SipWitch1.Line`.
pub const LINE: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Line.xml");
/// `org.gnutelephony.SipWitch1.Providers`.
pub const PROVIDERS: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Providers.xml");
/// `org.gnutelephony.SipWitch1.Rules`.
pub const RULES: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Rules.xml");
/// `org.gnutelephony.SipWitch1.Blocking`.
pub const BLOCKING: &str = include_str!("../xml/org.gnutelephony.SipWitch1.Blocking.xml");

/// `org.gnutelephony.SipWitchDigest1`, of the digest service.
pub const DIGEST: &str = include_str!("../xml/org.gnutelephony.SipWitchDigest1.xml");

/// Every interface of the service in the session.
pub const ALL: &[&str] =
    &[SIPWITCH, CALL, PHONE, ENDPOINT, EXTENSION, ACCOUNT, LINE, PROVIDERS, RULES, BLOCKING];
