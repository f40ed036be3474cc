// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs that are phones, on a real bus and with real phones at the other end.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::wire::{
    CallState, EndpointDialOptions, EndpointOptions, HangUpOptions,
};
use sipwitch_dbus_interfaces::{EndpointProxy, Error};
use sipwitch_tests::desk::Desk;
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::program::in_home;
use sipwitch_tests::{House, PATIENCE, Program, net};
use zbus::Message;
use zbus::proxy::{CacheProperties, SignalStream};
use zbus::zvariant::OwnedObjectPath;

/// What the program describes. Nothing is there to hear; one line is of no standard.
const SDP: &str = "v=0\r\no=- 20518 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=x-as-it-was: two  spaces \r\na=sendrecv\r\n";

/// A program that is a phone, on a connection of its own.
struct Softphone {
    signals: SignalStream<'static>,
    endpoint: EndpointProxy<'static>,
    path: OwnedObjectPath,
    desk: Desk,
}

impl Softphone {
    fn start(house: &House, extension: &str) -> Result<Self> {
        Self::start_as(house, extension, false)
    }

    fn start_as(house: &House, extension: &str, anchored: bool) -> Result<Self> {
        let desk = house.new_desk()?;
        let options = EndpointOptions {
            extension: Some(extension.to_owned()),
            account: None,
            name: Some("softphone".to_owned()),
            all_calls: None,
            anchored: Some(anchored),
            marks_read: None,
        };
        let service = desk.service()?;
        let path = desk.wait("RegisterEndpoint", service.register_endpoint(&options))??;
        let endpoint = endpoint_at(&desk, &path)?;
        let signals = desk.wait("a stream", endpoint.inner().receive_all_signals())??;
        desk.wait("SetAvailable", endpoint.set_available(true))??;
        Ok(Self { signals, endpoint, path, desk })
    }

    /// The next signal of that name; progress may come before it.
    fn signal(&mut self, name: &str) -> Result<Message> {
        loop {
            let message = self.desk.wait(name, self.signals.next())?.context("the bus has gone")?;
            let member = message.header().member().map(ToString::to_string).unwrap_or_default();
            if member == name {
                return Ok(message);
            }
            ensure!(member == "Progress", "{member} came where {name} was wanted");
        }
    }

    fn ended(&mut self, leg: u64) -> Result<String> {
        let signal = self.signal("Ended")?;
        let (of, reason, _, _, _): (u64, String, u32, u32, String) = signal.body().deserialize()?;
        ensure!(of == leg, "leg {of} ended, not {leg}");
        Ok(reason)
    }
}

fn endpoint_at(desk: &Desk, path: &OwnedObjectPath) -> Result<EndpointProxy<'static>> {
    let proxy = EndpointProxy::builder(desk.connection())
        .path(path.clone())?
        .cache_properties(CacheProperties::No);
    Ok(desk.wait("the proxy of an endpoint", proxy.build())??)
}

fn baresip(house: &House, number: &str) -> Result<Baresip> {
    let mut phone = Baresip::start(&Account::new(number, house.at))?;
    phone.registered()?;
    Ok(phone)
}

