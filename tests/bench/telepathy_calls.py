#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a Telepathy call takes to the wire, and fifty of them that talk at once.

A client asks for a call and says what it can; a phone in this process waits for the INVITE, and only when that has come
the client says where its sound is:

    tests/bench/telepathy_calls.py [FOLDER OF THE PROGRAMS]

Measured twice: from `CreateChannel`, with all that the client asks in between, and from when the client accepts the
first offer with its codecs. No call ends before all are there. Then all are answered, and in each both ends speak for
two seconds, a packet each 20 ms. Ends with 1 where the second time is above 30 ms at p99, or where in any call an end
did not hear nine of ten packets.
"""

import os
import re
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib

import activation
import sipwitch

CALLS = 50
BUDGET_MS = 30
PACKETS = 100
MANAGER = "org.freedesktop.Telepathy.ConnectionManager.sipwitch"
TELEPATHY = "org.freedesktop.Telepathy."
CODECS = [(8, "PCMA", 8000, 0, False, {}), (101, "telephone-event", 8000, 0, False, {"events": "0-15"})]
CODECS_KEY = TELEPATHY + "Call1.Content.MediaDescription.Codecs"
MEDIA = "Call1.Content.Interface.Media"
STREAM_MEDIA = "Call1.Stream.Interface.Media"


class Ear:
    """One end of the sound of a call."""

    def __init__(self, source):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.source, self.sent, self.heard, self.to = source, 0, 0, None

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def speak(self):
        self.sent += 1
        head = struct.pack("!BBHII", 0x80, 8, self.sent, self.sent * 160, self.source)
        self.socket.sendto(head + b"\xd5" * 160, self.to)

    def listen(self):
        try:
            while True:
                self.socket.recv(2048)
                self.heard += 1
        except BlockingIOError:
            pass


class Phone:
    """Registers as 102, rings for every call, and notes when each came."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = ("127.0.0.1", port)
        self.own = self.socket.getsockname()[1]
        self.invites = {}
        self.ears = []
        self.send(f"REGISTER sip:127.0.0.1:{port} SIP/2.0\r\n"
                  f"Via: SIP/2.0/UDP 127.0.0.1:{self.own};branch=z9hG4bKregister\r\nMax-Forwards: 70\r\n"
                  f"From: <sip:102@127.0.0.1:{port}>;tag=1\r\nTo: <sip:102@127.0.0.1:{port}>\r\n"
                  f"Call-ID: register\r\nCSeq: 1 REGISTER\r\nContact: <sip:102@127.0.0.1:{self.own}>\r\n"
                  "Expires: 600\r\nContent-Length: 0\r\n\r\n")
        answer = self.socket.recv(4096).decode()
        if not answer.startswith("SIP/2.0 200"):
            raise SystemExit(f"the phone is not taken: {answer.splitlines()[0]}")

    def send(self, text):
        self.socket.sendto(text.encode(), self.server)

    def hear(self, seconds):
        """The next message, if one comes in time."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        return self.socket.recv(65536).decode()

    def invite(self, seconds=10):
        """Waits for the INVITE of a call that is new, rings, and says when it came."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            message = self.hear(1)
            came = time.perf_counter()
            if message is None or not message.startswith("INVITE "):
                continue
            call = re.search(r"(?im)^Call-ID: *(.*?)\r?$", message).group(1)
            if call not in self.invites:
                self.invites[call] = message
                self.reply(message, "180 Ringing")
                return came
        raise SystemExit("no INVITE came")

    def reply(self, message, status, sdp=""):
        kept = [line for line in message.split("\r\n")
                if re.match(r"(?i)(via|from|call-id|cseq|record-route):", line)]
        to = re.search(r"(?im)^To: *(.*?)\r?$", message).group(1)
        tag = "" if ";tag=" in to else f";tag={self.own}"
        kind = ["Content-Type: application/sdp"] if sdp else []
        self.send("\r\n".join([f"SIP/2.0 {status}", *kept, f"To: {to}{tag}",
                               f"Contact: <sip:102@127.0.0.1:{self.own}>", *kind,
                               f"Content-Length: {len(sdp)}", "", sdp]))

    def answer(self):
        """Answers all that ring, and waits until all have heard of it."""
        for number, message in enumerate(self.invites.values()):
            ear = Ear(9000 + number)
            host = re.search(r"(?m)^c=IN IP4 (\S+)\r?$", message).group(1)
            port = int(re.search(r"(?m)^m=audio (\d+) ", message).group(1))
            ear.to = (host, port)
            self.ears.append(ear)
            self.reply(message, "200 OK", f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                       f"m=audio {ear.port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")
        acknowledged = set()
        give_up = time.monotonic() + 10
        while len(acknowledged) < len(self.invites):
            if time.monotonic() > give_up:
                raise SystemExit(f"{len(acknowledged)} of {len(self.invites)} answers were acknowledged")
            message = self.hear(1) or ""
            if message.startswith("ACK "):
                acknowledged.add(re.search(r"(?im)^Call-ID: *(.*?)\r?$", message).group(1))

    def part(self):
        """Lets the other end hang up."""
        ended = set()
        give_up = time.monotonic() + 10
        while len(ended) < len(self.invites):
            if time.monotonic() > give_up:
                raise SystemExit(f"{len(ended)} of {len(self.invites)} calls ended")
            message = self.hear(1) or ""
            if message.startswith("BYE "):
                ended.add(re.search(r"(?im)^Call-ID: *(.*?)\r?$", message).group(1))
                self.reply(message, "200 OK")


