// SPDX-License-Identifier: GPL-3.0-or-later
//! The demonstration behind `make run`: a message bus activates the service, two real softphones
//! register, a program connects them, and everything they do is shown as it happens.
//!
//! It ends with 0 only if all of it happened. It needs no root, no sound card and no network.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use sipwitch_dbus_interfaces::names::BUS_NAME;
use sipwitch_dbus_interfaces::wire::{CallState, NoOptions};
use sipwitch_tests::house::Start;
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::{House, net, program};

/// What happens, with the time since the start.
struct Story {
    start: Instant,
    step: &'static str,
}

impl Story {
    /// Begins a step; if something fails from here on, this is what failed.
    fn step(&mut self, words: &'static str) {
        self.step = words;
        self.tell(words);
    }

    /// Tells what happened in the step.
    fn tell(&self, words: impl Display) {
        println!("{:8.3} s  {words}", self.start.elapsed().as_secs_f64());
    }
}

fn main() -> ExitCode {
    program::SHOW_WHAT_WAS_SAID.store(false, Ordering::Relaxed);
    let mut story = Story { start: Instant::now(), step: "Preparing" };
    let mut house = None;
    let told = tell(&mut story, &mut house);
    let Err(error) = told else {
        story.tell("All of it happened.");
        return ExitCode::SUCCESS;
    };
    story.tell(format_args!("FAILED: {}: {error:#}", story.step));
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

fn tell(story: &mut Story, place: &mut Option<House>) -> Result<()> {
    story.step("A private session bus starts, and is asked for SIP Witch");
    let asked = Instant::now();
    let house = place.insert(House::plan().start(Start::ByActivation).lay_out()?);
    house.open()?;
    let desk = house.desk();
    let service = desk.service()?;
    let version = desk.wait("Version", service.version())??;
    let addresses = desk.wait("Addresses", service.addresses())??;
    let bus = desk.wait("the bus", zbus::fdo::DBusProxy::new(desk.connection()))??;
    let pid =
        desk.wait("its process", bus.get_connection_unix_process_id(BUS_NAME.try_into()?))??;
    story.tell(format_args!(
        "  sipwitchd {version} is process {pid}, {} ms after the bus was started",
        asked.elapsed().as_millis()
    ));
    for address in addresses {
        story.tell(format_args!("  it listens at {address}"));
    }

    story.step("Extensions 101 and 102 are made over the bus");
    for number in ["101", "102"] {
        let path = desk.add_extension(number, None)?;
        story.tell(format_args!("  {}", path.as_str()));
    }

    story.step("Two baresips register, as programs of this user and so without a password");
    let (mut anna, mut bert) = (
        Baresip::start(&Account::new("101", house.at))?,
        Baresip::start(&Account::new("102", house.at))?,
    );
    for (number, phone) in [("101", &mut anna), ("102", &mut bert)] {
        phone.registered()?;
        let phones = desk.phones(number, 1)?;
        story.tell(format_args!("  {number} is {}", phones[0].as_str()));
    }

    story.step("A program dials 102 for 101");
    let call = desk.dial("101", "102")?;
    story.tell(format_args!("  the call is {}", call.as_str()));
    let shown = anna.incoming()?;
    story.tell(format_args!("  101 rings and shows {shown}"));
    anna.answer()?;
    story.tell("  101 answers");
    let shown = bert.incoming()?;
    story.tell(format_args!("  102 rings and shows {shown}"));
    bert.answer()?;
    anna.established()?;
    bert.established()?;
    desk.call_is(&call, CallState::Connected)?;
    story.tell("  102 answers, and the call is connected");

    story.step("Speech flows directly between the phones");
    let (heard, said) = (anna.hears_more_than(25)?, bert.hears_more_than(25)?);
    story.tell(format_args!(
        "  101 has sent {} packets and received {}; it speaks from {} to {}",
        heard.sent, heard.received, heard.local, heard.remote
    ));
    story.tell(format_args!(
        "  102 has sent {} packets and received {}; it speaks from {} to {}",
        said.sent, said.received, said.local, said.remote
    ));
    let port = |address: &str| {
        address
            .rsplit(':')
            .next()
            .and_then(|port| port.parse::<u16>().ok())
            .context("an address has a port")
    };
    ensure!(
        port(&heard.remote)? == port(&said.local)? && port(&said.remote)? == port(&heard.local)?,
        "each speaks to the other's own port"
    );
    for local in [&heard.local, &said.local] {
        let owner = net::owner_of_udp_port(port(local)?)?;
        ensure!(owner != Some(pid), "the speech goes through the service");
        ensure!(
            owner == Some(anna.program.pid()) || owner == Some(bert.program.pid()),
            "port {local} belongs to process {owner:?}"
        );
    }
    story.tell(format_args!("  both ports belong to the phones; process {pid} has no part in it"));

    let proxy = desk.call(&call)?;
    story.step("The program sends the tone 5 to the called side");
    desk.wait("SendDtmf", proxy.send_dtmf("5", &NoOptions {}))??;
    let tone = bert.heard_dtmf()?;
    ensure!(tone == '5', "102 heard {tone}");
    story.tell("  102 hears 5");
    story.step("101 sends the tone 7 inside the speech");
    anna.dtmf('7')?;
    let tone = bert.heard_dtmf()?;
    ensure!(tone == '7', "102 heard {tone}");
    story.tell("  102 hears 7");

    story.step("The program puts the call on hold");
    desk.wait("Hold", proxy.hold())??;
    desk.call_is(&call, CallState::Held)?;
    story.tell(format_args!("  the call is held; 102 was offered {}", last_direction(&bert)?));
    story.step("The program takes it from hold");
    desk.wait("Resume", proxy.resume())??;
    desk.call_is(&call, CallState::Connected)?;
    let before = (anna.speech()?.received, bert.speech()?.received);
    let after = (
        anna.hears_more_than(before.0 + 10)?.received,
        bert.hears_more_than(before.1 + 10)?.received,
    );
    story.tell(format_args!(
        "  speech flows again: 101 received {} packets more, 102 {}",
        after.0 - before.0,
        after.1 - before.1
    ));

    story.step("The program hangs up");
    desk.wait("Hangup", proxy.hangup())??;
    story.tell(format_args!("  101: {}", anna.closed()?));
    story.tell(format_args!("  102: {}", bert.closed()?));
    desk.calls_are(0)?;

    story.step("The history of calls");
    let history = desk.history()?;
    let last = history.first().ok_or_else(|| anyhow!("it is empty"))?;
    let answered =
        last.answered_at_microseconds.ok_or_else(|| anyhow!("it says that nobody answered"))?;
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e6;
    story.tell(format_args!(
        "  {} called {}; answered after {:.3} s, spoke for {:.3} s; {} ({})",
        last.caller,
        last.callee,
        seconds(last.started_at_microseconds, answered),
        seconds(answered, last.ended_at_microseconds),
        last.words,
        last.sip_code
    ));
    ensure!(history.len() == 1 && last.sip_code == 200, "{last:?}");
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
    let direction = last
        .lines()
        .find(|line| ["a=sendonly", "a=recvonly", "a=inactive", "a=sendrecv"].contains(line));
    Ok(direction.unwrap_or("no direction").trim_start_matches("a=").to_owned())
}
