// SPDX-License-Identifier: GPL-3.0-or-later
//! Telepathy's errors, as its clients know them.

/// An error with Telepathy's own name, and words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {words}")]
pub(crate) struct Error {
    /// Which.
    pub(crate) name: Name,
    /// The same for people.
    pub(crate) words: String,
}

macro_rules! names {
    (@word $variant:ident) => { stringify!($variant) };
    (@word $variant:ident $word:literal) => { $word };
    ($($(#[$doc:meta])* $variant:ident $(= $word:literal)?,)+) => {
        /// The errors that we give; each is `org.freedesktop.Telepathy.Error.` and the variant, or
        /// the word beside it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Name {
            $($(#[$doc])* $variant,)+
        }

        impl Name {
            /// As it stands on the bus.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant =>
                        concat!(
                            "org.freedesktop.Telepathy.Error.",
                            names!(@word $variant $($word)?)
                        ),)+
                }
            }
        }

        impl Name {
            /// An error of this name.
            pub(crate) fn because(self, words: impl Into<String>) -> Error {
                Error { name: self, words: words.into() }
            }
        }
    };
}

names! {
    /// The provider does not believe who we are, or the user did not say.
    AuthenticationFailed,
    /// The user gave up.
    Cancelled,
    /// The time of the provider's certificate is over.
    CertExpired = "Cert.Expired",
    /// It is for another name.
    CertHostnameMismatch = "Cert.HostnameMismatch",
    /// There is something else against it.
    CertInvalid = "Cert.Invalid",
    /// Its time has not begun.
    CertNotActivated = "Cert.NotActivated",
    /// It is withdrawn.
    CertRevoked = "Cert.Revoked",
    /// It was issued by itself.
    CertSelfSigned = "Cert.SelfSigned",
    /// It was issued by somebody who is not trusted.
    CertUntrusted = "Cert.Untrusted",
    /// The connection is not, or no more, connected.
    Disconnected,
    /// A value that cannot be: correct it.
    InvalidArgument,
    /// No such contact.
    InvalidHandle,
    /// Not now.
    NotAvailable,
    /// Nothing of the kind is here.
    NotImplemented,
    /// It will be there in a moment.
    NotYet,
    /// The service has gone.
    NetworkError,
    /// The service does not want us.
    ServiceBusy,
    /// The service has no extension for us.
    ServiceConfused,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
