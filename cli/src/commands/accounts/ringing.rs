// SPDX-License-Identifier: GPL-3.0-or-later
//! Asking who rings when somebody calls an account.

use sipwitch_dbus_interfaces::{Error, wire::ExtensionProperties};

use crate::{failure::Failure, output::Output, prompt, service::Service, world::Extension};

/// The number of the first extension of a house that has none.
const FIRST: &str = "101";

/// Asks which extension or group rings, and makes one where there is none; none for whoever has a
/// phone.
pub(super) async fn ask(service: &Service, output: &Output) -> Result<Option<String>, Failure> {
    let mut known = service.world().await?.extensions;
    known.retain(|extension| matches!(extension.kind.as_str(), "person" | "group"));
    let question = question(&known);
    for extension in &known {
        output.line(format!("{:>6}  {}", extension.number, described(extension)));
    }
    loop {
        let answer = prompt::line(&question)?;
        let number = match (answer.as_str(), &known[..]) {
            ("", []) => FIRST.to_owned(),
            ("", [only]) => only.number.clone(),
            ("", _) => return Ok(None),
            (answer, _) => answer.to_owned(),
        };
        if known.iter().any(|extension| extension.number == number) {
            return Ok(Some(number));
        }
        let is_wanted = known.is_empty() || {
            let prompt = format!("There is no extension {number}. Make it? [y/N] ");
            prompt::line(&prompt)?.to_lowercase().starts_with('y')
        };
        if is_wanted && make(service, output, &number).await? {
            return Ok(Some(number));
        }
    }
}

/// Makes an extension; whether it may be.
async fn make(service: &Service, output: &Output, number: &str) -> Result<bool, Failure> {
    match service.proxy.add_extension(number, &ExtensionProperties::default()).await {
        Ok(_) => {
            output.line(format!(
                "extension {number} made; what its phone needs: sipwitch phones add {number}"
            ));
            Ok(true)
        }
        Err(Error::BadValue(words) | Error::AlreadyExists(words)) => {
            output.line(words);
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn question(known: &[Extension]) -> String {
    match known {
        [] => format!(
            "No extension is there yet that could ring for incoming calls. Number of the first \
             [{FIRST}]: "
        ),
        [only] => format!("Which of them rings for incoming calls [{}]: ", only.number),
        _ => "Which of them rings for incoming calls (empty for whoever has a phone): ".to_owned(),
    }
}

fn described(extension: &Extension) -> String {
    let group = match extension.kind.as_str() {
        "group" => format!("group of {}", extension.members.join(", ")),
        _ => String::new(),
    };
    match (extension.name.as_str(), group.as_str()) {
        ("", group) => group.to_owned(),
        (name, "") => name.to_owned(),
        (name, group) => format!("{name} ({group})"),
    }
}
