// SPDX-License-Identifier: GPL-3.0-or-later
//! The hosts file: hosts(5).

use std::net::IpAddr;

use crate::resolver::{Answer, Data, Kind, NoAnswer, Question, Record};

/// What the file says to a question for addresses. None if it does not know the name; a name that
/// has other addresses alone has none of this kind, wherever else.
pub(super) fn answer(text: &str, question: &Question) -> Option<Answer> {
    let addresses: Vec<IpAddr> = text.lines().filter_map(|line| of(line, &question.name)).collect();
    if addresses.is_empty() {
        return None;
    }
    let record = |data| Record { owner: question.name.to_string(), data };
    let of_kind: Vec<Record> = addresses
        .into_iter()
        .filter_map(|address| match (question.kind, address) {
            (Kind::A, IpAddr::V4(address)) => Some(record(Data::A(address))),
            (Kind::Aaaa, IpAddr::V6(address)) => Some(record(Data::Aaaa(address))),
            _ => None,
        })
        .collect();
    Some(if of_kind.is_empty() { Err(NoAnswer::NoRecords) } else { Ok(of_kind) })
}

/// The address of a line that names the host.
fn of(line: &str, name: &str) -> Option<IpAddr> {
    let line = line.split('#').next()?;
    let mut words = line.split_whitespace();
    let address = words.next()?;
    words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name)).then_some(())?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_column_and_comments_are_none() {
        let text = "127.0.0.1 localhost\n\
                    # 192.0.2.66 pbx.lan\n\
                    192.0.2.1\tpbx.lan PBX # 192.0.2.67 phone.lan\n\
                    2001:db8::1 pbx.lan\n\
                    no-address broken.lan\n\
                    192.0.2.2 four.lan.";
        let ask = |name: &str, kind| {
            let question = Question { name: name.into(), kind, hosts_file: true };
            answer(text, &question).map(|answer| {
                answer.map(|records| {
                    records.into_iter().map(|record| record.data).collect::<Vec<_>>()
                })
            })
        };
        assert_eq!(ask("pbx.lan", Kind::A), Some(Ok(vec![Data::A([192, 0, 2, 1].into())])));
        assert_eq!(ask("pbx", Kind::A), Some(Ok(vec![Data::A([192, 0, 2, 1].into())])));
        assert_eq!(
            ask("pbx.lan", Kind::Aaaa),
            Some(Ok(vec![Data::Aaaa("2001:db8::1".parse().unwrap())]))
        );
        assert_eq!(ask("four.lan", Kind::Aaaa), Some(Err(NoAnswer::NoRecords)));
        for unknown in ["phone.lan", "broken.lan", "lan"] {
            assert_eq!(ask(unknown, Kind::A), None, "{unknown}");
        }
    }
}
