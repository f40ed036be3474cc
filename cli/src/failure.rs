// SPDX-License-Identifier: GPL-3.0-or-later
//! What went wrong, and what to do about it.

use std::{fmt, process::ExitCode};

use sipwitch_dbus_interfaces::{Error, digest, names::ERROR_PREFIX};
use zbus::DBusError;

/// Why a command failed: the cause and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) cause: String,
    /// What to do; empty where the cause says it.
    pub(crate) next: String,
    /// The stable name of the error, for scripts.
    pub(crate) name: String,
    code: u8,
}

/// The service refused.
const REFUSED: u8 = 1;
/// The words on the command line were wrong; clap uses the same.
const USAGE: u8 = 2;
/// The service or the bus cannot be reached.
const UNREACHABLE: u8 = 3;

/// The bus knows no such object.
const NOT_THERE: &str = "not-there";
/// The service was started before it was upgraded.
const OLDER: &str = "service-is-older";

/// What to do with a service that is older than this program.
pub(crate) const RESTART: &str = "restart it when nobody is calling: `systemctl --user restart \
    sipwitch`; where no systemd runs it, end sipwitchd, and the next command starts the new one";

impl Failure {
    /// A failure of our own.
    pub(crate) fn new(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self { cause: cause.into(), next: next.into(), name: "failed".into(), code: REFUSED }
    }

