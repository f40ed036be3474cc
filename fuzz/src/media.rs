// SPDX-License-Identifier: GPL-3.0-or-later
//! What strangers say of the media they want.

use std::net::SocketAddr;

use sipwitch_media::sdp::{Description, Host, Origin, Stream};

/// A description comes out as it went in, and what we make of it can be read by ourselves.
pub fn description(data: &[u8]) {
    let Ok(mut description) = Description::parse(data) else { return };
    assert_eq!(description.to_bytes(), data);
    let streams: Vec<Stream> = description.streams().collect();
    let origin = description.origin().unwrap_or_else(|| Origin {
        user: "-".to_owned(),
        session: 1,
        version: 1,
        host: Host::default(),
    });
    if let Ok(written) = Description::compose(&origin, &streams) {
        let again = Description::parse(&written.to_bytes()).expect("our own description");
        assert_eq!(again.origin(), Some(origin));
        // One that is rejected without a codec gets one, since there must be a format.
        let codecs = |streams: &[Stream]| -> Vec<_> {
            let used = streams.iter().filter(|stream| !stream.is_rejected());
            used.map(|stream| stream.codecs.clone()).collect()
        };
        assert_eq!(codecs(&again.streams().collect::<Vec<_>>()), codecs(&streams));
    }
    let rtp = SocketAddr::from(([127, 0, 0, 1], 4000));
    for medium in 0..streams.len() {
        let led_away = description.redirect(medium, rtp, SocketAddr::from(([127, 0, 0, 1], 4001)));
        assert_eq!(led_away, !streams[medium].is_rejected());
    }
    let again = Description::parse(&description.to_bytes());
    // An `a=rtcp` or `c=` more may be a line too many; all else is as it was.
    let Ok(again) = again else { return };
    for (stream, before) in again.streams().zip(&streams) {
        if !before.is_rejected() {
            assert_eq!(stream.rtp_address(), Some(rtp));
            assert!(stream.candidates.is_empty() && stream.ice.is_none());
        }
        assert_eq!(stream.codecs, before.codecs);
    }
}
