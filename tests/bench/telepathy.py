# SPDX-License-Identifier: GPL-3.0-or-later
"""The Telepathy connection manager: how fast it connects, what it takes while idle, and many channels at one time.

Beside it, where Debian's telepathy-rakia is installed, what that takes while idle.
"""

import os
import statistics
import subprocess
import time

import activation
import proc
from sipwitch import house

TELEPATHY = "org.freedesktop.Telepathy"
MANAGER = TELEPATHY + ".ConnectionManager.sipwitch"
PEER = TELEPATHY + ".ConnectionManager.sofiasip"
PEER_PROGRAM = "/usr/lib/telepathy/telepathy-rakia"
CHANNELS = 50
# Seconds after which a program that has nothing to do has let its text go.
REST = 3


class Session:
    """A private session bus on which the service and the connection managers can be activated."""

    def __init__(self, room, service, bridge):
        # Only who measures this needs it.
        from gi.repository import Gio, GLib
        self.gio, self.glib = Gio, GLib
        environment = house(room)
        self.bus = activation.Bus(room, service, environment)
        for name, program in ((MANAGER, bridge), (PEER, PEER_PROGRAM)):
            with open(os.path.join(room, "services", f"{name}.service"), "w") as file:
                file.write(f"[D-BUS Service]\nName={name}\nExec={program}\n")
        flags = Gio.DBusConnectionFlags
        self.connection = Gio.DBusConnection.new_for_address_sync(
            self.bus.address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")

    def call(self, name, path, interface, method, types=None, *values):
        """Calls a method, and gives what it gives."""
        given = self.glib.Variant(types, values) if types else None
        return self.connection.call_sync(name, path, interface, method, given, None, 0, 30000, None).unpack()

    def pid(self, name):
        """The process that has a name."""
        bus = "org.freedesktop.DBus"
        return self.call(bus, "/org/freedesktop/DBus", bus, "GetConnectionUnixProcessID", "(s)", name)[0]

    def connect(self):
        """Has a connection made; gives its name, its path, and seconds from RequestConnection to Connected."""
        is_there = []

        def changed(_bus, _sender, _path, _interface, _name, values):
            is_there.append(values.unpack()[0])

        began = time.perf_counter()
        path = "/" + MANAGER.replace(".", "/")
        name, path = self.call(MANAGER, path, TELEPATHY + ".ConnectionManager", "RequestConnection", "(sa{sv})",
                               "tel", {})
        interface = TELEPATHY + ".Connection"
        watch = self.connection.signal_subscribe(name, interface, "StatusChanged", path, None, 0, changed)
        self.call(name, path, interface, "Connect")
        context = self.glib.MainContext.default()
        while 0 not in is_there:
            if 2 in is_there or time.perf_counter() - began > 20:
                raise OSError("the connection manager does not connect")
            context.iteration(True)
        took = time.perf_counter() - began
        self.connection.signal_unsubscribe(watch)
        return name, path, took

    def stop(self):
        """Ends everything."""
        self.connection.close_sync(None)
        self.bus.stop()


def settled(pid, seconds):
    """Memory of an idle process, and how often a second something woke it."""
    time.sleep(REST)
    before = proc.wakeups(pid)
    time.sleep(seconds)
    # A thread that has ended takes its count along.
    return proc.pss(pid), max(0, proc.wakeups(pid) - before) / seconds


def rows(room, service, bridge, seconds, times=20):
    """The figures by their names: seconds, bytes, a second."""
    session = Session(room, service, bridge)
    figures = {}
    try:
        root = "/org/gnutelephony/SipWitch1"
        name = root.strip("/").replace("/", ".")
        session.call(name, root, name, "AddExtension", "(sa{sv})", "101", {})
        taken = []
        for _ in range(times):
            name, path, took = session.connect()
            taken.append(took)
            session.call(name, path, TELEPATHY + ".Connection", "Disconnect")
        # The first one starts the program.
        figures["connect"] = statistics.median(taken[1:])
        figures["first"] = taken[0]
        name, path, _ = session.connect()
        pid = session.pid(MANAGER)
        figures["idle"], figures["wakeups"] = settled(pid, seconds)
        figures["channels"], figures["channel-memory"] = many_channels(session, name, path, pid)
        if os.path.isfile(PEER_PROGRAM):
            session.call(PEER, "/" + PEER.replace(".", "/"), "org.freedesktop.DBus.Peer", "Ping")
            figures["peer-idle"] = proc.pss(session.pid(PEER))
    finally:
        session.stop()
    return figures


def many_channels(session, name, path, pid):
    """Seconds for one of many channels for calls, and the memory of each at rest; all stand at one time."""
    before = proc.pss(pid)
    variant, channel = session.glib.Variant, TELEPATHY + ".Channel"
    interface = TELEPATHY + ".Connection.Interface.Requests"
    began = time.perf_counter()
    for number in range(CHANNELS):
        asked = {
            channel + ".ChannelType": variant("s", channel + ".Type.Call1"),
            channel + ".TargetHandleType": variant("u", 1),
            channel + ".TargetID": variant("s", f"+4930{number:06}"),
            channel + ".Type.Call1.InitialAudio": variant("b", True),
        }
        session.call(name, path, interface, "CreateChannel", "(a{sv})", asked)
    took = time.perf_counter() - began
    properties = "org.freedesktop.DBus.Properties"
    there = session.call(name, path, properties, "Get", "(ss)", interface, "Channels")[0]
    if len(there) != CHANNELS:
        raise OSError(f"{len(there)} channels stand of {CHANNELS}")
    time.sleep(REST)
    return took / CHANNELS, (proc.pss(pid) - before) / CHANNELS


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as own:
        found = rows(own, sys.argv[1], sys.argv[2], 10)
    for key, value in found.items():
        print(f"{key:16} {value:.6g}")
