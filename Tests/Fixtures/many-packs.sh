#!/usr/bin/env bash
# 24 packs, a few loose objects, and objects that are in two packs.
. "$(dirname "$0")/lib.sh"
begin
for n in {1..24}; do
    for file in {1..4}; do
        printf 'Line %d\n' {1..50} $((n * file)) >"file$file"
    done
    commit "Change $n"
    git repack -q -d
done
git rev-list --objects main~10 | cut -d' ' -f1 |
    git pack-objects -q "$repository/objects/pack/pack" >/dev/null
echo 'Loose' >loose
commit 'Loose'
