#!/usr/bin/env bash
# 5,000 refs: branches and tags, a hundred of them annotated, in packed-refs.
. "$(dirname "$0")/lib.sh"
begin
echo 'File' >file
commit 'First'
git commit -q --allow-empty -m 'Second'
ids=("$(git rev-parse main)" "$(git rev-parse main~1)")
for n in {1..2500}; do
    printf 'create refs/heads/team%d/branch-%d %s\n' $((n % 50)) "$n" "${ids[n % 2]}"
done | git update-ref --stdin
for n in {1..2400}; do
    printf 'create refs/tags/build-%d %s\n' "$n" "${ids[n % 2]}"
done | git update-ref --stdin
for n in {1..100}; do
    printf 'object %s\ntype commit\ntag release-%d\ntagger A <a@b> %d +0000\n\nRelease\n' \
        "${ids[0]}" "$n" $((1700000000 + n)) >"tag$n"
done
for n in {1..100}; do echo "tag$n"; done | git hash-object -w -t tag --stdin-paths --no-filters |
    awk '{ printf "create refs/tags/release-%d %s\n", NR, $1 }' | git update-ref --stdin
git pack-refs --all
