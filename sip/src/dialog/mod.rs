// SPDX-License-Identifier: GPL-3.0-or-later
//! Dialogs (RFC 3261 §12): who talks with whom, what has been said so far, and where the next
//! request goes.
//!
//! A [`Dialog`] keeps copies of the few octets it needs, never views into the messages it was made
//! from: thousands of them stand for as long as people talk.

mod replaces;
mod route;
mod tag;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use replaces::Replaces;
use route::RouteSet;
pub(crate) use route::{Listeners, split_list};
pub use tag::Tag;
pub(crate) use tag::{new_call_id, with_tag};

use crate::{
    flow::Flow,
    wire::{Draft, Malformed, Method, NameAddr, Request, Response, Uri, name},
};

/// A longer remote target would have to be kept for the whole call.
const MAX_TARGET: usize = 1024;

/// Max-Forwards of the requests we begin ourselves (RFC 3261 §8.1.1.6).
pub(crate) const MAX_FORWARDS: &[u8] = b"70";

/// One dialog, as seen from here.
#[derive(Debug, Clone)]
pub struct Dialog {
    call_id: Arc<[u8]>,
    /// Our From or To, with the tag. Shared between the early dialogs of one INVITE.
    local: Arc<[u8]>,
    local_tag: Tag,
    /// Their From or To, with the tag if they gave one.
    remote: Box<[u8]>,
    remote_tag: Box<[u8]>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    remote_target: Box<[u8]>,
    routes: RouteSet,
    /// How the far end was last heard.
    flow: Flow,
    /// The connection of `flow` is gone: the next request opens another to the remote target.
    disconnected: bool,
    /// It was moved to `flow` on purpose: requests go there, whatever the route says.
    is_moved: bool,
}

/// Whether a request fits the order of the requests before it (RFC 3261 §12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Next,
    Late,
}

/// What an INVITE that we sent fixes about its dialogs.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) call_id: Arc<[u8]>,
    /// The From with its tag.
    pub(crate) local: Arc<[u8]>,
    pub(crate) local_tag: Tag,
    /// The CSeq of the INVITE.
    pub(crate) cseq: u32,
    /// The Request-URI: the remote target for as long as no Contact came (RFC 3261 §12.1.2).
    pub(crate) request_uri: Box<[u8]>,
}

impl Dialog {
    /// The dialog that a response to our INVITE makes (RFC 3261 §12.1.2).
    ///
    /// # Errors
    /// The response cannot make one.
    pub(crate) fn of_response(
        origin: &Origin,
        response: &Response,
        flow: Flow,
    ) -> Result<Self, Malformed> {
        let headers = response.headers();
        let remote = headers.value(&name::TO).ok_or_else(|| Malformed::new(400, "no To"))?;
        let tag = response.to_tag().map(|tag| Box::from(&*tag)).unwrap_or_default();
        let remote_target = contact_target(headers)?.unwrap_or_else(|| origin.request_uri.clone());
        Ok(Self {
            call_id: Arc::clone(&origin.call_id),
            local: Arc::clone(&origin.local),
            local_tag: origin.local_tag,
            remote: remote.as_ref().into(),
            remote_tag: tag,
            local_cseq: origin.cseq,
            remote_cseq: None,
            remote_target,
            routes: RouteSet::of_response(headers)?,
            flow,
            disconnected: false,
            is_moved: false,
        })
    }

    /// The dialog that our answer to a request makes (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// The request cannot make one.
    pub(crate) fn of_request(
        request: &Request,
        local_tag: Tag,
        flow: Flow,
    ) -> Result<Self, Malformed> {
        let headers = request.headers();
        let remote = headers.value(&name::FROM).ok_or_else(|| Malformed::new(400, "no From"))?;
        let tag = request.from_tag().map(|tag| Box::from(&*tag)).unwrap_or_default();
        let to = headers.value(&name::TO).ok_or_else(|| Malformed::new(400, "no To"))?;
        let remote_target = contact_target(headers)?
            .ok_or_else(|| Malformed::new(400, "there is no Contact to send requests to"))?;
        Ok(Self {
            call_id: request.call_id()?.as_ref().into(),
            local: with_tag(&to, local_tag).into(),
            local_tag,
            remote: remote.as_ref().into(),
            remote_tag: tag,
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
            remote_target,
            routes: RouteSet::of_request(headers)?,
            flow,
            disconnected: false,
            is_moved: false,
        })
    }

