// SPDX-License-Identifier: GPL-3.0-or-later
//! The descriptions of one call, led through anchors.

use std::net::{IpAddr, SocketAddr};

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
    /// Whether it sends from the ports at which it receives, and from no others.
    pub symmetric: bool,
    /// Whether it has proved who it is.
    pub authenticated: bool,
}

/// Where a medium is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// Its place in the description.
    pub medium: usize,
    /// Where RTP is wanted.
    pub rtp: SocketAddr,
    /// Where RTCP is wanted; none means the next port.
    pub rtcp: Option<SocketAddr>,
}

/// Why an address cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LocateError {
    /// The medium is rejected, not there, or not described by that end.
    #[error("medium {0} was not described, or does not go through ports here")]
    Medium(usize),
    /// Our ports are of the other family.
    #[error("the ports for medium {0} are of another family than {1}")]
    Family(usize, IpAddr),
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

    /// Where an end wants its media, as far as it has said.
    pub fn wanted(&self, end: End) -> impl Iterator<Item = Located> {
        let led = self.media.iter().enumerate();
        led.filter_map(move |(medium, led)| {
            let said = led.as_ref()?.said[end as usize].as_ref()?;
            Some(Located { medium, rtp: said.rtp_address()?, rtcp: said.rtcp_address() })
        })
    }

    /// The anchors of the media that have one, by their place in the description.
    pub fn anchors(&self) -> impl Iterator<Item = (usize, &Anchor)> {
        let led = self.media.iter().enumerate();
        led.filter_map(|(at, led)| led.as_ref().map(|led| (at, &led.anchor)))
    }

    /// An end that described media without saying where it wants them says so now; `place` holds
    /// as in [`Self::meet`], for all its media and at once.
    ///
    /// # Errors
    /// If one of them cannot be there; then nothing has changed.
    pub fn locate(&mut self, end: End, place: Place, at: &[Located]) -> Result<(), LocateError> {
        for located in at {
            let medium = located.medium;
            let led = self.media.get(medium).and_then(Option::as_ref);
            let led = led.filter(|led| led.said[end as usize].is_some());
            let led = led.ok_or(LocateError::Medium(medium))?;
            let ours = led.anchor.address(end, Component::Rtp);
            for address in [Some(located.rtp), located.rtcp].into_iter().flatten() {
                if address.is_ipv4() != ours.is_ipv4() {
                    return Err(LocateError::Family(medium, address.ip()));
                }
            }
        }
        self.meet(end, place);
        for located in at {
            let led = self.media.get_mut(located.medium).and_then(Option::as_mut);
            if let Some(said) = led.and_then(|led| led.said[end as usize].as_mut()) {
                said.host = located.rtp.ip().into();
                said.port = located.rtp.port();
                said.rtcp = located.rtcp.map(|rtcp| (Some(rtcp.ip().into()), rtcp.port()));
            }
        }
        for led in self.media.iter().flatten() {
            led.settle(&self.places);
        }
        Ok(())
    }

    /// What the other end gets for the description that `from` made. Media of RTP lead to us and
    /// nowhere else; others, and all that is not an address, stay as they are. A medium that is
    /// rejected gives its ports back. One that is [unplaced](Stream::is_unplaced) has ports like any
    /// other, stays where its end said before that it is, and is sent to nowhere until
    /// [`Self::locate`] if that is unknown.
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
            led.hears(from, stream);
            led.settle(&self.places);
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
    /// An end describes the medium.
    fn hears(&mut self, from: End, mut stream: Stream) {
        let said = &mut self.said[from as usize];
        if let Some(before) = said.as_ref().filter(|_| stream.is_unplaced()) {
            stream.host = before.host.clone();
            stream.port = before.port;
            stream.rtcp.clone_from(&before.rtcp);
        }
        *said = Some(stream);
    }

    /// Has the relay know what was said.
    fn settle(&self, places: &[Place; 2]) {
        for end in End::ALL {
            self.anchor.describe(end, self.terms(end, &places[end as usize]));
        }
    }

    /// What both ends said, as it concerns this one.
    fn terms(&self, end: End, place: &Place) -> Terms {
        let Some(own) = &self.said[end as usize] else { return Terms::unknown(place.scope) };
        let other = self.said[end.other() as usize].as_ref();
        let receives = other.is_some_and(|said| said.direction.receives());
        let rtp = own.rtp_address();
        // Of the media of a program, one may be on loopback and another not.
        let is_here = end == End::Near && rtp.is_some_and(|at| Scope::Machine.has(at));
        Terms {
            rtp,
            rtcp: own.rtcp_address(),
            // Offered by one and accepted by the other (RFC 5761 §5.1.1).
            mux: own.rtcp_mux && other.is_some_and(|said| said.rtcp_mux),
            signalling: place.signalling,
            symmetric: place.symmetric,
            authenticated: place.authenticated,
            sends: own.direction.sends() && receives,
            scope: if is_here { Scope::Machine } else { place.scope },
        }
    }
}
