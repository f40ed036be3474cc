// SPDX-License-Identifier: GPL-3.0-or-later
//! What must not be read over a shoulder, made safe by its type.
//!
//! [`Secret`] never prints its content and wipes it when dropped. [`Redacted`] prints a contact so
//! that a person can recognise it in a log, and nobody can dial it.

use std::fmt;

use zeroize::Zeroize;

/// A value that is never printed and is wiped from memory when dropped.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into safety.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. The name is long on purpose: it should be seen in review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Up to this many digits are an extension or a short code: no secret, and useless if cut.
const SHORT: usize = 5;
/// What is longer is cut: a log line is no place for a stranger's prose.
const LONGEST: usize = 64;

/// A contact as a log may show it: `+4930123478` becomes `+49…78`, `101` stays, and in
/// `sip:+4930123478@example.org` only the number is cut. Control characters are escaped.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = split_scheme(self.0);
        // What follows the last `@` is a host, whose digits are an address and not a number. A SIP
        // address without `@` is a host alone.
        let (user, host) = match rest.rfind('@') {
            Some(at) => rest.split_at(at),
            None if scheme.starts_with(['s', 'S']) => ("", rest),
            None => (rest, ""),
        };
        let (user, parameters) = user.split_at(user.find(';').unwrap_or(user.len()));
        write_clean(f, scheme)?;
        write_user(f, user)?;
        if !parameters.is_empty() {
            f.write_str(";…")?;
        }
        write_clean(f, host)
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn split_scheme(contact: &str) -> (&str, &str) {
    for scheme in ["sips:", "sip:", "tel:"] {
        if contact.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
            return contact.split_at(scheme.len());
        }
    }
    ("", contact)
}

/// Shows a user part: whole if it holds few digits, else its first three and last two characters.
fn write_user(f: &mut fmt::Formatter<'_>, user: &str) -> fmt::Result {
    // A password in a SIP address (RFC 3261 §19.1.1) is never shown.
    let (name, has_password) = match user.split_once(':') {
        Some((name, _)) => (name, true),
        None => (user, false),
    };
    if name.chars().filter(char::is_ascii_digit).count() <= SHORT {
        write_clean(f, name)?;
    } else {
        let start = name.char_indices().nth(3).map_or(name.len(), |(at, _)| at);
        let end = name.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
        write_clean(f, &name[..start])?;
        f.write_str("…")?;
        write_clean(f, &name[end..])?;
    }
    if has_password { f.write_str(":…") } else { Ok(()) }
}

fn write_clean(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write;
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            return f.write_str("…");
        }
        if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_recognisable_and_cannot_be_dialled() {
        for (contact, shown) in [
            ("101", "101"),
            ("12345", "12345"),
            ("alice", "alice"),
            ("+4930123478", "+49…78"),
            ("030 12 34 78", "030…78"),
            ("tel:+4930123478;phone-context=x", "tel:+49…78;…"),
            ("sip:101@127.0.0.1:5060", "sip:101@127.0.0.1:5060"),
            ("sip:192.168.100.200:5060", "sip:192.168.100.200:5060"),
            ("SIPS:+4930123478;ext=7@example.org", "SIPS:+49…78;…@example.org"),
            ("sip:bob:hunter2@example.org", "sip:bob:…@example.org"),
            ("evil\r\nline", "evil\\r\\nline"),
            ("", ""),
            ("ä1234567ß", "ä12…7ß"),
        ] {
            assert_eq!(Redacted(contact).to_string(), shown, "{contact:?}");
        }
    }

    #[test]
    fn a_long_contact_is_cut() {
        let shown = Redacted(&"a".repeat(4000)).to_string();
        assert_eq!(shown.chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(…) Some(\n    Secret(…),\n)"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