    /// The same dialog under another tag of ours: one more early dialog of one INVITE.
    pub(crate) fn with_local_tag(&self, request: &Request, local_tag: Tag) -> Self {
        let to = request.headers().value(&name::TO).unwrap_or_default();
        Self { local: with_tag(&to, local_tag).into(), local_tag, ..self.clone() }
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> Tag {
        self.local_tag
    }

    /// Their tag; empty if they gave none.
    #[must_use]
    pub fn remote_tag(&self) -> &[u8] {
        &self.remote_tag
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        &self.call_id
    }

    /// Our CSeq number, of the last request sent.
    #[must_use]
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Whether the ids are those of this dialog.
    #[must_use]
    pub fn is(&self, call_id: &[u8], local_tag: Tag, remote_tag: &[u8]) -> bool {
        self.local_tag == local_tag && *self.call_id == *call_id && *self.remote_tag == *remote_tag
    }

    /// Whether a request of the far end belongs to this dialog (RFC 3261 §12.2.2). A far end that
    /// gave no tag (RFC 2543) is known by the Call-ID and our tag alone.
    pub(crate) fn owns(&self, request: &Request) -> bool {
        request.call_id().is_ok_and(|id| *id == *self.call_id)
            && *request.from_tag().unwrap_or_default() == *self.remote_tag
    }

    /// Takes note of the number of a request that arrived.
    pub(crate) fn note_cseq(&mut self, number: u32) -> Order {
        match self.remote_cseq {
            // An equal number is a repetition, and those the transactions have already sorted out.
            Some(last) if number <= last => Order::Late,
            _ => {
                self.remote_cseq = Some(number);
                Order::Next
            }
        }
    }

    /// Takes note of how the far end was heard: connections come and go, address translators
    /// change their mind. What still comes over the way that was left says nothing about the new
    /// one.
    pub(crate) fn heard_on(&mut self, flow: Flow) {
        if self.is_moved && !self.disconnected && flow.local != self.flow.local {
            return;
        }
        self.flow = flow;
        self.disconnected = false;
    }

    /// Forgets a connection that is gone. A datagram that was refused says nothing about the next.
    pub(crate) fn lost(&mut self, flow: &Flow) {
        if self.flow == *flow && flow.transport.is_reliable() {
            self.flow.connection = None;
            self.disconnected = true;
        }
    }

    /// Sends what comes over this flow from now on: the way that was used before is no more.
    pub(crate) fn move_to(&mut self, flow: Flow) {
        self.flow = flow;
        self.disconnected = false;
        self.is_moved = true;
    }

    /// A request of ours was sent with this number, by somebody who answered challenges meanwhile.
    pub(crate) fn note_own_cseq(&mut self, number: u32) {
        self.local_cseq = self.local_cseq.max(number & 0x7fff_ffff);
    }

    /// The number for a request that is sent once more, because it was challenged.
    pub(crate) fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.wrapping_add(1) & 0x7fff_ffff;
        self.local_cseq
    }

    /// How the far end was heard last, or where it was moved to.
    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether its connection is gone.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.disconnected
    }

    /// Takes the remote target of a target refresh request or its 2xx (RFC 3261 §12.2). A message
    /// without Contact, or with a bad one, changes nothing.
    pub(crate) fn refresh_target(&mut self, headers: crate::wire::Headers<'_>) {
        // Hardly any moves it, so that is seen first.
        let is_same = headers.value(&name::CONTACT).is_some_and(|value| {
            let uri = value.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
            uri == Some(&*self.remote_target)
        });
        if !is_same && let Ok(Some(target)) = contact_target(headers) {
            self.remote_target = target;
        }
    }

    /// Takes what the 2xx says about an early dialog: its route set is computed anew
    /// (RFC 3261 §13.2.2.4).
    pub(crate) fn confirm(&mut self, response: &Response, flow: Flow) {
        self.refresh_target(response.headers());
        if let Ok(routes) = RouteSet::of_response(response.headers()) {
            self.routes = routes;
        }
        self.heard_on(flow);
    }

    /// The next request in this dialog, and how it goes (RFC 3261 §12.2.1.1).
    pub(crate) fn request(&mut self, method: &Method, listeners: &Listeners) -> (Draft, Flow) {
        let cseq = self.next_cseq();
        self.numbered(method, cseq, listeners)
    }

    /// The ACK to a 2xx: it has the number of its INVITE (RFC 3261 §13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32, listeners: &Listeners) -> (Draft, Flow) {
        self.numbered(&Method::Ack, cseq, listeners)
    }

    fn numbered(&self, method: &Method, cseq: u32, listeners: &Listeners) -> (Draft, Flow) {
        let target = Uri::parse(self.remote_target.to_vec());
        let flow = self.next_hop(target.as_ref().ok(), listeners);
        let (uri, routes) = self.routes.request_line(&self.remote_target, target);
        let mut draft = Draft::request(method, &uri);
        for route in routes {
            draft.push(&name::ROUTE, route);
        }
        draft
            .push(&name::MAX_FORWARDS, bytes::Bytes::from_static(MAX_FORWARDS))
            .push(&name::FROM, &self.local)
            .push(&name::TO, &self.remote)
            .push(&name::CALL_ID, &self.call_id)
            .push(&name::CSEQ, format!("{cseq} {method}"));
        (draft, flow)
    }

    /// Where the next request goes: to the first route or the remote target where these are
    /// addresses we can use; but back the way the far end was heard if that is a connection that
    /// stands, or if the far end's Contact names another host than it really sends from, as behind
    /// an address translator.
    fn next_hop(&self, target: Option<&Uri>, listeners: &Listeners) -> Flow {
        let heard = self.flow;
        if (heard.transport.is_reliable() || self.is_moved) && !self.disconnected {
            return heard;
        }
        let route = self.routes.first();
        let routed = route.is_some();
        let stated = route.as_ref().or(target).and_then(|uri| listeners.flow_to(uri, &heard));
        match stated {
            Some(flow) if routed || self.disconnected => flow,
            Some(flow) if flow.remote.ip() == heard.remote.ip() => flow,
            _ => heard,
        }
    }
}

/// The URI of the first Contact.
fn contact_target(headers: crate::wire::Headers<'_>) -> Result<Option<Box<[u8]>>, Malformed> {
    let Some(value) = headers.value(&name::CONTACT) else { return Ok(None) };
    let Some(first) = NameAddr::parse_list(&value)?.into_iter().next() else { return Ok(None) };
    let uri = first.uri();
    if !uri.is_sip() {
        // RFC 3261 §8.1.1.8: our requests in the dialog could not go there.
        return Err(Malformed::new(400, "the Contact is no SIP address"));
    }
    let uri = uri.for_request_line().to_bytes();
    if uri.len() > MAX_TARGET {
        return Err(Malformed::new(400, "the Contact is too long"));
    }
    Ok(Some(uri.as_ref().into()))
}
