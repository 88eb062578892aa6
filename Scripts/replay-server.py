#!/usr/bin/env python3
"""Serves on loopback what another server answered, so that a client can be timed against a server
that answers at once.

    replay-server.py UPSTREAM FOLDER

A request that is new is passed on to UPSTREAM (http://HOST:PORT), and its answer is put into FOLDER:
one file for the answer, and for each such request one line in FOLDER/recorded. From then on the same
request (method, target, Git-Protocol, body: each client's own) is answered from the file by sendfile.

Prints `http=URL` and `ready`, serves until standard input is closed.
"""

import hashlib
import http.client
import http.server
import os
import shutil
import sys
import threading
import urllib.parse

PASSED_ON = ["Git-Protocol", "Content-Type", "Content-Encoding", "Accept", "User-Agent"]
upstream, folder = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
recording = threading.Lock()


class Replay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.body())

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def answer(self, body):
        version = self.headers.get("Git-Protocol", "")
        about = "\0".join([self.command, self.path, version]).encode()
        path = os.path.join(folder, hashlib.sha256(about + b"\0" + body).hexdigest())
        with recording:
            if not os.path.exists(path):
                self.record(path, body)
        with open(path, "rb") as answer:
            # The first line is the status and the type, the rest the body.
            status, kind = answer.readline().decode().rstrip("\n").split(" ", 1)
            self.send_response(int(status))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(os.fstat(answer.fileno()).st_size - answer.tell()))
            self.end_headers()
            self.connection.sendfile(answer, offset=answer.tell())

    def record(self, path, body):
        connection = http.client.HTTPConnection(upstream.hostname, upstream.port)
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        connection.request(self.command, self.path, body or None, headers)
        response = connection.getresponse()
        with open(path + ".part", "wb") as answer:
            kind = response.getheader("Content-Type", "application/octet-stream")
            answer.write(f"{response.status} {kind}\n".encode())
            shutil.copyfileobj(response, answer, 1 << 20)
        connection.close()
        os.rename(path + ".part", path)
        with open(os.path.join(folder, "recorded"), "a") as log:
            log.write(f"{self.command} {self.path} {response.status} {os.path.getsize(path)}\n")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replay)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http=http://127.0.0.1:{server.server_port}", "ready", sep="\n", flush=True)
sys.stdin.read()