class Client:
    """A handler of Telepathy on one connection."""

    def __init__(self, address):
        flags = Gio.DBusConnectionFlags
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
        path = "/" + MANAGER.replace(".", "/")
        made = self.ask(path, "ConnectionManager", "RequestConnection", "(sa{sv})", "tel", {}, name=MANAGER)
        self.name, self.connection = made
        self.ask(self.connection, "Connection", "Connect")
        self.wait("it does not connect", lambda: self.get(self.connection, "Connection", "Status") == 0)

    def wait(self, words, is_so):
        give_up = time.monotonic() + 10
        while not is_so():
            if time.monotonic() > give_up:
                raise SystemExit(words)
            time.sleep(0.01)

    def ask(self, path, interface, method, types=None, *values, name=None):
        given = GLib.Variant(types, values) if types else None
        return self.bus.call_sync(name or self.name, path, TELEPATHY + interface, method, given, None, 0, -1, None)

    def get(self, path, interface, name):
        given = GLib.Variant("(ss)", (TELEPATHY + interface, name))
        properties = "org.freedesktop.DBus.Properties"
        return self.bus.call_sync(self.name, path, properties, "Get", given, None, 0, -1, None)[0]

    def agree(self, offer):
        said = {CODECS_KEY: GLib.Variant("a(usuuba{ss})", CODECS)}
        self.ask(offer, "Call1.Content.MediaDescription", "Accept", "(a{sv})", said)

    def call(self, phone):
        """Asks for a call, and says what it can; where it is, when the phone has rung. Returns the call, when it was
        asked for, when the codecs were known, and when the INVITE came."""
        channel = TELEPATHY + "Channel."
        asked = {channel + "ChannelType": GLib.Variant("s", channel + "Type.Call1"),
                 channel + "TargetHandleType": GLib.Variant("u", 1),
                 channel + "TargetID": GLib.Variant("s", "102"),
                 channel + "Type.Call1.InitialAudio": GLib.Variant("b", True)}
        begun = time.perf_counter()
        path = self.ask(self.connection, "Connection.Interface.Requests", "CreateChannel", "(a{sv})", asked)[0]
        self.ask(path, "Channel.Type.Call1", "Accept")
        content = self.get(path, "Channel.Type.Call1", "Contents")[0]
        offer = self.get(content, MEDIA, "MediaDescriptionOffer")[0]
        known = time.perf_counter()
        self.agree(offer)
        came = phone.invite()
        talk = Talk(self, path, content)
        talk.gather()
        return talk, begun, known, came


