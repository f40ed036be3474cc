// SPDX-License-Identifier: GPL-3.0-or-later
//! Legs that are moved to another flow because the network changed.

use std::net::SocketAddr;

use bytes::Bytes;
use sipwitch_core::{
    call::leg::{Ask, Carried, LegEvent, LegId},
    cause::Cause,
};

use super::{
    fixture::*,
    lines::{challenge, line, shown},
};
use crate::{
    endpoint::Event,
    flow::Flow,
    wire::{Method, name},
};

const NEW: &[u8] = b"v=0\r\no=- 1 2 IN IP4 127.0.0.44\r\ns=new\r\n";

impl World {
    /// The flow to the same phone from another address of ours.
    fn new_flow(&self) -> Flow {
        let local: SocketAddr = "127.0.0.44:5060".parse().unwrap();
        Flow { local, ..self.wire.flow(self.transport, 0, 1) }
    }

    fn move_leg(&mut self, description: Option<Bytes>) {
        let (now, flow) = (self.wire.now(), self.new_flow());
        let node = self.node(0);
        node.endpoint.move_leg(now, LegId(1), flow, None, description);
        node.hear();
        self.wire.settle();
    }

    fn moved(&mut self) -> bool {
        match self.node(0).told.remove(0) {
            Event::Moved { leg: LegId(1), moved } => moved,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_moved_leg_tells_its_new_contact_and_the_old_description() {
    let mut world = World::with_phone();
    let invite = world.standing_on(line());
    world.move_leg(None);
    let moved = world.heard(&Method::Invite);
    assert_eq!(moved.headers().text(&name::CONTACT).unwrap(), "<sip:token-7@127.0.0.44>");
    assert!(moved.headers().text(&name::VIA).unwrap().contains("127.0.0.44"));
    assert_eq!(moved.body().as_ref(), OFFER);
    assert_eq!(moved.call_id().unwrap(), invite.call_id().unwrap());
    assert!(shown(&moved).is_some());
    // Also here a challenge is answered.
    world.say(response(&moved, "407 Ask", "", &challenge("n9", ", stale=true")));
    let again = world.heard(&Method::Invite);
    assert!(shown(&again).unwrap().contains("n9"));
    world.say(response(&again, "200 OK", "", &with_sdp(CONTACT, ANSWER)));
    assert_eq!(world.heard(&Method::Ack).cseq().unwrap().number, again.cseq().unwrap().number);
    assert!(world.moved());
    world.assert_quiet();
    assert_eq!(world.node(0).endpoint.flow_of(LegId(1)), Some(world.new_flow()));
    // What follows goes over the new flow as well.
    world.command(0, 1, end(Cause::normal()));
    assert!(world.heard(&Method::Bye).headers().text(&name::VIA).unwrap().contains("127.0.0.44"));
    world.assert_forgotten();
}

#[test]
fn a_new_description_goes_along() {
    let mut world = World::with_phone();
    world.standing_on(line());
    world.move_leg(Some(Bytes::from_static(NEW)));
    assert_eq!(world.heard(&Method::Invite).body().as_ref(), NEW);
}

#[test]
fn a_move_waits_for_a_change_under_way_and_after_glare() {
    let mut world = World::with_phone();
    world.standing_on(line());
    world.command(0, 1, ask(1, Ask::Reinvite, sdp(OFFER)));
    let change = world.heard(&Method::Invite);
    world.move_leg(None);
    assert_eq!(world.heard(&Method::Invite).cseq().unwrap(), change.cseq().unwrap());
    world.say(response(&change, "488 No", "", ""));
    assert!(matches!(world.told_one(0, 1), LegEvent::Replied { .. }));
    world.run(5);
    let first = world.heard(&Method::Invite);
    assert_ne!(first.cseq().unwrap(), change.cseq().unwrap());
    world.say(response(&first, "491 Pending", "", ""));
    world.run(1);
    assert_eq!(world.heard(&Method::Invite).cseq().unwrap(), first.cseq().unwrap());
    world.run(4);
    let second = world.heard(&Method::Invite);
    world.say(response(&second, "200 OK", "", &with_sdp(CONTACT, ANSWER)));
    assert!(world.moved());
    // Glare without an end is given up, the call is not.
    world.move_leg(None);
    for _ in 0..10 {
        let invite = world.heard(&Method::Invite);
        world.say(response(&invite, "491 Pending", "", ""));
        world.run(5);
    }
    assert!(!world.moved());
    world.command(0, 1, ask(2, Ask::Info, Carried::nothing()));
    assert_eq!(world.count(&Method::Info), 1);
}

#[test]
fn a_move_that_nobody_hears_leaves_the_call_to_its_session_timer() {
    let mut world = World::with_phone();
    world.standing_on(line());
    world.move_leg(None);
    world.run(40);
    assert!(!world.moved());
    assert_eq!(world.node(0).endpoint.leg_count(), 1);
    world.move_leg(None);
    let invite = world.heard(&Method::Invite);
    world.say(response(&invite, "481 Unknown", "", ""));
    assert_eq!(world.cause_of_end(0, 1).sip, 481);
    world.assert_forgotten();
}

#[test]
fn a_phones_leg_without_a_kept_description_is_moved_by_update() {
    let mut world = World::with_phone();
    standing_with(&mut world, &format!("{CONTACT}Allow: INVITE, UPDATE\r\n"));
    world.move_leg(None);
    let update = world.heard(&Method::Update);
    assert!(update.body().is_empty());
    world.say(response(&update, "200 OK", "", CONTACT));
    assert!(world.moved());
}

#[test]
fn what_is_being_set_up_is_not_moved_and_a_goodbye_is_said_over_the_new_flow() {
    let mut world = World::with_phone();
    world.start_on(1, line(), &[1]);
    world.move_leg(None);
    assert!(!world.moved());
    let mut world = World::with_phone();
    world.standing_on(line());
    world.command(0, 1, end(Cause::normal()));
    world.told(0, 1);
    let before = world.count(&Method::Bye);
    world.move_leg(None);
    assert_eq!(world.count(&Method::Bye), before + 1);
    world.assert_quiet();
    world.assert_forgotten();
}
