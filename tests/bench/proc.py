# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc says about a process and all that it started."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def tree(root):
    """The ids of a process and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat(int(entry))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left.extend(children.get(pid, []))
    return found


def stat(pid):
    """The fields of /proc/PID/stat after the name, which may hold anything; none if it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu(root):
    """Seconds of processor time that the tree has used, with its children that have ended."""
    total = 0
    for pid in tree(root):
        fields = stat(pid)
        if fields:
            total += sum(int(field) for field in fields[11:15])
    return total / TICK


def pss(root):
    """Bytes of memory of the tree, shared pages counted in proportion."""
    total = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                for line in file:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def wakeups(root):
    """How often the tree has gone to sleep, that is, how often something woke it."""
    total = 0
    for pid in tree(root):
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/status") as file:
                    for line in file:
                        if line.startswith("voluntary_ctxt_switches:"):
                            total += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total
