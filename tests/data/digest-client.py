#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of some user on the bus of a test, by GLib's D-Bus: a second opinion on ours.

    digest-client.py ADDRESS

Each line of standard input is a JSON list: a method of the digest service and its arguments, where {"pipe": TEXT} is the
read end of a pipe with that text, and {"open": TEXT} one whose other end stays open. "Get" asks for a property. Each line of
standard output is the answer: {"is": VALUE} or {"error": NAME, "words": TEXT}, with the time that it took in microseconds.
"""

import json
import os
import sys
import time

from gi.repository import Gio, GLib

NAME = "org.gnutelephony.SipWitchDigest1"
PATH = "/org/gnutelephony/SipWitchDigest1"
SIGNATURES = {
    "VerifyResponse": "(a{ss})",
    "Status": "(s)",
    "Enrol": "(sh)",
    "Separate": "(s)",
    "Remove": "(s)",
    "List": "()",
    "Prune": "(b)",
    "SetRealm": "(sb)",
    "Get": "(ss)",
}
held = []


def descriptor(descriptors, argument):
    if isinstance(argument, dict) and "pipe" in argument:
        read, write = os.pipe()
        os.write(write, argument["pipe"].encode("utf-8", "surrogateescape"))
        os.close(write)
    elif isinstance(argument, dict) and "open" in argument:
        read, write = os.pipe()
        os.write(write, argument["open"].encode())
        held.append(write)
    else:
        read = os.open(argument, os.O_RDONLY)
    index = descriptors.append(read)
    os.close(read)
    return index


def call(bus, method, arguments):
    descriptors = Gio.UnixFDList.new()
    if method == "Get":
        arguments = [NAME, *arguments]
    if method == "Enrol":
        arguments[1] = descriptor(descriptors, arguments[1])
    interface = "org.freedesktop.DBus.Properties" if method == "Get" else NAME
    body = GLib.Variant(SIGNATURES[method], tuple(arguments))
    start = time.perf_counter()
    try:
        answer, _ = bus.call_with_unix_fd_list_sync(
            NAME, PATH, interface, method, body, None, Gio.DBusCallFlags.NONE, 60000, descriptors, None)
    except GLib.Error as error:
        name = Gio.DBusError.get_remote_error(error) or "none"
        return {"error": name.rsplit(".", 1)[-1], "words": error.message}
    taken = (time.perf_counter() - start) * 1e6
    values = answer.unpack()
    return {"is": values[0] if len(values) == 1 else list(values), "microseconds": round(taken)}


def main():
    flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], flags, None, None)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        print(json.dumps(call(bus, method, arguments)), flush=True)


if __name__ == "__main__":
    main()
