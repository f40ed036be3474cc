// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    collections::VecDeque,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use socket2::Socket;
use tokio::{
    io::Interest,
    net::{TcpSocket, TcpStream},
    sync::{Notify, mpsc},
    time::{Sleep, timeout},
};

use super::{
    DriverSettings, FlowFault, Incoming,
    link::Link,
    tls::{self, Accepting, Client, TlsStream},
};
use crate::{
    flow::{ConnectionId, Flow, Transport},
    peer::PeerIdentity,
    resolver::Place,
    wire::StreamReader,
};

/// A connection, as the driver and the connection's own task see it.
pub(super) struct Connection {
    pub(super) flow: Flow,
    /// The flow as it was asked for, perhaps without naming the connection.
    pub(super) asked: Flow,
    /// Whether we opened it.
    pub(super) is_ours: bool,
    /// Where it leads, if one of our ways does.
    pub(super) place: Option<Arc<Place>>,
    state: Mutex<State>,
    /// Wakes the task when there is more to write, or nothing more to do.
    changed: Notify,
}

struct State {
    /// None until it stands.
    link: Option<Arc<Link>>,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    active: Instant,
    /// Whether a whole message came, or we opened it ourselves.
    is_proven: bool,
    closing: Option<&'static str>,
}

/// What tasks tell the driver.
pub(super) enum FromTask {
    Accepted { stream: TcpStream, transport: Transport, listening: SocketAddr },
    Incoming(Incoming),
    Closed { id: ConnectionId, was_open: bool, why: FlowFault },
}

