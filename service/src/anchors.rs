// SPDX-License-Identifier: GPL-3.0-or-later
//! The ports through which the media of programs go.
//!
//! The thread that relays is there while any leg has ports, and goes with the last of them.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use sipwitch_core::call::LegId;
use sipwitch_media::{
    driver::{AnchorId, Driver, Place, Ports, Session},
    relay::{End, Event, Scope},
    sdp::Description,
};
use tokio::sync::mpsc;

use crate::switchboard::{
    Inner,
    anchors::{Anchors, Far},
};

/// An address of the Internet that is nobody's (RFC 5737): the way there is the way out. Nothing is
/// sent to it.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HERE_IN_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The ports of all legs.
#[derive(Debug)]
pub(crate) struct OpenAnchors {
    inner: mpsc::UnboundedSender<Inner>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    // Before the driver, so that it closes each.
    sessions: HashMap<LegId, Session>,
    driver: Driver,
    silences: Arc<Mutex<Silences>>,
}

/// Which ends have been silent for so long that nothing comes any more.
#[derive(Debug, Default)]
struct Silences(HashMap<AnchorId, (LegId, [bool; 2])>);

impl Silences {
    /// The leg of which nothing is heard any more, in no medium and from neither end.
    fn happened(&mut self, anchor: AnchorId, event: Event) -> Option<LegId> {
        let (leg, lost) = self.0.get_mut(&anchor)?;
        match event {
            Event::Lost(end) => lost[end as usize] = true,
            Event::Flowing(end) => {
                lost[end as usize] = false;
                return None;
            }
            Event::Latched { .. } | Event::Opened { .. } | Event::Silent(_) => return None,
        }
        let leg = *leg;
        let mut media = self.0.values().filter(|(of, _)| *of == leg);
        media.all(|(_, lost)| *lost == [true, true]).then_some(leg)
    }
}

impl OpenAnchors {
    /// None yet. What is lost is told to the switchboard by `inner`.
    pub(crate) const fn new(inner: mpsc::UnboundedSender<Inner>) -> Self {
        Self { inner, running: None }
    }

    fn running(&mut self) -> &mut Running {
        let inner = &self.inner;
        self.running.get_or_insert_with(|| {
            let silences = Arc::new(Mutex::new(Silences::default()));
            let (known, inner) = (Arc::clone(&silences), inner.clone());
            let tell = move |anchor, event| {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(leg) = known.happened(anchor, event) {
                    // The service may be stopping.
                    let _ = inner.send(Inner::MediaLost { leg });
                }
            };
            let driver = Driver::new(Ports::default(), tell);
            Running { sessions: HashMap::new(), driver, silences }
        })
    }

    fn rest_if_idle(&mut self) {
        self.running.take_if(|running| running.sessions.is_empty());
    }
}

impl Anchors for OpenAnchors {
    fn lead(
        &mut self,
        leg: LegId,
        from: End,
        far: Far,
        description: &[u8],
    ) -> Result<Bytes, String> {
        let led = self.running().lead(leg, from, far, description);
        self.rest_if_idle();
        led
    }

    fn close(&mut self, leg: LegId) {
        if let Some(running) = &mut self.running {
            running.sessions.remove(&leg);
            running.note(leg, None);
        }
        self.rest_if_idle();
    }
}

impl Running {
    fn lead(
        &mut self,
        leg: LegId,
        from: End,
        far: Far,
        description: &[u8],
    ) -> Result<Bytes, String> {
        let mut session = match self.sessions.remove(&leg) {
            Some(session) => session,
            None => Session::new(near_place(&[]), far_place(far)),
        };
        match from {
            End::Near => session.meet(End::Near, near_place(&described(description))),
            End::Far => {}
        }
        session.meet(End::Far, far_place(far));
        let led = session.lead(&mut self.driver, from, description);
        self.note(leg, Some(&session));
        // A leg of which nothing could be led has no session.
        if led.is_ok() || session.anchors().next().is_some() {
            self.sessions.insert(leg, session);
        }
        led.map_err(|error| error.to_string())
    }

    /// Notes which anchors a leg has.
    fn note(&self, leg: LegId, session: Option<&Session>) {
        let mut silences = self.silences.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<AnchorId> =
            session.into_iter().flat_map(Session::anchors).map(|(_, anchor)| anchor.id()).collect();
        silences.0.retain(|anchor, (of, _)| *of != leg || now.contains(anchor));
        for anchor in now {
            silences.0.entry(anchor).or_insert((leg, [false, false]));
        }
    }
}

/// The addresses at which RTP is wanted.
fn described(description: &[u8]) -> Vec<IpAddr> {
    let Ok(said) = Description::parse(description) else { return Vec::new() };
    said.streams().filter_map(|stream| stream.rtp_address()).map(|at| at.ip()).collect()
}

/// Programs are on this machine, by whatever address of it they describe themselves.
fn near_place(described: &[IpAddr]) -> Place {
    let is_in_6 = !described.is_empty() && described.iter().all(IpAddr::is_ipv6);
    let ours = if is_in_6 { HERE_IN_6 } else { HERE };
    // Only an address of ours can be bound.
    let is_own = |ip: &IpAddr| !ip.is_loopback() && UdpSocket::bind((*ip, 0)).is_ok();
    let scope = if described.iter().any(is_own) { Scope::House } else { Scope::Machine };
    // What a program sends to a loopback address may come from one.
    Place { ours, scope, signalling: Some(ours), authenticated: true }
}

fn far_place(far: Far) -> Place {
    let towards = far.signalling.unwrap_or(OUTSIDE);
    let ours = far.ours.or_else(|| ours_towards(towards).ok()).unwrap_or(HERE);
    let scope = match far.signalling.map(|ip| ip.to_canonical()) {
        Some(ip) if ip.is_loopback() => Scope::Machine,
        Some(ip) if Scope::Internet.has((ip, 9).into()) => Scope::Internet,
        _ => Scope::House,
    };
    // Whatever loopback address a program of this machine describes, a socket of its that has none
    // speaks from the first.
    let signalling = match far.signalling {
        Some(ip) if scope == Scope::Machine => Some(if ip.is_ipv6() { HERE_IN_6 } else { HERE }),
        other => other,
    };
    Place { ours, scope, signalling, authenticated: far.is_authenticated }
}

/// Our address on the way there. Nothing is sent.
fn ours_towards(there: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match there {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((there, 9))?;
    Ok(socket.local_addr()?.ip())
}
