// SPDX-License-Identifier: GPL-3.0-or-later
//! The digest service on a system bus: who may ask what, and what becomes of it. The responses are made
//! here by the library; that its hashes are right, others say (pam/digest-service/src/response).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sipwitch_digest_store::{Algorithm, Store};
use sipwitch_tests::digests::{ANNA, BERT, CORA, DigestClient, DigestMachine, Plan};

/// What a phone answers to a challenge, with this password.
fn response(user: &str, realm: &str, algorithm: Algorithm, password: &str) -> Result<Value> {
    let ha1 = algorithm.ha1(&user.parse()?, &realm.parse()?, password.as_bytes());
    let (nonce, uri) = ("4f1c", "sip:example.org");
    let request = algorithm.hash(&[b"REGISTER", uri.as_bytes()]);
    let parts = [ha1.reveal(), nonce, "00000001", "c0ffee", "auth", request.as_str()];
    let answer = algorithm.hash(&parts.map(str::as_bytes));
    Ok(json!({
        "username": user, "realm": realm, "nonce": nonce, "uri": uri, "method": "REGISTER",
        "qop": "auth", "nc": "00000001", "cnonce": "c0ffee", "algorithm": algorithm.name(),
        "response": answer.as_str(),
    }))
}

/// A user whose digest is kept, and the realm of it.
fn enrolled(client: &mut DigestClient, password: &str) -> Result<String> {
    let status = client.ask(&json!(["Enrol", "", {"pipe": password}]))?;
    ensure!(status["enrolled"] == true, "{status}");
    Ok(status["realm"].as_str().context("a realm")?.to_owned())
}

const SHA256: Algorithm = Algorithm::Sha256;

#[test]
fn a_user_enrols_with_the_login_password_and_phones_register_with_it() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut anna = machine.client(ANNA)?;
    let before = anna.ask(&json!(["Status", ""]))?;
    ensure!(before["enrolled"] == false && before["user"] == "anna" && before["uid"] == ANNA);
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "wrong"}]))? == "WrongPassword");
    ensure!(anna.ask(&json!(["Status", ""]))?["enrolled"] == false);

    let realm = enrolled(&mut anna, "old")?;
    let status = anna.ask(&json!(["Status", "anna"]))?;
    ensure!(status["source"] == "login" && status["algorithms"] == json!(["SHA-256"]), "{status}");
    ensure!(status["path"] == "/etc/sipwitch.db" && status["fallback"] == false, "{status}");
    ensure!(anna.ask(&json!(["Get", "Realm"]))? == realm.as_str());
    ensure!(anna.ask(&json!(["Get", "Algorithms"]))? == json!(["SHA-256"]));

    ensure!(anna.verifies(&response("anna", &realm, SHA256, "old")?)?);
    ensure!(!anna.verifies(&response("anna", &realm, SHA256, "wrong")?)?);
    let md5 = response("anna", &realm, Algorithm::Md5, "old")?;
    ensure!(anna.refused(&json!(["VerifyResponse", md5]))? == "NotEnrolled");
    let elsewhere = response("anna", "elsewhere", SHA256, "old")?;
    ensure!(anna.refused(&json!(["VerifyResponse", elsewhere]))? == "NotEnrolled");

    // Nothing that was said leads to the password or the digest.
    let entry = Store::at(machine.etc().join("sipwitch.db")).read()?.database;
    let entry = entry.entry(&"anna".parse()?).context("kept")?;
    let digest = entry.digest(SHA256).context("SHA-256")?.reveal();
    let said = machine.bus.said.all().join("\n");
    ensure!(said.contains("user number 2001 enrolled anna"), "{said}");
    ensure!(said.contains("user number 2001 gave a wrong password for anna"), "{said}");
    ensure!(!said.contains(digest) && !said.contains(" old"), "{said}");
    Ok(())
}

