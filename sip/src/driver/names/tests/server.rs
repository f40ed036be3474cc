// SPDX-License-Identifier: GPL-3.0-or-later
//! A name server for tests: answers from a few lines, by UDP and TCP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::AbortHandle,
};

pub(super) struct Server {
    pub(super) at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    tasks: [AbortHandle; 2],
}

struct Zone {
    records: Vec<Record>,
    silent: Vec<Name>,
    broken: Vec<Name>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves the lines; a name that is SILENT gets no answer, one that is BROKEN an error.
    pub(super) async fn start(lines: &str) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut zone =
            Zone { records: vec![], silent: vec![], broken: vec![], asked: Arc::clone(&asked) };
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            zone.add(line);
        }
        let zone = Arc::new(zone);
        // A port that is free for both.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let at = udp.local_addr().unwrap();
        let of_udp = tokio::spawn(datagrams(udp, Arc::clone(&zone))).abort_handle();
        let of_tcp = tokio::spawn(streams(tcp, zone)).abort_handle();
        Self { at, asked, tasks: [of_udp, of_tcp] }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn datagrams(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Some(answer) = zone.answer(&buffer[..length]) else { continue };
        let mut octets = answer.to_vec().unwrap();
        if octets.len() > 512 {
            let mut cut = answer;
            cut.answers.clear();
            cut.metadata.truncation = true;
            octets = cut.to_vec().unwrap();
        }
        let _ = socket.send_to(&octets, from).await;
    }
}

async fn streams(listener: TcpListener, zone: Arc<Zone>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let zone = Arc::clone(&zone);
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut octets = vec![0; length.into()];
                stream.read_exact(&mut octets).await.unwrap();
                let Some(answer) = zone.answer(&octets) else { continue };
                let octets = answer.to_vec().unwrap();
                stream.write_u16(octets.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&octets).await.unwrap();
            }
        });
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap()
}

impl Zone {
    fn add(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let owner = name(words[0]);
        let number = |at: usize| words[at].parse().unwrap();
        let data = match words[1] {
            "SILENT" => return self.silent.push(owner),
            "BROKEN" => return self.broken.push(owner),
            "A" => RData::A(words[2].parse().unwrap()),
            "AAAA" => RData::AAAA(words[2].parse().unwrap()),
            "CNAME" => RData::CNAME(rdata::CNAME(name(words[2]))),
            "SRV" => RData::SRV(rdata::SRV::new(number(2), number(3), number(4), name(words[5]))),
            "NAPTR" => {
                let (regexp, next) = match words[6].starts_with('!') {
                    true => (words[6], ""),
                    false => ("", words[6]),
                };
                let octets = |text: &str| text.as_bytes().into();
                RData::NAPTR(rdata::NAPTR::new(
                    number(2),
                    number(3),
                    octets(words[4]),
                    octets(words[5]),
                    octets(regexp),
                    name(next),
                ))
            }
            other => panic!("no such kind: {other}"),
        };
        self.records.push(Record::from_rdata(owner, 300, data));
    }

    fn answer(&self, octets: &[u8]) -> Option<Message> {
        let asked = Message::from_vec(octets).unwrap();
        let query = asked.queries[0].clone();
        self.asked.lock().unwrap().push(format!("{} {}", query.query_type(), query.name()));
        let is_below = |names: &[Name]| names.iter().any(|name| name.zone_of(query.name()));
        if is_below(&self.silent) {
            return None;
        }
        let mut answer =
            Message::new(asked.metadata.id, MessageType::Response, asked.metadata.op_code);
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        if is_below(&self.broken) {
            answer.metadata.response_code = ResponseCode::ServFail;
            return Some(answer);
        }
        let mut owner = query.name().clone();
        let mut exists = false;
        loop {
            let of_owner: Vec<&Record> =
                self.records.iter().filter(|record| record.name == owner).collect();
            exists |= !of_owner.is_empty();
            let of_kind = of_owner.iter().filter(|record| {
                [query.query_type(), RecordType::CNAME].contains(&record.record_type())
            });
            answer.add_answers(of_kind.map(|record| (*record).clone()));
            match of_owner.first().map(|record| &record.data) {
                Some(RData::CNAME(next)) => owner = next.0.clone(),
                _ => break,
            }
        }
        if !exists {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        Some(answer)
    }
}
