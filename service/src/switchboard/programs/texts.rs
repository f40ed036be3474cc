// SPDX-License-Identifier: GPL-3.0-or-later
//! Texts to programs.

use sipwitch_core::{call::LegId, extension::ExtensionNumber};
use sipwitch_sip::wire::is_wrapped;

use super::{
    super::{Switchboard, ask::Refusal, messages::Text, notice::Told},
    Programs, Whose,
};

impl Programs {
    /// Whose a leg is.
    pub(in super::super) fn phone_of(&self, leg: LegId) -> Option<u64> {
        self.legs.get(&leg).map(|leg| leg.phone)
    }

    /// Whether a program says when texts were read.
    pub(in super::super) fn marks_read(&self, program: u64) -> bool {
        self.phones.get(&program).is_some_and(|program| program.marks_read)
    }
}

impl Switchboard {
    /// Whose the texts of a program are, as they are remembered: its extension's, or those of the
    /// address of its account, which outlives the account itself.
    pub(in super::super) fn reader(&self, program: u64) -> String {
        match self.programs.whose(program) {
            Some(Whose::Extension(number)) => number.to_string(),
            Some(Whose::Account(account)) => {
                self.account_address(account).map_or_else(String::new, |own| format!("sip:{own}"))
            }
            None => String::new(),
        }
    }

    /// Gives a text to the programs of its extension; those are asked to take it.
    pub(in super::super) fn text_to_programs(
        &mut self,
        message: u64,
        text: &Text,
        stored: bool,
    ) -> Vec<u64> {
        let programs: Vec<u64> = match (text.program, text.extension.parse::<ExtensionNumber>()) {
            // There is no text in it.
            _ if is_wrapped(&text.content_type) => Vec::new(),
            (Some(program), _) => vec![program],
            (None, Ok(extension)) => self.programs.ringing_for(&extension).collect(),
            (None, Err(_)) => Vec::new(),
        };
        let sender = text.from.trim_start_matches('<').trim_end_matches('>');
        for program in &programs {
            let told = Told::Text {
                message,
                sender: sender.to_owned(),
                content_type: text.content_type.clone(),
                content: text.body.clone(),
                stored,
                extension: text.extension.clone(),
            };
            self.programs.tell(*program, told);
        }
        programs
    }

    /// A program takes a text.
    pub(super) fn text_accepted(&mut self, program: u64, message: u64) -> Result<(), Refusal> {
        if self.program_took(program, message) {
            return Ok(());
        }
        let words = format!("no text {message} waits to be taken");
        Err(Refusal::NotInThisState(words))
    }
}
