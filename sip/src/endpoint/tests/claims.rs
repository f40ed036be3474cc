// SPDX-License-Identifier: GPL-3.0-or-later
//! Who calls on a line, and whom to believe.

use super::fixture::*;
use crate::endpoint::{Believed, Incoming};

fn incoming(fields: &str) -> Incoming {
    let mut world = World::with_phone();
    world.say(
        invite("a", fields)
            .replace("\"Bob\" <sip:102@127.0.0.1>", "\"Bob\" <sip:0301@example.net>"),
    );
    world.accept(0, 1)
}

#[test]
fn the_owner_says_whom_it_believes() {
    let both = "P-Asserted-Identity: <sip:+49301@example.net>, <tel:+49301>\r\n\
        Remote-Party-ID: \"Rob\" <sip:+49302@example.net>;party=calling;privacy=off\r\n";
    let from = ("Bob", "sip:0301@example.net");
    for (fields, believed, (display, address)) in [
        ("", Believed::Any, from),
        (both, Believed::From, from),
        (both, Believed::Asserted, ("Bob", "sip:+49301@example.net")),
        (both, Believed::RemoteParty, ("Rob", "sip:+49302@example.net")),
        (both, Believed::Any, ("Bob", "sip:+49301@example.net")),
        ("P-Asserted-Identity: <<nonsense>>\r\n", Believed::Any, from),
        ("Remote-Party-ID: <sip:x@y>;party=called\r\n", Believed::Any, from),
    ] {
        let caller = incoming(fields).caller(believed);
        assert_eq!(
            (&*caller.display, &*caller.address),
            (display, address),
            "{fields} {believed:?}"
        );
    }
}

#[test]
fn whoever_does_not_want_to_be_shown_is_not() {
    for fields in [
        "Privacy: id\r\n",
        "Privacy: none;user\r\n",
        "Remote-Party-ID: <sip:+49302@example.net>;privacy=full\r\n",
    ] {
        let incoming =
            incoming(&format!("P-Asserted-Identity: <sip:+49301@example.net>\r\n{fields}"));
        assert!(incoming.claims.is_withheld, "{fields}");
        for believed in [Believed::From, Believed::Any] {
            assert_eq!(incoming.caller(believed), sipwitch_core::call::leg::Party::default());
        }
    }
    for from in ["<sip:anonymous@anonymous.invalid>", "\"x\" <sip:anonymous@example.net>"] {
        let mut world = World::with_phone();
        world.say(invite("a", "").replace("\"Bob\" <sip:102@127.0.0.1>", from));
        assert!(world.accept(0, 1).claims.is_withheld, "{from}");
    }
    assert!(!incoming("Privacy: none\r\n").claims.is_withheld);
}

#[test]
fn diversions_are_told_the_last_one_first() {
    let addresses = |incoming: &Incoming| -> Vec<String> {
        incoming.claims.diverted.iter().map(|party| party.address.clone()).collect()
    };
    let diversion = "Diversion: <sip:2@h>;reason=no-answer\r\nDiversion: <sip:1@h>\r\n";
    assert_eq!(addresses(&incoming(diversion)), ["sip:2@h", "sip:1@h"]);
    let history = "History-Info: <sip:1@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:2@h>;index=1.1,\
        <sip:me@h>;index=1.1.1\r\n";
    assert_eq!(addresses(&incoming(history)), ["sip:2@h", "sip:1@h"]);
    let many = "Diversion: <sip:2@h>\r\n".repeat(30);
    assert_eq!(addresses(&incoming(&many)).len(), 8);
}
