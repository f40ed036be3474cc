// SPDX-License-Identifier: GPL-3.0-or-later
//! One file for each group of commands.

mod accounts;
mod block;
mod calls;
mod config;
mod dial;
mod digest;
mod doctor;
mod extensions;
mod generate;
mod history;
mod phones;
mod providers;
mod query;
mod rules;
mod status;
mod telepathy;
mod watch;

use crate::{
    arguments::{Arguments, Command, Telepathy},
    failure::Failure,
    output::Output,
    service::Service,
};

/// Does what was asked.
///
/// # Errors
/// Why it could not be done.
pub(crate) async fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let Arguments { system, command, .. } = arguments;
    match command {
        Command::Generate { command } => return generate::run(&command),
        Command::Config { command } => return config::run(&command, system, output).await,
        Command::Digest { command } => return digest::run(output, command).await,
        Command::Doctor => return doctor::run(system, output).await,
        Command::Telepathy { command } => {
            return telepathy::run(&command.unwrap_or(Telepathy::Status), output).await;
        }
        _ => {}
    }
    let service = Service::connect(system).await?;
    match command {
        Command::Status => status::run(&service, output).await,
        Command::Dial(dial) => dial::run(&service, output, &dial).await,
        Command::Explain(whom) => calls::explain(&service, output, &whom).await,
        Command::Calls => calls::list(&service, output).await,
        Command::History { limit } => history::run(&service, output, limit).await,
        Command::Hangup { call, all } => calls::hangup(&service, output, call, all).await,
        Command::Hold(one) => calls::hold(&service, output, one.call).await,
        Command::Resume(one) => calls::resume(&service, output, one.call).await,
        Command::Answer(one) => calls::answer(&service, output, one.call).await,
        Command::Transfer { contact, call } => {
            calls::transfer(&service, output, &contact, call).await
        }
        Command::Dtmf { tones, call } => calls::dtmf(&service, output, &tones, call).await,
        Command::Message { contact, text, from } => {
            calls::message(&service, output, &contact, &text, from).await
        }
        Command::Phones { command } => phones::run(&service, output, command).await,
        Command::Extensions { command } => extensions::run(&service, output, command).await,
        Command::Accounts { command } => accounts::run(&service, output, command).await,
        Command::Lines => accounts::lines(&service, output).await,
        Command::Providers { command } => providers::run(&service, output, command).await,
        Command::Watch { count } => watch::run(&service, output, count).await,
        Command::Block { command } => block::run(&service, output, command).await,
        Command::Rules { command } => rules::run(&service, output, command).await,
        Command::Query { uri } => query::run(&service, output, &uri).await,
        Command::Config { .. }
        | Command::Digest { .. }
        | Command::Doctor
        | Command::Generate { .. }
        | Command::Telepathy { .. } => Ok(()),
    }
}
