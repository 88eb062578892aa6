#!/usr/bin/env python3
"""Runs a command and writes what it took to a file: `WALL CPU MEMORY`.

    measure.py FILE COMMAND [ARGUMENT...]

Seconds by the clock, seconds of processor (user and system, with all that it started and waited
for), and the most memory that any one of these processes held, in KiB. Exits as the command does.
"""

import os
import resource
import sys
import time

start = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status = os.waitpid(child, 0)
wall = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
memory = used.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
with open(sys.argv[1], "w") as figures:
    figures.write(f"{wall:.3f} {used.ru_utime + used.ru_stime:.3f} {memory}\n")
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
