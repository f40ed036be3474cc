// SPDX-License-Identifier: GPL-3.0-or-later
use bytes::Bytes;
use proptest::prelude::*;

use super::{route::split_list, *};
use crate::{
    flow::{ConnectionId, Transport},
    wire::{Limits, Message, parse_datagram},
};

fn request(more: &str) -> Request {
    let text = format!(
        "INVITE sip:101@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n\
         From: <sip:102@h>;tag=far\r\nTo: <sip:101@h>\r\nCall-ID: c\r\nCSeq: 4 INVITE\r\n{more}\r\n"
    );
    match parse_datagram(text.into(), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    }
}

fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.2:40000".parse().unwrap(),
        connection: transport.is_reliable().then_some(ConnectionId(1)),
    }
}

const TAG: &[u8] = b"0123456789abcdef";

fn dialog(contact: &str, transport: Transport) -> Dialog {
    let request = request(&format!("Contact: {contact}\r\n"));
    Dialog::of_request(&request, Tag::parse(TAG).unwrap(), flow(transport)).unwrap()
}

#[test]
fn the_numbers_of_both_sides_are_counted_apart() {
    let mut dialog = dialog("<sip:102@127.0.0.2>", Transport::Udp);
    assert_eq!(dialog.note_cseq(4), Order::Late, "the INVITE had it");
    assert_eq!(dialog.note_cseq(9), Order::Next);
    assert_eq!(dialog.note_cseq(8), Order::Late);
    let listeners = Listeners::default();
    for number in 1..3 {
        let (draft, _) = dialog.request(&Method::Info, &listeners);
        assert_eq!(draft.value(&name::CSEQ).unwrap(), format!("{number} INFO").as_bytes());
        assert_eq!(draft.value(&name::TO).unwrap(), b"<sip:102@h>;tag=far");
        assert_eq!(draft.value(&name::FROM).unwrap(), b"<sip:101@h>;tag=0123456789abcdef");
    }
    assert_eq!(dialog.ack(7, &listeners).0.value(&name::CSEQ).unwrap(), b"7 ACK");
    assert_eq!(dialog.local_cseq(), 2);
}

