// SPDX-License-Identifier: GPL-3.0-or-later

mod listening;
mod stream;
mod ways;

use std::{net::SocketAddr, time::Duration};

use super::*;
use crate::wire::{Draft, Method, Uri, name};

/// Longer than anything here takes.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn listening(transports: &[Transport], address: &str) -> (Driver, SocketAddr) {
    listening_with(transports, address, DriverSettings::default())
}

pub(super) fn listening_with(
    transports: &[Transport],
    address: &str,
    settings: DriverSettings,
) -> (Driver, SocketAddr) {
    let mut driver = Driver::new(settings);
    let listen =
        Listen { transports: transports.to_vec(), address: address.parse().unwrap(), exact: true };
    let bound = driver.bind(&listen).unwrap();
    (driver, bound[0].1)
}

/// The next thing that comes in.
pub(super) async fn next(driver: &mut Driver) -> Incoming {
    let mut batch = Vec::new();
    tokio::time::timeout(LIMIT, driver.recv(&mut batch)).await.expect("something comes in");
    assert_eq!(batch.len(), 1, "one thing at a time: {batch:?}");
    batch.remove(0)
}

/// Lets a driver do its work while something else happens. It must have nothing to tell.
pub(super) async fn meanwhile<T>(driver: &mut Driver, other: impl Future<Output = T>) -> T {
    let mut batch = Vec::new();
    tokio::select! {
        value = other => value,
        () = driver.recv(&mut batch) => panic!("nothing was to come in: {batch:?}"),
        () = tokio::time::sleep(LIMIT) => panic!("it takes too long"),
    }
}

pub(super) fn message(incoming: Incoming) -> (Flow, String) {
    match incoming {
        Incoming::Message { flow, message: Message::Request(request) } => {
            (flow, String::from_utf8_lossy(request.body()).into_owned())
        }
        other => panic!("a request was to come in: {other:?}"),
    }
}

pub(super) fn request(body: &str) -> Bytes {
    let mut draft = Draft::request(&Method::Message, &Uri::parse("sip:a@b").unwrap());
    draft
        .push(&name::VIA, "SIP/2.0/TCP h;branch=z9hG4bK1")
        .push(&name::FROM, "<sip:a@b>;tag=1")
        .push(&name::TO, "<sip:a@b>")
        .push(&name::CALL_ID, "x")
        .push(&name::CSEQ, "1 MESSAGE");
    draft.body("text/plain", Bytes::copy_from_slice(body.as_bytes()));
    draft.encode()
}

pub(super) fn flow(transport: Transport, local: SocketAddr, remote: SocketAddr) -> Flow {
    Flow { transport, local, remote, connection: None }
}
