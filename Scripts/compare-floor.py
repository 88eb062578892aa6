#!/usr/bin/env python3
"""Prints rows of a Markdown table: the floor that EngineFloor measured, and what index-pack is of it.

    compare-floor.py --header
    compare-floor.py LABEL THREADS FILE-OF-FLOOR FILE-OF-APUS FILE-OF-GIT

FILE-OF-FLOOR has what EngineFloor printed, once or more; the others have what measure.py wrote.
Medians, in seconds of processor where nothing else is said.
"""

import statistics
import sys

PARTS = ["inflate", "hash", "copy"]


def print_header():
    print(
        "| floor, with SHA-1 by | unpacked, GB | inflate, s | hash | copy | sum | sum / threads "
        "| wall of apus / that | of git | CPU of apus / sum | of git |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")


def floor(path):
    """Median CPU seconds of each part, and the bytes unpacked."""
    rounds = {part: [] for part in PARTS}
    unpacked = 0
    with open(path) as lines:
        for key, values in (line.rstrip("\n").split("=", 1) for line in lines):
            if key in rounds:
                rounds[key].append(float(values.split()[1]))
            elif key == "unpacked":
                unpacked = int(values)
    return [statistics.median(rounds[part]) for part in PARTS], unpacked


def wall_and_cpu(path):
    with open(path) as lines:
        figures = [[float(figure) for figure in line.split()] for line in lines]
    return [statistics.median(column) for column in list(zip(*figures))[:2]]


def times(figure, base):
    return f"{figure / base:.2f}" if base else "-"


def print_row(label, threads, floor_path, *programs):
    parts, unpacked = floor(floor_path)
    total = sum(parts)
    measured = [wall_and_cpu(path) for path in programs]
    cells = [label, f"{unpacked / 1e9:.2f}", *(f"{part:.2f}" for part in parts)]
    cells += [f"{total:.2f}", f"{total / int(threads):.2f}"]
    cells += [times(wall * int(threads), total) for wall, _ in measured]
    cells += [times(cpu, total) for _, cpu in measured]
    print("| " + " | ".join(cells) + " |")


match sys.argv[1:]:
    case ["--header"]:
        print_header()
    case [label, threads, floor_path, apus, git]:
        print_row(label, threads, floor_path, apus, git)
    case _:
        sys.exit(__doc__)
