# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: a thousand of them after a start, and one after the network changed."""

import collections
import os
import shutil
import statistics
import subprocess
import time

import load
import provider
from sipwitch import SipWitch, house

CONFIGURATION = """
[accounts]
passwords = "file"
"""

ACCOUNT = """domain = "{address}"
title = "{user}"

[answers]
user = "{user}"

[server]
port = {port}
transports = ["udp"]
"""


class Household(SipWitch):
    """sipwitchd with accounts at one provider, their passwords in a file by explicit choice."""

    name = "sipwitch"

    def __init__(self, room, at, users, namespace=None, address="127.0.0.1"):
        self.provider, self.accounts = at, users
        self.namespace, self.address = namespace, address
        super().__init__(room, [])

    def prepare(self):
        self.environment = house(self.room, True, CONFIGURATION)
        state = os.path.join(self.environment["XDG_STATE_HOME"], "sipwitch")
        shutil.rmtree(state, ignore_errors=True)
        os.makedirs(state, mode=0o700)
        folder = os.path.join(self.environment["XDG_CONFIG_HOME"], "sipwitch", "accounts.d")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        rows = []
        for user in self.accounts:
            with open(os.path.join(folder, f"{user}.toml"), "w") as file:
                file.write(ACCOUNT.format(
                    user=user, address=self.provider.address, port=self.provider.port))
            rows.append(f'[passwords.{user}]\ndomain = "{self.provider.address}"\n'
                        f'password = "{provider.password(user)}"\n')
        passwords = os.path.join(state, "passwords.toml")
        with open(passwords, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.writelines(rows)

    def command(self):
        command, environment = super().command()
        command[-1] = f"udp:{self.address}:{self.port}"
        if self.namespace:
            command[:0] = ["ip", "netns", "exec", self.namespace]
        return command, environment

    def launch(self):
        """Starts it without waiting for an answer: everything counts from here."""
        command, environment = self.command()
        with open(os.path.join(self.room, "log"), "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.room, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        self.running.add(self)
        return time.monotonic()


def rows(room, count):
    """Seconds and processor time until all accounts are registered, and refreshes in the busiest second."""
    at = provider.Provider(expires=120)
    server = Household(os.path.join(room, "accounts"), at, [f"u{number}" for number in range(count)])
    try:
        begun = server.launch()
        if not at.serve(lambda: len({user for _, user, _ in at.granted}) == count, 120):
            raise load.LoadError(f"{len(at.granted)} of {count} accounts registered in 120 s")
        seconds, cpu = at.granted[-1][0] - begun, server.cpu()
        # Each is refreshed once before any could be refreshed twice.
        first = len(at.granted)
        refreshed = set()

        def all_refreshed():
            refreshed.update(user for _, user, _ in at.granted[first + len(refreshed):])
            return len(refreshed) == count

        if not at.serve(all_refreshed, 120):
            raise load.LoadError(f"{len(refreshed)} of {count} accounts refreshed in 120 s")
        busiest = max(collections.Counter(int(when) for when, _, _ in at.granted[first:]).values())
    finally:
        server.stop()
        at.close()
    name = SipWitch.name
    return {name: seconds}, {name: cpu}, {name: busiest}


def ip(*words):
    """ip(8), which must succeed."""
    subprocess.run(["ip", *words], check=True, timeout=20)


def network_change_row(room, times):
    """From an address being replaced by another to the registration from there, the median."""
    ours, theirs = f"bench-{os.getpid()}-a", f"bench-{os.getpid()}-b"
    taken = []
    try:
        for namespace, link, address in ((ours, "eth0", "10.99.0.1"), (theirs, "eth1", "10.99.0.2")):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
            if namespace == theirs:
                ip("-n", theirs, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", ours)
        for namespace, link, address in ((ours, "eth0", "10.99.0.1"), (theirs, "eth1", "10.99.0.2")):
            ip("-n", namespace, "address", "add", f"{address}/24", "dev", link)
            ip("-n", namespace, "link", "set", link, "up")
        at = provider.Provider("10.99.0.2", 600, theirs)
        server = Household(os.path.join(room, "moving"), at, ["u0"], ours)
        try:
            server.launch()
            if not at.serve(lambda: at.granted, 30):
                raise load.LoadError(f"no registration in a network of its own: see {server.room}/log")
            here = "10.99.0.1"
            for number in range(times):
                # Changes in quick succession are put off; that is not what is measured.
                at.serve(lambda: False, 5)
                new = f"10.99.0.{10 + number}"
                ip("-n", ours, "address", "delete", f"{here}/24", "dev", "eth0")
                ip("-n", ours, "address", "add", f"{new}/24", "dev", "eth0")
                begun = time.monotonic()
                if not at.serve(lambda: at.granted[-1][2][0] == new, 30):
                    raise load.LoadError(f"no registration from {new} in 30 s: see {server.room}/log")
                taken.append(at.granted[-1][0] - begun)
                here = new
        finally:
            server.stop()
            at.close()
    finally:
        for namespace in (ours, theirs):
            subprocess.run(["ip", "netns", "delete", namespace], check=False, timeout=20)
    return {SipWitch.name: statistics.median(taken)}
