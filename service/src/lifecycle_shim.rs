// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories and signals.
#![allow(missing_docs, clippy::all)]
use crate::switchboard::settings::Listening;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal as S, SignalKind, signal};
pub struct Directories { pub state: PathBuf, pub config: PathBuf }
impl Directories {
    pub fn of_user(state: Option<PathBuf>) -> anyhow::Result<Self> {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let var = |name: &str, below: &str| std::env::var_os(name).map_or_else(|| home.join(below), PathBuf::from);
        let state = state.unwrap_or_else(|| var("XDG_STATE_HOME", ".local/state").join("sipwitch"));
        std::fs::create_dir_all(&state)?;
        Ok(Self { state, config: var("XDG_CONFIG_HOME", ".config") })
    }
}
pub enum Signal { Stop, Reload }
pub struct Lifecycle { term: S, int: S, hup: S }
impl Lifecycle {
    pub fn begin(_: &Directories, _: &Path) -> anyhow::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())?, hup: signal(SignalKind::hangup())? })
    }
    pub async fn signal(&mut self) -> Signal {
        tokio::select! { _ = self.term.recv() => Signal::Stop, _ = self.int.recv() => Signal::Stop, _ = self.hup.recv() => Signal::Reload }
    }
    pub fn ready(&mut self, _: &[Listening]) -> anyhow::Result<()> { Ok(()) }
    pub fn reloading(&mut self) {}
    pub fn reloaded(&mut self) {}
    pub fn stopping(&mut self) {}
    pub fn ended(&mut self) {}
}
