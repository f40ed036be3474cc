// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads introspection XML into what can be compared: the members, without their documentation.
//!
//! For tests that hold a program to the contract: what it shows by introspection must equal
//! [`master`].

use std::collections::BTreeMap;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// One interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Methods by name.
    pub methods: BTreeMap<String, Method>,
    /// Signals by name: name and type of each argument.
    pub signals: BTreeMap<String, Vec<Argument>>,
    /// Properties by name.
    pub properties: BTreeMap<String, Property>,
}

/// Name and type of one argument.
pub type Argument = (String, String);

/// One method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Method {
    /// What it takes.
    pub takes: Vec<Argument>,
    /// What it answers.
    pub answers: Vec<Argument>,
}

/// One property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its type.
    pub signature: String,
    /// `read`, `write` or `readwrite`.
    pub access: String,
    /// How its changes are told: `true`, `invalidates`, `const` or `false`.
    pub emits: String,
}

/// The types of all arguments, one after the other.
#[must_use]
pub fn signature(arguments: &[Argument]) -> String {
    arguments.iter().map(|(_, kind)| kind.as_str()).collect()
}

/// The master of the service in the session: the interfaces of [`crate::xml::ALL`], by name.
///
/// # Panics
///
/// If the XML in this crate cannot be read.
#[must_use]
pub fn master() -> BTreeMap<String, Interface> {
    crate::xml::ALL
        .iter()
        .flat_map(|text| read(text).expect("the XML of this crate can be read"))
        .collect()
}

/// The master of the digest service, by name.
///
/// # Panics
///
/// If the XML in this crate cannot be read.
#[must_use]
pub fn digest_master() -> BTreeMap<String, Interface> {
    read(crate::xml::DIGEST).expect("the XML of this crate can be read")
}

/// The interfaces in an introspection text, wherever in the tree they are, by name.
///
/// # Errors
///
/// Text that is no XML, or lacks an attribute that the specification asks for.
pub fn read(text: &str) -> Result<BTreeMap<String, Interface>, String> {
    let mut reader = Reader::from_str(text);
    let mut interfaces = BTreeMap::new();
    let mut at = Place::default();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => at.open(&tag)?,
            Event::Empty(tag) => {
                at.open(&tag)?;
                at.close(tag.name().as_ref(), &mut interfaces);
            }
            Event::End(tag) => at.close(tag.name().as_ref(), &mut interfaces),
            Event::Eof => return Ok(interfaces),
            _ => {}
        }
    }
}

/// Where in the text we are.
#[derive(Default)]
struct Place {
    interface: Option<(String, Interface)>,
    member: Option<Member>,
}

enum Member {
    Method(String, Method),
    Signal(String, Vec<Argument>),
    Property(String, Property),
}

impl Place {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = || wanted(tag, "name");
        match (tag.name().as_ref(), &mut self.member) {
            (b"interface", _) => self.interface = Some((name()?, Interface::default())),
            (b"method", _) => self.member = Some(Member::Method(name()?, Method::default())),
            (b"signal", _) => self.member = Some(Member::Signal(name()?, Vec::new())),
            (b"property", _) => {
                let signature = wanted(tag, "type")?;
                let access = wanted(tag, "access")?;
                let property = Property { signature, access, emits: "true".into() };
                self.member = Some(Member::Property(name()?, property));
            }
            (b"arg", Some(Member::Method(_, method))) => {
                // Arguments of the standard interfaces may be nameless.
                let name = attribute(tag, "name")?.unwrap_or_default();
                let argument = (name, wanted(tag, "type")?);
                match attribute(tag, "direction")?.as_deref() {
                    Some("out") => method.answers.push(argument),
                    _ => method.takes.push(argument),
                }
            }
            (b"arg", Some(Member::Signal(_, arguments))) => {
                arguments.push((name()?, wanted(tag, "type")?));
            }
            (b"annotation", Some(Member::Property(_, property)))
                if name()? == "org.freedesktop.DBus.Property.EmitsChangedSignal" =>
            {
                property.emits = wanted(tag, "value")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, tag: &[u8], interfaces: &mut BTreeMap<String, Interface>) {
        match tag {
            b"interface" => interfaces.extend(self.interface.take()),
            b"method" | b"signal" | b"property" => {
                let Some((_, interface)) = &mut self.interface else { return };
                match self.member.take() {
                    Some(Member::Method(name, method)) => {
                        interface.methods.insert(name, method);
                    }
                    Some(Member::Signal(name, arguments)) => {
                        interface.signals.insert(name, arguments);
                    }
                    Some(Member::Property(name, property)) => {
                        interface.properties.insert(name, property);
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }
}

fn wanted(tag: &BytesStart<'_>, name: &str) -> Result<String, String> {
    attribute(tag, name)?.ok_or_else(|| format!("{tag:?} has no attribute {name}"))
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = tag.try_get_attribute(name).map_err(|error| error.to_string())?;
    found
        .map(|found| found.unescape_value().map(Into::into).map_err(|error| error.to_string()))
        .transpose()
}
