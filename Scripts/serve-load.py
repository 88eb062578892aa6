#!/usr/bin/env python3
"""Measures two Git servers side by side, each request answered by both in turn.

    serve-load.py [--apus PROGRAM] ROUNDS NAME DIRECTORY ROW... -- LABEL=URL=PID LABEL=URL=PID
    serve-load.py --request KIND DIRECTORY      prints the request of such a row

For the repository DIRECTORY, served at both URLs by the processes PID and all that they start, each ROW is
sent ROUNDS times to each server and the answers are drained by curl:

    full:N       everything, N clients at once
    depth:N      the newest commit of HEAD, as clone --depth 1 asks for it
    blobless:N   everything without blobs
    fetch:N      the last 100 commits of HEAD, as who has those before asks for them
    refs:N       info/refs in version 0
    first        everything, but only up to the first byte of the pack, when the client hangs up
    ls-refs      requests a second that wrk gets answered, with keep-alive
    clone:N      git clone --bare, N at once
    apus-clone:N the same with `PROGRAM clone --bare` (apus)

A server with the label `file` is a web server: it is asked for the file at its URL, whatever the row.

Prints a row of a Markdown table for each: medians of the seconds by the clock and of the servers' processor
seconds, with the ratios of first to second; the most resident memory of the servers.
"""

import concurrent.futures
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


def pkt(text):
    data = text.encode() if isinstance(text, str) else text
    return f"{len(data) + 4:04x}".encode() + data


def git(directory, *arguments):
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", directory, *arguments], check=True,
        capture_output=True, text=True).stdout


def request(tips, arguments):
    """A fetch in version 2 of `tips`, with `arguments` besides."""
    body = pkt("command=fetch\n") + pkt("agent=git/2.39.5\n") + pkt("object-format=sha1") + b"0001"
    body += pkt("thin-pack\n") + pkt("no-progress\n") + pkt("ofs-delta\n")
    for line in arguments:
        body += pkt(line)
    for tip in tips:
        body += pkt(f"want {tip}\n")
    return body + pkt("done\n") + b"0000"


def family(root):
    """A process and all that it has started, directly or not."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append((int(entry), fields))
            if int(entry) == root:
                own = fields
    found, rest = [(root, own)], [root]
    while rest:
        for pid, fields in children.get(rest.pop(), []):
            found.append((pid, fields))
            rest.append(pid)
    return found


class Account:
    """Counts the processor seconds of a process and of all that it starts, in a control group of their own.

    fcgiwrap has the system bury its children, whose seconds then are nobody's: without a control group,
    which only root may make, they are not counted, and the row says so.
    """

    places = [("/sys/fs/cgroup/cpuacct", "cpuacct.usage", lambda text: int(text) / 1e9),
              ("/sys/fs/cgroup", "cpu.stat", lambda text: int(text.split()[1]) / 1e6)]

    def __init__(self, root):
        self.root, self.folder = root, None
        for parent, name, read in self.places:
            folder = f"{parent}/apus-load-{root}"
            try:
                os.mkdir(folder)
                self.move(folder)
                with open(f"{folder}/{name}"):
                    self.parent, self.folder, self.name, self.read = parent, folder, name, read
                    return
            except OSError:
                if os.path.isdir(folder):
                    os.rmdir(folder)
        print(f"serve-load: no control group for process {root}: see Account", file=sys.stderr)

    def move(self, folder):
        for pid, _ in family(self.root):
            with open(f"{folder}/cgroup.procs", "w") as processes:
                processes.write(str(pid))

    def seconds(self):
        if self.folder:
            with open(f"{self.folder}/{self.name}") as usage:
                return self.read(usage.read())
        return sum(sum(map(int, fields[11:15])) for _, fields in family(self.root)) / TICK

    def close(self):
        if self.folder:
            self.move(self.parent)
            os.rmdir(self.folder)


def resident(root):
    return sum(int(fields[21]) for _, fields in family(root)) * PAGE


class Peak(threading.Thread):
    """The most memory that a family of processes held, looked at every 50 ms."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.most, self.ended = root, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            self.most = max(self.most, resident(self.root))


def drain(url, body, count):
    """Has curl take the answer, which has to be one, so many times at once."""
    command = ["curl", "-sS", "-f", "-A", "git/2.39.5", "-w", "%{size_download}\\n", "--parallel",
               "--parallel-immediate", "--parallel-max", str(count)]
    if body:
        kind = "application/x-git-upload-pack-request"
        command += ["-H", f"Content-Type: {kind}", "-H", "Git-Protocol: version=2",
                    "-H", "Expect:", "--data-binary", f"@{body}"]
    command += ["-o", "/dev/null", url] * count
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if len(said) != count or min(map(int, said)) < 100:
        sys.exit(f"serve-load: {url} answered {said} bytes")


