# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider of many accounts, small enough to stay out of the figures: it asks for each password and checks it."""

import ctypes
import hashlib
import os
import re
import selectors
import socket
import time

REALM = "bench"
CLONE_NEWNET = 0x40000000
FIELD = re.compile(r"(?mi)^(via|from|to|call-id|cseq|contact|authorization|expires)\s*:\s*([^\r\n]*)")
PART = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]+))')


def password(user):
    """The password of a user."""
    return f"secret-{user}"


def fields(text):
    """The header fields of interest, by lower-case name; those that come more than once joined by line ends."""
    found = {}
    for name, value in FIELD.findall(text.partition("\r\n\r\n")[0]):
        name = name.lower()
        found[name] = f"{found[name]}\r\n{name}: {value}" if name in found else value
    return found


def answer(request, status, more=()):
    """A response to a request."""
    kept = fields(request)
    tag = "" if ";tag=" in kept["to"] else ";tag=bench"
    lines = [f"SIP/2.0 {status}", f"Via: {kept['via']}", f"From: {kept['from']}", f"To: {kept['to']}{tag}",
             f"Call-ID: {kept['call-id']}", f"CSeq: {kept['cseq']}", *more, "Content-Length: 0"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def open_socket(address, port=0, namespace=None):
    """A UDP socket, in a network namespace of that name if one is given."""
    if namespace is None:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    else:
        # A socket stays in the network in which it was opened.
        library = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net") as here, open(f"/run/netns/{namespace}") as there:
            if library.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"enter the network {namespace} (as root?)")
            try:
                opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            finally:
                library.setns(here.fileno(), CLONE_NEWNET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind((address, port))
    opened.setblocking(False)
    return opened


class Provider:
    """A registrar that grants registrations for a time."""

    def __init__(self, address="127.0.0.1", expires=120, namespace=None):
        self.socket = open_socket(address, 0, namespace)
        self.address, self.port = self.socket.getsockname()
        self.expires = expires
        self.granted = []  # (when, user, from where), in order
        self.asked = 0

    def close(self):
        """Is heard of no more."""
        self.socket.close()

    def serve(self, until, seconds):
        """Answers until `until()` or so many seconds have gone; tells which came first."""
        give_up = time.monotonic() + seconds
        with selectors.DefaultSelector() as ready:
            ready.register(self.socket, selectors.EVENT_READ)
            while not until():
                left = give_up - time.monotonic()
                if left <= 0:
                    return False
                if ready.select(min(left, 0.2)):
                    self.hear()
        return True

    def hear(self):
        """Answers what is there."""
        while True:
            try:
                message, source = self.socket.recvfrom(65536)
            except BlockingIOError:
                return
            text = message.decode(errors="replace")
            if text.startswith("REGISTER "):
                self.asked += 1
                self.socket.sendto(self.registered(text, source), source)
            elif text.startswith(("OPTIONS ", "BYE ", "CANCEL ")):
                self.socket.sendto(answer(text, "200 OK"), source)

    def registered(self, request, source):
        kept = fields(request)
        user = self.proven(kept.get("authorization", ""))
        if user is None:
            challenge = f'Digest realm="{REALM}", nonce="{os.urandom(12).hex()}", algorithm=MD5, qop="auth"'
            return answer(request, "401 Unauthorized", [f"WWW-Authenticate: {challenge}"])
        # With a new address the old one is taken back in the same request.
        contacts = [contact for contact in re.split(r"\r\ncontact: |,\s*(?=<)", kept.get("contact", ""))
                    if contact and ";expires=0" not in contact]
        if not contacts or kept.get("expires") == "0":
            return answer(request, "200 OK")
        self.granted.append((time.monotonic(), user, source))
        return answer(request, "200 OK", [
            f"Contact: {re.sub(r';expires=[0-9]+', '', contact)};expires={self.expires}" for contact in contacts])

    @staticmethod
    def proven(credentials):
        """The user whose password the credentials prove (RFC 2617 with qop)."""
        said = {name: quoted or plain for name, quoted, plain in PART.findall(credentials)}
        if "response" not in said:
            return None

        def digest(*parts):
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        user = said["username"]
        first, second = digest(user, said["realm"], password(user)), digest("REGISTER", said["uri"])
        wanted = digest(first, said["nonce"], said["nc"], said["cnonce"], said["qop"], second)
        return user if said["response"] == wanted else None
