# SPDX-License-Identifier: GPL-3.0-or-later
"""Post-dial delay: from the caller's INVITE leaving one socket to the callee's INVITE reaching another.

The caller's instant is read just before the datagram is handed to the kernel, the callee's is the kernel's own mark
on arrival (SO_TIMESTAMPNS), so that this program's own slowness stays out of the figure. Calls arrive at random
(Poisson, seeded), as they do in life, not on a beat.
"""

import random
import re
import selectors
import socket
import struct
import time

# Linux; the socket module does not name it.
SO_TIMESTAMPNS = 35

INVITE = (
    "INVITE sip:{callee}@127.0.0.1:{to} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{id}\r\n"
    "From: <sip:{caller}@127.0.0.1>;tag=f{id}\r\nTo: <sip:{callee}@127.0.0.1>\r\n"
    "Call-ID: {id}@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:{caller}@127.0.0.1:{port}>\r\n"
    "Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
)
SDP = (
    "v=0\r\no={id} 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
LINE = re.compile(rb"(?mi)^(via|v|from|f|to|t|call-id|i|cseq|record-route|contact|m)\s*:[^\r\n]*")
ORIGIN = re.compile(rb"o=(\S+) ")


def fields(message):
    """The header lines of interest, by name, in order."""
    found = {}
    for match in LINE.finditer(message.partition(b"\r\n\r\n")[0]):
        name = match[1].lower()
        name = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id", b"m": b"contact"}.get(
            name, name)
        found.setdefault(name, []).append(match[0])
    return found


def value(line):
    """The value of a header line."""
    return line.partition(b":")[2].strip()


def answer(message, status, port, tag=b"", body=b""):
    """A response to `message`."""
    kept = fields(message)
    lines = [b"SIP/2.0 " + status, *kept.get(b"via", []), *kept.get(b"record-route", []),
             kept[b"from"][0], kept[b"to"][0] + tag, kept[b"call-id"][0], kept[b"cseq"][0],
             b"Contact: <sip:127.0.0.1:%d>" % port]
    if body:
        lines.append(b"Content-Type: application/sdp")
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def in_dialog(method, response, port, number):
    """The ACK or BYE that follows a 200."""
    kept = fields(response)
    target = re.search(rb"<([^>]+)>", kept[b"contact"][0])[1]
    routes = [b"Route: " + value(line) for line in reversed(kept.get(b"record-route", []))]
    call = value(kept[b"call-id"][0]).partition(b"@")[0]
    lines = [method + b" " + target + b" SIP/2.0",
             b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%s%s" % (port, method, call), *routes,
             kept[b"from"][0], kept[b"to"][0], kept[b"call-id"][0],
             b"CSeq: %d %s" % (number, method), b"Max-Forwards: 70", b"Content-Length: 0"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Prober:
    """Both ends of many short calls."""

    def __init__(self, target, caller_port, callee_port, pairs):
        self.target, self.pairs = ("127.0.0.1", target), pairs
        self.caller, self.callee = self.open(caller_port), self.open(callee_port)
        self.caller_port, self.callee_port = caller_port, callee_port
        self.sent, self.arrived, self.ended, self.refused = {}, {}, set(), {}
        self.round = 0

    @staticmethod
    def open(port):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        opened.bind(("127.0.0.1", port))
        opened.setblocking(False)
        return opened

    def close(self):
        """Closes both sockets."""
        self.caller.close()
        self.callee.close()

    def forget(self):
        """Begins anew, after a round that only warmed up."""
        for table in (self.sent, self.arrived, self.ended, self.refused):
            table.clear()

    def dial(self, number):
        caller, callee = self.pairs[number % len(self.pairs)]
        name = f"d{self.caller_port}r{self.round}x{number}"
        sdp = SDP.format(id=name)
        text = INVITE.format(
            callee=callee, caller=caller, to=self.target[1], port=self.caller_port, id=name,
            length=len(sdp), sdp=sdp).encode()
        self.sent[name.encode()] = time.clock_gettime_ns(time.CLOCK_REALTIME)
        self.caller.sendto(text, self.target)

    def hear(self, opened, handle):
        while True:
            try:
                message, ancillary, _, source = opened.recvmsg(65536, 128)
            except BlockingIOError:
                return
            mark = None
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", content[:16])
                    mark = seconds * 1_000_000_000 + nanoseconds
            handle(message, mark, source)

    def as_callee(self, message, mark, source):
        method = message.partition(b" ")[0]
        if method == b"INVITE":
            origin = ORIGIN.search(message)
            if origin and origin[1] in self.arrived:
                return  # a retransmission: the first answer is on its way
            if origin:
                self.arrived[origin[1]] = mark
            call = value(fields(message)[b"call-id"][0])[:24]
            tag = b";tag=a" + re.sub(rb"\W", b"", call)
            self.callee.sendto(answer(message, b"180 Ringing", self.callee_port, tag), source)
            body = SDP.format(id="callee").encode()
            self.callee.sendto(answer(message, b"200 OK", self.callee_port, tag, body), source)
        elif method == b"BYE":
            self.callee.sendto(answer(message, b"200 OK", self.callee_port), source)

    def as_caller(self, message, _mark, source):
        if not message.startswith(b"SIP/2.0 "):
            return
        status, kept = int(message[8:11]), fields(message)
        call = value(kept[b"call-id"][0]).partition(b"@")[0]
        if call not in self.sent:
            return  # a late word about a call of the round before
        method = kept[b"cseq"][0].rpartition(b" ")[2]
        if method == b"INVITE" and 200 <= status < 300:
            self.caller.sendto(in_dialog(b"ACK", message, self.caller_port, 1), self.target)
            self.caller.sendto(in_dialog(b"BYE", message, self.caller_port, 2), self.target)
        elif method == b"INVITE" and status >= 300:
            self.refused[call] = message[8:60].partition(b"\r\n")[0].decode(errors="replace")
        elif method == b"BYE" and status >= 200:
            self.ended.add(call)

    def run(self, rate, count, seed):
        """Places `count` calls and returns the delays in seconds, sorted, and how many calls failed."""
        chance, self.round = random.Random(seed), seed
        ready = selectors.DefaultSelector()
        ready.register(self.caller, selectors.EVENT_READ, self.as_caller)
        ready.register(self.callee, selectors.EVENT_READ, self.as_callee)
        due, number = time.monotonic() + 0.1, 0
        give_up = due + count / rate + 10
        while len(self.ended) + len(self.refused) < count and time.monotonic() < give_up:
            while number < count and due <= time.monotonic():
                self.dial(number)
                number += 1
                due += chance.expovariate(rate)
            patience = max(0.0, due - time.monotonic()) if number < count else 0.2
            for key, _ in ready.select(patience):
                self.hear(key.fileobj, key.data)
        ready.close()
        delays = sorted((self.arrived[name] - sent) / 1e9
                        for name, sent in self.sent.items() if name in self.arrived)
        return delays, count - len(self.ended)


def quantile(ordered, share):
    """The value below which `share` of the ordered values lie."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
