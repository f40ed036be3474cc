// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks the DNS for the SIP addresses of a telephone number (ENUM), and believes only what DNSSEC
//! proves.

use std::{future::Future, time::Instant};

use hickory_resolver::{
    TokioResolver,
    net::{DnsError, NetError},
    proto::rr::{Name, RecordType},
};
use tokio::time::timeout_at;

use super::{Names, answer, system::whole};
use crate::{
    resolver::{NUMBER_DEADLINE, NoAnswer, NotAnE164Number, number_addresses, number_domain},
    wire::Uri,
};

/// Why a number has no address that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// What was asked is no international number.
    #[error(transparent)]
    NotANumber(#[from] NotAnE164Number),
    /// Nobody published an address for it.
    #[error("nobody published a SIP address for the number")]
    Nowhere,
    /// There is an answer, but it is not signed: anybody could have made it.
    #[error("the answer is not signed, so it is not believed")]
    Unsigned,
    /// There is an answer, and its signature is wrong.
    #[error("the answer is not what was signed: it may be forged, and is not believed")]
    Forged,
    /// The name servers of this network take the signatures out of all answers.
    #[error(
        "the name servers of this network leave out signatures, so no answer can be believed; \
         use others to look up numbers"
    )]
    Stripped,
    /// The name servers could not say.
    #[error("the number could not be looked up: {0}")]
    NoAnswer(NoAnswer),
}

impl Names {
    /// The SIP addresses that were published for an international number below a root
    /// ([`PUBLIC_ROOT`]), proven by DNSSEC, the first to be tried first. It takes no longer than
    /// [`NUMBER_DEADLINE`]. To be asked only if the user wants it: the name servers learn whom
    /// somebody calls.
    ///
    /// # Errors
    /// There is none that can be believed.
    ///
    /// [`PUBLIC_ROOT`]: crate::resolver::PUBLIC_ROOT
    pub fn addresses_of_number(
        &mut self,
        number: &str,
        root: &str,
    ) -> impl Future<Output = Result<Vec<Uri>, NumberError>> + Send + use<> {
        let deadline = Instant::now() + NUMBER_DEADLINE;
        let number = number.to_owned();
        let asked = number_domain(&number, root).map(|name| (name, self.proving()));
        async move {
            let (name, resolver) = asked?;
            let resolver = resolver.map_err(|why| NumberError::NoAnswer(NoAnswer::Failed(why)))?;
            let name = whole(&name).map_err(NumberError::NoAnswer)?;
            let records = timeout_at(deadline.into(), proven(&resolver, name))
                .await
                .unwrap_or(Err(NumberError::NoAnswer(NoAnswer::TimedOut)))?;
            match number_addresses(&number, records) {
                addresses if addresses.is_empty() => Err(NumberError::Nowhere),
                addresses => Ok(addresses),
            }
        }
    }

    /// Whether the name servers hand on the signatures of the root, without which nothing can be
    /// proven.
    ///
    /// # Errors
    /// They could not be asked.
    pub fn can_prove(&mut self) -> impl Future<Output = Result<bool, NoAnswer>> + Send + use<> {
        let deadline = Instant::now() + crate::resolver::DEADLINE;
        let resolver = self.proving();
        async move {
            let resolver = resolver.map_err(NoAnswer::Failed)?;
            timeout_at(deadline.into(), root_is_proven(&resolver))
                .await
                .unwrap_or(Err(NoAnswer::TimedOut))
        }
    }

    fn proving(&mut self) -> Result<TokioResolver, String> {
        // As the system is now.
        let _ = self.system();
        self.built
            .as_mut()
            .map_or_else(|| Err("no name server is set up".into()), |built| built.proving())
    }
}

/// The NAPTR records of a name, every one of them proven.
async fn proven(
    resolver: &TokioResolver,
    name: Name,
) -> Result<Vec<crate::resolver::Record>, NumberError> {
    let lookup = match resolver.lookup(name, RecordType::NAPTR).await {
        Ok(lookup) => lookup,
        Err(NetError::Dns(DnsError::DnssecBogus)) => {
            // A forged answer and a router that strips all signatures look the same.
            return Err(match root_is_proven(resolver).await {
                Ok(true) => NumberError::Forged,
                Ok(false) | Err(_) => NumberError::Stripped,
            });
        }
        Err(error) => {
            return Err(match answer::no_answer(&error) {
                NoAnswer::NoRecords | NoAnswer::NoSuchName => NumberError::Nowhere,
                why => NumberError::NoAnswer(why),
            });
        }
    };
    // Signatures stand among the answers as well.
    let relevant = |record: &&hickory_resolver::proto::rr::Record| {
        matches!(record.record_type(), RecordType::NAPTR | RecordType::CNAME)
    };
    let answers = lookup.answers().iter().filter(relevant);
    if answers.clone().any(|record| !record.proof.is_secure()) {
        return Err(NumberError::Unsigned);
    }
    Ok(answers.filter_map(answer::record).collect())
}

async fn root_is_proven(resolver: &TokioResolver) -> Result<bool, NoAnswer> {
    match resolver.lookup(Name::root(), RecordType::DNSKEY).await {
        Ok(lookup) => {
            let mut keys =
                lookup.answers().iter().filter(|record| record.record_type() == RecordType::DNSKEY);
            Ok(keys.any(|record| record.proof.is_secure()))
        }
        Err(NetError::Dns(DnsError::DnssecBogus)) => Ok(false),
        Err(error) => match answer::no_answer(&error) {
            why if why.is_certain() => Ok(false),
            why => Err(why),
        },
    }
}
