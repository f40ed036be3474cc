// SPDX-License-Identifier: GPL-3.0-or-later
//! What we show equals what the XML promises. The rest needs a bus, which says who calls: it is in
//! tests/tests/digestd.rs.

use std::sync::Arc;

use sipwitch_dbus_interfaces::{contract, digest};
use tokio::net::UnixStream;
use zbus::fdo::IntrospectableProxy;
use zbus::{Guid, connection};

use super::Digest;
use crate::books::Books;
use crate::keeper::Keeper;

#[tokio::test]
async fn introspection_equals_the_xml() {
    let object = Digest {
        books: Books::default(),
        keeper: Arc::new(Keeper::new(None)),
        algorithms: Vec::new(),
    };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = connection::Builder::unix_stream(ours)
        .server(Guid::generate())
        .unwrap()
        .p2p()
        .serve_at(digest::PATH, object)
        .unwrap()
        .build();
    let client = connection::Builder::unix_stream(theirs).p2p().build();
    let (_server, client) = tokio::try_join!(server, client).unwrap();
    let proxy = IntrospectableProxy::builder(&client)
        .destination(digest::BUS_NAME)
        .unwrap()
        .path(digest::PATH)
        .unwrap()
        .build()
        .await
        .unwrap();
    let mut shown = contract::read(&proxy.introspect().await.unwrap()).unwrap();
    shown.retain(|name, _| !name.starts_with("org.freedesktop.DBus."));
    assert_eq!(shown, contract::digest_master());
}
