// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use super::records::{ExtensionKind, Ha1Pair, TextRecord, TextState, TraceRecord};
use super::*;
use crate::secret::Secret;

const NOW: i64 = 1_795_347_000_000_000;
const HOUR: i64 = 3600 * 1_000_000;
const DEADLINE: Duration = Duration::from_secs(20);

fn binding(phone: u64) -> BindingRecord {
    BindingRecord {
        phone,
        extension: format!("{}", 100 + phone % 10),
        contact: format!("sip:{phone}@127.0.0.1:5071;transport=udp"),
        instance: "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>".into(),
        reg_id: 1,
        call_id: format!("{phone}-call-id-as-a-phone-makes-it@127.0.0.1"),
        cseq: 7,
        path: "<sip:edge.example.org;lr>".into(),
        transport: "udp".into(),
        source: "127.0.0.1:5071".into(),
        local: "127.0.0.1:5060".into(),
        is_flow_bound: phone.is_multiple_of(2),
        user_agent: "baresip v1.0.0 (x86_64/linux)".into(),
        registered_us: NOW,
        expires_us: NOW + HOUR,
        q: 500,
        gruu: "3".into(),
    }
}

fn extension(number: &str) -> ExtensionRecord {
    ExtensionRecord {
        number: number.into(),
        display: "Ada Lovelace".into(),
        kind: ExtensionKind::Group,
        members: vec!["101".into(), "102".into()],
        ring_seconds: Some(20),
        digests: Some(Ha1Pair { md5: Secret::new([5; 16]), sha256: Secret::new([6; 32]) }),
        authentication: Authentication::Login,
    }
}

fn blocked(caller: &str, reason: &str) -> BlockedRecord {
    BlockedRecord { caller: caller.into(), reason: reason.into(), since_us: NOW }
}

fn call(number: i64) -> CallRecord {
    CallRecord {
        started_us: NOW + number,
        answered_us: Some(NOW + number + 1),
        ended_us: NOW + number + 2,
        caller: "101".into(),
        contact: "102".into(),
        callee: "102".into(),
        route: "extension 102 has one phone".into(),
        sip_code: 200,
        q850: Some(16),
        words: "the call was ended".into(),
        trace: vec![TraceRecord {
            destination: "030123 by line dus-net".into(),
            outcome: "failed".into(),
            reason: String::new(),
            sip_code: 503,
            words: "busy: try later".into(),
            milliseconds: 17,
        }],
        blocked: "+49900*".into(),
    }
}

fn message(id: u64, extension: &str) -> MessageRecord {
    MessageRecord {
        id,
        extension: extension.into(),
        sender: "sip:101@localhost".into(),
        content_type: "text/plain".into(),
        body: vec![0xff, 0x00, b'x'],
        received_us: NOW,
        expires_us: NOW + HOUR,
        report: 0,
    }
}

fn put(phone: u64) -> Change {
    Change::PutBinding(Box::new(binding(phone)))
}

fn place(folder: &TempDir) -> Place {
    Place::File(path_in(&folder.path().join("state")))
}

fn open(folder: &TempDir) -> Opened {
    open_with(folder, &Bounds::default())
}

fn open_with(folder: &TempDir, bounds: &Bounds) -> Opened {
    Store::open(&place(folder), bounds, "sipwitch", NOW).unwrap()
}

/// Waits for an event with a deadline.
fn wait<T>(event: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, event).await }).expect("in time")
}

/// Waits until a ticket is safe.
fn committed(opened: &mut Opened, ticket: Ticket) {
    loop {
        match wait(opened.reports.recv()).expect("the store runs") {
            Report::Committed { through } if through >= ticket => return,
            Report::Committed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn accounts_that_were_online_over_tls_are_remembered_once() {
    let folder = TempDir::new().unwrap();
    let mut opened = open(&folder);
    let record = |server: &str| SecuredRecord {
        address: "sip:alice@operator.example".into(),
        server: server.into(),
    };
    let mut last = None;
    for server in ["operator.example", "other.example", "operator.example"] {
        last = Some(opened.store.submit(Change::PutSecured(Box::new(record(server)))).unwrap());
    }
    committed(&mut opened, last.unwrap());
    opened.store.close().unwrap();
    let known = open(&folder).loaded.secured;
    assert_eq!(known, [record("operator.example"), record("other.example")]);
}

#[test]
fn a_database_from_before_there_were_ways_to_authenticate_is_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder.path().join("state"));
    let mut opened = open(&folder);
    let last = opened.store.submit(Change::PutExtension(Box::new(extension("600")))).unwrap();
    committed(&mut opened, last);
    opened.store.close().unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "DROP TABLE secured; DROP TABLE texts; DROP TABLE blocked;
             ALTER TABLE calls DROP COLUMN blocked; ALTER TABLE messages DROP COLUMN report;
             ALTER TABLE extensions DROP COLUMN authentication; PRAGMA user_version = 3;",
        )
        .unwrap();
    drop(connection);
    let opened = open(&folder);
    assert!(opened.loaded.aside.is_none(), "{:?}", opened.loaded.aside);
    let before = ExtensionRecord { authentication: Authentication::Password, ..extension("600") };
    assert_eq!(opened.loaded.extensions, [before]);
}