impl Connection {
    pub(super) fn new(
        flow: Flow,
        asked: Flow,
        now: Instant,
        is_ours: bool,
        place: Option<Arc<Place>>,
    ) -> Self {
        let state = State {
            link: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            active: now,
            is_proven: is_ours,
            closing: None,
        };
        Self { flow, asked, is_ours, place, state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds it can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When to see whether it is still of use.
    pub(super) fn check_at(&self, settings: &DriverSettings) -> Instant {
        let state = self.state();
        state.active + if state.is_proven { settings.idle } else { settings.first_message }
    }

    /// Sends, or keeps for later. False if too much is kept already.
    pub(super) fn send(&self, bytes: Bytes, most: usize) -> bool {
        let mut state = self.state();
        if state.closing.is_some() {
            return true;
        }
        state.waiting_bytes += bytes.len();
        state.waiting.push_back(bytes);
        // An error shows itself to the task, which is woken by it.
        let _ = state.flush();
        let fits = state.waiting_bytes <= most;
        if state.is_behind() {
            self.changed.notify_one();
        }
        fits
    }

    pub(super) fn close(&self, why: &'static str) {
        self.state().closing.get_or_insert(why);
        self.changed.notify_one();
    }

    /// Whether it is about to end.
    pub(super) fn is_closing(&self) -> bool {
        self.state().closing.is_some()
    }

    /// Whether it stands on a TLS session of before.
    #[cfg(test)]
    pub(super) fn is_resumed(&self) -> bool {
        matches!(self.state().link.as_deref(), Some(Link::Tls(stream)) if stream.is_resumed())
    }

    fn open(&self, link: Arc<Link>) {
        self.state().link = Some(link);
    }
}

impl State {
    /// Writes as much as the link takes.
    fn flush(&mut self) -> io::Result<()> {
        let Some(link) = self.link.as_ref() else { return Ok(()) };
        while let Some(first) = self.waiting.front_mut() {
            match link.try_write(first) {
                Ok(written) => {
                    self.active = Instant::now();
                    self.waiting_bytes -= written;
                    first.advance(written);
                    if first.is_empty() {
                        self.waiting.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.waiting.capacity() > 64 {
            self.waiting = VecDeque::new();
        }
        link.try_flush()
    }

    /// Whether something waits to be written.
    fn is_behind(&self) -> bool {
        !self.waiting.is_empty() || self.link.as_ref().is_some_and(|link| link.wants_write())
    }
}

/// Runs a connection that a far end made.
pub(super) fn spawn_accepted(
    connection: &Arc<Connection>,
    stream: TcpStream,
    tls: Option<Accepting>,
    settings: &Arc<DriverSettings>,
    to_driver: mpsc::Sender<FromTask>,
) {
    tune(&stream);
    let (connection, settings) = (Arc::clone(connection), Arc::clone(settings));
    let Some(tls) = tls else {
        let link = Arc::new(Link::Tcp(stream));
        connection.open(Arc::clone(&link));
        tokio::spawn(serve(connection, link, settings, to_driver));
        return;
    };
    tokio::spawn(async move {
        let agreed = agree(&settings, tls::accept(&tls, stream)).await;
        drop(tls);
        match agreed {
            Ok((stream, identity)) => {
                serve_secured(connection, stream, identity, settings, to_driver).await;
            }
            Err(why) => never_opened(&connection, why, &to_driver).await,
        }
    });
}

/// Makes a connection and runs it; over TLS if there is a client for that.
pub(super) fn spawn_connect(
    connection: &Arc<Connection>,
    socket: Option<Socket>,
    tls: Option<Arc<Client>>,
    settings: &Arc<DriverSettings>,
    to_driver: mpsc::Sender<FromTask>,
) {
    let (connection, settings) = (Arc::clone(connection), Arc::clone(settings));
    tokio::spawn(async move {
        let within = settings.connect;
        // Boxed, so that the task does not keep the room for it while it serves.
        let connected = Box::pin(timeout(within, connect(connection.flow, socket))).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return never_opened(&connection, error.to_string().into(), &to_driver).await;
            }
            Err(_) => {
                let why = format!("nobody answered within {} s", within.as_secs_f32());
                return never_opened(&connection, why.into(), &to_driver).await;
            }
        };
        tune(&stream);
        let Some(tls) = tls else {
            let link = Arc::new(Link::Tcp(stream));
            connection.open(Arc::clone(&link));
            return serve(connection, link, settings, to_driver).await;
        };
        let name = connection.place.as_ref().map(|place| Arc::clone(&place.name));
        let name = name.unwrap_or_default();
        let agreed = agree(&settings, tls::connect(&tls, stream, &name)).await;
        drop(tls);
        match agreed {
            Ok((stream, identity)) => {
                serve_secured(connection, stream, identity, settings, to_driver).await;
            }
            Err(why) => never_opened(&connection, why.with(&name), &to_driver).await,
        }
    });
}

/// Waits for a handshake, but not for ever.
async fn agree<T>(
    settings: &DriverSettings,
    handshake: impl Future<Output = Result<T, FlowFault>>,
) -> Result<T, FlowFault> {
    let within = settings.handshake;
    // Boxed for the same reason.
    match Box::pin(timeout(within, handshake)).await {
        Ok(agreed) => agreed,
        Err(_) => Err(format!("it was not agreed within {} s", within.as_secs_f32()).into()),
    }
}

async fn never_opened(connection: &Connection, why: FlowFault, to_driver: &mpsc::Sender<FromTask>) {
    if let Some(id) = connection.flow.connection {
        let _ = to_driver.send(FromTask::Closed { id, was_open: false, why }).await;
    }
}

async fn serve_secured(
    connection: Arc<Connection>,
    stream: TlsStream,
    identity: PeerIdentity,
    settings: Arc<DriverSettings>,
    to_driver: mpsc::Sender<FromTask>,
) {
    let link = Arc::new(Link::Tls(Box::new(stream)));
    let secured = Incoming::Secured { flow: connection.flow, identity };
    // Before the first message, and before anything is sent that could be answered.
    if to_driver.send(FromTask::Incoming(secured)).await.is_ok() {
        connection.open(Arc::clone(&link));
        serve(connection, link, settings, to_driver).await;
    }
}

async fn connect(flow: Flow, bound: Option<Socket>) -> io::Result<TcpStream> {
    if let Some(socket) = bound {
        return TcpSocket::from_std_stream(socket.into()).connect(flow.remote).await;
    }
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if !flow.local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}

fn tune(stream: &TcpStream) {
    // Messages are small and each one matters at once. The kernel finds out by itself, without
    // waking anyone, when a far end is gone for good.
    let _ = stream.set_nodelay(true);
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(120))
        .with_interval(Duration::from_secs(30))
        .with_retries(4);
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&probes);
}

async fn serve(
    connection: Arc<Connection>,
    link: Arc<Link>,
    settings: Arc<DriverSettings>,
    to_driver: mpsc::Sender<FromTask>,
) {
    let why = exchange(&connection, &link, &settings, &to_driver).await.into();
    // From here on nothing is kept for sending.
    connection.close("closed");
    connection.state().link = None;
    link.shut();
    if let Some(id) = connection.flow.connection {
        let _ = to_driver.send(FromTask::Closed { id, was_open: true, why }).await;
    }
}

/// Reads and writes until the connection is over; says why it is.
async fn exchange(
    connection: &Connection,
    link: &Link,
    settings: &DriverSettings,
    to_driver: &mpsc::Sender<FromTask>,
) -> String {
    let mut reading = Reading::default();
    let mut limit: Option<Pin<Box<Sleep>>> = None;
    loop {
        let interest = {
            let mut state = connection.state();
            if let Err(error) = state.flush() {
                return error.to_string();
            }
            if let Some(why) = state.closing {
                return why.to_owned();
            }
            if state.is_behind() {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            }
        };
        let ready = tokio::select! {
            ready = link.ready(interest) => ready,
            () = connection.changed.notified() => continue,
            () = expire(&mut limit) => return "a message took too long to arrive".to_owned(),
        };
        match ready {
            Ok(ready) if ready.is_readable() || ready.is_read_closed() => {}
            Ok(_) => continue,
            Err(error) => return error.to_string(),
        }
        let (found, end) = reading.read(connection, link, settings);
        if !found.is_empty() {
            limit = None;
        }
        for incoming in found {
            if to_driver.send(FromTask::Incoming(incoming)).await.is_err() {
                return "the service ends".to_owned();
            }
        }
        if let Some(why) = end {
            return why;
        }
        limit = match (reading.is_inside_message(), limit) {
            (true, None) => Some(Box::pin(tokio::time::sleep(settings.whole_message))),
            (true, running) => running,
            (false, _) => None,
        };
    }
}

async fn expire(limit: &mut Option<Pin<Box<Sleep>>>) {
    match limit {
        Some(limit) => limit.as_mut().await,
        None => std::future::pending().await,
    }
}

/// What was read of a stream. Takes room only while part of a message is there.
#[derive(Default)]
struct Reading {
    reader: Option<Box<StreamReader>>,
    crlf_count: usize,
}

/// How often a connection reads before others have their turn.
const READS: usize = 8;

impl Reading {
    fn is_inside_message(&self) -> bool {
        self.reader.is_some()
    }

    /// Reads what there is. Gives what it makes, and why the connection is over if it is.
    fn read(
        &mut self,
        connection: &Connection,
        link: &Link,
        settings: &DriverSettings,
    ) -> (Vec<Incoming>, Option<String>) {
        let mut found = Vec::new();
        // On the stack of the thread, for no longer than this takes: idle connections have none.
        let mut buffer = [0; 8192];
        for _ in 0..READS {
            match link.try_read(&mut buffer) {
                Ok(0) => return (found, Some("closed by the far end".to_owned())),
                Ok(length) => {
                    let chunk = &buffer[..length];
                    if let Some(why) = self.cut(chunk, connection, settings, &mut found) {
                        return (found, Some(why));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return (found, Some(error.to_string())),
            }
        }
        (found, None)
    }

    fn cut(
        &mut self,
        chunk: &[u8],
        connection: &Connection,
        settings: &DriverSettings,
        found: &mut Vec<Incoming>,
    ) -> Option<String> {
        let flow = connection.flow;
        let mut reader =
            self.reader.take().unwrap_or_else(|| Box::new(StreamReader::new(&settings.limits)));
        reader.feed(chunk);
        let before = found.len();
        while let Some(message) = reader.next_message() {
            match message {
                Ok(message) => found.push(Incoming::Message { flow, message }),
                Err(broken) if broken.is_framing_lost => {
                    // Said here, since the connection does not outlive it.
                    if let Some(refusal) = broken.fault.refusal(&broken.bytes) {
                        connection.send(refusal, settings.send_bytes);
                    }
                    return Some(broken.fault.what);
                }
                Err(broken) => found.push(Incoming::Malformed {
                    flow,
                    bytes: broken.bytes,
                    fault: broken.fault,
                }),
            }
        }
        let is_message = found.len() > before;
        let pings = self.count_pings(reader.take_crlf_count(), is_message);
        {
            let mut state = connection.state();
            state.active = Instant::now();
            state.is_proven |= is_message;
        }
        for _ in 0..pings {
            connection.send(Bytes::from_static(b"\r\n"), settings.send_bytes);
        }
        self.reader = reader.is_inside_message().then_some(reader);
        None
    }

    /// How many pings are complete: each is two CRLF and wants one back (RFC 5626 §4.4.1). More
    /// than a few at once are no keep-alive, and are answered as one.
    fn count_pings(&mut self, crlf_count: usize, is_message: bool) -> usize {
        if is_message {
            self.crlf_count = 0;
            return crlf_count.checked_div(2).unwrap_or_default().min(1);
        }
        self.crlf_count += crlf_count;
        let pings = (self.crlf_count / 2).min(1);
        self.crlf_count %= 2;
        pings
    }
}