#[test]
fn a_password_that_is_changed_by_passwd_counts_at_once_and_the_old_one_no_more() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let (mut anna, mut bert) = (machine.client(ANNA)?, machine.client(BERT)?);
    let realm = enrolled(&mut anna, "old")?;
    let separate = bert.ask(&json!(["Separate", ""]))?;
    let separate = separate.as_str().context("a password")?;

    let test = std::env::current_exe()?;
    let module = test.parent().and_then(Path::parent).context("it is in deps/")?;
    let module = module.join("libpam_sipwitch.so");
    ensure!(module.exists(), "cargo build -p sipwitch-pam --lib makes {module:?}");
    let common = machine.etc().join("pam.d/common-password");
    let stack = fs::read_to_string(&common)?;
    fs::write(&common, format!("{stack}password optional {}\n", module.display()))?;
    machine.run("passwd anna; passwd bert", "new\nnew\nnew\nnew\n")?;

    ensure!(anna.verifies(&response("anna", &realm, SHA256, "new")?)?);
    ensure!(!anna.verifies(&response("anna", &realm, SHA256, "old")?)?);
    ensure!(anna.ask(&json!(["Status", ""]))?["source"] == "login");
    // Who has a separate one keeps it.
    ensure!(bert.verifies(&response("bert", &realm, Algorithm::Md5, separate)?)?);
    ensure!(!bert.verifies(&response("bert", &realm, SHA256, "new")?)?);
    Ok(())
}

#[test]
fn on_a_full_disk_nothing_changes_and_the_caller_is_told() -> Result<()> {
    let script = "mount -t tmpfs -o size=64k,mode=755 tmpfs /var/lib; \
                  cp -p /etc/filled /var/lib/sipwitch.db; chmod 600 /var/lib/sipwitch.db; \
                  head -c 65536 /dev/zero >/var/lib/full || true";
    let filled = format!(
        "printf '# sipwitch digest db v1\\nrealm:house\\nv1:anna:{ANNA}:house:SHA-256={}:1:login\\n' \
         >/etc/filled; {script}",
        SHA256.ha1(&"anna".parse()?, &"house".parse()?, b"old").reveal()
    );
    let arguments = "--db=/var/lib/sipwitch.db";
    let machine = DigestMachine::start(&Plan { arguments, script: &filled, ..Plan::default() })?;
    let (mut anna, mut root) = (machine.client(ANNA)?, machine.client(0)?);
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "NotStored");
    ensure!(root.refused(&json!(["Separate", "anna"]))? == "NotStored");
    ensure!(root.refused(&json!(["SetRealm", "", false]))? == "NotStored");
    ensure!(anna.verifies(&response("anna", "house", SHA256, "old")?)?, "what was there is there");
    Ok(())
}

#[test]
fn nobody_asks_for_another_and_root_neither() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let (mut anna, mut bert, mut root) =
        (machine.client(ANNA)?, machine.client(BERT)?, machine.client(0)?);
    let realm = enrolled(&mut anna, "old")?;
    let of_anna = response("anna", &realm, SHA256, "old")?;
    for other in [&mut bert, &mut root] {
        ensure!(other.refused(&json!(["VerifyResponse", of_anna]))? == "NotAuthorized");
        // Whether that user has a digest is no business of theirs: the answer is the same.
        let of_cora = response("cora", &realm, SHA256, "old")?;
        ensure!(other.refused(&json!(["VerifyResponse", of_cora]))? == "NotAuthorized");
        let of_nobody = response("nobody at all", &realm, SHA256, "old")?;
        ensure!(other.refused(&json!(["VerifyResponse", of_nobody]))? == "NotAuthorized");
    }
    let said = machine.bus.said.all().join("\n");
    ensure!(said.contains("user number 2002 was refused a response of another user"), "{said}");
    for call in [
        json!(["Status", "anna"]),
        json!(["Enrol", "anna", {"pipe": "old"}]),
        json!(["Separate", "anna"]),
        json!(["Remove", "anna"]),
        json!(["Remove", "nobody"]),
        json!(["List"]),
        json!(["Prune", true]),
        json!(["SetRealm", "x", true]),
    ] {
        ensure!(bert.refused(&call)? == "NotAuthorized", "{call}");
    }
    // Her own password for phones she changes only if an agent asks her, and none is there.
    ensure!(anna.refused(&json!(["Separate", ""]))? == "NotAuthorized");
    ensure!(anna.refused(&json!(["Remove", "anna"]))? == "NotAuthorized");
    ensure!(anna.verifies(&of_anna)?, "nothing has changed");
    Ok(())
}