#[test]
fn what_was_kept_is_found_again() {
    let folder = TempDir::new().unwrap();
    let mut opened = open(&folder);
    assert!(opened.loaded.extensions.is_empty() && opened.loaded.aside.is_none());
    assert_eq!((opened.loaded.next_phone, opened.loaded.next_message), (1, 1));
    let key = *opened.loaded.settings.key.expose();
    assert_ne!(key, [0; 32]);

    let store = &opened.store;
    let plain = ExtensionRecord { number: "101".into(), ..Default::default() };
    for change in [
        Change::PutExtension(Box::new(extension("600"))),
        Change::PutExtension(Box::new(plain.clone())),
        put(7),
        put(3),
        put(9),
        Change::RemoveBinding { phone: 9 },
        Change::AddCall(Box::new(call(1))),
        Change::AddCall(Box::new(CallRecord { answered_us: None, q850: None, ..call(2) })),
        Change::PutMessage(Box::new(message(4, "101"))),
        Change::PutMessage(Box::new(message(5, "101"))),
        Change::PutBlocked(Box::new(blocked("+49900*", "sells"))),
        Change::PutBlocked(Box::new(blocked("anonymous", "sells"))),
        Change::PutBlocked(Box::new(blocked("anonymous", ""))),
        Change::PutBlocked(Box::new(blocked("bob@example.org", ""))),
        Change::RemoveBlocked { caller: "bob@example.org".into() },
        Change::HelpCalled { at_us: NOW - 7 },
        Change::HelpCalled { at_us: NOW },
    ] {
        store.submit(change).unwrap();
    }
    let last = store.submit(Change::RemoveMessage { id: 4 }).unwrap();
    committed(&mut opened, last);
    opened.store.close().unwrap();

    let opened = Store::open(&place(&folder), &Bounds::default(), "other", NOW).unwrap();
    let loaded = &opened.loaded;
    assert_eq!(loaded.settings.realm, "sipwitch", "the realm outlives a change of name");
    assert_eq!(*loaded.settings.key.expose(), key);
    assert_eq!(loaded.extensions, [plain, extension("600")]);
    assert_eq!(loaded.bindings, [binding(3), binding(7)]);
    assert_eq!(loaded.messages_waiting, [("101".to_owned(), 1)]);
    assert_eq!(loaded.blocked, [blocked("+49900*", "sells"), blocked("anonymous", "")]);
    assert_eq!(loaded.help_us, Some(NOW));
    assert_eq!((loaded.next_phone, loaded.next_message), (10, 6), "numbers are not used again");
    let calls = wait(opened.store.calls(10)).unwrap().unwrap();
    assert_eq!(calls, [CallRecord { answered_us: None, q850: None, ..call(2) }, call(1)]);
    assert_eq!(wait(opened.store.calls(1)).unwrap().unwrap().len(), 1);
    let texts = wait(opened.store.messages("101", NOW)).unwrap().unwrap();
    assert_eq!(texts, [message(5, "101")]);
    assert!(wait(opened.store.messages("101", NOW + HOUR)).unwrap().unwrap().is_empty());
}

