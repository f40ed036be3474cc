// SPDX-License-Identifier: GPL-3.0-or-later
//! Records to rows and back. Statements are compiled once and kept by the connection's cache.

use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::records::{
    Authentication, BindingRecord, BlockedRecord, CallRecord, ExtensionKind, ExtensionRecord,
    Ha1Pair, MessageRecord, MeterRecord, SecuredRecord, TextRecord, TextState, TraceRecord,
};
use super::{Bounds, Change, Expired, WantedTexts};
use crate::secret::Secret;

/// How many statements the connection keeps compiled: all of this file's, and some to spare.
pub(super) const CACHE: usize = 32;
/// How many numbers of texts lie between two looks for their bound.
const PRUNE_TEXTS_EVERY: u64 = 64;

/// Whether a change found its place.
pub(super) enum Applied {
    /// Written.
    Kept,
    /// Not written and never to be, with the reason.
    Refused(&'static str),
}

/// Writes one change inside the transaction that is open.
pub(super) fn apply(
    connection: &Connection,
    change: &Change,
    bounds: &Bounds,
) -> rusqlite::Result<Applied> {
    match change {
        Change::PutBinding(binding) => put_binding(connection, binding)?,
        Change::RemoveBinding { phone } => {
            let mut statement =
                connection.prepare_cached("DELETE FROM bindings WHERE phone = ?1")?;
            statement.execute([key(*phone)])?;
        }
        Change::PutExtension(extension) => put_extension(connection, extension)?,
        Change::RemoveExtension { number } => {
            for sql in [
                "DELETE FROM extensions WHERE number = ?1",
                "DELETE FROM bindings WHERE extension = ?1",
                "DELETE FROM messages WHERE extension = ?1",
                "DELETE FROM texts WHERE extension = ?1",
            ] {
                connection.prepare_cached(sql)?.execute([number])?;
            }
        }
        Change::AddCall(call) => {
            if bounds.calls > 0 {
                add_call(connection, call)?;
            }
        }
        Change::PutBlocked(blocked) => put_blocked(connection, blocked)?,
        Change::RemoveBlocked { caller } => {
            let mut statement =
                connection.prepare_cached("DELETE FROM blocked WHERE caller = ?1")?;
            statement.execute([caller])?;
        }
        Change::HelpCalled { at_us } => {
            let mut statement = connection
                .prepare_cached("INSERT OR REPLACE INTO settings VALUES ('help-called', ?1)")?;
            statement.execute([at_us.to_be_bytes().as_slice()])?;
        }
        Change::PutMeter(meter) => put_meter(connection, meter)?,
        Change::PutSecured(secured) => put_secured(connection, secured)?,
        Change::PutText(text) => put_text(connection, text, bounds)?,
        Change::ReadTexts { extension, ids } => read_texts(connection, extension, ids, bounds)?,
        Change::TextBecame { id, state } => {
            let mut statement =
                connection.prepare_cached("UPDATE texts SET state = ?2 WHERE id = ?1")?;
            statement.execute(params![key(*id), state.as_str()])?;
        }
        Change::PutMessage(message) => return put_message(connection, message, bounds),
        Change::RemoveMessage { id } => {
            connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([key(*id)])?;
        }
    }
    Ok(Applied::Kept)
}

/// SQLite's integers are signed: the keys we hand out never reach the sign bit.
const fn key(id: u64) -> i64 {
    (id & i64::MAX as u64) as i64
}

fn put_binding(connection: &Connection, binding: &BindingRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO bindings VALUES
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    statement.execute(params![
        key(binding.phone),
        binding.extension,
        binding.contact,
        binding.instance,
        binding.reg_id,
        binding.call_id,
        binding.cseq,
        binding.path,
        binding.transport,
        binding.source,
        binding.local,
        binding.is_flow_bound,
        binding.user_agent,
        binding.registered_us,
        binding.expires_us,
        binding.q,
        binding.gruu,
    ])?;
    Ok(())
}

fn put_extension(connection: &Connection, extension: &ExtensionRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO extensions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let digests = extension.digests.as_ref();
    statement.execute(params![
        extension.number,
        extension.display,
        extension.kind.as_str(),
        extension.members.join("\n"),
        extension.ring_seconds,
        digests.map(|digests| digests.md5.expose().as_slice()),
        digests.map(|digests| digests.sha256.expose().as_slice()),
        extension.authentication.as_str(),
    ])?;
    Ok(())
}

fn add_call(connection: &Connection, call: &CallRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO calls VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute(params![
        call.started_us,
        call.answered_us,
        call.ended_us,
        call.caller,
        call.contact,
        call.callee,
        call.route,
        call.sip_code,
        call.q850,
        call.words,
        TraceRecord::write(&call.trace),
        call.blocked,
    ])?;
    Ok(())
}

fn put_blocked(connection: &Connection, blocked: &BlockedRecord) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO blocked VALUES (?1, ?2, ?3)")?;
    statement.execute(params![blocked.caller, blocked.reason, blocked.since_us])?;
    Ok(())
}

