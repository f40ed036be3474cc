// SPDX-License-Identifier: GPL-3.0-or-later
//! Where media are wanted, as it crosses the bus.

use std::net::{IpAddr, SocketAddr};

use sipwitch_dbus_interfaces::{Error, wire::MediaAddress};
use sipwitch_media::{driver::Located, sdp::MAX_MEDIA};

/// Reads what a program says of its media.
///
/// # Errors
/// `BadValue`, which names what is no address, or a medium that is said twice, or too many.
pub(super) fn located(addresses: &[MediaAddress]) -> Result<Vec<Located>, Error> {
    let bad = |words: String| Err(Error::BadValue(words));
    if addresses.is_empty() || addresses.len() > MAX_MEDIA {
        return bad(format!(
            "addresses has {} entries: give one for each medium, at most {MAX_MEDIA}",
            addresses.len()
        ));
    }
    let mut located: Vec<Located> = Vec::with_capacity(addresses.len());
    for said in addresses {
        // What does not fit is no medium of a description either.
        let medium = usize::try_from(said.medium).unwrap_or(usize::MAX);
        if located.iter().any(|before| before.medium == medium) {
            return bad(format!("medium {medium} stands in addresses twice"));
        }
        let ip = address(&said.address)?;
        let rtcp = match (said.rtcp_address.as_str(), said.rtcp_port) {
            (_, 0) => None,
            ("", port) => Some(SocketAddr::new(ip, port)),
            (text, port) => Some(SocketAddr::new(address(text)?, port)),
        };
        located.push(Located { medium, rtp: SocketAddr::new(ip, said.port), rtcp });
    }
    Ok(located)
}

fn address(text: &str) -> Result<IpAddr, Error> {
    let bad = |_| Error::BadValue(format!("{text:?} is no IP address"));
    text.parse().map_err(bad)
}

/// Tells a program where our ports are.
pub(super) fn addresses(located: &[Located]) -> Vec<MediaAddress> {
    let address = |at: &Located| MediaAddress {
        medium: u32::try_from(at.medium).unwrap_or(u32::MAX),
        address: at.rtp.ip().to_string(),
        port: at.rtp.port(),
        rtcp_address: at.rtcp.map(|rtcp| rtcp.ip().to_string()).unwrap_or_default(),
        rtcp_port: at.rtcp.map(|rtcp| rtcp.port()).unwrap_or_default(),
    };
    located.iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(medium: u32, address: &str, port: u16, rtcp: (&str, u16)) -> MediaAddress {
        let (rtcp_address, rtcp_port) = (rtcp.0.to_owned(), rtcp.1);
        MediaAddress { medium, address: address.to_owned(), port, rtcp_address, rtcp_port }
    }

    #[test]
    fn addresses_are_read_with_the_one_for_reports_or_without() {
        let given = [
            said(0, "127.0.0.1", 4000, ("", 0)),
            said(2, "127.0.0.1", 4002, ("", 5000)),
            said(1, "::1", 4004, ("::1", 5002)),
        ];
        let read = located(&given).expect("addresses");
        let rtcp: Vec<Option<String>> =
            read.iter().map(|at| at.rtcp.map(|rtcp| rtcp.to_string())).collect();
        assert_eq!(rtcp, [None, Some("127.0.0.1:5000".into()), Some("[::1]:5002".into())]);
        assert_eq!(addresses(&read[2..])[0], given[2]);
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        let good = || said(0, "127.0.0.1", 4000, ("", 0));
        for (given, words) in [
            (vec![], "addresses has 0 entries: give one for each medium, at most 64"),
            (vec![said(0, "here", 4000, ("", 0))], "\"here\" is no IP address"),
            (vec![said(0, "127.0.0.1", 4000, ("there", 1))], "\"there\" is no IP address"),
            (vec![good(), good()], "medium 0 stands in addresses twice"),
        ] {
            assert_eq!(located(&given), Err(Error::BadValue(words.into())), "{given:?}");
        }
        let many: Vec<MediaAddress> =
            (0..1000).map(|medium| said(medium, "127.0.0.1", 4000, ("", 0))).collect();
        assert!(located(&many).is_err());
    }
}
