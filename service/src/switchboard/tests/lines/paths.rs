// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines whose ways lead elsewhere, though the network is the same: a tunnel that leads to one
//! provider, a cable that is plugged in again, a machine that slept.

use std::net::{IpAddr, SocketAddr};

use sipwitch_sip::auth::client::Secret;

use super::{
    super::{
        super::notice::Notice,
        house::HOUSE,
        talk::Talk,
        text::Text,
        town::{Phone, Town},
    },
    provider::{PASSWORD, account, is_right},
};
use crate::connectivity::{Change, Looked, Paths};

const OURS: &str = "127.0.0.44:5060";

fn ip(text: &str) -> IpAddr {
    text.parse::<SocketAddr>().map_or_else(|_| text.parse().unwrap(), |at| at.ip())
}

/// A house with phone 101 and two accounts that are online, one of which a tunnel may lead to.
struct World {
    town: Town,
    phone: Phone,
    /// The one behind the tunnel.
    office: Phone,
    other: Phone,
    contact: String,
}

impl World {
    fn new() -> Self {
        let mut town = Town::new();
        let phone = town.phone("101");
        let office = town.provider("office.test", "127.0.0.3:5060");
        let other = town.provider("other.test", "127.0.0.4:5060");
        town.sign_up(account("other", "other.test"));
        town.let_in(other);
        town.sign_up(account("work", "office.test"));
        let contact = town.let_in(office).address("Contact").to_owned();
        Self { town, phone, office, other, contact }
    }

    /// The tunnel comes up, or goes; then the network is looked at.
    fn tunnel(&mut self, is_up: bool, change: Option<Change>) {
        let far = ip("127.0.0.3");
        if is_up {
            self.town.tunnels.insert(far, OURS.parse().unwrap());
        } else {
            self.town.tunnels.clear();
        }
        let here = ip(if is_up { OURS } else { HOUSE });
        let paths = [(far, here), (ip("127.0.0.4"), ip(HOUSE))].into_iter().collect();
        self.look(Looked { change, reaches_more: true }, &paths);
    }

    fn look(&mut self, looked: Looked, paths: &Paths) {
        let now = self.town.time();
        self.town.board.network_looked_at(now, looked, paths);
        self.town.collect();
    }

    /// The account behind the tunnel registers anew, from here.
    fn registers_from(&mut self, here: &str) -> Text {
        let register = self.town.next_register(self.office, 3);
        assert!(register.header("Contact").contains(&format!("@{here}")), "{register:?}");
        let register = match register.header("Authorization") {
            "" => self.town.challenge(self.office, &register),
            _ => register,
        };
        self.town.grant(self.office, &register, 3600);
        register
    }

    /// A call from outside that is answered.
    fn talk(&mut self) -> Talk {
        let Self { town, phone, office, contact, .. } = self;
        let offer = town.sdp(*office);
        let mut outside = town.dial_with(*office, contact, &[], &offer);
        let mut inside = town.rung(*phone);
        let answer = town.sdp(*phone);
        town.reply(&inside, "200 OK", &answer);
        town.heard(&mut outside, "200 INVITE");
        town.ack(&outside, "");
        town.heard(&mut inside, "ACK");
        outside
    }

    /// The far end is told that we are here, and takes it.
    fn moves_to(&mut self, talk: &mut Talk, here: &str) {
        let moved = self.town.heard(talk, "INVITE");
        assert!(moved.header("Contact").contains(&format!("@{here}")), "{moved:?}");
        let offer = self.town.sdp(self.office);
        let tag = talk.tag.clone();
        self.town.respond(self.office, &moved, "200 OK", &tag, &[], &offer);
        self.town.heard(talk, "ACK");
    }

    fn told(&self) -> Vec<&str> {
        let told = self.town.notices.iter().filter_map(|notice| match notice {
            Notice::Connectivity(change) => Some(change.words.as_str()),
            _ => None,
        });
        told.collect()
    }
}

/// A change that leaves everything where it was, but for one more address.
fn one_more() -> Change {
    Change { new: vec![ip(OURS)], ..Change::told("the VPN is there".into(), true) }
}

#[test]
fn a_line_behind_a_tunnel_and_its_call_move_there_and_back_and_no_other_line_does() {
    let mut world = World::new();
    let mut talk = world.talk();
    world.tunnel(true, Some(one_more()));
    let register = world.registers_from("127.0.0.44");
    let contacts = register.headers("Contact").join(",");
    assert!(contacts.contains("@127.0.0.1") && contacts.contains("expires=0"), "{contacts}");
    world.moves_to(&mut talk, "127.0.0.44");
    // It goes: its address with it.
    let gone = Change { gone: vec![ip(OURS)], ..Change::told("the VPN is gone".into(), true) };
    world.tunnel(false, Some(gone));
    world.registers_from("127.0.0.1");
    world.moves_to(&mut talk, "127.0.0.1");
    assert_eq!(world.told(), ["the VPN is there", "the VPN is gone"]);
    // What is gone concerns everybody; what came did not.
    let other = world.other;
    world.town.next_register(other, 3);
    world.town.assert_silent(other);
    world.town.hang_up(&mut talk);
}

#[test]
fn a_route_that_comes_after_its_interface_moves_the_line_and_is_told_in_words() {
    let mut world = World::new();
    let mut talk = world.talk();
    world.tunnel(true, None);
    world.registers_from("127.0.0.44");
    world.moves_to(&mut talk, "127.0.0.44");
    let told = world.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("another way leads to the provider of work"), "{told:?}");
    // Looked at once more, nothing is new.
    world.tunnel(true, None);
    world.town.pass_seconds(5);
    assert_eq!(world.told().len(), 1);
    let (office, other) = (world.office, world.other);
    world.town.assert_silent(office);
    world.town.assert_silent(other);
    world.town.hang_up(&mut talk);
}

