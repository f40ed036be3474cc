// SPDX-License-Identifier: GPL-3.0-or-later
//! Finding things in field values in place, with regard to quotes and angle brackets.

/// The first such octet that stands neither in a quoted string nor in `<>`.
pub(super) fn position_outside(value: &[u8], wanted: u8) -> Option<usize> {
    // Most values have neither.
    if !value.contains(&b'"') && !value.contains(&b'<') {
        return value.iter().position(|&byte| byte == wanted);
    }
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, &byte) in value.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if bracketed {
            bracketed = byte != b'>';
        } else if byte == wanted {
            return Some(at);
        } else if byte == b'"' {
            quoted = true;
        } else if byte == b'<' {
            bracketed = true;
        }
    }
    None
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