#[test]
fn a_dialog_is_known_by_all_three_ids() {
    let dialog = dialog("<sip:102@127.0.0.2>", Transport::Udp);
    let tag = Tag::parse(TAG).unwrap();
    assert!(dialog.is(b"c", tag, b"far"));
    assert!(!dialog.is(b"d", tag, b"far"));
    assert!(!dialog.is(b"c", tag, b"near"));
    assert!(!dialog.is(b"c", Tag::parse(b"0000000000000000").unwrap(), b"far"));
    for text in ["", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdefg", "+123456789abcdef"]
    {
        assert_eq!(Tag::parse(text.as_bytes()), None);
    }
}

#[test]
fn the_next_request_goes_where_the_far_end_can_be_reached() {
    let tcp = Listeners(vec![(Transport::Tcp, "127.0.0.1:5070".parse().unwrap())]);
    for (contact, heard, listeners, way) in [
        ("<sip:a@127.0.0.2:6000>", Transport::Udp, &Listeners::default(), "udp:127.0.0.2:6000"),
        ("<sip:a@127.0.0.2>", Transport::Udp, &Listeners::default(), "udp:127.0.0.2:5060"),
        // Another host than it sends from; a name; an address of the other family.
        ("<sip:a@10.0.0.2:6000>", Transport::Udp, &Listeners::default(), "udp:127.0.0.2:40000"),
        ("<sip:a@phone.example>", Transport::Udp, &Listeners::default(), "udp:127.0.0.2:40000"),
        ("<sip:a@[::1]>", Transport::Udp, &Listeners::default(), "udp:127.0.0.2:40000"),
        // Another transport, if we have it.
        ("<sip:a@127.0.0.2;transport=tcp>", Transport::Udp, &tcp, "tcp:127.0.0.2:5060"),
        ("<sip:a@127.0.0.2;transport=tls>", Transport::Udp, &tcp, "udp:127.0.0.2:40000"),
        ("<sip:a@127.0.0.2;transport=odd>", Transport::Udp, &tcp, "udp:127.0.0.2:40000"),
        ("<sip:a@127.0.0.2:0>", Transport::Udp, &tcp, "udp:127.0.0.2:40000"),
        // A connection that stands is used whatever the Contact says.
        ("<sip:a@127.0.0.2:6000;transport=tcp>", Transport::Tcp, &tcp, "tcp:127.0.0.2:40000"),
    ] {
        let mut dialog = dialog(contact, heard);
        assert_eq!(dialog.request(&Method::Bye, listeners).1.to_string(), way, "{contact}");
    }
    let mut dialog = dialog("<sip:a@127.0.0.2:6000;transport=tcp>", Transport::Tcp);
    dialog.lost(&flow(Transport::Tcp));
    let (_, way) = dialog.request(&Method::Bye, &tcp);
    assert_eq!((way.to_string().as_str(), way.connection), ("tcp:127.0.0.2:6000", None));
}

#[test]
fn a_refused_datagram_does_not_lead_to_an_address_that_cannot_be_reached() {
    let mut dialog = dialog("<sip:a@10.0.0.2>", Transport::Udp);
    dialog.lost(&flow(Transport::Udp));
    let (_, way) = dialog.request(&Method::Bye, &Listeners::default());
    assert_eq!(way.to_string(), "udp:127.0.0.2:40000");
}

#[test]
fn what_would_fill_our_memory_is_refused() {
    for more in [
        format!("Contact: <sip:{}@h>\r\n", "x".repeat(1100)),
        format!("Contact: <sip:a@h>\r\n{}", "Record-Route: <sip:h;lr>\r\n".repeat(17)),
        format!("Contact: <sip:a@h>\r\nRecord-Route: <sip:{}@h;lr>\r\n", "x".repeat(5000)),
        String::new(),
    ] {
        let tag = Tag::parse(TAG).unwrap();
        let made = Dialog::of_request(&request(&more), tag, flow(Transport::Udp));
        assert_eq!(made.unwrap_err().status, 400);
    }
}

#[test]
fn a_standing_dialog_is_small() {
    assert!(size_of::<Dialog>() <= 272, "{}", size_of::<Dialog>());
}

#[test]
fn lists_are_split_outside_quotes_and_brackets() {
    let value = br#" "a, \", b" <sip:a,b@h>;x=1 ,, <sip:c@h> "#;
    let parts: Vec<_> = split_list(value).collect();
    assert_eq!(parts, [&br#""a, \", b" <sip:a,b@h>;x=1"#[..], b"<sip:c@h>"]);
}

proptest! {
    #[test]
    fn a_replaces_that_is_escaped_reads_the_same(
        call_id in "[!-+\\--:<-~]{1,40}", to in "[a-z0-9]{1,20}", from in "[a-z0-9]{1,20}",
        early in any::<bool>(),
    ) {
        let flag = if early { ";early-only" } else { "" };
        let text = format!("{call_id};to-tag={to};from-tag={from}{flag}");
        let read = Replaces::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&read.call_id, call_id.as_bytes());
        prop_assert_eq!((&read.to_tag[..], &read.from_tag[..]), (to.as_bytes(), from.as_bytes()));
        prop_assert_eq!(read.early_only, early);
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        prop_assert_eq!(Replaces::parse_escaped(escaped.as_bytes()).unwrap(), read);
    }

    #[test]
    fn any_octets_are_a_replaces_or_not(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = Replaces::parse_escaped(&value);
        let _ = Replaces::parse(&value);
        let _ = split_list(&value).count();
        let _ = Tag::parse(&value);
        let _ = NameAddr::parse(&Bytes::from(value));
    }
}
