# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own server, as `make build` left it."""

import os
import shutil
import statistics
import subprocess
import time

import activation
import load
import proc
import servers

# What a server of a busy house would set; everything else is as shipped.
CONFIGURATION = """
[registrar]
phones = 20000
trust-own-loopback = {trusting}
# SIPp knows no other.
digest-algorithms = ["MD5"]

[calls]
calls = 20000

[limits]
requests-per-second = 100000
request-burst = 100000

[history]
keep = 1000

[log]
level = "warn"
target = "stderr"
"""


def house(room, trusting=True, more=""):
    """The environment of a session of its own below `room`, with a configuration.

    Calls are made as the user's own phones make them, without a password; registrations are
    measured with one. `more` is what else the configuration says.
    """
    # In no country: the locale of whoever measures would make emergency numbers of extensions.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    for name in ("CONFIG", "STATE", "RUNTIME", "DATA", "CACHE"):
        variable = "XDG_RUNTIME_DIR" if name == "RUNTIME" else f"XDG_{name}_HOME"
        environment[variable] = os.path.join(room, name.lower())
        os.makedirs(environment[variable], mode=0o700, exist_ok=True)
    environment["HOME"] = room
    folder = os.path.join(environment["XDG_CONFIG_HOME"], "sipwitch")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.toml"), "w") as file:
        file.write(CONFIGURATION.format(trusting=str(trusting).lower()) + more)
    return environment


class SipWitch(servers.Server):
    """sipwitchd without a bus, its state in SQLite as always."""

    name = "sipwitch"
    programs = None
    seeded = None

    @classmethod
    def take(cls, built, room):
        """Copies the programs, so that a build meanwhile changes nothing."""
        cls.programs = os.path.join(room, "programs")
        os.makedirs(cls.programs)
        for program in ("sipwitch", "sipwitchd", "telepathy-sipwitch"):
            try:
                shutil.copy2(os.path.join(built, program), cls.programs)
            except FileNotFoundError as error:
                raise load.LoadError(f"{error}: run make build first") from None

    @classmethod
    def program(cls, name):
        """The path of one of our programs."""
        return os.path.join(cls.programs, name)

    @classmethod
    def seed(cls, room, users):
        """Makes the extensions once, as a user would: a table imported over the bus."""
        cls.seeded = os.path.join(room, "seed")
        environment = house(cls.seeded)
        bus = activation.Bus(cls.seeded, cls.program("sipwitchd"), environment)
        try:
            environment = environment | {"DBUS_SESSION_BUS_ADDRESS": bus.address}
            for start in range(0, len(users), 5000):
                table = os.path.join(cls.seeded, "extensions.csv")
                with open(table, "w") as file:
                    file.write("number,password\n")
                    file.writelines(
                        f"{user},secret-{user}\n" for user in users[start:start + 5000])
                subprocess.run(
                    [cls.program("sipwitch"), "extensions", "import", table], check=True,
                    env=environment, timeout=120, stdout=subprocess.DEVNULL)
            _, pid = activation.activate(bus)
            os.kill(pid, 15)
            gone(pid)
        finally:
            bus.stop()

    def prepare(self):
        self.environment = house(self.room, self.trusting)
        state = os.path.join(self.environment["XDG_STATE_HOME"], "sipwitch")
        shutil.rmtree(state, ignore_errors=True)
        if self.users:
            shutil.copytree(os.path.join(self.seeded, "state", "sipwitch"), state)

    def command(self):
        configuration = os.path.join(self.environment["XDG_CONFIG_HOME"], "sipwitch", "config.toml")
        return [self.program("sipwitchd"), "--bus", "none", "--config", configuration,
                "--listen", f"udp:127.0.0.1:{self.port}"], self.environment


def gone(pid, seconds=20):
    """Waits until a process that is not our child has gone."""
    give_up = time.monotonic() + seconds
    while proc.stat(pid) and proc.stat(pid)[0] != "Z":
        if time.monotonic() > give_up:
            raise load.LoadError(f"sipwitchd ({pid}) did not end {seconds} s after SIGTERM")
        time.sleep(0.005)


def activation_rows(room, plan):
    """From the first request for our name to its owner, the median; and the owner's idle memory."""
    own = os.path.join(room, "activation")
    environment = house(own)
    bus = activation.Bus(own, SipWitch.program("sipwitchd"), environment)
    taken = []
    try:
        for _ in range(plan.starts):
            seconds, pid = activation.activate(bus)
            taken.append(seconds)
            if len(taken) == plan.starts:
                time.sleep(3)
                memory = proc.pss(pid)
            os.kill(pid, 15)
            gone(pid)
    finally:
        bus.stop()
    return {SipWitch.name: statistics.median(taken)}, {SipWitch.name: memory}
