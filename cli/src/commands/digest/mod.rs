// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch digest`: what the digest service keeps of login passwords, over the system bus.

mod agent;
mod realm;
mod verify;

use std::{
    io::{PipeWriter, Write},
    os::fd::AsFd,
};

use nix::unistd;
use serde_json::{Value, json};
use sipwitch_dbus_interfaces::{
    DigestProxy,
    digest::Error,
    wire::{DigestProblem, DigestSource, DigestStatus},
};
use zbus::{Connection, proxy::CacheProperties};

use self::agent::Agent;
use crate::{
    arguments::{Digest, OfWhom},
    failure::Failure,
    output::{Output, duration, now_microseconds},
    prompt::{self, Password},
};

/// Looks after the digests of login passwords.
pub(crate) async fn run(output: &Output, command: Option<Digest>) -> Result<(), Failure> {
    let digests = connect().await?;
    let command = command.unwrap_or(Digest::Status(OfWhom { user: None }));
    let agent = may_need_leave(&command).then(Agent::start);
    match command {
        Digest::Status(whom) => {
            let status = digests.status(&name(whom)).await?;
            output.value(&value(&status));
            show(output, &status);
            Ok(())
        }
        Digest::Enrol(whom) => {
            let asked = agent.as_ref().is_some_and(Agent::is_there);
            enrol(output, &digests, &name(whom), asked).await
        }
        Digest::Separate(whom) => separate(output, &digests, &name(whom)).await,
        Digest::Remove(whom) => {
            let user = name(whom);
            digests.remove(&user).await?;
            let of_whom = of(&user);
            output.value(&json!({ "user": of_whom, "done": "removed" }));
            output.line(format!("nothing is kept of {of_whom} any more; a login keeps it again"));
            output.line("where pam_sipwitch.so is in use");
            Ok(())
        }
        Digest::Verify => verify::run(output, &digests).await,
        Digest::List => list(output, &digests).await,
        Digest::Prune { dry_run } => prune(output, &digests, dry_run).await,
        Digest::Realm { realm: None, random: false, .. } => realm::show(output, &digests).await,
        Digest::Realm { realm, yes, .. } => {
            realm::change(output, &digests, realm.as_deref().unwrap_or_default(), yes).await
        }
    }
}

async fn connect() -> Result<DigestProxy<'static>, Failure> {
    let connection = Connection::system().await.map_err(|error| {
        Failure::unreachable(
            format!("there is no system bus: {error}"),
            "the digest service is on the bus of the machine, which must be there",
        )
    })?;
    let digests = DigestProxy::builder(&connection).cache_properties(CacheProperties::No);
    Ok(digests.build().await?)
}

/// The contract's name for whom; empty is the caller.
fn name(whom: OfWhom) -> String {
    whom.user.unwrap_or_default()
}

/// The name for people.
fn of(user: &str) -> String {
    if user.is_empty() { own_name() } else { user.to_owned() }
}

