// SPDX-License-Identifier: GPL-3.0-or-later
//! The file that tells programs without a bus where SIP is heard: one `udp:127.0.0.1:5060` a line.

use std::{
    fmt::Display,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::directories;

/// The name of the file in the runtime folder.
const NAME: &str = "addresses";

/// The file, removed when this is dropped.
#[derive(Debug)]
pub struct AddressFile {
    path: PathBuf,
}

impl AddressFile {
    /// Writes the file whole: a reader sees the old one, the new one or none.
    ///
    /// # Errors
    ///
    /// If the runtime folder cannot be written.
    pub fn write<T: Display>(
        runtime: &Path,
        addresses: impl IntoIterator<Item = T>,
    ) -> io::Result<Self> {
        directories::make_private(runtime)?;
        let path = runtime.join(NAME);
        // Only the holder of the lock writes here, so one name for the draft is enough.
        let draft = runtime.join(".addresses.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        for address in addresses {
            writeln!(file, "{address}")?;
        }
        drop(file);
        fs::rename(draft, &path)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        // Whoever cleaned the runtime folder before us did no harm.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_file_is_there_while_the_service_runs() {
        let folder = TempDir::new().unwrap();
        let runtime = folder.path().join("sipwitch");
        let file = AddressFile::write(&runtime, ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]);
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "udp:127.0.0.1:5060\ntcp:127.0.0.1:5060\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&runtime), mode(file.path())), (0o700, 0o600));

        let path = file.path().to_owned();
        let other = AddressFile::write(&runtime, ["udp:127.0.0.1:5061"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "udp:127.0.0.1:5061\n");
        drop((file, other));
        assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0);
    }
}
