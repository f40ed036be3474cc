// SPDX-License-Identifier: GPL-3.0-or-later
//! What others write.

use super::*;

#[test]
fn a_plain_telephone_is_understood_whole() {
    let stream = only_stream(&described(&[
        "m=audio 49170 RTP/AVP 0 8 101 3",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 pcma/8000/1",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20.0",
        "a=maxptime:150",
        "a=silenceSupp:off - - - -",
        "a=sendonly",
    ]));
    assert_eq!(stream.kind, Kind::Audio);
    assert_eq!(stream.direction, Direction::SendOnly);
    assert_eq!((stream.packet_ms, stream.max_packet_ms), (Some(20), Some(150)));
    assert_eq!(stream.rtp_address(), Some("192.0.2.1:49170".parse().unwrap()));
    assert_eq!(stream.rtcp_address(), Some("192.0.2.1:49171".parse().unwrap()));
    let names: Vec<_> =
        stream.codecs.iter().map(|codec| (codec.payload_type, codec.name.as_str())).collect();
    assert_eq!(names, [(0, "PCMU"), (8, "pcma"), (101, "telephone-event"), (3, "GSM")]);
    assert_eq!(stream.codecs[2].parameters, [("events".to_owned(), "0-15".to_owned())]);
    assert_eq!(stream.others.len(), 1);
    assert_eq!(stream.others[0].name, "silenceSupp");
}

#[test]
fn a_browser_with_ice_and_feedback_is_understood_whole() {
    let sdp = "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n\
        a=ice-ufrag:session\r\na=ice-pwd:sessionsessionsessionsess\r\na=recvonly\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\nc=IN IP6 ::\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:F7gI\r\na=ice-pwd:x9cml/YzichV2+XlhiMu8g\r\n\
        a=fingerprint:sha-256 D2:FA\r\na=mid:0\r\n\
        a=extmap:3/sendonly urn:ietf:params:rtp-hdrext:toffset one two\r\na=rtcp-mux\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:* trr-int 100\r\n\
        a=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01f; packetization-mode=1;x\r\n\
        a=ssrc:2566107569 cname:t9YU8M1UxTF8Y1A1\r\n\
        a=candidate:1 1 UDP 2130706431 fe80::1 50000 typ host generation 0\r\n\
        a=candidate:2 2 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998\r\n\
        a=candidate:3 1 udp 1 4f3c.local 45664 typ host\r\na=end-of-candidates\r\n";
    let stream = only_stream(sdp);
    assert_eq!(stream.kind, Kind::Video);
    assert!(stream.has_feedback_profile() && stream.rtcp_mux && stream.end_of_candidates);
    assert_eq!(stream.direction, Direction::RecvOnly, "of the session");
    assert_eq!((stream.rtp_address(), stream.rtcp_address()), (None, None), "nowhere yet");
    // 98 has no meaning.
    assert_eq!(stream.codecs.len(), 2);
    let parameters = [("profile-level-id", "42e01f"), ("packetization-mode", "1"), ("x", "")];
    let parameters = parameters.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(stream.codecs[1].parameters, parameters);
    let ice = stream.ice.expect("credentials");
    assert_eq!((ice.ufrag.as_str(), ice.lite), ("F7gI", true));
    assert!(!format!("{ice:?}").contains("x9cml"), "{ice:?}");
    assert_eq!(stream.candidates.len(), 3);
    assert_eq!(stream.candidates[0].extensions, [("generation".to_owned(), "0".to_owned())]);
    assert_eq!(stream.candidates[1].kind, CandidateKind::ServerReflexive);
    assert_eq!(stream.candidates[1].related, Some((Host::Ip([10, 0, 1, 1].into()), 8998)));
    assert_eq!(stream.candidates[2].host, Host::Name("4f3c.local".to_owned()));
    assert_eq!(stream.feedback[0].payload_type, Some(96));
    assert_eq!(stream.feedback[1].payload_type, None);
    assert_eq!(stream.extensions[0].direction, Direction::SendOnly);
    assert_eq!(stream.extensions[0].parameters, "one two");
    assert_eq!(stream.sources[0].ssrc, 2_566_107_569);
    let others: Vec<_> = stream.others.iter().map(|other| other.name.as_str()).collect();
    assert_eq!(others, ["fingerprint", "mid"]);
}

#[test]
fn what_is_odd_is_kept_byte_for_byte() {
    for sdp in [
        &b"v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nm=audio 4000 RTP/AVP 0\na=rtpmap:0 PCMU/8000"[..],
        b"v=0\r\no=-\r\ns=J\xf6rg\r\nm=audio 4000 RTP/AVP 0 8 \r\na=x: y \r\nc=IN IP4 1.2.3.4\r\n",
        b"\r\nv=0\r\ny=0100\r\n\r\n",
        b"v=0\nm=audio 4000/2  RTP/AVP 0\r\n\r\n\n",
        b"v=0\r\na=one\rtwo\r\na=\xff\xfe\r\n",
    ] {
        let description = Description::parse(sdp).expect("a description");
        assert_eq!(description.to_bytes(), sdp);
    }
}