fn put_meter(connection: &Connection, meter: &MeterRecord) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM meters WHERE month < ?1")?.execute([meter.month])?;
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO meters VALUES (?1, ?2, ?3)")?;
    let milliseconds = i64::try_from(meter.milliseconds).unwrap_or(i64::MAX);
    statement.execute(params![meter.account, meter.month, milliseconds])?;
    Ok(())
}

/// So many accounts are remembered: each that there may be, and as many that were.
const MOST_SECURED: u32 = 20_000;

fn put_secured(connection: &Connection, secured: &SecuredRecord) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR IGNORE INTO secured (address, server) VALUES (?1, ?2)")?;
    statement.execute(params![secured.address, secured.server])?;
    let mut statement = connection
        .prepare_cached("DELETE FROM secured WHERE id <= (SELECT max(id) FROM secured) - ?1")?;
    statement.execute([MOST_SECURED])?;
    Ok(())
}

fn put_message(
    connection: &Connection,
    message: &MessageRecord,
    bounds: &Bounds,
) -> rusqlite::Result<Applied> {
    let count = |sql: &str, extension: &[&str]| -> rusqlite::Result<u32> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row(rusqlite::params_from_iter(extension), |row| row.get(0))
    };
    let for_extension = "SELECT count(*) FROM messages WHERE extension = ?1";
    if count(for_extension, &[&message.extension])? >= bounds.messages_per_extension {
        return Ok(Applied::Refused("too many texts wait for this extension already"));
    }
    if count("SELECT count(*) FROM messages", &[])? >= bounds.messages {
        return Ok(Applied::Refused("too many texts wait already"));
    }
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        key(message.id),
        message.extension,
        message.sender,
        message.content_type,
        message.body,
        message.received_us,
        message.expires_us,
        key(message.report),
    ])?;
    Ok(Applied::Kept)
}

/// Who wants no history has none of texts either, but for those that were not read.
fn put_text(connection: &Connection, text: &TextRecord, bounds: &Bounds) -> rusqlite::Result<()> {
    if bounds.calls == 0 && text.state != TextState::Unread {
        return Ok(());
    }
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO texts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    statement.execute(params![
        key(text.id),
        text.extension,
        text.contact,
        text.is_sent,
        text.text,
        text.at_us,
        text.state.as_str(),
        text.is_elsewhere,
    ])?;
    // The bound is looked for now and then: it costs as much as there are texts.
    if text.id.is_multiple_of(PRUNE_TEXTS_EVERY) {
        let mut statement = connection.prepare_cached(
            "DELETE FROM texts WHERE id <= (SELECT id FROM texts ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        )?;
        statement.execute([bounds.texts])?;
    }
    Ok(())
}

fn read_texts(
    connection: &Connection,
    extension: &str,
    ids: &[u64],
    bounds: &Bounds,
) -> rusqlite::Result<()> {
    let sql = if bounds.calls == 0 {
        "DELETE FROM texts WHERE id = ?1 AND extension = ?2 AND state = 'unread'"
    } else {
        "UPDATE texts SET state = 'read' WHERE id = ?1 AND extension = ?2 AND state = 'unread'"
    };
    let mut statement = connection.prepare_cached(sql)?;
    for id in ids {
        statement.execute(params![key(*id), extension])?;
    }
    Ok(())
}

/// Past texts of an extension, the newest first.
pub(super) fn texts(
    connection: &Connection,
    wanted: &WantedTexts,
) -> rusqlite::Result<Vec<TextRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM texts WHERE extension = ?1 AND (?2 = '' OR contact = ?2)
         AND (NOT ?3 OR state = 'unread') ORDER BY id DESC LIMIT ?4",
    )?;
    let WantedTexts { extension, contact, unread, limit } = wanted;
    statement.query_map(params![extension, contact, unread, limit], read_text)?.collect()
}

/// Forgets calls beyond the bound, the oldest first. Keys count upwards, so this reads no more rows
/// than it removes.
pub(super) fn prune_calls(connection: &Connection, bounds: &Bounds) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - ?1")?;
    statement.execute([bounds.calls])?;
    Ok(())
}

