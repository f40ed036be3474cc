// SPDX-License-Identifier: GPL-3.0-or-later
//! The speech of a simulated phone: RTP with G.711 silence.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::Result;

/// One RTP socket.
#[derive(Debug)]
pub struct Speech {
    socket: UdpSocket,
    sequence: u16,
    sent: u32,
    received: u32,
}

impl Speech {
    /// Opens a socket on an address of ours.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(at: IpAddr) -> Result<Self> {
        let socket = UdpSocket::bind((at, 0)).map_err(|e| format!("bind {at}: {e}"))?;
        Ok(Self { socket, sequence: 0, sent: 0, received: 0 })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local(&self) -> Result<SocketAddr> {
        self.socket.local_addr().map_err(|e| e.to_string())
    }

    /// A session description that offers G.711 on this socket.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn sdp(&self) -> Result<Vec<u8>> {
        let at = self.local()?;
        let family = if at.is_ipv4() { "IP4" } else { "IP6" };
        Ok(format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n",
            ip = at.ip(),
            port = at.port()
        )
        .into_bytes())
    }

    /// Where the other side of a call wants its speech: the first audio line of its description.
    #[must_use]
    pub fn target(sdp: &str) -> Option<SocketAddr> {
        let ip: IpAddr =
            sdp.lines().find_map(|l| l.strip_prefix("c=IN IP"))?.get(2..)?.trim().parse().ok()?;
        let port = sdp
            .lines()
            .find_map(|l| l.strip_prefix("m=audio "))?
            .split(' ')
            .next()?
            .parse()
            .ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// Sends one frame of 20 ms of silence.
    ///
    /// # Errors
    /// The socket refuses.
    pub fn send_silence(&mut self, to: SocketAddr) -> Result<()> {
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        packet.extend_from_slice(&0x5150_5150_u32.to_be_bytes());
        packet.extend_from_slice(&[0xff; 160]);
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send_to(&packet, to).map_err(|e| format!("RTP to {to}: {e}"))?;
        self.sent += 1;
        Ok(())
    }

    /// Counts packets until as many have come, and says from where the last one came.
    ///
    /// # Errors
    /// The deadline passed first.
    pub fn hear(&mut self, packets: u32, within: Duration) -> Result<SocketAddr> {
        self.listen(packets, within, false)
    }

    /// As [`hear`](Self::hear), and sends each packet back to where it came from.
    ///
    /// # Errors
    /// The deadline passed first.
    pub fn echo(&mut self, packets: u32, within: Duration) -> Result<SocketAddr> {
        self.listen(packets, within, true)
    }

    fn listen(&mut self, packets: u32, within: Duration, echo: bool) -> Result<SocketAddr> {
        let deadline = Instant::now() + within;
        let mut buffer = [0; 2048];
        let mut heard = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("heard {heard} RTP packets of {packets}"));
            }
            self.socket.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else { continue };
            if length < 12 || buffer[0] >> 6 != 2 {
                continue;
            }
            self.received += 1;
            heard += 1;
            if echo {
                self.socket.send_to(&buffer[..length], from).map_err(|e| e.to_string())?;
                self.sent += 1;
            }
            if heard == packets {
                return Ok(from);
            }
        }
    }

    /// How many packets were sent and received.
    #[must_use]
    pub fn counts(&self) -> (u32, u32) {
        (self.sent, self.received)
    }
}
