#!/usr/bin/env python3
"""Prints what measure.py wrote of two programs side by side: medians, and their ratio.

    compare-figures.py FILE-OF-APUS FILE-OF-GIT               a table to look at
    compare-figures.py --row LABEL FILE-OF-APUS FILE-OF-GIT   a row of a Markdown table
    compare-figures.py --header                               the head of that table

In a row, the ratio by the clock is followed by the least and the greatest of any one round. The last
two columns are the CPU that the rest of the machine took meanwhile: a server's, or a disturbance.
"""

import statistics
import sys

MEASURES = ["wall, s", "CPU, s", "memory, MiB"]


def columns(path):
    with open(path) as lines:
        rounds = [[float(figure) for figure in line.split()] for line in lines]
    wall, cpu, others, memory = zip(*rounds)
    return [wall, cpu, [kibibytes / 1024 for kibibytes in memory], others]


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if theirs else "-"


def print_table(apus, git):
    print(f"{'':14}{'apus':>10}{'git':>10}{'apus/git':>10}{'apus least':>12}{'git least':>11}")
    for label, ours, theirs in zip(MEASURES, apus, git):
        digits = 0 if label.startswith("memory") else 2
        median, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"{label:14}{median:>10.{digits}f}{other:>10.{digits}f}{ratio(median, other):>10}"
            f"{min(ours):>12.{digits}f}{min(theirs):>11.{digits}f}"
        )


def print_header():
    print(
        "| | wall, s: apus | git | ratio | CPU, s: apus | git | ratio | memory, MiB: apus | git "
        "| others' CPU, s: apus | git |"
    )
    print("|---" + "|--:" * 10 + "|")


def print_row(label, apus, git):
    ours, theirs = ([statistics.median(figures) for figures in who] for who in (apus, git))
    rounds = [a / b for a, b in zip(apus[0], git[0]) if b]
    spread = f" ({min(rounds):.2f}–{max(rounds):.2f})" if rounds else ""
    cells = [label, f"{ours[0]:.2f}", f"{theirs[0]:.2f}", ratio(ours[0], theirs[0]) + spread]
    cells += [f"{ours[1]:.2f}", f"{theirs[1]:.2f}", ratio(ours[1], theirs[1])]
    cells += [f"{ours[2]:.0f}", f"{theirs[2]:.0f}", f"{ours[3]:.1f}", f"{theirs[3]:.1f}"]
    print("| " + " | ".join(cells) + " |")


match sys.argv[1:]:
    case ["--header"]:
        print_header()
    case ["--row", label, apus, git]:
        print_row(label, columns(apus), columns(git))
    case [apus, git]:
        print_table(columns(apus), columns(git))
    case _:
        sys.exit(__doc__)
