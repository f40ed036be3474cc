// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::*;

const PHONE: &str = "v=0\r\no=alice 100 7 IN IP4 10.0.0.1\r\ns=call\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
    a=zrtp-hash:1.10 abc\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\na=sendrecv\r\na=x-unknown:  kept \r\nm=video 4002 RTP/SAVP 96\r\n\
    a=rtpmap:96 VP8/90000\r\na=crypto:1 A inline:k1\r\na=crypto:2 B inline:k2\r\na=sendonly\r\n";

fn sdp(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn text(sdp: &Bytes) -> &str {
    std::str::from_utf8(sdp).unwrap()
}

#[test]
fn the_direction_is_that_of_the_media_in_use() {
    for (text, direction) in [
        ("m=audio 1 RTP/AVP 0\r\n", Direction::SendRecv),
        ("m=audio 1 RTP/AVP 0\r\na=sendonly\r\n", Direction::SendOnly),
        ("a=inactive\r\nm=audio 1 RTP/AVP 0\r\n", Direction::Inactive),
        ("a=inactive\r\nm=audio 1 RTP/AVP 0\r\na=recvonly\n", Direction::RecvOnly),
        ("m=audio 1 RTP/AVP 0\r\na=inactive\r\nm=video 0 RTP/AVP 96\r\n", Direction::Inactive),
        (
            "m=audio 1 RTP/AVP 0\r\na=sendonly\r\nm=video 5 RTP/AVP 96\r\na=recvonly\r\n",
            Direction::SendRecv,
        ),
        ("c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n", Direction::SendOnly),
        ("c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\n", Direction::SendRecv),
        ("m=audio 49170/2 RTP/AVP 0", Direction::SendRecv),
        ("", Direction::Inactive),
    ] {
        assert_eq!(super::direction(text.as_bytes()), direction, "{text}");
    }
}

#[test]
fn another_direction_leaves_everything_else_as_it_was() {
    let held = with_direction(&sdp(PHONE), Direction::Inactive);
    assert_eq!(direction(&held), Direction::Inactive);
    assert_eq!(text(&held).matches("a=inactive\r\n").count(), 2);
    let others = |text: &str| {
        let lines = text.lines().filter(|line| Direction::of_attribute(line.as_bytes()).is_none());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(others(text(&held)), others(PHONE));
}

#[test]
fn a_continuation_by_the_same_far_end_passes_byte_for_byte() {
    let before = sdp(PHONE);
    let later = sdp(&PHONE.replace("100 7", "100 8").replace("4000", "4100"));
    assert_eq!(continued(&later, Some(&before)), later);
    assert_eq!(continued(&before, Some(&before)), before);
    assert_eq!(continued(&later, None), later);
}

#[test]
fn another_far_end_takes_on_the_origin_and_the_next_version() {
    let before = sdp(PHONE);
    let other = sdp("v=0\r\no=bob 5 900 IN IP6 ::1\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n");
    assert_eq!(
        text(&continued(&other, Some(&before))),
        "v=0\r\no=alice 100 8 IN IP4 10.0.0.1\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n"
    );
    // Back to the first far end: its own version is behind by now.
    let now = continued(&other, Some(&before));
    assert!(text(&continued(&before, Some(&now))).contains("o=alice 100 9 IN IP4 10.0.0.1\r\n"));
}

#[test]
fn the_version_stays_where_nothing_but_the_origin_differs() {
    let before = sdp("v=0\r\no=a 1 4 IN IP4 1.1.1.1\r\ns=-\r\n");
    let same = sdp("v=0\r\no=b 2 9 IN IP4 2.2.2.2\r\ns=-\r\n");
    assert_eq!(continued(&same, Some(&before)), before);
}

#[test]
fn an_inactive_answer_takes_plain_media_and_rejects_the_rest() {
    let offer = format!(
        "{PHONE}m=application 5 UDP/DTLS/SCTP x\r\na=sctp-port:5\r\nm=image 0 udptl t38\r\n"
    );
    assert_eq!(
        text(&inactive_answer_to(offer.as_bytes(), 42)),
        "v=0\r\no=sipwitch 42 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
         m=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=inactive\r\nm=video 9 RTP/SAVP 96\r\na=rtpmap:96 VP8/90000\r\n\
         a=crypto:1 A inline:k1\r\na=inactive\r\nm=application 0 UDP/DTLS/SCTP x\r\n\
         m=image 0 udptl t38\r\n"
    );
}

#[test]
fn media_are_padded_with_rejected_ones_and_cut_from_the_end() {
    let one = sdp("v=0\r\nm=audio 1 RTP/AVP 0");
    assert_eq!(
        text(&fitted(&one, 2, PHONE.as_bytes())),
        "v=0\r\nm=audio 1 RTP/AVP 0\r\nm=video 0 RTP/SAVP 96\r\n"
    );
    let cut = fitted(&sdp(PHONE), 1, b"");
    assert!(text(&cut).ends_with("a=x-unknown:  kept \r\n"));
    assert_eq!(fitted(&one, 1, b""), one);
}

#[test]
fn a_new_port_address_or_key_is_another_place_and_a_codec_is_not() {
    assert!(same_places(PHONE.as_bytes(), PHONE.replace("0 101", "0").as_bytes()));
    assert!(same_places(PHONE.as_bytes(), PHONE.replace("100 7", "100 8").as_bytes()));
    for (from, to) in [("4000", "4010"), ("c=IN IP4 10.0.0.1", "c=IN IP4 10.0.0.2"), ("k1", "k9")] {
        assert!(!same_places(PHONE.as_bytes(), PHONE.replace(from, to).as_bytes()), "{from}");
    }
}

/// Lines such as descriptions have, in any order, and bytes that none has.
fn any_description() -> impl Strategy<Value = Bytes> {
    let line = prop_oneof![
        Just("v=0".to_owned()),
        "o=[a-z]{1,3} [0-9]{1,3} [0-9]{1,22} IN IP4 [0-9.]{1,4}",
        "c=IN IP[46] [0-9.:]{1,7}",
        "m=(audio|video) [0-9]{1,6} (RTP/AVP|RTP/SAVP|UDP/TLS/RTP/SAVPF) [0-9]{1,3}",
        "a=(sendrecv|sendonly|recvonly|inactive|crypto:1 x|rtpmap:0 PCMU/8000)",
        "\\PC{0,10}",
    ];
    let end = prop_oneof![8 => Just("\r\n"), 2 => Just("\n"), 1 => Just("")];
    prop_oneof![
        9 => prop::collection::vec((line, end), 0..16).prop_map(|lines| {
            lines.into_iter().map(|(line, end)| line + end).collect::<String>().into()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from),
    ]
}

proptest! {
    #[test]
    fn edits_keep_the_number_of_media(one in any_description(), other in any_description()) {
        let count = media_count(&one);
        prop_assert_eq!(media_count(&with_direction(&one, Direction::SendRecv)), count);
        prop_assert_eq!(media_count(&continued(&one, Some(&other))), count);
        prop_assert_eq!(media_count(&inactive_answer_to(&one, 1)), count);
        let wanted = media_count(&other);
        prop_assert_eq!(media_count(&fitted(&one, wanted, &other)), wanted);
    }

    #[test]
    fn a_direction_given_is_the_direction_found(one in any_description()) {
        let held = with_direction(&one, Direction::Inactive);
        prop_assert_eq!(direction(&held), Direction::Inactive);
        prop_assert_eq!(with_direction(&held, Direction::Inactive), held.clone());
        prop_assert_eq!(direction(&inactive_answer_to(&one, 1)), Direction::Inactive);
    }

    #[test]
    fn a_continuation_continues_itself(one in any_description(), other in any_description()) {
        let first = continued(&one, Some(&other));
        prop_assert_eq!(continued(&first, Some(&first)), first.clone());
        let back = continued(&other, Some(&first));
        let again = continued(&one, Some(&back));
        // Whatever the order, the number of lines is that of what is described.
        prop_assert_eq!(lines(&again).count(), lines(&one).count());
    }
}
