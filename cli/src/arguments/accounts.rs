// SPDX-License-Identifier: GPL-3.0-or-later
//! What can be said about accounts.

use clap::{Args, Subcommand};

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Accounts {
    /// List the accounts and how they stand.
    List,
    /// Show everything about an account.
    Show {
        /// Its id.
        account: String,
    },
    /// Make an account: you are asked for what is not given.
    Add(Box<Add>),
    /// Change an account.
    Change {
        /// Its id.
        account: String,
        /// What it becomes.
        #[command(flatten)]
        properties: AccountArguments,
    },
    /// Set its password: asked for on a terminal, else one line of standard input.
    Password {
        /// Its id.
        account: String,
        /// Take it from standard input, also on a terminal.
        #[arg(long)]
        password_stdin: bool,
        /// Forget the password instead.
        #[arg(long, conflicts_with = "password_stdin")]
        forget: bool,
        /// Do not wait to see whether it does.
        #[arg(long)]
        no_wait: bool,
    },
    /// Remove an account, its file and its password.
    Remove {
        /// Its id.
        account: String,
    },
    /// Switch an account on.
    Enable {
        /// Its id.
        account: String,
        /// Do not wait to see whether it does.
        #[arg(long)]
        no_wait: bool,
    },
    /// Switch an account off.
    Disable {
        /// Its id.
        account: String,
    },
    /// Try at once what would be tried later, or not at all.
    TryAgain {
        /// Its id.
        account: String,
        /// Do not wait to see whether it does.
        #[arg(long)]
        no_wait: bool,
    },
}

/// An account that is to be.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The provider: its id or a part of its name (`sipwitch providers` lists them). Asked for if
    /// left out.
    pub(crate) provider: Option<String>,
    /// The domain, if there is no provider for it.
    #[arg(long, conflicts_with = "provider")]
    pub(crate) domain: Option<String>,
    /// A phone registered here that leads to the telephone network.
    #[arg(long, value_name = "EXTENSION", conflicts_with_all = ["provider", "domain", "trunk"])]
    pub(crate) gateway: Option<String>,
    /// The domain is the other end of a fixed link, without a password.
    #[arg(long, requires = "domain")]
    pub(crate) trunk: bool,
    /// Its id, by which files and rules name it; made if left out.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// What it is.
    #[command(flatten)]
    pub(crate) properties: AccountArguments,
    /// Make it, but switched off.
    #[arg(long)]
    pub(crate) disabled: bool,
    /// Take the password from standard input.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Give no password yet.
    #[arg(long, conflicts_with = "password_stdin")]
    pub(crate) no_password: bool,
    /// Do not wait to see whether it does.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// What an account is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AccountArguments {
    /// The name people read.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// The answer to a question of the provider; may be given again. Not for passwords.
    #[arg(long = "answer", value_name = "KEY=ANSWER", value_parser = pair)]
    pub(crate) answers: Vec<(String, String)>,
    /// What is otherwise than the provider says, by the key of the file: server.port=5070. Nothing
    /// behind the = takes it away. May be given again.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<(String, String)>,
    /// The extension or group that calls from outside ring; empty for whoever has a phone.
    #[arg(long, value_name = "EXTENSION")]
    pub(crate) incoming: Option<String>,
    /// An extension that may call by it, if not all may; may be given again.
    #[arg(long = "user", value_name = "EXTENSION")]
    pub(crate) users: Vec<String>,
    /// Its place among the lines: the least comes first.
    #[arg(long)]
    pub(crate) order: Option<u32>,
    /// The country whose numbers are national there, such as DE.
    #[arg(long, value_name = "COUNTRY")]
    pub(crate) region: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