/// Who runs this.
pub(crate) fn own_name() -> String {
    let uid = unistd::getuid();
    match unistd::User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

/// Whether polkit may have to be asked, and may have to ask.
fn may_need_leave(command: &Digest) -> bool {
    match command {
        Digest::Status(whom) | Digest::Enrol(whom) => whom.user.is_some(),
        Digest::Separate(_) | Digest::Remove(_) | Digest::List | Digest::Prune { .. } => true,
        Digest::Realm { realm, random, .. } => realm.is_some() || *random,
        Digest::Verify => false,
    }
}

async fn enrol(
    output: &Output,
    digests: &DigestProxy<'_>,
    user: &str,
    polkit_may_ask: bool,
) -> Result<(), Failure> {
    let password = prompt::password(&format!("login password of {}: ", of(user)))?;
    let (reader, writer) = std::io::pipe()?;
    fill(writer, &password)?;
    drop(password);
    let asking = digests.enrol(user, reader.as_fd().into());
    // How long it takes is not said over a question.
    let status =
        if polkit_may_ask { asking.await? } else { output.waiting("enrolling", asking).await? };
    output.value(&value(&status));
    output.line(format!("the login password of {} is kept for phones", status.user));
    show(output, &status);
    Ok(())
}

/// A pipe takes that much at once, whoever reads: no password is longer than a line of ours.
fn fill(mut pipe: PipeWriter, password: &Password) -> Result<(), Failure> {
    pipe.write_all(password.as_bytes())?;
    Ok(())
}

async fn separate(output: &Output, digests: &DigestProxy<'_>, user: &str) -> Result<(), Failure> {
    let password = digests.separate(user).await?;
    let user = of(user);
    output.value(&json!({ "user": user, "password": password }));
    output.line(format!("phones of {user} register with the user name {user} and the password"));
    output.line(format!("  {password}"));
    output.line("which is kept only as digests and cannot be shown again");
    Ok(())
}

async fn list(output: &Output, digests: &DigestProxy<'_>) -> Result<(), Failure> {
    let (kept, problems) = digests.list().await?;
    output.value(&json!({
        "digests": kept.iter().map(value).collect::<Vec<_>>(),
        "problems": problems,
    }));
    let rows: Vec<Vec<String>> = kept
        .iter()
        .map(|status| {
            vec![
                status.user.clone(),
                status.uid.to_string(),
                source(status).to_owned(),
                status.algorithms.join(" "),
                ago(status),
                problem(status).unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    output.table(
        &["USER", "UID", "PASSWORD", "ALGORITHMS", "CHANGED", "PROBLEM"],
        &rows,
        "nothing is kept yet; `sipwitch digest enrol` keeps your login password for phones",
    );
    for problem in &problems {
        output.line(format!("not used: {problem}"));
    }
    Ok(())
}

async fn prune(output: &Output, digests: &DigestProxy<'_>, dry_run: bool) -> Result<(), Failure> {
    let users = digests.prune(dry_run).await?;
    output.value(&json!({ "users": users, "removed": !dry_run }));
    let (done, nobody) = if dry_run {
        ("would be removed", "nothing would be removed")
    } else {
        ("is removed", "nothing was kept of users who are gone")
    };
    for user in &users {
        output.line(format!("what is kept of {user} {done}"));
    }
    if users.is_empty() {
        output.line(nobody);
    }
    Ok(())
}

/// A status as JSON.
fn value(status: &DigestStatus) -> Value {
    json!({
        "user": status.user,
        "uid": status.uid,
        "enrolled": status.enrolled,
        "problem": status.problem.map(|problem| problem.to_string()),
        "realm": status.realm,
        "algorithms": status.algorithms,
        "source": status.source.map(|source| source.to_string()),
        "changed-at-microseconds": status.changed_at_microseconds,
        "path": status.path,
        "fallback": status.fallback,
        "wait-seconds": status.wait_seconds,
    })
}

fn source(status: &DigestStatus) -> &'static str {
    match status.source {
        Some(DigestSource::Login) => "login",
        Some(DigestSource::Separate) => "separate",
        Some(DigestSource::Unknown) => "unknown",
        None => "none",
    }
}

fn problem(status: &DigestStatus) -> Option<&'static str> {
    status.problem.map(|problem| match problem {
        DigestProblem::OtherRealm => "it is for another realm: enrol again",
        DigestProblem::OtherPerson => "it is of somebody else who had that name: enrol again",
        DigestProblem::NoSuchUser => "there is no such user: prune it",
    })
}

fn ago(status: &DigestStatus) -> String {
    match status.changed_at_microseconds {
        0 => "never".to_owned(),
        at => format!("{} ago", duration(now_microseconds().saturating_sub(at))),
    }
}

fn show(output: &Output, status: &DigestStatus) {
    if status.source.is_none() {
        output.line(format!("nothing is kept of {}:", status.user));
        output.line("  sipwitch digest enrol     keeps the login password for phones");
        output.line("  sipwitch digest separate  makes a password for phones alone");
    } else {
        let password = match status.source {
            Some(DigestSource::Separate) => "one for phones alone",
            Some(DigestSource::Login) => "that of the login",
            Some(DigestSource::Unknown) | None => "unknown to this version",
        };
        output.line(format!("user name   {}", status.user));
        output.line(format!("password    {password}, changed {}", ago(status)));
        output.line(format!("realm       {}", status.realm));
        output.line(format!("algorithms  {}", status.algorithms.join(" ")));
    }
    let place = if status.fallback { " (the first place cannot be written to)" } else { "" };
    output.line(format!("kept in     {}{place}", status.path));
    if let Some(problem) = problem(status) {
        output.line(format!("not used    {problem}"));
    }
    if status.wait_seconds > 0 {
        output.line(format!(
            "waiting     too many wrong passwords: nobody gets in for {} s",
            status.wait_seconds
        ));
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of_digests(&error)
    }
}
