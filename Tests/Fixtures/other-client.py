#!/usr/bin/env python3
"""Does one thing with a Git server by another client than git.

    other-client.py dulwich|pygit2 clone URL DIRECTORY [DEPTH]
    other-client.py dulwich|pygit2 fetch|push URL DIRECTORY

`fetch` updates refs/remotes/origin/*; `push` sends main.
"""

import sys


def with_dulwich(action, url, directory, depth):
    import io

    from dulwich import porcelain

    quiet = io.BytesIO()
    if action == "clone":
        porcelain.clone(url, directory, errstream=quiet, depth=depth)
    elif action == "fetch":
        porcelain.fetch(directory, "origin", outstream=io.StringIO(), errstream=quiet)
    else:
        porcelain.push(directory, url, "refs/heads/main:refs/heads/main", outstream=quiet,
                       errstream=quiet)


def with_pygit2(action, url, directory, depth):
    import pygit2

    if depth:
        sys.exit("this version of pygit2 clones nothing but all")
    if action == "clone":
        pygit2.clone_repository(url, directory)
        return
    origin = pygit2.Repository(directory).remotes["origin"]
    if action == "fetch":
        origin.fetch()
    else:
        origin.push(["refs/heads/main:refs/heads/main"])


client, action, url, directory, *rest = sys.argv[1:]
depth = int(rest[0]) if rest else None
{"dulwich": with_dulwich, "pygit2": with_pygit2}[client](action, url, directory, depth)
