#!/usr/bin/env bash
# Every mode that a tree may have: files, executables, links, folders, an old group-writable file.
. "$(dirname "$0")/lib.sh"
begin
echo 'Plain' >plain
echo '#!/bin/sh' >program && chmod +x program
: >nothing
ln -s plain link
ln -s ../outside/of/it link-out
ln -s missing link-nowhere
mkdir -p a/b/c && echo 'Deep' >a/b/c/file && ln -s b a/link-to-folder
printf 'No newline' >unended
head -c 70000 /dev/zero >zeros
printf '\000\001\377' >binary
commit 'Every mode'
blob=$(git rev-parse main:plain)
# 100664 was written by early versions of git and is still read.
tree=$( (git ls-tree main | grep -v nothing && printf '100664 blob %s\told-mode\n' "$blob") |
    awk '{ sub(/^0/, ""); print $1, $4, $3 }' | sort -k2 | raw_tree)
tick
git update-ref refs/heads/main "$(git commit-tree "$tree" -p main -m 'An old mode')"
