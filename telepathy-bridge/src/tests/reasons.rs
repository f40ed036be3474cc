// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use sipwitch_dbus_interfaces::wire::EndReason;
use zbus::zvariant::{ObjectPath, OwnedValue};

use super::{
    desk::{CONNECTION, CONNECTION_PATH, Desk, LEG},
    handler::*,
};

/// How a call is that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// We called, and nobody had answered.
    Outgoing,
    /// We are called, and had not answered.
    Incoming,
    /// It talked.
    Talking,
}

/// Who did it.
const NOBODY: &str = "";
const US: &str = "101";
const THEM: &str = "102";

/// The word of the service, the cause of Q.850; Call_State_Change_Reason, the error, who did it.
type Row = (Of, &'static str, u32, u32, &'static str, &'static str);

const ROWS: &[Row] = &[
    // 486, 600.
    (Of::Outgoing, "busy", 17, 8, "Busy", THEM),
    // 603, 607, 608.
    (Of::Outgoing, "declined", 21, 4, "Rejected", THEM),
    // Rang for long enough; 480; no phone is there.
    (Of::Outgoing, "no-answer", 19, 5, "NoAnswer", THEM),
    (Of::Outgoing, "unavailable", 18, 5, "NoAnswer", THEM),
    (Of::Outgoing, "not-registered", 20, 5, "Offline", NOBODY),
    // 408 of the far end; no sign of life.
    (Of::Outgoing, "timeout", 102, 5, "NoAnswer", NOBODY),
    (Of::Outgoing, "timeout", 18, 11, "NetworkError", NOBODY),
    (Of::Talking, "timeout", 102, 11, "NetworkError", NOBODY),
    // 404, 410, 604; 484.
    (Of::Outgoing, "not-found", 1, 6, "DoesNotExist", NOBODY),
    (Of::Outgoing, "bad-number", 28, 6, "InvalidHandle", NOBODY),
    // 401, 403, 407; 402.
    (Of::Outgoing, "forbidden", 21, 7, "PermissionDenied", NOBODY),
    (Of::Outgoing, "no-credit", 21, 7, "InsufficientBalance", NOBODY),
    // 503; other 5xx.
    (Of::Outgoing, "congestion", 41, 10, "ServiceBusy", NOBODY),
    (Of::Outgoing, "service-error", 41, 10, "ServiceConfused", NOBODY),
    (Of::Outgoing, "stopping", 41, 10, "ServiceBusy", NOBODY),
    (Of::Outgoing, "no-route", 3, 10, "NotAvailable", NOBODY),
    (Of::Outgoing, "line-down", 27, 11, "NetworkError", NOBODY),
    (Of::Talking, "program-gone", 31, 11, "NetworkError", NOBODY),
    // 415, 488, 606.
    (Of::Outgoing, "media", 65, 12, "Media.CodecsIncompatible", NOBODY),
    // 380; no line for 112.
    (Of::Outgoing, "emergency-unavailable", 3, 10, "EmergencyCallsNotSupported", NOBODY),
    // 3xx to nowhere; a transfer.
    (Of::Outgoing, "forwarded", 0, 3, "", NOBODY),
    (Of::Talking, "transferred", 16, 3, "", NOBODY),
    // 487.
    (Of::Outgoing, "cancelled", 0, 2, "Cancelled", US),
    (Of::Incoming, "cancelled", 0, 5, "", THEM),
    // 200 with a reason, and 603 of another phone of ours.
    (Of::Incoming, "answered-elsewhere", 26, 2, "PickedUpElsewhere", US),
    (Of::Incoming, "declined", 21, 4, "Rejected", US),
    (Of::Incoming, "no-answer", 19, 5, "NoAnswer", THEM),
    (Of::Talking, "hung-up", 16, 2, "Terminated", THEM),
    // All others.
    (Of::Outgoing, "error", 127, 9, "Confused", NOBODY),
    (Of::Outgoing, "a-word-of-the-future", 0, 9, "Confused", NOBODY),
];

#[test]
fn why_a_call_ended_is_told_in_telepathys_words() {
    for &(of, word, q850, why, error, who) in ROWS {
        let mut desk = Desk::connected();
        let handler = Handler(1);
        match of {
            Of::Outgoing => {
                handler.ask(&mut desk, "102");
                handler.accept(&mut desk);
                handler.agrees(&mut desk, 0);
                handler.gathers(&mut desk);
            }
            Of::Incoming => somebody_calls(&mut desk, "102", SDP),
            Of::Talking => handler.talking(&mut desk),
        }
        desk.says("Ended", &(LEG, word, 0u32, q850, "so it is"));
        let (state, _, (actor, found, name, words), details) =
            desk.last::<State>("CallStateChanged");
        assert_eq!((state, found), (6, why), "{word}");
        let prefix = if error.is_empty() { "" } else { "org.freedesktop.Telepathy.Error." };
        assert_eq!(name, format!("{prefix}{error}"), "{word}");
        assert_eq!(words, "so it is");
        assert!(details.contains_key("hangup-message"));
        let actor = match actor {
            0 => NOBODY.to_owned(),
            handle => {
                let names: Vec<String> = desk
                    .call(CONNECTION_PATH, CONNECTION, "InspectHandles", &(1u32, vec![handle]))
                    .expect("it is a handle");
                names[0].clone()
            }
        };
        assert_eq!(actor, who, "{word} {of:?}");
    }
}

#[test]
fn every_word_of_the_service_is_in_the_table() {
    for word in EndReason::ALL {
        let is_there = ROWS.iter().any(|row| row.1 == word.as_str());
        assert!(is_there, "{} is not told", word.as_str());
    }
}

#[test]
fn why_a_call_is_not_taken_is_told_to_who_calls() {
    for (why, code) in [
        (0u32, 603u32),
        (2, 603),
        (4, 603),
        (5, 480),
        (6, 404),
        (7, 403),
        (8, 486),
        (9, 480),
        (10, 480),
        (11, 480),
        (12, 488),
        (13, 480),
    ] {
        let mut desk = Desk::connected();
        somebody_calls(&mut desk, "102", SDP);
        Handler(1).channel(&mut desk, CALL, "Hangup", &(why, "", "")).expect("it rings");
        let (_, found, _): (u64, u32, HashMap<String, OwnedValue>) = desk.last("Reject");
        assert_eq!(found, code, "{why}");
    }
}

#[test]
fn who_is_called_instead_is_a_member_instead() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.talking(&mut desk);
    let call = ObjectPath::from_static_str("/org/gnutelephony/SipWitch1/call/1").expect("a path");
    desk.says("PartyChanged", &(LEG, &call, "103", "Cilla"));
    type Changed = (HashMap<u32, u32>, HashMap<u32, String>, Vec<u32>, (u32, u32, String, String));
    let (flags, names, removed, (_, why, _, _)) = desk.last::<Changed>("CallMembersChanged");
    assert_eq!((flags.len(), removed.len(), why), (1, 1, 3));
    assert!(names.values().eq(["103"]), "{names:?}");
    let of = handler.property(&mut desk, CALL, "MemberIdentifiers");
    let of: HashMap<u32, String> = of.try_into().expect("names");
    assert!(of.values().eq(["103"]));
    desk.sent.clear();
    desk.says("PartyChanged", &(LEG, &call, "103", "Cilla"));
    assert!(!desk.members().contains(&"CallMembersChanged".into()), "nothing changed");
    desk.says("Ended", &(LEG, "hung-up", 200u32, 16u32, ""));
    let (_, _, (actor, ..), _) = desk.last::<State>("CallStateChanged");
    assert!(flags.contains_key(&actor), "who is there now hung up");
}

#[test]
fn forwarding_on_the_way_is_a_flag() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    handler.ask(&mut desk, "102");
    handler.accept(&mut desk);
    handler.agrees(&mut desk, 0);
    handler.gathers(&mut desk);
    desk.says("Progress", &(LEG, 0u32, 181u32, "Forwarded", Vec::<u8>::new()));
    let (state, flags, (_, why, _, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, flags, why), (2, 8, 3));
    desk.says("Progress", &(LEG, 0u32, 182u32, "3 before you", Vec::<u8>::new()));
    let (_, _, _, details) = desk.last::<State>("CallStateChanged");
    let message = details["queue-message"].downcast_ref::<String>();
    assert_eq!(message.as_deref(), Ok("3 before you"));
}
