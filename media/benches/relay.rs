// SPDX-License-Identifier: GPL-3.0-or-later
//! What relaying costs: G.711 calls over real sockets on loopback, fifty packets a second each way.
//!
//!     cargo bench -p sipwitch-media --features driver --bench relay -- CALLS SECONDS
//!
//! Prints how much of one core the thread that relays took, what a packet cost and what was lost.
//! One more call is waited for at both ends, packet by packet: how long they took is printed beside
//! the same without a relay, and the difference is what we add.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use sipwitch_media::driver::{Anchor, Driver, Ports};
use sipwitch_media::relay::{Component, End, Scope, Terms};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FRAME: Duration = Duration::from_millis(20);

/// One end of a call, and where it sends.
struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    sequence: u16,
    heard: u64,
}

impl Phone {
    fn bind() -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((HERE, 0))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// Sends 20 ms of sound.
    fn send(&mut self, ssrc: u32) -> io::Result<()> {
        let mut packet = [0xd5; 172];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send_to(&packet, self.to).map(|_| ())
    }

    fn receive(&mut self) {
        let mut packet = [0; 256];
        while self.socket.recv(&mut packet).is_ok() {
            self.heard += 1;
        }
    }
}

fn terms(rtp: SocketAddr) -> Terms {
    Terms { rtp: Some(rtp), authenticated: true, sends: true, ..Terms::unknown(Scope::Machine) }
}

/// Two phones, and what stands between them.
fn call(
    driver: Option<&mut Driver>,
) -> Result<([Phone; 2], Option<Anchor>), Box<dyn std::error::Error>> {
    let sockets = [Phone::bind()?, Phone::bind()?];
    let at = [sockets[0].local_addr()?, sockets[1].local_addr()?];
    let anchor = match driver {
        Some(driver) => Some(driver.open((HERE, terms(at[0])), (HERE, terms(at[1])))?),
        None => None,
    };
    let to = match &anchor {
        Some(anchor) => End::ALL.map(|end| anchor.address(end, Component::Rtp)),
        None => [at[1], at[0]],
    };
    let [near, far] = sockets;
    let phone = |socket, to| Phone { socket, to, sequence: 0, heard: 0 };
    Ok(([phone(near, to[0]), phone(far, to[1])], anchor))
}

/// Time on a processor of the thread that relays.
fn relayed() -> Option<Duration> {
    let mut tasks = fs::read_dir("/proc/self/task").ok()?.flatten();
    let task = tasks.find(|task| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "media")
    })?;
    let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
    Some(Duration::from_nanos(times.split(' ').next()?.parse().ok()?))
}

struct Found {
    wall: Duration,
    sent: u64,
    heard: u64,
}

/// Has all phones talk, their packets spread over each 20 ms.
fn talk(phones: &mut [Phone], time: Duration) -> io::Result<Found> {
    let start = Instant::now();
    let gap = FRAME / u32::try_from(phones.len()).unwrap_or(u32::MAX);
    let heard = |phones: &[Phone]| phones.iter().map(|phone| phone.heard).sum::<u64>();
    let before = heard(phones);
    let (mut sent, mut due, mut turn) = (0_u64, Duration::ZERO, 0);
    while start.elapsed() < time {
        while due <= start.elapsed().min(time) {
            phones[turn].receive();
            phones[turn].send(turn as u32)?;
            sent += 1;
            due += gap;
            turn = (turn + 1) % phones.len();
        }
        thread::sleep(Duration::from_micros(100));
    }
    let wall = start.elapsed();
    thread::sleep(Duration::from_millis(200));
    phones.iter_mut().for_each(Phone::receive);
    Ok(Found { wall, sent, heard: heard(phones) - before })
}

/// How long packets of one call take, in microseconds and in order.
fn wait(mut phones: [Phone; 2], time: Duration) -> io::Result<Vec<u128>> {
    let mut packet = [0; 256];
    let mut delays = Vec::new();
    for phone in &phones {
        phone.socket.set_nonblocking(false)?;
        phone.socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    }
    let start = Instant::now();
    for turn in (0..2).cycle() {
        if start.elapsed() >= time {
            break;
        }
        let sent = Instant::now();
        phones[turn].send(turn as u32)?;
        phones[1 - turn].socket.recv(&mut packet)?;
        delays.push(sent.elapsed().as_micros());
        // Not in step with the others' packets.
        thread::sleep(Duration::from_micros(3700));
    }
    delays.sort_unstable();
    Ok(delays)
}

fn quantile(sorted: &[u128], of_thousand: usize) -> u128 {
    sorted.get(sorted.len() * of_thousand / 1000).copied().unwrap_or(0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<u32>().ok());
    let calls = numbers.next().unwrap_or(200);
    let time = Duration::from_secs(numbers.next().unwrap_or(5).into());
    let mut out = io::stdout();
    for relay in [false, true] {
        let mut driver = relay.then(|| Driver::new(Ports::default(), |_, _| {}));
        let (mut phones, mut anchors) = (Vec::new(), Vec::new());
        for _ in 0..calls {
            let (pair, anchor) = call(driver.as_mut())?;
            phones.extend(pair);
            anchors.extend(anchor);
        }
        talk(&mut phones, Duration::from_secs(1))?; // latches all
        let (waiting, anchor) = call(driver.as_mut())?;
        let before = relayed();
        let waiting = thread::spawn(move || wait(waiting, time));
        let found = talk(&mut phones, time)?;
        let after = relayed();
        let delays = waiting.join().map_err(|_| "a packet never came")??;
        drop(anchor);
        let [p50, p99] = [500, 990].map(|of_thousand| quantile(&delays, of_thousand));
        let lost = found.sent - found.heard.min(found.sent);
        let rate = found.sent as f64 / found.wall.as_secs_f64();
        let name = if relay { "relayed" } else { "direct" };
        writeln!(
            out,
            "{name}: {calls} calls, {rate:.0} packets/s, {lost} lost, p50 {p50} us, p99 {p99} us"
        )?;
        if let Some(took) = after.zip(before).map(|(after, before)| after - before) {
            let of_core = took.as_secs_f64() / found.wall.as_secs_f64() * 100.0;
            let each = took.as_secs_f64() / found.heard as f64 * 1e6;
            let per_core = 10_000.0 / each;
            writeln!(
                out,
                "{of_core:.1} % of a core, {each:.2} us a packet: {per_core:.0} calls a core"
            )?;
        }
    }
    Ok(())
}
