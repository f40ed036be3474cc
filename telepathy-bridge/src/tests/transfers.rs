// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use zbus::zvariant::OwnedValue;

use super::{
    desk::{CONNECTION, CONNECTION_PATH, Desk, LEG},
    handler::*,
};

const TRANSFER: &str = "org.freedesktop.Telepathy.Channel.Interface.Transfer";

fn handle(desk: &mut Desk, id: &str) -> u32 {
    let found: Vec<u32> = desk
        .call(CONNECTION_PATH, CONNECTION, "RequestHandles", &(1u32, vec![id]))
        .expect("a contact");
    found[0]
}

fn error(name: &str) -> Result<(), String> {
    Err(format!("org.freedesktop.Telepathy.Error.{name}"))
}

#[test]
fn who_one_talks_with_is_sent_to_somebody_else() {
    let mut desk = Desk::connected();
    let handler = Handler(1);
    let (bert, cilla) = (handle(&mut desk, "102"), handle(&mut desk, "103"));
    handler.ask(&mut desk, "102");
    let early = handler.channel(&mut desk, TRANSFER, "Transfer", &(bert, cilla));
    assert_eq!(early, error("NotAvailable"));
    handler.channel(&mut desk, CHANNEL, "Close", &()).expect("once");

    let handler = Handler(2);
    handler.talking(&mut desk);
    let stranger = handler.channel(&mut desk, TRANSFER, "Transfer", &(cilla, cilla));
    assert_eq!(stranger, error("InvalidHandle"));
    let nobody = handler.channel(&mut desk, TRANSFER, "Transfer", &(bert, 4711u32));
    assert_eq!(nobody, error("InvalidHandle"));
    let nowhere = handle(&mut desk, "999");
    let nowhere = handler.channel(&mut desk, TRANSFER, "Transfer", &(bert, nowhere));
    assert_eq!(nowhere, error("NotAvailable"));

    handler.channel(&mut desk, TRANSFER, "Transfer", &(bert, cilla)).expect("they talk");
    let (leg, contact, options): (u64, String, HashMap<String, OwnedValue>) = desk.last("Transfer");
    assert_eq!((leg, contact.as_str(), options.len()), (LEG, "103", 0));
    desk.says("Ended", &(LEG, "transferred", 200u32, 16u32, ""));
    let (state, _, (_, why, _, _), _) = desk.last::<State>("CallStateChanged");
    assert_eq!((state, why), (6, 3));
}
