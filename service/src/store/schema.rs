// SPDX-License-Identifier: GPL-3.0-or-later
//! The tables, and how an older database becomes one of today.
//!
//! `user_version` counts the steps taken. A step, once released, is never edited: a new one follows.

use rusqlite::Connection;

/// One step per version, in order. Step 0 makes an empty file a database.
const STEPS: &[&str] = &[
    "
    CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE extensions (
        number TEXT PRIMARY KEY,
        display TEXT NOT NULL,
        kind TEXT NOT NULL,
        members TEXT NOT NULL,
        ring_seconds INTEGER,
        ha1_md5 BLOB,
        ha1_sha256 BLOB
    ) STRICT, WITHOUT ROWID;
    -- No index but the key: everything is read at the start, and a registration writes one page.
    CREATE TABLE bindings (
        phone INTEGER PRIMARY KEY,
        extension TEXT NOT NULL,
        contact TEXT NOT NULL,
        instance TEXT NOT NULL,
        reg_id INTEGER NOT NULL,
        call_id TEXT NOT NULL,
        cseq INTEGER NOT NULL,
        path TEXT NOT NULL,
        transport TEXT NOT NULL,
        source TEXT NOT NULL,
        local TEXT NOT NULL,
        is_flow_bound INTEGER NOT NULL,
        user_agent TEXT NOT NULL,
        registered_us INTEGER NOT NULL,
        expires_us INTEGER NOT NULL,
        q INTEGER NOT NULL,
        gruu TEXT NOT NULL
    ) STRICT;
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        started_us INTEGER NOT NULL,
        answered_us INTEGER,
        ended_us INTEGER NOT NULL,
        caller TEXT NOT NULL,
        contact TEXT NOT NULL,
        callee TEXT NOT NULL,
        route TEXT NOT NULL,
        sip_code INTEGER NOT NULL,
        q850 INTEGER,
        words TEXT NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        extension TEXT NOT NULL,
        sender TEXT NOT NULL,
        content_type TEXT NOT NULL,
        body BLOB NOT NULL,
        received_us INTEGER NOT NULL,
        expires_us INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_extension ON messages (extension, id);
",
    "
    ALTER TABLE calls ADD COLUMN trace TEXT NOT NULL DEFAULT '';
",
    "
    CREATE TABLE meters (
        account TEXT PRIMARY KEY,
        month INTEGER NOT NULL,
        milliseconds INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE extensions ADD COLUMN authentication TEXT NOT NULL DEFAULT 'password';
",
    "
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        extension TEXT NOT NULL,
        contact TEXT NOT NULL,
        is_sent INTEGER NOT NULL,
        text TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        state TEXT NOT NULL,
        is_elsewhere INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX texts_by_extension ON texts (extension, id);
    ALTER TABLE messages ADD COLUMN report INTEGER NOT NULL DEFAULT 0;
",
    "
    CREATE TABLE secured (
        id INTEGER PRIMARY KEY,
        address TEXT NOT NULL,
        server TEXT NOT NULL,
        UNIQUE (address, server)
    ) STRICT;
",
    "
    CREATE TABLE blocked (
        caller TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        since_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE calls ADD COLUMN blocked TEXT NOT NULL DEFAULT '';
",
];

/// The version this program writes.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// The version of an open database; 0 for an empty file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes every step that is missing, all or none.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let have = version(connection)? as usize;
    if have >= STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in &STEPS[have..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
