// SPDX-License-Identifier: GPL-3.0-or-later
//! Phones of others register with the login password, as the real PAM module keeps it and the real
//! digest service judges it. Needs root, as CI has.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use sipwitch_digest_store::Algorithm;
use sipwitch_tests::digests::{ANNA, BERT, DigestMachine, Plan};
use sipwitch_tests::peers::{Account, Baresip, Openssl, Sipp, Transport};
use sipwitch_tests::session::Session;
use sipwitch_tests::{Authority, Network, PATIENCE, Terminal, command_line, net};
use tempfile::TempDir;

/// Debian's baresip and SIPp know MD5 alone.
const MD5: Plan<'_> =
    Plan { arguments: "--algorithms=md5", script: "", wrapper: "", polkit: false };

/// A machine where a password that is changed is kept by the module.
fn machine() -> Result<DigestMachine> {
    let machine = DigestMachine::start(&MD5)?;
    let stack = format!(
        "@include common-password\npassword optional {} algorithms=md5\n",
        module()?.display()
    );
    fs::write(machine.etc().join("pam.d/chpasswd"), stack)?;
    Ok(machine)
}

fn module() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.parent().and_then(Path::parent).context("it is in deps/")?;
    let module = target.join("libpam_sipwitch.so");
    ensure!(module.exists(), "cargo build -p sipwitch-pam --lib makes {module:?}");
    Ok(module)
}

/// Registers once, as SIPp does; gives whether it was let in.
fn registers(account: &Account) -> Result<bool> {
    let mut sipp = Sipp::play("register", account, Sipp::place()?, &account.number)?;
    match sipp.done() {
        Ok(()) => Ok(true),
        // The answer to its credentials, and not to its first request.
        Err(error) => match error.to_string() {
            said if said.contains("SIP/2.0 401") && said.contains("CSeq: 2 REGISTER") => Ok(false),
            _ => Err(error),
        },
    }
}

#[test]
fn a_new_login_password_lets_phones_in_at_once_and_the_old_one_no_more() -> Result<()> {
    let machine = machine()?;
    let at = net::server_place(net::loopback())?;
    let anna = Session::start(&machine, ANNA, at, "", None)?;
    let added = anna.sipwitch(&["extensions", "add", "101", "--authentication", "login"], "")?;
    ensure!(added.done()?.contains("sipwitch digest enrol"), "the next step is said: {added:?}");
    ensure!(anna.extension("101")?["login-state"] == "not-enrolled");
    anna.sipwitch(&["extensions", "add", "102"], "")?.done()?;

    let enrolled = anna.sipwitch(&["digest", "enrol", "--json"], "old\n")?.json()?;
    ensure!(enrolled["enrolled"] == true && enrolled["source"] == "login", "{enrolled}");
    ensure!(anna.sipwitch(&["digest", "verify", "--json"], "old\n")?.json()?["right"] == true);
    anna.sipwitch(&["digest", "verify"], "new\n")?.failed(1, &["not the password"])?;

    let account = |password: &str| Account::new("101", at).with_login("anna", password);
    let mut phone = Baresip::start(&account("old"))?;
    phone.registered()?;
    ensure!(registers(&account("old"))?);
    ensure!(!registers(&account("new"))?);
    let state = anna.extension("101")?;
    ensure!(state["login-state"] == "ready" && state["authentication"] == "login", "{state}");

    machine.run("echo anna:new | chpasswd", "")?;
    let changed = Instant::now();
    ensure!(registers(&account("new"))?);
    println!("the new password registered a phone {:?} after it was set", changed.elapsed());
    ensure!(!registers(&account("old"))?);
    let mut again = Baresip::start(&account("new"))?;
    again.registered()?;
    ensure!(anna.sipwitch(&["digest", "verify", "--json"], "new\n")?.json()?["right"] == true);

    // She calls with it: each request is judged.
    again.call("102")?;
    ensure!(again.closed()?.contains("480"), "nobody is there, but she was heard");
    Ok(())
}

