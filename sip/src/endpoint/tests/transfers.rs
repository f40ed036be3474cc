// SPDX-License-Identifier: GPL-3.0-or-later
//! Transfers as RFC 5359 §2.4 and §2.5 show them, as far as they touch one leg (RFC 3515, RFC 3891,
//! RFC 4488).

use sipwitch_core::{
    call::leg::{Carried, ExchangeId, LegCommand, LegEvent, LegId, Replaced, Status},
    cause::Cause,
};

use super::fixture::*;
use crate::wire::{Method, Request, name};

fn refer(invite: &Request, cseq: u32, to: &str) -> String {
    inside(invite, "x", "REFER", cseq, &format!("{CONTACT}Refer-To: {to}\r\n"))
}

fn tell(exchange: ExchangeId, code: u16) -> LegCommand {
    LegCommand::TransferProgress { exchange, status: Status::new(code) }
}

fn transfer_asked(world: &mut World) -> (ExchangeId, String, Option<Replaced>, Carried) {
    match world.told_one(0, 1) {
        LegEvent::TransferAsked { exchange, target, replaces, carried } => {
            (exchange, target, replaces, carried)
        }
        told => panic!("{told:?}"),
    }
}

/// Answers the NOTIFY heard last, and says what it told.
fn notified(world: &mut World) -> (String, String, String) {
    let notify = world.heard(&Method::Notify);
    let headers = notify.headers();
    let told = (
        headers.text(&name::EVENT).unwrap(),
        headers.text(&name::SUBSCRIPTION_STATE).unwrap(),
        String::from_utf8_lossy(notify.body()).trim_end().to_owned(),
    );
    world.say(response(&notify, "200 OK", "", ""));
    told
}

#[test]
fn a_blind_transfer_is_told_step_by_step() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    let by = "Referred-By: <sip:102@127.0.0.1>\r\n";
    let to = format!("<sip:103@127.0.0.1;method=INVITE?Subject=a>\r\n{}", by.trim_end());
    world.say(refer(&invite, 1, &to));
    let (exchange, target, replaces, carried) = transfer_asked(&mut world);
    assert_eq!((target.as_str(), replaces), ("sip:103@127.0.0.1", None));
    assert_eq!(carried.fields[0].name, "Referred-By");
    world.command(0, 1, reply(exchange, 202, Carried::nothing()));
    assert_eq!(world.codes(&Method::Refer), [202]);
    let active = "active;expires=180".to_owned();
    assert_eq!(notified(&mut world), ("refer".into(), active.clone(), "SIP/2.0 100 Trying".into()));
    world.command(0, 1, tell(exchange, 180));
    assert_eq!(notified(&mut world).2, "SIP/2.0 180 Ringing");
    // Two in a row wait for each other; nothing follows the end.
    world.command(0, 1, tell(exchange, 183));
    world.command(0, 1, tell(exchange, 200));
    world.command(0, 1, tell(exchange, 180));
    assert_eq!(notified(&mut world).2, "SIP/2.0 183 Session Progress");
    let over = "terminated;reason=noresource".to_owned();
    assert_eq!(notified(&mut world), ("refer".into(), over, "SIP/2.0 200 OK".into()));
    world.command(0, 1, tell(exchange, 486));
    assert_eq!(world.count(&Method::Notify), 4);
    world.say(inside(&invite, "x", "BYE", 2, ""));
    assert_eq!(world.cause_of_end(0, 1), Cause::normal());
    assert_golden("blind_transfer.txt", &world.ladder());
    world.assert_forgotten();
}

#[test]
fn a_second_transfer_is_told_apart_by_its_id() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    for (cseq, event) in [(1, "refer"), (2, "refer;id=2")] {
        world.say(refer(&invite, cseq, "<sip:103@127.0.0.1>"));
        let (exchange, ..) = transfer_asked(&mut world);
        world.command(0, 1, reply(exchange, 202, Carried::nothing()));
        assert_eq!(notified(&mut world).0, event);
    }
}

#[test]
fn a_refused_transfer_and_one_without_subscription_send_no_notify() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    world.say(refer(&invite, 1, "<sip:103@127.0.0.1>"));
    let (exchange, ..) = transfer_asked(&mut world);
    world.command(0, 1, reply(exchange, 603, Carried::nothing()));
    assert_eq!(world.response().status(), 603);
    world.say(refer(&invite, 2, "<sip:103@127.0.0.1>\r\nRefer-Sub: false"));
    let (exchange, ..) = transfer_asked(&mut world);
    world.command(0, 1, reply(exchange, 202, Carried::nothing()));
    assert_eq!(world.response().headers().text(&name::REFER_SUB).unwrap(), "false");
    world.command(0, 1, tell(exchange, 200));
    assert_eq!(world.count(&Method::Notify), 0);
}

