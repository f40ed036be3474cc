// SPDX-License-Identifier: GPL-3.0-or-later
//! The way of the sound: whether it flows, and between which addresses.

use std::collections::HashMap;

use zbus::{
    Message,
    zvariant::{OwnedValue, Value},
};

use super::{
    Around, Call,
    content::Content,
    not_now, not_served,
    reason::{self, Reason},
    sound::{Candidate, DATA},
};
use crate::{
    bridge::path,
    definition::{
        Interface,
        call::{ENDPOINT, STREAM, STREAM_MEDIA},
    },
    error::{Error, Name},
    object::{Part, STREAM_INTERFACES},
    outbox::Outbox,
    reply::{Map, Reply, arguments},
};

/// Stream_Transport_Type.
pub(super) const RAW_UDP: u32 = 1;
/// The most candidates of a handler.
const MAX_CANDIDATES: usize = 64;

/// Sending_State.
const PENDING_SEND: u32 = 1;
pub(super) const SENDING: u32 = 2;

/// Stream_Flow_State.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Nothing flows.
    Stopped = 0,
    /// The handler is to begin.
    PendingStart = 1,
    /// The handler is to stop.
    PendingStop = 2,
    /// It flows.
    Started = 3,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sending,
    Receiving,
}

/// The far end as an endpoint. There is one, whatever rings behind it: handlers take no second.
#[derive(Debug, Default)]
pub(super) struct Far {
    pub(super) candidates: Vec<Candidate>,
    pairs: Vec<(Candidate, Candidate)>,
    states: HashMap<u32, u32>,
    is_controlling: bool,
}

impl Far {
    /// The far end can be reached at these.
    pub(super) fn at(candidates: Vec<Candidate>) -> Self {
        Self { candidates, ..Self::default() }
    }
}

impl Content {
    pub(super) fn stream_property(
        &self,
        call: &Call,
        interface: &Interface,
        name: &str,
    ) -> Option<Value<'static>> {
        Some(match (interface.name, name) {
            (_, "Interfaces") => crate::protocol::names(STREAM_INTERFACES).into(),
            (_, "RemoteMembers") => {
                HashMap::from([(call.target.handle, self.remote_sending)]).into()
            }
            (_, "RemoteMemberIdentifiers") => call.identifiers().into(),
            (_, "LocalSendingState") => self.local_sending.into(),
            (_, "CanRequestReceiving" | "ICERestartPending") => false.into(),
            (_, "SendingState") => (self.sending as u32).into(),
            (_, "ReceivingState") => (self.receiving as u32).into(),
            (_, "Transport") => RAW_UDP.into(),
            (_, "LocalCandidates") => self.local.candidates.clone().into(),
            (_, "LocalCredentials") => self.credentials.clone().into(),
            (_, "STUNServers") => Vec::<(String, u16)>::new().into(),
            (_, "RelayInfo") => Vec::<Map>::new().into(),
            // There is nothing to wait for: without it, handlers make no stream.
            (_, "HasServerInfo") => true.into(),
            (_, "Endpoints") => {
                let far = self.far.iter();
                far.map(|_| path(&Part::Endpoint.path(call.number))).collect::<Vec<_>>().into()
            }
            _ => return None,
        })
    }

    pub(super) fn endpoint_property(&self, name: &str) -> Option<Value<'static>> {
        let far = self.far.as_ref()?;
        Some(match name {
            "RemoteCredentials" => (String::new(), String::new()).into(),
            "RemoteCandidates" => far.candidates.clone().into(),
            "SelectedCandidatePairs" => far.pairs.clone().into(),
            "EndpointState" => far.states.clone().into(),
            "Transport" => RAW_UDP.into(),
            "Controlling" => far.is_controlling.into(),
            "IsICELite" => false.into(),
            _ => return None,
        })
    }
}

/// Reads candidates of the handler.
fn candidates(call: &Message) -> Result<Vec<Candidate>, Error> {
    let given: Vec<(u32, String, u32, HashMap<String, OwnedValue>)> = arguments(call)?;
    Ok(given.into_iter().map(candidate).collect())
}

fn candidate(
    (component, ip, port, more): (u32, String, u32, HashMap<String, OwnedValue>),
) -> Candidate {
    (component, ip, port, more.into_iter().map(|(key, value)| (key, value.into())).collect())
}