/// What a service of anna's listens to, TLS too, and for that the settings and files that she can read.
fn with_tls(authority: &Authority, domain: &str) -> Result<(SocketAddr, String, TempDir)> {
    let own = authority.issue(domain)?;
    let shared = tempfile::tempdir()?;
    fs::set_permissions(shared.path(), Permissions::from_mode(0o755))?;
    let mut files = Vec::new();
    for (name, file) in [("certificate", &own.certificate), ("key", &own.key)] {
        let to = shared.path().join(name);
        fs::copy(file, &to)?;
        fs::set_permissions(&to, Permissions::from_mode(0o600))?;
        std::os::unix::fs::chown(&to, Some(ANNA), Some(ANNA))?;
        files.push(to);
    }
    let local: SocketAddr = "127.0.0.1:5060".parse()?;
    // With `lan`, loopback stands for every address.
    let settings = format!(
        "[sip]\nlan = true\nlisten = [\"udp:{local}\", \"tls:127.0.0.1:5061\"]\n\
         domain = {domain:?}\ntls-certificate = {:?}\ntls-key = {:?}\n",
        files[0], files[1]
    );
    Ok((local, settings, shared))
}

/// A telephone on another machine, over TLS: the old password until it is changed, the new one from then
/// on, and nothing is started anew for it.
#[test]
fn a_telephone_follows_the_login_password_over_tls() -> Result<()> {
    let machine = machine()?;
    let network = Network::new()?;
    let (house, street) =
        (network.host(Ipv4Addr::new(10, 77, 9, 1))?, network.host(Ipv4Addr::new(10, 77, 9, 2))?);
    let authority = Authority::new()?;
    // It calls the server by its address.
    let (local, settings, _files) = with_tls(&authority, &house.address.to_string())?;
    let anna = Session::start(&machine, ANNA, local, &settings, Some(&house))?;
    anna.sipwitch(&["digest", "enrol"], "old\n")?.done()?;
    anna.sipwitch(&["extensions", "add", "101", "--authentication", "login"], "")?.done()?;
    anna.sipwitch(&["extensions", "add", "102"], "")?.done()?;

    let server = SocketAddr::new(house.address.into(), 5061);
    let start = |password: &str| {
        let account = Account::new("101", server).over(Transport::Tls).with_login("anna", password);
        let (from, trusted) = (IpAddr::V4(street.address), authority.file.clone());
        street.run(move || Baresip::start_trusting(&account, from, &trusted))
    };
    let mut phone = start("old")?;
    phone.registered()?;
    machine.run("echo anna:new | chpasswd", "")?;
    let mut again = start("new")?;
    again.registered()?;
    let heard = again.sip().concat();
    ensure!(heard.contains("SIP/2.0/TLS") && !heard.contains("SIP/2.0/UDP"), "{heard}");
    // Each request is judged, calls too.
    again.call("102")?;
    ensure!(again.closed()?.contains("480"), "nobody is there, but it was heard");
    // With the old one it tries each new challenge, until it is held off.
    let is_refused = |words: &str| words.contains("401") || words.contains("503");
    phone.call("102")?;
    let refused = phone.closed()?;
    ensure!(is_refused(&refused), "the old one makes no calls: {refused}");
    let mut late = start("old")?;
    let refused = late.refused()?;
    ensure!(is_refused(&refused) && !late.sip().concat().contains("SIP/2.0 200"), "{refused}");
    Ok(())
}

/// A telephone of our own making, over UDP: it asks once, and once more with what it makes of the challenge
/// for this algorithm. Gives the algorithms that it was offered, and the status in the end.
fn answers(at: SocketAddr, algorithm: Algorithm, password: &str) -> Result<(Vec<String>, String)> {
    let socket = UdpSocket::bind((at.ip(), 0))?;
    socket.connect(at)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (own, uri) = (socket.local_addr()?, format!("sip:{at}"));
    let ask = |number: u32, more: &str| -> Result<String> {
        let request = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:101@{at}>;tag=1\r\nTo: <sip:101@{at}>\r\n\
             Call-ID: {algorithm}-{own}\r\nCSeq: {number} REGISTER\r\nUser-Agent: ours/1\r\n\
             Contact: <sip:101@{own}>\r\n{more}Content-Length: 0\r\n\r\n"
        );
        socket.send(request.as_bytes())?;
        let mut buffer = [0; 8192];
        loop {
            let length = socket.recv(&mut buffer)?;
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !answer.starts_with("SIP/2.0 1") {
                return Ok(answer);
            }
        }
    };
    let first = ask(1, "")?;
    let challenges: Vec<&str> =
        first.lines().filter(|line| line.starts_with("WWW-Authenticate: ")).collect();
    let named = |line: &str| Some(line.split_once("algorithm=")?.1.split(',').next()?.to_owned());
    let offered: Vec<String> = challenges.iter().filter_map(|line| named(line)).collect();
    let taken = challenges.iter().find(|line| named(line).as_deref() == Some(algorithm.name()));
    let challenge = taken.with_context(|| format!("no {algorithm} in {first}"))?;
    let digest = credentials(challenge, algorithm, "anna", password, &uri)?;
    let last = ask(2, &format!("{digest}\r\n"))?;
    Ok((offered, last.lines().next().unwrap_or_default().to_owned()))
}

