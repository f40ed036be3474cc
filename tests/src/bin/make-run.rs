// SPDX-License-Identifier: GPL-3.0-or-later
//! The demonstration behind `make run`: a message bus activates the service, two real softphones
//! register, a program connects them, and everything they do is shown as it happens.
//!
//! It ends with 0 only if all of it happened. It needs no root, no sound card and no network. It
//! brings a session bus of its own; with `--session` it uses the one there is, and the service
//! installed there.

use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use sipwitch_dbus_interfaces::CallProxy;
use sipwitch_dbus_interfaces::names::BUS_NAME;
use sipwitch_dbus_interfaces::wire::{CallState, NoOptions};
use sipwitch_tests::house::Start;
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::{Desk, House, net, program};
use zbus::zvariant::OwnedObjectPath;

/// Who calls, and who is called.
const NUMBERS: [&str; 2] = ["101", "102"];

/// What happens, with the time since the start.
struct Story {
    start: Instant,
    step: &'static str,
}

impl Story {
    /// Begins a step; if something fails from here on, this is what failed.
    fn step(&mut self, words: &'static str) {
        self.step = words;
        self.line(words);
    }

    /// Tells what happened in the step.
    fn tell(&self, words: impl Display) {
        self.line(format_args!("  {words}"));
    }

    fn line(&self, words: impl Display) {
        println!("{:8.3} s  {words}", self.start.elapsed().as_secs_f64());
    }
}

fn main() -> ExitCode {
    program::SHOW_WHAT_WAS_SAID.store(false, Ordering::Relaxed);
    let mut story = Story { start: Instant::now(), step: "Preparing" };
    let mut house = None;
    let told = match std::env::args().nth(1).as_deref() {
        None => on_a_private_bus(&mut story, &mut house),
        Some("--session") => on_the_session_bus(&mut story),
        Some(other) => Err(anyhow!("{other} is unknown; there is --session, or nothing")),
    };
    let Err(error) = told else {
        story.line("All of it happened.");
        return ExitCode::SUCCESS;
    };
    story.line(format_args!("FAILED: {}: {error:#}", story.step));
    if let Some(house) = house {
        let log = house.log();
        let lines: Vec<_> = log.lines().collect();
        println!("\nThe service said last:");
        for line in &lines[lines.len().saturating_sub(40)..] {
            println!("  {line}");
        }
    }
    ExitCode::FAILURE
}

fn on_a_private_bus(story: &mut Story, place: &mut Option<House>) -> Result<()> {
    story.step("A private session bus starts, and is asked for SIP Witch");
    let house = place.insert(House::plan().start(Start::ByActivation).lay_out()?);
    let asked = Instant::now();
    house.open()?;
    story.tell(format_args!("the bus has activated it in {} ms", asked.elapsed().as_millis()));
    let (at, service) = meet(story, house.desk())?;
    play(story, house.desk(), at, service, &mut Vec::new())
}

fn on_the_session_bus(story: &mut Story) -> Result<()> {
    story.step("The session bus is asked for SIP Witch");
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS");
    let desk = Desk::open(&address.context("there is no session bus: leave --session out")?)?;
    let (at, service) = meet(story, &desk)?;
    let mut made = Vec::new();
    let told = play(story, &desk, at, service, &mut made);
    // The house is somebody's: it is left as it was found.
    for path in made {
        let extension = desk.extension(&path)?;
        desk.wait("Remove", extension.remove())??;
    }
    told
}

/// Asks the service what it is, and where.
fn meet(story: &Story, desk: &Desk) -> Result<(SocketAddr, u32)> {
    let service = desk.service()?;
    let version = desk.wait("Version", service.version())??;
    let addresses = desk.wait("Addresses", service.addresses())??;
    let bus = desk.wait("the bus", zbus::fdo::DBusProxy::new(desk.connection()))??;
    let pid = bus.get_connection_unix_process_id(BUS_NAME.try_into()?);
    let pid = desk.wait("its process", pid)??;
    story.tell(format_args!("sipwitchd {version} is process {pid}"));
    for address in &addresses {
        story.tell(format_args!("it listens at {address}"));
    }
    let at = addresses.iter().find_map(|address| address.strip_prefix("udp:"));
    Ok((at.context("it does not listen for UDP")?.parse()?, pid))
}

/// Everything after the service is there.
fn play(
    story: &mut Story,
    desk: &Desk,
    at: SocketAddr,
    service: u32,
    made: &mut Vec<OwnedObjectPath>,
) -> Result<()> {
    story.step("Extensions 101 and 102 are made over the bus");
    for number in NUMBERS {
        let path = desk.add_extension(number, None)?;
        story.tell(path.as_str());
        made.push(path);
    }
    story.step("Two baresips register, as programs of this user and so without a password");
    let [anna, bert] = NUMBERS.map(|number| Baresip::start(&Account::new(number, at)));
    let (mut anna, mut bert) = (anna?, bert?);
    for (number, phone) in NUMBERS.into_iter().zip([&mut anna, &mut bert]) {
        phone.registered()?;
        let phones = desk.phones(number, 1)?;
        story.tell(format_args!("{number} is {}", phones[0].as_str()));
    }
    let call = dial(story, desk, &mut anna, &mut bert)?;
    speak(story, &mut anna, &mut bert, service)?;
    let proxy = desk.call(&call)?;
    send_tones(story, desk, &proxy, &mut anna, &mut bert)?;
    hold_and_resume(story, desk, &call, &mut anna, &mut bert)?;

    story.step("The program hangs up");
    desk.wait("Hangup", proxy.hangup())??;
    story.tell(format_args!("101: {}", anna.closed()?));
    story.tell(format_args!("102: {}", bert.closed()?));
    desk.calls_are(0)?;
    show_history(story, desk)
}

