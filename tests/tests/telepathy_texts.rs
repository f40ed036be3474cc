// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts and hidden numbers in Telepathy's own programs.

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::{
    EndpointProxy,
    wire::{EndpointMessageOptions, EndpointOptions},
};
use sipwitch_tests::Result;
use sipwitch_tests::peers::{Baresip, Telepathy};

#[test]
fn what_was_not_read_comes_again_in_another_connection_of_another_process() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("reading no")?;
    let (status, said) = house.sipwitch(&["message", "101", "unread", "--from", "102"])?;
    ensure!(status.success() && said.contains("delivered"), "{said}");
    client.wait_for("text unread")?;
    client.type_line("disconnect")?;
    client.wait_for("status 2 reason 1")?;
    client.wait_for("presence 1 offline")?;
    client.type_line("reading yes")?;
    client.type_line("online")?;
    client.wait_for("text unread")?;
    client.wait_for("presence 2 available")?;
    // Now it was read.
    client.type_line("disconnect")?;
    client.wait_for("status 2 reason 1")?;
    client.wait_for("presence 1 offline")?;
    client.type_line("online")?;
    client.wait_for("connected as 101")?;
    client.type_line("write 102")?;
    client.wait_for("writing to 102")?;
    let texts = client.said.all().iter().filter(|line| *line == "text unread").count();
    ensure!(texts == 2, "it came {texts} times");
    Ok(())
}

#[test]
fn nothing_unread_is_lost_when_the_connection_manager_or_the_service_is_killed() -> Result<()> {
    let (mut house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    telepathy.client.type_line("reading no")?;
    for text in ["one", "two"] {
        let (_, said) = house.sipwitch(&["message", "101", text, "--from", "102"])?;
        ensure!(said.contains("delivered"), "{said}");
        telepathy.client.wait_for(&format!("text {text}"))?;
    }
    telepathy.kill_bridge(&house)?;
    for text in ["one", "two"] {
        telepathy.client.wait_for(&format!("text {text}"))?;
    }
    house.kill_service()?;
    telepathy.client.wait_for("status 2 reason 2")?;
    house.start_service()?;
    telepathy.client.type_line("reading yes")?;
    for text in ["one", "two"] {
        telepathy.client.wait_for(&format!("text {text}"))?;
    }
    Ok(())
}

#[test]
fn a_text_that_waits_for_a_phone_is_reported_when_it_is_delivered() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    house.sipwitch(&["extensions", "add", "103"])?;
    let client = &mut telepathy.client;
    client.type_line("write 103")?;
    client.wait_for("writing to 103")?;
    client.type_line("text later")?;
    client.wait_for("report 4")?;
    let _carla = Baresip::of(&house, "103")?;
    client.wait_for("report 1")?;
    Ok(())
}

#[test]
fn texts_that_passed_at_another_phone_stand_above_the_conversation() -> Result<()> {
    let (house, _bert, mut telepathy) = Telepathy::with_a_phone()?;
    let _desk_phone = Baresip::of(&house, "101")?;
    let client = &mut telepathy.client;
    client.type_line("disconnect")?;
    client.wait_for("status 2 reason 1")?;
    client.wait_for("presence 1 offline")?;
    let (_, said) = house.sipwitch(&["message", "101", "there", "--from", "102"])?;
    ensure!(said.contains("delivered"), "the phone took it: {said}");
    client.type_line("online")?;
    client.wait_for("connected as 101")?;
    client.type_line("write 102")?;
    client.wait_for("old there")?;
    Ok(())
}

#[test]
fn that_somebody_writes_is_seen_on_both_sides() -> Result<()> {
    let house = Telepathy::house()?;
    let mut telepathy = Telepathy::start(&house)?;
    telepathy.connect()?;
    let client = &mut telepathy.client;

    let desk = house.new_desk()?;
    let options = EndpointOptions { extension: Some("102".into()), ..EndpointOptions::default() };
    let path = desk.wait("a phone", desk.service()?.register_endpoint(&options))??;
    let builder = EndpointProxy::builder(desk.connection()).path(path)?;
    let bert = desk.wait("a proxy", builder.build())??;
    let mut texts = desk.wait("a stream", bert.receive_message_received())??;
    desk.wait("SetAvailable", bert.set_available(true))??;

    client.type_line("write 102")?;
    client.wait_for("writing to 102")?;
    client.type_line("composing 4")?;
    client.wait_for("chat state told")?;
    let told = desk.wait("a text", texts.next())?.context("the bus has gone")?;
    let told = told.args()?;
    ensure!(told.content_type == "application/im-iscomposing+xml", "{}", told.content_type);
    let xml = String::from_utf8(told.content.clone())?;
    ensure!(xml.contains("<state>active</state>"), "{xml}");
    desk.wait("AcceptMessage", bert.accept_message(told.message))??;

    let options =
        EndpointMessageOptions { content_type: Some("application/im-iscomposing+xml".into()) };
    let xml = "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'>\
               <state>active</state></isComposing>";
    desk.wait("SendMessage", bert.send_message("101", xml, &options))??;
    client.wait_for("chat 4")?;
    desk.wait("SendMessage", bert.send_message("101", "done", &Default::default()))??;
    client.wait_for("chat 2")?;
    client.wait_for("text done")?;
    Ok(())
}

#[test]
fn who_hides_the_number_is_not_seen_by_who_is_called() -> Result<()> {
    let (_house, mut bert, mut telepathy) = Telepathy::with_a_phone()?;
    let client = &mut telepathy.client;
    client.type_line("hide 5")?;
    client.wait_for("refused org.freedesktop.Telepathy.Error.NotImplemented")?;
    client.type_line("hide 1")?;
    client.wait_for("hidden 1")?;
    client.type_line("call 102")?;
    client.wait_for("handling a call to 102")?;
    let caller = bert.incoming()?;
    ensure!(caller.contains("anonymous") && !caller.contains("101"), "{caller}");
    bert.hang_up()?;
    client.wait_for("state 6")?;
    Ok(())
}
