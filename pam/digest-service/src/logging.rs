// SPDX-License-Identifier: GPL-3.0-or-later
//! What was done goes to the journal where systemd started us, else to standard error.

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::linux::fs::MetadataExt as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

/// Device and inode of the stream that is connected to the journal (systemd.exec(5)).
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// Begins it for the whole process.
pub fn start() {
    let registry = tracing_subscriber::registry().with(LevelFilter::INFO);
    let journal = is_journal_stream().then(tracing_journald::layer);
    let begun = if let Some(Ok(journal)) = journal {
        let journal = journal.with_syslog_identifier("sipwitch-digestd".into());
        tracing::subscriber::set_global_default(
            registry.with(journal.with_field_prefix(Some("SIPWITCH".into()))),
        )
    } else {
        let stderr = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .without_time()
            .with_target(false);
        tracing::subscriber::set_global_default(registry.with(stderr))
    };
    if let Err(error) = begun {
        eprintln!("sipwitch-digestd: nothing is logged: {error}");
    }
}

fn is_journal_stream() -> bool {
    let Ok(variable) = std::env::var(JOURNAL_VARIABLE) else { return false };
    let stderr = std::io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let Ok(meta) = stderr.and_then(|file| file.metadata()) else { return false };
    variable == format!("{}:{}", meta.st_dev(), meta.st_ino())
}