#[test]
fn what_is_none_is_refused_with_its_line() {
    let parse = |sdp: &str| Description::parse(sdp.as_bytes());
    assert_eq!(parse(""), Err(Fault::Version));
    assert_eq!(parse("\r\n\r\n"), Err(Fault::Version));
    assert_eq!(parse("v=1\r\n"), Err(Fault::Version));
    assert_eq!(parse("<xml>"), Err(Fault::Version));
    assert_eq!(parse("v=0\r\nhello\r\n"), Err(Fault::Line(2)));
    assert_eq!(parse("v=0\r\nm=audio 65536 RTP/AVP 0\r\n"), Err(Fault::Medium(2)));
    assert_eq!(parse("v=0\r\nm=audio 4000\r\n"), Err(Fault::Medium(2)));
    let formats = " 0".repeat(MAX_FORMATS + 1);
    assert_eq!(parse(&format!("v=0\nm=audio 1 RTP/AVP{formats}")), Err(Fault::Medium(2)));
    let lines = "a=x\n".repeat(MAX_LINES);
    assert_eq!(parse(&format!("v=0\n{lines}")), Err(Fault::TooMany("lines")));
    let media = "m=audio 1 RTP/AVP 0\n".repeat(MAX_MEDIA + 1);
    assert_eq!(parse(&format!("v=0\n{media}")), Err(Fault::TooMany("media")));
    let long = format!("v=0\na={}", "x".repeat(MAX_BYTES));
    assert_eq!(parse(&long), Err(Fault::TooLong(long.len())));
}

#[test]
fn the_hold_of_old_phones_is_a_direction() {
    let held = ["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"];
    let stream = only_stream(&described(&held));
    assert_eq!(stream.direction, Direction::SendOnly);
    assert_eq!(stream.rtp_address(), None);
    let inactive = ["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=recvonly"];
    assert_eq!(only_stream(&described(&inactive)).direction, Direction::Inactive);
}

#[test]
fn who_does_not_know_yet_where_he_is_does_not_hold() {
    let unplaced = ["m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0"];
    let stream = only_stream(&described(&unplaced));
    assert!(stream.is_unplaced());
    assert_eq!((stream.direction, stream.rtp_address()), (Direction::SendRecv, None));
    let elsewhere = only_stream(&described(&["m=audio 9 RTP/AVP 0", "c=IN IP4 192.0.2.1"]));
    assert!(!elsewhere.is_unplaced(), "somebody may have that port");
    assert!(Stream::unplaced(Kind::Audio, "RTP/AVP").is_unplaced());
}

#[test]
fn rtcp_is_where_the_peer_says() {
    for (line, rtcp) in [
        ("a=rtcp:53020", Some("192.0.2.1:53020")),
        ("a=rtcp:53020 IN IP6 2001:db8::1", Some("[2001:db8::1]:53020")),
        ("a=rtcp:0", None),
        ("a=rtcp:x", Some("192.0.2.1:4001")),
        ("a=rtcp:53020 IN IP4 pbx.example.org", None),
    ] {
        let stream = only_stream(&described(&["m=audio 4000 RTP/AVP 0", line]));
        let address = rtcp.map(|address| address.parse().expect("an address"));
        assert_eq!(stream.rtcp_address(), address, "{line}");
    }
    let last = only_stream(&described(&["m=audio 65535 RTP/AVP 0"]));
    assert_eq!(last.rtcp_address(), None);
}

#[test]
fn nonsense_in_one_attribute_costs_that_attribute() {
    let stream = only_stream(&described(&[
        "m=audio 4000 RTP/AVP 0 300 x 0 96",
        "a=rtpmap:96",
        "a=rtpmap:96 opus/0",
        "a=rtpmap:128 opus/48000",
        "a=fmtp:0",
        "a=ptime:-1",
        "a=rtcp-fb:300 nack",
        "a=extmap:one uri",
        "a=ssrc:-1 cname:x",
        "a=candidate:1 0 UDP 1 192.0.2.1 1 typ host",
        "a=candidate:1 1 UDP 1 192.0.2.1 1 typ magic",
        "a=candidate:1 1 UDP 1 !! 1 typ host",
        "a=candidate:",
        "c=IN",
    ]));
    assert_eq!(stream.codecs, [Codec::new(0, "PCMU", 8000)]);
    assert_eq!(stream.packet_ms, None);
    assert!(stream.feedback.is_empty() && stream.extensions.is_empty());
    assert!(stream.sources.is_empty() && stream.candidates.is_empty());
    assert_eq!(stream.rtp_address(), Some("192.0.2.1:4000".parse().unwrap()));
}

#[test]
fn parameters_of_every_shape_are_read() {
    for (name, text, expected) in [
        ("telephone-event", "0-11,16", &[("events", "0-11,16")][..]),
        ("opus", "useinbandfec=1; maxptime = 60 ;", &[("useinbandfec", "1"), ("maxptime", "60")]),
        ("H263", "CIF=1;F", &[("CIF", "1"), ("F", "")]),
        ("red", "0/5/100", &[("0/5/100", "")]),
        ("x", "some words of its own", &[("", "some words of its own")]),
        ("H264", "sprop-parameter-sets=Z0I=,aM4=", &[("sprop-parameter-sets", "Z0I=,aM4=")]),
        ("x", "   ", &[]),
        ("x", "=1; = ;;a=", &[("a", "")]),
    ] {
        let mut codec = Codec::new(96, name, 8000);
        codec.read_parameters(text);
        let found: Vec<_> =
            codec.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{name} {text}");
    }
}
