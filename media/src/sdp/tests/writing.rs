// SPDX-License-Identifier: GPL-3.0-or-later
//! What we write.

use super::*;

fn origin() -> Origin {
    let host = Host::Ip([127, 0, 0, 1].into());
    Origin { user: "-".to_owned(), session: 7, version: 1, host }
}

fn audio() -> Stream {
    let mut stream = Stream::new(Kind::Audio, "RTP/AVP", "127.0.0.1:4000".parse().unwrap());
    stream.codecs = vec![Codec::new(8, "PCMA", 8000)];
    stream
}

fn written(stream: Stream) -> Result<String, Fault> {
    let bytes = Description::compose(&origin(), &[stream])?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).expect("text"))
}

#[test]
fn an_offer_of_two_streams_is_written_as_the_standard_orders() {
    let mut sound = audio();
    let events = ("events".to_owned(), "0-15".to_owned());
    sound
        .codecs
        .push(Codec { parameters: vec![events], ..Codec::new(101, "telephone-event", 8000) });
    sound.packet_ms = Some(20);
    let mut film = Stream::new(Kind::Video, "RTP/AVPF", "[2001:db8::1]:5000".parse().unwrap());
    film.codecs = vec![Codec::new(96, "VP8", 90000)];
    film.direction = Direction::RecvOnly;
    film.rtcp = Some((None, 5005));
    film.ice = Some(Ice { ufrag: "u".to_owned(), pwd: "p".to_owned(), lite: true });
    let description = Description::compose(&origin(), &[sound, film]).expect("sound");
    let expected = "v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
        a=ice-lite\r\n\
        m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n\
        m=video 5000 RTP/AVPF 96\r\nc=IN IP6 2001:db8::1\r\na=rtcp:5005\r\na=ice-ufrag:u\r\n\
        a=ice-pwd:p\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n";
    assert_eq!(description.to_bytes(), expected);
    assert_eq!(description.origin(), Some(origin()));
}

#[test]
fn no_value_makes_a_line_of_its_own() {
    let evil = "x\r\na=crypto:1".to_owned();
    let spoil: [fn(&mut Stream, String); 12] = [
        |stream, evil| stream.codecs[0].name = evil,
        |stream, evil| stream.codecs[0].parameters = vec![(evil, String::new())],
        |stream, evil| stream.codecs[0].parameters = vec![("k".to_owned(), evil)],
        |stream, evil| stream.profile = evil,
        |stream, evil| stream.kind = Kind::Other(evil),
        |stream, evil| stream.host = Host::Name(evil),
        |stream, evil| stream.rtcp = Some((Some(Host::Name(evil)), 1)),
        |stream, evil| stream.others = vec![Attribute { name: evil, value: None }],
        |stream, evil| {
            stream.others = vec![Attribute { name: "x".to_owned(), value: Some(evil) }];
        },
        |stream, pwd| stream.ice = Some(Ice { ufrag: "u".to_owned(), pwd, lite: false }),
        |stream, kind| {
            stream.feedback =
                vec![Feedback { payload_type: None, kind, parameters: String::new() }];
        },
        |stream, name| stream.sources = vec![Source { ssrc: 1, name, value: None }],
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let mut stream = audio();
        spoil(&mut stream, evil.clone());
        assert!(matches!(written(stream), Err(Fault::Value(_))), "{number}");
    }
    let mut user = origin();
    user.user = evil;
    assert!(matches!(Description::compose(&user, &[]), Err(Fault::Value(_))));
}

#[test]
fn a_codec_that_could_not_be_read_again_is_refused() {
    for (payload_type, name, clock, channels) in [
        (128, "x", 8000, 1),
        (96, "", 8000, 1),
        (96, "a/b", 8000, 1),
        (96, "x", 0, 1),
        (96, "x", 1, 0),
    ] {
        let mut stream = audio();
        stream.codecs = vec![Codec { channels, ..Codec::new(payload_type, name, clock) }];
        assert!(written(stream).is_err(), "{payload_type} {name} {clock} {channels}");
    }
    let mut twice = audio();
    twice.codecs.push(Codec::new(8, "PCMU", 8000));
    assert_eq!(written(twice), Err(Fault::Value("a payload type with two meanings")));
    let mut none = audio();
    none.codecs.clear();
    assert!(written(none.clone()).is_err());
    none.port = 0;
    assert!(written(none).expect("a rejected medium").contains("m=audio 0 RTP/AVP 0\r\n"));
}