#[test]
fn administrators_do_it_for_others() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let (mut anna, mut cora, mut root) =
        (machine.client(ANNA)?, machine.client(CORA)?, machine.client(0)?);
    for administrator in [&mut cora, &mut root] {
        ensure!(administrator.ask(&json!(["Status", "anna"]))?["uid"] == ANNA);
        let password = administrator.ask(&json!(["Separate", "anna"]))?;
        let password = password.as_str().context("a password")?;
        ensure!(password.len() == 20);
        let status = anna.ask(&json!(["Status", ""]))?;
        let realm = status["realm"].as_str().context("a realm")?;
        ensure!(status["source"] == "separate", "{status}");
        ensure!(status["algorithms"] == json!(["SHA-512-256", "SHA-256", "MD5"]), "{status}");
        for algorithm in Algorithm::ALL {
            ensure!(anna.verifies(&response("anna", realm, algorithm, password)?)?);
        }
        ensure!(!anna.verifies(&response("anna", realm, SHA256, "old")?)?);
        let (_, said) = (administrator.ask(&json!(["Remove", "anna"]))?, machine.bus.said.all());
        ensure!(!said.join("\n").contains(password), "it is in the log");
        ensure!(administrator.refused(&json!(["Remove", "anna"]))? == "NotEnrolled");
        ensure!(anna.ask(&json!(["Status", ""]))?["enrolled"] == false);
    }
    Ok(())
}

#[test]
fn a_separate_password_is_ones_own_to_make_and_logins_leave_it() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut bert = machine.client(BERT)?;
    let first = bert.ask(&json!(["Separate", ""]))?;
    let second = bert.ask(&json!(["Separate", "bert"]))?;
    ensure!(first != second);
    let realm = bert.ask(&json!(["Status", ""]))?["realm"].as_str().context("realm")?.to_owned();
    let second = second.as_str().context("a password")?;
    ensure!(bert.verifies(&response("bert", &realm, Algorithm::Md5, second)?)?);
    // Until he wants the login password back.
    enrolled(&mut bert, "old")?;
    ensure!(bert.ask(&json!(["Status", ""]))?["source"] == "login");
    ensure!(bert.verifies(&response("bert", &realm, SHA256, "old")?)?);
    let md5 = response("bert", &realm, Algorithm::Md5, second)?;
    ensure!(bert.refused(&json!(["VerifyResponse", md5]))? == "NotEnrolled");
    bert.ask(&json!(["Remove", ""]))?;
    ensure!(bert.ask(&json!(["Status", ""]))?["realm"] == "");
    Ok(())
}

