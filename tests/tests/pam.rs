// SPDX-License-Identifier: GPL-3.0-or-later
//! The PAM module in real stacks, with the real pam_unix: what happens at logins and changes of the
//! password, when all is well and when something is broken. Each case has an `/etc` and a `/var/lib` of
//! its own in a mount namespace, so that nothing of the machine is touched. Needs root, as CI has.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use sipwitch_digest_store::{Algorithm, Entry, Reading, Realm, Store};
use tempfile::TempDir;

const UID: u32 = 2001;

/// A password like any other.
const OLD_AND_MORE: &str = "old\n:x";

/// What is behind the module's name in a stack.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Module {
    Ours,
    Panicking,
}

impl Module {
    fn path(self) -> PathBuf {
        let test = std::env::current_exe().expect("the test is a file");
        let target = test.parent().and_then(Path::parent).expect("it is in deps/");
        let path = target.join(match self {
            Self::Ours => "libpam_sipwitch.so",
            Self::Panicking => "examples/libpanicking.so",
        });
        assert!(path.exists(), "cargo build -p sipwitch-pam --lib --examples makes {path:?}");
        path
    }
}

/// The shape of a stack.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// As pam-auth-update writes it: we are reached only when pam_unix is content.
    Debian,
    /// One line after the other: we are reached in any case.
    Plain,
}

/// One machine's files.
struct Machine {
    room: TempDir,
}

impl Machine {
    /// With the user anna, whose password is `old`, and the stack `login`.
    fn new(shape: Shape, control: &str, module: Module, options: &str) -> Result<Self> {
        let machine = Self { room: tempfile::tempdir()? };
        let etc = machine.etc();
        for folder in [&etc, &etc.join("pam.d"), &machine.room.path().join("lib")] {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        let hash =
            Command::new("openssl").args(["passwd", "-6", "-salt", "salt", "old"]).output()?;
        let hash = String::from_utf8(hash.stdout)?;
        let days = "19000:0:99999:7:::";
        let users = format!("root:x:0:0::/:/bin/sh\nanna:x:{UID}:{UID}::/:/bin/sh\n");
        fs::write(etc.join("passwd"), users)?;
        fs::write(etc.join("group"), format!("root:x:0:\nanna:x:{UID}:\nphones:x:3000:\n"))?;
        fs::write(etc.join("shadow"), format!("root:*:{days}\nanna:{}:{days}\n", hash.trim()))?;
        fs::set_permissions(etc.join("shadow"), Permissions::from_mode(0o600))?;
        fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\n")?;
        machine.stack(shape, control, module, options)?;
        Ok(machine)
    }

    fn stack(&self, shape: Shape, control: &str, module: Module, options: &str) -> Result<()> {
        let ours = format!("{control} {} {options}", module.path().display());
        let (before, after) = match shape {
            Shape::Debian => ("[success=1 default=ignore]", "requisite pam_deny.so"),
            Shape::Plain => ("required", "optional pam_permit.so"),
        };
        let stack = format!(
            "auth {before} pam_unix.so nodelay\nauth {after}\nauth required pam_permit.so\nauth {ours}\n\
             account required pam_permit.so\nsession required pam_permit.so\n\
             password {before} pam_unix.so sha512\npassword {after}\n\
             password required pam_permit.so\npassword {ours}\n"
        );
        for service in ["login", "passwd", "chpasswd", "su"] {
            fs::write(self.etc().join("pam.d").join(service), &stack)?;
        }
        Ok(())
    }

    fn etc(&self) -> PathBuf {
        self.room.path().join("etc")
    }

    fn db(&self) -> PathBuf {
        self.etc().join("sipwitch.db")
    }

    /// Runs a script on this machine, with these lines on standard input.
    fn run(&self, script: &str, input: &str) -> Result<Output> {
        let whole = format!(
            "set -e; mount --bind {0}/etc /etc; mount --bind {0}/lib /var/lib\n{script}",
            self.room.path().display()
        );
        let typed = self.room.path().join("typed");
        fs::write(&typed, input)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &whole]).stdin(fs::File::open(typed)?);
        command.stderr(Stdio::piped()).output().context("unshare runs, for root")
    }

    fn read(&self) -> Result<Reading> {
        let second = self.room.path().join("lib/sipwitch/sipwitch.db");
        Ok(Store::at(self.db()).or_else(second).read()?)
    }

    /// Which of these passwords the stored digest is of.
    fn kept(&self) -> Result<String> {
        let Some(entry) = self.read()?.database.entry(&"anna".parse()?) else {
            return Ok("nothing".to_owned());
        };
        ensure!(entry.uid == UID);
        let algorithms: Vec<Algorithm> = entry.digests.iter().map(|(known, _)| *known).collect();
        let found = ["old", "new", "newer", "before", OLD_AND_MORE].into_iter().find(|password| {
            let realm = &entry.realm;
            let bytes = password.as_bytes();
            Entry::of_password(&entry.name, UID, realm, &algorithms, bytes).is_as_good_as(&entry)
        });
        Ok(found.unwrap_or("something wrong").to_owned())
    }

    /// As after a change elsewhere: the digest is of another password.
    fn put_before(&self) -> Result<()> {
        let realm: Realm = "house".parse()?;
        let name = "anna".parse()?;
        let entry = Entry::of_password(&name, UID, &realm, &[Algorithm::Sha256], b"before");
        Store::at(self.db()).change(std::time::Duration::from_secs(5), |database| {
            database.set_realm(&realm);
            database.put(&entry).map(|()| true)
        })?;
        Ok(())
    }
}

