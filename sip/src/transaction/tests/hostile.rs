// SPDX-License-Identifier: GPL-3.0-or-later

use proptest::prelude::*;

use super::*;
use crate::wire::StreamReader;

const SOUND: &str = "INVITE sip:102@127.0.0.2;x=y SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [::1]:7;branch=z9hG4bK2\r\n\
    From: \"A \\\"B\" <sip:101@localhost>;tag=from\r\nTo: <sip:102@localhost>\r\n\
    Call-ID: call-1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

/// A sound message with some of it cut out, doubled or replaced.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let blow = (0..SOUND.len(), 0..20usize, prop::collection::vec(any::<u8>(), 0..12));
    prop::collection::vec(blow, 0..6).prop_map(|blows| {
        let mut text = SOUND.as_bytes().to_vec();
        for (at, length, new) in blows {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, new);
        }
        text
    })
}

proptest! {
    #[test]
    fn whatever_arrives_the_table_stands_and_gives_all_back(
        messages in prop::collection::vec(damaged(), 1..8),
    ) {
        let mut wire = pair(1);
        wire.engine(CALLEE).answers = vec![180, 486];
        let flow = wire.flow(Transport::Udp, CALLEE, CALLER);
        for message in messages {
            wire.inject(flow, CALLEE, message);
            wire.settle();
        }
        wire.run_for(seconds(100));
        prop_assert!(wire.engine(CALLEE).table.is_empty());
        prop_assert_eq!(wire.engine(CALLEE).table.next_deadline(), None);
    }

    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        messages in prop::collection::vec(damaged(), 1..4),
        sizes in prop::collection::vec(1..90usize, 1..8),
    ) {
        let stream = messages.concat();
        let read = |sizes: &[usize]| {
            let mut reader = StreamReader::new(&Limits::default());
            let (mut rest, mut found) = (&stream[..], Vec::new());
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                rest = after;
                reader.feed(chunk);
                while let Some(message) = reader.next_message() {
                    let is_lost = message.as_ref().is_err_and(|broken| broken.is_framing_lost);
                    found.push(message.map(|_| ()).map_err(|broken| broken.fault));
                    if is_lost {
                        return found;
                    }
                }
            }
            found
        };
        prop_assert_eq!(read(&sizes), read(&[stream.len().max(1)]));
    }
}