#[test]
fn who_is_wrong_too_often_waits_with_right_responses_too() -> Result<()> {
    let machine = DigestMachine::start(&Plan { arguments: "--idle-seconds=1", ..Plan::default() })?;
    let (mut anna, mut bert) = (machine.client(ANNA)?, machine.client(BERT)?);
    let realm = enrolled(&mut anna, "old")?;
    enrolled(&mut bert, "old")?;
    let process = machine.service()?;
    let (right, wrong) =
        (response("anna", &realm, SHA256, "old")?, response("anna", &realm, SHA256, "guess")?);
    let mut answers = 0;
    let refused = loop {
        // Right ones in between forgive nothing.
        if answers % 2 == 1 && anna.call(&json!(["VerifyResponse", right]))?["is"] != true {
            break anna.refused(&json!(["VerifyResponse", right]))?;
        }
        let answer = anna.call(&json!(["VerifyResponse", wrong]))?;
        match answer["error"].as_str() {
            Some(error) => break error.to_owned(),
            None => answers += 1,
        }
        ensure!(answers < 20, "they are answered without an end");
    };
    ensure!(refused == "TooManyFailures", "{refused}");
    ensure!(answers >= 5, "{answers} were answered");
    // Until the wait is so long that no slow machine lets it pass.
    while anna.ask(&json!(["Status", ""]))?["wait-seconds"].as_u64() < Some(10) {
        anna.call(&json!(["VerifyResponse", wrong]))?;
    }
    ensure!(anna.refused(&json!(["VerifyResponse", right]))? == "TooManyFailures");
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "TooManyFailures");
    ensure!(bert.verifies(&response("bert", &realm, SHA256, "old")?)?, "others are not meant");
    // It does not end while it remembers: to be started again would forgive.
    ensure!(anna.refused(&json!(["VerifyResponse", right]))? == "TooManyFailures");
    ensure!(machine.service()? == process && process.is_some());
    Ok(())
}

#[test]
fn strings_of_strangers_get_an_error_and_do_no_harm() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut anna = machine.client(ANNA)?;
    let realm = enrolled(&mut anna, "old")?;
    let process = machine.service()?;
    let good = response("anna", &realm, SHA256, "old")?;
    for (part, value) in [
        ("username", "root:x"),
        ("username", "anna\nroot"),
        ("username", ""),
        ("realm", "\"; drop"),
        ("nc", "-0000001"),
        ("response", "%s%s%n"),
        ("algorithm", "../../etc/shadow"),
        ("qop", "auth,auth-int"),
        ("nonce", &"n".repeat(1 << 20)),
        ("uri", &"é".repeat(3000)),
    ] {
        let mut bad = good.clone();
        bad[part] = json!(value);
        let refused = anna.refused(&json!(["VerifyResponse", bad]))?;
        ensure!(refused == "BadResponse", "{part}: {refused}");
    }
    let many: Value =
        (0..5000).map(|at| (at.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    ensure!(anna.refused(&json!(["VerifyResponse", many]))? == "BadResponse");
    let long = "x".repeat(1 << 20);
    for name in ["nobody", "an:na", "-x", "--version", "../x", "\u{202e}anna", long.as_str()] {
        for method in ["Status", "Separate", "Remove"] {
            let refused = anna.refused(&json!([method, name]))?;
            let known = ["NoSuchUser", "NotAuthorized"].contains(&refused.as_str());
            ensure!(known, "{method}: {refused}");
        }
        let refused = anna.refused(&json!(["Enrol", name, {"pipe": "old"}]))?;
        ensure!(refused == "NoSuchUser", "{refused}");
    }
    ensure!(anna.verifies(&good)?);
    ensure!(machine.service()? == process, "it is the same process");
    Ok(())
}

#[test]
fn what_is_no_password_in_a_pipe_is_refused() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut anna = machine.client(ANNA)?;
    for password in [
        json!({"pipe": ""}),
        json!({"pipe": "x".repeat(1025)}),
        json!({"pipe": "old\u{0}"}),
        json!({"open": "old"}),
        json!("/etc/passwd"),
        json!("/dev/zero"),
        json!("/"),
    ] {
        let refused = anna.refused(&json!(["Enrol", "", password]))?;
        ensure!(refused == "BadValue", "{password}: {refused}");
    }
    // They are no failures: nobody guesses with them.
    ensure!(anna.ask(&json!(["Status", ""]))?["wait-seconds"] == 0);
    enrolled(&mut anna, "old")?;
    Ok(())
}

