# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the bus takes from the first request for our name to an owner of it.

Speaks the few messages of the D-Bus protocol that this needs itself: any command started for it would be measured too.
"""

import os
import socket
import struct
import subprocess
import time

NAME = "org.gnutelephony.SipWitch1"

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={room}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{room}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Bus:
    """A private session bus on which our name can be activated."""

    def __init__(self, room, executable, environment):
        os.makedirs(os.path.join(room, "services"), exist_ok=True)
        with open(os.path.join(room, "services", f"{NAME}.service"), "w") as file:
            file.write(f"[D-BUS Service]\nName={NAME}\nExec={executable}\n")
        configuration = os.path.join(room, "bus.conf")
        with open(configuration, "w") as file:
            file.write(CONFIGURATION.format(room=room))
        self.path = os.path.join(room, "bus")
        self.address = f"unix:path={self.path}"
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.process.stdout.readline()

    def stop(self):
        """Ends the bus and, with it, all that it activated."""
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
        if os.path.exists(self.path):
            os.remove(self.path)


class Client:
    """A connection that can call methods of the bus itself."""

    def __init__(self, path):
        self.serial = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        uid = str(os.getuid()).encode().hex()
        self.socket.sendall(b"\0AUTH EXTERNAL " + uid.encode() + b"\r\n")
        said = self.socket.recv(512)
        if not said.startswith(b"OK"):
            raise OSError(f"the bus does not let us in: {said!r}")
        self.socket.sendall(b"BEGIN\r\n")
        self.call("Hello", b"", "")

    def call(self, member, body, signature):
        """Calls a method of the bus and returns the body of the reply."""
        self.serial += 1
        fields = [(1, "o", "/org/freedesktop/DBus"), (2, "s", "org.freedesktop.DBus"),
                  (3, "s", member), (6, "s", "org.freedesktop.DBus")]
        if signature:
            fields.append((8, "g", signature))
        array = b""
        for code, kind, text in fields:
            array += b"\0" * (-len(array) % 8)
            array += bytes([code, 1]) + kind.encode() + b"\0"
            if kind == "g":
                array += bytes([len(text)]) + text.encode() + b"\0"
            else:
                array += b"\0" * (-len(array) % 4)
                array += string(text)
        header = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), self.serial, len(array)) + array
        self.socket.sendall(header + b"\0" * (-len(header) % 8) + body)
        while True:
            kind, reply_to, body = self.read()
            if kind in (2, 3) and reply_to == self.serial:
                if kind == 3:
                    raise OSError(f"{member} failed: {body[4:]!r}")
                return body

    def read(self):
        """One message: its kind, what it replies to, and its body."""
        start = self.exactly(16)
        _, kind, _, _, length, _, array = struct.unpack("<cBBBIII", start)
        fields = self.exactly(array + (-(16 + array) % 8))
        reply_to, at = None, 0
        while at < array:
            at += -at % 8
            code, signature = fields[at], fields[at + 2:at + 3]
            at += 4
            if signature == b"g":
                at += fields[at] + 2
                continue
            at += -at % 4
            number, = struct.unpack_from("<I", fields, at)
            if code == 5:
                reply_to = number
            at += 4 if signature == b"u" else 4 + number + 1
        return kind, reply_to, self.exactly(length)

    def exactly(self, length):
        """That many bytes."""
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise OSError("the bus hung up")
            data += more
        return data

    def close(self):
        """Leaves the bus."""
        self.socket.close()


def string(text):
    """A string as the protocol has it."""
    return struct.pack("<I", len(text)) + text.encode() + b"\0"


def activate(bus):
    """Asks for our name; returns the seconds until it had an owner, and the owner's process id."""
    client = Client(bus.path)
    begun = time.perf_counter()
    client.call("StartServiceByName", string(NAME) + b"\0" * (-len(string(NAME)) % 4) +
                struct.pack("<I", 0), "su")
    taken = time.perf_counter() - begun
    body = client.call("GetConnectionUnixProcessID", string(NAME), "s")
    client.close()
    return taken, struct.unpack("<I", body[:4])[0]
