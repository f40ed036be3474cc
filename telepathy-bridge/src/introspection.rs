// SPDX-License-Identifier: GPL-3.0-or-later
//! Introspection data, made of the tables of [`crate::definition`].

use std::{collections::BTreeSet, fmt::Write as _};

use zbus::zvariant::Signature;

use crate::{
    definition::{Access, Interface},
    object::Object,
};

const HEAD: &str = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
     \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n";
const STANDARD: &str = r#"  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect"><arg type="s" direction="out"/></method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="GetMachineId"><arg type="s" direction="out"/></method>
    <method name="Ping"/>
  </interface>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="out"/></method>
    <method name="GetAll"><arg type="s" direction="in"/><arg type="a{sv}" direction="out"/></method>
    <method name="Set"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="in"/></method>
  </interface>
"#;

/// What is at a path, and what lies below it; none if neither.
pub(crate) fn describe(path: &str, all: &[String]) -> Option<String> {
    let below = if path == "/" { String::from("/") } else { format!("{path}/") };
    let children: BTreeSet<&str> = all
        .iter()
        .filter_map(|other| other.strip_prefix(&below)?.split('/').next())
        .filter(|child| !child.is_empty())
        .collect();
    let object = Object::at(path).filter(|_| all.iter().any(|other| other == path));
    if object.is_none() && children.is_empty() {
        return None;
    }
    let mut xml = String::from(HEAD);
    if let Some(object) = object {
        xml.push_str(STANDARD);
        for interface in object.interfaces() {
            write_interface(&mut xml, interface);
        }
    }
    for child in children {
        let _ = writeln!(xml, "  <node name=\"{child}\"/>");
    }
    xml.push_str("</node>\n");
    Some(xml)
}

fn write_interface(xml: &mut String, interface: &Interface) {
    let _ = writeln!(xml, "  <interface name=\"{}\">", interface.name);
    for (name, takes, gives) in interface.methods {
        let _ = writeln!(xml, "    <method name=\"{name}\">");
        write_arguments(xml, takes, " direction=\"in\"");
        write_arguments(xml, gives, " direction=\"out\"");
        xml.push_str("    </method>\n");
    }
    for (name, types) in interface.signals {
        let _ = writeln!(xml, "    <signal name=\"{name}\">");
        write_arguments(xml, types, "");
        xml.push_str("    </signal>\n");
    }
    for property in interface.properties {
        let access = if property.access == Access::ReadWrite { "readwrite" } else { "read" };
        let (name, types) = (property.name, property.signature);
        let _ =
            writeln!(xml, "    <property name=\"{name}\" type=\"{types}\" access=\"{access}\"/>");
    }
    xml.push_str("  </interface>\n");
}

fn write_arguments(xml: &mut String, types: &str, direction: &str) {
    for part in complete_types(types) {
        let _ = writeln!(xml, "      <arg type=\"{part}\"{direction}/>");
    }
}

/// The single types of a list of types: `sa{sv}` is two.
fn complete_types(types: &str) -> Vec<String> {
    match Signature::try_from(format!("({types})").as_str()) {
        Ok(Signature::Structure(fields)) => fields.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}
