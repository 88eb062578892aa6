#!/usr/bin/env python3
"""Sends one request over many connections at once, and says what came back.

    many-clients.py PORT COUNT <REQUEST

All connections are open before the first request is sent. Prints a line for each kind of answer: how often it
came, its status line, and the SHA-256 of the pack in it. A connection that is broken off is a kind of its own.
"""

import collections
import hashlib
import resource
import selectors
import socket
import sys



def body_of(head, body):
    if b"chunked" not in head.lower():
        return body
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[:int(size, 16)], body[int(size, 16) + 2:]
    return whole


def pack_of(body):
    """What comes on the first band, after `packfile`."""
    pack, has_begun = b"", False
    while len(body) >= 4:
        size = max(4, int(body[:4], 16))
        line, body = body[4:size], body[size:]
        if has_begun and line[:1] == b"\1":
            pack += line[1:]
        has_begun = has_begun or line == b"packfile\n"
    return pack


port, count = int(sys.argv[1]), int(sys.argv[2])
request = sys.stdin.buffer.read()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

connections = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
answers = {connection: bytearray() for connection in connections}
selector = selectors.DefaultSelector()
for connection in connections:
    connection.sendall(request)
    connection.setblocking(False)
    selector.register(connection, selectors.EVENT_READ)
kinds = collections.Counter()
while selector.get_map():
    for key, _ in selector.select():
        connection = key.fileobj
        try:
            piece = connection.recv(1 << 18)
        except ConnectionError:
            piece, answers[connection] = b"", bytearray(b"broken off\r\n\r\n")
        answers[connection] += piece
        if not piece:
            selector.unregister(connection)
            connection.close()
            head, _, body = bytes(answers.pop(connection)).partition(b"\r\n\r\n")
            pack = pack_of(body_of(head, body))
            kinds[head.split(b"\r\n")[0].decode(), hashlib.sha256(pack).hexdigest()] += 1
for (status, digest), number in sorted(kinds.items()):
    print(number, status, digest)