#[test]
fn a_refresh_replaces_the_phone_and_a_removed_extension_takes_its_phones_along() {
    let folder = TempDir::new().unwrap();
    let opened = open(&folder);
    let refreshed = BindingRecord { cseq: 8, expires_us: NOW + 2 * HOUR, ..binding(1) };
    for change in [
        Change::PutExtension(Box::new(extension("102"))),
        put(1),
        Change::PutBinding(Box::new(refreshed.clone())),
        put(2),
        Change::PutMessage(Box::new(message(1, "102"))),
        Change::RemoveExtension { number: "102".into() },
    ] {
        opened.store.submit(change).unwrap();
    }
    opened.store.close().unwrap();
    let loaded = open(&folder).loaded;
    assert_eq!(loaded.bindings, [refreshed]);
    assert!(loaded.extensions.is_empty() && loaded.messages_waiting.is_empty());
}

#[test]
fn what_ran_out_while_nobody_looked_is_gone() {
    let folder = TempDir::new().unwrap();
    let opened = open(&folder);
    opened.store.submit(put(1)).unwrap();
    opened.store.submit(Change::PutMessage(Box::new(message(1, "101")))).unwrap();
    opened.store.submit(Change::AddCall(Box::new(call(1)))).unwrap();
    opened.store.close().unwrap();
    let later = NOW + 91 * 24 * HOUR;
    let opened = Store::open(&place(&folder), &Bounds::default(), "", later).unwrap();
    assert!(opened.loaded.bindings.is_empty() && opened.loaded.messages_waiting.is_empty());
    assert!(wait(opened.store.calls(10)).unwrap().unwrap().is_empty());
    drop(opened);
    assert_eq!(open(&folder).loaded.next_phone, 2, "a number is not used again");
}

#[test]
fn history_is_bounded() {
    let folder = TempDir::new().unwrap();
    let opened = open_with(&folder, &Bounds { calls: 3, ..Bounds::default() });
    for number in 1..=10 {
        opened.store.submit(Change::AddCall(Box::new(call(number)))).unwrap();
    }
    let kept = wait(opened.store.calls(100)).unwrap().unwrap();
    assert_eq!(kept, [call(10), call(9), call(8)]);
    drop(opened);
    let opened = open_with(&folder, &Bounds { calls: 0, ..Bounds::default() });
    opened.store.submit(Change::AddCall(Box::new(call(11)))).unwrap();
    assert!(wait(opened.store.calls(100)).unwrap().unwrap().is_empty());
}

