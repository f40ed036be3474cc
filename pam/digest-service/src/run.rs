// SPDX-License-Identifier: GPL-3.0-or-later
//! Serves until nobody asks any more, or until it is told to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use sipwitch_dbus_interfaces::digest::{BUS_NAME, PATH};
use sipwitch_digest_store::Algorithm;
use tokio::signal::unix::{SignalKind, signal};
use zbus::fdo::RequestNameFlags;
use zbus::{Connection, MessageStream, connection};

use crate::arguments::Arguments;
use crate::books::Books;
use crate::bus::Digest;
use crate::keeper::Keeper;

/// What has arrived when the name is given up is still answered; so long it may take to be taken in.
const LAST_CALLS: Duration = Duration::from_millis(200);
/// How long a change that is being written may take, when we are told to end.
const LAST_CHANGE: Duration = Duration::from_secs(6);

/// Serves.
///
/// # Errors
/// There is no bus, or the name is somebody else's.
pub fn run(arguments: &Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(serve(arguments));
    // A change that is being written is not cut short, though nobody hears of it any more.
    runtime.shutdown_timeout(LAST_CHANGE);
    done
}

async fn serve(arguments: &Arguments) -> Result<()> {
    let asked = |algorithm: &Algorithm| arguments.algorithms.contains(algorithm);
    let books = Books::default();
    let digest = Digest {
        books: books.clone(),
        keeper: Arc::new(Keeper::new(arguments.db.as_deref())),
        algorithms: Algorithm::ALL.into_iter().filter(asked).collect(),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let connection = connection::Builder::system()?
        .serve_at(PATH, digest)?
        .build()
        .await
        .context("the system bus cannot be reached")?;
    let mut messages = MessageStream::from(&connection);
    connection
        .request_name_with_flags(BUS_NAME, RequestNameFlags::DoNotQueue.into())
        .await
        .with_context(|| format!("{BUS_NAME} is not ours: is another one running?"))?;

    let idle = Duration::from_secs(arguments.idle_seconds);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(_)) => heard = Instant::now(),
                _ => bail!("the system bus is gone"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep_until((heard + idle).into()) => {
                let now = Instant::now();
                if books.are_empty(now) {
                    break;
                }
                heard = now; // look again after as long
            }
        }
    }
    leave(&connection, &mut messages).await
}

/// Gives the name up first: who asks from then on starts another one of us.
async fn leave(connection: &Connection, messages: &mut MessageStream) -> Result<()> {
    connection.release_name(BUS_NAME).await?;
    while let Ok(Some(Ok(_))) = tokio::time::timeout(LAST_CALLS, messages.next()).await {}
    Ok(())
}
