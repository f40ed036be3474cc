// SPDX-License-Identifier: GPL-3.0-or-later
//! What programs ask of extensions.

use sipwitch_core::{extension::ExtensionNumber, routing::emergency};
use sipwitch_sip::auth;

use super::{
    Switchboard,
    ask::{ExtensionChange, Imported, Refusal, Reply},
    directory,
    notice::Notice,
    storing::Waiting,
};
use crate::{
    secret::Secret,
    store::{
        Change,
        records::{Authentication, Ha1Pair},
    },
};

impl Switchboard {
    pub(super) fn add_extension(
        &mut self,
        number: &str,
        change: &ExtensionChange,
        reply: Reply<String>,
    ) {
        let parsed = match parse(number) {
            Ok(parsed) if self.directory.entry(&parsed).is_some() => {
                let _ = reply.send(Err(Refusal::AlreadyExists {
                    kind: "extension",
                    name: parsed.to_string(),
                }));
                return;
            }
            Ok(parsed) => parsed,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        match self.put_extension(&parsed, change) {
            Ok(stored) => {
                let number = parsed.to_string();
                self.store_then(vec![stored], Waiting::Made { number, reply });
            }
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
    }

    pub(super) fn change_extension(
        &mut self,
        number: &str,
        change: &ExtensionChange,
        reply: Reply<()>,
    ) {
        let done = self.existing(number).and_then(|number| self.put_extension(&number, change));
        match done {
            Ok(stored) => self.store_then(vec![stored], Waiting::Done { reply }),
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
    }

    pub(super) fn generate_password(&mut self, number: &str, reply: Reply<Secret<String>>) {
        let done = self.existing(number).and_then(|number| {
            let password = random_password()?;
            let change =
                ExtensionChange { password: Some(password.clone()), ..ExtensionChange::default() };
            Ok((self.put_extension(&number, &change)?, password))
        });
        match done {
            Ok((stored, password)) => {
                self.store_then(vec![stored], Waiting::Password { password, reply });
            }
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
            }
        }
    }

    /// Numbers that mean an emergency in this country are nobody's: who dials one gets help.
    fn not_emergency(&self, number: &ExtensionNumber) -> Result<(), Refusal> {
        let region = self.settings.region;
        if emergency::is_number(number.as_str(), region) {
            return Err(Refusal::BadValue(format!(
                "{number} is an emergency number in {region}: choose another"
            )));
        }
        Ok(())
    }

    /// Says which extensions cannot be called in this country.
    pub(super) fn region_known(&mut self) {
        const WORDS: &str = "gets help and not that extension, since it is an emergency number in \
                             this country: give it another number";
        self.unwarn(|warning| warning.ends_with(WORDS));
        for number in emergency::numbers(self.settings.region) {
            if self.directory.find(number).is_some() {
                self.warn(format!("who dials {number} {WORDS}"));
            }
        }
    }

    pub(super) fn remove_extension(&mut self, number: &str, reply: Reply<()>) {
        let number = match self.existing(number) {
            Ok(number) => number,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        let phones = self.registrar.remove_extension(number.as_str());
        let groups = self.directory.remove(&number);
        self.login_configured();
        self.messages.forget(number.as_str());
        self.phones_changed(&phones);
        self.remove_programs_of(number.as_str());
        self.tell(|| Notice::ExtensionGone(number.to_string()));
        let mut changes = vec![Change::RemoveExtension { number: number.to_string() }];
        for group in groups {
            changes.push(Change::PutExtension(Box::new(directory::record_of(&group))));
            let group = group.extension.number.to_string();
            self.tell_extension(&group);
        }
        self.store_then(changes, Waiting::Done { reply });
    }

    pub(super) fn import_extensions(&mut self, csv: &str, reply: Reply<Imported>) {
        let realm = self.service.realm.clone();
        let parsed = crate::import::parse(csv, |user, password| digests(&realm, user, password));
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let _ = reply.send(Err(Refusal::BadValue(error.to_string())));
                return;
            }
        };
        let mut imported = Imported {
            refused: parsed.refused.into_iter().map(|bad| (bad.line, bad.why)).collect(),
            ..Imported::default()
        };
        let mut changes = Vec::new();
        for row in parsed.rows {
            let exists = parse(&row.number).is_ok_and(|n| self.directory.entry(&n).is_some());
            let change = ExtensionChange {
                name: row.name,
                kind: row.kind.map(|kind| kind.as_str().to_owned()),
                members: row.members,
                ring_seconds: row.ring_seconds,
                password: None,
                authentication: row.authentication.map(|way| way.as_str().to_owned()),
            };
            let made = parse(&row.number)
                .and_then(|number| self.put_extension_with(&number, &change, row.digests));
            match made {
                Ok(stored) => {
                    changes.push(stored);
                    if exists {
                        imported.changed += 1;
                    } else {
                        imported.added += 1;
                    }
                }
                Err(refusal) => imported.refused.push((row.line, refusal.to_string())),
            }
        }
        imported.refused.sort_unstable();
        self.store_then(changes, Waiting::Import { imported, reply });
    }

    /// Makes or changes an extension; gives what is to be stored.
    fn put_extension(
        &mut self,
        number: &ExtensionNumber,
        change: &ExtensionChange,
    ) -> Result<Change, Refusal> {
        self.put_extension_with(number, change, None)
    }

    fn put_extension_with(
        &mut self,
        number: &ExtensionNumber,
        change: &ExtensionChange,
        given: Option<Ha1Pair>,
    ) -> Result<Change, Refusal> {
        if self.directory.entry(number).is_none() {
            self.not_emergency(number)?;
        }
        let realm = &self.service.realm;
        let mut entry = self
            .directory
            .changed(number, change, |password| digests(realm, number.as_str(), password))?;
        if given.is_some() {
            entry.digests = given;
            entry.authentication = Authentication::Password;
        }
        let record = directory::record_of(&entry);
        let was_by_login = self.is_by_login(number);
        let is_by_login = entry.authentication == Authentication::Login;
        self.directory.put(entry);
        if was_by_login != is_by_login {
            self.look_at_login();
        }
        self.tell_extension(number.as_str());
        Ok(Change::PutExtension(Box::new(record)))
    }

    fn existing(&self, number: &str) -> Result<ExtensionNumber, Refusal> {
        let found = number.parse().ok().filter(|number| self.directory.entry(number).is_some());
        found.ok_or_else(|| Refusal::NotFound { kind: "extension", name: number.to_owned() })
    }

    pub(super) fn tell_extension(&mut self, number: &str) {
        if !self.is_watched {
            return;
        }
        if let Some(entry) = self.directory.find(number) {
            let view = self.extension_view(entry);
            self.notices.push_back(Notice::Extension(view));
        }
    }
}

fn parse(number: &str) -> Result<ExtensionNumber, Refusal> {
    number.parse().map_err(|error| Refusal::BadValue(format!("{error}")))
}

/// H(user:realm:password), by both hashes; the password itself is kept nowhere.
fn digests(realm: &str, user: &str, password: &str) -> Ha1Pair {
    let pair = auth::Ha1Pair::of(user, realm, password);
    Ha1Pair { md5: Secret::new(pair.md5), sha256: Secret::new(pair.sha256) }
}

/// 20 letters and digits that cannot be mistaken for one another: 100 bits.
fn random_password() -> Result<Secret<String>, Refusal> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
    let mut random = [0_u8; 20];
    getrandom::fill(&mut random).map_err(|error| {
        Refusal::NotInThisState(format!("the system gives no random numbers: {error}"))
    })?;
    let password: String =
        random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    Ok(Secret::new(password))
}
