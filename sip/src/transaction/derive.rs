// SPDX-License-Identifier: GPL-3.0-or-later
//! The requests that follow from a request of ours: CANCEL (RFC 3261 §9.1) and the ACK to a refusal
//! (§17.1.1.3). They are made from its bytes, which are ours: one line to a field, names in their
//! usual spelling.

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::{Name, Response, name};

/// The ACK to a refusal of this INVITE.
pub(super) fn ack_of(invite: &Bytes, refusal: &Response) -> Bytes {
    let to = refusal.headers().value(&name::TO);
    derive(invite, b"ACK", to.as_deref(), &[])
}

/// The CANCEL of this INVITE.
pub(super) fn cancel_of(invite: &Bytes, fields: &[(Name, Bytes)]) -> Bytes {
    derive(invite, b"CANCEL", None, fields)
}

fn derive(invite: &[u8], method: &[u8], to: Option<&[u8]>, fields: &[(Name, Bytes)]) -> Bytes {
    let mut lines = invite.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let start = lines.next().unwrap_or_default();
    let uri = start.iter().position(|&byte| byte == b' ').map_or(start, |at| &start[at..]);
    let mut out = BytesMut::with_capacity(512);
    out.put_slice(method);
    out.put_slice(uri);
    out.put_slice(b"\r\n");
    let mut has_via = false;
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (spelled, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let value = match spelled {
            b"Via" if has_via => continue,
            b"Via" => {
                has_via = true;
                value
            }
            b"To" => to.unwrap_or(value),
            b"CSeq" => {
                let number = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
                put(&mut out, spelled, &[number, b" ", method].concat());
                continue;
            }
            b"From" | b"Call-ID" | b"Max-Forwards" | b"Route" => value,
            _ => continue,
        };
        put(&mut out, spelled, value);
    }
    for (name, value) in fields {
        put(&mut out, name.as_bytes(), value);
    }
    out.put_slice(b"Content-Length: 0\r\n\r\n");
    out.freeze()
}

fn put(out: &mut BytesMut, name: &[u8], value: &[u8]) {
    out.put_slice(name);
    out.put_slice(b": ");
    // Whatever a far end put into its To, and whatever a field's maker did, stays on one line.
    out.extend(value.iter().map(|byte| match byte {
        b'\r' | b'\n' | 0 => b' ',
        byte => *byte,
    }));
    out.put_slice(b"\r\n");
}
