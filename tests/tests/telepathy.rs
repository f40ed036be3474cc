// SPDX-License-Identifier: GPL-3.0-or-later
//! Telepathy's own programs, Mission Control and a client by TelepathyGLib, with our connection
//! manager and the running service.

use sipwitch_tests::peers::Telepathy;
use sipwitch_tests::{House, Result};

#[test]
fn mission_control_connects_the_account_that_needs_no_parameter() -> Result<()> {
    let house = House::plan().extensions(&["101"]).build()?;
    let mut telepathy = Telepathy::start(&house)?;
    let client = &mut telepathy.client;
    client.type_line("connect")?;
    client.wait_for("connected as 101 called")?;
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
