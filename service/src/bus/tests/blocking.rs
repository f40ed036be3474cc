// SPDX-License-Identifier: GPL-3.0-or-later
//! The list of blocked callers on the bus.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::{
    BlockingProxy, Error,
    wire::{BlockOptions, BlockedInfo},
};
use zbus::zvariant::Value;

use super::house::{House, phone, soon, world};
use crate::switchboard::{
    ask::{Ask, BlockingAsk, Refusal},
    notice::{BlockedChange, BlockedView, Notice, World},
};

fn view(caller: &str, reason: &str) -> BlockedView {
    BlockedView { caller: caller.into(), reason: reason.into(), since_us: 7_000 }
}

fn info(caller: &str, reason: &str) -> BlockedInfo {
    BlockedInfo { caller: caller.into(), reason: reason.into(), since_microseconds: 7_000 }
}

fn changed(blocked: &[BlockedView], unblocked: &[&str]) -> Notice {
    let unblocked = unblocked.iter().map(|&caller| caller.to_owned()).collect();
    Notice::Blocked(Box::new(BlockedChange { blocked: blocked.to_vec(), unblocked }))
}

#[tokio::test]
async fn callers_are_blocked_and_the_change_is_told_before_the_answer() {
    let mut house = House::new(world()).await;
    let client = house.client.clone();
    let asking = tokio::spawn(async move {
        let blocking = BlockingProxy::new(&client).await?;
        let mut changes = blocking.receive_blocked_changed().await?;
        let options = BlockOptions { reason: Some("sells".into()) };
        assert_eq!(blocking.add(&["0900 1234567"], &options).await?, ["+499001234567"]);
        // It came before the answer, so that it is there.
        let change = changes.next().await.expect("told");
        let change = change.args()?;
        assert_eq!(change.blocked, [info("+499001234567", "sells")]);
        assert_eq!(change.unblocked, Vec::<String>::new());
        assert_eq!(blocking.list().await?, [info("+499001234567", "sells")]);
        assert_eq!(blocking.check(&["102", "x"]).await?, ["", "+49*"]);
        assert_eq!(blocking.remove(&["+499001234567"]).await?, ["+499001234567"]);
        let refused = blocking.add(&["*"], &BlockOptions::default()).await;
        assert_eq!(refused, Err(Error::BadContact("everybody".into())));
        Ok::<_, Error>(())
    });
    match house.asked().await {
        Ask::Blocking(BlockingAsk::Add { callers, reason, reply }) => {
            assert_eq!((callers, reason.as_str()), (vec!["0900 1234567".to_owned()], "sells"));
            house.tell(changed(&[view("+499001234567", "sells")], &[]));
            reply.send(Ok(vec!["+499001234567".into()])).expect("waits");
        }
        other => panic!("asked {other:?}"),
    }
    match house.asked().await {
        Ask::Blocking(BlockingAsk::List { reply }) => {
            reply.send(Ok(vec![view("+499001234567", "sells")])).expect("waits");
        }
        other => panic!("asked {other:?}"),
    }
    match house.asked().await {
        Ask::Blocking(BlockingAsk::Check { callers, reply }) => {
            assert_eq!(callers, ["102", "x"]);
            reply.send(Ok(vec![String::new(), "+49*".into()])).expect("waits");
        }
        other => panic!("asked {other:?}"),
    }
    match house.asked().await {
        Ask::Blocking(BlockingAsk::Remove { callers, reply }) => {
            house.tell(changed(&[], &["+499001234567"]));
            reply.send(Ok(callers)).expect("waits");
        }
        other => panic!("asked {other:?}"),
    }
    match house.asked().await {
        Ask::Blocking(BlockingAsk::Add { reply, .. }) => {
            reply.send(Err(Refusal::BadContact("everybody".into()))).expect("waits");
        }
        other => panic!("asked {other:?}"),
    }
    assert_eq!(soon(asking).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn an_unknown_option_of_it_never_reaches_the_switchboard() {
    let mut house = House::new(world()).await;
    let blocking = BlockingProxy::new(&house.client).await.expect("a proxy");
    let options = HashMap::from([("why", Value::from("x"))]);
    let refused: zbus::Result<Vec<String>> =
        soon(blocking.inner().call("Add", &(vec!["102"], options))).await;
    assert_eq!(
        Error::from(refused.expect_err("refused")),
        Error::BadValue("Add knows no \"why\"; it knows reason".into())
    );
    assert!(house.asks.try_recv().is_err(), "nothing was asked");
}

#[tokio::test]
async fn what_a_slow_bus_lost_of_the_list_is_told_when_it_is_shown_the_world_anew() {
    let blocked = vec![view("+49900*", ""), view("anonymous", ""), view("bob@example.org", "")];
    let mut house = House::with_room(World { blocked, ..World::default() }, 4).await;
    house.tell(changed(&[view("eve@example.org", "")], &["anonymous"]));
    for _ in 0..8 {
        house.tell(Notice::Phone(phone(3)));
    }
    assert!(matches!(house.asked().await, Ask::EndpointsLost));
    assert!(matches!(house.asked().await, Ask::Announce));
    let blocked =
        vec![view("+49900*", ""), view("bob@example.org", "new"), view("eve@example.org", "")];
    house.tell(Notice::World(Box::new(World { blocked, ..World::default() })));
    house.tell(changed(&[], &["+49900*"]));
    loop {
        let (_, member, message) = house.signal().await;
        if member == "BlockedChanged" {
            let (blocked, unblocked): (Vec<BlockedInfo>, Vec<String>) =
                message.body().deserialize().expect("readable");
            let wanted = [info("bob@example.org", "new"), info("eve@example.org", "")];
            assert_eq!(blocked, wanted);
            assert_eq!(unblocked, ["anonymous"]);
            break;
        }
    }
    let (_, member, message) = house.signal().await;
    assert_eq!(member, "BlockedChanged");
    let (_, unblocked): (Vec<BlockedInfo>, Vec<String>) =
        message.body().deserialize().expect("readable");
    assert_eq!(unblocked, ["+49900*"]);
}
