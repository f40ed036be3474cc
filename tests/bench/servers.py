# SPDX-License-Identifier: GPL-3.0-or-later
"""The two servers under measurement, started and stopped in the same way."""

import atexit
import glob
import os
import shutil
import socket
import subprocess
import time

import load
import proc

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

OPTIONS = (
    "OPTIONS sip:127.0.0.1:{to} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKstart{port}\r\n"
    "From: <sip:probe@127.0.0.1>;tag=probe\r\nTo: <sip:127.0.0.1:{to}>\r\n"
    "Call-ID: start-{port}@127.0.0.1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
    "Content-Length: 0\r\n\r\n"
)


class Server:
    """A server in a room of its own, on a port of its own."""

    name = None
    running = set()

    def __init__(self, room, users, trusting=True):
        self.room, self.users, self.trusting = os.path.join(room, self.name), users, trusting
        os.makedirs(self.room, exist_ok=True)
        self.port = load.free_port()
        self.process = None
        self.prepare()

    def prepare(self):
        """Writes what the server reads at its start."""
        raise NotImplementedError

    def command(self):
        """The command line and the environment."""
        raise NotImplementedError

    def start(self):
        """Starts it and returns the seconds until it has answered its first SIP request."""
        command, environment = self.command()
        with open(os.path.join(self.room, "log"), "ab") as log, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.connect(("127.0.0.1", self.port))
            probe.settimeout(0.0005)
            request = OPTIONS.format(to=self.port, port=probe.getsockname()[1]).encode()
            begun = time.perf_counter()
            self.process = subprocess.Popen(
                command, cwd=self.room, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
            self.running.add(self)
            while time.perf_counter() < begun + 10:
                try:
                    probe.send(request)
                    if probe.recv(4096).startswith(b"SIP/2.0"):
                        return time.perf_counter() - begun
                except ConnectionRefusedError:
                    time.sleep(0.0002)
                except TimeoutError:
                    pass
                if self.process.poll() is not None:
                    break
        code = self.process.poll()
        self.stop()
        raise load.LoadError(f"{self.name} did not start ({code=}): see {self.room}/log")

    def stop(self):
        """Ends it and waits until all of it has gone."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                for pid in proc.tree(self.process.pid):
                    os.kill(pid, 9)
                self.process.wait()
        self.process = None
        self.running.discard(self)

    def cpu(self):
        """Seconds of processor time used so far."""
        return proc.cpu(self.process.pid)

    def pss(self):
        """Bytes of memory."""
        return proc.pss(self.process.pid)

    def wakeups(self):
        """How often it was woken so far."""
        return proc.wakeups(self.process.pid)


@atexit.register
def stop_all():
    """However the measurement ends, it leaves no server behind."""
    for server in list(Server.running):
        server.stop()


class Kamailio(Server):
    """Debian's kamailio with its dialog module, all state in memory."""

    name = "kamailio"
    program = None

    @classmethod
    def take(cls, room):
        """Copies program and modules: memory shared with another kamailio would count for half."""
        cls.program = os.path.join(room, "kamailio-program")
        os.makedirs(cls.program)
        shutil.copy2(shutil.which("kamailio"), cls.program)
        modules = glob.glob("/usr/lib/*/kamailio/modules")[0]
        shutil.copytree(modules, os.path.join(cls.program, "modules"))

    def prepare(self):
        with open(os.path.join(HERE, "kamailio.cfg")) as file:
            text = file.read().replace("@PORT@", str(self.port))
        self.configuration = os.path.join(self.room, "kamailio.cfg")
        with open(self.configuration, "w") as file:
            file.write(text)

    def command(self):
        run = os.path.join(self.room, "run")
        os.makedirs(run, exist_ok=True)
        return [os.path.join(self.program, "kamailio"),
                "-L", os.path.join(self.program, "modules"), "-f", self.configuration, "-DD", "-E", "-m", "512", "-M", "16",
                "-Y", run], dict(os.environ)
