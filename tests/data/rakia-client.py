#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's client of Telepathy, with telepathy-rakia: obeys one word a line, tells what it sees.

connect USER HOST PORT  registers there
ring                    lets the call ring that came
hangup REASON           does not take it, for a reason by its number
write USER WORD         sends a text
"""
import sys

from gi.repository import Gio, GLib

TELEPATHY = "org.freedesktop.Telepathy."
MANAGER = TELEPATHY + "ConnectionManager.sofiasip"
CHANNEL = TELEPATHY + "Channel"
CALL = CHANNEL + ".Type.Call1"
TEXT = CHANNEL + ".Type.Text"
MESSAGES = CHANNEL + ".Interface.Messages"
REQUESTS = TELEPATHY + "Connection.Interface.Requests"

bus = Gio.bus_get_sync(Gio.BusType.SESSION)
loop = GLib.MainLoop()
connection = path = call = None


def say(*words):
    print(*words, flush=True)


def ask(name, at, interface, method, types=None, *values):
    given = GLib.Variant(types, values) if types else None
    return bus.call_sync(name, at, interface, method, given, None, 0, -1, None).unpack()


def connect(user, host, port):
    global connection, path
    text, flag = (lambda value: GLib.Variant("s", value)), (lambda value: GLib.Variant("b", value))
    parameters = {"account": text(f"{user}@{host}"), "password": text("unused"), "proxy-host": text(host),
                  "port": GLib.Variant("q", int(port)), "transport": text("udp"), "discover-binding": flag(False),
                  "discover-stun": flag(False)}
    connection, path = ask(MANAGER, "/" + MANAGER.replace(".", "/"), TELEPATHY + "ConnectionManager",
                           "RequestConnection", "(sa{sv})", "sip", parameters)
    bus.signal_subscribe(connection, None, None, None, None, 0, signal)
    ask(connection, path, TELEPATHY + "Connection", "Connect")


def signal(_bus, _sender, at, interface, name, values):
    global call
    values = values.unpack() if values else ()
    if name == "StatusChanged":
        say("status", *values)
    if interface == REQUESTS and name == "NewChannels":
        for channel, properties in values[0]:
            kind = properties[CHANNEL + ".ChannelType"]
            if kind == CALL and not properties[CHANNEL + ".Requested"]:
                call = channel
                say("call from", properties[CHANNEL + ".TargetID"])
            if kind == TEXT:
                for message in ask(connection, channel, "org.freedesktop.DBus.Properties", "Get", "(ss)", MESSAGES,
                                   "PendingMessages")[0]:
                    say("text", message[1]["content"])
    if interface == MESSAGES and name == "MessageReceived" and len(values[0]) > 1:
        say("text", values[0][1]["content"])
    if interface == CALL and name == "CallStateChanged":
        say("state", values[0])


def ring():
    ask(connection, call, CALL, "SetRinging")


def hangup(reason):
    ask(connection, call, CALL, "Hangup", "(uss)", int(reason), "", "")
    ask(connection, call, CHANNEL, "Close")


def write(user, word):
    asked = {CHANNEL + ".ChannelType": GLib.Variant("s", TEXT), CHANNEL + ".TargetHandleType": GLib.Variant("u", 1),
             CHANNEL + ".TargetID": GLib.Variant("s", user)}
    channel = ask(connection, path, REQUESTS, "EnsureChannel", "(a{sv})", asked)[1]
    parts = [{"message-type": GLib.Variant("u", 0)},
             {"content-type": GLib.Variant("s", "text/plain"), "content": GLib.Variant("s", word)}]
    ask(connection, channel, MESSAGES, "SendMessage", "(aa{sv}u)", parts, 0)


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
