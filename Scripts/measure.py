#!/usr/bin/env python3
"""Runs a command and writes what it took to a file: `WALL CPU OTHERS MEMORY`.

    measure.py FILE COMMAND [ARGUMENT...]

Seconds by the clock; seconds of processor (user and system, with all that it started and waited for);
those that all the rest of the machine took meanwhile (`nan` where the system does not tell); and the
most memory that any one of these processes held, in KiB. Exits as the command does.
"""

import os
import sys
import time


def machine_cpu():
    """Seconds of processor since the machine started, of all programs, and those stolen from it."""
    try:
        with open("/proc/stat") as stat:
            user, nice, system, _, _, *rest = map(int, stat.readline().split()[1:9])
    except OSError:
        return float("nan")
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


before, start = machine_cpu(), time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
wall = time.monotonic() - start
after = machine_cpu()
memory = used.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
with open(sys.argv[1], "w") as figures:
    cpu = used.ru_utime + used.ru_stime
    figures.write(f"{wall:.3f} {cpu:.3f} {max(after - before - cpu, 0):.2f} {memory}\n")
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
