// SPDX-License-Identifier: GPL-3.0-or-later
//! The way of a medium: whether it flows, and between which addresses.

use std::collections::HashMap;

use zbus::{Message, zvariant::Value};

use super::{
    Around, Call, State,
    content::Content,
    endpoint::candidates,
    not_now, not_served,
    reason::{self, Reason},
};
use crate::{
    bridge::path,
    definition::{
        Interface,
        call::{STREAM, STREAM_MEDIA},
    },
    error::{Error, Name},
    object::{Part, STREAM_INTERFACES},
    outbox::Outbox,
    reply::{Map, Reply, arguments},
};

/// Stream_Transport_Type.
pub(super) const RAW_UDP: u32 = 1;
pub(super) const ICE: u32 = 2;
/// The most candidates of a handler.
pub(super) const MAX_CANDIDATES: usize = 64;
/// The longest user fragment and password (RFC 8839 §5.4).
const MAX_CREDENTIAL: usize = 256;

/// Sending_State.
const NONE: u32 = 0;
const PENDING_SEND: u32 = 1;
pub(super) const SENDING: u32 = 2;
const PENDING_STOP: u32 = 3;

/// Which ways a medium flows, as this end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) sends: bool,
    pub(super) receives: bool,
}

impl Ways {
    pub(super) const BOTH: Self = Self { sends: true, receives: true };
    pub(super) const NONE: Self = Self { sends: false, receives: false };
}

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

impl Content {
    pub(super) fn stream_property(
        &self,
        interface: &Interface,
        name: &str,
    ) -> Option<Value<'static>> {
        Some(match (interface.name, name) {
            (_, "Interfaces") => crate::protocol::names(STREAM_INTERFACES).into(),
            (_, "RemoteMembers") => {
                HashMap::from([(self.member.handle, self.remote_sending)]).into()
            }
            (_, "RemoteMemberIdentifiers") => self.identifiers().into(),
            (_, "LocalSendingState") => self.local_sending.into(),
            (_, "CanRequestReceiving") => true.into(),
            (_, "ICERestartPending") => false.into(),
            (_, "SendingState") => (self.sending as u32).into(),
            (_, "ReceivingState") => (self.receiving as u32).into(),
            (_, "Transport") => self.transport.into(),
            (_, "LocalCandidates") => self.local.candidates.clone().into(),
            (_, "LocalCredentials") => self.local.credentials.clone().into(),
            (_, "STUNServers") => Vec::<(String, u16)>::new().into(),
            (_, "RelayInfo") => Vec::<Map>::new().into(),
            // There is nothing to wait for: without it, handlers make no stream.
            (_, "HasServerInfo") => true.into(),
            (_, "Endpoints") => {
                let far = self.far.iter();
                let own = Part::Endpoint(self.number).path(self.call);
                far.map(|_| path(&own)).collect::<Vec<_>>().into()
            }
            _ => return None,
        })
    }

    fn identifiers(&self) -> HashMap<u32, String> {
        HashMap::from([(self.member.handle, self.member.id.clone())])
    }

    pub(super) fn stream_path(&self) -> String {
        Part::Stream(self.number).path(self.call)
    }

    fn flow(&self, way: Way) -> Flow {
        match way {
            Way::Sending => self.sending,
            Way::Receiving => self.receiving,
        }
    }

    fn set_flow(&mut self, way: Way, flow: Flow, outbox: &mut Outbox) {
        if self.flow(way) == flow {
            return;
        }
        let member = match way {
            Way::Sending => {
                self.sending = flow;
                "SendingStateChanged"
            }
            Way::Receiving => {
                self.receiving = flow;
                "ReceivingStateChanged"
            }
        };
        outbox.signal(&self.stream_path(), &STREAM_MEDIA, member, (flow as u32,));
    }

    /// Has the handler begin or stop.
    fn steer(&mut self, way: Way, flows: bool, outbox: &mut Outbox) {
        match (flows, self.flow(way)) {
            (true, Flow::Stopped) => self.set_flow(way, Flow::PendingStart, outbox),
            (false, Flow::Started) => self.set_flow(way, Flow::PendingStop, outbox),
            (false, Flow::PendingStart) => self.set_flow(way, Flow::Stopped, outbox),
            // Of what is to stop, the end comes first.
            (true, Flow::PendingStart | Flow::PendingStop | Flow::Started)
            | (false, Flow::PendingStop | Flow::Stopped) => {}
        }
    }

    pub(super) fn local_sends(&mut self, state: u32, reason: &Reason, outbox: &mut Outbox) {
        if self.local_sending != state {
            self.local_sending = state;
            let values = (state, reason.value());
            outbox.signal(&self.stream_path(), &STREAM, "LocalSendingStateChanged", values);
        }
    }

    /// Whether the far end sends, as it says itself.
    pub(super) fn remote_sends(&mut self, sends: bool, outbox: &mut Outbox) {
        let state = if sends { SENDING } else { NONE };
        if self.remote_sending == state {
            return;
        }
        self.remote_sending = state;
        let reason = Reason::by(&self.member, reason::PROGRESS_MADE, "").value();
        let members = HashMap::from([(self.member.handle, state)]);
        let values = (members, self.identifiers(), Vec::<u32>::new(), reason);
        outbox.signal(&self.stream_path(), &STREAM, "RemoteMembersChanged", values);
    }

    /// Both ends have agreed on the ways of this content.
    pub(super) fn settle(&mut self, own: &Reason, outbox: &mut Outbox) {
        self.is_established = true;
        self.before = None;
        self.agreed = self.wants;
        match (self.local_sending, self.wants.sends) {
            // What the far end asks for is for the user to allow.
            (PENDING_SEND | PENDING_STOP | NONE, true) => self.local_sends(SENDING, own, outbox),
            (PENDING_STOP | SENDING, false) => self.local_sends(NONE, own, outbox),
            _ => {}
        }
    }
}