struct Event {
    name: &'static str,
    script: &'static str,
    input: &'static str,
    /// Whether PAM lets it happen, with or without us.
    allowed: bool,
    /// Of which password the digest is afterwards, if nothing is broken.
    kept: &'static str,
}

const EVENTS: [Event; 6] = [
    Event {
        name: "login",
        script: "pamtester login anna authenticate setcred",
        input: "old\n",
        allowed: true,
        kept: "old",
    },
    Event {
        name: "wrong password",
        script: "pamtester login anna authenticate setcred",
        input: "wrong\n",
        allowed: false,
        kept: "before",
    },
    // A program that does not care what authenticate said.
    Event {
        name: "wrong password, setcred",
        script: "pamtester login anna authenticate 'setcred(PAM_ESTABLISH_CRED)' || \
                 pamtester login anna setcred; exit 1",
        input: "wrong\n",
        allowed: false,
        kept: "before",
    },
    Event {
        name: "change",
        script: "pamtester login anna chauthtok",
        input: "new\nnew\n",
        allowed: true,
        kept: "new",
    },
    Event {
        name: "mistyped repeat",
        script: "pamtester login anna chauthtok",
        input: "new\nnewer\n",
        allowed: false,
        kept: "before",
    },
    // The shadow file cannot be replaced, so pam_unix refuses when all has been typed.
    Event {
        name: "refused change",
        script: "mount --bind /etc/shadow /etc/shadow; pamtester login anna chauthtok",
        input: "new\nnew\n",
        allowed: false,
        kept: "before",
    },
];

/// What is broken, and what that leaves of the digest.
struct Fault {
    name: &'static str,
    script: &'static str,
    options: &'static str,
    writes: bool,
}

const FAULTS: [Fault; 13] = [
    Fault { name: "none", script: "", options: "", writes: true },
    Fault { name: "unknown option", script: "", options: "use_first_pass", writes: true },
    Fault { name: "unreadable option", script: "", options: "algorithms=md4", writes: false },
    Fault { name: "no folder", script: "", options: "db=/nowhere/sipwitch.db", writes: false },
    Fault {
        name: "a mount, read-only second",
        script: "mount --bind /etc/sipwitch.db /etc/sipwitch.db; \
                 mount -t tmpfs -o ro tmpfs /var/lib;",
        options: "",
        writes: false,
    },
    Fault {
        name: "a mount, the second free",
        script: "mount --bind /etc/sipwitch.db /etc/sipwitch.db;",
        options: "",
        writes: true,
    },
    Fault {
        name: "full disk",
        // What is on it afterwards is brought back to where it is looked at.
        script: "mount -t tmpfs -o size=64k,mode=755 tmpfs /var/lib; \
                 cp -p /etc/sipwitch.db /var/lib; rm /etc/sipwitch.db; \
                 head -c 65536 /dev/zero >/var/lib/full || true; \
                 trap 'cp -p /var/lib/sipwitch.db /etc' EXIT;",
        options: "db=/var/lib/sipwitch.db",
        writes: false,
    },
    // It is held to the end: whoever logs in gets in all the same, after two seconds.
    Fault {
        name: "locked",
        script: "exec 9>/etc/.sipwitch.db.lock; flock 9;",
        options: "",
        writes: false,
    },
    Fault {
        name: "symbolic link",
        script: "mv /etc/sipwitch.db /etc/else; ln -s else /etc/sipwitch.db;",
        options: "",
        writes: false,
    },
    Fault {
        name: "second name",
        script: "ln /etc/sipwitch.db /etc/else;",
        options: "",
        writes: false,
    },
    Fault {
        name: "open to others",
        script: "chmod 644 /etc/sipwitch.db;",
        options: "",
        writes: false,
    },
    Fault {
        name: "somebody else's",
        script: "chown 2001 /etc/sipwitch.db;",
        options: "",
        writes: false,
    },
    Fault { name: "panic", script: "", options: "", writes: false },
];

