// SPDX-License-Identifier: GPL-3.0-or-later
use proptest::prelude::*;

use super::{table::rows, *};

#[test]
fn the_table_maps_as_rfc_3398_says() {
    for (q850, sip) in [
        (1, 404),
        (2, 404),
        (3, 404),
        (17, 486),
        (18, 408),
        (19, 480),
        (20, 480),
        (21, 403),
        (22, 410),
        (23, 410),
        (26, 404),
        (27, 502),
        (28, 484),
        (29, 501),
        (31, 480),
        (34, 503),
        (38, 503),
        (41, 503),
        (42, 503),
        (47, 503),
        (55, 403),
        (57, 403),
        (58, 503),
        (65, 488),
        (70, 488),
        (79, 501),
        (87, 403),
        (88, 503),
        (102, 504),
        (111, 500),
        (127, 500),
    ] {
        assert_eq!(Cause::from_q850(q850).sip, sip, "Q.850 {q850}");
    }
    for (sip, q850) in [
        (400, 41),
        (401, 21),
        (402, 21),
        (403, 21),
        (404, 1),
        (405, 63),
        (406, 79),
        (407, 21),
        (408, 102),
        (410, 22),
        (413, 127),
        (414, 127),
        (415, 79),
        (416, 127),
        (420, 127),
        (421, 127),
        (423, 127),
        (480, 18),
        (481, 41),
        (482, 25),
        (483, 25),
        (484, 28),
        (485, 1),
        (486, 17),
        (500, 41),
        (501, 79),
        (502, 38),
        (503, 41),
        (504, 102),
        (505, 127),
        (513, 127),
        (600, 17),
        (603, 21),
        (604, 1),
    ] {
        assert_eq!(Cause::from_sip(sip).q850_or_mapped(), Some(q850), "SIP {sip}");
    }
}

#[test]
fn the_tables_are_sorted_and_hold_no_number_twice() {
    let codes: Vec<_> = rows::sip_codes().map(|row| row.0).collect();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    let values: Vec<_> = rows::q850_values().map(|row| row.0).collect();
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
}

#[test]
fn every_cause_has_words_and_the_specific_ones_speak_first() {
    for code in 0..=1000 {
        assert!(!Cause::from_sip(code).words().what.is_empty(), "{code}");
    }
    for (cause, what) in [
        (Cause::no_answer(), "nobody answered"),
        (Cause::not_registered(), "no phone is registered there"),
        (Cause::from_sip(480), "the person called is not available"),
        (Cause::normal(), "call ended"),
        (Cause::cancelled(), "the caller hung up before anybody answered"),
        (Cause::answered_elsewhere(), "another phone took the call"),
        (Cause::no_line(), "no line leads to this contact"),
        (Cause::busy(), "the person called is busy"),
    ] {
        assert_eq!(cause.words().what, what, "{cause:?}");
    }
    assert_eq!(Cause::busy().sentence(), "the person called is busy: try again later");
    assert_eq!(
        Cause::busy().with_text("Out for lunch").sentence(),
        "Out for lunch: try again later"
    );
}

#[test]
fn reasons_are_written_as_the_standards_show_them() {
    assert_eq!(
        Cause::answered_elsewhere().reason(),
        "SIP;cause=200;text=\"Call completed elsewhere\""
    );
    assert_eq!(Cause::normal().reason(), "Q.850;cause=16");
    assert_eq!(Cause::from_sip(486).q850_reason().as_deref(), Some("Q.850;cause=17"));
    assert_eq!(
        Cause::from_sip(400).with_text("a \"b\" \\ c\r\nX: y").sip_reason(),
        "SIP;cause=400;text=\"a \\\"b\\\" \\\\ c  X: y\""
    );
}

