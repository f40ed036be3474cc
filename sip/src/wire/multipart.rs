// SPDX-License-Identifier: GPL-3.0-or-later
//! The text in a body that is more than a text: one of several parts (RFC 2046 §5.1), or wrapped
//! for gateways between messengers (message/cpim, RFC 3862).

/// Parts of one body that are looked at, and how deep they may lie within each other.
const MAX_PARTS: usize = 16;
const MAX_DEPTH: u8 = 3;
/// The longest head of a part.
const MAX_HEAD: usize = 2048;
/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Whether a body of this type has to be opened before there is a text to show.
#[must_use]
pub fn is_wrapped(content_type: &str) -> bool {
    let kind = kind_of(content_type);
    kind.starts_with("multipart/") || kind == "message/cpim"
}

/// The first text/plain in a body: its type, and its octets. None if there is none, or if it is
/// written in a transfer encoding, which SIP has no use for (RFC 3261 §7.4.1: bodies are binary).
#[must_use]
pub fn plain_text<'a>(content_type: &str, body: &'a [u8]) -> Option<(String, &'a [u8])> {
    text_in(content_type, body, MAX_DEPTH)
}

fn text_in<'a>(content_type: &str, body: &'a [u8], depth: u8) -> Option<(String, &'a [u8])> {
    let kind = kind_of(content_type);
    if kind == "text/plain" {
        return Some((content_type.trim().to_owned(), body));
    }
    let depth = depth.checked_sub(1)?;
    if kind == "message/cpim" {
        // Its own fields, an empty line, and what it wraps (RFC 3862 §2).
        let (_, wrapped) = split_head(body)?;
        return text_of_entity(wrapped, depth);
    }
    if !kind.starts_with("multipart/") {
        return None;
    }
    let boundary = boundary_of(content_type)?;
    let mut parts = Parts { rest: body, boundary: &boundary, is_over: false };
    // What lies before the first boundary is for nobody.
    parts.cut()?;
    parts.take(MAX_PARTS).find_map(|part| text_of_entity(part, depth))
}

/// The text of a part with its fields.
fn text_of_entity(entity: &[u8], depth: u8) -> Option<(String, &[u8])> {
    let (head, body) = split_head(entity)?;
    let head = String::from_utf8_lossy(head.get(..MAX_HEAD).unwrap_or(head)).into_owned();
    // Folded lines are one.
    let head = head.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let field = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let is_plain = |encoding: &str| {
        ["7bit", "8bit", "binary"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
    };
    if field("content-transfer-encoding").is_some_and(|encoding| !is_plain(encoding))
        || field("content-disposition").is_some_and(|how| kind_of(how) == "attachment")
    {
        return None;
    }
    text_in(field("content-type").unwrap_or("text/plain"), body, depth)
}

/// The head of an entity and what follows the empty line after it.
fn split_head(entity: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    while at <= entity.len() {
        let line = &entity[at..];
        let end = line.iter().position(|&octet| octet == b'\n')?;
        if matches!(&line[..end], b"" | b"\r") {
            return Some((&entity[..at], &line[end + 1..]));
        }
        at += end + 1;
    }
    None
}

/// A type without its parameters, in lower case.
fn kind_of(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn boundary_of(content_type: &str) -> Option<String> {
    let found = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (1..=MAX_BOUNDARY).contains(&found.len()).then(|| found.to_owned())
}

/// What lies between the boundaries.
struct Parts<'a, 'b> {
    rest: &'a [u8],
    boundary: &'b str,
    is_over: bool,
}

impl<'a> Parts<'a, '_> {
    /// Moves behind the next boundary: what lay before it.
    fn cut(&mut self) -> Option<&'a [u8]> {
        let mut at = 0;
        while at < self.rest.len() {
            let line = &self.rest[at..];
            let end = line.iter().position(|&octet| octet == b'\n').map_or(line.len(), |n| n + 1);
            let (line, next) = line.split_at(end);
            if let Some(behind) = line
                .strip_prefix(b"--")
                .and_then(|line| line.strip_prefix(self.boundary.as_bytes()))
                && (behind.trim_ascii().is_empty() || behind.starts_with(b"--"))
            {
                let before = &self.rest[..at];
                // The end of the line before a boundary belongs to that (RFC 2046 §5.1.1).
                let before = before.strip_suffix(b"\n").unwrap_or(before);
                let before = before.strip_suffix(b"\r").unwrap_or(before);
                self.is_over = behind.starts_with(b"--");
                self.rest = next;
                return Some(before);
            }
            at += end;
        }
        None
    }
}