#[test]
fn texts_beyond_the_bound_are_refused_alone() {
    let folder = TempDir::new().unwrap();
    let bounds = Bounds { messages_per_extension: 1, messages: 2, ..Bounds::default() };
    let mut opened = open_with(&folder, &bounds);
    let text = |id, extension| Change::PutMessage(Box::new(message(id, extension)));
    opened.store.submit(text(1, "101")).unwrap();
    let second = opened.store.submit(text(2, "101")).unwrap();
    opened.store.submit(text(3, "102")).unwrap();
    let fourth = opened.store.submit(text(4, "103")).unwrap();
    let last = opened.store.submit(put(1)).unwrap();
    let mut refused = Vec::new();
    loop {
        match wait(opened.reports.recv()).unwrap() {
            Report::Refused { ticket, .. } => refused.push(ticket),
            Report::Committed { through } if through == last => break,
            Report::Committed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, [second, fourth]);
    drop(opened);
    let loaded = open(&folder).loaded;
    assert_eq!(loaded.messages_waiting, [("101".to_owned(), 1), ("102".to_owned(), 1)]);
    assert_eq!(loaded.bindings.len(), 1);
}

#[test]
fn reports_come_in_order_and_many_changes_share_a_commit() {
    let folder = TempDir::new().unwrap();
    let mut opened = open(&folder);
    let mut last = Ticket(0);
    for phone in 1..=2000 {
        let ticket = opened.store.submit(put(phone)).unwrap();
        assert!(ticket > last);
        last = ticket;
    }
    let mut reached = Ticket(0);
    let mut commits = 0;
    while reached < last {
        let Report::Committed { through } = wait(opened.reports.recv()).unwrap() else { panic!() };
        assert!(through > reached);
        reached = through;
        commits += 1;
    }
    assert!(commits < 500, "{commits} transactions for 2000 changes");
}

#[test]
fn the_file_and_its_folder_are_for_the_owner_alone() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder.path().join("a/b"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let opened = Store::open(&Place::File(path.clone()), &Bounds::default(), "", NOW).unwrap();
    opened.store.submit(put(1)).unwrap();
    drop(opened);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let opened = Store::open(&Place::File(path.clone()), &Bounds::default(), "", NOW).unwrap();
    assert_eq!(mode(&path), 0o600, "an open file is closed to others");
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
    assert_eq!(opened.loaded.bindings.len(), 1);
}

/// Each way a file can be unusable, and the word in the name it is moved to.
#[test]
fn an_unusable_database_is_moved_aside_and_a_new_one_begun() {
    type Spoil = fn(&Path);
    let ways: [(&str, Spoil); 5] = [
        ("corrupt", |path| {
            fs::write(path, "this is no database, but long enough".repeat(99)).unwrap()
        }),
        ("corrupt", |path| {
            let mut bytes = fs::read(path).unwrap();
            let end = bytes.len();
            bytes[end / 4..].fill(0xa5);
            fs::write(path, bytes).unwrap();
        }),
        ("corrupt", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("corrupt", |path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection
                .execute_batch("ALTER TABLE bindings RENAME COLUMN q TO other; DROP TABLE calls")
                .unwrap();
        }),
        ("newer", |path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
        }),
    ];
    for (way, (word, spoil)) in ways.into_iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let path = path_in(&folder.path().join("state"));
        let opened = open(&folder);
        let key = *opened.loaded.settings.key.expose();
        for phone in 1..200 {
            opened.store.submit(put(phone)).unwrap();
        }
        drop(opened);
        spoil(&path);
        let spoiled = fs::read(&path).unwrap();
        fs::write(path.with_extension("db-wal"), "no journal either").unwrap();

        let mut opened = open(&folder);
        let aside = opened.loaded.aside.clone().unwrap_or_else(|| panic!("way {way}"));
        let name = aside.moved_to.file_name().unwrap().to_str().unwrap();
        assert_eq!(name, format!("state.db.{word}-20261122T113000Z"), "way {way}");
        assert_eq!(fs::read(&aside.moved_to).unwrap(), spoiled, "way {way}: kept as it was");
        assert!(aside.words().contains(name), "{}", aside.words());
        assert!(opened.loaded.bindings.is_empty());
        assert_ne!(*opened.loaded.settings.key.expose(), key);
        let ticket = opened.store.submit(put(1)).unwrap();
        committed(&mut opened, ticket);
        drop(opened);
        let again = open(&folder).loaded;
        assert!(again.aside.is_none() && again.bindings.len() == 1, "way {way}");
    }
}

#[test]
fn damage_met_while_running_is_told_and_the_next_start_looks_closely() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder.path().join("state"));
    let bounds = Bounds { calls: 20_000, ..Bounds::default() };
    let opened = open_with(&folder, &bounds);
    for number in 0..20_000 {
        opened.store.submit(Change::AddCall(Box::new(call(number)))).unwrap();
    }
    opened.store.close().unwrap();

    // More than the connection keeps in memory, so that it must read the damage.
    let opened = open_with(&folder, &bounds);
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 1024 * 1024, "{}", bytes.len());
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = wait(opened.store.calls(20_000)).unwrap().unwrap_err().to_string();
    assert!(error.contains("restart the service"), "{error}");
    drop(opened);

    let opened = open_with(&folder, &bounds);
    assert!(opened.loaded.aside.is_some());
    drop(opened);
    assert!(open_with(&folder, &bounds).loaded.aside.is_none(), "once is enough");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_the_path() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let path = path_in(&folder.path().join("file/state"));
    let error = Store::open(&Place::File(path), &Bounds::default(), "", NOW).unwrap_err();
    assert!(error.to_string().contains("file/state/state.db"), "{error}");
}

#[test]
fn a_database_that_another_program_holds_is_an_error_and_stays_where_it_is() {
    let folder = TempDir::new().unwrap();
    let held = open(&folder);
    held.store.submit(put(1)).unwrap();
    let error = Store::open(&place(&folder), &Bounds::default(), "", NOW).unwrap_err();
    assert!(error.to_string().contains("no other program"), "{error}");
    drop(held);
    assert_eq!(open(&folder).loaded.bindings.len(), 1);
}

#[test]
fn a_full_queue_refuses_and_a_closed_store_says_so() {
    let opened =
        Store::open(&Place::Memory, &Bounds { queue: 0, ..Bounds::default() }, "", NOW).unwrap();
    assert_eq!(opened.store.submit(put(1)), Err(StoreError::Full));
    let store = opened.store;
    store.shared.lock().closing = true;
    store.shared.arrived.notify_one();
    let mut reports = opened.reports;
    assert_eq!(wait(reports.recv()), None);
    assert_eq!(store.submit(put(1)), Err(StoreError::Stopped));
    assert!(wait(store.calls(1)).is_err());
}