/// Brings the database back to where it can be looked at.
const MENDING: &str = "if [ -f /etc/else ]; then rm /etc/sipwitch.db; mv /etc/else /etc/sipwitch.db; fi; \
                       chown 0 /etc/sipwitch.db; chmod 600 /etc/sipwitch.db";

fn matrix(shape: Shape, control: &str) -> Result<()> {
    let mut faults = Vec::new();
    println!("{shape:?}, {control}: event | broken | let through | digest of");
    for event in &EVENTS {
        for fault in &FAULTS {
            let panics = fault.name == "panic";
            let module = if panics { Module::Panicking } else { Module::Ours };
            let machine = Machine::new(shape, control, module, fault.options)?;
            machine.put_before()?;
            let output = machine.run(&format!("{}{}", fault.script, event.script), event.input)?;
            machine.run(MENDING, "")?;
            let kept = machine.kept()?;
            let wanted = if fault.writes { event.kept } else { "before" };
            let allowed = output.status.success();
            println!("{} | {} | {allowed} | {kept}", event.name, fault.name);
            if allowed != event.allowed || kept != wanted {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                faults.push(format!("{} | {}: {allowed}, {kept}: {said}", event.name, fault.name));
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn pam_matrix_debians_stack_optional() -> Result<()> {
    matrix(Shape::Debian, "optional")
}

#[test]
fn pam_matrix_debians_stack_required() -> Result<()> {
    matrix(Shape::Debian, "required")
}

#[test]
fn pam_matrix_plain_stack_optional() -> Result<()> {
    matrix(Shape::Plain, "optional")
}

#[test]
fn pam_matrix_plain_stack_required() -> Result<()> {
    matrix(Shape::Plain, "required")
}

/// What a program may hand on that takes whatever it is told: names and tokens as the shell makes them.
struct Told {
    name: &'static str,
    user: &'static str,
    token: &'static str,
    /// Of which password the digest is after a login and after a change.
    kept: [&'static str; 2],
}

const UNCHANGED: [&str; 2] = ["before", "before"];

const TOLD: [Told; 12] = [
    // What shows that the others get as far as to us.
    Told { name: "as usual, login", user: "anna", token: "old", kept: ["old", "old"] },
    Told { name: "as usual, change", user: "anna", token: "new", kept: ["before", "new"] },
    Told { name: "a colon", user: "anna:x", token: "old", kept: UNCHANGED },
    Told { name: "an entry", user: "anna:2001:::::", token: "old", kept: UNCHANGED },
    Told {
        name: "a line end and an entry",
        user: "$(printf 'x\\nv1:anna:2001:house:MD5=d41d8cd98f00b204e9800998ecf8427e:1:login')",
        token: "old",
        kept: UNCHANGED,
    },
    Told { name: "a line end", user: "$(printf 'anna\\nanna')", token: "old", kept: UNCHANGED },
    Told { name: "no text", user: "$(printf 'an\\377na')", token: "old", kept: UNCHANGED },
    Told {
        name: "a name of 64 KiB",
        user: "$(head -c 65536 /dev/zero | tr '\\0' a)",
        token: "old",
        kept: UNCHANGED,
    },
    Told { name: "no token", user: "anna", token: "", kept: UNCHANGED },
    // PAM_MAX_RESP_SIZE is 512.
    Told {
        name: "a token of 513 bytes",
        user: "anna",
        token: "$(head -c 513 /dev/zero | tr '\\0' x)",
        kept: UNCHANGED,
    },
    Told {
        name: "a token of 64 KiB",
        user: "anna",
        token: "$(head -c 65536 /dev/zero | tr '\\0' x)",
        kept: UNCHANGED,
    },
    Told {
        name: "the token and more",
        user: "anna",
        token: "$(printf 'old\\n:x')",
        kept: ["before", OLD_AND_MORE],
    },
];

/// A stack in which other modules put the name and the token into PAM's hands and let everything pass,
/// whatever pam_unix says: nothing stands between us and what comes from outside.
fn told_matrix(control: &str) -> Result<()> {
    let setter = beside_wrapper("pam_set_items.so")?;
    let mut faults = Vec::new();
    println!("told, {control}: event | what | let through | digest of");
    for told in &TOLD {
        for (event, kept) in ["authenticate setcred", "chauthtok"].into_iter().zip(told.kept) {
            let machine = Machine::new(Shape::Plain, control, Module::Ours, "")?;
            let ours = format!("{control} {}", Module::Ours.path().display());
            let set = format!("required {}", setter.display());
            let unix = "[default=ignore] pam_unix.so";
            let stack = format!(
                "auth {set}\nauth {unix} use_first_pass nodelay\nauth required pam_permit.so\nauth {ours}\n\
                 password {set}\npassword {unix} use_authtok sha512\n\
                 password required pam_permit.so\npassword {ours}\n"
            );
            fs::write(machine.etc().join("pam.d/login"), stack)?;
            machine.put_before()?;
            let before = fs::read(machine.db())?;
            let script = format!(
                "PAM_AUTHTOK=\"{}\"; export PAM_AUTHTOK; pamtester login \"{}\" {event}",
                told.token, told.user
            );
            let output = machine.run(&script, "")?;
            let (allowed, now) = (output.status.success(), machine.kept()?);
            println!("{event} | {} | {allowed} | {}", told.name, now.escape_debug());
            let untouched = kept != "before" || fs::read(machine.db())? == before;
            if !allowed || now != kept || !untouched {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                faults.push(format!("{event} | {}: {allowed}, {now}: {said}", told.name));
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn pam_matrix_of_what_is_told_optional() -> Result<()> {
    told_matrix("optional")
}

#[test]
fn pam_matrix_of_what_is_told_required() -> Result<()> {
    told_matrix("required")
}

/// A module that comes with libpam_wrapper.
fn beside_wrapper(name: &str) -> Result<PathBuf> {
    Ok(wrapper()?.with_file_name("pam_wrapper").join(name))
}

fn wrapper() -> Result<PathBuf> {
    fs::read_dir("/usr/lib")?
        .filter_map(|entry| Some(entry.ok()?.path().join("libpam_wrapper.so")))
        .find(|path| path.exists())
        .context(".ci/need packages test")
}

fn plain(options: &str) -> Result<Machine> {
    Machine::new(Shape::Plain, "optional", Module::Ours, options)
}

fn done(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

const LOGIN: &str = "pamtester login anna authenticate setcred";

#[test]
fn passwd_chpasswd_and_su_keep_the_digest_in_step() -> Result<()> {
    let machine = plain("")?;
    done(&machine.run("su anna -c true", "old\n")?)?;
    ensure!(machine.kept()? == "old", "a login with su");
    done(&machine.run("passwd anna", "new\nnew\n")?)?;
    ensure!(machine.kept()? == "new");
    let realm = machine.read()?.database.realm();
    done(&machine.run("chpasswd", "anna:newer\n")?)?;
    ensure!(machine.kept()? == "newer");
    ensure!(machine.read()?.database.realm() == realm, "the realm is made once");
    Ok(())
}

#[test]
fn options_choose_users_and_algorithms() -> Result<()> {
    for (options, kept) in [
        ("minuid=2002", "nothing"),
        ("only_group=phones", "nothing"),
        ("only_group=anna", "old"),
        ("realm=house algorithms=md5,sha256,sha512-256", "old"),
    ] {
        let machine = plain(options)?;
        done(&machine.run(LOGIN, "old\n")?)?;
        ensure!(machine.kept()? == kept, "{options}");
        if let Some(entry) = machine.read()?.database.entry(&"anna".parse()?) {
            let count = if options.contains("md5") { 3 } else { 1 };
            ensure!(entry.digests.len() == count, "{options}");
            ensure!((entry.realm.as_str() == "house") == options.contains("house"), "{options}");
            ensure!(machine.read()?.database.realm() == Some(entry.realm), "{options}");
        }
    }
    Ok(())
}

#[test]
fn a_separate_password_does_not_follow_the_login() -> Result<()> {
    let machine = plain("")?;
    machine.put_before()?;
    let text = fs::read_to_string(machine.db())?.replace(":password\n", ":separate\n");
    fs::write(machine.db(), &text)?;
    done(&machine.run(LOGIN, "old\n")?)?;
    done(&machine.run("passwd anna", "new\nnew\n")?)?;
    ensure!(fs::read_to_string(machine.db())? == text);
    // Whose name it was before has another number now.
    fs::write(machine.db(), text.replace(":2001:", ":2000:"))?;
    done(&machine.run(LOGIN, "new\n")?)?;
    ensure!(machine.kept()? == "new");
    Ok(())
}

#[test]
fn a_second_login_writes_nothing() -> Result<()> {
    let machine = plain("")?;
    done(&machine.run(LOGIN, "old\n")?)?;
    let before = fs::metadata(machine.db())?.modified()?;
    done(&machine.run(LOGIN, "old\n")?)?;
    ensure!(fs::metadata(machine.db())?.modified()? == before);
    Ok(())
}

#[test]
fn without_root_nothing_happens() -> Result<()> {
    let machine = plain("")?;
    let wrapper = wrapper()?;
    // The stack of a screen locker: another module lets in, and the program is the user's.
    let stacks = machine.room.path().join("stacks");
    fs::create_dir(&stacks)?;
    let passdb = stacks.join("passdb");
    fs::write(&passdb, "anna:old:locker\n")?;
    let matrix = beside_wrapper("pam_matrix.so")?;
    let matrix = format!("{} passdb={}", matrix.display(), passdb.display());
    let ours = Module::Ours.path();
    let stack = format!("auth required {matrix}\nauth required {}\n", ours.display());
    fs::write(stacks.join("locker"), stack)?;
    fs::set_permissions(machine.room.path(), Permissions::from_mode(0o755))?;
    let script = format!(
        "cp {} /etc/ours.so; sed -i 's#{0}#/etc/ours.so#' {1}/locker; \
         exec setpriv --reuid={UID} --regid={UID} --clear-groups env PAM_WRAPPER=1 \
         PAM_WRAPPER_SERVICE_DIR={1} LD_PRELOAD={2} pamtester locker anna authenticate setcred",
        ours.display(),
        stacks.display(),
        wrapper.display(),
    );
    done(&machine.run(&script, "old\n")?)?;
    ensure!(machine.kept()? == "nothing");
    Ok(())
}

/// The files that a traced program opened so, and what it opened as a library.
fn opened(trace: &str, how: &str) -> Vec<String> {
    let lines = trace.lines().filter(|line| line.contains("open") && line.contains(how));
    let mut names: Vec<String> = lines
        .filter(|line| !line.contains(" = -1 "))
        .filter_map(|line| line.split('"').nth(1).map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn nothing_else_is_written_or_loaded_and_nothing_is_said_about_passwords() -> Result<()> {
    for (event, input) in [(LOGIN, "old\n"), ("pamtester login anna chauthtok", "new\nnew\n")] {
        let machine = plain("debug")?;
        let trace = |machine: &Machine| -> Result<String> {
            let output = machine.run(&format!("exec strace -f -s 4096 {event}"), input)?;
            done(&output)?;
            Ok(String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let with = trace(&machine)?;
        let without_us = plain("")?;
        let stack = fs::read_to_string(without_us.etc().join("pam.d/login"))?;
        let others: Vec<&str> =
            stack.lines().filter(|line| !line.contains("pam_sipwitch")).collect();
        fs::write(without_us.etc().join("pam.d/login"), others.join("\n") + "\n")?;
        let without = trace(&without_us)?;

        for how in ["O_WRONLY", "O_RDWR"] {
            let mut ours = opened(&with, how);
            ours.retain(|name| !opened(&without, how).contains(name));
            ensure!(ours.iter().all(|name| name.starts_with(".sipwitch.db.")), "{ours:?}");
        }
        let mut loaded = opened(&with, ".so");
        loaded.retain(|name| !opened(&without, ".so").contains(name));
        ensure!(loaded == [Module::Ours.path().display().to_string()], "{loaded:?}");
        for call in ["socket(", "clone(", "clone3(", "execve("] {
            let count = |trace: &str| trace.lines().filter(|line| line.contains(call)).count();
            // One socket more may be that of syslog, which debug asks for.
            let more = usize::from(call == "socket(");
            ensure!(count(&with) <= count(&without) + more, "{call}");
        }
        for line in with.lines().filter(|line| line.contains("sendto(")) {
            ensure!(!line.contains("old") && !line.contains("new"), "{line}");
        }
    }
    Ok(())
}
