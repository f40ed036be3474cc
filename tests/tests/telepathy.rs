// SPDX-License-Identifier: GPL-3.0-or-later
//! Telepathy's own programs, Mission Control and a client by TelepathyGLib, with our connection
//! manager and the running service.

use std::{fs, time::Instant};

use anyhow::ensure;
use sipwitch_tests::peers::{Account, Baresip, Sipp, Telepathy};
use sipwitch_tests::{House, PATIENCE, Result};

#[test]
fn mission_control_connects_the_account_that_needs_no_parameter() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.connect()?;
    let client = &mut telepathy.client;
    client.type_line("contact +49-30-123")?;
    client.wait_for("contact +4930123 presence 7")?;

    // It is a phone of the house, and a busy one when the user is.
    let phones = house.sipwitch(&["phones"])?.1;
    assert!(phones.contains("Telepathy"), "{phones}");
    client.type_line("presence dnd")?;
    client.wait_for("presence 6 dnd")?;

    client.type_line("disconnect")?;
    client.wait_for("status 2 reason 1")?;
    let phones = house.sipwitch(&["phones"])?.1;
    assert!(!phones.contains("Telepathy"), "{phones}");
    Ok(())
}

#[test]
fn an_account_in_a_house_without_an_extension_says_why_it_cannot_connect() -> Result<()> {
    let house = House::plan().build()?;
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.client.type_line("connect")?;
    telepathy.client.wait_for("status 2 reason 0")?;
    Ok(())
}

#[test]
fn the_command_line_makes_shows_and_removes_the_account() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let (status, said) = house.sipwitch(&["telepathy", "setup"])?;
    ensure!(status.code() == Some(3), "without Mission Control it says what is missing: {said}");
    ensure!(said.contains("telepathy-mission-control-5"), "{said}");

    let mut telepathy = Telepathy::start(&house)?;
    let (status, said) = house.sipwitch(&["telepathy", "setup"])?;
    ensure!(status.success(), "{said}");
    telepathy.client.type_line("await")?;
    telepathy.client.wait_for("schemes sip sips tel")?;
    telepathy.client.wait_for("connected as 101 called")?;
    let (_, said) = house.sipwitch(&["telepathy"])?;
    ensure!(said.contains("connected"), "{said}");
    let (_, again) = house.sipwitch(&["telepathy", "setup"])?;
    ensure!(again.contains("was there"), "there is one account: {again}");

    let (status, said) = house.sipwitch(&["telepathy", "remove"])?;
    ensure!(status.success(), "{said}");
    let (_, said) = house.sipwitch(&["telepathy", "status"])?;
    ensure!(said.contains("no account"), "{said}");
    let (status, said) = house.sipwitch(&["telepathy", "remove"])?;
    ensure!(status.code() == Some(1), "{said}");
    Ok(())
}

#[test]
fn the_command_line_says_why_the_account_does_not_connect() -> Result<()> {
    let house = House::plan().extensions(&["101", "102"]).build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let (status, said) = house.sipwitch(&["telepathy", "setup"])?;
    ensure!(status.success(), "{said}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, said) = house.sipwitch(&["telepathy"])?;
        if said.contains("disconnected: no extension that is surely yours") {
            break;
        }
        ensure!(Instant::now() < deadline, "{said}");
    }
    // Mended, and asked for once more.
    let (status, said) = house.sipwitch(&["extensions", "remove", "102"])?;
    ensure!(status.success(), "{said}");
    let (status, said) = house.sipwitch(&["telepathy", "setup"])?;
    ensure!(status.success(), "{said}");
    telepathy.client.type_line("await")?;
    telepathy.client.wait_for("connected as 101")?;
    Ok(())
}

/// The signals of calls that the client has told, in their order.
fn signals(telepathy: &Telepathy) -> Vec<String> {
    let lines = telepathy.client.said.all();
    lines.iter().filter_map(|line| line.strip_prefix("signal ")).map(str::to_owned).collect()
}

#[test]
fn a_call_by_mission_control_rings_talks_holds_and_ends() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    client.wait_for("handling a call to 102")?;
    ensure!(bert.incoming()?.contains("101"), "the phone shows who calls");
    client.wait_for("members 1")?;
    client.wait_for("state 3 flags 0 reason 1")?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("state 4 flags 0 reason 1")?;
    client.wait_for("state 5 flags 0 reason 1")?;
    client.wait_for("heard 50 packets")?;
    bert.hears_more_than(50)?;

    client.type_line("tones 5#")?;
    ensure!(bert.heard_dtmf()? == '5');
    ensure!(bert.heard_dtmf()? == '#');
    client.wait_for("signal StoppedTones")?;

    client.type_line("hold yes")?;
    client.wait_for("hold 1 reason 1")?;
    client.wait_for("state 5 flags 1")?;
    client.type_line("hold no")?;
    client.wait_for("hold 0 reason 1")?;

    bert.hang_up()?;
    client.wait_for("state 6 flags 0 reason 2 org.freedesktop.Telepathy.Error.Terminated")?;
    // When the client says where it is, nobody waits for.
    let mut told = signals(&telepathy);
    told.retain(|signal| signal != "LocalCandidatesAdded");
    let golden = [
        "CallStateChanged",
        "ReceivingStateChanged",
        "ReceivingStateChanged",
        "LocalMediaDescriptionChanged",
        "MediaDescriptionOfferDone",
        "RemoteCandidatesAdded",
        "EndpointsChanged",
        "CallMembersChanged",
        "CallStateChanged",
        "NewMediaDescriptionOffer",
        "CallMembersChanged",
        "CallStateChanged",
        "SendingStateChanged",
        "RemoteMembersChanged",
        "LocalMediaDescriptionChanged",
        "RemoteMediaDescriptionsChanged",
        "MediaDescriptionOfferDone",
        "CallStateChanged",
        "SendingStateChanged",
    ];
    ensure!(told.iter().map(String::as_str).take(golden.len()).eq(golden), "{told:?}");
    Ok(())
}

