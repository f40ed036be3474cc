// SPDX-License-Identifier: GPL-3.0-or-later
//! Requests outside dialogs, and requests for dialogs that are none of ours.

use sipwitch_core::call::leg::LegId;

use super::fixture::*;
use crate::{
    endpoint::{Composed, Event},
    transaction::Failure,
    wire::{Method, Uri, name},
};

fn request(method: &str, more: &str) -> String {
    format!(
        "{method} sip:127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{method};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:102@127.0.0.1>;tag=bob\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {method}\r\n\
         CSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn the_owner_answers_what_is_outside_dialogs() {
    for method in
        ["REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "ODD", "REFER"]
    {
        let mut world = World::with_phone();
        world.say(request(method, ""));
        let arrival = world.arrival(0);
        assert_eq!(arrival.request.method().to_string(), method);
        let now = world.wire.now();
        let node = world.node(0);
        let draft = node.endpoint.response_to(&arrival.request, 405, "");
        node.endpoint.respond(now, arrival.transaction, &draft);
        world.wire.settle();
        let response = world.response();
        assert_eq!(response.status(), 405);
        assert!(response.headers().has_token(&name::ALLOW, "INVITE"));
        assert!(response.to().unwrap().tag().is_some());
    }
}

#[test]
fn what_only_exists_inside_a_dialog_is_481_outside() {
    for method in ["BYE", "PRACK", "UPDATE", "INFO"] {
        let mut world = World::with_phone();
        world.say(request(method, ""));
        assert_eq!(world.response().status(), 481, "{method}");
        world.assert_quiet();
    }
}

#[test]
fn a_request_for_a_dialog_that_is_none_of_ours_is_481_and_an_ack_nothing() {
    for tag in ["0123456789abcdef", "foreign", "0123456789ABCDEF"] {
        for method in ["BYE", "INVITE", "INFO", "REGISTER", "ODD"] {
            let mut world = World::with_phone();
            world
                .say(request(method, "").replace("<sip:127.0.0.1>", &format!("<sip:h>;tag={tag}")));
            assert_eq!(world.response().status(), 481, "{method} {tag}");
            world.assert_quiet();
        }
        let mut world = World::with_phone();
        world.say(request("ACK", "").replace("<sip:127.0.0.1>", &format!("<sip:h>;tag={tag}")));
        assert!(world.phone().heard.is_empty());
    }
}

#[test]
fn a_request_with_our_tag_but_anothers_ids_is_481() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    let good = inside(&invite, "x", "BYE", 1, "");
    for (from, to) in [(";tag=x", ";tag=y"), ("Call-ID: ", "Call-ID: z")] {
        world.say(good.replace(from, to).replace("z9hG4bKBYE", &format!("z9hG4bK{}", to.len())));
        assert_eq!(world.response().status(), 481);
    }
    world.assert_quiet();
    world.say(good);
    assert_eq!(world.response().status(), 200);
}

#[test]
fn unknown_extensions_are_refused_and_named() {
    let mut world = World::with_phone();
    world.say(request("OPTIONS", "Require: timer, warp\r\nRequire: weft, replaces\r\n"));
    let response = world.response();
    assert_eq!(response.status(), 420);
    assert_eq!(response.headers().text(&name::UNSUPPORTED).unwrap(), "warp, weft");
    world.assert_quiet();
    let (ours, _) = standing(&mut world);
    world.say(inside(&ours, "x", "INFO", 1, "Require: warp\r\n"));
    assert_eq!(world.response().status(), 420);
    world.say(invite("a", "Require: replaces, timer, 100rel\r\n"));
    world.arrival(0);
}

#[test]
fn an_invite_that_no_dialog_can_be_made_of_is_400() {
    let long = format!("Contact: <sip:{}@h>", "x".repeat(2000));
    for (from, to) in [
        ("Contact: <sip:102@127.0.0.2:5060>\r\n", ""),
        ("Contact: <sip:102@127.0.0.2:5060>", long.as_str()),
        ("Contact: ", "Record-Route: <<>>\r\nContact: "),
    ] {
        let mut world = World::with_phone();
        world.say(invite("a", "").replace(from, to));
        let arrival = world.arrival(0);
        let now = world.wire.now();
        let refused = world.node(0).endpoint.accept(now, &arrival, LegId(1)).unwrap_err();
        assert_eq!(refused.status, 400);
        world.wire.settle();
        assert_eq!(world.response().status(), 400);
        assert_eq!(world.node(0).endpoint.leg_count(), 0);
    }
}

#[test]
fn an_invite_that_is_cancelled_before_it_became_a_leg_is_withdrawn() {
    let mut world = World::with_phone();
    let text = invite("a", "");
    world.say(text.clone());
    let arrival = world.arrival(0);
    let cancel =
        text.replace("INVITE", "CANCEL").replace("Contact: <sip:102@127.0.0.2:5060>\r\n", "");
    world.say(cancel);
    assert_eq!(world.codes(&Method::Cancel), [200]);
    assert_eq!(world.codes(&Method::Invite).last(), Some(&487));
    let told = world.node(0).told.remove(0);
    assert!(matches!(told, Event::Withdrawn { transaction } if transaction == arrival.transaction));
    let now = world.wire.now();
    let late = world.node(0).endpoint.accept(now, &arrival, LegId(1));
    assert_eq!(late.unwrap_err().status, 487);
    assert_eq!(world.node(0).endpoint.leg_count(), 0);
}

#[test]
fn requests_of_the_owner_are_answered_or_fail() {
    let mut world = World::with_phone();
    let uri = Uri::parse("sip:102@127.0.0.2").unwrap();
    let flow = world.wire.flow(world.transport, 0, 1);
    let send = |world: &mut World| {
        let now = world.wire.now();
        let node = world.node(0);
        let composed = Composed {
            method: &Method::Options,
            uri: &uri,
            from: "<sip:sipwitch@127.0.0.1>",
            to: "<sip:102@127.0.0.2>",
        };
        let draft = node.endpoint.compose(&composed);
        let id = node.endpoint.request(now, flow, &draft);
        world.wire.settle();
        id
    };
    let id = send(&mut world);
    let options = world.heard(&Method::Options);
    world.say(response(&options, "200 OK", "x", "Server: Phone\r\n"));
    let told = world.node(0).told.remove(0);
    assert!(matches!(told, Event::Answered { request, response, .. }
        if request == id && response.status() == 200));
    let id = send(&mut world);
    world.run(33);
    let told = world.node(0).told.remove(0);
    assert!(matches!(told, Event::Failed { request, why: Failure::TimedOut } if request == id));
    world.assert_forgotten();
}