    /// Something on the command line cannot be.
    pub(crate) fn usage(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name: "usage".into(), code: USAGE, ..Self::new(cause, next) }
    }

    /// The command line was not understood; what clap says of it.
    pub(crate) fn misused(words: &str) -> Self {
        // What comes after the first blank line says how it is used.
        let cause = words.split("\n\n").next().unwrap_or_default();
        let cause = cause.trim_start_matches("error: ");
        let cause: Vec<&str> = cause.split_whitespace().collect();
        Self::usage(cause.join(" "), "--help says how it is used")
    }

    /// The service or the bus cannot be reached.
    pub(crate) fn unreachable(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name: "unreachable".into(), code: UNREACHABLE, ..Self::new(cause, next) }
    }

    /// The bus went away while something was awaited.
    pub(crate) fn bus_is_gone() -> Self {
        Self::unreachable("the bus is gone", "log in again")
    }

    /// Whether nobody could be asked.
    pub(crate) const fn is_unreachable(&self) -> bool {
        self.code == UNREACHABLE
    }

    /// Whether what was asked about, a call for example, is not there any more.
    pub(crate) fn is_of_something_gone(&self) -> bool {
        matches!(self.name.as_str(), NOT_THERE | "NoSuchCall" | "NoSuchPhone")
    }

    /// Whether the service is too old for what was asked.
    pub(crate) fn is_of_older_service(&self) -> bool {
        self.name == OLDER
    }

    /// The exit code: 1 refused, 2 wrong usage, 3 unreachable.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// What the digest service says, or the bus in its place.
    pub(crate) fn of_digests(error: &digest::Error) -> Self {
        const SEE: &str = "look at `systemctl status sipwitch-digestd`";
        let bus = match error {
            digest::Error::ZBus(zbus::Error::MethodError(name, message, _)) => {
                Some((name.to_string(), message.clone()))
            }
            digest::Error::ZBus(zbus::Error::FDO(error)) => {
                Some((error.name().to_string(), error.description().map(ToOwned::to_owned)))
            }
            digest::Error::ZBus(other) => return Self::of_bus(other),
            _ => None,
        };
        let Some((name, message)) = bus else {
            let name = error.name();
            let short = name.as_str().rsplit('.').next().unwrap_or_default();
            let message = error.description().unwrap_or("the digest service gave no reason");
            return Self::refused(short, message);
        };
        let message = message.unwrap_or_else(|| "no reason was given".into());
        match name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or(&name) {
            "ServiceUnknown" | "NameHasNoOwner" => Self::unreachable(
                "the digest service is not installed",
                "install sipwitch-digestd (make install), which keeps login passwords for phones",
            ),
            "NoReply" | "Timeout" | "TimedOut" => {
                Self::unreachable("the digest service did not answer in time", SEE)
            }
            spawn if spawn.starts_with("Spawn.") => Self::unreachable(
                format!("the digest service could not be started: {message}"),
                SEE,
            ),
            other => Self::refused(other, &message),
        }
    }

    fn refused(name: &str, message: &str) -> Self {
        // Most messages of the service say the next step themselves.
        let next = match name {
            "NoSuchExtension" if !message.contains("sipwitch") => {
                "`sipwitch extensions` lists them, `sipwitch extensions add` makes one"
            }
            "NoSuchAccount" => "`sipwitch accounts` lists them",
            "NoSuchCall" => "`sipwitch calls` lists the calls under way",
            "NoSuchPhone" => "`sipwitch phones` lists them",
            "NoSuchProvider" => "`sipwitch providers` lists them",
            _ => "",
        };
        Self { name: name.to_owned(), ..Self::new(message, next) }
    }

    fn of_bus(error: &zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(name, message, _) => {
                Self::of_reply(name.as_str(), message.as_deref())
            }
            zbus::Error::FDO(error) => Self::of_reply(error.name().as_str(), error.description()),
            other => Self::unreachable(
                format!("the bus failed: {other}"),
                "is this a desktop session? See `sipwitch doctor`",
            ),
        }
    }

    /// An error that came over the bus, from the service or from the bus itself.
    fn of_reply(name: &str, message: Option<&str>) -> Self {
        let message = message.unwrap_or("the service gave no reason");
        if let Some(short) = name.strip_prefix(ERROR_PREFIX) {
            return Self::refused(short.trim_start_matches('.'), message);
        }
        let short = name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or(name);
        match short {
            "ServiceUnknown" | "NameHasNoOwner" => Self::unreachable(
                "the service is not running and the bus cannot start it",
                "install it (make install), or start `sipwitchd` by hand",
            ),
            "UnknownObject" => Self::refused(
                NOT_THERE,
                "the service no longer knows what was asked about; it may just have ended",
            ),
            // The object is there, and has nothing of this name.
            "UnknownMethod" | "UnknownProperty" => Self {
                name: OLDER.into(),
                ..Self::new(
                    format!("the running service is older than this program: {message}"),
                    RESTART,
                )
            },
            // Of a property this is also said where the object has gone.
            "UnknownInterface" => Self {
                name: OLDER.into(),
                ..Self::new(
                    format!("what was asked about is gone, or the service too old: {message}"),
                    format!("if it stays so, the service is older than this program: {RESTART}"),
                )
            },
            "NoReply" | "Timeout" | "TimedOut" => {
                Self::unreachable("the service did not answer in time", "try `sipwitch doctor`")
            }
            spawn if spawn.starts_with("Spawn.") => Self::unreachable(
                format!("the service could not be started: {message}"),
                "look at `journalctl --user -u sipwitch`, or start `sipwitchd` by hand to see why",
            ),
            other => Self::refused(other, message),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        if !self.next.is_empty() {
            write!(f, ": {}", self.next)?;
        }
        Ok(())
    }
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        Self::of_bus(&error)
    }
}

impl From<zbus::fdo::Error> for Failure {
    fn from(error: zbus::fdo::Error) -> Self {
        match error {
            zbus::fdo::Error::ZBus(error) => Self::of_bus(&error),
            other => Self::of_bus(&zbus::Error::FDO(Box::new(other))),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::ZBus(error) => Self::of_bus(error),
            other => {
                let name = other.name();
                let short = name.as_str().rsplit('.').next().unwrap_or_default();
                Self::refused(short, other.description().unwrap_or("the service gave no reason"))
            }
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string(), "")
    }
}