#[test]
fn a_phone_calls_the_client_which_takes_the_call_and_hangs_up() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    bert.call("101")?;
    client.wait_for("rings from 102")?;
    bert.ringing()?;
    client.type_line("accept")?;
    bert.established()?;
    client.wait_for("state 4 flags 0 reason 2")?;
    client.wait_for("state 5 flags 0 reason 1")?;
    client.wait_for("heard 50 packets")?;
    bert.hears_more_than(50)?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    client.wait_for("signal Closed")?;
    Ok(())
}

#[test]
fn a_call_that_is_not_taken_says_why_on_both_sides() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.hang_up()?;
    bert.closed()?;
    client.wait_for("state 6 flags 0 reason 8 org.freedesktop.Telepathy.Error.Busy")?;
    client.type_line("call 999999")?;
    client.wait_for("state 6 flags 0 reason 10 org.freedesktop.Telepathy.Error.NotAvailable")?;

    bert.call("101")?;
    client.wait_for("rings from 102")?;
    client.type_line("hangup 8")?;
    ensure!(bert.closed()?.contains("486"), "busy is told as busy");
    Ok(())
}

#[test]
fn texts_go_both_ways_and_what_becomes_of_them_is_told() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    let (status, said) = house.sipwitch(&["message", "101", "hello", "--from", "102"])?;
    ensure!(status.success(), "{said}");
    ensure!(said.contains("delivered"), "the channel has it: {said}");
    client.wait_for("text hello")?;
    client.wait_for("writing to 102")?;
    client.type_line("text again")?;
    client.wait_for("report 1")?;
    client.type_line("write 999999")?;
    client.wait_for("writing to 999999")?;
    client.type_line("text nobody")?;
    client.wait_for("report 3")?;
    Ok(())
}

#[test]
fn the_people_of_the_house_are_a_list_that_follows_the_house() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    house.sipwitch(&["extensions", "change", "102", "--name", "Bert"])?;
    let client = &mut telepathy.client;
    client.type_line("people")?;
    client.wait_for("list 3 changes False")?;
    client.wait_for("person 102 called Bert presence 2 state 4 fn=Bert tel=102 text")?;
    client.wait_for("that is all")?;

    house.sipwitch(&["extensions", "change", "102", "--name", "Bertram"])?;
    client.wait_for("person 102 called Bertram")?;
    house.sipwitch(&["extensions", "add", "103", "--name", "Carla"])?;
    client.wait_for("person 103 called Carla presence 1 state 4")?;
    let other = Baresip::of(&house, "103")?;
    client.wait_for("person 103 called Carla presence 2")?;
    drop(other);
    house.sipwitch(&["extensions", "remove", "103"])?;
    client.wait_for("gone 103")?;
    Ok(())
}

