// SPDX-License-Identifier: GPL-3.0-or-later
//! An answer of our own, for a leg that must wait for its far end.

use bytes::Bytes;

use super::{end_line, is_media, lines, port, push_rejected};

/// The port named while no media is received (discard, as RFC 8840 does for the same purpose).
const NO_PORT: &[u8] = b"9";

/// An answer that takes every medium of the offer and lets none flow.
///
/// Plain and SDES-keyed RTP stay as offered, inactive, so that they can begin later without a new
/// negotiation of codecs. Anything that an address of nowhere cannot answer (DTLS, T.38, screens)
/// is rejected; the re-INVITE that brings the far end offers it again.
#[must_use]
pub fn inactive_answer_to(offer: &[u8], session: u64) -> Bytes {
    let v6 = lines(offer).any(|line| line.starts_with(b"c=IN IP6"));
    let nowhere = if v6 { "IN IP6 ::" } else { "IN IP4 0.0.0.0" };
    let head =
        format!("v=0\r\no=sipwitch {session} 1 {nowhere}\r\ns=-\r\nc={nowhere}\r\nt=0 0\r\n");
    let mut out = Vec::with_capacity(head.len() + offer.len());
    out.extend_from_slice(head.as_bytes());
    let mut taken = false;
    let mut keyed = false;
    for line in lines(offer) {
        if is_media(line) {
            if taken {
                out.extend_from_slice(b"a=inactive\r\n");
            }
            taken = is_plain(line) && port(line) != 0;
            keyed = false;
            if taken {
                push_media(&mut out, line);
            } else {
                push_rejected(&mut out, line);
            }
        } else if taken && (line.starts_with(b"a=rtpmap:") || line.starts_with(b"a=fmtp:")) {
            out.extend_from_slice(line);
            end_line(&mut out);
        } else if taken && !keyed && line.starts_with(b"a=crypto:") {
            // An SDES medium must name a key (RFC 4568 §5.1.2). No media flows under it, and its
            // owner alone gets to see it again.
            keyed = true;
            out.extend_from_slice(line);
            end_line(&mut out);
        }
    }
    if taken {
        out.extend_from_slice(b"a=inactive\r\n");
    }
    out.into()
}

/// Whether the medium is RTP that needs no handshake.
fn is_plain(media: &[u8]) -> bool {
    let protocol = media.split(|&byte| byte == b' ').nth(2).unwrap_or_default();
    [&b"RTP/AVP"[..], b"RTP/AVPF", b"RTP/SAVP", b"RTP/SAVPF"].contains(&protocol.trim_ascii_end())
}

fn push_media(out: &mut Vec<u8>, media: &[u8]) {
    for (at, word) in media.trim_ascii_end().split(|&byte| byte == b' ').enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(if at == 1 { NO_PORT } else { word });
    }
    out.extend_from_slice(b"\r\n");
}