// What follows needs a process of its own: this test binary, started again with one ignored test.

const FOLDER: &str = "SIPWITCH_STORE_TEST_FOLDER";

fn child(test: &str, folder: &TempDir) -> Child {
    // The shell lets the child ignore the signal by which a limit on files would end it.
    Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// None when nobody started us: all ignored tests were asked for.
fn child_place() -> Option<Place> {
    let folder = std::env::var_os(FOLDER)?;
    Some(Place::File(path_in(&PathBuf::from(folder).join("state"))))
}

/// Registers phones for ever, and prints each that is acknowledged.
#[test]
#[ignore = "the other half of nothing_acknowledged_is_lost_by_kill_9"]
fn register_until_killed() {
    let Some(place) = child_place() else { return };
    let mut opened = Store::open(&place, &Bounds::default(), "", NOW).unwrap();
    let mut out = std::io::stdout();
    // The harness writes the test's name without a line end.
    writeln!(out).unwrap();
    for phone in 1..1_000_000 {
        let mut record = binding(phone % 3000 + 1);
        record.cseq = u32::try_from(phone).unwrap();
        let last = opened.store.submit(Change::PutBinding(Box::new(record))).unwrap();
        if phone % 7 == 0 {
            committed(&mut opened, last);
            writeln!(out, "{phone}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    // Different lengths, so that the blow falls at different moments of a transaction.
    for acknowledgements in [1, 40, 333] {
        let folder = TempDir::new().unwrap();
        let mut child = child("store::tests::register_until_killed", &folder);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = 0;
        let mut acknowledged = 0;
        while told < acknowledgements {
            let line = lines.next().expect("the child runs").unwrap();
            if let Ok(number) = line.trim().parse::<u64>() {
                acknowledged = number;
                told += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it wrote between our last reading and its end is acknowledged as well.
        for line in lines.map_while(Result::ok) {
            acknowledged = line.trim().parse().unwrap_or(acknowledged);
        }
        let loaded = open(&folder).loaded;
        assert!(loaded.aside.is_none(), "{:?}", loaded.aside);
        let last = loaded.bindings.last().unwrap().phone;
        assert!((last + 1..=last + 17).contains(&loaded.next_phone), "{}", loaded.next_phone);
        for phone in acknowledged.saturating_sub(2999).max(1)..=acknowledged {
            let key = phone % 3000 + 1;
            let found = loaded.bindings.iter().find(|binding| binding.phone == key);
            let found = found.unwrap_or_else(|| panic!("phone {key} of {acknowledged}"));
            assert!(u64::from(found.cseq) >= phone, "{} < {phone}", found.cseq);
        }
    }
}

/// Limits the size of files, which stops SQLite's journal as a full disk would.
#[test]
#[ignore = "the other half of a_full_disk_delays_and_loses_nothing"]
fn write_to_a_full_disk() {
    let Some(place) = child_place() else { return };
    let bounds = Bounds { queue: 100, ..Bounds::default() };
    let mut opened = Store::open(&place, &bounds, "", NOW).unwrap();
    let first = opened.store.submit(put(1)).unwrap();
    committed(&mut opened, first);

    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 1024, hard).unwrap();
    let second = opened.store.submit(put(2)).unwrap();
    match wait(opened.reports.recv()).unwrap() {
        Report::Delayed { through, words } => {
            assert_eq!(through, second);
            assert!(words.contains("free space"), "{words}");
        }
        other => panic!("{other:?}"),
    }
    // A phone that refreshes all the time does not fill the queue; the state can still be read.
    for _ in 0..200 {
        let ticket = opened.store.submit(put(3)).unwrap();
        match wait(opened.reports.recv()).unwrap() {
            Report::Delayed { through, .. } => assert_eq!(through, ticket),
            other => panic!("{other:?}"),
        }
    }
    assert!(wait(opened.store.calls(1)).unwrap().unwrap().is_empty());
    // Changes that cannot be folded fill it, and are then refused at the door.
    let full = (0..200).any(|number| {
        opened.store.submit(Change::AddCall(Box::new(call(number)))) == Err(StoreError::Full)
    });
    assert!(full);

    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    loop {
        match wait(opened.reports.recv()).unwrap() {
            Report::Committed { through } if through >= second => break,
            Report::Delayed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    opened.store.close().unwrap();
    println!("recovered");
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let output = child("store::tests::write_to_a_full_disk", &folder).wait_with_output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout);
    assert!(output.contains("recovered"), "{output}");
    let loaded = open(&folder).loaded;
    assert_eq!(loaded.bindings, [binding(1), binding(2), binding(3)]);
}

fn text(id: u64, contact: &str, state: TextState) -> TextRecord {
    TextRecord {
        id,
        extension: "101".into(),
        contact: contact.into(),
        is_sent: false,
        text: format!("text {id}"),
        at_us: i64::try_from(id).expect("small"),
        state,
        is_elsewhere: false,
    }
}

fn wanted(contact: &str, unread: bool) -> WantedTexts {
    WantedTexts { extension: "101".into(), contact: contact.into(), unread, limit: 10 }
}

fn ids(opened: &Opened, contact: &str, unread: bool) -> Vec<u64> {
    let texts = wait(opened.store.texts(wanted(contact, unread))).expect("answered").unwrap();
    texts.into_iter().map(|text| text.id).collect()
}

#[test]
fn past_texts_are_given_by_contact_and_their_numbers_not_used_again() {
    let folder = TempDir::new().unwrap();
    let mut opened = open(&folder);
    let put = |text| Change::PutText(Box::new(text));
    for (id, contact, state) in [
        (3, "102", TextState::Unread),
        (4, "103", TextState::Unread),
        (5, "102", TextState::Stored),
    ] {
        opened.store.submit(put(text(id, contact, state))).unwrap();
    }
    let other = TextRecord { extension: "999".into(), ..text(6, "102", TextState::Read) };
    let ticket = opened.store.submit(put(other.clone())).unwrap();
    committed(&mut opened, ticket);
    assert_eq!(ids(&opened, "", false), [5, 4, 3]);
    assert_eq!(ids(&opened, "102", false), [5, 3]);
    assert_eq!(ids(&opened, "", true), [4, 3]);
    let read = Change::ReadTexts { extension: "101".into(), ids: vec![3, 5, 6, 77] };
    opened.store.submit(read).unwrap();
    let became = Change::TextBecame { id: 5, state: TextState::Delivered };
    let ticket = opened.store.submit(became).unwrap();
    committed(&mut opened, ticket);
    let texts = wait(opened.store.texts(wanted("102", false))).expect("answered").unwrap();
    assert_eq!(texts, [text(5, "102", TextState::Delivered), text(3, "102", TextState::Read)]);
    drop(opened);
    let mut opened = open(&folder);
    assert_eq!(opened.loaded.next_message, 7);
    assert_eq!(ids(&opened, "", true), [4], "what is unread is not forgotten");
    let gone = Change::RemoveExtension { number: "101".into() };
    let ticket = opened.store.submit(gone).unwrap();
    committed(&mut opened, ticket);
    assert_eq!(ids(&opened, "", false), Vec::<u64>::new());
}

#[test]
fn past_texts_have_a_bound_and_who_wants_no_history_has_the_unread_ones_only() {
    let folder = TempDir::new().unwrap();
    let mut opened = open_with(&folder, &Bounds { texts: 4, ..Bounds::default() });
    for id in 1..128 {
        let text = text(id, "102", TextState::Read);
        opened.store.submit_quietly(Change::PutText(Box::new(text))).unwrap();
    }
    let last = text(128, "102", TextState::Read);
    let ticket = opened.store.submit(Change::PutText(Box::new(last))).unwrap();
    committed(&mut opened, ticket);
    assert_eq!(ids(&opened, "", false), [128, 127, 126, 125]);

    let folder = TempDir::new().unwrap();
    let mut opened = open_with(&folder, &Bounds { calls: 0, ..Bounds::default() });
    for (id, state) in [(1, TextState::Read), (2, TextState::Unread), (3, TextState::Unread)] {
        opened.store.submit(Change::PutText(Box::new(text(id, "102", state)))).unwrap();
    }
    let read = Change::ReadTexts { extension: "101".into(), ids: vec![2] };
    let ticket = opened.store.submit(read).unwrap();
    committed(&mut opened, ticket);
    assert_eq!(ids(&opened, "", false), [3]);
}