#[test]
fn every_algorithm_that_is_kept_is_offered_the_strongest_first_and_taken() -> Result<()> {
    let all = Algorithm::ALL.map(|algorithm| algorithm.name().to_owned());
    let arguments = format!("--algorithms={}", all.join(","));
    let machine = DigestMachine::start(&Plan { arguments: &arguments, ..MD5 })?;
    let at = net::server_place(net::loopback())?;
    let anna = Session::start(&machine, ANNA, at, "", None)?;
    anna.sipwitch(&["digest", "enrol"], "old\n")?.done()?;
    anna.sipwitch(&["extensions", "add", "101", "--authentication", "login"], "")?.done()?;
    for algorithm in Algorithm::ALL {
        let (offered, status) = answers(at, algorithm, "old")?;
        ensure!(offered == all, "RFC 8760 §2.4: {offered:?}");
        ensure!(status == "SIP/2.0 200 OK", "{algorithm}: {status}");
        let (_, status) = answers(at, algorithm, "new")?;
        ensure!(status.starts_with("SIP/2.0 401"), "{algorithm}: {status}");
    }
    // A telephone that knows MD5 alone finds it.
    let mut phone = Baresip::start(&Account::new("101", at).with_login("anna", "old"))?;
    phone.registered()?;
    Ok(())
}