#[test]
fn more_than_could_be_read_is_not_written() {
    let mut stream = audio();
    let note = Attribute { name: "x".to_owned(), value: Some("y".repeat(60)) };
    stream.others = vec![note.clone(); MAX_LINES];
    assert_eq!(written(stream.clone()), Err(Fault::TooMany("lines")));
    stream.others = vec![Attribute { value: Some("y".repeat(MAX_BYTES)), ..note }];
    assert!(matches!(written(stream), Err(Fault::TooLong(_))));
}

#[test]
fn an_answer_takes_the_numbers_of_the_offer_and_our_parameters() {
    let offered =
        [Codec::new(111, "OPUS", 48000), Codec::new(0, "PCMU", 8000), Codec::new(9, "G722", 8000)];
    let mut opus = Codec::new(96, "opus", 48000);
    opus.parameters = vec![("useinbandfec".to_owned(), "1".to_owned())];
    let own = [Codec::new(9, "G722", 16000), Codec::new(0, "PCMU", 8000), opus.clone()];
    let answer = codec::common(&offered, &own);
    assert_eq!(answer.len(), 2);
    assert_eq!((answer[0].payload_type, &answer[0].parameters), (111, &opus.parameters));
    assert_eq!(answer[1], offered[1]);
}

#[test]
fn a_refused_medium_keeps_its_place_and_its_formats() {
    let offer = described(&["m=image 4000/2 udptl t38", "a=T38FaxVersion:0"]);
    let offer = Description::parse(offer.as_bytes()).expect("a description");
    let mut answer = Description::compose(&origin(), &[audio()]).expect("sound");
    answer.push(offer.media()[0].rejected()).expect("room");
    assert!(answer.to_bytes().ends_with(b"m=image 0 udptl t38\r\n"));
    assert!(answer.streams().nth(1).expect("a medium").is_rejected());
}

#[test]
fn a_relay_is_led_to_and_everything_else_is_untouched() {
    let offer = described(&[
        "m=audio 49170 RTP/SAVP 0",
        "i=sound",
        "b=AS:64",
        "c=IN IP4 198.51.100.1",
        "a=rtcp:49180",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
        "a=candidate:1 1 UDP 1 198.51.100.1 1 typ host",
        "a=ice-ufrag:u",
        "a=rtcp-mux",
        "a=zrtp-hash:1.10 fe",
        "m=audio 0 RTP/AVP 0",
    ]);
    let mut description = Description::parse(offer.as_bytes()).expect("a description");
    let (rtp, rtcp) = ("127.0.0.1:6000".parse().unwrap(), "127.0.0.1:6001".parse().unwrap());
    assert!(description.redirect(0, rtp, rtcp));
    assert!(!description.redirect(1, rtp, rtcp), "rejected");
    assert!(!description.redirect(2, rtp, rtcp), "not there");
    let expected = described(&[
        "m=audio 6000 RTP/SAVP 0",
        "i=sound",
        "c=IN IP4 127.0.0.1",
        "b=AS:64",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
        "a=rtcp-mux",
        "a=zrtp-hash:1.10 fe",
        "m=audio 0 RTP/AVP 0",
    ]);
    assert_eq!(description.to_bytes(), expected.as_bytes());
    let apart = "[::1]:7000".parse().unwrap();
    assert!(description.redirect(0, rtp, apart));
    let stream = description.streams().next().expect("a medium");
    assert_eq!((stream.rtp_address(), stream.rtcp_address()), (Some(rtp), Some(apart)));
    assert_eq!(stream.ice, None);
}
