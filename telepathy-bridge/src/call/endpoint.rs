// SPDX-License-Identifier: GPL-3.0-or-later
//! The far end of a medium, as its handler sees it. It is at the ports of the service, which are the
//! same whoever answers.

use std::{collections::HashMap, net::SocketAddr};

use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use super::{
    Around, Call,
    content::Content,
    media::{CONTROL, Candidate, DATA, Remote, host},
    not_now, not_served,
    stream::{ICE, MAX_CANDIDATES, RAW_UDP},
};
use crate::{
    bridge::path,
    definition::call::{ENDPOINT, STREAM_MEDIA},
    error::{Error, Name},
    object::Part,
    outbox::Outbox,
    reply::{Reply, arguments},
};

/// The far end as an endpoint. There is one, whatever rings behind it: handlers take no second.
#[derive(Debug)]
pub(super) struct Far {
    candidates: Vec<Candidate>,
    credentials: (String, String),
    transport: u32,
    is_lite: bool,
    pairs: Vec<(Candidate, Candidate)>,
    states: HashMap<u32, u32>,
    is_controlling: bool,
}

impl Far {
    /// The far end is reached at ports of the service, whoever it will be.
    fn anchored(rtp: SocketAddr, rtcp: SocketAddr) -> Self {
        Self {
            candidates: vec![host(DATA, rtp), host(CONTROL, rtcp)],
            credentials: (String::new(), String::new()),
            transport: RAW_UDP,
            is_lite: false,
            pairs: Vec::new(),
            states: HashMap::new(),
            is_controlling: true,
        }
    }

    /// The far end can be reached as it says, by handlers that take this transport.
    fn at(remote: &Remote, transport: u32, is_controlling: bool) -> Self {
        Self {
            candidates: remote.candidates(),
            credentials: remote.credentials(),
            // Of handlers that check candidates, a far end that does not is reached without.
            transport: if transport == ICE { remote.transport() } else { transport },
            is_lite: remote.is_lite(),
            pairs: Vec::new(),
            states: HashMap::new(),
            is_controlling,
        }
    }
}

impl Content {
    pub(super) fn endpoint_property(&self, name: &str) -> Option<Value<'static>> {
        let far = self.far.as_ref()?;
        Some(match name {
            "RemoteCredentials" => far.credentials.clone().into(),
            "RemoteCandidates" => far.candidates.clone().into(),
            "SelectedCandidatePairs" => far.pairs.clone().into(),
            "EndpointState" => far.states.clone().into(),
            "Transport" => far.transport.into(),
            "Controlling" => far.is_controlling.into(),
            "IsICELite" => far.is_lite.into(),
            _ => return None,
        })
    }

    /// The far end of an incoming call, before anybody is told of it.
    pub(super) fn reached_first_at(&mut self, remote: &Remote) {
        let is_known = !remote.candidates().is_empty();
        self.far = is_known.then(|| Far::at(remote, self.transport, false));
    }

    /// The far end can be reached as it says now.
    pub(super) fn reached_at(&mut self, remote: &Remote, outbox: &mut Outbox) {
        self.far_is(Far::at(remote, self.transport, true), outbox);
    }

    /// The far end can be reached at ports of the service.
    pub(super) fn anchored_at(&mut self, rtp: SocketAddr, rtcp: SocketAddr, outbox: &mut Outbox) {
        self.far_is(Far::anchored(rtp, rtcp), outbox);
    }

    fn far_is(&mut self, now: Far, outbox: &mut Outbox) {
        let endpoint = Part::Endpoint(self.number).path(self.call);
        let is_new = self.far.is_none();
        if now.candidates.is_empty()
            || self.far.as_ref().is_some_and(|far| far.candidates == now.candidates)
        {
            return;
        }
        let far = self.far.get_or_insert_with(|| now.clone_empty());
        if far.credentials != now.credentials {
            far.credentials.clone_from(&now.credentials);
            outbox.signal(&endpoint, &ENDPOINT, "RemoteCredentialsSet", now.credentials);
        }
        far.candidates.clone_from(&now.candidates);
        outbox.signal(&endpoint, &ENDPOINT, "RemoteCandidatesAdded", (now.candidates,));
        if is_new {
            let values = (vec![path(&endpoint)], Vec::<zbus::zvariant::ObjectPath<'static>>::new());
            outbox.signal(&self.stream_path(), &STREAM_MEDIA, "EndpointsChanged", values);
        }
    }
}

impl Far {
    /// The same without candidates, to which those that are known are added.
    fn clone_empty(&self) -> Self {
        Self {
            candidates: Vec::new(),
            credentials: (String::new(), String::new()),
            transport: self.transport,
            is_lite: self.is_lite,
            pairs: Vec::new(),
            states: HashMap::new(),
            is_controlling: self.is_controlling,
        }
    }
}

/// Reads candidates of the handler.
pub(super) fn candidates(call: &Message) -> Result<Vec<Candidate>, Error> {
    let given: Vec<(u32, String, u32, HashMap<String, OwnedValue>)> = arguments(call)?;
    Ok(given.into_iter().map(candidate).collect())
}

fn candidate(
    (component, ip, port, more): (u32, String, u32, HashMap<String, OwnedValue>),
) -> Candidate {
    (component, ip, port, more.into_iter().map(|(key, value)| (key, value.into())).collect())
}

impl Call {
    pub(super) fn endpoint_method(
        &mut self,
        number: u32,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        type Given = (u32, String, u32, HashMap<String, OwnedValue>);
        let own = Part::Endpoint(number).path(self.number);
        let far = self.content_mut(number)?.far.as_mut();
        let far = far.ok_or_else(|| not_now("it is over"))?;
        match name {
            "SetSelectedCandidatePair" | "AcceptSelectedCandidatePair" => {
                let (near, distant): (Given, Given) = arguments(call)?;
                let (near, distant) = (candidate(near), candidate(distant));
                if near.0 != distant.0 {
                    let words = "the two candidates are of different components";
                    return Err(Name::InvalidArgument.because(words));
                }
                far.pairs.retain(|(other, _)| other.0 != near.0);
                if far.pairs.len() >= MAX_CANDIDATES {
                    return Err(Name::InvalidArgument.because("too many components"));
                }
                far.pairs.push((near.clone(), distant.clone()));
                around.outbox.signal(&own, &ENDPOINT, "CandidatePairSelected", (near, distant));
                Ok(Reply::Nothing)
            }
            "RejectSelectedCandidatePair" => {
                Err(not_now("the far end names no pairs that could be rejected"))
            }
            "SetEndpointState" => {
                let (component, state): (u32, u32) = arguments(call)?;
                if !(1..=2).contains(&component) || state > 4 {
                    let words = format!("no component {component} or no state {state}");
                    return Err(Name::InvalidArgument.because(words));
                }
                far.states.insert(component, state);
                let values = (component, state);
                around.outbox.signal(&own, &ENDPOINT, "EndpointStateChanged", values);
                Ok(Reply::Nothing)
            }
            "SetControlling" => {
                far.is_controlling = arguments(call)?;
                let values = (far.is_controlling,);
                around.outbox.signal(&own, &ENDPOINT, "ControllingChanged", values);
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }
}
