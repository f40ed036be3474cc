// SPDX-License-Identifier: GPL-3.0-or-later
//! What a name server said, in our own types.

use hickory_resolver::{
    lookup::Lookup,
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, Record as Foreign},
    },
};

use crate::resolver::{Answer, Data, Naptr, NoAnswer, Record, Srv};

/// The records of an answer, or why there are none.
pub(super) fn of(result: Result<Lookup, NetError>) -> Answer {
    match result {
        Ok(lookup) => Ok(lookup.answers().iter().filter_map(record).collect()),
        Err(error) => Err(no_answer(&error)),
    }
}

pub(super) fn no_answer(error: &NetError) -> NoAnswer {
    let words = |words: &str| NoAnswer::Failed(words.to_owned());
    match error {
        NetError::Timeout => NoAnswer::TimedOut,
        NetError::NoConnections => words("no name server can be reached"),
        NetError::Busy => words("the name servers are asked too much"),
        NetError::Io(error) => NoAnswer::Failed(format!("no name server can be reached: {error}")),
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => NoAnswer::NoSuchName,
            _ => NoAnswer::NoRecords,
        },
        NetError::Dns(DnsError::Nsec { response, .. }) => match response.response_code {
            ResponseCode::NXDomain => NoAnswer::NoSuchName,
            _ => NoAnswer::NoRecords,
        },
        NetError::Dns(DnsError::ResponseCode(code)) => {
            NoAnswer::Failed(format!("the name server answers \"{code}\""))
        }
        NetError::Dns(DnsError::DnssecBogus) => words("the answer is not what was signed"),
        other => NoAnswer::Failed(other.to_string()),
    }
}

pub(super) fn record(record: &Foreign) -> Option<Record> {
    let data = match &record.data {
        RData::A(address) => Data::A(address.0),
        RData::AAAA(address) => Data::Aaaa(address.0),
        RData::CNAME(name) => Data::Cname(text(&name.0)),
        RData::SRV(srv) => Data::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text(&srv.target),
        }),
        RData::NAPTR(rule) => Data::Naptr(Naptr {
            order: rule.order,
            preference: rule.preference,
            flags: String::from_utf8_lossy(&rule.flags).into_owned(),
            services: String::from_utf8_lossy(&rule.services).into_owned(),
            regexp: String::from_utf8_lossy(&rule.regexp).into_owned(),
            replacement: text(&rule.replacement),
        }),
        _ => return None,
    };
    Some(Record { owner: text(&record.name), data })
}

/// Letters that stand in no host name come out escaped, and are refused above.
fn text(name: &Name) -> String {
    name.to_ascii()
}
