// SPDX-License-Identifier: GPL-3.0-or-later
//! The descriptions of one call, led through anchors.

use std::net::IpAddr;

use bytes::Bytes;
use thiserror::Error;

use super::{Anchor, Driver, OpenError};
use crate::relay::{Component, End, Scope, Terms};
use crate::sdp::{Description, Fault, Stream};

/// Where an end of a call is, as its signalling shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Our address towards it.
    pub ours: IpAddr,
    /// Which addresses can be its own.
    pub scope: Scope,
    /// Where its signalling comes from, if it may send media from there whatever it describes.
    pub signalling: Option<IpAddr>,
    /// Whether it has proved who it is.
    pub authenticated: bool,
}

/// Why a description cannot be led through anchors.
#[derive(Debug, Error)]
pub enum LeadError {
    /// It is none.
    #[error(transparent)]
    Description(#[from] Fault),
    /// There are no ports.
    #[error(transparent)]
    Ports(#[from] OpenError),
}

#[derive(Debug)]
struct Led {
    anchor: Anchor,
    /// What each end said last of the medium.
    said: [Option<Stream>; 2],
}

/// The media of one call, each with its anchor.
///
/// Each description that an end makes goes through [`Self::lead`], offers and answers alike; what
/// comes out is what the other end gets instead. Dropped, it closes all ports.
#[derive(Debug)]
pub struct Session {
    places: [Place; 2],
    media: Vec<Option<Led>>,
}

impl Session {
    /// A call between these two.
    #[must_use]
    pub const fn new(near: Place, far: Place) -> Self {
        Self { places: [near, far], media: Vec::new() }
    }

    /// Where an end is, as its signalling shows now. Ports that are open stay where they are; what
    /// else it says holds from the next description on.
    pub fn meet(&mut self, end: End, place: Place) {
        self.places[end as usize] = place;
    }

    /// The anchors of the media that have one, by their place in the description.
    pub fn anchors(&self) -> impl Iterator<Item = (usize, &Anchor)> {
        let led = self.media.iter().enumerate();
        led.filter_map(|(at, led)| led.as_ref().map(|led| (at, &led.anchor)))
    }

    /// What the other end gets for the description that `from` made. Media of RTP lead to us and
    /// nowhere else; others, and all that is not an address, stay as they are. A medium that is
    /// rejected gives its ports back.
    ///
    /// # Errors
    /// If it is no description, or there are no ports for a medium; what was led before stays.
    pub fn lead(&mut self, driver: &mut Driver, from: End, sdp: &[u8]) -> Result<Bytes, LeadError> {
        let mut description = Description::parse(sdp)?;
        let streams: Vec<Stream> = description.streams().collect();
        self.media.resize_with(streams.len().max(self.media.len()), || None);
        for (at, stream) in streams.into_iter().enumerate() {
            let is_rtp = stream.profile.split('/').any(|part| part == "RTP");
            if stream.is_rejected() || !is_rtp {
                self.media[at] = None;
                continue;
            }
            let led = match &mut self.media[at] {
                Some(led) => led,
                none => {
                    none.insert(Led { anchor: open(&self.places, driver)?, said: [None, None] })
                }
            };
            led.said[from as usize] = Some(stream);
            for end in End::ALL {
                led.anchor.describe(end, led.terms(end, &self.places[end as usize]));
            }
            let to = from.other();
            let [rtp, rtcp] = Component::ALL.map(|component| led.anchor.address(to, component));
            description.redirect(at, rtp, rtcp);
        }
        Ok(description.to_bytes())
    }
}

/// Ports of which neither end knows yet.
fn open(places: &[Place; 2], driver: &mut Driver) -> Result<Anchor, OpenError> {
    let [near, far] = places.each_ref().map(|place| (place.ours, Terms::unknown(place.scope)));
    driver.open(near, far)
}

impl Led {
    /// What both ends said, as it concerns this one.
    fn terms(&self, end: End, place: &Place) -> Terms {
        let Some(own) = &self.said[end as usize] else { return Terms::unknown(place.scope) };
        let other = self.said[end.other() as usize].as_ref();
        let receives = other.is_some_and(|said| said.direction.receives());
        Terms {
            rtp: own.rtp_address(),
            rtcp: own.rtcp_address(),
            // Offered by one and accepted by the other (RFC 5761 §5.1.1).
            mux: own.rtcp_mux && other.is_some_and(|said| said.rtcp_mux),
            signalling: place.signalling,
            authenticated: place.authenticated,
            sends: own.direction.sends() && receives,
            scope: place.scope,
        }
    }
}
