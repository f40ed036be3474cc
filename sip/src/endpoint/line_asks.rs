// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests outside dialogs on lines: challenges are answered, and the next way is tried where one
//! does not lead anywhere. Whoever asked sees one request.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use super::{Context, Event, OnLine, Owner};
use crate::{
    auth::client::{Answers, Tries},
    flow::Flow,
    leg::patience,
    transaction::{ClientId, Failure},
    wire::{Draft, Response, name},
};

/// All requests on lines that wait, by their present transaction.
#[derive(Default)]
pub(super) struct LineAsks {
    by_client: HashMap<ClientId, LineAsk>,
    deadlines: BTreeSet<(Instant, ClientId)>,
}

struct LineAsk {
    /// What the owner knows it by; None if nobody wants to know.
    told: Option<ClientId>,
    line: Arc<OnLine>,
    draft: Draft,
    cseq: u32,
    flow: Flow,
    alternatives: VecDeque<Flow>,
    /// When the next way is tried if nothing is heard.
    patience: Option<Instant>,
    answers: Answers,
    tries: Tries,
}

impl LineAsks {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    fn enter(&mut self, client: ClientId, ask: LineAsk) {
        if let Some(due) = ask.patience {
            self.deadlines.insert((due, client));
        }
        self.by_client.insert(client, ask);
    }

    fn take(&mut self, client: ClientId) -> Option<LineAsk> {
        let ask = self.by_client.remove(&client)?;
        if let Some(due) = ask.patience {
            self.deadlines.remove(&(due, client));
        }
        Some(ask)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_client.is_empty() && self.deadlines.is_empty()
    }
}

impl Context {
    /// Sends a request over the first of these ways. None without any.
    pub(super) fn ask_on_line(
        &mut self,
        ways: &[Flow],
        mut draft: Draft,
        line: &Arc<OnLine>,
    ) -> Option<ClientId> {
        for route in &line.service_route {
            draft.push(&name::ROUTE, route);
        }
        line.put_identity(&mut draft);
        let mut alternatives: VecDeque<Flow> = ways.iter().copied().collect();
        let flow = alternatives.pop_front()?;
        let line = Arc::clone(line);
        let ask = LineAsk::new(line, draft, flow, alternatives);
        Some(self.send_line_ask(ask, true))
    }

    /// Ends a call that nobody wants, as the line it stands on.
    pub(crate) fn bye_on_line(&mut self, flow: Flow, bye: Draft, line: &Arc<OnLine>) {
        let ask = LineAsk::new(Arc::clone(line), bye, flow, VecDeque::new());
        self.send_line_ask(ask, false);
    }

    fn send_line_ask(&mut self, mut ask: LineAsk, is_told: bool) -> ClientId {
        let client = self.table.request_to_place(self.now, ask.flow, &ask.draft);
        if is_told {
            ask.told = Some(client);
        }
        ask.arm(self.now);
        self.own_line_ask(client, ask);
        client
    }

    fn own_line_ask(&mut self, client: ClientId, ask: LineAsk) {
        self.clients.insert(client, Owner::OnLine);
        self.line_asks.enter(client, ask);
    }

    /// Sends it once more, with the next number.
    fn repeat_line_ask(&mut self, mut ask: LineAsk) {
        ask.cseq = ask.cseq.wrapping_add(1) & 0x7fff_ffff;
        let method = ask.draft.method().map(ToString::to_string).unwrap_or_default();
        ask.draft.set(&name::CSEQ, format!("{} {method}", ask.cseq));
        if let Some(credentials) = &ask.line.credentials {
            ask.answers.put(&mut ask.draft, credentials);
        }
        let client = self.table.request_to_place(self.now, ask.flow, &ask.draft);
        self.own_line_ask(client, ask);
    }

    pub(super) fn line_answered(&mut self, client: ClientId, response: Response, flow: Flow) {
        let Some(mut ask) = self.line_asks.take(client) else { return };
        ask.patience = None;
        let status = response.status();
        if status < 200 {
            self.tell_answer(ask.told, response, flow);
            return self.line_asks.enter(client, ask);
        }
        self.disown_client(client);
        if matches!(status, 401 | 407)
            && let Some(credentials) = &ask.line.credentials
            && ask
                .answers
                .challenged(&mut ask.tries, &response, credentials, &mut self.random)
                .is_ok()
        {
            ask.arm(self.now);
            return self.repeat_line_ask(ask);
        }
        if matches!(status, 430 | 503)
            && let Some(next) = ask.alternatives.pop_front()
        {
            ask.flow = next;
            ask.arm(self.now);
            return self.repeat_line_ask(ask);
        }
        self.tell_answer(ask.told, response, flow);
    }

    pub(super) fn line_failed(&mut self, client: ClientId, why: Failure) {
        self.disown_client(client);
        let Some(ask) = self.line_asks.take(client) else { return };
        self.try_next_way(ask, why);
    }

    /// Gives up the ways that were silent for too long.
    pub(super) fn hasten_line_asks(&mut self) {
        while let Some(&(due, client)) = self.line_asks.deadlines.first() {
            if due > self.now {
                return;
            }
            let Some(ask) = self.line_asks.take(client) else { return };
            self.table.abandon(self.now, client, &[]);
            self.disown_client(client);
            self.try_next_way(ask, Failure::TimedOut);
        }
    }

    fn try_next_way(&mut self, mut ask: LineAsk, why: Failure) {
        match ask.alternatives.pop_front() {
            Some(next) => {
                ask.flow = next;
                ask.arm(self.now);
                self.repeat_line_ask(ask);
            }
            None => {
                if let Some(request) = ask.told {
                    self.events.push_back(Event::Failed { request, why });
                }
            }
        }
    }

    fn tell_answer(&mut self, told: Option<ClientId>, response: Response, flow: Flow) {
        if let Some(request) = told {
            self.events.push_back(Event::Answered { request, response, flow });
        }
    }
}

impl LineAsk {
    fn new(line: Arc<OnLine>, draft: Draft, flow: Flow, alternatives: VecDeque<Flow>) -> Self {
        let number = draft.value(&name::CSEQ).and_then(|cseq| cseq.split(|b| *b == b' ').next());
        let cseq = number.and_then(|n| std::str::from_utf8(n).ok()).and_then(|n| n.parse().ok());
        Self {
            told: None,
            line,
            draft,
            cseq: cseq.unwrap_or(1),
            flow,
            alternatives,
            patience: None,
            answers: Answers::default(),
            tries: Tries::default(),
        }
    }

    /// Waits so long for the present way, if there is another.
    fn arm(&mut self, now: Instant) {
        let has_more = !self.alternatives.is_empty();
        self.patience = has_more.then(|| now + patience(self.flow.transport));
    }
}
