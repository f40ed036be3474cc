// SPDX-License-Identifier: GPL-3.0-or-later
//! The house in which SIP Witch is tested: a private bus, the service itself, and foreign peers.
//!
//! * [`House`] is a service with directories, addresses and a bus of its own, so that tests run side
//!   by side. It is ended, and its log shown if the test failed, when the value is dropped.
//! * [`peers`] drives programs other people wrote, each by its own interface.
//! * [`Program`] is a child process whose output lines are events one can wait for.
//!
//! A scenario says who is there and what happens:
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use sipwitch_tests::House;
//! use sipwitch_tests::peers::{Account, Baresip};
//!
//! let house = House::plan().extensions(&["101", "102"]).build()?;
//! let mut anna = Baresip::start(&Account::new("101", house.at))?;
//! let mut bert = Baresip::start(&Account::new("102", house.at))?;
//! anna.registered()?;
//! bert.registered()?;
//! let call = house.desk().dial("101", "102")?;
//! anna.incoming()?;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here sleeps to give somebody a moment: everything waits for an event, with a deadline.
//! A foreign program that is not installed fails the test and names the package; it never passes
//! silently. All traffic stays on loopback, or in a [`Network`] that is gone with the test.

pub mod authority;
pub mod bus;
pub mod command_line;
pub mod desk;
pub mod digests;
pub mod house;
pub mod net;
pub mod network;
pub mod peers;
pub mod program;
pub mod screen;
pub mod session;
pub mod system_bus;
pub mod terminal;
pub mod transcript;

pub use authority::Authority;
pub use bus::PrivateBus;
pub use command_line::CommandLine;
pub use desk::Desk;
pub use digests::{DigestClient, DigestMachine};
pub use house::House;
pub use network::{Host, Network};
pub use program::Program;
pub use screen::Screen;
pub use system_bus::SystemBus;
pub use terminal::Terminal;
pub use transcript::Transcript;

use std::time::Duration;

/// How long anything may take before a test gives up: generous, for machines that are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What went wrong, for the one who reads the failed test.
pub type Result<T> = anyhow::Result<T>;

/// Simulated phones speak in plain words, tests in errors.
pub trait Plain<T> {
    /// The same, as an error of a test.
    ///
    /// # Errors
    /// What went wrong, in the same words.
    fn plain(self) -> Result<T>;
}

impl<T> Plain<T> for sipwitch_simulators::Result<T> {
    fn plain(self) -> Result<T> {
        self.map_err(anyhow::Error::msg)
    }
}
