// SPDX-License-Identifier: GPL-3.0-or-later
//! Extended reports: `a=rtcp-xr` (RFC 3611 §5.1).

/// How Telepathy says that a report may be as long as it likes.
const ANY_LENGTH: u32 = u32::MAX;
/// RTCP_XR_Statistics_Flags, by the words of SDP.
const STATISTICS: [(&str, u32); 5] = [("loss", 1), ("dup", 2), ("jitt", 4), ("TTL", 8), ("HL", 16)];

/// What an end wants in extended reports; 0 wants none of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reports {
    /// The longest report of losses, in bytes.
    pub(super) loss: u32,
    /// The longest report of duplicates, in bytes.
    pub(super) duplicates: u32,
    /// The longest report of times of receipt, in bytes.
    pub(super) receipts: u32,
    /// The longest report of round trips, in bytes.
    pub(super) round_trips: u32,
    /// RTCP_XR_RTT_Mode: 0 all, 1 only senders.
    pub(super) round_trip_mode: u32,
    /// RTCP_XR_Statistics_Flags.
    pub(super) statistics: u32,
    /// Whether it wants the metrics of telephony.
    pub(super) has_metrics: bool,
}

impl Reports {
    /// Reads the value of the attribute; what is unknown in it is passed over.
    pub(super) fn read(text: &str) -> Self {
        let mut all = Self::default();
        let length = |text: Option<&str>| match text {
            Some(text) => text.parse().unwrap_or(ANY_LENGTH),
            None => ANY_LENGTH,
        };
        for format in text.split_ascii_whitespace() {
            let (name, value) = match format.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (format, None),
            };
            match name {
                "pkt-loss-rle" => all.loss = length(value),
                "pkt-dup-rle" => all.duplicates = length(value),
                "pkt-rcpt-times" => all.receipts = length(value),
                "rcvr-rtt" => {
                    let (mode, most) = match value.and_then(|value| value.split_once(':')) {
                        Some((mode, most)) => (mode, Some(most)),
                        None => (value.unwrap_or_default(), None),
                    };
                    all.round_trip_mode = u32::from(mode == "sender");
                    all.round_trips = length(most);
                }
                "stat-summary" => {
                    let words: Vec<&str> = value.unwrap_or_default().split(',').collect();
                    let said = STATISTICS.iter().filter(|(word, _)| words.contains(word));
                    all.statistics = said.map(|(_, flag)| flag).sum();
                }
                "voip-metrics" => all.has_metrics = true,
                _ => {}
            }
        }
        all
    }

    /// The value of the attribute; none if nothing is wanted.
    pub(super) fn text(&self) -> Option<String> {
        let mut formats = Vec::new();
        for (name, most) in [
            ("pkt-loss-rle", self.loss),
            ("pkt-dup-rle", self.duplicates),
            ("pkt-rcpt-times", self.receipts),
        ] {
            match most {
                0 => {}
                ANY_LENGTH => formats.push(name.to_owned()),
                most => formats.push(format!("{name}={most}")),
            }
        }
        let mode = if self.round_trip_mode == 1 { "sender" } else { "all" };
        match self.round_trips {
            0 => {}
            ANY_LENGTH => formats.push(format!("rcvr-rtt={mode}")),
            most => formats.push(format!("rcvr-rtt={mode}:{most}")),
        }
        let words = STATISTICS.iter().filter(|(_, flag)| self.statistics & flag != 0);
        let words: Vec<&str> = words.map(|(word, _)| *word).collect();
        if !words.is_empty() {
            formats.push(format!("stat-summary={}", words.join(",")));
        }
        if self.has_metrics {
            formats.push("voip-metrics".to_owned());
        }
        (!formats.is_empty()).then(|| formats.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::Reports;

    #[test]
    fn extended_reports_are_read_and_written() {
        for text in [
            "pkt-loss-rle=100 pkt-dup-rle rcvr-rtt=sender:200 stat-summary=loss,jitt voip-metrics",
            "pkt-rcpt-times=7",
            "rcvr-rtt=all",
        ] {
            assert_eq!(Reports::read(text).text().as_deref(), Some(text));
        }
        assert_eq!(Reports::read("of-the-future=1").text(), None);
        assert_eq!(Reports::read("pkt-loss-rle=none").text().as_deref(), Some("pkt-loss-rle"));
    }
}