#[test]
fn a_login_password_stays_off_the_network() -> Result<()> {
    let machine = machine()?;
    let network = Network::new()?;
    let (house, street) =
        (network.host(Ipv4Addr::new(10, 77, 9, 1))?, network.host(Ipv4Addr::new(10, 77, 9, 2))?);
    let authority = Authority::new()?;
    let (plain, tls) =
        (SocketAddr::new(house.address.into(), 5060), SocketAddr::new(house.address.into(), 5061));
    let (local, settings, _files) = with_tls(&authority, "house.example")?;
    let anna = Session::start(&machine, ANNA, local, &settings, Some(&house))?;
    anna.sipwitch(&["digest", "enrol"], "old\n")?.done()?;
    anna.sipwitch(&["extensions", "add", "101", "--authentication", "login"], "")?.done()?;

    let account = |server| Account::new("101", server).with_login("anna", "old");
    let here = account(local);
    let mut inside = house.run(move || Baresip::start(&here))?;
    inside.registered()?;

    let (there, from) = (account(plain), IpAddr::V4(street.address));
    let mut outside = street.run(move || Baresip::start_at(&there, from))?;
    let refused = outside.refused()?;
    ensure!(refused.contains("403"), "{refused}");
    let sent = outside.sip().concat();
    ensure!(
        sent.contains("REGISTER") && !sent.contains("Authorization"),
        "it showed a digest: {sent}"
    );
    let warned = anna.sipwitch(&["status", "--json"], "")?.json()?.to_string();
    ensure!(warned.contains("comes without TLS"), "{warned}");

    // The same, by TLS.
    let (mut over_tls, _authority) = street
        .run(move || Ok((Openssl::connect(tls, "house.example", &authority, None)?, authority)))?;
    let uri = "sip:house.example";
    let from = ["From: <sip:101@house.example>;tag=1", "To: <sip:101@house.example>"];
    over_tls.ask(1, "REGISTER", uri, &from)?;
    let challenge = over_tls.line("WWW-Authenticate: ")?;
    over_tls.hears(401, 1, "REGISTER")?;
    let digest = credentials(&challenge, Algorithm::Md5, "anna", "old", uri)?;
    let contact = "Contact: <sip:101@10.77.9.2:5070;transport=tls>";
    over_tls.ask(2, "REGISTER", uri, &[from[0], from[1], contact, &digest])?;
    over_tls.hears(200, 2, "REGISTER")?;
    ensure!(anna.extension("101")?["phones"].as_array().map(Vec::len) == Some(2));

    // A separate password needs no TLS; root makes it, since nobody is there whom polkit could ask.
    let tool = sipwitch_tests::program::ours("sipwitch", "sipwitch-cli")?;
    let mut command = std::process::Command::new(tool);
    command.args(["digest", "separate", "anna", "--json"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", machine.address());
    let separate = command_line::run(command, "")?.json()?;
    let password = separate["password"].as_str().context("a password")?.to_owned();
    // What was kept a moment ago is looked at anew.
    anna.sipwitch(&["config", "reload"], "")?.done()?;
    let there = Account::new("101", plain).with_login("anna", &password);
    let from = IpAddr::V4(street.address);
    let mut outside = street.run(move || Baresip::start_at(&there, from))?;
    outside.registered()?;
    Ok(())
}

/// What a phone answers to a challenge.
fn credentials(
    challenge: &str,
    algorithm: Algorithm,
    user: &str,
    password: &str,
    uri: &str,
) -> Result<String> {
    let part = |name: &str| -> Result<String> {
        let (_, rest) = challenge.split_once(&format!("{name}=\"")).context("a parameter")?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    };
    let (realm, nonce) = (part("realm")?, part("nonce")?);
    let secret = algorithm.ha1(&user.parse()?, &realm.parse()?, password.as_bytes());
    let request = algorithm.hash(&[b"REGISTER", uri.as_bytes()]);
    let parts = [secret.reveal(), &nonce, "00000001", "c0ffee", "auth", request.as_str()];
    let response = algorithm.hash(&parts.map(str::as_bytes));
    Ok(format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{uri}\", algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"c0ffee\", response=\"{}\"",
        response.as_str()
    ))
}

#[test]
fn without_the_digest_service_other_extensions_do_not_notice() -> Result<()> {
    let machine = DigestMachine::start(&MD5)?;
    machine.uninstall()?;
    let at = net::server_place(net::loopback())?;
    let anna = Session::start(&machine, ANNA, at, "", None)?;
    let added = anna.sipwitch(&["extensions", "add", "101", "--authentication", "login"], "")?;
    ensure!(added.done()?.contains("is not installed"), "{added:?}");
    let state = anna.extension("101")?;
    ensure!(state["login-state"] == "unavailable", "{state}");
    anna.sipwitch(&["extensions", "add", "102"], "")?.done()?;
    anna.sipwitch(&["extensions", "password", "102"], "longenough\n")?.done()?;

    let mut refused = Baresip::start(&Account::new("101", at).with_login("anna", "old"))?;
    ensure!(refused.refused()?.contains("503"));
    let mut phone = Baresip::start(&Account::new("102", at).with_password("longenough"))?;
    phone.registered()?;
    let status = anna.sipwitch(&["status", "--json"], "")?.json()?.to_string();
    ensure!(status.contains("cannot register with the login password"), "{status}");
    anna.sipwitch(&["digest", "status"], "")?.failed(3, &["not installed", "make install"])?;
    Ok(())
}

#[test]
fn administrators_look_after_what_is_kept_by_the_command_line() -> Result<()> {
    let machine = DigestMachine::start(&MD5)?;
    let at = net::server_place(net::loopback())?;
    let anna = Session::start(&machine, ANNA, at, "", None)?;
    let tool = sipwitch_tests::program::ours("sipwitch", "sipwitch-cli")?;
    let root = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&tool);
        command.args(["digest"]).args(arguments);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", machine.address());
        command_line::run(command, "")
    };
    ensure!(root(&["list", "--json"])?.json()?["digests"] == json!([]));
    anna.sipwitch(&["digest", "enrol"], "old\n")?.done()?;
    anna.sipwitch(&["digest", "enrol"], "wrong\n")?.failed(1, &[])?;
    let bert = root(&["separate", "bert", "--json"])?.json()?;
    ensure!(bert["password"].as_str().map(str::len) == Some(20), "{bert}");
    let listed = root(&["list", "--json"])?.json()?;
    let of = |name: &str| {
        let all = listed["digests"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["user"] == name).with_context(|| format!("{name} is listed"))
    };
    ensure!(of("anna")?["source"] == "login" && of("bert")?["uid"] == BERT, "{listed}");
    let words = root(&["list"])?.done()?.to_owned();
    ensure!(words.contains("anna") && words.contains("separate"), "{words}");

    let before = root(&["realm", "--json"])?.json()?["realm"].clone();
    let asked = root(&["realm", "office"])?;
    asked.failed(2, &["2 users", "--yes"])?;
    ensure!(asked.out.contains("anna") && asked.out.contains("bert"), "{asked:?}");
    ensure!(root(&["realm", "--json"])?.json()?["realm"] == before, "it only told");
    let changed = root(&["realm", "office", "--yes", "--json"])?.json()?;
    ensure!(changed["realm"] == "office", "{changed}");
    let status = anna.sipwitch(&["digest", "status", "--json"], "")?.json()?;
    ensure!(status["problem"] == "other-realm" && status["enrolled"] == false, "{status}");
    anna.sipwitch(&["digest", "verify"], "old\n")?.failed(1, &["digest status"])?;
    anna.sipwitch(&["digest", "enrol"], "old\n")?.done()?;
    ensure!(anna.sipwitch(&["digest", "verify", "--json"], "old\n")?.json()?["right"] == true);

    let passwd = machine.etc().join("passwd");
    let text = fs::read_to_string(&passwd)?;
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("bert:"))
        .fold(String::new(), |all, line| all + line + "\n");
    fs::write(&passwd, without)?;
    ensure!(root(&["prune", "--dry-run", "--json"])?.json()?["users"] == json!(["bert"]));
    ensure!(root(&["prune", "--json"])?.json()? == json!({"users": ["bert"], "removed": true}));
    ensure!(root(&["prune"])?.done()?.contains("nothing was kept"));
    anna.sipwitch(&["digest", "list"], "")?.failed(1, &[])?;
    root(&["remove", "anna"])?.done()?;
    ensure!(anna.sipwitch(&["digest", "status", "--json"], "")?.json()?["enrolled"] == false);
    Ok(())
}

