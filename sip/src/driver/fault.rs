// SPDX-License-Identifier: GPL-3.0-or-later

use std::{borrow::Cow, fmt, sync::Arc};

use super::tls::BadCertificate;

/// Why a way is closed or could not be had. Its words are for the log and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowFault {
    /// The far end showed a certificate that is not believed.
    Certificate {
        /// The name that it was to show.
        name: Arc<str>,
        /// What is wrong with it.
        bad: Box<BadCertificate>,
    },
    /// Anything else.
    Other(Cow<'static, str>),
}

impl FlowFault {
    /// The same, told of a handshake with somebody who was to show that name.
    pub(super) fn with(self, name: &str) -> Self {
        match self {
            Self::Certificate { .. } => self,
            Self::Other(why) => Self::Other(format!("TLS with {name}: {why}").into()),
        }
    }
}

impl fmt::Display for FlowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { name, bad } => write!(f, "TLS with {name}: {bad}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<&'static str> for FlowFault {
    fn from(why: &'static str) -> Self {
        Self::Other(why.into())
    }
}

impl From<String> for FlowFault {
    fn from(why: String) -> Self {
        Self::Other(why.into())
    }
}