#[test]
fn who_may_not_log_in_does_not_enrol() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut anna = machine.client(ANNA)?;
    let shadow = machine.etc().join("shadow");
    let text = fs::read_to_string(&shadow)?;
    // The account has expired, though the password is right.
    fs::write(&shadow, text.replacen(":19000:0:99999:7:::", ":19000:0:99999:7::19001:", 1))?;
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "CannotProve");
    // Locked: crypt(3) can make no such hash.
    fs::write(&shadow, text.replacen("anna:", "anna:!", 1))?;
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "WrongPassword");
    fs::write(&shadow, &text)?;
    enrolled(&mut anna, "old")?;
    Ok(())
}

#[test]
fn a_pam_module_that_kills_its_process_kills_nothing_else() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut anna = machine.client(ANNA)?;
    let realm = enrolled(&mut anna, "old")?;
    let process = machine.service()?;
    let common = machine.etc().join("pam.d/common-auth");
    let stack = fs::read_to_string(&common)?;
    machine.run("printf '#!/bin/sh\\nkill -KILL $PPID\\n' >/etc/kill; chmod 755 /etc/kill", "")?;
    fs::write(&common, format!("auth optional pam_exec.so /etc/kill\n{stack}"))?;
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "CannotProve");
    ensure!(anna.verifies(&response("anna", &realm, SHA256, "old")?)?);
    ensure!(machine.service()? == process, "it is the same process");
    Ok(())
}

#[test]
fn users_who_are_gone_or_others_by_now_are_not_verified_and_pruned() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let (mut anna, mut bert, mut root) =
        (machine.client(ANNA)?, machine.client(BERT)?, machine.client(0)?);
    let realm = enrolled(&mut anna, "old")?;
    enrolled(&mut bert, "old")?;
    ensure!(root.ask(&json!(["Prune", true]))? == json!([]));

    // anna is deleted, dora gets her number; bert's name goes to somebody of another number.
    let passwd = machine.etc().join("passwd");
    let text = fs::read_to_string(&passwd)?;
    let text = text.replace("anna:x:2001", "dora:x:2001").replace("bert:x:2002", "bert:x:2007");
    fs::write(&passwd, text)?;
    let of_anna = response("anna", &realm, SHA256, "old")?;
    ensure!(anna.refused(&json!(["VerifyResponse", of_anna]))? == "NotAuthorized");
    let of_bert = response("bert", &realm, SHA256, "old")?;
    ensure!(bert.refused(&json!(["VerifyResponse", of_bert]))? == "NotAuthorized");
    let mut new_bert = machine.client(2007)?;
    ensure!(new_bert.refused(&json!(["VerifyResponse", of_bert]))? == "NotEnrolled");
    ensure!(new_bert.ask(&json!(["Status", ""]))?["problem"] == "other-person");

    let listed = root.ask(&json!(["List"]))?;
    ensure!(listed[0][0]["problem"] == "no-such-user" && listed[0][0]["enrolled"] == false);
    ensure!(listed[0][1]["problem"] == "other-person" && listed[1] == json!([]), "{listed}");
    ensure!(root.ask(&json!(["Prune", true]))? == json!(["anna", "bert"]));
    ensure!(root.ask(&json!(["List"]))?[0].as_array().map(Vec::len) == Some(2), "only told");
    ensure!(root.ask(&json!(["Prune", false]))? == json!(["anna", "bert"]));
    ensure!(root.ask(&json!(["List"]))?[0] == json!([]));
    Ok(())
}

