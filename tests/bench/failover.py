# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dead first server of a domain costs a call: from the caller's INVITE to the second server's.

The domains, their name server, the servers and the caller are all played here. Each call goes to a domain and a first
server of its own, since servers that failed are remembered.
"""

import contextlib
import itertools
import selectors
import socket
import statistics
import struct
import time

import load
import provider
from sipwitch import SipWitch, house

A, SRV = 1, 33

INVITE = (
    "INVITE sip:x@{domain} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{id}\r\n"
    "From: <sip:101@127.0.0.1>;tag=f{id}\r\nTo: <sip:x@{domain}>\r\n"
    "Call-ID: {id}@127.0.0.1\r\nCSeq: 1 {method}\r\nContact: <sip:101@127.0.0.1:{port}>\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def name_bytes(name):
    """A domain name on the wire."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class Names:
    """A name server for domains tN.example, each with two servers."""

    def __init__(self, port, second):
        self.socket = provider.open_socket("127.0.0.1")
        self.port, self.second = port, second

    def records(self, name, kind):
        """The data of the records of a name."""
        labels = name.lower().split(".")
        # Domains t0, t1, … are served by UDP, domains s0, s1, … by streams.
        service = {"t": "_udp", "s": "_tcp"}
        if kind == SRV and len(labels) == 4 and labels[0] == "_sip" and labels[1] == service.get(labels[2][:1]):
            number = labels[2][1:]
            return [struct.pack("!HHH", priority, 1, self.port) + name_bytes(f"{server}{number}.example")
                    for priority, server in ((1, "a"), (2, "b"))]
        if kind == A and len(labels) == 2 and labels[0][:1] in ("a", "b"):
            address = first_address(int(labels[0][1:])) if labels[0][0] == "a" else self.second
            return [socket.inet_aton(address)]
        return []

    def hear(self):
        """Answers one question."""
        query, source = self.socket.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        found = self.records(".".join(labels), kind)
        head = query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for data in found)
        self.socket.sendto(head + query[12:at + 5] + body, source)


def first_address(number):
    """Where the first server of a domain is, or is not."""
    return f"127.99.{number // 200}.{1 + number % 200}"


class Callers:
    """Calls to one domain after another."""

    def __init__(self, server, listener):
        self.target, self.listener = ("127.0.0.1", server.port), listener
        self.caller = provider.open_socket("127.0.0.1")
        self.port = self.caller.getsockname()[1]

    def call(self, domain, number, first, second, names):
        """The seconds from the caller's INVITE to its arrival at the second server."""
        words = {"domain": f"{domain}{number}.example", "id": f"failover{number}", "port": self.port}
        arrived, stream = None, None
        with contextlib.ExitStack() as opened_here, selectors.DefaultSelector() as ready:
            for opened in filter(None, (self.caller, first, second, names.socket, self.listener)):
                ready.register(opened, selectors.EVENT_READ)
            begun = time.monotonic()
            self.caller.sendto(INVITE.format(method="INVITE", **words).encode(), self.target)
            while time.monotonic() < begun + 30:
                for key, _ in ready.select(0.5):
                    if key.fileobj is names.socket:
                        names.hear()
                        continue
                    if key.fileobj is self.listener:
                        stream = opened_here.enter_context(self.listener.accept()[0])
                        ready.register(stream, selectors.EVENT_READ)
                        continue
                    if key.fileobj is stream:
                        text = stream.recv(65536).decode(errors="replace")
                        if text.startswith("INVITE "):
                            arrived = arrived or time.monotonic()
                            stream.sendall(provider.answer(text, "486 Busy Here"))
                        elif not text:
                            ready.unregister(stream)
                        continue
                    text, source = key.fileobj.recvfrom(65536)
                    text = text.decode(errors="replace")
                    if key.fileobj is second and text.startswith("INVITE "):
                        arrived = arrived or time.monotonic()
                        second.sendto(provider.answer(text, "486 Busy Here"), source)
                    elif key.fileobj is first and self.refuses and text.startswith("INVITE "):
                        first.sendto(provider.answer(text, "503 Service Unavailable"), source)
                    elif key.fileobj is self.caller and text.startswith("SIP/2.0 "):
                        if int(text[8:11]) >= 300:
                            self.acknowledge(text, words)
                            if arrived is None:
                                raise load.LoadError(f"the call ended without the second: {text[:60]!r}")
                            return arrived - begun
        raise load.LoadError("a call did not end in 30 s")

    refuses = False

    def acknowledge(self, refusal, words):
        """The ACK of a refusal."""
        text = INVITE.format(method="ACK", **words).replace("INVITE ", "ACK ", 1)
        own = f"To: <sip:x@{words['domain']}>"
        text = text.replace(own, f"To: {provider.fields(refusal)['to']}")
        self.caller.sendto(text.encode(), self.target)


def rows(room, plan):
    """What is added by a first server that is silent, whose port is closed (TCP), and that refuses; medians."""
    second = provider.open_socket("127.98.0.1")
    port = second.getsockname()[1]
    listener = socket.create_server(("127.98.0.1", port))
    names = Names(port, "127.98.0.1")
    server = SipWitch(room, [])
    server.environment = house(
        server.room, True, f'\n[names]\nservers = ["127.0.0.1:{names.socket.getsockname()[1]}"]\n')
    medians = {}
    numbers = itertools.count()
    server.start()
    try:
        callers = Callers(server, listener)
        for kind, times in ("usual", plan.quick_calls), ("silent", plan.slow_calls), \
                ("refuses", plan.quick_calls), ("closed", plan.quick_calls):
            callers.refuses = kind == "refuses"
            taken = []
            for _ in range(times):
                number = next(numbers)
                if kind == "closed":
                    taken.append(callers.call("s", number, None, second, names))
                    continue
                with provider.open_socket(first_address(number), port) as first:
                    if kind == "usual":
                        # The same way to a domain whose first server is the one that answers.
                        taken.append(callers.call("t", number, None, first, names))
                    else:
                        taken.append(callers.call("t", number, first, second, names))
            medians[kind] = statistics.median(taken)
        callers.caller.close()
    finally:
        server.stop()
        for opened in (names.socket, second, listener):
            opened.close()
    usual = medians.pop("usual")
    return [{SipWitch.name: medians[kind] - usual} for kind in ("silent", "closed", "refuses")]