impl Call {
    /// Has the handler begin and stop what is to flow now.
    pub(super) fn steer(&mut self, outbox: &mut Outbox) {
        let rests = self.hold.rests();
        let is_muted = self.mute.is_wanted();
        let is_accepted = self.state >= State::Accepted && !self.is_ended();
        let is_wanted = self.state >= State::Initialising
            && !self.is_ended()
            && (self.is_requested || is_accepted);
        let is_new = |content: &Content| !content.is_established && self.is_confirmed;
        let ways: Vec<Ways> = self
            .contents
            .iter()
            .map(|content| {
                let is_heard = content.remote.as_ref().is_none_or(|far| far.direction.receives());
                let may_send = is_accepted
                    && !is_new(content)
                    && is_heard
                    && !(is_muted && content.is_audio());
                Ways {
                    sends: content.wants.sends
                        && content.agreed.sends
                        && !content.failed.sends
                        && may_send
                        && !rests,
                    receives: content.wants.receives
                        && !content.failed.receives
                        && is_wanted
                        && !rests,
                }
            })
            .collect();
        for (content, ways) in self.contents.iter_mut().zip(ways) {
            content.steer(Way::Sending, ways.sends, outbox);
            content.steer(Way::Receiving, ways.receives, outbox);
        }
    }

    /// Whether nothing flows.
    pub(super) fn is_silent(&self) -> bool {
        self.contents
            .iter()
            .all(|content| content.sending == Flow::Stopped && content.receiving == Flow::Stopped)
    }

