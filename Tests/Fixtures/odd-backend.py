#!/usr/bin/env python3
"""git http-backend with one fault, chosen by the CGI variable ODD.

In the answer to the POST that carries the pack:
  cut            ends half way, as a whole HTTP body
  drop           ends half way, as a connection that breaks
  corrupt        the last byte of the pack, in its checksum, is another
  error          an ERR packet instead, with control characters in it
  band3          band 3 instead of the pack, with control characters in it
  chatter        control characters on band 2 before the pack
  incomplete     a whole pack, which has the commits without their trees
  no-flush       the pack, then the end where a flush belongs
  garbage        bytes that are no packets
In the advertisement of version 0:
  side-band      no side-band-64k, only side-band
  plain          no side-band of either kind
  simple         only ofs-delta: no multi_ack, no side-band, no symref
  head-loop      symref=HEAD:HEAD
  escape         a ref named refs/heads/../../../escaped
  bad-oid        an id that is not hexadecimal
  bad-length     a packet length that is not hexadecimal
In the advertisement of any version:
  text-type      the content type of plain text
  error-first    an ERR packet instead of refs
  silent         no answer for twenty seconds, then none
  echo           the 403 page repeats what was sent, with control characters
"""

import os
import re
import subprocess
import sys
import time

MODE = os.environ.pop("ODD")
OLD = {"side-band", "plain", "simple", "head-loop", "escape", "bad-oid", "bad-length"}
HOSTILE = b"keep out\x1b]0;owned\x07\x1b[2J\r\x9b31m of here"


def packet(payload):
    return b"%04x" % (len(payload) + 4) + payload


def packets(body):
    """The packets of a body, each with its four digits; stops at what is none."""
    at = 0
    while at + 4 <= len(body):
        length = max(int(body[at : at + 4], 16), 4)
        yield body[at : at + length]
        at += length


def reply(head, body, length=None):
    out = sys.stdout.buffer
    out.write(head + b"\r\nContent-Length: %d\r\n\r\n" % (len(body) if length is None else length))
    out.write(body)
    out.flush()


def git(*arguments, stdin=b""):
    repository = os.environ["GIT_PROJECT_ROOT"] + os.environ["PATH_INFO"].split(".git/")[0] + ".git"
    environment = {**os.environ, "GIT_DIR": repository}
    return subprocess.run(
        ["git", *arguments], input=stdin, env=environment, stdout=subprocess.PIPE, check=True
    ).stdout


def before_pack(body):
    """Everything up to the first packet of the pack."""
    start = b""
    for one in packets(body):
        if one[4:5] in (b"\x01", b"\x02"):
            break
        start += one
    return start


def odd_pack(body):
    if MODE in ("cut", "drop"):
        return body[: len(body) // 2]
    if MODE == "corrupt":
        last = len(body) - 5
        return body[:last] + bytes([body[last] ^ 1]) + body[last + 1 :]
    if MODE == "error":
        return packet(b"ERR " + HOSTILE)
    if MODE == "band3":
        return before_pack(body) + packet(b"\x03" + HOSTILE)
    if MODE == "chatter":
        start = before_pack(body)
        return start + packet(b"\x02" + HOSTILE + b"\n") + packet(b"\x02") + body[len(start) :]
    if MODE == "incomplete":
        commits = git("rev-list", "--all")
        pack = git("pack-objects", "--stdout", "-q", stdin=commits)
        chunks = [pack[at : at + 60000] for at in range(0, len(pack), 60000)]
        return before_pack(body) + b"".join(packet(b"\x01" + one) for one in chunks) + b"0000"
    if MODE == "no-flush":
        return body[:-4]
    if MODE == "garbage":
        return b"\x00\xff" * 4000
    return body


def odd_advertisement(body):
    all_packets = list(packets(body))
    first = next((n for n, one in enumerate(all_packets) if b"\0" in one), None)
    if first is None:
        return body
    ref, capabilities = all_packets[first][4:].split(b"\0", 1)
    if MODE == "side-band":
        capabilities = capabilities.replace(b" side-band-64k", b"")
    elif MODE == "plain":
        capabilities = capabilities.replace(b" side-band-64k", b"").replace(b" side-band", b"")
    elif MODE == "simple":
        capabilities = b" ofs-delta\n"
    elif MODE == "head-loop":
        capabilities = re.sub(rb"symref=HEAD:\S+", b"symref=HEAD:HEAD", capabilities)
    elif MODE == "bad-oid":
        ref = b"z" + ref[1:]
    all_packets[first] = packet(ref + b"\0" + capabilities)
    if MODE == "escape":
        all_packets.insert(first + 1, packet(ref[:40] + b" refs/heads/../../../escaped\n"))
    if MODE == "bad-length":
        all_packets[first] = b"00zz" + all_packets[first][4:]
    return b"".join(all_packets)


def main():
    get = os.environ["REQUEST_METHOD"] == "GET"
    if MODE == "echo":
        return reply(b"Status: 403 Forbidden\r\nContent-Type: text/plain", HOSTILE)
    if MODE == "silent":
        return time.sleep(20)
    if MODE in OLD:
        os.environ.pop("GIT_PROTOCOL", None)
        os.environ.pop("HTTP_GIT_PROTOCOL", None)
    answer = subprocess.run(["git", "http-backend"], stdout=subprocess.PIPE, check=True).stdout
    head, body = answer.split(b"\r\n\r\n", 1)
    if get and MODE == "text-type":
        head = re.sub(rb"Content-Type: \S+", b"Content-Type: text/plain", head)
    elif get and MODE == "error-first":
        body = packet(b"# service=git-upload-pack\n") + b"0000" + packet(b"ERR " + HOSTILE)
    elif get and MODE in OLD:
        body = odd_advertisement(body)
    elif not get and b"PACK" in body:
        whole = len(body)
        body = odd_pack(body)
        return reply(head, body, whole if MODE == "drop" else None)
    reply(head, body)


main()