#[test]
fn the_numbers_of_help_are_those_of_the_country_and_change_with_it() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("points")?;
    client.wait_for("point urn:service:sos ")?;
    let settings = fs::read_to_string(house.config())?;
    fs::write(house.config(), settings + "[numbers]\nregion = \"CH\"\n")?;
    ensure!(house.sipwitch(&["config", "reload"])?.0.success());
    client.wait_for("point urn:service:sos.police 117")?;
    client.type_line("contact 117")?;
    client.wait_for("contact 117")?;
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_by_telepathys_own_names() -> Result<()> {
    let (_house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    let connection = "Connection";
    let of = |name: &str| format!("Connection.Interface.{name}");
    for (interface, method, values, error) in [
        (connection.to_owned(), "RequestHandles", "(uas) (1,['a b'])", "InvalidHandle"),
        (connection.to_owned(), "InspectHandles", "(uau) (1,[4711])", "InvalidHandle"),
        (connection.to_owned(), "RequestHandles", "(uas) (2,['102'])", "InvalidArgument"),
        (connection.to_owned(), "RequestHandles", "(s) ('102',)", "InvalidArgument"),
        (of("ContactList"), "RequestSubscription", "(aus) ([1],'')", "NotImplemented"),
        (of("ContactList"), "RemoveContacts", "(s) ('x',)", "InvalidArgument"),
        (of("ContactInfo"), "RequestContactInfo", "(u) (4711,)", "InvalidHandle"),
        (of("ContactInfo"), "SetContactInfo", "(a(sasas)) ([],)", "NotImplemented"),
        (of("SimplePresence"), "SetPresence", "(ss) ('asleep','')", "InvalidArgument"),
        (
            of("Addressing1"),
            "GetContactsByVCardField",
            "(sasas) ('x-irc',['a'],[])",
            "NotImplemented",
        ),
        (
            of("Requests"),
            "CreateChannel",
            "(a{sv}) ({'org.freedesktop.Telepathy.Channel.ChannelType':GLib.Variant('s','Nothing')},)",
            "NotImplemented",
        ),
    ] {
        client.type_line(&format!("ask {interface} {method} {values}"))?;
        client.wait_for(&format!("refused org.freedesktop.Telepathy.Error.{error}"))?;
    }
    client.type_line("contact 102")?;
    client.wait_for("contact 102 presence 2")?;
    Ok(())
}

#[test]
fn every_refusal_of_a_phone_is_told_in_telepathys_words() -> Result<()> {
    let table = [
        (402, 7, "InsufficientBalance"),
        (403, 7, "PermissionDenied"),
        (404, 6, "DoesNotExist"),
        (408, 5, "NoAnswer"),
        (420, 9, "Confused"),
        (480, 5, "NoAnswer"),
        (484, 6, "InvalidHandle"),
        (486, 8, "Busy"),
        (488, 12, "Media.CodecsIncompatible"),
        (500, 10, "ServiceConfused"),
        (503, 10, "ServiceBusy"),
        (600, 8, "Busy"),
        (603, 4, "Rejected"),
        (604, 6, "DoesNotExist"),
    ];
    // Each at an extension of its own, named by the status.
    let numbers: Vec<String> = table.iter().map(|(code, ..)| format!("2{code}")).collect();
    let mut extensions: Vec<&str> = numbers.iter().map(String::as_str).collect();
    extensions.push("101");
    let settings = "[dial]\nfrom = \"101\"\n";
    let house = House::plan().settings(settings).extensions(&extensions).build()?;
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.connect()?;
    let client = &mut telepathy.client;
    for ((code, reason, error), number) in table.into_iter().zip(&numbers) {
        let _phone = Sipp::refuse(&Account::new(number, house.at), code)?;
        house.desk().phones(number, 1)?;
        client.type_line(&format!("call {number}"))?;
        client.wait_for(&format!("handling a call to {number}"))?;
        let prefix = if error.is_empty() { "" } else { "org.freedesktop.Telepathy.Error." };
        let told = client.wait_for("state 6")?;
        let expected = format!("state 6 flags 0 reason {reason} {prefix}{error}");
        ensure!(told.trim_end() == expected.trim_end(), "{code}: {told}, not {expected}");
        client.type_line("close")?;
    }
    Ok(())
}

#[test]
fn a_handler_that_dies_in_mid_call_ends_it() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("state 5")?;
    client.type_line("die")?;
    bert.closed()?;
    Ok(())
}

#[test]
fn a_call_begins_with_tones_and_is_muted() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("begin 102 7")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    ensure!(bert.heard_dtmf()? == '7', "it begins with the tone");
    client.wait_for("signal StoppedTones")?;
    client.type_line("press 9")?;
    ensure!(bert.heard_dtmf()? == '9', "tones of the call are sent too");
    client.wait_for("signal StoppedTones")?;
    client.type_line("mute yes")?;
    client.wait_for("mute 2")?;
    client.wait_for("mute 1")?;
    client.type_line("mute no")?;
    client.wait_for("mute 0")?;
    client.type_line("hangup 2")?;
    bert.closed()?;
    Ok(())
}

#[test]
fn who_is_called_is_sent_to_somebody_else() -> Result<()> {
    let settings = "[dial]\nfrom = \"101\"\n";
    let house = House::plan().settings(settings).extensions(&["101", "102", "103"]).build()?;
    let (mut bert, mut cilla) = (Baresip::of(&house, "102")?, Baresip::of(&house, "103")?);
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.connect()?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("state 5")?;
    client.type_line("transfer 103")?;
    cilla.incoming()?;
    cilla.answer()?;
    cilla.established()?;
    client.wait_for("state 6 flags 0 reason 3")?;
    cilla.hears_more_than(10)?;
    bert.goes_on_hearing()?;
    Ok(())
}

#[test]
fn who_is_called_sends_the_client_to_somebody_else() -> Result<()> {
    let settings = "[dial]\nfrom = \"101\"\n";
    let house = House::plan().settings(settings).extensions(&["101", "102", "103"]).build()?;
    let (mut bert, mut cilla) = (Baresip::of(&house, "102")?, Baresip::of(&house, "103")?);
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.connect()?;
    let client = &mut telepathy.client;
    client.type_line("call 102")?;
    bert.incoming()?;
    bert.answer()?;
    bert.established()?;
    client.wait_for("state 5")?;
    bert.transfer("103")?;
    cilla.incoming()?;
    cilla.answer()?;
    client.wait_for("member instead 103")?;
    cilla.established()?;
    cilla.hears_more_than(10)?;
    client.type_line("hangup 2")?;
    cilla.closed()?;
    Ok(())
}