impl Call {
    pub(super) fn stream_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let own = Part::Stream.path(self.number);
        let content = self.content.as_mut().ok_or_else(|| not_now("it is over"))?;
        match name {
            "RequestReceiving" => {
                Err(not_now("whether the far end sends is for the far end to say"))
            }
            // Whether sound flows is a matter of holding the call; muting is the handler's own.
            "SetSending" => match arguments(call)? {
                true => Ok(Reply::Nothing),
                false => Err(not_now("hold the call, or mute the microphone")),
            },
            "AddCandidates" => {
                let more = candidates(call)?;
                if content.local.candidates.len() + more.len() > MAX_CANDIDATES {
                    let words = format!("more than {MAX_CANDIDATES} candidates");
                    return Err(Name::InvalidArgument.because(words));
                }
                if content.is_gathered {
                    return Err(not_now("candidates after the end are of no use to plain UDP"));
                }
                content.local.candidates.extend(more.clone());
                around.outbox.signal(&own, &STREAM_MEDIA, "LocalCandidatesAdded", (more,));
                Ok(Reply::Nothing)
            }
            "FinishInitialCandidates" => {
                let is_there = content.local.candidates.iter().any(|one| one.0 == DATA);
                if !is_there {
                    return Err(not_now("there is no candidate for the sound itself"));
                }
                content.is_gathered = true;
                Ok(Reply::Nothing)
            }
            "SetCredentials" => {
                content.credentials = arguments(call)?;
                let values = content.credentials.clone();
                around.outbox.signal(&own, &STREAM_MEDIA, "LocalCredentialsChanged", values);
                Ok(Reply::Nothing)
            }
            "CompleteSendingStateChange" => self.complete(Way::Sending, arguments(call)?, around),
            "CompleteReceivingStateChange" => {
                self.complete(Way::Receiving, arguments(call)?, around)
            }
            "ReportSendingFailure" => self.failed(Way::Sending, around),
            "ReportReceivingFailure" => self.failed(Way::Receiving, around),
            "Fail" => {
                let (_, _, _, words): (u32, u32, String, String) = arguments(call)?;
                self.hang_up(Reason::media(&self.own, &words), around);
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    /// The handler did what it was asked for.
    fn complete(&mut self, way: Way, state: u32, around: &mut Around<'_>) -> Result<Reply, Error> {
        let wanted = match (self.flow(way), state) {
            (Some(Flow::PendingStart), 3) => Flow::Started,
            (Some(Flow::PendingStop), 0) => Flow::Stopped,
            _ => {
                let words = format!("{state} is not what was asked for");
                return Err(Name::InvalidArgument.because(words));
            }
        };
        self.set_flow(way, wanted, around.outbox);
        self.hold_advances(around);
        Ok(Reply::Nothing)
    }

    /// The handler cannot, for want of a microphone or of loudspeakers: the call goes on without.
    fn failed(&mut self, way: Way, around: &mut Around<'_>) -> Result<Reply, Error> {
        self.set_flow(way, Flow::Stopped, around.outbox);
        self.hold_advances(around);
        Ok(Reply::Nothing)
    }

    fn flow(&self, way: Way) -> Option<Flow> {
        let content = self.content.as_ref()?;
        Some(match way {
            Way::Sending => content.sending,
            Way::Receiving => content.receiving,
        })
    }

    fn set_flow(&mut self, way: Way, flow: Flow, outbox: &mut Outbox) {
        if self.flow(way).is_none_or(|before| before == flow) {
            return;
        }
        let Some(content) = &mut self.content else { return };
        let member = match way {
            Way::Sending => {
                content.sending = flow;
                "SendingStateChanged"
            }
            Way::Receiving => {
                content.receiving = flow;
                "ReceivingStateChanged"
            }
        };
        let own = Part::Stream.path(self.number);
        outbox.signal(&own, &STREAM_MEDIA, member, (flow as u32,));
    }

    /// The handler is to send.
    pub(super) fn want_sending(&mut self, outbox: &mut Outbox) {
        self.want(Way::Sending, outbox);
        let Some(content) = &mut self.content else { return };
        if content.local_sending == PENDING_SEND {
            content.local_sending = SENDING;
            let reason = Reason::by(&self.own, reason::USER_REQUESTED, "").value();
            let own = Part::Stream.path(self.number);
            outbox.signal(&own, &STREAM, "LocalSendingStateChanged", (SENDING, reason));
        }
    }

    /// The handler is to receive.
    pub(super) fn want_receiving(&mut self, outbox: &mut Outbox) {
        self.want(Way::Receiving, outbox);
    }

    fn want(&mut self, way: Way, outbox: &mut Outbox) {
        if self.flow(way) != Some(Flow::Started) {
            self.set_flow(way, Flow::PendingStart, outbox);
        }
    }

    /// The handler is to stop both. Whether there was anything to stop.
    pub(super) fn want_silence(&mut self, outbox: &mut Outbox) {
        for way in [Way::Sending, Way::Receiving] {
            match self.flow(way) {
                Some(Flow::Started) => self.set_flow(way, Flow::PendingStop, outbox),
                Some(Flow::PendingStart) => self.set_flow(way, Flow::Stopped, outbox),
                Some(Flow::PendingStop | Flow::Stopped) | None => {}
            }
        }
    }

    /// Whether the far end sends, as it says itself.
    pub(super) fn remote_sends(&mut self, sends: bool, outbox: &mut Outbox) {
        let state = if sends { SENDING } else { 0 };
        let identifiers = self.identifiers();
        let Some(content) = &mut self.content else { return };
        if content.remote_sending == state {
            return;
        }
        content.remote_sending = state;
        let reason = Reason::by(&self.target, reason::PROGRESS_MADE, "").value();
        let members = HashMap::from([(self.target.handle, state)]);
        let values = (members, identifiers, Vec::<u32>::new(), reason);
        outbox.signal(&Part::Stream.path(self.number), &STREAM, "RemoteMembersChanged", values);
    }

    /// The far end can be reached at these.
    pub(super) fn reached_at(&mut self, more: Vec<Candidate>, outbox: &mut Outbox) {
        let Some(content) = &mut self.content else { return };
        let far = content.far.get_or_insert_with(Far::default);
        let is_new = far.candidates.is_empty();
        if more.is_empty() || (far.candidates == more) {
            return;
        }
        far.candidates.clone_from(&more);
        let endpoint = Part::Endpoint.path(self.number);
        outbox.signal(&endpoint, &ENDPOINT, "RemoteCandidatesAdded", (more,));
        if is_new {
            let values = (vec![path(&endpoint)], Vec::<zbus::zvariant::ObjectPath<'static>>::new());
            let own = Part::Stream.path(self.number);
            outbox.signal(&own, &STREAM_MEDIA, "EndpointsChanged", values);
        }
    }

    pub(super) fn endpoint_method(
        &mut self,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        type Given = (u32, String, u32, HashMap<String, OwnedValue>);
        let own = Part::Endpoint.path(self.number);
        let far = self.content.as_mut().and_then(|content| content.far.as_mut());
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
            "RejectSelectedCandidatePair" => Err(not_now("plain UDP has no pairs to reject")),
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
