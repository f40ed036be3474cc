// SPDX-License-Identifier: GPL-3.0-or-later
//! What name servers answer.

use std::{collections::HashSet, net::IpAddr, str::FromStr, time::Instant};

use sipwitch_sip::{
    flow::Transport,
    resolver::{
        Answer, DEADLINE, Data, Families, Kind, Lookup, Naptr, NoAnswer, Question, Record,
        Services, Srv, Step, Wanted, number_addresses, number_domain,
    },
    wire::Uri,
};

/// The most that one lookup may ask: addresses of both kinds for twelve servers of each of the
/// services, each name an alias a few times over.
const MOST_QUESTIONS: usize = 512;

/// Who answers, by the first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// It answers what it is asked.
    Plain,
    /// It answers with all that it has, asked or not.
    Poisoned,
    /// It says nothing to every other question.
    Lossy,
}

/// How the server is, then a URI, then records as in a zone file, each in a line: the lookup ends,
/// asks nothing twice and little in all, and finds nothing that may not be used.
pub fn names(data: &[u8]) {
    let Some((&manner, data)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let Some(Ok(uri)) = lines.next().map(|line| Uri::parse(line.trim().to_owned())) else { return };
    let Ok(wanted) = Wanted::of(&uri) else { return };
    let records: Vec<Record> = lines.take(4096).filter_map(record).collect();
    let server = match manner % 3 {
        0 => Server::Plain,
        1 => Server::Poisoned,
        _ => Server::Lossy,
    };
    let services = if manner & 4 == 0 { Services::Required } else { wanted.services };
    let families = if manner & 8 == 0 { Families::Ipv4Only } else { wanted.families };
    look_up(server, Wanted { services, families, ..wanted }, &records, u64::from(manner));
    number(&records);
}

fn look_up(server: Server, wanted: Wanted, records: &[Record], seed: u64) {
    let begun = Instant::now();
    let (is_secure, name) = (wanted.secure, wanted.name());
    let no_ipv6 = wanted.families == Families::Ipv4Only;
    let mut lookup = Lookup::new(wanted, begun, seed);
    let mut asked = HashSet::new();
    let found = loop {
        match lookup.poll() {
            Some(Step::Ask(question)) => {
                assert!(asked.insert(question.clone()), "asked twice: {question}");
                assert!(asked.len() <= MOST_QUESTIONS, "it asks for ever");
                if server != Server::Lossy || asked.len() % 2 == 0 {
                    let answer = answer(server, records, &question);
                    lookup.handle_answer(begun, &question, answer);
                }
            }
            Some(Step::Done(found)) => break found,
            None => {
                assert!(server == Server::Lossy, "it waits for nothing");
                let deadline = lookup.next_deadline().expect("it ends some time");
                assert!(deadline <= begun + DEADLINE, "it takes its time");
                lookup.handle_deadline(deadline);
            }
        }
    };
    assert!(lookup.poll().is_none() && lookup.next_deadline().is_none(), "it is over");
    let places = match found {
        Ok(places) => places,
        Err(why) => {
            assert!(!why.to_string().is_empty());
            return;
        }
    };
    assert!((1..=32).contains(&places.len()), "{} places", places.len());
    for place in &places {
        let ip = place.address.ip();
        assert!(place.address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast(), "{place}");
        assert!(
            !is_secure || matches!(place.transport, Transport::Tls | Transport::Wss),
            "{place}"
        );
        assert!(!no_ipv6 || ip.is_ipv4(), "{place}");
        // Whatever they say: the certificate must show what was asked for (RFC 5922 §4).
        assert_eq!(place.name, name);
    }
}

fn answer(server: Server, records: &[Record], question: &Question) -> Answer {
    if server == Server::Poisoned {
        return Ok(records.to_vec());
    }
    let of_name =
        |record: &&Record| record.owner.trim_end_matches('.').eq_ignore_ascii_case(&question.name);
    let of_kind = |record: &&Record| {
        matches!(
            (question.kind, &record.data),
            (_, Data::Cname(_))
                | (Kind::A, Data::A(_))
                | (Kind::Aaaa, Data::Aaaa(_))
                | (Kind::Naptr, Data::Naptr(_))
                | (Kind::Srv, Data::Srv(_))
        )
    };
    let mut named = records.iter().filter(of_name).peekable();
    if named.peek().is_none() {
        return Err(NoAnswer::NoSuchName);
    }
    let found: Vec<Record> = named.filter(of_kind).cloned().collect();
    if found.is_empty() { Err(NoAnswer::NoRecords) } else { Ok(found) }
}

/// The addresses of a number (ENUM) are few, short, and SIP.
fn number(records: &[Record]) {
    const NUMBER: &str = "+4930123456";
    let domain = number_domain(NUMBER, "e164.arpa").expect("a number");
    let of_number =
        records.iter().cloned().map(|record| Record { owner: domain.to_string(), ..record });
    let found = number_addresses(NUMBER, of_number.collect());
    assert!(found.len() <= 8);
    for uri in found {
        assert!(uri.is_sip() && uri.to_bytes().len() <= 255, "{uri}");
    }
}

/// One line: owner, kind, and what the kind wants; the same as in a zone file.
fn record(line: &str) -> Option<Record> {
    let mut words = line.split_whitespace();
    let owner = words.next()?.to_owned();
    let kind = words.next()?;
    let rest: Vec<&str> = words.collect();
    let text = |at: usize| rest.get(at).map(|word| word.trim_matches('"').to_owned());
    let data = match kind {
        "A" | "AAAA" => match text(0)?.parse().ok()? {
            IpAddr::V4(address) => Data::A(address),
            IpAddr::V6(address) => Data::Aaaa(address),
        },
        "CNAME" => Data::Cname(text(0)?),
        "SRV" => Data::Srv(Srv {
            priority: number_at(&rest, 0)?,
            weight: number_at(&rest, 1)?,
            port: number_at(&rest, 2)?,
            target: text(3)?,
        }),
        "NAPTR" => Data::Naptr(Naptr {
            order: number_at(&rest, 0)?,
            preference: number_at(&rest, 1)?,
            flags: text(2)?,
            services: text(3)?,
            regexp: text(4)?,
            replacement: text(5)?,
        }),
        _ => return None,
    };
    Some(Record { owner, data })
}

fn number_at<T: FromStr>(words: &[&str], at: usize) -> Option<T> {
    words.get(at)?.parse().ok()
}
