// SPDX-License-Identifier: GPL-3.0-or-later
//! The shell: the session bus, the clock, and the loop.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use sipwitch_idle::Rest;
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};
use zbus::MessageStream;

use crate::{bridge::Bridge, protocol::MANAGER_BUS_NAME, service::PRIMARY_OWNER};

/// Says more: `RUST_LOG=debug`.
const LEVEL_VARIABLE: &str = "RUST_LOG";
/// Messages that wait for us. The bus keeps the others.
const QUEUE: usize = 1024;

/// Serves until nobody has needed us for a while, or the bus has gone.
pub(crate) fn run() -> anyhow::Result<()> {
    start_logging();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve())
}

fn start_logging() {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok());
    let level = level.unwrap_or(tracing::level_filters::LevelFilter::WARN);
    let filter = Targets::new().with_target("telepathy_sipwitch", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry().with(layer).with(filter).init();
}

async fn serve() -> anyhow::Result<()> {
    let bus = zbus::connection::Builder::session()?
        .max_queued(QUEUE)
        .build()
        .await
        .context("there is no session bus")?;
    let mut bridge = Bridge::new(Instant::now());
    // Objects first, name after: whoever finds the name is heard.
    let mut messages = MessageStream::from(&bus);
    let dbus = "org.freedesktop.DBus";
    let taken = bus
        .call_method(
            Some(dbus),
            "/org/freedesktop/DBus",
            Some(dbus),
            "RequestName",
            &(MANAGER_BUS_NAME, 4u32),
        )
        .await?;
    if taken.body().deserialize::<u32>()? != PRIMARY_OWNER {
        bail!("another program has the name {MANAGER_BUS_NAME}");
    }
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut rest = Rest::after(Instant::now());
    while !bridge.is_over() {
        let deadline = [bridge.next_deadline(), rest.deadline()].into_iter().flatten().min();
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(message)) => {
                    let now = Instant::now();
                    rest.stirred(now);
                    bridge.receive(&message, now, wall_clock());
                }
                Some(Err(error)) => bail!("the session bus has gone: {error}"),
                None => return Ok(()),
            },
            () = until(deadline) => {
                let now = Instant::now();
                if bridge.next_deadline().is_some_and(|due| due <= now) {
                    rest.stirred(now);
                    bridge.handle_deadline(now);
                }
            }
            _ = terminated.recv() => return Ok(()),
        }
        while let Some(message) = bridge.poll() {
            bus.send(&message).await?;
        }
        if rest.has_come(Instant::now()) {
            sipwitch_idle::let_program_go();
        }
    }
    Ok(())
}

/// Waits for a time; for ever where there is none, so that an idle process sleeps.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