#[test]
fn reasons_are_read_as_other_switches_write_them() {
    for (value, sip, q850, text) in [
        (
            "SIP;cause=200;text=\"Call completed elsewhere\"",
            200,
            Some(26),
            "Call completed elsewhere",
        ),
        ("Q.850;cause=16;text=\"Normal clearing\"", 200, Some(16), "Normal clearing"),
        ("q.850 ; cause=17", 486, Some(17), ""),
        ("SIP ;cause=600 ;text=\"Busy; Everywhere\"", 600, None, "Busy; Everywhere"),
        ("SIP;text=Terminated;cause=487", 487, None, "Terminated"),
    ] {
        let cause = Cause::from_reason(value).expect(value);
        assert_eq!((cause.sip, cause.q850, cause.text.as_str()), (sip, q850, text), "{value}");
    }
    assert!(
        Cause::from_reason("SIP;cause=200;text=\"Call completed elsewhere\"")
            .unwrap()
            .is_answered_elsewhere()
    );
    for (value, error) in [
        ("X.25;cause=1", ParseReasonError::Protocol("X.25".into())),
        ("", ParseReasonError::Protocol(String::new())),
        ("SIP", ParseReasonError::NoCause),
        ("SIP;cause=9000", ParseReasonError::Cause("9000".into())),
        ("Q.850;cause=200", ParseReasonError::Cause("200".into())),
        ("Q.850;cause=", ParseReasonError::Cause(String::new())),
    ] {
        assert_eq!(Cause::from_reason(value), Err(error), "{value}");
    }
}

#[test]
fn a_decline_beats_busy_beats_unavailable_beats_unknown_beats_failure() {
    let order = [603, 486, 480, 404, 408, 500, 503];
    for pair in order.windows(2) {
        let (better, worse) = (Cause::from_sip(pair[0]), Cause::from_sip(pair[1]));
        assert_eq!(worse.clone().preferred(better.clone()), better);
        assert_eq!(better.clone().preferred(worse), better);
    }
}

proptest! {
    #[test]
    fn a_reason_written_is_read_back(sip in 100u16..700, text in "[^\\p{C}]{0,60}") {
        let cause = Cause::from_sip(sip).with_text(text.clone());
        let read = Cause::from_reason(&cause.sip_reason()).unwrap();
        prop_assert_eq!((read.sip, read.text), (sip, text));
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(value in ".{0,300}") {
        let _ = Cause::from_reason(&value);
        if let Ok(cause) = Cause::from_reason(&format!("SIP;{value}")) {
            prop_assert!(!cause.text.chars().any(char::is_control));
        }
        let rendered = Cause::from_sip(400).with_text(value).sip_reason();
        prop_assert!(!rendered.contains(['\r', '\n']));
    }
}

#[test]
fn programs_read_a_stable_word() {
    for (cause, word) in [
        (Cause::normal(), "hung-up"),
        (Cause::cancelled(), "cancelled"),
        (Cause::answered_elsewhere(), "answered-elsewhere"),
        (Cause::transferred(), "transferred"),
        (Cause::owner_left_bus(), "program-gone"),
        (Cause::shutdown(), "stopping"),
        (Cause::no_emergency_line(), "emergency-unavailable"),
        (Cause::from_sip(380), "emergency-unavailable"),
        (Cause::busy(), "busy"),
        (Cause::from_sip(600), "busy"),
        (Cause::from_sip(603), "declined"),
        (Cause::no_answer(), "no-answer"),
        (Cause::not_registered(), "not-registered"),
        (Cause::from_sip(480), "unavailable"),
        (Cause::not_found(), "not-found"),
        (Cause::no_line(), "no-route"),
        (Cause::line_down(), "line-down"),
        (Cause::no_line_up(), "line-down"),
        (Cause::lines_in_use(), "congestion"),
        (Cause::from_sip(503), "congestion"),
        (Cause::timeout(), "timeout"),
        (Cause::media_lost(), "timeout"),
        (Cause::not_a_contact(), "bad-number"),
        (Cause::barred(), "forbidden"),
        (Cause::from_sip(402), "no-credit"),
        (Cause::not_acceptable(), "media"),
        (Cause::from_sip(302), "forwarded"),
        (Cause::from_sip(500), "service-error"),
        (Cause::from_sip(420), "error"),
    ] {
        assert_eq!(cause.word(), word, "{cause:?}");
    }
}
