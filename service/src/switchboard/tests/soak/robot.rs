// SPDX-License-Identifier: GPL-3.0-or-later
//! A phone that lives by itself, as the dice fall: it repeats what is not answered, answers what
//! repeats, and now and then does what no phone should.

mod asked;
mod told;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    super::{
        digest::Challenge,
        house::HOUSE,
        text::{Text, lines, response, sdp},
        town::password_of,
    },
    dice::Dice,
};

/// T1, T2 and 64*T1 of RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const GIVE_UP: Duration = Duration::from_secs(32);
/// How a phone ends a ringing that nobody else ended.
const RANG_OUT: &str = "480 Rang Out";
/// Answers remembered for repeated requests.
const REMEMBERED: usize = 64;

/// What a robot means to do later.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    Act(String),
    Answer(String, String),
    Cancel(String),
    Dial,
    HangUp(String),
    Register,
    Repeat(String),
    Revive,
    Write,
}

impl Plan {
    /// Whether it ends what was begun, and so is carried out while everybody rests.
    pub(super) const fn goes_on(&self) -> bool {
        match self {
            Self::Answer(..) | Self::Register | Self::Repeat(_) | Self::Revive => true,
            Self::Act(_) | Self::Cancel(_) | Self::Dial | Self::HangUp(_) | Self::Write => false,
        }
    }
}

/// What comes of an input: messages to send, and plans.
pub(super) struct Doing<'a> {
    pub(super) now: Instant,
    pub(super) dice: &'a mut Dice,
    pub(super) numbers: usize,
    /// No new calls, and those that stand come to an end.
    pub(super) is_evening: bool,
    /// Nobody dies or misbehaves.
    pub(super) is_tame: bool,
    pub(super) sends: Vec<Vec<u8>>,
    pub(super) plans: Vec<(Duration, Plan)>,
}

impl Doing<'_> {
    fn send(&mut self, text: &Text) {
        self.sends.push(text.bytes());
    }

    fn plan(&mut self, least: u64, most: u64, plan: Plan) {
        let wait = Duration::from_millis(self.dice.between(least, most));
        self.plans.push((wait, plan));
    }
}

/// Repeated until it is answered.
#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    pause: Duration,
    until: Instant,
}

/// One half of a call.
#[derive(Debug)]
struct Line {
    us: String,
    them: String,
    tag: String,
    target: String,
    cseq: u32,
    invite: Text,
    stage: Stage,
    /// The number and whether it offered, of the re-INVITE of ours that is under way.
    reinvite: (u32, bool),
    /// The number of their latest INVITE.
    invited: u32,
    /// The port the other end was last said to listen at.
    hears: u16,
}

impl Line {
    /// Takes a description of the other end.
    fn note(&mut self, sdp: &str) {
        if let Some(port) = lines(sdp, "m=audio ").first() {
            self.hears = port.split(' ').next().and_then(|port| port.parse().ok()).unwrap_or(0);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Our INVITE is under way.
    Calling,
    /// Our CANCEL is under way as well.
    Cancelling,
    /// Theirs has no final answer.
    Ringing,
    Talking,
    /// Our BYE is under way.
    Leaving,
}

/// The phone.
pub(super) struct Robot {
    pub(super) number: String,
    pub(super) address: String,
    pub(super) is_alive: bool,
    challenge: Option<Challenge>,
    register_cseq: u32,
    serial: u32,
    lines: BTreeMap<String, Line>,
    pending: HashMap<String, Pending>,
    answered: VecDeque<(String, Vec<u8>)>,
    /// The ACK of each 2xx, for when that is repeated.
    acks: VecDeque<(String, Vec<u8>)>,
    /// Calls that rang until the phone itself had enough.
    pub(super) rang_out: usize,
    /// Calls begun.
    pub(super) dialled: usize,
    /// Calls talked in.
    pub(super) talked: usize,
}

impl Robot {
    pub(super) fn new(number: String, address: String) -> Self {
        Self {
            number,
            address,
            is_alive: true,
            challenge: None,
            register_cseq: 0,
            serial: 0,
            lines: BTreeMap::new(),
            pending: HashMap::new(),
            answered: VecDeque::new(),
            acks: VecDeque::new(),
            rang_out: 0,
            dialled: 0,
            talked: 0,
        }
    }

    /// The calls it thinks it is in.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|(id, line)| format!("{id} {:?}", line.stage)).collect()
    }

    /// Ports: its own, and that of whom it hears, for each call it talks in.
    pub(super) fn ears(&self) -> Vec<(u16, u16)> {
        let talking = self.lines.values().filter(|line| line.stage == Stage::Talking);
        talking.map(|line| (port_of(&self.address), line.hears)).collect()
    }

    /// Nobody rings for ever: gives up the calls that are not answered by then.
    pub(super) fn lose_patience(&mut self, doing: &mut Doing<'_>) {
        let calling = self.lines.iter().filter(|(_, line)| line.stage == Stage::Calling);
        for id in calling.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            doing.plan(180_000, 180_000, Plan::Cancel(id));
        }
    }

