#!/usr/bin/env python3
"""Makes a bare repository with one commit of many files, the same everywhere.

    many-files.py DIRECTORY [FILES]

50,000 files unless said otherwise, 20 to a directory, three directories deep, of 0 to 20 KB with 6.7 KB
on average (the square of an even spread: many small ones). The content is lines of words. One file in
three is the one before it with a line changed, so that the pack has deltas as a real one has.
"""

import random
import subprocess
import sys

LARGEST = 20_000
chance = random.Random(50_000)


def word():
    return "".join(chance.choices("etaoinshrdlcumwfgypbvk", k=chance.randint(2, 11)))


def text(size):
    """Lines of words, `size` bytes at least."""
    words = [word() for _ in range(4000)]
    lines, length = [], 0
    while length < size:
        line = "    " * chance.randint(0, 3) + " ".join(chance.choices(words, k=chance.randint(1, 12)))
        lines.append(line + "\n")
        length += len(lines[-1])
    return "".join(lines).encode()


TEXT = text(8 << 20)


def content(before, position):
    if position % 3 == 2 and len(before) > 100:
        middle = before.find(b"\n", len(before) // 2) + 1
        return before[:middle] + b"changed in %d\n" % position + before[middle:]
    size = int(chance.random() ** 2 * LARGEST)
    start = chance.randrange(len(TEXT) - LARGEST)
    return TEXT[start : start + size]


def path(position, names):
    leaf = position // 20
    top, middle = leaf // 100, leaf // 10 % 10
    return f"{names[top % 50]}{top}/{names[middle]}/{names[leaf % 10]}{leaf}/{names[position % 50]}{position}.txt"


def commands(count):
    yield b"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 0\n"
    names = [word() for _ in range(50)]
    before = b""
    for position in range(count):
        before = content(before, position)
        yield b"M 100644 inline %s\ndata %d\n" % (path(position, names).encode(), len(before))
        yield before + b"\n"
    yield b"done\n"


directory, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
subprocess.run(["git", "init", "-q", "--bare", "-b", "main", directory], check=True)
importer = subprocess.Popen(
    ["git", "-C", directory, "fast-import", "--quiet", "--done"], stdin=subprocess.PIPE
)
for command in commands(count):
    importer.stdin.write(command)
importer.stdin.close()
sys.exit(importer.wait())