#[test]
fn a_terminal_does_not_show_the_login_password_and_shows_again_what_is_typed() -> Result<()> {
    let machine = machine()?;
    let at = net::server_place(net::loopback())?;
    let anna = Session::start(&machine, ANNA, at, "", None)?;
    let enrol = || Terminal::run(anna.command(&[], &["digest", "enrol"]));
    let mut terminal = enrol()?;
    terminal.shows("login password of anna: ")?;
    ensure!(!terminal.shows_typing()?);
    terminal.presses(b"ol\x03")?;
    let status = terminal.ended()?;
    ensure!(status.signal() == Some(Signal::SIGINT as i32) && terminal.shows_typing()?, "{status}");
    let kept = anna.sipwitch(&["digest", "status", "--json"], "")?.json()?;
    ensure!(kept["enrolled"] == false, "{kept}");

    let mut terminal = enrol()?;
    terminal.shows("login password of anna: ")?;
    terminal.types("old")?;
    ensure!(terminal.ended()?.success() && terminal.shows_typing()?);
    let shown = terminal.ends()?;
    ensure!(shown.contains("is kept for phones") && !shown.contains("old"), "{shown}");
    Ok(())
}

/// Over ssh nobody is there whom polkit could have ask for a password. What people see then, where a
/// logind tells polkit of their sessions, tests/by_hand/booted shows.
#[test]
fn polkit_is_given_somebody_to_ask_on_a_terminal_and_nowhere_else() -> Result<()> {
    let mut machine = DigestMachine::start(&Plan::default())?;
    let at = net::server_place(net::loopback())?;
    let anna = Session::start(&machine, ANNA, at, "", None)?;
    anna.sipwitch(&["digest", "separate"], "")?.failed(1, &["polkit"])?;
    let said = machine.bus.said.all().join("\n");
    ensure!(!said.contains("Authentication Agent"), "{said}");

    // Its terminal is that of a session of its own, as /dev/tty has it.
    let separate = anna.command(&["setsid", "--ctty", "--wait"], &["digest", "separate"]);
    let mut terminal = Terminal::run(separate)?;
    terminal.ended()?;
    ensure!(terminal.shows_typing()?);
    let agent = "[pkttyagent --fallback --notify-fd 1 --process ";
    let known = machine.bus.wait_for(": Registered Authentication Agent for unix-process:")?;
    ensure!(known.contains(agent), "{known}");
    machine.bus.wait_for(": Unregistered Authentication Agent for unix-process:")?;
    Ok(())
}