    pub(super) fn carry_out(&mut self, plan: Plan, doing: &mut Doing<'_>) {
        if !self.is_alive && !matches!(plan, Plan::Revive) {
            return;
        }
        match plan {
            Plan::Act(id) => self.act(&id, doing),
            Plan::Answer(id, status) => self.answer_call(&id, &status, doing),
            Plan::Cancel(id) => self.cancel(&id, doing),
            Plan::Dial => self.dial(doing),
            Plan::HangUp(id) => self.hang_up(&id, doing),
            Plan::Register => self.register(doing),
            Plan::Repeat(key) => self.repeat(key, doing),
            Plan::Revive => {
                self.is_alive = true;
                self.register(doing);
            }
            Plan::Write => {
                let number = doing.dice.number(doing.numbers);
                let uri = format!("sip:{number}@{HOUSE}");
                let more = ["Content-Type: text/plain".to_owned()];
                self.ask_outside("MESSAGE", &uri, &more, "are you there?", doing);
            }
        }
    }

    /// Falls silent, and forgets everything.
    pub(super) fn die(&mut self, doing: &mut Doing<'_>) {
        self.is_alive = false;
        self.lines.clear();
        self.pending.clear();
        self.answered.clear();
        self.acks.clear();
        doing.plan(60_000, 1_800_000, Plan::Revive);
    }

    pub(super) fn receive(&mut self, bytes: &[u8], doing: &mut Doing<'_>) {
        if !self.is_alive {
            return;
        }
        let text = Text::read(bytes);
        match text.status() {
            None => self.asked(&text, doing),
            Some(status) => self.told(&text, status, doing),
        }
    }

    // What it does.

    fn register(&mut self, doing: &mut Doing<'_>) {
        self.register_cseq += 1;
        let uri = format!("sip:{HOUSE}");
        let me = format!("sip:{}@{HOUSE}", self.number);
        let mut headers = vec![
            self.via(),
            "Max-Forwards: 70".into(),
            format!("From: <{me}>;tag=r{}", self.register_cseq),
            format!("To: <{me}>"),
            format!("Call-ID: reg-{}", self.address),
            format!("CSeq: {} REGISTER", self.register_cseq),
            format!("Contact: <sip:{}@{}>", self.number, self.address),
            "Expires: 3600".into(),
        ];
        headers.extend(self.authorization("REGISTER", &uri));
        let text = Text::write(&format!("REGISTER {uri} SIP/2.0"), &headers, "");
        self.request(&text, doing);
        if !doing.is_evening {
            doing.plan(1_500_000, 3_000_000, Plan::Register);
        }
    }

    fn dial(&mut self, doing: &mut Doing<'_>) {
        if doing.is_evening {
            return;
        }
        doing.plan(20_000, 1_200_000, Plan::Dial);
        self.dialled += 1;
        self.serial += 1;
        let number = doing.dice.number(doing.numbers);
        let tag = format!("d{}", self.serial);
        let id = format!("c{}-{}", self.serial, self.address);
        let uri = format!("sip:{number}@{HOUSE}");
        let mut line = Line {
            us: format!("<sip:{}@{HOUSE}>;tag={tag}", self.number),
            them: format!("<{uri}>"),
            tag,
            target: uri,
            cseq: 0,
            invite: Text::write("", &[], ""),
            stage: Stage::Calling,
            reinvite: (0, false),
            invited: 0,
            hears: 0,
        };
        self.invite(&id, &mut line, doing);
        self.lines.insert(id.clone(), line);
        if doing.dice.percent(15) {
            doing.plan(0, 20_000, Plan::Cancel(id));
        }
    }

