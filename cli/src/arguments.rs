// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be said on the command line.

mod accounts;
mod block;
mod digest;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use accounts::{AccountArguments, Accounts, Add};
pub(crate) use block::Block;
pub(crate) use digest::{Digest, OfWhom};

/// Make, watch and end calls, and look after phones and extensions.
#[derive(Debug, Parser)]
#[command(
    name = "sipwitch",
    version,
    propagate_version = true,
    after_help = "Exit status: 0 done, 1 refused, 2 wrong usage, 3 the service cannot be reached."
)]
pub(crate) struct Arguments {
    /// Print JSON: one value, or one object per line where the output goes on.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Speak to a service on the system bus instead of the session's.
    #[arg(long, global = true)]
    pub(crate) system: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show whether the service runs, where it listens and what it holds.
    Status,
    /// Ring your own phones, then call a contact and connect the two.
    Dial(Dial),
    /// Say how a contact would be reached, and why, without calling.
    Explain(Whom),
    /// Show the calls under way.
    Calls,
    /// Show past calls, newest first.
    History {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// End a call, or all calls.
    Hangup {
        /// The call; may be left out when there is only one.
        #[arg(value_parser = call_number)]
        call: Option<u64>,
        /// End every call.
        #[arg(long, conflicts_with = "call")]
        all: bool,
    },
    /// Put a call on hold.
    Hold(OneCall),
    /// Take a call from hold.
    Resume(OneCall),
    /// Answer a call on behalf of a program.
    Answer(OneCall),
    /// Connect the caller to somebody else.
    Transfer {
        /// To whom.
        contact: String,
        /// The call; may be left out when there is only one.
        #[arg(value_parser = call_number)]
        call: Option<u64>,
    },
    /// Send tones to the called side.
    Dtmf {
        /// 0-9, *, #, A-D.
        tones: String,
        /// The call; may be left out when there is only one.
        #[arg(value_parser = call_number)]
        call: Option<u64>,
    },
    /// Send a text to an extension's phones.
    Message {
        /// Whom.
        contact: String,
        /// What.
        text: String,
        /// The extension shown as the sender.
        #[arg(long, value_name = "EXTENSION")]
        from: Option<String>,
    },
    /// Registered phones, and how to set one up.
    Phones {
        /// What to do with them; without it they are listed.
        #[command(subcommand)]
        command: Option<Phones>,
    },
    /// Extensions: list, add, change, remove, import.
    Extensions {
        /// What to do with them; without it they are listed.
        #[command(subcommand)]
        command: Option<Extensions>,
    },
    /// Accounts at providers, exchanges and gateways: list, add, change, remove.
    Accounts {
        /// What to do with them; without it they are listed.
        #[command(subcommand)]
        command: Option<Accounts>,
    },
    /// The ways out of the house, as routing sees them.
    Lines,
    /// Operators, home routers and exchanges of which something is known.
    Providers {
        /// What to do with them; without it they are listed.
        #[command(subcommand)]
        command: Option<Providers>,
    },
    /// Show calls and phones as they come and go, until interrupted.
    Watch {
        /// Stop after this many events.
        #[arg(short = 'n', long)]
        count: Option<u64>,
    },
    /// Ask a SIP address what it is (OPTIONS), hop by hop.
    Query {
        /// A sip: address or an extension.
        uri: String,
    },
    /// Rules of routing: which lines calls take, and which calls may be made.
    Rules {
        /// What to do with them; without it they are listed.
        #[command(subcommand)]
        command: Option<Rules>,
    },
    /// Callers whom you do not want to hear: list, add, remove.
    Block {
        /// What to do with them; without it they are listed.
        #[command(subcommand)]
        command: Option<Block>,
    },
    /// The login password for phones: what is kept of it, and a separate one in its place.
    Digest {
        /// What to do with it; without it its state is shown.
        #[command(subcommand)]
        command: Option<Digest>,
    },
    /// The configuration file.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: Config,
    },
    /// Look for what could keep calls from working, and say what to do.
    Doctor,
    /// The account by which Telepathy's programs, such as Empathy, call through the service.
    Telepathy {
        /// What to do with it; without it its state is shown.
        #[command(subcommand)]
        command: Option<Telepathy>,
    },
    /// Write man pages or completions, for packagers.
    #[command(hide = true)]
    Generate {
        /// What to write.
        #[command(subcommand)]
        command: Generate,
    },
}