impl<'a> Iterator for Parts<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.is_over { None } else { self.cut() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content_type: &str, body: &str) -> Option<(String, String)> {
        let (kind, text) = plain_text(content_type, body.as_bytes())?;
        Some((kind, String::from_utf8_lossy(text).into_owned()))
    }

    #[test]
    fn the_text_is_found_among_the_parts_and_within_what_is_wrapped() {
        let alternative = "preamble\r\n--b 1\r\nContent-Type: text/html\r\n\r\n<p>hi</p>\r\n\
                           --b 1  \r\ncontent-type:\r\n text/plain; charset=utf-8\r\n\r\n\
                           hi\r\nyou\r\n--b 1--\r\nepilogue";
        let within = format!(
            "--outer\nContent-Type: image/png\n\n\u{0}\n--outer\n\
             Content-Type: Multipart/Alternative; boundary=\"b 1\"\n\n{alternative}\n--outer--"
        );
        let cpim = "From: <im:a@b.example>\r\nTo: <im:c@d.example>\r\n\r\n\
                    Content-Type: text/plain\r\n\r\nwrapped";
        let utf8 = "text/plain; charset=utf-8";
        for (kind, body, is, text) in [
            ("multipart/alternative;boundary=\"b 1\"", alternative, utf8, "hi\r\nyou"),
            ("multipart/mixed; type=x ; Boundary=outer", &within, utf8, "hi\r\nyou"),
            ("multipart/mixed;boundary=x", "--x\r\n\r\nbare\r\n--x--", "text/plain", "bare"),
            ("message/cpim", cpim, "text/plain", "wrapped"),
            ("text/plain", "itself", "text/plain", "itself"),
        ] {
            assert_eq!(found(kind, body), Some((is.to_owned(), text.to_owned())), "{kind}");
        }
    }

    #[test]
    fn what_has_no_text_or_is_no_such_body_has_none_and_harms_nobody() {
        let mut deep = "--x\r\n\r\ntext\r\n--x--".to_owned();
        for (inner, outer) in [("x", "a"), ("a", "b"), ("b", "c")] {
            let kind = format!("multipart/mixed;boundary={inner}");
            deep = format!("--{outer}\r\nContent-Type: {kind}\r\n\r\n{deep}\r\n--{outer}--");
        }
        let many = format!(
            "{}--x\r\n\r\nlate\r\n--x--",
            "--x\r\nContent-Type: a/b\r\n\r\n\r\n".repeat(16)
        );
        let long = format!("multipart/mixed;boundary={}", "x".repeat(71));
        for (kind, body) in [
            ("multipart/mixed;boundary=c", deep.as_str()),
            ("multipart/mixed;boundary=x", many.as_str()),
            ("multipart/mixed;boundary=x", ""),
            ("multipart/mixed;boundary=x", "--x"),
            ("multipart/mixed;boundary=x", "--x\r\n"),
            ("multipart/mixed;boundary=x", "--x--\r\n\r\ntext\r\n--x--"),
            ("multipart/mixed;boundary=x", "--x\r\n\r\nwithout an end"),
            ("multipart/mixed;boundary=x", "--xy\r\n\r\nanother\r\n--xy--"),
            ("multipart/mixed", "--\r\n\r\ntext\r\n----"),
            ("multipart/mixed;boundary=", "--\r\n\r\ntext\r\n----"),
            (&long, "--x\r\n\r\ntext\r\n--x--"),
            (
                "multipart/mixed;boundary=x",
                "--x\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--x--",
            ),
            (
                "multipart/mixed;boundary=x",
                "--x\r\nContent-Disposition: attachment; filename=a\r\n\r\nfile\r\n--x--",
            ),
            ("message/cpim", "From: a\r\n\r\nwithout a head of its own"),
            ("application/x", "x"),
            ("", ""),
        ] {
            assert_eq!(found(kind, body), None, "{kind}: {body}");
        }
    }
}
