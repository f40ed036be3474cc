// SPDX-License-Identifier: GPL-3.0-or-later
//! Programs become phones, and are phones no more.

use sipwitch_core::{
    call::{LegEvent, LegId},
    cause::Cause,
    extension::{ExtensionNumber, Kind},
};

use super::{
    super::{
        Switchboard,
        ask::{NewEndpoint, Refusal},
        notice::{Notice, ToldProgram},
    },
    MOST, MOST_OF_ONE, Program, Whose, no_phone, view, words,
};

impl Switchboard {
    /// A program becomes a phone.
    pub(in super::super) fn register_endpoint(
        &mut self,
        new: &NewEndpoint,
        owner: Option<String>,
    ) -> Result<u64, Refusal> {
        if self.is_stopping {
            return Err(Refusal::Stopping);
        }
        let name = words("name", &new.name)?;
        let whose = match (&new.account, &new.extension) {
            (Some(_), Some(_)) => {
                let words = "a phone is that of an extension or of an account, not of both";
                return Err(Refusal::BadValue(words.into()));
            }
            (Some(account), None) => Whose::Account(self.account_held(account, owner.as_deref())?),
            (None, named) => Whose::Extension(self.extension_for(named.as_deref())?),
        };
        let owner = owner.map(String::into_boxed_str);
        let phones = &self.programs.phones;
        if phones.len() >= MOST {
            return Err(Refusal::TooMany(format!("{MOST} programs are phones: end one of them")));
        }
        if phones.values().filter(|program| program.owner == owner).count() >= MOST_OF_ONE {
            return Err(Refusal::TooMany(format!(
                "this program is {MOST_OF_ONE} phones already: remove one of them"
            )));
        }
        let phone = self.registrar.number_foreign().0;
        let program = Program {
            owner,
            whose,
            name: name.into(),
            all_calls: new.all_calls,
            anchored: new.anchored,
            marks_read: new.marks_read,
            available: false,
            registered_us: self.now.unix_us,
        };
        tracing::info!(of = program.whose.as_str(), phone, "a program is a phone");
        let number = program.whose.extension().map(ToString::to_string);
        let shown = view(phone, &program);
        self.programs.phones.insert(phone, program);
        self.tell(|| Notice::Phone(shown));
        if let Some(number) = number {
            self.tell_extension(&number);
        }
        Ok(phone)
    }

    /// Whose phone a program is to be.
    fn extension_for(&self, named: Option<&str>) -> Result<ExtensionNumber, Refusal> {
        let missing = |name: &str| Refusal::NotFound { kind: "extension", name: name.to_owned() };
        if let Some(named) = named.or_else(|| self.settings.dial_from.first().map(String::as_str)) {
            let found = self.directory.find(named).ok_or_else(|| missing(named))?;
            if matches!(found.extension.kind, Kind::Group { .. }) {
                return Err(Refusal::BadValue(format!("{named} is a group, which has no phones")));
            }
            return Ok(found.extension.number.clone());
        }
        let mut persons =
            self.directory.iter().filter(|entry| matches!(entry.extension.kind, Kind::Person));
        match (persons.next(), persons.next()) {
            (Some(only), None) => Ok(only.extension.number.clone()),
            (None, _) => Err(missing("of a person: add one (sipwitch extensions add 101)")),
            (Some(_), Some(_)) => Err(missing(
                "that is surely yours: name it (dial.from in the configuration, or the option extension)",
            )),
        }
    }

    /// A program can be reached from now on, or no more.
    pub(super) fn set_available(&mut self, phone: u64, available: bool) -> Result<(), Refusal> {
        let program = self.programs.phones.get_mut(&phone).ok_or_else(|| no_phone(phone))?;
        if program.available == available {
            return Ok(());
        }
        program.available = available;
        let shown = view(phone, program);
        let extension = program.whose.extension().map(ToString::to_string);
        self.tell(|| Notice::Phone(shown));
        if available {
            // For an account nothing is kept.
            if let Some(extension) = extension {
                self.phone_came(&extension);
            }
        } else {
            self.texts_left_by(phone);
        }
        Ok(())
    }

    /// A program is a phone no more, and its calls end.
    pub(in super::super) fn remove_program(&mut self, phone: u64, cause: &Cause) {
        let Some(program) = self.programs.phones.get(&phone) else { return };
        let whose = program.whose.clone();
        let of_phone = self.programs.legs.iter().filter(|(_, leg)| leg.phone == phone);
        let mut legs: Vec<LegId> = of_phone.map(|(leg, _)| *leg).collect();
        legs.sort_unstable();
        for leg in legs {
            self.programs.end(leg, cause);
            self.programs.events.push_back((leg, LegEvent::Ended { cause: cause.clone() }));
        }
        // It is told how they ended while it is still there to be told.
        self.tell_programs();
        self.programs.phones.remove(&phone);
        self.programs.kept_back.retain(|_, kept| kept.told.iter().all(|(to, _)| *to != phone));
        self.texts_left_by(phone);
        tracing::info!(of = whose.as_str(), phone, "a program is a phone no more");
        self.tell(|| Notice::PhoneGone(phone));
        if let Some(extension) = whose.extension() {
            self.tell_extension(extension.as_str());
        }
    }

    /// Its programs go with an extension.
    pub(in super::super) fn remove_programs_of(&mut self, extension: &str) {
        let phones: Vec<u64> = self.programs.belonging_to(extension).collect();
        for phone in phones {
            self.remove_program(phone, &Cause::normal());
        }
    }

    /// The phone of an account goes with it.
    pub(in super::super) fn remove_programs_at(&mut self, account: &str) {
        let at = Whose::Account(account.into());
        let phones = self.programs.phones.iter().filter(|(_, program)| program.whose == at);
        let phones: Vec<u64> = phones.map(|(phone, _)| *phone).collect();
        for phone in phones {
            self.remove_program(phone, &Cause::normal());
        }
    }

    /// A program left the bus.
    pub(in super::super) fn program_left(&mut self, owner: &str) {
        let left = |program: &&Program| program.owner.as_deref() == Some(owner);
        let phones = self.programs.phones.iter().filter(|(_, program)| left(program));
        let phones: Vec<u64> = phones.map(|(phone, _)| *phone).collect();
        for phone in phones {
            self.remove_program(phone, &Cause::owner_left_bus());
        }
    }

    /// The bus lost what programs were told: they cannot know any more how their calls stand.
    pub(in super::super) fn programs_lost(&mut self) {
        let phones: Vec<u64> = self.programs.phones.keys().copied().collect();
        for phone in phones {
            tracing::warn!(phone, "the bus was too slow for a program that is a phone");
            self.remove_program(phone, &Cause::owner_left_bus());
        }
    }

    /// Hands on what programs are to be told, after what everybody was told.
    pub(in super::super) fn tell_programs(&mut self) {
        while let Some((phone, mut told)) = self.programs.told.pop_front() {
            if self.programs.has(phone) {
                self.lead_in(&mut told);
                let owner = self.programs.owner(phone);
                self.tell(|| Notice::Program(Box::new(ToldProgram { phone, owner, told })));
            }
        }
    }
}
