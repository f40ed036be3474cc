// SPDX-License-Identifier: GPL-3.0-or-later
//! What comes from outside may be anything. The service answers or stays silent, keeps its memory,
//! and other users' calls go on.

use std::net::{SocketAddr, TcpStream, UdpSocket};

use anyhow::{Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sipwitch_simulators::{Account as Sim, Phone, Transport};
use sipwitch_tests::peers::{Account, Baresip};
use sipwitch_tests::{House, Plain as _, net};
use socket2::{Domain, Socket, Type};

/// Memory the service may take whatever happens: far below what a leak would reach.
const ENOUGH: u64 = 128 << 20;

/// Two phones, registered and in a call.
fn talking(house: &House) -> Result<(Baresip, Baresip)> {
    let mut anna = Baresip::start(&Account::new("101", house.at))?;
    let mut bert = Baresip::start(&Account::new("102", house.at))?;
    anna.registered()?;
    bert.registered()?;
    anna.call("102")?;
    bert.incoming()?;
    bert.answer()?;
    anna.established()?;
    bert.established()?;
    Ok((anna, bert))
}

/// The call of two phones still reacts, and a new one can be made.
fn still_talking(anna: &mut Baresip, bert: &mut Baresip) -> Result<()> {
    anna.hold()?;
    bert.event("CALL_REMOTE_SDP")?;
    anna.hang_up()?;
    bert.closed()?;
    bert.call("101")?;
    anna.incoming()?;
    anna.answer()?;
    bert.established()?;
    bert.hang_up()?;
    anna.closed()?;
    Ok(())
}

/// The service answers a question over both transports.
fn answers(house: &House) -> Result<()> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut phone =
            Phone::new(transport, net::loopback(), house.at, Sim::new("101")).plain()?;
        let answer = phone.ask("OPTIONS", &format!("sip:{}", house.at), &[], b"").plain()?;
        ensure!(answer.status() == Some(200), "{answer:?}");
    }
    Ok(())
}

fn invite(house: &House, from: SocketAddr, number: usize) -> String {
    let at = house.at;
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
        ip = from.ip()
    );
    format!(
        "INVITE sip:103@{at} SIP/2.0\r\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bKflood{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:101@{at}>;tag=f{number}\r\nTo: <sip:103@{at}>\r\nCall-ID: flood-{number}@{from}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:101@{from}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn truncated_and_oversized_datagrams_do_no_harm() -> Result<()> {
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    let socket = UdpSocket::bind((net::other_loopback(), 0))?;
    let from = socket.local_addr()?;
    let whole = invite(&house, from, 0);
    for end in 0..whole.len() {
        socket.send_to(&whole.as_bytes()[..end], house.at)?;
    }
    let (start, rest) = whole.split_once("Max-Forwards").expect("the template has it");
    let giants = [
        vec![b'x'; 65_000],
        vec![0; 65_000],
        format!("{start}X-Long: {}\r\nMax-Forwards{rest}", "y".repeat(60_000)).into_bytes(),
        format!("{start}{}Max-Forwards{rest}", "X: y\r\n".repeat(10_000)).into_bytes(),
        format!(
            "{start}{}Max-Forwards{rest}",
            "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n".repeat(1_300)
        )
        .into_bytes(),
        whole.replace("Content-Length: ", "Content-Length: 99999999999").into_bytes(),
        whole.replace("Content-Length: ", "Content-Length: -").into_bytes(),
        whole.replace("CSeq: 1 ", "CSeq: 99999999999999999999 ").into_bytes(),
    ];
    for giant in &giants {
        socket.send_to(giant, house.at)?;
    }
    let mut seed = 7_u64;
    for _ in 0..2_000 {
        // Mutations of a whole message, from a seed.
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..3 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % bytes.len();
            bytes[at] = (seed >> 24) as u8;
        }
        socket.send_to(&bytes, house.at)?;
    }
    answers(&house)?;
    still_talking(&mut anna, &mut bert)?;
    ensure!(house.memory()? < ENOUGH, "{} bytes", house.memory()?);
    Ok(())
}

#[test]
fn a_full_disk_refuses_changes_and_calls_go_on() -> Result<()> {
    use sipwitch_dbus_interfaces::Error;
    let house = House::plan().disk(2_000).extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    let name = "n".repeat(60);
    let refused = (0..100).find_map(|round| {
        let lines = (0..200).map(|line| format!("{},{name}\n", 10_000 + round * 200 + line));
        house.desk().import(&format!("number,name\n{}", lines.collect::<String>())).err()
    });
    let refused = refused.expect("20,000 extensions do not fit into 2 MB").downcast::<Error>()?;
    ensure!(matches!(refused, Error::NotStored(_)), "{refused:?}");
    // The phones that are there stay, and their calls too, though none of it can be written down.
    anna.hold()?;
    bert.event("CALL_REMOTE_SDP")?;
    anna.hang_up()?;
    bert.closed()?;
    bert.call("101")?;
    anna.incoming()?;
    anna.answer()?;
    bert.established()?;
    bert.hang_up()?;
    answers(&house)
}