fn dial(
    story: &mut Story,
    desk: &Desk,
    anna: &mut Baresip,
    bert: &mut Baresip,
) -> Result<OwnedObjectPath> {
    story.step("A program dials 102 for 101");
    let call = desk.dial("101", "102")?;
    story.tell(format_args!("the call is {}", call.as_str()));
    story.tell(format_args!("101 rings and shows {}", anna.incoming()?));
    anna.answer()?;
    story.tell("101 answers");
    story.tell(format_args!("102 rings and shows {}", bert.incoming()?));
    bert.answer()?;
    anna.established()?;
    bert.established()?;
    desk.call_is(&call, CallState::Connected)?;
    story.tell("102 answers, and the call is connected");
    Ok(call)
}

/// Speech flows, and neither port of it belongs to the service.
fn speak(story: &mut Story, anna: &mut Baresip, bert: &mut Baresip, service: u32) -> Result<()> {
    story.step("Speech flows directly between the phones");
    let (heard, said) = (anna.hears_more_than(25)?, bert.hears_more_than(25)?);
    for (number, speech) in NUMBERS.into_iter().zip([&heard, &said]) {
        story.tell(format_args!(
            "{number} has sent {} packets and received {}; it speaks from {} to {}",
            speech.sent, speech.received, speech.local, speech.remote
        ));
    }
    let port = |address: &str| {
        let port = address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        port.with_context(|| format!("{address} has no port"))
    };
    let [annas, berts] = [port(&heard.local)?, port(&said.local)?];
    ensure!(
        port(&heard.remote)? == berts && port(&said.remote)? == annas,
        "each should speak to the other's own port"
    );
    for (local, phone) in [(annas, &anna.program), (berts, &bert.program)] {
        let owner = net::owner_of_udp_port(local)?;
        ensure!(owner == Some(phone.pid()), "port {local} belongs to process {owner:?}");
    }
    story.tell(format_args!("both ports belong to the phones, none to process {service}"));
    Ok(())
}

fn send_tones(
    story: &mut Story,
    desk: &Desk,
    call: &CallProxy<'_>,
    anna: &mut Baresip,
    bert: &mut Baresip,
) -> Result<()> {
    story.step("The program sends the tone 5 to the called side");
    desk.wait("SendDtmf", call.send_dtmf("5", &NoOptions {}))??;
    let tone = bert.heard_dtmf()?;
    ensure!(tone == '5', "102 heard {tone}");
    story.tell("102 hears 5");
    story.step("101 sends the tone 7 inside the speech");
    anna.dtmf('7')?;
    let tone = bert.heard_dtmf()?;
    ensure!(tone == '7', "102 heard {tone}");
    story.tell("102 hears 7");
    Ok(())
}

fn hold_and_resume(
    story: &mut Story,
    desk: &Desk,
    path: &OwnedObjectPath,
    anna: &mut Baresip,
    bert: &mut Baresip,
) -> Result<()> {
    let call = desk.call(path)?;
    story.step("The program puts the call on hold");
    desk.wait("Hold", call.hold())??;
    desk.call_is(path, CallState::Held)?;
    let direction = last_direction(bert)?;
    ensure!(direction != "sendrecv", "102 was offered {direction}");
    story.tell(format_args!("the call is held; 102 was offered {direction}"));
    story.step("The program takes it from hold");
    desk.wait("Resume", call.resume())??;
    desk.call_is(path, CallState::Connected)?;
    let before = [anna.speech()?.received, bert.speech()?.received];
    for ((number, phone), before) in NUMBERS.into_iter().zip([anna, bert]).zip(before) {
        let after = phone.hears_more_than(before + 10)?.received;
        story.tell(format_args!("{number} has received {} packets more", after - before));
    }
    Ok(())
}

fn show_history(story: &mut Story, desk: &Desk) -> Result<()> {
    story.step("The history of calls");
    let history = desk.history()?;
    let last = history.first().context("it is empty")?;
    let answered = last.answered_at_microseconds.context("it says that nobody answered")?;
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    story.tell(format_args!(
        "{} called {}; answered after {:.3} s, spoke for {:.3} s; {} ({})",
        last.caller,
        last.callee,
        seconds(last.started_at_microseconds, answered),
        seconds(answered, last.ended_at_microseconds),
        last.words,
        last.sip_code
    ));
    ensure!(last.contact == "102" && last.sip_code == 200, "{last:?}");
    Ok(())
}

/// The direction of the last description that a phone was offered.
fn last_direction(phone: &Baresip) -> Result<String> {
    let messages = phone.sip();
    let mut offers = messages.iter().filter(|message| {
        message.lines().nth(1).is_some_and(|line| line.starts_with("INVITE "))
            && message.contains("m=audio")
    });
    let last = offers.next_back().context("it was offered nothing")?;
    let directions = ["a=sendonly", "a=recvonly", "a=inactive"];
    let direction = last.lines().find(|line| directions.contains(line));
    Ok(direction.unwrap_or("a=sendrecv").trim_start_matches("a=").to_owned())
}
