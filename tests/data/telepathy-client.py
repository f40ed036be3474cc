#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Telepathy client by Telepathy's own library: obeys one word a line, tells what it sees.

connect             makes the account of SIP Witch in Mission Control, and waits until it is connected
contact ID          what the connection knows of a contact
presence WORD       chooses a presence
disconnect          wants to be offline
"""
import sys

import gi

gi.require_version("TelepathyGLib", "0.12")
from gi.repository import Gio, GLib, TelepathyGLib as Tp

MANAGER = "org.freedesktop.Telepathy.AccountManager"
ACCOUNT = "org.freedesktop.Telepathy.Account"

bus = Gio.bus_get_sync(Gio.BusType.SESSION)
loop = GLib.MainLoop()
manager = Tp.AccountManager.dup()
account = None
connection = None


def say(*words):
    print(*words, flush=True)


def connect():
    properties = {
        ACCOUNT + ".Enabled": GLib.Variant("b", True),
        ACCOUNT + ".RequestedPresence": GLib.Variant("(uss)", (2, "available", "")),
    }
    given = GLib.Variant("(sssa{sv}a{sv})", ("sipwitch", "tel", "SIP Witch", {}, properties))
    path = "/" + MANAGER.replace(".", "/")
    made = bus.call_sync(MANAGER, path, MANAGER, "CreateAccount", given, None, 0, -1, None)
    say("account", made[0])
    global account
    account = manager.ensure_account(made[0])
    account.connect("notify::connection", connected)
    account.connect("notify::current-presence-type", present)
    account.connect("notify::connection-status", status)
    features = [Tp.Account.get_feature_quark_connection()]
    account.prepare_async(features, lambda a, r: connected(a, None))


def connected(_account, _property):
    global connection
    found = account.get_connection()
    if found is None or found is connection:
        return
    connection = found
    features = [Tp.Connection.get_feature_quark_connected(), Tp.Connection.get_feature_quark_capabilities()]
    connection.prepare_async(features, prepared)


def prepared(proxy, result):
    try:
        proxy.prepare_finish(result)
    except GLib.Error as error:
        say("not prepared:", error.message)
        return
    own = proxy.get_self_contact()
    classes = proxy.get_capabilities()
    say("connected as", own.get_identifier(), "called", own.get_alias(),
        "audio" if classes.supports_audio_call(Tp.HandleType.CONTACT) else "no-audio",
        "text" if classes.supports_text_chats() else "no-text")


def present(_account, _property):
    kind, word, _message = account.get_current_presence()
    say("presence", int(kind), word)


def status(_account, _property):
    found, reason = account.get_connection_status()
    say("status", int(found), "reason", int(reason))


def contact(identifier):
    features = [Tp.ContactFeature.ALIAS, Tp.ContactFeature.PRESENCE, Tp.ContactFeature.CAPABILITIES]

    def found(proxy, result):
        try:
            one = proxy.dup_contact_by_id_finish(result)
        except GLib.Error as error:
            say("no contact:", error.message)
            return
        say("contact", one.get_identifier(), "presence", int(one.get_presence_type()))

    connection.dup_contact_by_id_async(identifier, features, found)


def presence(word):
    account.request_presence_async(Tp.ConnectionPresenceType.BUSY, word, "", lambda a, r: None)


def disconnect():
    account.request_presence_async(Tp.ConnectionPresenceType.OFFLINE, "offline", "", lambda a, r: None)


def obey(channel, _condition):
    line = channel.readline()
    if not line:
        loop.quit()
        return False
    word, *rest = line.split()
    globals()[word](*rest)
    return True


GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, obey)
say("ready")
loop.run()
