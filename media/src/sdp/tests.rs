// SPDX-License-Identifier: GPL-3.0-or-later
//! Descriptions of real programs, and of nobody's.

mod foreign;
mod properties;
mod writing;

use super::*;

/// A description with this medium, its lines ended as the standard wants.
fn described(medium: &[&str]) -> String {
    let session = ["v=0", "o=alice 1 2 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"];
    session.iter().chain(medium).flat_map(|line| [line, "\r\n"]).collect()
}

fn only_stream(sdp: &str) -> Stream {
    let description = Description::parse(sdp.as_bytes()).expect("a description");
    let mut streams = description.streams();
    let stream = streams.next().expect("a medium");
    assert_eq!(streams.next(), None);
    stream
}
