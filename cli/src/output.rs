// SPDX-License-Identifier: GPL-3.0-or-later
//! Printing, for people or as JSON.

use std::{
    future::Future,
    io::{self, IsTerminal, Write},
    pin::pin,
    time::{Duration, Instant},
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const HEADING: Style = Style::new().bold();

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should be.
    Good,
    /// Worth a look.
    Doubtful,
    /// Wrong.
    Bad,
    /// Neither.
    Plain,
}

/// Where and how to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// For people, unless `json`; with colour only on a terminal that wants it.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, colour: !json && wants_colour() && io::stdout().is_terminal() }
    }

    /// Prints a line for people; nothing in JSON.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        if !self.json {
            write_line(&self.harmless(text.as_ref()));
        }
    }

    /// Prints several lines for people; nothing in JSON.
    pub(crate) fn block(self, text: impl AsRef<str>) {
        text.as_ref().lines().for_each(|line| self.line(line));
    }

    /// Waits for something that may take long, and says so on a terminal from the first second on.
    pub(crate) async fn waiting<T>(self, doing: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if self.json || !io::stderr().is_terminal() {
            return work.await;
        }
        let start = Instant::now();
        let mut shown = false;
        loop {
            tokio::select! {
                done = &mut work => {
                    if shown {
                        let _ = write!(io::stderr(), "\r\u{1b}[K");
                    }
                    return done;
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => {
                    let (doing, seconds) = (clean(doing), start.elapsed().as_secs());
                    let _ = write!(io::stderr(), "\r{doing} … {seconds} s (Ctrl+C to stop)");
                    shown = true;
                }
            }
        }
    }

    /// The text without anything that steers the terminal, but for colours of our own.
    fn harmless(self, text: &str) -> String {
        if !self.colour {
            return clean(text);
        }
        let ours = [GOOD, BAD, DOUBTFUL, HEADING].map(|style| style.render().to_string());
        let end = HEADING.render_reset().to_string();
        let mut left = text;
        let mut harmless = String::with_capacity(text.len());
        while let Some(at) = left.find('\u{1b}') {
            harmless.push_str(&clean(&left[..at]));
            left = &left[at..];
            let style = ours.iter().chain([&end]).find(|style| left.starts_with(style.as_str()));
            harmless.push_str(style.map_or(" ", |style| style));
            left = &left[style.map_or(1, String::len)..];
        }
        harmless.push_str(&clean(left));
        harmless
    }

    /// The text in the colour of its mood.
    pub(crate) fn paint(self, mood: Mood, text: &str) -> String {
        let style = match mood {
            Mood::Good => GOOD,
            Mood::Doubtful => DOUBTFUL,
            Mood::Bad => BAD,
            Mood::Plain => return text.to_owned(),
        };
        self.styled(style, text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Prints a value as JSON; nothing for people.
    pub(crate) fn value(self, value: &impl Serialize) {
        if self.json {
            write_line(&escaped(&serde_json::to_string(value).unwrap_or_default()));
        }
    }

    /// Prints rows under headings, or what to say when there are none.
    pub(crate) fn table(self, headings: &[&str], rows: &[Vec<String>], nothing: &str) {
        if self.json {
            return;
        }
        if rows.is_empty() {
            write_line(nothing);
            return;
        }
        let mut widths: Vec<usize> = headings.iter().map(|text| text.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(clean(cell).chars().count());
            }
        }
        let print = |cells: &mut dyn Iterator<Item = String>, style: Option<Style>| {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(cells) {
                let cell = clean(&cell);
                let padding = width - cell.chars().count();
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', padding + 2));
            }
            let line = line.trim_end();
            write_line(&style.map_or_else(|| line.to_owned(), |style| self.styled(style, line)));
        };
        print(&mut headings.iter().map(ToString::to_string), Some(HEADING));
        for row in rows {
            print(&mut row.iter().cloned(), None);
        }
    }

    /// Prints why a command failed, on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let value = json!({
                "error": failure.name, "cause": failure.cause, "next": failure.next,
            });
            let _ = writeln!(io::stderr(), "{}", escaped(&value.to_string()));
            return;
        }
        let coloured = io::stderr().is_terminal() && wants_colour();
        let label = if coloured { format!("{BAD}sipwitch:{BAD:#}") } else { "sipwitch:".into() };
        let _ = writeln!(io::stderr(), "{label} {}", clean(&failure.cause));
        if !failure.next.is_empty() {
            let _ = writeln!(io::stderr(), "  {}", clean(&failure.next));
        }
    }
}

/// <https://no-color.org>
fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What comes from far away cannot steer the terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// JSON escapes only what it must; a terminal heeds more. All of these stand inside strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// Control characters, line and paragraph separators, and what turns the direction of the text
/// that follows, so that one thing would be read as another.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A reader that has gone away (`| head`) ends us quietly.
fn write_line(text: &str) {
    if writeln!(io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// `2:05`, from microseconds.
pub(crate) fn duration(microseconds: u64) -> String {
    let seconds = microseconds / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// How long ago something was, for people.
pub(crate) fn ago(microseconds: u64) -> String {
    let seconds = Duration::from_micros(microseconds).as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        // A calendar needs a time zone; days are enough to find a call by.
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// Microseconds since 1970, now.
pub(crate) fn now_microseconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(5_000_000), "0:05");
        assert_eq!(duration(125_900_000), "2:05");
        assert_eq!(duration(3_725_000_000), "1:02:05");
    }

    #[test]
    fn a_name_from_far_away_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc"), "a [31mb c");
        assert_eq!(clean("a\u{9b}2Jb\u{202e}c"), "a 2Jb c");
        assert_eq!(escaped("\"\u{9b}\u{7f}\u{202e}ü\""), r#""\u009b\u007f\u202eü""#);
    }

    #[test]
    fn only_our_own_colours_reach_a_terminal() {
        let output = Output { json: false, colour: true };
        let good = output.paint(Mood::Good, "up");
        assert!(good.len() > 2);
        let line = format!("{good} \u{1b}[2J\u{1b}]0;x\u{7}{good}\u{1b}");
        assert_eq!(output.harmless(&line), format!("{good}  [2J ]0;x {good} "));
        let plain = Output { json: false, colour: false };
        assert_eq!(plain.harmless(&line), line.replace(|c: char| c.is_control(), " "));
    }
}