/// Forgets calls that ended before a time, and texts that passed before it.
pub(super) fn prune_calls_before(connection: &Connection, before_us: i64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM calls WHERE ended_us < ?1", [before_us])?;
    connection.execute("DELETE FROM texts WHERE at_us < ?1 AND state <> 'unread'", [before_us])?;
    Ok(())
}

/// Forgets calls that ended before a time, and bindings and texts that ran out before another.
pub(super) fn prune_old(
    connection: &Connection,
    calls_before_us: i64,
    now_us: i64,
) -> rusqlite::Result<()> {
    prune_calls_before(connection, calls_before_us)?;
    connection.execute("DELETE FROM bindings WHERE expires_us <= ?1", [now_us])?;
    // Who sent them finds out.
    connection.execute(
        "UPDATE texts SET state = 'failed' WHERE state = 'stored' AND id IN \
         (SELECT report FROM messages WHERE expires_us <= ?1 AND report <> 0)",
        [now_us],
    )?;
    connection.execute("DELETE FROM messages WHERE expires_us <= ?1", [now_us])?;
    Ok(())
}

/// All extensions, by number.
pub(super) fn extensions(connection: &Connection) -> rusqlite::Result<Vec<ExtensionRecord>> {
    let mut statement = connection.prepare("SELECT * FROM extensions ORDER BY number")?;
    statement.query_map([], read_extension)?.collect()
}

/// The bindings that have not run out, by phone.
pub(super) fn bindings(
    connection: &Connection,
    now_us: i64,
) -> rusqlite::Result<Vec<BindingRecord>> {
    let mut statement =
        connection.prepare("SELECT * FROM bindings WHERE expires_us > ?1 ORDER BY phone")?;
    statement.query_map([now_us], read_binding)?.collect()
}

/// What lines were used, by account.
pub(super) fn meters(connection: &Connection) -> rusqlite::Result<Vec<MeterRecord>> {
    let mut statement = connection.prepare("SELECT * FROM meters ORDER BY account")?;
    let read = |row: &Row<'_>| {
        Ok(MeterRecord {
            account: row.get(0)?,
            month: row.get(1)?,
            milliseconds: row.get::<_, i64>(2)?.unsigned_abs(),
        })
    };
    statement.query_map([], read)?.collect()
}

/// The accounts that were online over TLS.
pub(super) fn secured(connection: &Connection) -> rusqlite::Result<Vec<SecuredRecord>> {
    let mut statement = connection.prepare("SELECT address, server FROM secured ORDER BY id")?;
    let read = |row: &Row<'_>| Ok(SecuredRecord { address: row.get(0)?, server: row.get(1)? });
    statement.query_map([], read)?.collect()
}

/// The callers who are blocked.
pub(super) fn blocked(connection: &Connection) -> rusqlite::Result<Vec<BlockedRecord>> {
    let mut statement = connection.prepare("SELECT * FROM blocked ORDER BY caller")?;
    let read = |row: &Row<'_>| {
        Ok(BlockedRecord { caller: row.get(0)?, reason: row.get(1)?, since_us: row.get(2)? })
    };
    statement.query_map([], read)?.collect()
}

/// When somebody called for help last.
pub(super) fn help_called(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM settings WHERE name = 'help-called'";
    let last = connection.query_row(sql, [], |row| row.get::<_, [u8; 8]>(0)).optional()?;
    Ok(last.map(i64::from_be_bytes))
}

/// How many texts wait, by extension.
pub(super) fn waiting(
    connection: &Connection,
    now_us: i64,
) -> rusqlite::Result<Vec<(String, u32)>> {
    let mut statement = connection.prepare(
        "SELECT extension, count(*) FROM messages WHERE expires_us > ?1 GROUP BY extension",
    )?;
    statement.query_map([now_us], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// When the first of the texts that wait expires.
pub(super) fn next_expiry(connection: &Connection, now_us: i64) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT min(expires_us) FROM messages WHERE expires_us > ?1";
    connection.query_row(sql, [now_us], |row| row.get(0))
}

/// The texts whose time is over.
pub(super) fn expired(connection: &Connection, now_us: i64) -> rusqlite::Result<Expired> {
    let mut statement =
        connection.prepare("SELECT * FROM messages WHERE expires_us <= ?1 ORDER BY id")?;
    let messages = statement.query_map([now_us], read_message)?.collect::<Result<_, _>>()?;
    Ok(Expired { messages, next_us: next_expiry(connection, now_us)? })
}

/// The largest key in use, 0 in an empty table.
pub(super) fn last_key(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

/// Reserves phone numbers: none up to this one is ever given out again.
pub(super) fn reserve_phones(connection: &Connection, through: u64) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO settings VALUES ('last-phone', ?1)")?;
    statement.execute([through.to_be_bytes().as_slice()])?;
    Ok(())
}

/// The last phone number that was reserved.
pub(super) fn reserved_phones(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT value FROM settings WHERE name = 'last-phone'";
    let last = connection.query_row(sql, [], |row| row.get::<_, [u8; 8]>(0)).optional()?;
    Ok(last.map_or(0, u64::from_be_bytes))
}

/// Past calls, the newest first.
pub(super) fn calls(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<CallRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT started_us, answered_us, ended_us, caller, contact, callee, route, sip_code, q850,
                words, trace, blocked FROM calls ORDER BY id DESC LIMIT ?1",
    )?;
    statement.query_map([limit], read_call)?.collect()
}

