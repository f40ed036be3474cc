// SPDX-License-Identifier: GPL-3.0-or-later
//! A screen that nobody sees: an X server of a test's own, its windows, and pictures of them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::program::{foreign, in_home, new_home};
use crate::{PATIENCE, Program};

/// An X server. It ends with this value.
#[derive(Debug)]
pub struct Screen {
    /// Its name, for `DISPLAY`.
    pub display: String,
    /// Tells what becomes of the windows.
    events: Program,
    _server: Program,
    home: TempDir,
}

/// A window that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its number, as X writes it.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Its upper left corner on the screen, its width and its height, in pixels.
    pub place: (usize, usize, usize, usize),
}

/// A picture of a window: its width, and its pixels row by row, red, green and blue.
#[derive(Debug, Clone)]
pub struct Picture {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Screen {
    /// Starts one of 1024 by 768 pixels.
    ///
    /// # Errors
    /// Something is not installed or does not come up.
    pub fn start() -> Result<Self> {
        let home = new_home()?;
        let mut command = in_home(foreign("Xvfb", "xvfb")?, home.path());
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "1024x768x24"]);
        // What is on the screen lies in a file there, in the format of xwd.
        command.arg("-fbdir").arg(home.path());
        let mut server = Program::start("Xvfb", &mut command)?;
        let number = server.wait_within(PATIENCE, "its number", |line| line.parse::<u32>().ok())?;
        let display = format!(":{number}");
        let mut command = in_home(foreign("xev", "x11-utils")?, home.path());
        command.args(["-display", &display, "-root", "-event", "substructure"]);
        let events = Program::start("xev", &mut command)?;
        Ok(Self { display, events, _server: server, home })
    }

    /// The windows that are shown and have a title.
    ///
    /// # Errors
    /// The server has gone.
    pub fn windows(&self) -> Result<Vec<Window>> {
        let mut command = in_home(foreign("xwininfo", "x11-utils")?, self.home.path());
        command.args(["-display", &self.display, "-root", "-tree"]);
        // A window that goes while it looks ends it.
        let (mut told, mut tries) = (command.output()?, 0);
        while !told.status.success() {
            tries += 1;
            ensure!(tries < 20, "xwininfo: {}", String::from_utf8_lossy(&told.stderr));
            told = command.output()?;
        }
        let told = String::from_utf8(told.stdout)?;
        Ok(told.lines().filter_map(Window::read).filter(|one| one.place.2 > 1).collect())
    }

    /// Waits until a window is seen with this in its title.
    ///
    /// # Errors
    /// None comes in time; those that are there are shown.
    pub fn window(&mut self, title: &str) -> Result<Window> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let windows = self.windows()?;
            let found = windows.iter().find(|one| one.title.contains(title));
            if let Some(found) = found
                && self.is_seen(found)?
            {
                return Ok(found.clone());
            }
            ensure!(Instant::now() < deadline, "no window {title:?} among {windows:?}");
            self.changes();
        }
    }

    /// Whether a window is on the screen: it is in the tree before.
    fn is_seen(&self, window: &Window) -> Result<bool> {
        let mut command = in_home(foreign("xwininfo", "x11-utils")?, self.home.path());
        let told = command.args(["-display", &self.display, "-id", &window.id]).output()?;
        Ok(String::from_utf8(told.stdout)?.contains("IsViewable"))
    }

    /// Waits until a window is gone.
    ///
    /// # Errors
    /// It stays.
    pub fn gone(&mut self, window: &Window) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.windows()?.iter().any(|one| one.id == window.id) {
            ensure!(Instant::now() < deadline, "{window:?} is still there");
            self.changes();
        }
        Ok(())
    }

    /// Waits until something becomes of the windows, or half a second: titles change without a word
    /// to who watches the screen.
    fn changes(&mut self) {
        let _ = self.events.said.wait(Duration::from_millis(500), |_| Some(()));
    }

    /// Waits until a window shows more than so many colours: before it is painted it shows few.
    ///
    /// # Errors
    /// It never does.
    pub fn painted(&mut self, window: &Window, colours: usize) -> Result<Picture> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let picture = self.picture(window)?;
            let shown = picture.colours();
            if shown > colours {
                return Ok(picture);
            }
            ensure!(Instant::now() < deadline, "{window:?} shows {shown} colours");
            self.changes();
        }
    }

    /// What is seen where a window is.
    ///
    /// # Errors
    /// The server has gone, or the window lies outside.
    pub fn picture(&self, window: &Window) -> Result<Picture> {
        let dump = fs::read(self.home.path().join("Xvfb_screen0"))?;
        let number = |index: usize| -> Result<usize> {
            let bytes = dump.get(index * 4..index * 4 + 4).context("a short file")?;
            Ok(usize::try_from(u32::from_be_bytes(bytes.try_into()?))?)
        };
        // XWDFile.h: the sizes of the header and of a line, and how many colours lie between.
        let (header, bits, line, colours) = (number(0)?, number(11)?, number(12)?, number(19)?);
        ensure!(bits == 32, "{bits} bits a pixel, not 32");
        let (left, top, width, height) = window.place;
        let mut pixels = Vec::with_capacity(width * height);
        for row in top..top + height {
            let begin = header + colours * 12 + row * line + left * 4;
            let row = dump.get(begin..begin + width * 4).context("the window lies outside")?;
            pixels.extend(row.chunks_exact(4).map(|pixel| [pixel[2], pixel[1], pixel[0]]));
        }
        Ok(Picture { width, pixels })
    }

    /// Types into a window: names of keys, as xdotool has them.
    ///
    /// # Errors
    /// It is not installed, or the window has gone.
    pub fn press(&self, window: &Window, keys: &[&str]) -> Result<()> {
        let mut command = in_home(foreign("xdotool", "xdotool")?, self.home.path());
        command.env("DISPLAY", &self.display).args(["windowfocus", "--sync", &window.id, "key"]);
        let done = command.args(keys).output()?;
        ensure!(done.status.success(), "xdotool: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

impl Window {
    /// Reads a line of xwininfo's tree, such as
    /// `0x600007 "Call with 102": ("ktp-call-ui" "ktp-call-ui")  750x450+0+0  +137+159`.
    fn read(line: &str) -> Option<Self> {
        let (id, rest) = line.trim().split_once(" \"")?;
        let (title, rest) = rest.split_once("\": (")?;
        let mut words = rest.rsplit_once(')')?.1.split_whitespace();
        let (size, at) = (words.next()?, words.next()?);
        let mut size = size.split(['x', '+', '-']).map(str::parse);
        let (width, height) = (size.next()?.ok()?, size.next()?.ok()?);
        let mut at = at.split('+').skip(1).map(str::parse);
        let (left, top) = (at.next()?.ok()?, at.next()?.ok()?);
        Some(Self { id: id.into(), title: title.into(), place: (left, top, width, height) })
    }
}

impl Picture {
    /// How many colours there are in it.
    #[must_use]
    pub fn colours(&self) -> usize {
        self.pixels.iter().collect::<std::collections::HashSet<_>>().len()
    }

    /// Writes it as PNG, not compressed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let (width, height) = (self.width, self.pixels.len() / self.width.max(1));
        let mut lines = Vec::with_capacity(self.pixels.len() * 3 + height);
        for row in self.pixels.chunks(self.width.max(1)) {
            // Each line says first by which filter it is to be read: none.
            lines.push(0);
            lines.extend(row.iter().flatten());
        }
        // RFC 1950 around RFC 1951, blocks that are stored.
        let mut stream = vec![0x78, 0x01];
        let mut blocks = lines.chunks(0xffff).peekable();
        while let Some(block) = blocks.next() {
            let length = u16::try_from(block.len())?;
            stream.push(u8::from(blocks.peek().is_none()));
            stream.extend(length.to_le_bytes());
            stream.extend((!length).to_le_bytes());
            stream.extend(block);
        }
        stream.extend(adler32(&lines).to_be_bytes());
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut header = Vec::new();
        header.extend(u32::try_from(width)?.to_be_bytes());
        header.extend(u32::try_from(height)?.to_be_bytes());
        // Eight bits a colour, three colours.
        header.extend([8, 2, 0, 0, 0]);
        for (kind, data) in [(b"IHDR", header), (b"IDAT", stream), (b"IEND", Vec::new())] {
            png.extend(u32::try_from(data.len())?.to_be_bytes());
            let begin = png.len();
            png.extend(kind);
            png.extend(data);
            png.extend(crc32(&png[begin..]).to_be_bytes());
        }
        fs::write(file, png).with_context(|| format!("write {}", file.display()))
    }
}

fn adler32(data: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_is_a_window() {
        let line = r#"     0x600007 "Call with "Bert"": ("ktp-call-ui" "ktp-call-ui")  750x450+0+0  +137+159"#;
        let window = Window::read(line).expect("it is one");
        assert_eq!(window.id, "0x600007");
        assert_eq!(window.title, "Call with \"Bert\"");
        assert_eq!(window.place, (137, 159, 750, 450));
        assert_eq!(Window::read("  0x40000a (has no name): ()  1x1+0+0  +0+0"), None);
    }

    #[test]
    fn the_sums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