#[test]
fn an_attended_transfer_finds_the_other_leg() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    // The consultation call: the phone calls leg 2.
    world.say(super::fixture::invite("a", &with_sdp("", OFFER)));
    world.accept(0, 2);
    world.command(0, 2, answer(ANSWER));
    let ok = world.response();
    let (ours, theirs) = (ok.to().unwrap(), ok.from().unwrap());
    world.say(follow(&ok, "ACK", 7, ""));
    world.told(0, 2);
    let replaces = |to_tag: &str| {
        format!(
            "<sip:101@127.0.0.1?Replaces=bobs-call%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{}>",
            theirs.tag().unwrap()
        )
    };
    world.say(refer(&invite, 1, &replaces(ours.tag().unwrap())));
    let (_, target, replaced, _) = transfer_asked(&mut world);
    assert_eq!((target.as_str(), replaced), ("sip:101@127.0.0.1", Some(Replaced::Leg(LegId(2)))));
    world.say(refer(&invite, 2, &replaces("0123456789abcdef")));
    assert_eq!(transfer_asked(&mut world).2, Some(Replaced::Unknown));
}

#[test]
fn an_invite_with_replaces_names_the_leg_to_take_the_place_of() {
    let mut world = World::with_phone();
    let (ours, _) = standing(&mut world);
    let tag = ours.from().unwrap().tag().unwrap().to_owned();
    let call_id = String::from_utf8(ours.call_id().unwrap().into_owned()).unwrap();
    let cases = [
        (format!("{call_id};to-tag={tag};from-tag=x"), Some(Replaced::Leg(LegId(1)))),
        (format!("{call_id};from-tag=x ; to-tag={tag}"), Some(Replaced::Leg(LegId(1)))),
        (format!("{call_id};to-tag=x;from-tag={tag}"), Some(Replaced::Unknown)),
        (format!("other;to-tag={tag};from-tag=x"), Some(Replaced::Unknown)),
    ];
    for (number, (value, expected)) in (2..).zip(cases) {
        let text = invite(&format!("r{number}"), &format!("Replaces: {value}\r\n"));
        world.say(text.replace("bobs-call", &format!("call-{number}")));
        assert_eq!(world.accept(0, number).replaces, expected, "{value}");
    }
    for (number, (value, status)) in (20..).zip([
        (format!("{call_id};to-tag={tag};from-tag=x;early-only"), 486),
        (format!("{call_id};to-tag={tag}"), 400),
        (format!("{call_id};to-tag={tag};from-tag=x\r\nReplaces: b;to-tag=1;from-tag=2"), 400),
    ]) {
        let text = invite(&format!("r{number}"), &format!("Replaces: {value}\r\n"));
        world.say(text.replace("bobs-call", &format!("call-{number}")));
        let arrival = world.arrival(0);
        let now = world.wire.now();
        let refused = world.node(0).endpoint.accept(now, &arrival, LegId(number)).unwrap_err();
        assert_eq!(refused.status, status, "{value}");
    }
}

#[test]
fn a_refer_that_cannot_be_understood_is_refused() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    for (cseq, to) in (1..).zip([
        "<sip:a@h>\r\nRefer-To: <sip:b@h>",
        "<sip:a@h>, <sip:b@h>",
        "<sip:a@h;method=BYE>",
        "<>",
        "<sip:a@h?Replaces=x%3Bto-tag%3D1>",
        "<sip:a@h?Replaces=x%3>",
    ]) {
        world.say(refer(&invite, cseq, to));
        assert_eq!(world.response().status(), 400, "{to}");
    }
    world.say(inside(&invite, "x", "REFER", 30, CONTACT));
    assert_eq!(world.response().status(), 400);
    world.assert_quiet();
}

#[test]
fn a_subscription_that_the_phone_forgot_is_dropped_and_the_call_goes_on() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    world.say(refer(&invite, 1, "<sip:103@127.0.0.1>"));
    let (exchange, ..) = transfer_asked(&mut world);
    world.command(0, 1, reply(exchange, 202, Carried::nothing()));
    let notify = world.heard(&Method::Notify);
    world.say(response(&notify, "481 Subscription Does Not Exist", "", ""));
    world.command(0, 1, tell(exchange, 200));
    assert_eq!(world.count(&Method::Notify), 1);
    world.assert_quiet();
    assert_eq!(world.node(0).endpoint.leg_count(), 1);
}

#[test]
fn a_leg_that_is_ended_in_the_middle_of_a_transfer_says_how_that_went() {
    let mut world = World::with_phone();
    let (invite, _) = standing(&mut world);
    world.say(refer(&invite, 1, "<sip:103@127.0.0.1>"));
    let (exchange, ..) = transfer_asked(&mut world);
    world.command(0, 1, reply(exchange, 202, Carried::nothing()));
    notified(&mut world);
    world.command(0, 1, end(Cause::transferred()));
    let (_, state, fragment) = notified(&mut world);
    assert!(state.starts_with("terminated"));
    assert_eq!(fragment, "SIP/2.0 200 OK");
    let bye = world.heard(&Method::Bye);
    world.say(response(&bye, "200 OK", "", ""));
    world.assert_forgotten();
}