    fn invite(&mut self, id: &str, line: &mut Line, doing: &mut Doing<'_>) {
        line.cseq += 1;
        let mut headers = self.inside(id, line, line.cseq, "INVITE");
        headers.extend(self.authorization("INVITE", &line.target));
        headers.push("Supported: 100rel, timer".into());
        let offer = if doing.dice.percent(90) { self.sdp(1) } else { String::new() };
        with_body(&mut headers, &offer);
        line.invite = Text::write(&format!("INVITE {} SIP/2.0", line.target), &headers, &offer);
        self.request(&line.invite, doing);
    }

    fn answer_call(&mut self, id: &str, status: &str, doing: &mut Doing<'_>) {
        let Some(line) = self.lines.get_mut(id).filter(|line| line.stage == Stage::Ringing) else {
            return;
        };
        self.rang_out += usize::from(status == RANG_OUT);
        let is_ok = status.starts_with('2');
        let body = if is_ok && (doing.is_tame || doing.dice.percent(98)) {
            sdp(&format!("p{}", self.number), port_of(&self.address), "sendrecv")
        } else {
            String::new()
        };
        let mut more = vec![contact(&self.number, &self.address)];
        if status.starts_with('3') {
            more = vec![format!("Contact: <sip:{}@{HOUSE}>", doing.dice.number(doing.numbers))];
        }
        with_body(&mut more, &body);
        let (invite, tag) = (line.invite.clone(), line.tag.clone());
        if is_ok {
            line.stage = Stage::Talking;
            line.note(&invite.body);
            self.talked += 1;
        } else {
            self.lines.remove(id);
        }
        self.answer_final(&invite, status, &tag, &more, &body, doing);
        if is_ok {
            if !doing.is_tame && doing.dice.percent(2) {
                // A second far end, as of a proxy that forked.
                let other = response(&invite, status, "another", &more, &body);
                doing.send(&other);
            }
            doing.plan(2_000, 400_000, Plan::Act(id.to_owned()));
        }
    }

    /// A final answer to an INVITE is repeated until its ACK (RFC 3261 §13.3.1.4, §17.2.1).
    fn answer_final(
        &mut self,
        invite: &Text,
        status: &str,
        tag: &str,
        more: &[String],
        body: &str,
        doing: &mut Doing<'_>,
    ) {
        let answer = response(invite, status, tag, more, body);
        self.remember(invite, &answer);
        self.pend(format!("ack {} {}", invite.call_id(), invite.cseq()), &answer, doing);
        doing.send(&answer);
    }

    fn act(&mut self, id: &str, doing: &mut Doing<'_>) {
        let Some(line) = self.lines.get(id).filter(|line| line.stage == Stage::Talking) else {
            return;
        };
        let version = line.cseq + 2;
        if doing.is_evening {
            return self.hang_up(id, doing);
        }
        match doing.dice.below(20) {
            0..=7 => return self.hang_up(id, doing),
            8 | 9 => {
                let held = self.sdp(version).replace("a=sendrecv", "a=sendonly");
                self.ask_inside(id, "INVITE", &[], &held, doing);
            }
            10 | 11 => {
                let open = self.sdp(version);
                self.ask_inside(id, "INVITE", &[], &open, doing);
            }
            12 => {
                let target = doing.dice.number(doing.numbers);
                let more = [format!("Refer-To: <sip:{target}@{HOUSE}>")];
                self.ask_inside(id, "REFER", &more, "", doing);
            }
            13 => self.join(id, doing),
            14 => {
                let more = ["Content-Type: application/dtmf-relay".to_owned()];
                self.ask_inside(id, "INFO", &more, "Signal=5\r\nDuration=160\r\n", doing);
            }
            15 => self.ask_inside(id, "FROBNICATE", &[], "", doing),
            16 => {
                let open = self.sdp(version);
                self.ask_inside(id, "UPDATE", &[], &open, doing);
            }
            17 => self.ask_inside(id, "INVITE", &[], "", doing),
            18 => self.babble(doing),
            _ => {
                if !doing.is_tame && doing.dice.percent(30) {
                    return self.die(doing);
                }
                self.ask_inside(id, "OPTIONS", &[], "", doing);
            }
        }
        doing.plan(2_000, 200_000, Plan::Act(id.to_owned()));
    }

