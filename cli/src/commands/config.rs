// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch config`

use std::{path::PathBuf, process::Command};

use serde_json::json;

use crate::{
    arguments::Config,
    failure::Failure,
    output::{Mood, Output},
    service::Service,
};

/// Looks after the configuration file.
pub(crate) async fn run(command: &Config, system: bool, output: &Output) -> Result<(), Failure> {
    match command {
        Config::Check { file: Some(file) } => check(file.clone(), output),
        Config::Check { file: None } => {
            let file = file_in_use(system).await?;
            if file.is_empty() {
                output.value(&json!({ "file": null, "valid": true }));
                output.line("no configuration file is in use: the defaults hold");
                return Ok(());
            }
            if !std::path::Path::new(&file).exists() {
                output.value(&json!({ "file": file, "exists": false, "valid": true }));
                output.line(format!("{file} does not exist: the defaults hold"));
                return Ok(());
            }
            check(file.into(), output)
        }
        Config::Reload => {
            let restart = Service::connect(system).await?.proxy.reload().await?;
            output.value(&json!({ "reloaded": true, "needs-restart": restart }));
            output.line(output.paint(Mood::Good, "read again"));
            for line in &restart {
                output.line(format!("  {line}"));
            }
            Ok(())
        }
    }
}

/// The file of the service, or the usual one of this user where there is no bus to ask on.
async fn file_in_use(system: bool) -> Result<String, Failure> {
    let of_service =
        async { Ok(Service::connect(system).await?.proxy.configuration_file().await?) };
    let failure = match of_service.await {
        Ok(file) => return Ok(file),
        Err::<_, Failure>(failure) => failure,
    };
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
    match folder {
        Some(folder) if failure.is_unreachable() && !system => {
            Ok(folder.join("sipwitch/config.toml").display().to_string())
        }
        _ => Err(failure),
    }
}

/// The service itself knows its configuration; it is asked without a bus, so that a file can be
/// checked before the service ever ran.
fn check(file: PathBuf, output: &Output) -> Result<(), Failure> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join("sipwitchd")))
        .filter(|path| path.exists());
    let program = beside.unwrap_or_else(|| "sipwitchd".into());
    let checked =
        Command::new(&program).arg("--check-config").arg(&file).output().map_err(|error| {
            Failure::unreachable(
                format!("cannot run {}: {error}", program.display()),
                "install the service beside this program",
            )
        })?;
    if checked.status.success() {
        output.value(&json!({ "file": file, "valid": true }));
        output.line(format!("{}: {}", file.display(), output.paint(Mood::Good, "valid")));
        return Ok(());
    }
    let words = String::from_utf8_lossy(&checked.stderr);
    Err(Failure::new(words.trim().trim_start_matches("sipwitchd: ").to_owned(), ""))
}