#[test]
fn another_realm_says_its_cost_first() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let (mut anna, mut root) = (machine.client(ANNA)?, machine.client(0)?);
    let old = enrolled(&mut anna, "old")?;
    ensure!(root.ask(&json!(["SetRealm", "house", true]))? == json!(["house", ["anna"]]));
    ensure!(root.ask(&json!(["SetRealm", "", true]))? == json!(["", ["anna"]]));
    ensure!(root.ask(&json!(["SetRealm", old, true]))? == json!([old, []]));
    ensure!(root.refused(&json!(["SetRealm", "ho:use", false]))? == "BadValue");
    ensure!(anna.verifies(&response("anna", &old, SHA256, "old")?)?, "nothing has changed yet");

    ensure!(root.ask(&json!(["SetRealm", "house", false]))? == json!(["house", ["anna"]]));
    let of_old = response("anna", &old, SHA256, "old")?;
    ensure!(anna.refused(&json!(["VerifyResponse", of_old]))? == "NotEnrolled");
    let status = anna.ask(&json!(["Status", ""]))?;
    ensure!(status["problem"] == "other-realm" && status["enrolled"] == false, "{status}");
    ensure!(enrolled(&mut anna, "old")? == "house");
    ensure!(anna.verifies(&response("anna", "house", SHA256, "old")?)?);
    Ok(())
}

#[test]
fn where_etc_is_read_only_the_second_place_is_used_and_told() -> Result<()> {
    let script = "mount -o remount,bind,ro /etc";
    let machine = DigestMachine::start(&Plan { script, ..Plan::default() })?;
    let mut anna = machine.client(ANNA)?;
    enrolled(&mut anna, "old")?;
    let status = anna.ask(&json!(["Status", ""]))?;
    ensure!(status["path"] == "/var/lib/sipwitch/sipwitch.db", "{status}");
    ensure!(status["fallback"] == true, "{status}");
    ensure!(machine.lib().join("sipwitch/sipwitch.db").exists());
    let said = machine.bus.said.all().join("\n");
    ensure!(said.contains("the database is /var/lib/sipwitch/sipwitch.db from now on"), "{said}");

    let script = "mount -o remount,bind,ro /etc; mount -o remount,bind,ro /var/lib";
    let machine = DigestMachine::start(&Plan { script, ..Plan::default() })?;
    let mut anna = machine.client(ANNA)?;
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "ReadOnly");
    Ok(())
}

#[test]
fn a_database_that_is_open_to_others_is_not_believed() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let mut anna = machine.client(ANNA)?;
    let realm = enrolled(&mut anna, "old")?;
    machine.run("chmod 644 /etc/sipwitch.db", "")?;
    let right = response("anna", &realm, SHA256, "old")?;
    ensure!(anna.refused(&json!(["VerifyResponse", right]))? == "NotStored");
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))? == "NotStored");
    machine.run("chmod 600 /etc/sipwitch.db", "")?;
    ensure!(anna.verifies(&right)?);
    Ok(())
}

#[test]
fn without_polkit_root_alone_changes_what_is_others() -> Result<()> {
    let machine = DigestMachine::start(&Plan { polkit: false, ..Plan::default() })?;
    let (mut bert, mut root) = (machine.client(BERT)?, machine.client(0)?);
    ensure!(bert.refused(&json!(["Separate", ""]))? == "NotAuthorized");
    enrolled(&mut bert, "old")?;
    root.ask(&json!(["Remove", "bert"]))?;
    Ok(())
}

#[test]
fn it_ends_when_nobody_asks_and_on_sigterm_and_comes_back_when_asked() -> Result<()> {
    let machine = DigestMachine::start(&Plan { arguments: "--idle-seconds=3", ..Plan::default() })?;
    let mut anna = machine.client(ANNA)?;
    ensure!(machine.service()?.is_none(), "nobody has asked yet");
    let realm = enrolled(&mut anna, "old")?;
    let right = response("anna", &realm, SHA256, "old")?;
    let first = machine.service()?.context("it runs")?;
    gone(first)?;
    ensure!(anna.verifies(&right)?, "it is started again");
    // Told to end between two questions, again and again: no question is lost.
    for _ in 0..5 {
        ensure!(anna.verifies(&right)?);
        let process = machine.service()?.context("it runs")?;
        kill(Pid::from_raw(process), Signal::SIGTERM)?;
        ensure!(anna.verifies(&right)?);
        gone(process)?;
    }
    let said = machine.bus.said.all().join("\n");
    ensure!(!said.contains("ERROR") && !said.contains("panicked"), "{said}");
    Ok(())
}

