# SPDX-License-Identifier: GPL-3.0-or-later
"""Load by SIPp: many phones behind one socket."""

import atexit
import csv
import os
import socket
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


class LoadError(Exception):
    """SIPp did not do what it was asked to."""


def free_port():
    """A UDP port of loopback that nobody has at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def injection(room, name, rows):
    """A file of SIPp's with the fields of each call."""
    path = os.path.join(room, name)
    with open(path, "w") as file:
        file.write("SEQUENTIAL\n")
        file.writelines(";".join(row) + "\n" for row in rows)
    return path


class Sipp:
    """One SIPp, started at once."""

    running = set()

    def __init__(self, room, scenario, port, *arguments):
        self.statistics = os.path.join(room, f"{scenario}-{port}.csv")
        self.errors = os.path.join(room, f"{scenario}-{port}.err")
        for path in (self.statistics, self.errors):
            if os.path.exists(path):
                os.remove(path)
        command = [
            "sipp", "-sf", os.path.join(HERE, "scenarios", f"{scenario}.xml"),
            "-i", "127.0.0.1", "-p", str(port), "-nostdin",
            "-trace_stat", "-stf", self.statistics, "-fd", "1",
            "-trace_err", "-error_file", self.errors,
            "-buff_size", "1048576", *map(str, arguments),
        ]
        self.process = subprocess.Popen(
            command, cwd=room, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.running.add(self)

    def wait(self, seconds):
        """Waits for its end and returns the counters of its last line."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise LoadError(f"SIPp did not end in {seconds} s: {self.complaint()}") from None
        return self.counters()

    def counters(self):
        """The counters of its last line of statistics."""
        try:
            with open(self.statistics, newline="") as file:
                rows = list(csv.DictReader(file, delimiter=";"))
            last = rows[-1]
            return {
                "done": int(last["SuccessfulCall(C)"]),
                "failed": int(last["FailedCall(C)"]),
                "current": int(last["CurrentCall"]),
                "retransmitted": int(last["Retransmissions(C)"]),
            }
        except (FileNotFoundError, IndexError, KeyError) as error:
            raise LoadError(f"no statistics of SIPp ({error}): {self.complaint()}") from None

    def complaint(self):
        """The first lines of what it complained about."""
        try:
            with open(self.errors, errors="replace") as file:
                return file.read(600)
        except FileNotFoundError:
            return "it said nothing"

    def stop(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.running.discard(self)


@atexit.register
def stop_all():
    """However the measurement ends, it leaves no load behind."""
    for sipp in list(Sipp.running):
        sipp.stop()


def register(room, target, users, contact_port, rate, port=None):
    """Registers `users` at `target`, each with a contact at `contact_port`; returns the counters."""
    port = port or free_port()
    rows = [
        (user, f"[authentication username={user} password=secret-{user}]", str(contact_port))
        for user in users
    ]
    path = injection(room, "users.csv", rows)
    sipp = Sipp(room, "register", port, "-inf", path, "-r", rate, "-m", len(rows),
                "-l", 4 * rate + 100, f"127.0.0.1:{target}")
    counters = sipp.wait(60 + 3 * len(rows) / rate)
    if counters["failed"] or counters["done"] != len(rows):
        raise LoadError(f"{counters} of {len(rows)} registrations: {sipp.complaint()}")
    return counters


class Calls:
    """Callers behind one socket that call callees behind another."""

    def __init__(self, room, server, houses=100):
        """Registers both halves of `houses` pairs of phones."""
        self.room, self.server = room, server
        self.caller_port, self.callee_port = free_port(), free_port()
        self.callers, self.callees = server.users[:houses], server.users[houses:2 * houses]
        register(room, server.port, self.callers, self.caller_port, 100, port=self.caller_port)
        register(room, server.port, self.callees, self.callee_port, 100, port=self.callee_port)
        self.path = injection(room, "calls.csv", zip(self.callers, self.callees))

    def start(self, rate, count, talk_ms):
        """Starts the callee, then the caller."""
        self.callee = Sipp(self.room, "callee", self.callee_port, "-l", count + 1000)
        self.caller = Sipp(
            self.room, "caller", self.caller_port, "-inf", self.path, "-r", rate, "-m", count,
            "-l", count + 1000, "-d", talk_ms, f"127.0.0.1:{self.server.port}")

    def finish(self, seconds):
        """Waits for the caller's end, ends the callee, and returns the caller's counters."""
        try:
            return self.caller.wait(seconds)
        finally:
            self.callee.stop()

    def stop(self):
        """Ends both."""
        self.caller.stop()
        self.callee.stop()
