// SPDX-License-Identifier: GPL-3.0-or-later
//! What the service manager is told (sd_notify(3)). Without one, nothing happens.

use sd_notify::NotifyState;

/// SIP is heard, the name on the bus is ours.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // systemd pairs a reload with its request by the time.
        Ok(time) => tell(&[NotifyState::Reloading, time]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// Words for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// Calls are being ended.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("ending calls")]);
}

/// Each line of the message is a statement of its own, so that words must not break it.
fn one_line(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

    use tempfile::TempDir;

    use super::*;

    /// The variable belongs to the whole process, so this runs in one of its own.
    #[test]
    #[ignore = "the other half of the_manager_hears_each_state"]
    fn tell_everything() {
        ready("on udp:127.0.0.1:5060\nREADY=0");
        reloading();
        stopping();
    }

    #[test]
    fn the_manager_hears_each_state() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let test = "lifecycle::manager::tests::tell_everything";
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", test])
            .env("NOTIFY_SOCKET", &path)
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        let heard = || {
            let mut bytes = [0; 512];
            let length = socket.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        assert_eq!(heard(), "READY=1\nSTATUS=on udp:127.0.0.1:5060 READY=0\n");
        let reloading = heard();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(heard(), "STOPPING=1\nSTATUS=ending calls\n");
    }
}
