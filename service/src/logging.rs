// SPDX-License-Identifier: GPL-3.0-or-later
//! Diagnostics: to the journal under systemd, else to standard error.
//!
//! What must not be read is redacted by its type ([`crate::secret`]), not here.

use std::{
    env,
    io::{self, IsTerminal},
    os::fd::AsFd,
    os::linux::fs::MetadataExt,
};

use tracing::{Subscriber, subscriber::SetGlobalDefaultError};
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt::format::FmtSpan, layer::SubscriberExt, reload,
};

use crate::config::{
    Log,
    word::{LogLevel, LogTarget},
};

/// Overrides the configured level, as in `RUST_LOG=debug`.
pub const LEVEL_VARIABLE: &str = "RUST_LOG";
/// Set by systemd to the device and inode of the stream that is connected to the journal
/// (systemd.exec(5)).
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";
/// The name of our messages in the journal.
const IDENTIFIER: &str = "sipwitchd";

/// Changes the level while the service runs.
#[derive(Debug, Clone)]
pub struct Logging {
    filter: reload::Handle<Targets, Registry>,
    /// Set from the environment, so that a reload of the configuration does not change it.
    is_overridden: bool,
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `target = "journal"`, and there is none.
    #[error("the journal cannot be reached: {0}; set log.target to \"stderr\" or \"auto\"")]
    Journal(io::Error),
    /// Called twice.
    #[error("logging was begun already: {0}")]
    Twice(#[from] SetGlobalDefaultError),
}

/// Where messages really go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    /// The journal, by its own protocol; standard error if that fails and was not asked for.
    Journal {
        is_certain: bool,
    },
    Stderr,
}

impl Logging {
    /// Begins logging for the whole process.
    ///
    /// # Errors
    ///
    /// If the journal was asked for and is not there, or logging was begun before.
    pub fn start(log: &Log) -> Result<Self, LoggingError> {
        let variable = env::var(LEVEL_VARIABLE).ok();
        let (level, complaint) = level(&log.level, variable.as_deref());
        let (filter, handle) = reload::Layer::new(level.targets().clone());
        let registry = tracing_subscriber::registry().with(filter);
        match sink(log.target, is_journal_stream()) {
            Sink::Stderr => begin(registry.with(stderr_layer()))?,
            Sink::Journal { is_certain } => match tracing_journald::layer() {
                Ok(journal) => {
                    let journal = journal
                        .with_syslog_identifier(IDENTIFIER.into())
                        .with_field_prefix(Some("SIPWITCH".into()));
                    begin(registry.with(journal))?;
                }
                Err(error) if is_certain => return Err(LoggingError::Journal(error)),
                Err(_) => begin(registry.with(stderr_layer()))?,
            },
        }
        if let Some(complaint) = complaint {
            tracing::warn!("{LEVEL_VARIABLE} is ignored: {complaint}");
        }
        let is_overridden = variable.is_some_and(|text| text.parse::<LogLevel>().is_ok());
        Ok(Self { filter: handle, is_overridden })
    }

    /// Takes a level from a configuration that was read again. The environment still comes first.
    pub fn apply(&self, log: &Log) {
        if self.is_overridden {
            return;
        }
        // Fails only when the subscriber is gone, and with it all that could be said.
        let _ = self.filter.reload(log.level.targets().clone());
    }
}

fn begin(subscriber: impl Subscriber + Send + Sync) -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(subscriber)
}

fn stderr_layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_span_events(FmtSpan::NONE)
}

/// The level in force, and what is wrong with the variable if it cannot be used.
fn level(configured: &LogLevel, variable: Option<&str>) -> (LogLevel, Option<String>) {
    match variable.filter(|text| !text.is_empty()).map(str::parse::<LogLevel>) {
        None => (configured.clone(), None),
        Some(Ok(level)) => (level, None),
        Some(Err(complaint)) => (configured.clone(), Some(complaint)),
    }
}

const fn sink(target: LogTarget, is_journal_stream: bool) -> Sink {
    match (target, is_journal_stream) {
        (LogTarget::Journal, _) => Sink::Journal { is_certain: true },
        (LogTarget::Auto, true) => Sink::Journal { is_certain: false },
        (LogTarget::Auto, false) | (LogTarget::Stderr, _) => Sink::Stderr,
    }
}

