// SPDX-License-Identifier: GPL-3.0-or-later
//! The `o=` line: within one dialog the origin stays, and its version rises with every change
//! (RFC 3264 §8).

use bytes::Bytes;

use super::lines;

/// The parts of `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <address>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin<'a> {
    user: &'a [u8],
    session: &'a [u8],
    version: u64,
    place: [&'a [u8]; 3],
}

fn origin(sdp: &[u8]) -> Option<Origin<'_>> {
    let line =
        lines(sdp).take_while(|line| !line.starts_with(b"m=")).find(|l| l.starts_with(b"o="))?;
    let mut words = line[2..].trim_ascii().split(|&byte| byte == b' ').filter(|w| !w.is_empty());
    let user = words.next()?;
    let session = words.next()?;
    let version = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let place = [words.next()?, words.next()?, words.next()?];
    Some(Origin { user, session, version, place })
}

/// The description as the continuation of the one sent before in the same dialog.
///
/// Passes byte for byte when nothing was sent before, or when it continues that by itself, as it
/// does while one and the same far end describes itself. Otherwise it takes on the origin sent
/// before, and the next version if anything else differs.
#[must_use]
pub fn continued(sdp: &Bytes, before: Option<&Bytes>) -> Bytes {
    let Some(before) = before else { return sdp.clone() };
    if sdp == before {
        return sdp.clone();
    }
    let (Some(new), Some(old)) = (origin(sdp), origin(before)) else {
        // An origin that cannot be read is the business of whoever wrote it.
        return sdp.clone();
    };
    let same_place = (new.user, new.session, new.place) == (old.user, old.session, old.place);
    if same_place && new.version > old.version {
        return sdp.clone();
    }
    let unchanged = without_origin(sdp).eq(without_origin(before));
    let version = if unchanged { old.version } else { old.version.saturating_add(1) };
    let mut out = Vec::with_capacity(sdp.len() + 24);
    let mut done = false;
    for line in lines(sdp) {
        if done || !line.starts_with(b"o=") {
            out.extend_from_slice(line);
            continue;
        }
        done = true;
        out.extend_from_slice(b"o=");
        out.extend_from_slice(old.user);
        out.push(b' ');
        out.extend_from_slice(old.session);
        out.extend_from_slice(format!(" {version}").as_bytes());
        for word in old.place {
            out.push(b' ');
            out.extend_from_slice(word);
        }
        // The line's own ending.
        out.extend_from_slice(&line[line.trim_ascii_end().len()..]);
    }
    out.into()
}

fn without_origin(sdp: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(sdp).filter(|line| !line.starts_with(b"o="))
}