    pub(super) fn stream_method(
        &mut self,
        number: u32,
        name: &str,
        call: &Message,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let own = Reason::by_user(&self.own, reason::USER_REQUESTED, "");
        let is_confirmed = self.is_confirmed;
        let content = self.content_mut(number)?;
        let path = content.stream_path();
        match name {
            "RequestReceiving" => {
                let (contact, receives): (u32, bool) = arguments(call)?;
                if contact != content.member.handle {
                    let words = format!("{contact} is not who is at the far end");
                    return Err(Name::InvalidArgument.because(words));
                }
                if content.wants.receives != receives {
                    content.wants.receives = receives;
                    content.failed.receives = false;
                    self.wants_offer = true;
                }
                Ok(Reply::Nothing)
            }
            "SetSending" => {
                let sends: bool = arguments(call)?;
                if content.wants.sends == sends {
                    return Ok(Reply::Nothing);
                }
                content.wants.sends = sends;
                content.failed.sends = false;
                let state = match (is_confirmed, sends) {
                    (true, true) => PENDING_SEND,
                    (true, false) => PENDING_STOP,
                    (false, true) => SENDING,
                    (false, false) => NONE,
                };
                content.local_sends(state, &own, around.outbox);
                self.wants_offer |= is_confirmed;
                Ok(Reply::Nothing)
            }
            "AddCandidates" => {
                let more = candidates(call)?;
                if content.local.candidates.len() + more.len() > MAX_CANDIDATES {
                    let words = format!("more than {MAX_CANDIDATES} candidates");
                    return Err(Name::InvalidArgument.because(words));
                }
                content.local.candidates.extend(more.iter().cloned());
                around.outbox.signal(&path, &STREAM_MEDIA, "LocalCandidatesAdded", (more,));
                Ok(Reply::Nothing)
            }
            "FinishInitialCandidates" => {
                if content.is_gathered {
                    return Err(not_now("the candidates were finished already"));
                }
                content.is_gathered = true;
                Ok(Reply::Nothing)
            }
            "SetCredentials" => {
                let said: (String, String) = arguments(call)?;
                if said.0.len() > MAX_CREDENTIAL || said.1.len() > MAX_CREDENTIAL {
                    return Err(Name::InvalidArgument.because("the credentials are too long"));
                }
                content.local.credentials.clone_from(&said);
                around.outbox.signal(&path, &STREAM_MEDIA, "LocalCredentialsChanged", said);
                Ok(Reply::Nothing)
            }
            "CompleteSendingStateChange" => {
                self.complete(number, Way::Sending, arguments(call)?, around)
            }
            "CompleteReceivingStateChange" => {
                self.complete(number, Way::Receiving, arguments(call)?, around)
            }
            "ReportSendingFailure" => self.failed(number, Way::Sending, around),
            "ReportReceivingFailure" => self.failed(number, Way::Receiving, around),
            "Fail" => {
                let (_, _, _, words): (u32, u32, String, String) = arguments(call)?;
                self.content_fails(number, Reason::media(&self.own, &words), around);
                Ok(Reply::Nothing)
            }
            _ => Err(not_served(name)),
        }
    }

    /// The handler did what it was asked for.
    fn complete(
        &mut self,
        number: u32,
        way: Way,
        state: u32,
        around: &mut Around<'_>,
    ) -> Result<Reply, Error> {
        let content = self.content_mut(number)?;
        let wanted = match (content.flow(way), state) {
            (Flow::PendingStart, 3) => Flow::Started,
            (Flow::PendingStop, 0) => Flow::Stopped,
            _ => {
                let words = format!("{state} is not what was asked for");
                return Err(Name::InvalidArgument.because(words));
            }
        };
        content.set_flow(way, wanted, around.outbox);
        Ok(Reply::Nothing)
    }

    /// The handler cannot, for want of a microphone or of loudspeakers: the call goes on without.
    fn failed(&mut self, number: u32, way: Way, around: &mut Around<'_>) -> Result<Reply, Error> {
        let content = self.content_mut(number)?;
        match way {
            Way::Sending => content.failed.sends = true,
            Way::Receiving => content.failed.receives = true,
        }
        content.set_flow(way, Flow::Stopped, around.outbox);
        Ok(Reply::Nothing)
    }

    /// What the handler could not before, it may try again.
    pub(super) fn try_again(&mut self) {
        for content in &mut self.contents {
            content.failed = Ways::NONE;
        }
    }
}
