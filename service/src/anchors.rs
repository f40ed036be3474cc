// SPDX-License-Identifier: GPL-3.0-or-later
//! The ports through which the media of programs go.
//!
//! The thread that relays is there while any leg has ports, and goes with the last of them.

mod places;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use sipwitch_core::call::LegId;
use sipwitch_media::{
    driver::{AnchorId, Driver, Located, Ports, Session},
    relay::{Component, End, Event},
};
use tokio::sync::mpsc;

use crate::switchboard::{
    Inner,
    anchors::{Anchors, Far, Unlocated},
};
use places::{described, far_place, near_place, on_this_machine};

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

    fn ours(&self, leg: LegId) -> Vec<Located> {
        let session = self.running.as_ref().and_then(|running| running.sessions.get(&leg));
        let anchors = session.into_iter().flat_map(Session::anchors);
        let ours = anchors.map(|(medium, anchor)| {
            let [rtp, rtcp] = Component::ALL.map(|one| anchor.address(End::Near, one));
            Located { medium, rtp, rtcp: Some(rtcp) }
        });
        ours.collect()
    }

    fn locate(&mut self, leg: LegId, at: &[Located]) -> Result<(), Unlocated> {
        let running = self.running.as_mut().ok_or(Unlocated::NotLed)?;
        let session = running.sessions.get_mut(&leg).ok_or(Unlocated::NotLed)?;
        let at: Vec<Located> =
            at.iter().map(|at| on_this_machine(*at)).collect::<Result<_, _>>()?;
        let mut wanted: Vec<Located> = session.wanted(End::Near).collect();
        wanted.retain(|known| at.iter().all(|new| new.medium != known.medium));
        wanted.extend_from_slice(&at);
        let located = session.locate(End::Near, near_place(&wanted), &at);
        located.map_err(|error| Unlocated::Impossible(error.to_string()))
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
            End::Near => {
                let known: Vec<Located> = session.wanted(End::Near).collect();
                session.meet(End::Near, near_place(&described(description, &known)));
            }
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