#[test]
fn who_came_to_us_by_himself_is_moved_only_when_everything_goes_out_elsewhere() {
    let mut world = World::new();
    let guest = world.town.phone("102");
    let (mut talk, inside) = world.town.call(guest, world.phone);
    let paths: Paths = [(ip("127.0.0.1"), ip(OURS))].into_iter().collect();
    world.look(Looked { change: Some(one_more()), reaches_more: true }, &paths);
    world.town.assert_silent(guest);
    let all = Change { way_changed: true, ..one_more() };
    world.town.moved_to = Some(OURS.parse().unwrap());
    world.look(Looked { change: Some(all), reaches_more: true }, &paths);
    let moved = world.town.heard(&mut talk, "INVITE");
    assert!(moved.header("Contact").contains("@127.0.0.44"), "{moved:?}");
    drop(inside);
}

#[test]
fn a_line_that_could_not_be_reached_is_tried_at_once_when_more_can_be() {
    let mut world = World::new();
    let office = world.office;
    world.town.device(office).is_dead = true;
    // The refresh gets no answer, and the pauses grow.
    let other = world.other;
    for _ in 0..720 {
        world.town.pass_seconds(10);
        if let Some(register) = world.town.find(other, |text| text.kind() == "REGISTER") {
            world.town.grant(other, &register, 3600);
        }
    }
    assert_eq!(world.town.line("work").standing.state, "unreachable");
    world.town.device(office).is_dead = false;
    world.look(Looked { change: None, reaches_more: false }, &Paths::default());
    world.town.assert_silent(office);
    world.look(Looked { change: None, reaches_more: true }, &Paths::default());
    world.registers_from("127.0.0.1");
    assert_eq!(world.town.line("work").standing.state, "online");
    assert_eq!(world.told(), <[&str; 0]>::default());
    world.town.assert_silent(other);
}

#[test]
fn a_cable_that_is_plugged_in_again_is_used_at_once_though_the_address_is_the_same() {
    let mut world = World::new();
    let office = world.office;
    world.town.device(office).is_dead = true;
    let gone = Change { gone: vec![ip(HOUSE)], ..Change::told("no network".into(), false) };
    world.look(Looked { change: Some(gone), reaches_more: false }, &Paths::default());
    world.town.pass_seconds(600);
    assert_eq!(world.town.line("work").standing.state, "unreachable");
    world.town.device(office).is_dead = false;
    let back = Change {
        new: vec![ip(HOUSE)],
        way_changed: true,
        ..Change::told("the cable is there".into(), true)
    };
    world.look(Looked { change: Some(back), reaches_more: true }, &Paths::default());
    world.registers_from("127.0.0.1");
}

#[test]
fn before_sleep_lines_are_taken_off_and_after_it_they_are_back_at_once() {
    let mut world = World::new();
    let now = world.town.time();
    world.town.board.fall_asleep(now);
    world.town.collect();
    assert!(!world.town.board.are_lines_quiet(), "the providers have not answered");
    for provider in [world.office, world.other] {
        let register = world.town.expect(provider, "REGISTER");
        assert!(
            register.header("Contact").ends_with(";expires=0") || register.header("Expires") == "0",
            "{register:?}"
        );
        world.town.respond(provider, &register, "200 OK", "p", &[], "");
    }
    assert!(world.town.board.are_lines_quiet());
    let standing = world.town.line("work").standing.clone();
    assert_eq!((standing.state, &*standing.cause), ("off", "the machine sleeps"));
    // A sleeping machine's clock stands still, but nothing would happen either.
    world.town.pass_seconds(7200);
    world.town.assert_silent(world.office);
    let awake = Change { way_changed: true, resumed: true, ..Change::told("awake".into(), true) };
    world.look(Looked { change: Some(awake), reaches_more: false }, &Paths::default());
    world.registers_from("127.0.0.1");
    let standing = &world.town.line("work").standing;
    assert_eq!((standing.state, &*standing.cause), ("online", ""));
}

#[test]
fn neither_sleep_nor_another_network_shows_a_refused_password_again() {
    let mut town = Town::new();
    let provider = town.provider("provider.test", "127.0.0.3:5060");
    town.keyring.insert("work".into(), Ok(Secret::new("wrong")));
    town.sign_up(account("work", "provider.test"));
    let register = town.expect(provider, "REGISTER");
    let register = town.challenge(provider, &register);
    assert!(!is_right(&register, PASSWORD));
    let more = ["WWW-Authenticate: Digest realm=\"provider\", nonce=\"n2\", qop=\"auth\""];
    town.respond(provider, &register, "401 Unauthorized", "p", &more, "");
    assert_eq!(town.line("work").standing.state, "needs-password");
    let now = town.time();
    town.board.fall_asleep(now);
    town.collect();
    town.assert_silent(provider);
    let awake = Change { way_changed: true, resumed: true, ..Change::told("awake".into(), true) };
    let now = town.time();
    let looked = Looked { change: Some(awake), reaches_more: true };
    town.board.network_looked_at(now, looked, &Paths::default());
    town.collect();
    town.pass_seconds(5);
    town.assert_silent(provider);
    assert_eq!(town.line("work").standing.state, "needs-password");
    // But somebody may ask for it.
    town.try_again("work");
    town.expect(provider, "REGISTER");
}
