// SPDX-License-Identifier: GPL-3.0-or-later
//! Finding things in field values in place, with regard to quotes and angle brackets.

use memchr::{memchr, memchr2, memchr3};

/// The first such octet that stands neither in a quoted string nor in `<>`.
pub(super) fn position_outside(value: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        // Many octets at a time: each message is searched like this a dozen times.
        at += memchr3(wanted, b'"', b'<', value.get(at..)?)?;
        match value[at] {
            byte if byte == wanted => return Some(at),
            b'<' => at += 1 + memchr(b'>', &value[at + 1..])? + 1,
            _ => at += 1 + end_of_quoted(&value[at + 1..])? + 1,
        }
    }
}

/// Where the quoted string ends that has begun before this.
fn end_of_quoted(value: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', value.get(at..)?)?;
        if value[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The parameters in a text that begins with `;` or is empty: name and value, both trimmed.
pub(super) fn params(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let mut rest = text.strip_prefix(b";");
    std::iter::from_fn(move || {
        let here = rest?;
        let end = position_outside(here, b';').unwrap_or(here.len());
        rest = here[end..].strip_prefix(b";");
        let param = &here[..end];
        let equals = param.iter().position(|&byte| byte == b'=');
        Some(match equals {
            Some(at) => (param[..at].trim_ascii(), Some(param[at + 1..].trim_ascii())),
            None => (param.trim_ascii(), None),
        })
    })
}

/// The `tag` of a From or To value, found without reading the rest of it.
pub(crate) fn tag(value: &[u8]) -> Option<&[u8]> {
    let start = position_outside(value, b';')?;
    params(&value[start..])
        .find(|(name, _)| name.eq_ignore_ascii_case(b"tag"))
        .and_then(|(_, value)| value)
        .filter(|tag| !tag.is_empty())
}

/// Whether it is a `token` of RFC 3261 §25.1.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
                )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_where_it_stands_and_nowhere_else() {
        for (value, found) in [
            ("<sip:a@b>;tag=1", Some("1")),
            ("sip:a@b ; x=y ; TAG = 1", Some("1")),
            ("\"a;tag=2\\\";tag=3\" <sip:a@b;tag=4>;tag=5", Some("5")),
            ("<sip:a@b;tag=4>", None),
            ("<sip:a@b>;tag=", None),
            ("<sip:a@b>;tag", None),
            ("\"unclosed;tag=1", None),
        ] {
            let tag = tag(value.as_bytes()).map(|tag| std::str::from_utf8(tag).unwrap());
            assert_eq!(tag, found, "{value}");
        }
    }
}
