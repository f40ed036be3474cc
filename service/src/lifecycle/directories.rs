// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the user's files are (XDG Base Directory Specification).

use std::{
    env,
    ffi::OsString,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::providers::Folders;

/// Our own folder inside each.
const OURS: &str = "sipwitch";
/// More folders than that in one variable are not looked into.
const MOST_FOLDERS: usize = 64;

/// Where the user's files are. None of these need exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// What the user wrote, for all programs; ours is in a folder below.
    pub config: PathBuf,
    /// What is installed, for all programs: for the user, then for the machine; ours is in a folder
    /// below each.
    pub data: Vec<PathBuf>,
    /// The database and the lock, ours alone.
    pub state: PathBuf,
    /// What is true only while the service runs, ours alone.
    pub runtime: PathBuf,
}

/// Why no folder can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither {variable} nor HOME names a folder: set one of them to an absolute path")]
pub struct DirectoryError {
    variable: &'static str,
}

impl Directories {
    /// As the environment has it, or with the state in a folder of its own: then what is true only
    /// while this service runs is kept there too, and a second service beside the usual one leaves
    /// that one's files alone.
    ///
    /// # Errors
    ///
    /// If the environment names no home.
    pub fn of_user(state: Option<PathBuf>) -> Result<Self, DirectoryError> {
        Self::from_variables(state, |name| env::var_os(name))
    }

    /// As some variables have it.
    ///
    /// # Errors
    ///
    /// If they name no home.
    pub fn from_variables(
        state: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, DirectoryError> {
        // The specification tells to ignore relative paths.
        let named =
            |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = |name: &'static str, below_home: &str| {
            named(name)
                .or_else(|| named("HOME").map(|home| home.join(below_home)))
                .ok_or(DirectoryError { variable: name })
        };
        let config = folder("XDG_CONFIG_HOME", ".config")?;
        let of_machine = variable("XDG_DATA_DIRS").filter(|folders| !folders.is_empty());
        let of_machine = of_machine.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        let of_machine = env::split_paths(&of_machine).filter(|path| path.is_absolute());
        let of_user = folder("XDG_DATA_HOME", ".local/share").ok();
        let data = of_user.into_iter().chain(of_machine.take(MOST_FOLDERS)).collect();
        if let Some(state) = state {
            let runtime = state.join("run");
            return Ok(Self { config, data, state, runtime });
        }
        let state = folder("XDG_STATE_HOME", ".local/state")?.join(OURS);
        // Without a session there is no runtime folder; the state folder is as private.
        let runtime = named("XDG_RUNTIME_DIR")
            .map_or_else(|| state.join("run"), |runtime| runtime.join(OURS));
        Ok(Self { config, data, state, runtime })
    }

    /// The user's configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        crate::config::path_in(&self.config)
    }

    /// The folders of providers, the highest first.
    #[must_use]
    pub fn providers(&self) -> Folders {
        Folders::of_user(&self.config, &self.data)
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        crate::store::path_in(&self.state)
    }
}

/// Makes a folder that only its owner may enter, if it is missing.
///
/// # Errors
///
/// If it cannot be made.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Directories, DirectoryError> {
        Directories::from_variables(None, |name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn folders_are_where_the_specification_has_them() {
        let home = from(&[("HOME", "/home/ada"), ("XDG_RUNTIME_DIR", "/run/user/1000")]).unwrap();
        assert_eq!(home.config_file(), Path::new("/home/ada/.config/sipwitch/config.toml"));
        assert_eq!(home.database(), Path::new("/home/ada/.local/state/sipwitch/state.db"));
        assert_eq!(home.runtime, Path::new("/run/user/1000/sipwitch"));

        let moved = [
            ("HOME", "/home/ada"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_RUNTIME_DIR", "relative"),
        ];
        let moved = from(&moved).unwrap();
        assert_eq!(moved.config_file(), Path::new("/c/sipwitch/config.toml"));
        assert_eq!(moved.runtime, Path::new("/s/sipwitch/run"), "a relative path is ignored");
    }

    #[test]
    fn a_state_of_its_own_takes_the_runtime_along() {
        let own = Directories::from_variables(Some("/srv/sip".into()), |_| Some("/home".into()));
        let own = own.unwrap();
        assert_eq!(own.database(), Path::new("/srv/sip/state.db"));
        assert_eq!(own.runtime, Path::new("/srv/sip/run"));
    }

    #[test]
    fn providers_are_looked_for_from_the_user_down_to_what_is_installed() {
        let folders = |variables: &[(&str, &str)]| -> Vec<String> {
            let directories = from(variables).unwrap();
            directories.providers().iter().map(|folder| folder.display().to_string()).collect()
        };
        assert_eq!(
            folders(&[("HOME", "/home/ada")]),
            [
                "/home/ada/.config/sipwitch/providers.d",
                "/etc/sipwitch/providers.d",
                "/run/sipwitch/providers.d",
                "/home/ada/.local/share/sipwitch/providers.d",
                "/usr/local/share/sipwitch/providers.d",
                "/usr/share/sipwitch/providers.d",
            ]
        );
        let moved = [
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_DATA_HOME", "/d"),
            ("XDG_DATA_DIRS", "/one:relative:/two"),
        ];
        assert_eq!(
            folders(&moved),
            ["/c", "/etc", "/run", "/d", "/one", "/two"]
                .map(|folder| format!("{folder}/sipwitch/providers.d"))
        );
    }

    #[test]
    fn without_a_home_the_error_says_what_to_set() {
        assert!(from(&[("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")]).is_ok());
        let error = from(&[("XDG_CONFIG_HOME", "/c"), ("HOME", "")]).unwrap_err();
        assert!(error.to_string().contains("XDG_STATE_HOME"), "{error}");
    }
}
