// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking whoever sits at the terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use nix::sys::{
    signal::{Signal, raise},
    termios::{LocalFlags, SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr},
};

use zeroize::Zeroizing;

use crate::{failure::Failure, output::clean};

/// No answer is longer.
const LONGEST: u64 = 1024;

/// Whether somebody is there to be asked.
pub(crate) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line of text.
///
/// # Errors
/// Nobody answers.
pub(crate) fn line(prompt: &str) -> Result<String, Failure> {
    write!(io::stderr(), "{}", clean(prompt))?;
    io::stderr().flush()?;
    let mut line = String::new();
    if io::stdin().lock().take(LONGEST).read_line(&mut line)? == 0 {
        writeln!(io::stderr())?;
        return Err(Failure::new("nothing was answered", ""));
    }
    Ok(line.trim().to_owned())
}

/// A password, wiped when it is dropped.
pub(crate) type Password = Zeroizing<String>;

/// Asks for a password on a terminal, without showing it; else takes one line of standard input, so
/// that it never stands on a command line.
///
/// # Errors
/// There is none.
pub(crate) fn password(prompt: &str) -> Result<Password, Failure> {
    let given = if somebody_is_there() { hidden(prompt)? } else { piped()? };
    if given.is_empty() {
        return Err(Failure::usage("no password was given", "type it, or pipe one line of it in"));
    }
    Ok(Zeroizing::new(given))
}

/// Asks for a line that is not shown while it is typed.
///
/// # Errors
/// There is no terminal.
pub(crate) fn hidden(prompt: &str) -> Result<String, Failure> {
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin).map_err(io::Error::from)?;
    let mut quiet = shown.clone();
    // Ctrl+C ends the line here and the program below, when the terminal shows again what is typed.
    let interrupt = quiet.control_chars[SpecialCharacterIndices::VINTR as usize];
    quiet.control_chars[SpecialCharacterIndices::VEOL as usize] = interrupt;
    quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &quiet).map_err(io::Error::from)?;
    // Only now: whoever answers at once is not shown either.
    let asked = write!(io::stderr(), "{}", clean(prompt)).and_then(|()| io::stderr().flush());
    let line = asked.and_then(|()| typed(interrupt));
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &shown).map_err(io::Error::from)?;
    writeln!(io::stderr())?;
    // A terminal without such a character has 0 there.
    if interrupt != 0 && line.as_ref().is_ok_and(|line| line.last() == Some(&interrupt)) {
        raise(Signal::SIGINT).map_err(io::Error::from)?;
    }
    let not_text = |_| Failure::new("what was typed is no text in UTF-8", "");
    String::from_utf8(line?).map_err(not_text)
}

/// What is typed until the line ends, or until it is ended by a character that stays in it.
fn typed(interrupt: u8) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    for byte in io::stdin().lock().take(LONGEST).bytes() {
        match byte? {
            b'\n' => break,
            byte => line.push(byte),
        }
        if line.last() == Some(&interrupt) {
            break;
        }
    }
    Ok(line)
}

/// Takes one line of standard input as it is.
///
/// # Errors
/// It cannot be read.
pub(crate) fn piped() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