#[test]
fn a_stream_of_nonsense_is_closed_and_others_go_on() -> Result<()> {
    use std::io::{Read as _, Write as _};
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    for nonsense in [
        vec![b'A'; 1 << 20],
        [b"OPTIONS sip:a SIP/2.0\r\n".to_vec(), b"X: y\r\n".repeat(1 << 17)].concat(),
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n".to_vec(),
    ] {
        let mut stream = TcpStream::connect(house.at)?;
        stream.set_read_timeout(Some(sipwitch_tests::PATIENCE))?;
        stream.set_write_timeout(Some(sipwitch_tests::PATIENCE))?;
        // The service may close while we still write; that is the point.
        let _ = stream.write_all(&nonsense);
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        ensure!(
            ended.is_ok()
                || ended.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset),
            "the stream stays open: {ended:?}"
        );
    }
    answers(&house)?;
    still_talking(&mut anna, &mut bert)
}

#[test]
fn half_a_message_does_not_hold_its_connection_for_ever() -> Result<()> {
    use std::io::{Read as _, Write as _};
    let house = House::plan().settings("[limits]\nhalf-message-seconds = 1").build()?;
    let whole = format!(
        "OPTIONS sip:{} SIP/2.0\r\nMax-Forwards: 70\r\nContent-Length: 9\r\n\r\n",
        house.at
    );
    for half in [&whole[..9], &whole[..40], &whole[..]] {
        let mut stream = TcpStream::connect(house.at)?;
        stream.set_read_timeout(Some(sipwitch_tests::PATIENCE))?;
        stream.write_all(half.as_bytes())?;
        let end = stream.read(&mut [0; 64]);
        let reset = end.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset);
        ensure!(reset || matches!(end, Ok(0)), "{half:?} holds its connection: {end:?}");
    }
    answers(&house)
}

#[test]
fn somebody_who_asks_and_never_listens_costs_little() -> Result<()> {
    use std::io::Write as _;
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    let mut stream = TcpStream::connect(house.at)?;
    stream.set_write_timeout(Some(std::time::Duration::from_secs(2)))?;
    let at = stream.local_addr()?;
    for number in 0..40_000 {
        let ask = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/TCP {at};branch=z9hG4bKdeaf{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:101@{server}>;tag=d\r\nTo: <sip:{server}>\r\nCall-ID: deaf-{number}@{at}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            server = house.at
        );
        // Disconnected, or not heard any more: both are fair.
        if stream.write_all(ask.as_bytes()).is_err() {
            break;
        }
    }
    answers(&house)?;
    ensure!(house.memory()? < ENOUGH, "{} bytes", house.memory()?);
    still_talking(&mut anna, &mut bert)
}

#[test]
fn a_flood_from_one_source_does_not_stop_the_others() -> Result<()> {
    let mut house = House::plan().extensions(&["101", "102", "103"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    let flooder = UdpSocket::bind((net::other_loopback(), 0))?;
    let from = flooder.local_addr()?;
    for number in 0..20_000 {
        flooder.send_to(invite(&house, from, number).as_bytes(), house.at)?;
        if number == 10_000 {
            anna.hold()?;
            bert.event("CALL_REMOTE_SDP")?;
            anna.resume()?;
            bert.event("CALL_REMOTE_SDP")?;
        }
    }
    answers(&house)?;
    ensure!(house.memory()? < ENOUGH, "{} bytes", house.memory()?);
    anna.hang_up()?;
    bert.closed()?;
    Ok(())
}

/// Connects so many times from one source, as a stranger.
fn connect(house: &House, wanted: usize) -> Result<Vec<TcpStream>> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    // This test holds one end of each; some files are for others.
    let count = wanted.min(usize::try_from(most)?.saturating_sub(500));
    println!("{count} connections of {wanted}: {most} files may be open");
    let mut idle = Vec::new();
    for _ in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(net::other_loopback(), 0).into())?;
        socket.connect(&house.at.into())?;
        idle.push(socket.into());
    }
    Ok(idle)
}

#[test]
fn ten_thousand_idle_connections_are_borne() -> Result<()> {
    // As a session starts it: the service itself must ask for more.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most.min(1024), most)?;
    let mut house = House::plan().extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    let idle = connect(&house, 10_000)?;
    answers(&house)?;
    still_talking(&mut anna, &mut bert)?;
    ensure!(house.memory()? < ENOUGH, "{} bytes", house.memory()?);
    drop(idle);
    answers(&house)
}

#[test]
fn connections_above_the_limit_of_a_source_are_closed_at_once() -> Result<()> {
    use std::io::Read as _;
    let limit = "[limits]\nconnections-per-source = 100";
    let house = House::plan().settings(limit).extensions(&["101", "102"]).build()?;
    let (mut anna, mut bert) = talking(&house)?;
    let idle = connect(&house, 300)?;
    for mut above in &idle[100..] {
        above.set_read_timeout(Some(sipwitch_tests::PATIENCE))?;
        let end = above.read(&mut [0; 64]);
        let reset = end.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset);
        ensure!(reset || matches!(end, Ok(0)), "{end:?}");
    }
    // Another source is not shut out by this one.
    answers(&house)?;
    still_talking(&mut anna, &mut bert)
}
