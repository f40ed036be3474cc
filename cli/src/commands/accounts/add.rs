// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch accounts add`

use sipwitch_dbus_interfaces::{
    ObjectName,
    wire::{AccountProperties, QuestionInfo},
};

use super::{at, guide, of, progress, ringing};
use crate::{arguments::Add, failure::Failure, output::Output, prompt, service::Service};

/// Makes an account, asking for what was not given.
pub(super) async fn run(service: &Service, output: &Output, wanted: Add) -> Result<(), Failure> {
    let is_there = prompt::somebody_is_there() && !wanted.password_stdin;
    let target = guide::target(service, output, &wanted, is_there).await?;
    let mut properties = AccountProperties { id: wanted.id, ..of(wanted.properties) };
    properties.enabled = wanted.disabled.then_some(false);
    match target.what {
        guide::What::Provider(id) => properties.provider = Some(id),
        guide::What::Domain(domain) => properties.domain = Some(domain),
        guide::What::Gateway(extension) => properties.gateway = Some(extension),
    }
    properties.kind = wanted.trunk.then(|| "trunk".to_owned());
    let (secret, open): (Vec<QuestionInfo>, Vec<QuestionInfo>) =
        target.questions.into_iter().partition(|question| question.secret);
    let mut answers = properties.answers.take().unwrap_or_default();
    if let Some(given) = secret.iter().find(|question| answers.contains_key(&question.key)) {
        return Err(Failure::usage(
            format!("the {} does not belong on a command line, where others see it", given.key),
            "use --password-stdin, or let yourself be asked",
        ));
    }
    guide::answers(&open, &mut answers, is_there)?;
    properties.answers = (!answers.is_empty()).then_some(answers);
    if wanted.password_stdin {
        properties.password = Some(prompt::piped()?);
    } else if let Some(question) = secret.first()
        && !wanted.no_password
        && is_there
    {
        let given = guide::hidden(question)?;
        properties.password = (!given.is_empty()).then_some(given);
    }
    if properties.incoming.is_none() && is_there {
        properties.incoming = ringing::ask(service, output).await?;
    }
    let adding = service.proxy.add_account(&properties);
    let path = output.waiting("making the account", adding).await?;
    let Some(ObjectName::Account(id)) = ObjectName::from_path(path.as_str()) else {
        return Err(Failure::new(
            format!("{path} is no account"),
            "is the service as new as this?",
        ));
    };
    output.line(format!("account {id} made"));
    let account = at(service, &id).await?;
    let has_password = secret.is_empty() || properties.password.is_some();
    if !has_password || wanted.disabled {
        output.value(&serde_json::json!({ "account": id, "done": "made" }));
        if !has_password {
            output.line(format!("it has no password yet: sipwitch accounts password {id}"));
        }
        return Ok(());
    }
    progress::follow(output, &id, &account, wanted.no_wait).await
}