/// Whom to call, how, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Dial {
    /// Whom to call, and how.
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// Do not stay: the call goes on by itself, and Ctrl+C does not end it.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// Whom to call, and how.
#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// An extension, a number, or an address.
    pub(crate) contact: String,
    /// Another address of the same person; may be given again. The best way of all is taken.
    #[arg(long, value_name = "CONTACT")]
    pub(crate) also: Vec<String>,
    /// The extension whose phones ring first.
    #[arg(long, value_name = "EXTENSION")]
    pub(crate) from: Option<String>,
    /// What your own phone shows.
    #[arg(long, value_name = "TEXT")]
    pub(crate) display: Option<String>,
    /// How long each side may ring.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) ring: Option<u32>,
    /// Do not show your number.
    #[arg(long)]
    pub(crate) hide_number: bool,
}

/// One call.
#[derive(Debug, Args)]
pub(crate) struct OneCall {
    /// The call; may be left out when there is only one.
    #[arg(value_parser = call_number)]
    pub(crate) call: Option<u64>,
}

/// What to do with the account in Telepathy.
#[derive(Debug, Subcommand)]
pub(crate) enum Telepathy {
    /// Make it, or enable the one there is, and let clients offer it for telephone numbers.
    Setup,
    /// Make it where Telepathy is installed and this was never done: at each login.
    FirstUse,
    /// Show whether it is there and connected.
    Status,
    /// Remove it.
    Remove,
}

/// What to do with phones.
#[derive(Debug, Subcommand)]
pub(crate) enum Phones {
    /// List the registered phones.
    List,
    /// Print what a softphone needs to register.
    Add {
        /// The extension it is to belong to; made if it does not exist.
        extension: String,
        /// Print it as a QR code too.
        #[arg(long)]
        qr: bool,
        /// Give the extension a new password and print it, this once.
        #[arg(long)]
        new_password: bool,
    },
    /// Write a softphone's account for you.
    Setup {
        /// The program.
        program: Program,
        /// The extension it is to belong to; made if it does not exist.
        extension: String,
        /// Give the extension a new password and write it there, for a service that asks for one.
        #[arg(long)]
        new_password: bool,
        /// Only show what would be written.
        #[arg(long, conflicts_with = "new_password")]
        dry_run: bool,
    },
    /// Forget a registration.
    Remove {
        /// The phone's number in the list.
        #[arg(value_parser = phone_number)]
        phone: u64,
    },
}

/// A softphone we know how to set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// baresip
    Baresip,
    /// Linphone
    Linphone,
    /// GNOME Calls
    GnomeCalls,
    /// Twinkle
    Twinkle,
}

/// What to do with extensions.
#[derive(Debug, Subcommand)]
pub(crate) enum Extensions {
    /// List the extensions.
    List,
    /// Make an extension.
    Add {
        /// Its number or name.
        number: String,
        /// What it is.
        #[command(flatten)]
        properties: ExtensionArguments,
    },
    /// Change an extension.
    Change {
        /// Its number or name.
        number: String,
        /// What it becomes.
        #[command(flatten)]
        properties: ExtensionArguments,
    },
    /// Remove an extension and forget its phones.
    Remove {
        /// Its number or name.
        number: String,
    },
    /// Set its password: asked for on a terminal, else one line of standard input.
    Password {
        /// Its number or name.
        number: String,
        /// Let the service choose one, and print it, this once.
        #[arg(long)]
        generate: bool,
    },
    /// Make and change many from a CSV file (`-` for standard input).
    Import {
        /// Columns: number, name, kind, password, authentication, members, ring-seconds.
        file: PathBuf,
    },
}