/// The descriptions in the messages of a phone that begin so; baresip shows them with plain line
/// ends, and other words of its own after them.
fn descriptions(phone: &Baresip, first: &str) -> Vec<String> {
    let begins = |message: &String| message.lines().any(|line| line.starts_with(first));
    let described = |message: String| {
        let lines = message.lines().skip_while(|line| *line != "v=0");
        let lines: Vec<_> = lines.take_while(|line| line.get(1..2) == Some("=")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    phone.sip().into_iter().filter(begins).filter_map(described).collect()
}

fn plain(sdp: &str) -> String {
    sdp.replace("\r\n", "\n").trim_end_matches('\n').to_owned()
}

#[test]
fn a_program_calls_a_phone_and_each_sees_the_others_own_description() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = baresip(&house, "101")?;
    let mut program = Softphone::start(&house, "102")?;
    ensure!(house.desk().phones("102", 1)? == [program.path.clone()]);

    let options = EndpointDialOptions::default();
    let dialled = program.endpoint.dial("101", SDP.as_bytes(), &options);
    let (leg, call) = program.desk.wait("Dial", dialled)??;
    ensure!(anna.incoming()?.contains("102"));
    anna.answer()?;
    anna.established()?;
    let answered = program.signal("Answered")?;
    let (of, _, answer): (u64, u32, Vec<u8>) = answered.body().deserialize()?;
    ensure!(of == leg);
    house.desk().call_is(&call, CallState::Connected)?;
    let offers = descriptions(&anna, "INVITE sip:");
    ensure!(offers.first() == Some(&plain(SDP)), "{offers:#?}");
    let answers = descriptions(&anna, "SIP/2.0 200 ");
    let answer = String::from_utf8(answer)?;
    ensure!(answers.contains(&plain(&answer)), "{answer}\n{answers:#?}");

    // Held and resumed from here.
    for (direction, state) in [("sendonly", CallState::Held), ("sendrecv", CallState::Connected)] {
        let offer = SDP.replace("20518 0", "20518 1").replace("sendrecv", direction);
        let offered = program.endpoint.offer_description(leg, offer.as_bytes());
        let exchange = program.desk.wait("OfferDescription", offered)??;
        let signal = program.signal("OfferAnswered")?;
        let (_, of, code, _, _): (u64, u32, u32, String, Vec<u8>) = signal.body().deserialize()?;
        ensure!((of, code) == (exchange, 200), "{of} {code}");
        house.desk().call_is(&call, state)?;
    }
    let options = HangUpOptions::default();
    program.desk.wait("HangUp", program.endpoint.hang_up(leg, &options))??;
    ensure!(program.ended(leg)? == "hung-up");
    anna.closed()?;
    house.desk().calls_are(0)?;
    Ok(())
}

/// A packet of silence in G.711 (RFC 3551), the `count`th.
fn silence(count: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(count.to_be_bytes());
    packet.extend((u32::from(count) * 160).to_be_bytes());
    packet.extend(20_518_u32.to_be_bytes());
    packet.resize(12 + 160, 0xff);
    packet
}

/// Where a description of one medium wants RTP.
fn wanted(sdp: &str) -> Result<SocketAddr> {
    // What the medium says comes after what the session says, and holds.
    let after = |start| sdp.lines().rev().find_map(|line| line.strip_prefix(start));
    let ip = after("c=IN IP4 ").context("an address")?;
    let port = after("m=audio ").and_then(|rest| rest.split(' ').next()).context("a port")?;
    Ok(SocketAddr::new(ip.parse()?, port.parse()?))
}

#[test]
fn the_sound_of_an_anchored_program_goes_through_the_service_both_ways() -> Result<()> {
    /// How many packets have to come each way.
    const ENOUGH: u32 = 25;
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = baresip(&house, "101")?;
    let mut program = Softphone::start_as(&house, "102", true)?;
    let socket = UdpSocket::bind((net::loopback(), 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let own = socket.local_addr()?;
    let described = SDP
        .replace("c=IN IP4 127.0.0.1", &format!("c=IN IP4 {}", own.ip()))
        .replace("49170 RTP/AVP 0 8", &format!("{} RTP/AVP 0", own.port()));

    let options = EndpointDialOptions::default();
    let dialled = program.endpoint.dial("101", described.as_bytes(), &options);
    let (leg, _) = program.desk.wait("Dial", dialled)??;
    anna.incoming()?;
    anna.answer()?;
    anna.established()?;
    let answered = program.signal("Answered")?;
    let (_, _, answer): (u64, u32, Vec<u8>) = answered.body().deserialize()?;
    let ours = wanted(&String::from_utf8(answer)?)?;
    let offers = descriptions(&anna, "INVITE sip:");
    let theirs = wanted(offers.first().context("an offer")?)?;
    ensure!(theirs != own && offers[0].contains("a=x-as-it-was: two  spaces "), "{offers:?}");
    let answers = descriptions(&anna, "SIP/2.0 200 ");
    let answers: Vec<_> = answers.iter().filter_map(|answer| wanted(answer).ok()).collect();
    ensure!(!answers.is_empty() && !answers.contains(&ours), "{ours} {answers:?}");

    let before = anna.speech()?.received;
    let (mut count, mut heard) = (0, 0);
    let deadline = Instant::now() + PATIENCE;
    let mut packet = [0; 2048];
    // It speaks each 20 ms by itself; we do with each packet that we hear, or in its stead.
    while heard < ENOUGH || u32::from(count) < 2 * ENOUGH {
        ensure!(Instant::now() < deadline, "{heard} of {count} packets came back");
        socket.send_to(&silence(count), ours)?;
        count += 1;
        if let Ok((_, from)) = socket.recv_from(&mut packet) {
            ensure!(from == ours, "{from} speaks instead of {ours}");
            heard += 1;
        }
    }
    anna.hears_more_than(before + ENOUGH)?;

    let options = HangUpOptions::default();
    program.desk.wait("HangUp", program.endpoint.hang_up(leg, &options))??;
    ensure!(program.ended(leg)? == "hung-up");
    anna.closed()?;
    // The ports are given back, with the reply of `HangUp` or soon after.
    while let Err(error) = UdpSocket::bind(ours) {
        ensure!(Instant::now() < deadline + PATIENCE, "{ours} is still taken: {error}");
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn a_phone_calls_a_program_and_nobody_else_can_answer_in_its_place() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = baresip(&house, "101")?;
    let mut program = Softphone::start(&house, "102")?;
    anna.call("102")?;
    let signal = program.signal("IncomingCall")?;
    let body = signal.body();
    let (leg, call, offer, _): (
        u64,
        OwnedObjectPath,
        Vec<u8>,
        sipwitch_dbus_interfaces::wire::IncomingCallInfo,
    ) = body.deserialize()?;
    let offers = descriptions(&anna, "INVITE sip:");
    let offer = String::from_utf8(offer)?;
    ensure!(offers.contains(&plain(&offer)), "{offer}\n{offers:#?}");
    program.desk.wait("ShowProgress", program.endpoint.show_progress(leg, 180, b""))??;
    anna.ringing()?;

    let stranger = house.new_desk()?;
    let theirs = endpoint_at(&stranger, &program.path)?;
    let refused = stranger.wait("Answer", theirs.answer(leg, SDP.as_bytes()))?;
    ensure!(matches!(refused, Err(Error::NotAllowed(_))), "{refused:?}");

    // Whoever wants the call to be answered asks the program to do it.
    let proxy = house.desk().call(&call)?;
    house.desk().wait("Answer", proxy.answer())??;
    program.signal("AnswerWanted")?;
    program.desk.wait("Answer", program.endpoint.answer(leg, SDP.as_bytes()))??;
    program.signal("Confirmed")?;
    anna.established()?;
    let answers = descriptions(&anna, "SIP/2.0 200 ");
    ensure!(answers.contains(&plain(SDP)), "{answers:#?}");
    anna.hang_up()?;
    ensure!(program.ended(leg)? == "hung-up");
    Ok(())
}

#[test]
fn the_calls_of_a_program_end_when_it_leaves_the_bus() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut anna = baresip(&house, "101")?;
    let program = Softphone::start(&house, "102")?;
    let options = EndpointDialOptions::default();
    let dialled = program.endpoint.dial("101", SDP.as_bytes(), &options);
    program.desk.wait("Dial", dialled)??;
    anna.incoming()?;
    anna.answer()?;
    anna.established()?;
    let (_, shown) = house.sipwitch(&["phones"])?;
    ensure!(shown.contains("dbus:") && shown.contains("softphone"), "{shown}");
    drop(program);
    anna.closed()?;
    house.desk().calls_are(0)?;
    house.desk().phones("102", 0)?;
    Ok(())
}

#[test]
fn the_example_of_the_documentation_answers_a_call() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let text = include_str!("../../docs/endpoints.md");
    let code = text.split_once("```python\n").and_then(|(_, code)| code.split_once("```"));
    let (code, _) = code.context("the page has an example")?;
    // The only person of the house is who the program belongs to.
    let script = house.home().join("phone.py");
    std::fs::write(&script, code)?;
    let bus = house.bus.as_ref().context("the house has a bus")?;
    // Debian's own python has its modules; another in the path may not.
    let mut command = in_home("/usr/bin/python3", house.home());
    command.arg(&script).env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let mut example = Program::start("example", &mut command)
        .context("install python3, python3-dbus and python3-gi")?;
    example.wait_for("ready: /org/gnutelephony/SipWitch1/phone/")?;
    let mut anna = baresip(&house, "101")?;
    anna.call("101")?;
    anna.established()?;
    example.wait_for("call from 101")?;
    anna.hang_up()?;
    example.wait_for("ended: hung-up")?;
    Ok(())
}