fn unit() -> Result<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/systemd/sipwitch-digestd.service.in");
    Ok(fs::read_to_string(path)?)
}

/// What leaves a program the rights of the unit.
fn confined(unit: &str) -> Result<String> {
    let left = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=CAP_"));
    let left = left.context("capabilities")?.to_ascii_lowercase().replace(" cap_", ",+");
    Ok(format!("/usr/bin/setpriv --bounding-set=-all,+{left} --no-new-privs"))
}

/// pam_faillock, as its man page puts it around the stack of the machine: what it answers to a wrong
/// password is a refusal, and it writes to the files of the users' failures.
#[test]
fn pam_faillock_counts_with_the_rights_of_the_unit() -> Result<()> {
    let wrapper = confined(&unit()?)?;
    let plan = Plan { wrapper: &wrapper, script: "umask 077", ..Plan::default() };
    let machine = DigestMachine::start(&plan)?;
    let mut anna = machine.client(ANNA)?;
    enrolled(&mut anna, "old")?;
    let faillock =
        |control, verb| format!("auth {control} pam_faillock.so {verb} dir=/var/lib/tally\n");
    let stack = [
        &faillock("required", "preauth silent deny=3"),
        "auth [success=1 default=bad] pam_unix.so nodelay\n",
        &faillock("[default=die]", "authfail deny=3 nodelay"),
        &faillock("sufficient", "authsucc deny=3"),
        "auth requisite pam_deny.so\n",
    ];
    fs::write(machine.etc().join("pam.d/common-auth"), stack.concat())?;
    fs::create_dir(machine.lib().join("tally"))?;
    let tally = machine.lib().join("tally/anna");
    let mut sizes = Vec::new();
    for _ in 0..2 {
        ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "wrong"}]))? == "WrongPassword");
        let meta = fs::metadata(&tally)?;
        ensure!((meta.uid(), meta.mode() & 0o777) == (ANNA, 0o660), "{meta:?}");
        sizes.push(meta.len());
    }
    ensure!(sizes[1] > sizes[0], "both are counted: {sizes:?}");
    enrolled(&mut anna, "old")?;
    ensure!(fs::metadata(&tally)?.len() == 0, "a right one ends the count");
    for _ in 0..3 {
        ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "wrong"}]))? == "WrongPassword");
    }
    // That was the fifth that this service saw, too: it does not even ask PAM now.
    let answer = anna.refused(&json!(["Enrol", "", {"pipe": "old"}]))?;
    ensure!(answer == "TooManyFailures", "{answer}");
    Ok(())
}