/// What to do with providers.
#[derive(Debug, Subcommand)]
pub(crate) enum Providers {
    /// List the providers that an account can be made of.
    List(ProviderFilterArguments),
    /// Show everything that is known of one, and what it asks.
    Show {
        /// Its id in the list.
        id: String,
    },
    /// Say what is wrong with files of providers, without using them.
    Check {
        /// The files (`-` for standard input).
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Which providers.
#[derive(Debug, Default, Args)]
pub(crate) struct ProviderFilterArguments {
    /// Those of this country, such as DE, and those of no country.
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// Those of this kind.
    #[arg(long, value_parser = ["itsp", "free-sip", "home-router", "trunk", "bridge", "enterprise"])]
    pub(crate) kind: Option<String>,
    /// Words that all stand in name, id or domain.
    pub(crate) search: Vec<String>,
}

/// What an extension is.
#[derive(Debug, Args)]
pub(crate) struct ExtensionArguments {
    /// The name people read.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What it is.
    #[arg(long, value_parser = ["person", "group", "service"])]
    pub(crate) kind: Option<String>,
    /// A member of the group; may be given again.
    #[arg(long = "member", value_name = "NUMBER")]
    pub(crate) members: Vec<String>,
    /// How long its phones ring.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ring: Option<u32>,
    /// Whose password its phones register with: its own, or that of your login (see `sipwitch
    /// digest`).
    #[arg(long, value_parser = ["password", "login"])]
    pub(crate) authentication: Option<String>,
}

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// List the rules in use, the more important first.
    List,
    /// Check a file of rules without using it.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Add a rule, and write it to rules.toml.
    Add {
        /// The rule.
        #[command(flatten)]
        rule: Box<RuleArguments>,
    },
    /// Remove a rule, also from rules.toml.
    Remove {
        /// What it is called.
        name: String,
    },
}

/// A rule. Those options that say whom it is about may be given again.
#[derive(Debug, Args)]
pub(crate) struct RuleArguments {
    /// What it is called.
    pub(crate) name: String,
    /// Put it before all other rules.
    #[arg(long)]
    pub(crate) first: bool,
    /// Numbers it is about: digits, X any digit, Z 1-9, N 2-9, and . at the end for the rest.
    #[arg(long = "number", value_name = "PATTERN")]
    pub(crate) numbers: Vec<String>,
    /// A domain it is about, or *.DOMAIN for all below it.
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    /// A class of number it is about: national, mobile, international, premium, freephone, short,
    /// internet.
    #[arg(long = "class", value_name = "CLASS")]
    pub(crate) classes: Vec<String>,
    /// An extension whose calls it is about.
    #[arg(long, value_name = "EXTENSION")]
    pub(crate) from: Vec<String>,
    /// A day on which it holds: monday to sunday.
    #[arg(long = "day", value_name = "DAY")]
    pub(crate) days: Vec<String>,
    /// The part of the day in which it holds: 08:00-17:30.
    #[arg(long)]
    pub(crate) hours: Option<String>,
    /// Allow such calls, or bar them.
    #[arg(long, value_parser = ["allow", "bar"])]
    pub(crate) action: Option<String>,
    /// Take this away at the beginning of the number.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) strip: Option<String>,
    /// Put this before the number.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) prefix: Option<String>,
    /// Put this after the number.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) suffix: Option<String>,
    /// A line to be tried first; the next one given is tried next.
    #[arg(long, value_name = "LINE")]
    pub(crate) prefer: Vec<String>,
    /// A line that alone may be used.
    #[arg(long, value_name = "LINE")]
    pub(crate) only: Vec<String>,
    /// A line not to be used.
    #[arg(long, value_name = "LINE")]
    pub(crate) never: Vec<String>,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a file without using it; without FILE, the one in use.
    Check {
        /// The file.
        file: Option<PathBuf>,
    },
    /// Have the service read its file again.
    Reload,
}

/// What to write.
#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Man pages, one for each command.
    Man {
        /// Where to.
        directory: PathBuf,
    },
    /// Completions for bash, zsh and fish.
    Completions {
        /// Where to.
        directory: PathBuf,
    },
}

/// A call as `sipwitch calls` lists it.
fn call_number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a call is named by its number, which `sipwitch calls` shows")
}

/// A phone as `sipwitch phones` lists it.
fn phone_number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a phone is named by its number, which `sipwitch phones` shows")
}