class Talk:
    """A call of the client's."""

    def __init__(self, client, path, content):
        self.client, self.path, self.content = client, path, content
        self.stream = client.get(content, "Call1.Content", "Streams")[0]
        self.ear = Ear(1000 + len(path))

    def gather(self):
        self.client.ask(self.stream, STREAM_MEDIA, "AddCandidates", "(a(usua{sv}))",
                        [(1, "127.0.0.1", self.ear.port, {})])
        self.client.ask(self.stream, STREAM_MEDIA, "FinishInitialCandidates")

    def begin(self):
        """Agrees to what the phone answered, and begins to stream."""
        client = self.client
        client.wait("no answer came", lambda: client.get(self.content, MEDIA, "MediaDescriptionOffer")[0] != "/")
        client.agree(client.get(self.content, MEDIA, "MediaDescriptionOffer")[0])
        for way in ("Receiving", "Sending"):
            client.wait(f"{way} does not begin", lambda: client.get(self.stream, STREAM_MEDIA, way + "State") == 1)
            client.ask(self.stream, STREAM_MEDIA, f"Complete{way}StateChange", "(u)", 3)
        endpoint = client.get(self.stream, STREAM_MEDIA, "Endpoints")[0]
        for component, address, port, _ in client.get(endpoint, "Call1.Stream.Endpoint", "RemoteCandidates"):
            if component == 1:
                self.ear.to = (address, port)
        state = client.get(self.path, "Channel.Type.Call1", "CallState")
        if state != 5:
            raise SystemExit(f"{self.path} is in state {state}, not active")


def talk(ears):
    """All speak, a packet each 20 ms; what comes is counted."""
    begun = time.monotonic()
    for number in range(PACKETS):
        for ear in ears:
            ear.speak()
        due = begun + (number + 1) * 0.02
        while (rest := due - time.monotonic()) > 0:
            for ready in select.select([ear.socket for ear in ears], [], [], rest)[0]:
                next(ear for ear in ears if ear.socket is ready).listen()
    # The last ones are on their way.
    give_up = time.monotonic() + 2
    while time.monotonic() < give_up and any(ear.heard < PACKETS for ear in ears):
        select.select([ear.socket for ear in ears], [], [], 0.1)
        for ear in ears:
            ear.listen()
    return time.monotonic() - begun


def show(what, seconds):
    milliseconds = sorted(1000 * one for one in seconds)
    p99 = milliseconds[min(len(milliseconds) - 1, int(len(milliseconds) * 0.99))]
    print(f"{what}: p50 {statistics.median(milliseconds):.2f} ms, p99 {p99:.2f} ms, of {len(milliseconds)}")
    return p99


def main():
    built = sys.argv[1] if len(sys.argv) > 1 else "target/release"
    with tempfile.TemporaryDirectory() as room:
        sipwitch.SipWitch.take(built, room)
        environment = sipwitch.house(room, True, '\n[dial]\nfrom = "101"\n')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        os.makedirs(os.path.join(room, "services"))
        bridge = os.path.abspath(os.path.join(built, "telepathy-sipwitch"))
        with open(os.path.join(room, "services", MANAGER + ".service"), "w") as file:
            file.write(f"[D-BUS Service]\nName={MANAGER}\nExec={bridge}\n")
        program = sipwitch.SipWitch.program("sipwitchd")
        bus = activation.Bus(room, f"{program} --listen udp:127.0.0.1:{port}", environment)
        try:
            environment = environment | {"DBUS_SESSION_BUS_ADDRESS": bus.address}
            for number in ("101", "102"):
                subprocess.run([sipwitch.SipWitch.program("sipwitch"), "extensions", "add", number], check=True,
                               env=environment, timeout=30, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            phone, client = Phone(port), Client(bus.address)
            whole, last = [], []
            talks = []
            for _ in range(CALLS):
                one, begun, known, came = client.call(phone)
                talks.append(one)
                whole.append(came - begun)
                last.append(came - known)
            there = len(client.get(client.connection, "Connection.Interface.Requests", "Channels"))
            if there != CALLS:
                raise SystemExit(f"{there} channels are there, not {CALLS}")
            phone.answer()
            for one in talks:
                one.begin()
            near, far = [one.ear for one in talks], phone.ears
            seconds = talk(near + far)
            for one in talks:
                client.ask(one.path, "Channel", "Close")
            phone.part()
        finally:
            bus.stop()
    print(f"{CALLS} calls at once")
    show("CreateChannel to INVITE, with what the client asks in between", whole)
    is_late = show("codecs known to INVITE", last) > BUDGET_MS
    for who, ears in (("the client", near), ("the phone", far)):
        heard = [ear.heard for ear in ears]
        print(f"{who} heard {sum(heard)} of {len(ears) * PACKETS} packets in {seconds:.1f} s, in the worst call {min(heard)} of {PACKETS}")
    is_deaf = any(ear.heard < 0.9 * PACKETS for ear in near + far)
    if is_late or is_deaf:
        sys.exit(1)


if __name__ == "__main__":
    main()
