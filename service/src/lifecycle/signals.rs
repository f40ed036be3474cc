// SPDX-License-Identifier: GPL-3.0-or-later
//! Signals: SIGTERM and SIGINT stop the service in order, SIGHUP reads the configuration again.

use std::io;

use tokio::{
    signal::unix::{self, SignalKind},
    sync::mpsc,
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Read the configuration again.
    Reload,
    /// End all calls, unregister nothing, and end. When it comes a second time: end at once.
    Stop,
}

/// The signals of the process, heard by a task of its own: whoever waits for much else besides asks
/// one channel, and not the system three times, each time round.
#[derive(Debug)]
pub struct Signals(mpsc::Receiver<Signal>);

/// Signals that may wait to be heeded; others wait in the system, each kind once.
const WAITING: usize = 4;

impl Signals {
    /// Takes them over from the system, which would end the process. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn take() -> io::Result<Self> {
        let mut hangup = unix::signal(SignalKind::hangup())?;
        let mut interrupt = unix::signal(SignalKind::interrupt())?;
        let mut terminate = unix::signal(SignalKind::terminate())?;
        let (tell, told) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    biased;
                    _ = terminate.recv() => Signal::Stop,
                    _ = interrupt.recv() => Signal::Stop,
                    _ = hangup.recv() => Signal::Reload,
                };
                if tell.send(signal).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self(told))
    }

    /// Waits for the next. May be dropped and asked again without losing one.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            // The runtime ends.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
        time::Duration,
    };

    use nix::{
        sys::signal::{self, kill},
        unistd::Pid,
    };

    use super::*;

    /// A signal meets the whole process, so this runs in one of its own.
    #[test]
    #[ignore = "the other half of signals_stop_and_reload"]
    fn hear_three() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = Signals::take().unwrap();
            println!("\nlistening");
            for _ in 0..3 {
                let deadline = Duration::from_secs(20);
                match tokio::time::timeout(deadline, signals.next()).await {
                    Ok(signal) => println!("heard {signal:?}"),
                    // Nobody sends any when all ignored tests are asked for.
                    Err(_) => return,
                }
            }
        });
    }

    #[test]
    fn signals_stop_and_reload() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "lifecycle::signals::tests::hear_three"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "listening"));
        for (signal, heard) in [
            (signal::SIGHUP, "heard Reload"),
            (signal::SIGINT, "heard Stop"),
            (signal::SIGTERM, "heard Stop"),
        ] {
            kill(pid, signal).unwrap();
            assert_eq!(lines.next().as_deref(), Some(heard));
        }
        assert!(child.wait().unwrap().success());
    }
}