#[test]
fn the_rights_that_the_unit_leaves_are_enough() -> Result<()> {
    let unit = unit()?;
    let wrapper = format!("{} strace -f -qq -o /var/lib/trace", confined(&unit)?);
    let plan = Plan { wrapper: &wrapper, arguments: "--idle-seconds=1", ..Plan::default() };
    let machine = DigestMachine::start(&plan)?;
    let (mut anna, mut bert) = (machine.client(ANNA)?, machine.client(BERT)?);
    let realm = enrolled(&mut anna, "old")?;
    ensure!(anna.verifies(&response("anna", &realm, SHA256, "old")?)?);
    ensure!(anna.refused(&json!(["Enrol", "", {"pipe": "wrong"}]))? == "WrongPassword");
    bert.ask(&json!(["Separate", ""]))?;
    bert.ask(&json!(["Remove", ""]))?;
    let database = machine.etc().join("sipwitch.db");
    ensure!(
        fs::metadata(&database)?.uid() == 0 && fs::metadata(&database)?.mode() & 0o777 == 0o600
    );
    let process = machine.service()?.context("it runs")?;
    kill(Pid::from_raw(process), Signal::SIGTERM)?;
    gone(process)?;

    // Every system call that was made is one that the unit's filter lets through.
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (sets, out) = line.strip_prefix('~').map_or((line, false), |sets| (sets, true));
        for name in sets.split(' ') {
            let calls = system_calls(name)?;
            if out {
                allowed.retain(|call| !calls.contains(call));
            } else {
                allowed.extend(calls);
            }
        }
    }
    ensure!(allowed.len() > 100, "{allowed:?}");
    let trace = fs::read_to_string(machine.lib().join("trace"))?;
    let made: BTreeSet<&str> = trace
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
        .map(|(call, _)| call)
        .filter(|call| call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .collect();
    ensure!(made.contains("fchown") && made.contains("execve"), "{made:?}");
    let caught: Vec<&str> = made.into_iter().filter(|call| !allowed.contains(*call)).collect();
    ensure!(caught.is_empty(), "the unit forbids {caught:?}");
    // No network: what it opens is the bus, the log, and the audit log of the kernel.
    let sockets = trace.lines().filter(|line| line.contains(" socket("));
    for line in sockets {
        ensure!(line.contains("AF_UNIX") || line.contains("AF_NETLINK"), "{line}");
    }
    Ok(())
}

/// The system calls of a set of systemd's.
fn system_calls(set: &str) -> Result<BTreeSet<String>> {
    let output = Command::new("systemd-analyze").args(["syscall-filter", set]).output()?;
    let mut calls = BTreeSet::new();
    for line in String::from_utf8_lossy(&output.stdout).lines().skip(1) {
        match line.trim() {
            text if text.starts_with('@') => calls.extend(system_calls(text)?),
            text if text.starts_with('#') || text.is_empty() => {}
            call => drop(calls.insert(call.to_owned())),
        }
    }
    ensure!(!calls.is_empty(), "systemd-analyze knows no {set}");
    Ok(calls)
}

/// Waits until a process has ended.
fn gone(process: i32) -> Result<()> {
    let deadline = std::time::Instant::now() + sipwitch_tests::PATIENCE;
    while Path::new(&format!("/proc/{process}")).exists() {
        ensure!(std::time::Instant::now() < deadline, "{process} still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn the_policy_lets_in_nothing_else() -> Result<()> {
    let machine = DigestMachine::start(&Plan::default())?;
    let own = |uid: u32| {
        let request = ["RequestName", "su", "org.gnutelephony.SipWitchDigest1", "4"];
        let bus = "org.freedesktop.DBus";
        called(&machine, uid, &[bus, "/org/freedesktop/DBus", bus], &request)
    };
    let refused = own(ANNA)?;
    ensure!(refused.contains("Access denied"), "{refused}");
    let name = "org.gnutelephony.SipWitchDigest1";
    for (path, interface) in [
        ("/org/gnutelephony/SipWitchDigest1", "org.freedesktop.DBus.ObjectManager"),
        ("/org/gnutelephony/SipWitchDigest1", "org.example.Debug"),
        ("/", name),
    ] {
        let refused = called(&machine, ANNA, &[name, path, interface], &["List"])?;
        ensure!(refused.contains("Access denied"), "{path} {interface}: {refused}");
    }
    ensure!(machine.service()?.is_none(), "none of it has started the service");
    Ok(())
}

/// What busctl says when a user calls something.
fn called(machine: &DigestMachine, uid: u32, whom: &[&str], call: &[&str]) -> Result<String> {
    let output = Command::new("setpriv")
        .args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into()])
        .args(["busctl", &format!("--address={}", machine.address()), "call"])
        .args(whom)
        .args(call)
        .output()?;
    ensure!(!output.status.success(), "{whom:?} {call:?} succeeds");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