/// The texts that wait for an extension, the oldest first.
pub(super) fn messages(
    connection: &Connection,
    extension: &str,
    now_us: i64,
) -> rusqlite::Result<Vec<MessageRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM messages WHERE extension = ?1 AND expires_us > ?2 ORDER BY id",
    )?;
    statement.query_map(params![extension, now_us], read_message)?.collect()
}

fn read_extension(row: &Row<'_>) -> rusqlite::Result<ExtensionRecord> {
    let kind: String = row.get(2)?;
    let kind = ExtensionKind::from_word(&kind).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(2, Type::Text, format!("kind {kind}").into())
    })?;
    let authentication: String = row.get(7)?;
    let authentication = Authentication::from_word(&authentication).ok_or_else(|| {
        let words = format!("authentication {authentication}");
        rusqlite::Error::FromSqlConversionFailure(7, Type::Text, words.into())
    })?;
    let members: String = row.get(3)?;
    let digests = match (row.get::<_, Option<[u8; 16]>>(5)?, row.get::<_, Option<[u8; 32]>>(6)?) {
        (Some(md5), Some(sha256)) => {
            Some(Ha1Pair { md5: Secret::new(md5), sha256: Secret::new(sha256) })
        }
        _ => None,
    };
    Ok(ExtensionRecord {
        number: row.get(0)?,
        display: row.get(1)?,
        kind,
        members: members.lines().map(str::to_owned).collect(),
        ring_seconds: row.get(4)?,
        digests,
        authentication,
    })
}

fn read_binding(row: &Row<'_>) -> rusqlite::Result<BindingRecord> {
    Ok(BindingRecord {
        phone: row.get::<_, i64>(0)?.unsigned_abs(),
        extension: row.get(1)?,
        contact: row.get(2)?,
        instance: row.get(3)?,
        reg_id: row.get(4)?,
        call_id: row.get(5)?,
        cseq: row.get(6)?,
        path: row.get(7)?,
        transport: row.get(8)?,
        source: row.get(9)?,
        local: row.get(10)?,
        is_flow_bound: row.get(11)?,
        user_agent: row.get(12)?,
        registered_us: row.get(13)?,
        expires_us: row.get(14)?,
        q: row.get(15)?,
        gruu: row.get(16)?,
    })
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    Ok(CallRecord {
        started_us: row.get(0)?,
        answered_us: row.get(1)?,
        ended_us: row.get(2)?,
        caller: row.get(3)?,
        contact: row.get(4)?,
        callee: row.get(5)?,
        route: row.get(6)?,
        sip_code: row.get(7)?,
        q850: row.get(8)?,
        words: row.get(9)?,
        trace: TraceRecord::read(&row.get::<_, String>(10)?),
        blocked: row.get(11)?,
    })
}

fn read_message(row: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    Ok(MessageRecord {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        extension: row.get(1)?,
        sender: row.get(2)?,
        content_type: row.get(3)?,
        body: row.get(4)?,
        received_us: row.get(5)?,
        expires_us: row.get(6)?,
        report: row.get::<_, i64>(7)?.unsigned_abs(),
    })
}

fn read_text(row: &Row<'_>) -> rusqlite::Result<TextRecord> {
    let state: String = row.get(6)?;
    let state = TextState::from_word(&state).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(6, Type::Text, format!("state {state}").into())
    })?;
    Ok(TextRecord {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        extension: row.get(1)?,
        contact: row.get(2)?,
        is_sent: row.get(3)?,
        text: row.get(4)?,
        at_us: row.get(5)?,
        state,
        is_elsewhere: row.get(7)?,
    })
}