/// Whether our standard error is the stream that systemd connected to the journal. The variable
/// alone says nothing: it is inherited by whatever a service starts with another standard error.
fn is_journal_stream() -> bool {
    let Ok(stream) = env::var(JOURNAL_VARIABLE) else { return false };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    let Ok(here) = std::fs::File::from(stderr).metadata() else { return false };
    names_stream(&stream, here.st_dev(), here.st_ino())
}

fn names_stream(stream: &str, device: u64, inode: u64) -> bool {
    let numbers = stream.split_once(':');
    let numbers = numbers.map(|(device, inode)| (device.parse(), inode.parse()));
    numbers == Some((Ok(device), Ok(inode)))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::Level;

    use super::*;
    use crate::secret::{Redacted, Secret};

    #[test]
    fn the_journal_is_used_where_it_listens() {
        for (target, is_journal_stream, expected) in [
            (LogTarget::Auto, false, Sink::Stderr),
            (LogTarget::Auto, true, Sink::Journal { is_certain: false }),
            (LogTarget::Journal, false, Sink::Journal { is_certain: true }),
            (LogTarget::Stderr, true, Sink::Stderr),
        ] {
            assert_eq!(sink(target, is_journal_stream), expected);
        }
        assert!(names_stream("8:1234", 8, 1234));
        for other in ["8:1235", "9:1234", "8", "", "8:x", "-8:1234"] {
            assert!(!names_stream(other, 8, 1234), "{other}");
        }
    }

    #[test]
    fn the_environment_comes_first_unless_it_makes_no_sense() {
        let configured: LogLevel = "warn".parse().unwrap();
        assert_eq!(level(&configured, None).0.as_str(), "warn");
        assert_eq!(level(&configured, Some("")).0.as_str(), "warn");
        assert_eq!(level(&configured, Some("debug,zbus=warn")).0.as_str(), "debug,zbus=warn");
        let (level, complaint) = level(&configured, Some("loud"));
        assert_eq!(level.as_str(), "warn");
        assert!(complaint.unwrap().contains("\"loud\" is no level"));
    }

    #[test]
    fn answers_of_name_servers_are_not_logged_unless_that_is_wanted() {
        let (net, resolver) = ("hickory_net::dnssec", "hickory_resolver");
        let says = |text: &str, part: &str, level: Level| {
            let level_of_log: LogLevel = text.parse().unwrap();
            level_of_log.targets().would_enable(part, &level)
        };
        assert!(!LogLevel::default().targets().would_enable(net, &Level::WARN));
        for text in ["info", "trace", "warn,sipwitch_sip=trace"] {
            assert!(says(text, net, Level::ERROR) && !says(text, net, Level::WARN), "{text}");
            assert!(!says(text, resolver, Level::WARN), "{text}");
            assert!(says(text, "sipwitch_sip", Level::WARN), "{text}");
        }
        for text in ["off", "sipwitch_sip=debug"] {
            assert!(!says(text, net, Level::ERROR), "{text}");
        }
        assert!(says("info,hickory=debug", resolver, Level::DEBUG));
        assert!(says("info,hickory_net=debug", net, Level::DEBUG));
        assert!(!says("info,hickory_net=debug", resolver, Level::WARN));
    }

    #[derive(Clone, Default)]
    struct Sheet(Arc<Mutex<Vec<u8>>>);

    impl Write for Sheet {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn levels_change_while_running_and_secrets_stay_secret() {
        let sheet = Sheet::default();
        let (filter, handle) = reload::Layer::new(LogLevel::default().targets().clone());
        let writer = sheet.clone();
        let lines =
            tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(lines);
        let logging = Logging { filter: handle, is_overridden: false };
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("before");
            let password = Secret::new("hunter2".to_owned());
            tracing::info!(?password, number = %Redacted("+4930123478"), "dialled");
            logging.apply(&Log { level: "debug".parse().unwrap(), ..Log::default() });
            tracing::debug!("after");
        });
        let text = String::from_utf8(sheet.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("password=Secret(…) number=+49…78"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("0123"), "{text}");
        assert!(text.contains("after") && !text.contains("before"), "{text}");
    }
}