    /// An attended transfer, if it is in another call as well; else one that cannot be.
    fn join(&mut self, id: &str, doing: &mut Doing<'_>) {
        let other = self
            .lines
            .iter()
            .find(|(other, line)| other.as_str() != id && line.stage == Stage::Talking);
        let replaces = match other {
            Some((other, line)) => {
                let theirs = line.them.split_once(";tag=").map_or("", |(_, tag)| tag);
                format!("{other}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{}", line.tag)
            }
            None => "nothing%3Bto-tag%3Da%3Bfrom-tag%3Db".to_owned(),
        };
        let more = [format!("Refer-To: <sip:101@{HOUSE}?Replaces={replaces}>")];
        self.ask_inside(id, "REFER", &more, "", doing);
    }

    /// Sends what fits nothing.
    fn babble(&mut self, doing: &mut Doing<'_>) {
        self.serial += 1;
        let method = doing.dice.pick(&["BYE", "ACK", "CANCEL", "NOTIFY", "SUBSCRIBE", "OPTIONS"]);
        let uri = format!("sip:nobody@{HOUSE}");
        let to_tag = if doing.dice.percent(50) { ";tag=none" } else { "" };
        let headers = [
            self.via(),
            format!("From: <sip:{}@{HOUSE}>;tag=b{}", self.number, self.serial),
            format!("To: <{uri}>{to_tag}"),
            format!("Call-ID: babble-{}-{}", self.serial, self.address),
            format!("CSeq: 1 {method}"),
        ];
        doing.send(&Text::write(&format!("{method} {uri} SIP/2.0"), &headers, ""));
        doing.sends.push(b"INVITE sip:x\r\n\r\n".to_vec());
        let stray = Text::write("SIP/2.0 200 OK", &headers, "");
        doing.send(&stray);
    }

    fn hang_up(&mut self, id: &str, doing: &mut Doing<'_>) {
        let Some(line) = self.lines.get_mut(id).filter(|line| line.stage == Stage::Talking) else {
            return;
        };
        line.stage = Stage::Leaving;
        self.ask_inside(id, "BYE", &[], "", doing);
    }

    fn cancel(&mut self, id: &str, doing: &mut Doing<'_>) {
        let Some(line) = self.lines.get_mut(id).filter(|line| line.stage == Stage::Calling) else {
            return;
        };
        line.stage = Stage::Cancelling;
        let invite = &line.invite;
        let headers = [
            format!("Via: {}", invite.header("Via")),
            "Max-Forwards: 70".into(),
            format!("From: {}", line.us),
            format!("To: {}", invite.header("To")),
            format!("Call-ID: {id}"),
            format!("CSeq: {} CANCEL", invite.cseq()),
        ];
        let cancel = Text::write(&format!("CANCEL {} SIP/2.0", invite.uri()), &headers, "");
        self.request(&cancel, doing);
    }

    fn ask_inside(
        &mut self,
        id: &str,
        method: &str,
        more: &[String],
        body: &str,
        doing: &mut Doing<'_>,
    ) {
        let Some(mut line) = self.lines.remove(id) else { return };
        line.cseq += 1;
        if method == "INVITE" {
            line.reinvite = (line.cseq, !body.is_empty());
        }
        let mut headers = self.inside(id, &line, line.cseq, method);
        headers.extend_from_slice(more);
        if !more.iter().any(|field| field.starts_with("Content-Type")) {
            with_body(&mut headers, body);
        }
        let request = Text::write(&format!("{method} {} SIP/2.0", line.target), &headers, body);
        self.lines.insert(id.to_owned(), line);
        self.request(&request, doing);
    }

