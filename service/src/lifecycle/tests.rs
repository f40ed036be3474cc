// SPDX-License-Identifier: GPL-3.0-or-later

use std::{fs, time::Duration};

use sipwitch_sip::flow::Transport;
use tempfile::TempDir;

use super::*;

#[test]
fn a_life_from_lock_to_end() {
    let home = TempDir::new().unwrap();
    let directories = Directories {
        config: home.path().join("config"),
        data: Vec::new(),
        state: home.path().join("state"),
        runtime: home.path().join("run"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = directories.config_file();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut life = Lifecycle::begin(&directories, &file).unwrap();
        let second = Lifecycle::begin(&directories, &file).unwrap_err();
        assert!(matches!(second, BeginError::Lock(LockError::Held { .. })), "{second}");
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);

        let address = "127.0.0.1:5060".parse().unwrap();
        life.ready(&[Listening { transport: Transport::Udp, address }]).unwrap();
        let published = directories.runtime.join("addresses");
        assert_eq!(fs::read_to_string(&published).unwrap(), "udp:127.0.0.1:5060\n");

        fs::write(&file, "[log]").unwrap();
        let deadline = Duration::from_secs(20);
        let signal = tokio::time::timeout(deadline, life.signal()).await.expect("in time");
        assert_eq!(signal, Signal::Reload, "a change of the file asks for a reload");

        life.ended();
        assert!(!published.exists());
        drop(life);
        Lifecycle::begin(&directories, &file).unwrap();
    });
}

#[test]
fn a_runtime_folder_that_cannot_be_written_is_named() {
    let home = TempDir::new().unwrap();
    let blocked = home.path().join("file");
    fs::write(&blocked, "").unwrap();
    let directories = Directories {
        config: home.path().to_owned(),
        data: Vec::new(),
        state: home.path().join("state"),
        runtime: blocked.join("run"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut life = Lifecycle::begin(&directories, &directories.config_file()).unwrap();
        let error = life.ready(&[]).unwrap_err();
        assert!(error.to_string().contains("file/run"), "{error}");
    });
}
