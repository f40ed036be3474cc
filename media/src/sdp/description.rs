// SPDX-License-Identifier: GPL-3.0-or-later
//! A whole description, line by line.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use super::line::{Line, first, values};
use super::medium::ICE;
use super::{Fault, Host, MAX_BYTES, MAX_LINES, MAX_MEDIA, Medium, Stream, word};

/// Who made a description, and which of theirs it is (RFC 8866 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// A user name, `-` without one.
    pub user: String,
    /// Tells this session from all others of the user and host.
    pub session: u64,
    /// Goes up by one with every change of the description within a dialog (RFC 3264 §8).
    pub version: u64,
    /// The host it was made on.
    pub host: Host,
}

impl Origin {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        let user = words.next()?.to_owned();
        let (session, version) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let host = Host::of_connection(words.next()?)?;
        Some(Self { user, session, version, host })
    }

    fn line(&self) -> Result<Line, Fault> {
        let Self { user, session, version, host } = self;
        let user = word(user, "the user of an origin")?;
        Ok(Line::new('o', &format!("{user} {session} {version} {}", host.connection()?)))
    }
}

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    session: Vec<Line>,
    media: Vec<Medium>,
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// If it is none, or beyond the bounds of [`super`].
    pub fn parse(sdp: &[u8]) -> Result<Self, Fault> {
        if sdp.len() > MAX_BYTES {
            return Err(Fault::TooLong(sdp.len()));
        }
        let mut rest = Bytes::copy_from_slice(sdp);
        let mut description = Self { session: Vec::new(), media: Vec::new() };
        let mut begun = false;
        for number in 1.. {
            if rest.is_empty() {
                break;
            }
            if number > MAX_LINES {
                return Err(Fault::TooMany("lines"));
            }
            let line = Line::take(&mut rest);
            if line.is_blank() {
                // Peers that end with an empty line, or begin with one.
            } else if !begun {
                if !line.is(b'v') || line.text() != Some("0") {
                    return Err(Fault::Version);
                }
                begun = true;
            } else if line.is(b'm') {
                if description.media.len() == MAX_MEDIA {
                    return Err(Fault::TooMany("media"));
                }
                description.media.push(Medium::of_line(line).ok_or(Fault::Medium(number))?);
                continue;
            } else if line.kind().is_none() {
                return Err(Fault::Line(number));
            }
            match description.media.last_mut() {
                Some(medium) => medium.lines.push(line),
                None => description.session.push(line),
            }
        }
        if begun { Ok(description) } else { Err(Fault::Version) }
    }

    /// A description of these streams.
    ///
    /// # Errors
    /// If a value holds what no line of a description can hold, or there are too many.
    pub fn compose(origin: &Origin, streams: &[Stream]) -> Result<Self, Fault> {
        let host = streams.first().map_or(&origin.host, |stream| &stream.host);
        let session = vec![
            Line::new('v', "0"),
            origin.line()?,
            Line::new('s', "-"),
            // Once for all, as gateways exist that look nowhere else.
            Line::new('c', &host.connection()?),
            Line::new('t', "0 0"),
        ];
        let mut description = Self { session, media: Vec::new() };
        if streams.iter().any(|stream| stream.ice.as_ref().is_some_and(|ice| ice.lite)) {
            description.session.push(Line::new('a', "ice-lite"));
        }
        for stream in streams {
            description.push(stream.to_medium(host)?)?;
        }
        description.check()?;
        Ok(description)
    }

    /// Adds a medium, such as one that is [rejected](Medium::rejected).
    ///
    /// # Errors
    /// If there are as many as may be.
    pub fn push(&mut self, medium: Medium) -> Result<(), Fault> {
        if self.media.len() == MAX_MEDIA {
            return Err(Fault::TooMany("media"));
        }
        self.media.push(medium);
        Ok(())
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.session.iter().chain(self.media.iter().flat_map(|medium| &medium.lines))
    }

    /// What we write we could read.
    fn check(&self) -> Result<(), Fault> {
        if self.lines().count() > MAX_LINES {
            return Err(Fault::TooMany("lines"));
        }
        let bytes = self.lines().map(Line::len).sum();
        if bytes > MAX_BYTES { Err(Fault::TooLong(bytes)) } else { Ok(()) }
    }

    /// The description as it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.lines().map(Line::len).sum());
        let mut lines = self.lines().peekable();
        while let Some(line) = lines.next() {
            line.write(lines.peek().is_none(), &mut bytes);
        }
        bytes.freeze()
    }

    /// Who made it, if that can be read.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        first(&self.session, b'o').and_then(Origin::read)
    }

    /// Where all media are wanted that do not say otherwise.
    #[must_use]
    pub fn connection(&self) -> Option<Host> {
        first(&self.session, b'c').and_then(Host::of_connection)
    }

    /// The values of this attribute of the session, in order; empty where it has none.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.session, name)
    }

    /// The media in order, rejected ones included.
    #[must_use]
    pub fn media(&self) -> &[Medium] {
        &self.media
    }

    /// What the media say, in order.
    pub fn streams(&self) -> impl Iterator<Item = Stream> {
        self.media.iter().map(|medium| Stream::read(self, medium))
    }

    /// Has the far end send the medium of this place to a relay, `rtp` and `rtcp`, and leads it
    /// nowhere else: the candidates of the medium and of the session go. All else stays byte for
    /// byte; false if there is no such medium, or it is rejected.
    pub fn redirect(&mut self, medium: usize, rtp: SocketAddr, rtcp: SocketAddr) -> bool {
        let Some(medium) = self.media.get_mut(medium).filter(|medium| medium.port() != 0) else {
            return false;
        };
        self.session.retain(|line| !line.is_attribute(ICE));
        medium.redirect(rtp, rtcp);
        true
    }
}
