// SPDX-License-Identifier: GPL-3.0-or-later
//! Opening the database: permissions, damage, migration, and the first reading.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, config::DbConfig};

use super::{Aside, Bounds, Loaded, Place, records::Settings, schema, statements};
use crate::secret::Secret;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or file cannot be made or reached.
    #[error(
        "cannot use the state database {path}: {source}; check its folder's permissions and the free space"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite cannot use the file, and it is not damage.
    #[error(
        "cannot use the state database {path}: {source}; check permissions, free space, and that no other program has it open"
    )]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A damaged file cannot be moved aside.
    #[error(
        "the state database {path} is damaged ({reason}) and cannot be moved aside: {source}; move it away by hand"
    )]
    MoveAside {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Why it cannot be moved.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start the store's thread: {0}")]
    Thread(#[source] io::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// What went wrong while a file was read, sorted by what can be done.
enum Trouble {
    /// Not a database, damaged, or made by a newer program: a new one can take its place.
    Unusable {
        reason: String,
        newer: bool,
    },
    /// The system refuses: a new file would fare no better.
    System(rusqlite::Error),
    Random(getrandom::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::Unusable { reason: error.to_string(), newer: false }
        } else {
            Self::System(error)
        }
    }
}

/// Whether an error, met while reading, says that the file is not what it should be.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            // Unknown is what a missing table or column gives: our SQL is fixed, so the file is at fault.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
        ),
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows => true,
        _ => false,
    }
}

/// An open database and what stood in it.
pub(super) struct Ready {
    pub(super) connection: Connection,
    pub(super) loaded: Loaded,
    /// It was made just now and is not forced to the disk yet.
    pub(super) is_new: bool,
}

pub(super) fn open(
    place: &Place,
    bounds: &Bounds,
    realm: &str,
    now_us: i64,
) -> Result<Ready, OpenError> {
    let path = match place {
        Place::File(path) => path,
        Place::Memory => {
            let path = PathBuf::from("(in memory)");
            return Connection::open_in_memory()
                .map_err(Trouble::from)
                .and_then(|connection| prepare(connection, bounds, realm, now_us))
                .map(|(connection, loaded)| Ready { connection, loaded, is_new: false })
                .map_err(|trouble| give_up(&path, trouble));
        }
    };
    make_private(path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let (reason, newer) = match open_file(path, bounds, realm, now_us) {
        Ok(opened) => return Ok(opened),
        Err(Trouble::Unusable { reason, newer }) => (reason, newer),
        Err(trouble) => return Err(give_up(path, trouble)),
    };
    let moved_to =
        move_aside(path, if newer { "newer" } else { "corrupt" }, now_us).map_err(|source| {
            OpenError::MoveAside { path: path.clone(), reason: reason.clone(), source }
        })?;
    let aside = Aside { moved_to, reason };
    tracing::error!("{}", aside.words());
    make_private(path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let mut ready =
        open_file(path, bounds, realm, now_us).map_err(|trouble| give_up(path, trouble))?;
    ready.loaded.aside = Some(aside);
    Ok(ready)
}

fn give_up(path: &Path, trouble: Trouble) -> OpenError {
    let path = path.to_owned();
    match trouble {
        Trouble::System(source) => OpenError::Sqlite { path, source },
        Trouble::Random(error) => OpenError::Random(error),
        Trouble::Unusable { reason, .. } => {
            OpenError::Io { path, source: io::Error::other(reason) }
        }
    }
}

/// Makes the folder (0700) and the file (0600) if they are missing, and closes a file that others
/// could read. SQLite gives the journal the file's permissions.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// How long another program may hold the file before we say so.
const BUSY: Duration = Duration::from_millis(500);
/// Files above this are not read through at every start, only after damage was met.
const QUICK_CHECK_BYTES: u64 = 256 * 1024;

fn open_file(path: &Path, bounds: &Bounds, realm: &str, now_us: i64) -> Result<Ready, Trouble> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // While we do not know whether the file is sound, closing it must not write to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // One process owns the file: no shared memory, no lock to take for each transaction.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let suspect = suspect_mark(path);
    let bytes = fs::metadata(path).map_or(0, |file| file.len());
    let is_new = bytes == 0;
    let is_small = !is_new && bytes <= QUICK_CHECK_BYTES;
    if is_small || suspect.exists() {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Trouble::Unusable { reason: verdict, newer: false });
        }
    }
    let version = schema::version(&connection)?;
    if version > schema::VERSION {
        let reason = format!(
            "it is of version {version}, made by a newer program; this one knows {}",
            schema::VERSION
        );
        return Err(Trouble::Unusable { reason, newer: true });
    }
    if is_new {
        // There is nothing yet that a power cut could take: the store's thread forces it to the
        // disk before it takes a change, and the start need not wait for that.
        connection.pragma_update(None, "synchronous", "OFF")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let (connection, loaded) = prepare(connection, bounds, realm, now_us)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    let _ = fs::remove_file(suspect);
    Ok(Ready { connection, loaded, is_new })
}

