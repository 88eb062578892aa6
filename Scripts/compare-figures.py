#!/usr/bin/env python3
"""Prints what measure.py wrote of two programs side by side: median, least, and their ratio.

    compare-figures.py FILE-OF-APUS FILE-OF-GIT
"""

import statistics
import sys


def columns(path):
    with open(path) as lines:
        return list(zip(*[[float(figure) for figure in line.split()] for line in lines]))


apus, git = (columns(path) for path in sys.argv[1:3])
print(f"{'':14}{'apus':>10}{'git':>10}{'apus/git':>10}{'apus least':>12}{'git least':>11}")
for row, label in enumerate(["wall, s", "CPU, s", "memory, MiB"]):
    scale = 1024 if row == 2 else 1
    digits = 0 if row == 2 else 2
    ours, theirs = statistics.median(apus[row]) / scale, statistics.median(git[row]) / scale
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    print(
        f"{label:14}{ours:>10.{digits}f}{theirs:>10.{digits}f}{ratio:>10}"
        f"{min(apus[row]) / scale:>12.{digits}f}{min(git[row]) / scale:>11.{digits}f}"
    )
