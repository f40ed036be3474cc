// SPDX-License-Identifier: GPL-3.0-or-later
//! `sipwitch.manager`: what clients know of us while we do not run (Telepathy specification,
//! ConnectionManager, "the .manager file"). It is a key file whose lists end each item with `;`.

use std::fmt::Write as _;

use crate::{
    definition::Interface,
    identifier::{SCHEMES, VCARD_FIELDS},
    protocol::{
        CLASSES, CONNECTION_INTERFACES, Class, Fixed, PROTOCOL_INTERFACES, Protocol, STATUSES,
    },
};

/// The file, from the same definitions as the objects on the bus.
pub(crate) fn text() -> String {
    let mut text = String::from(
        "# Made by `telepathy-sipwitch --print-manager-file`; a test compares.\n\
         [ConnectionManager]\nInterfaces=\n\n",
    );
    for (number, protocol) in Protocol::ALL.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        write_protocol(&mut text, *protocol);
    }
    for (number, class) in CLASSES.iter().enumerate() {
        text.push('\n');
        write_class(&mut text, number, class);
    }
    text
}

fn write_protocol(text: &mut String, protocol: Protocol) {
    let interfaces = |interfaces: &[&Interface]| -> String {
        interfaces.iter().map(|interface| format!("{};", interface.name)).collect()
    };
    line_of_group(text, &format!("Protocol {}", protocol.name()));
    let mut line = |key: &str, value: &str| {
        // A String takes everything.
        let _ = writeln!(text, "{key}={value}");
    };
    for parameter in protocol.parameters() {
        let (name, words) = (parameter.name, parameter.words());
        line(&format!("param-{name}"), &format!("{}{words}", parameter.signature()));
        if let Some(usual) = parameter.usual() {
            line(&format!("default-{name}"), &usual);
        }
    }
    line("EnglishName", protocol.english_name());
    line("Icon", protocol.icon());
    line("VCardField", protocol.vcard_field());
    line("Interfaces", &interfaces(PROTOCOL_INTERFACES));
    line("ConnectionInterfaces", &interfaces(CONNECTION_INTERFACES));
    line("AuthenticationTypes", &interfaces(protocol.authentication()));
    line("AddressableVCardFields", &list(VCARD_FIELDS));
    line("AddressableURISchemes", &list(SCHEMES));
    for status in STATUSES {
        let settable = if status.settable { " settable" } else { "" };
        line(&format!("status-{}", status.name), &format!("{}{settable}", status.kind));
    }
    let groups: String = (0..CLASSES.len()).map(|number| format!("class{number};")).collect();
    line("RequestableChannelClasses", &groups);
}

fn line_of_group(text: &mut String, group: &str) {
    let _ = writeln!(text, "[{group}]");
}

fn write_class(text: &mut String, number: usize, class: &Class) {
    line_of_group(text, &format!("class{number}"));
    for (name, fixed) in class.fixed {
        let _ = match fixed {
            Fixed::Text(value) => writeln!(text, "{name} s={value}"),
            Fixed::Number(value) => writeln!(text, "{name} u={value}"),
            Fixed::Flag(value) => writeln!(text, "{name} b={value}"),
        };
    }
    let _ = writeln!(text, "allowed={}", list(class.allowed));
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word};")).collect()
}