    fn ask_outside(
        &mut self,
        method: &str,
        uri: &str,
        more: &[String],
        body: &str,
        doing: &mut Doing<'_>,
    ) {
        self.serial += 1;
        let mut headers = vec![
            self.via(),
            "Max-Forwards: 70".into(),
            format!("From: <sip:{}@{HOUSE}>;tag=o{}", self.number, self.serial),
            format!("To: <{uri}>"),
            format!("Call-ID: o{}-{}", self.serial, self.address),
            format!("CSeq: 1 {method}"),
        ];
        headers.extend_from_slice(more);
        headers.extend(self.authorization(method, uri));
        let request = Text::write(&format!("{method} {uri} SIP/2.0"), &headers, body);
        self.request(&request, doing);
    }

    /// Sends a request, again and again until it is answered.
    fn request(&mut self, request: &Text, doing: &mut Doing<'_>) {
        self.pend(transaction(request), request, doing);
        doing.send(request);
    }

    fn pend(&mut self, key: String, text: &Text, doing: &mut Doing<'_>) {
        doing.plans.push((T1, Plan::Repeat(key.clone())));
        let until = doing.now + GIVE_UP;
        self.pending.insert(key, Pending { bytes: text.bytes(), pause: T1, until });
    }

    fn repeat(&mut self, key: String, doing: &mut Doing<'_>) {
        let Some(pending) = self.pending.get_mut(&key) else { return };
        if pending.until <= doing.now {
            let text = Text::read(&pending.bytes);
            self.pending.remove(&key);
            // Nobody answers: whatever it was for is over. A 2xx without ACK is hung up
            // (RFC 3261 §13.3.1.4).
            let id = text.call_id().to_owned();
            match (text.status(), text.method()) {
                (Some(200..=299), _) => self.hang_up(&id, doing),
                (Some(100..=199), _) => self.answer_call(&id, "504 Nobody Heard Me", doing),
                (None, "INVITE" | "BYE" | "CANCEL") => {
                    self.lines.remove(&id);
                }
                _ => {}
            }
            return;
        }
        pending.pause = (pending.pause * 2).min(T2);
        let (bytes, pause) = (pending.bytes.clone(), pending.pause);
        doing.sends.push(bytes);
        doing.plans.push((pause, Plan::Repeat(key)));
    }

    fn remember(&mut self, request: &Text, answer: &Text) {
        let key = transaction(request);
        self.answered.retain(|(known, _)| *known != key);
        self.answered.push_back((key, answer.bytes()));
        if self.answered.len() > REMEMBERED {
            self.answered.pop_front();
        }
    }

    fn take_challenge(&mut self, answer: &Text) -> bool {
        let values = answer.headers("WWW-Authenticate");
        self.challenge = Challenge::read(&values, "MD5");
        self.challenge.is_some()
    }

    fn authorization(&mut self, method: &str, uri: &str) -> Option<String> {
        let password = password_of(&self.number);
        let answer = self.challenge.as_mut()?.answer(&self.number, &password, method, uri);
        Some(format!("Authorization: {answer}"))
    }

    fn via(&mut self) -> String {
        self.serial += 1;
        let branch = format!("z9hG4bK-{}-{}", port_of(&self.address), self.serial);
        format!("Via: SIP/2.0/UDP {};rport;branch={branch}", self.address)
    }

    fn inside(&mut self, id: &str, line: &Line, cseq: u32, method: &str) -> Vec<String> {
        vec![
            self.via(),
            "Max-Forwards: 70".into(),
            format!("From: {}", line.us),
            format!("To: {}", line.them),
            format!("Call-ID: {id}"),
            format!("CSeq: {cseq} {method}"),
            contact(&self.number, &self.address),
        ]
    }

    fn sdp(&self, version: u32) -> String {
        sdp(&format!("p{}", self.number), port_of(&self.address), "sendrecv")
            .replace(" 7 1 ", &format!(" 7 {version} "))
    }
}

/// What names a transaction (RFC 3261 §17.1.3).
fn transaction(text: &Text) -> String {
    format!("{} {}", text.branch(), text.method())
}

fn contact(number: &str, address: &str) -> String {
    format!("Contact: <sip:{number}@{address}>")
}

fn port_of(address: &str) -> u16 {
    address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
}

fn with_body(headers: &mut Vec<String>, body: &str) {
    if !body.is_empty() {
        headers.push("Content-Type: application/sdp".into());
    }
}
