// SPDX-License-Identifier: GPL-3.0-or-later
//! What other programs on the system bus know of the network: NetworkManager, that it switched, and
//! logind, that the machine slept. Both may be absent; nothing depends on them alone.

use futures_util::{Stream, StreamExt, stream};
use zbus::{Connection, MatchRule, Message, MessageStream, message};

use super::Hint;

/// The signals that are hints, and when they are none.
const NETWORK_MANAGER: (&str, &str, &str) =
    ("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "StateChanged");
const LOGIND: (&str, &str, &str) =
    ("org.freedesktop.login1.Manager", "/org/freedesktop/login1", "PrepareForSleep");

/// Hears the hints that come on this bus, for as long as it stands.
///
/// # Errors
/// If the bus does not take the match rules.
pub async fn listen(system_bus: &Connection) -> zbus::Result<impl Stream<Item = Hint> + Unpin> {
    let network = signals(system_bus, NETWORK_MANAGER).await?;
    let sleep = signals(system_bus, LOGIND).await?;
    Ok(stream::select(network, sleep)
        .filter_map(|message| std::future::ready(message.ok().as_ref().and_then(hint_of))))
}

async fn signals(
    bus: &Connection,
    (interface, path, member): (&str, &str, &str),
) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .interface(interface)?
        .path(path)?
        .member(member)?
        .build();
    MessageStream::for_match_rule(rule, bus, Some(16)).await
}

fn hint_of(message: &Message) -> Option<Hint> {
    let header = message.header();
    match header.member()?.as_str() {
        "StateChanged" => Some(Hint::Network),
        // True says that it is about to sleep; there is nothing to do then.
        "PrepareForSleep" => (!message.body().deserialize::<bool>().ok()?).then_some(Hint::Resumed),
        _ => None,
    }
}
