// SPDX-License-Identifier: GPL-3.0-or-later
//! The connection.

use super::{Interface, read, read_write};

pub(crate) const CONNECTION: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection",
    methods: &[
        ("AddClientInterest", "as", ""),
        ("Connect", "", ""),
        ("Disconnect", "", ""),
        ("GetInterfaces", "", "as"),
        ("GetProtocol", "", "s"),
        ("GetSelfHandle", "", "u"),
        ("GetStatus", "", "u"),
        ("HoldHandles", "uau", ""),
        ("InspectHandles", "uau", "as"),
        ("ListChannels", "", "a(osuu)"),
        ("ReleaseHandles", "uau", ""),
        ("RemoveClientInterest", "as", ""),
        ("RequestChannel", "suub", "o"),
        ("RequestHandles", "uas", "au"),
    ],
    signals: &[
        ("ConnectionError", "sa{sv}"),
        ("NewChannel", "osuub"),
        ("SelfContactChanged", "us"),
        ("SelfHandleChanged", "u"),
        ("StatusChanged", "uu"),
    ],
    properties: &[
        read("Interfaces", "as"),
        read("SelfHandle", "u"),
        read("SelfID", "s"),
        read("Status", "u"),
        read("HasImmortalHandles", "b"),
    ],
};

pub(crate) const REQUESTS: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.Requests",
    methods: &[("CreateChannel", "a{sv}", "oa{sv}"), ("EnsureChannel", "a{sv}", "boa{sv}")],
    signals: &[("ChannelClosed", "o"), ("NewChannels", "a(oa{sv})")],
    properties: &[read("Channels", "a(oa{sv})"), read("RequestableChannelClasses", "a(a{sv}as)")],
};

pub(crate) const CONTACTS: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.Contacts",
    methods: &[("GetContactAttributes", "auasb", "a{ua{sv}}"), ("GetContactByID", "sas", "ua{sv}")],
    signals: &[],
    properties: &[read("ContactAttributeInterfaces", "as")],
};

pub(crate) const ALIASING: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.Aliasing",
    methods: &[
        ("GetAliasFlags", "", "u"),
        ("GetAliases", "au", "a{us}"),
        ("RequestAliases", "au", "as"),
        ("SetAliases", "a{us}", ""),
    ],
    signals: &[("AliasesChanged", "a(us)")],
    properties: &[],
};

pub(crate) const SIMPLE_PRESENCE: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.SimplePresence",
    methods: &[("GetPresences", "au", "a{u(uss)}"), ("SetPresence", "ss", "")],
    signals: &[("PresencesChanged", "a{u(uss)}")],
    properties: &[read("MaximumStatusMessageLength", "u"), read("Statuses", "a{s(ubb)}")],
};

pub(crate) const CONTACT_CAPABILITIES: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.ContactCapabilities",
    methods: &[
        ("GetContactCapabilities", "au", "a{ua(a{sv}as)}"),
        ("UpdateCapabilities", "a(saa{sv}as)", ""),
    ],
    signals: &[("ContactCapabilitiesChanged", "a{ua(a{sv}as)}")],
    properties: &[],
};

pub(crate) const ADDRESSING: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.Addressing1",
    methods: &[
        ("GetContactsByURI", "asas", "a{su}a{ua{sv}}"),
        ("GetContactsByVCardField", "sasas", "a{su}a{ua{sv}}"),
    ],
    signals: &[],
    properties: &[],
};

pub(crate) const SERVICE_POINT: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.ServicePoint",
    methods: &[],
    signals: &[("ServicePointsChanged", "a((us)as)")],
    properties: &[read("KnownServicePoints", "a((us)as)")],
};

pub(crate) const CONTACT_LIST: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.ContactList",
    methods: &[
        ("AuthorizePublication", "au", ""),
        ("Download", "", ""),
        ("GetContactListAttributes", "asb", "a{ua{sv}}"),
        ("RemoveContacts", "au", ""),
        ("RequestSubscription", "aus", ""),
        ("Unpublish", "au", ""),
        ("Unsubscribe", "au", ""),
    ],
    signals: &[
        ("ContactListStateChanged", "u"),
        ("ContactsChanged", "a{u(uus)}au"),
        ("ContactsChangedWithID", "a{u(uus)}a{us}a{us}"),
    ],
    properties: &[
        read("CanChangeContactList", "b"),
        read("ContactListPersists", "b"),
        read("ContactListState", "u"),
        read("DownloadAtConnection", "b"),
        read("RequestUsesMessage", "b"),
    ],
};

pub(crate) const CONTACT_BLOCKING: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.ContactBlocking",
    methods: &[
        ("BlockContacts", "aub", ""),
        ("RequestBlockedContacts", "", "a{us}"),
        ("UnblockContacts", "au", ""),
    ],
    signals: &[("BlockedContactsChanged", "a{us}a{us}")],
    properties: &[read("ContactBlockingCapabilities", "u")],
};

pub(crate) const CONTACT_INFO: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.ContactInfo",
    methods: &[
        ("GetContactInfo", "au", "a{ua(sasas)}"),
        ("RefreshContactInfo", "au", ""),
        ("RequestContactInfo", "u", "a(sasas)"),
        ("SetContactInfo", "a(sasas)", ""),
    ],
    signals: &[("ContactInfoChanged", "ua(sasas)")],
    properties: &[read("ContactInfoFlags", "u"), read("SupportedFields", "a(sasuu)")],
};

pub(crate) const ANONYMITY: Interface = Interface {
    name: "org.freedesktop.Telepathy.Connection.Interface.Anonymity",
    methods: &[],
    signals: &[("AnonymityModesChanged", "u")],
    properties: &[
        read_write("AnonymityMandatory", "b"),
        read_write("AnonymityModes", "u"),
        read("SupportedAnonymityModes", "u"),
    ],
};