def first_byte(url, body):
    """Takes the answer up to the first byte of the pack."""
    place = urllib.parse.urlsplit(url)
    with socket.create_connection((place.hostname, place.port)) as connection, open(body, "rb") as file:
        text = file.read()
        connection.sendall(
            f"POST {place.path}/git-upload-pack HTTP/1.1\r\nHost: {place.netloc}\r\n"
            "Content-Type: application/x-git-upload-pack-request\r\nGit-Protocol: version=2\r\n"
            f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
        answer = b""
        while b"PACK" not in answer:
            piece = connection.recv(1 << 16)
            if not piece:
                sys.exit(f"serve-load: {url} answered {answer[:200]}")
            answer += piece


def clone(client, url, folder):
    subprocess.run([client, "clone", "-q", "--bare", url, folder], check=True)
    shutil.rmtree(folder)


def once(row, label, url, clients, bodies, scratch):
    """Does one row."""
    kind, _, count = row.partition(":")
    count = int(count or 1)
    if label == "file":
        drain(url, None, count)
    elif kind == "refs":
        drain(f"{url}/info/refs?service=git-upload-pack", None, count)
    elif kind == "first":
        first_byte(url, bodies["full"])
    elif kind in clients:
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            for job in [pool.submit(clone, clients[kind], url, f"{scratch}/clone{i}")
                        for i in range(count)]:
                job.result()
    else:
        drain(f"{url}/git-upload-pack", bodies[kind], count)


def requests_a_second(url, scratch):
    body = (pkt("command=ls-refs\n") + pkt("agent=git/2.39.5\n") + pkt("object-format=sha1") + b"0001"
            + pkt("peel\n") + pkt("symrefs\n") + pkt("ref-prefix refs/heads/\n") + b"0000")
    script = f"{scratch}/ls-refs.lua"
    with open(script, "w") as file:
        text = body.decode().replace("\n", "\\n")
        file.write(
            f'wrk.method = "POST"\nwrk.body = "{text}"\n'
            'wrk.headers["Content-Type"] = "application/x-git-upload-pack-request"\n'
            'wrk.headers["Git-Protocol"] = "version=2"\n')
    said = subprocess.run(
        ["wrk", "-t1", "-c16", "-d5", "-s", script, f"{url}/git-upload-pack"], check=True,
        capture_output=True, text=True).stdout
    if "Non-2xx" in said:
        sys.exit(f"serve-load: {said}")
    return float(next(line for line in said.splitlines() if "Requests/sec" in line).split()[1])


def requests_of(directory):
    """What is asked for by the rows, by their kinds."""
    back = git(directory, "rev-list", "--max-count=101", "--first-parent", "HEAD").split()[-1]
    head = git(directory, "rev-parse", "HEAD").split()
    tips = sorted(set(git(directory, "for-each-ref", "--format=%(objectname)").split()))
    return {"full": request(tips, []), "depth": request(head, ["deepen 1\n"]),
            "blobless": request(tips, ["filter blob:none\n"]),
            "fetch": request(head, [f"have {back}\n"])}


def main():
    if sys.argv[1] == "--request":
        sys.stdout.buffer.write(requests_of(sys.argv[3])[sys.argv[2]])
        return
    clients = {"clone": "git", "apus-clone": "apus"}
    if sys.argv[1] == "--apus":
        clients["apus-clone"] = sys.argv[2]
        del sys.argv[1:3]
    split = sys.argv.index("--")
    rounds, name, directory, *rows = sys.argv[1:split]
    servers = [(label, url, Account(int(pid))) for label, url, pid in
               (server.rsplit("=", 2) for server in sys.argv[split + 1:])]
    scratch = tempfile.mkdtemp(prefix="apus-load.", dir=os.environ.get("TMPDIR"))
    try:
        bodies = {}
        for kind, content in requests_of(directory).items():
            bodies[kind] = f"{scratch}/{kind}"
            with open(bodies[kind], "wb") as file:
                file.write(content)
        for row in rows:
            measure(row, int(rounds), name, servers, clients, bodies, scratch)
    finally:
        for _, _, account in servers:
            account.close()
        shutil.rmtree(scratch)


def measure(row, rounds, name, servers, clients, bodies, scratch):
    figures = {label: [] for label, _, _ in servers}
    for _ in range(rounds):
        for label, url, account in servers:
            before, start = account.seconds(), time.monotonic()
            peak = Peak(account.root)
            peak.start()
            rate = requests_a_second(url, scratch) if row == "ls-refs" else 0
            if row != "ls-refs":
                once(row, label, url, clients, bodies, scratch)
            wall = time.monotonic() - start
            peak.ended.set()
            peak.join()
            time.sleep(0.2)  # What the server does after the last byte is its work, too.
            used = account.seconds() - before
            if row == "ls-refs":
                wall, used = rate, used / (rate * 5) * 1000
            figures[label].append((wall, used, peak.most / (1 << 20)))
    ours, theirs = ([statistics.median(column) for column in zip(*figures[label])]
                    for label, _, _ in servers)

    def ratio(a, b):
        return f"{a / b:.2f}" if b else "-"

    cells = [f"{name} {row}", f"{ours[0]:.2f}", f"{theirs[0]:.2f}", ratio(ours[0], theirs[0]),
             f"{ours[1]:.2f}", f"{theirs[1]:.2f}", ratio(ours[1], theirs[1]),
             f"{ours[2]:.0f}", f"{theirs[2]:.0f}"]
    if row == "ls-refs":
        cells[0] += " (requests a second; CPU ms a request)"
    print("| " + " | ".join(cells) + " |", flush=True)


main()
