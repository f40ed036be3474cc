// SPDX-License-Identifier: GPL-3.0-or-later
//! What is written is read again, and what is read is written again.

use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9-]{0,11}"
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Host::Ip(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Host::Ip(octets.into())),
        "[a-z][a-z0-9]{0,8}\\.example".prop_map(Host::Name),
    ]
}

fn way() -> impl Strategy<Value = Direction> {
    (any::<bool>(), any::<bool>()).prop_map(|(sends, receives)| Direction::of(sends, receives))
}

fn codecs() -> impl Strategy<Value = Vec<Codec>> {
    let parameters = prop::collection::vec((name(), "[A-Za-z0-9,/+-]{1,9}"), 0..4);
    let codec = (name(), 1_u32..200_000, 1_u8..9, parameters);
    prop::collection::btree_map(0_u8..128, codec, 1..6).prop_map(|codecs| {
        let codec = |(payload_type, (name, clock_hz, channels, parameters))| Codec {
            payload_type,
            name,
            clock_hz,
            channels,
            parameters,
        };
        codecs.into_iter().map(codec).collect()
    })
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let kind = prop_oneof![
        Just(CandidateKind::Host),
        Just(CandidateKind::ServerReflexive),
        Just(CandidateKind::PeerReflexive),
        Just(CandidateKind::Relayed),
    ];
    let related = prop::option::of((host(), any::<u16>()));
    let extensions = prop::collection::vec((name(), name()), 0..3);
    (name(), 1_u16..=256, any::<u32>(), host(), any::<u16>(), kind, related, extensions).prop_map(
        |(foundation, component, priority, host, port, kind, related, mut extensions)| {
            extensions.retain(|(key, _)| !matches!(key.as_str(), "raddr" | "rport"));
            let transport = "UDP".to_owned();
            Candidate {
                foundation,
                component,
                transport,
                priority,
                host,
                port,
                kind,
                related,
                extensions,
            }
        },
    )
}

prop_compose! {
    fn notes()(
        feedback in prop::collection::vec((prop::option::of(0_u8..128), name(), name()), 0..3),
        extensions in prop::collection::vec((any::<u16>(), way(), name(), "[a-z]{0,5}"), 0..3),
        sources in prop::collection::vec((any::<u32>(), name(), prop::option::of(name())), 0..3),
        others in prop::collection::vec((name(), prop::option::of("[!-~]{1,9}")), 0..4),
    ) -> (Vec<Feedback>, Vec<HeaderExtension>, Vec<Source>, Vec<Attribute>) {
        let feedback = feedback.into_iter().map(|(payload_type, kind, parameters)| {
            Feedback { payload_type, kind, parameters }
        });
        let extensions = extensions.into_iter().map(|(id, direction, uri, parameters)| {
            HeaderExtension { id, direction, uri, parameters }
        });
        let sources = sources.into_iter().map(|(ssrc, name, value)| Source { ssrc, name, value });
        let others = others.into_iter().map(|(name, value)| Attribute {
            // So that it is none of those that mean something.
            name: format!("x-{name}"),
            value,
        });
        (feedback.collect(), extensions.collect(), sources.collect(), others.collect())
    }
}

prop_compose! {
    fn stream()(
        kind in prop_oneof![Just(Kind::Audio), Just(Kind::Video), Just(Kind::Other("text".into()))],
        (host, port) in (host(), any::<u16>()),
        rtcp in prop::option::of((prop::option::of(host()), any::<u16>())),
        (rtcp_mux, end_of_candidates) in any::<(bool, bool)>(),
        direction in way(),
        codecs in codecs(),
        packet_ms in prop::option::of(1_u16..),
        max_packet_ms in prop::option::of(1_u16..),
        (feedback, extensions, sources, others) in notes(),
        ice in prop::option::of(("[A-Za-z0-9+/]{4,8}", "[A-Za-z0-9+/]{22}")),
        candidates in prop::collection::vec(candidate(), 0..3),
    ) -> Stream {
        let ice = ice.map(|(ufrag, pwd)| Ice { ufrag, pwd, lite: false });
        let profile = "RTP/AVPF".to_owned();
        Stream {
            kind, profile, host, port, rtcp, rtcp_mux, direction, codecs, packet_ms, max_packet_ms,
            feedback, extensions, sources, ice, candidates, end_of_candidates, others,
        }
    }
}

proptest! {
    #[test]
    fn streams_are_read_as_they_were_written(streams in prop::collection::vec(stream(), 1..4)) {
        let origin = Origin {
            user: "-".to_owned(),
            session: 1,
            version: 1,
            host: Host::default(),
        };
        let description = Description::compose(&origin, &streams).expect("sound values");
        let bytes = description.to_bytes();
        let again = Description::parse(&bytes).expect("a description");
        prop_assert_eq!(again.to_bytes(), &bytes);
        prop_assert_eq!(again.origin(), Some(origin));
        for (read, written) in again.streams().zip(&streams) {
            let mut written = written.clone();
            if written.host.is_nowhere() && written.ice.is_none() && !written.is_unplaced() {
                written.direction = Direction::of(written.direction.sends(), false);
            }
            prop_assert_eq!(read, written);
        }
    }

    #[test]
    fn parameters_are_written_as_they_were_read(
        name in prop_oneof![Just("telephone-event".to_owned()), name()],
        text in "[ab=; ]{0,12}",
    ) {
        let mut read = Codec::new(96, &name, 8000);
        read.read_parameters(&text);
        // Some texts we would not write; what we write, we read.
        if let Ok(Some(written)) = read.fmtp() {
            let mut again = Codec::new(96, &name, 8000);
            again.read_parameters(written.strip_prefix("96 ").expect("the payload type"));
            prop_assert_eq!(again, read);
        }
    }

    #[test]
    fn bytes_come_out_as_they_went_in(
        lines in prop::collection::vec(("[a-ln-z]", prop::collection::vec(any::<u8>(), 0..30)), 0..20),
        feed in any::<bool>(),
    ) {
        let mut sdp = b"v=0\r\nm=audio 4000 RTP/AVP 0\n".to_vec();
        for (kind, mut value) in lines {
            value.retain(|&byte| byte != b'\n');
            sdp.extend(kind.bytes());
            sdp.push(b'=');
            sdp.extend(value);
            sdp.push(b'\n');
        }
        if !feed {
            sdp.pop();
        }
        let description = Description::parse(&sdp).expect("lines");
        prop_assert_eq!(description.to_bytes(), &sdp[..]);
        prop_assert_eq!(description.streams().count(), 1);
    }
}
