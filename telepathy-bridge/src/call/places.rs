// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the two ends of a medium are.
//!
//! A handler may need seconds to find out where it is: farstream asks the router first. Neither a
//! call nor an answer waits for that. Media go through ports of the service, so that the far end has
//! no use for the handler's address, and only the service is told when it is known. The service tells
//! at once where its ports are.

use std::net::{IpAddr, SocketAddr};

use sipwitch_dbus_interfaces::wire::MediaAddress;

use super::{Around, Call, Leg, media::Placing, reason::Reason};
use crate::service::Refused;

/// Whether the service knows where a medium is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Whereabouts {
    /// It knows of no such medium.
    #[default]
    Undescribed,
    /// It was told of the medium, and not where that is.
    Owed,
    /// It does.
    Known,
}

impl From<Placing> for Whereabouts {
    fn from(placing: Placing) -> Self {
        match placing {
            Placing::Now => Self::Known,
            Placing::Later => Self::Owed,
        }
    }
}

impl Call {
    /// Whether all media can be described.
    pub(super) fn can_be_described(&self) -> bool {
        let is_placed = |is_gathered: bool| is_gathered || !self.needs_places;
        self.contents.iter().all(|content| content.is_agreed() && is_placed(content.is_gathered))
    }

    /// Tells the service where media are of which it knows, once their handler has said so. One that
    /// is nowhere is no more.
    pub(super) fn tell_places(&mut self, around: &mut Around<'_>) {
        let Leg::There(leg) = self.leg else { return };
        let mut addresses: Vec<MediaAddress> = Vec::new();
        let mut nowhere: Vec<u32> = Vec::new();
        let is_owed = |owed: Whereabouts| owed == Whereabouts::Owed;
        let contents = self.contents.iter_mut();
        for content in contents.filter(|one| one.is_gathered && is_owed(one.whereabouts)) {
            match content.line.and_then(|line| content.local.address(line)) {
                Some(address) => {
                    addresses.push(address);
                    content.whereabouts = Whereabouts::Known;
                }
                None => nowhere.push(content.number),
            }
        }
        if !addresses.is_empty() {
            around.outbox.set_media_addresses(around.phone, leg, &addresses);
        }
        for number in nowhere {
            let words = "the program with the sound has no address";
            self.content_fails(number, Reason::media(&self.own, words), around);
            if self.is_ended() {
                return;
            }
        }
    }

    /// The service refused a description. If that is because it has no ports for media without an
    /// address, it is told anew with theirs: true.
    pub(super) fn places_are_wanted(&mut self, refused: &Refused) -> bool {
        let is_owed = self.contents.iter().any(|one| one.whereabouts == Whereabouts::Owed);
        if !is_owed || refused.of_service() != Some("LimitReached") {
            return false;
        }
        self.needs_places = true;
        for content in &mut self.contents {
            content.whereabouts = Whereabouts::Undescribed;
        }
        true
    }

    /// The service has ports for media that were described without an address.
    pub(crate) fn anchored(&mut self, addresses: &[MediaAddress], around: &mut Around<'_>) {
        for said in addresses {
            let line = usize::try_from(said.medium).ok();
            let content = self.contents.iter_mut().find(|content| content.line == line);
            if let (Some(content), Some((rtp, rtcp))) = (content, places(said)) {
                content.anchored_at(rtp, rtcp, around.outbox);
            }
        }
    }
}

/// Where RTP and RTCP go.
fn places(said: &MediaAddress) -> Option<(SocketAddr, SocketAddr)> {
    let ip: IpAddr = said.address.parse().ok()?;
    let rtcp_ip: IpAddr = said.rtcp_address.parse().ok()?;
    Some((SocketAddr::new(ip, said.port), SocketAddr::new(rtcp_ip, said.rtcp_port)))
}