/// The file whose presence asks the next start to read the database through.
pub(super) fn suspect_mark(path: &Path) -> PathBuf {
    with_suffix(path, ".suspect")
}

/// Pages the connection may keep in memory, in KiB (negative: SQLite's way to say so).
const CACHE_KIB: i32 = -768;
/// Pages in the journal before they are folded into the database. Larger means fewer waits for the
/// disk under load; the file is cut back to its limit afterwards.
const CHECKPOINT_PAGES: u32 = 2000;
const JOURNAL_LIMIT_BYTES: u32 = 1024 * 1024;

fn prepare(
    mut connection: Connection,
    bounds: &Bounds,
    realm: &str,
    now_us: i64,
) -> Result<(Connection, Loaded), Trouble> {
    connection.set_prepared_statement_cache_capacity(statements::CACHE);
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What is removed is overwritten where that costs no extra page.
    connection.query_row("PRAGMA secure_delete = FAST", [], |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT_BYTES)?;
    schema::migrate(&mut connection)?;
    let settings = settings(&connection, realm)?;
    let stored = statements::last_key(&connection, "SELECT max(phone) FROM bindings")?;
    let next_phone = stored.max(statements::reserved_phones(&connection)?) + 1;
    // Read before anything is removed, so that a number is not soon used again.
    let waiting = statements::last_key(&connection, "SELECT max(id) FROM messages")?;
    let past = statements::last_key(&connection, "SELECT max(id) FROM texts")?;
    let next_message = waiting.max(past) + 1;
    let calls_age_us = i64::try_from(bounds.calls_age.as_micros()).unwrap_or(i64::MAX);
    // Best effort: what has run out is not read below either, and a full disk must not stop a start.
    let pruned = statements::prune_old(&connection, now_us.saturating_sub(calls_age_us), now_us)
        .and_then(|()| statements::prune_calls(&connection, bounds));
    if let Err(error) = pruned {
        if is_damage(&error) {
            return Err(error.into());
        }
        tracing::warn!("cannot remove what has run out from the state database: {error}");
    }
    let loaded = Loaded {
        settings,
        extensions: statements::extensions(&connection)?,
        bindings: statements::bindings(&connection, now_us)?,
        meters: statements::meters(&connection)?,
        secured: statements::secured(&connection)?,
        blocked: statements::blocked(&connection)?,
        help_us: statements::help_called(&connection)?,
        messages_waiting: statements::waiting(&connection, now_us)?,
        messages_expire_us: statements::next_expiry(&connection, now_us)?,
        next_phone,
        next_message,
        aside: None,
    };
    Ok((connection, loaded))
}

/// Reads the settings, or makes them in a new database.
fn settings(connection: &Connection, realm: &str) -> Result<Settings, Trouble> {
    let read = |name: &str| {
        connection.query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| {
            row.get::<_, Vec<u8>>(0)
        })
    };
    let empty: bool =
        connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM settings)", [], |row| row.get(0))?;
    if empty {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Trouble::Random)?;
        let key = Secret::new(key);
        let transaction = connection.unchecked_transaction()?;
        let insert = "INSERT INTO settings VALUES (?1, ?2)";
        transaction.execute(insert, rusqlite::params!["key", key.expose().as_slice()])?;
        transaction.execute(insert, rusqlite::params!["realm", realm.as_bytes()])?;
        transaction.commit()?;
        return Ok(Settings { realm: realm.to_owned(), key });
    }
    let unusable =
        |what: &str| Trouble::Unusable { reason: format!("its {what} is no {what}"), newer: false };
    let key = <[u8; 32]>::try_from(read("key")?).map_err(|_| unusable("key"))?;
    let realm = String::from_utf8(read("realm")?).map_err(|_| unusable("realm"))?;
    Ok(Settings { realm, key: Secret::new(key) })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Renames the database and what belongs to it to `NAME.WORD-TIME`.
fn move_aside(path: &Path, word: &str, now_us: i64) -> io::Result<PathBuf> {
    let time = compact_time(now_us);
    let mut target = with_suffix(path, &format!(".{word}-{time}"));
    for count in 2..100 {
        if !target.try_exists()? {
            break;
        }
        target = with_suffix(path, &format!(".{word}-{time}-{count}"));
    }
    fs::rename(path, &target)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(target)
}

/// `20261122T113000Z`, for file names.
fn compact_time(now_us: i64) -> String {
    let seconds = now_us.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1970 to a Gregorian date, counting years from March so that the leap day is last.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::compact_time;

    #[test]
    fn times_in_file_names_are_dates() {
        for (seconds, name) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_347_005, "20261122T113005Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(compact_time(seconds * 1_000_000), name);
        }
    }
}
