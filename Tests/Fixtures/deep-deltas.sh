#!/usr/bin/env bash
# One file of 4,096 versions, each a delta of the one before: chains as long as git makes them.
. "$(dirname "$0")/lib.sh"
begin
git config pack.depth 4095
git config pack.window 2
{
    content='The first line of a file that only ever grows'
    for n in {1..4096}; do
        printf 'commit refs/heads/main\ncommitter Grace Hopper <grace@example.com> %d +0000\n' \
            $((1700000000 + n))
        printf 'data <<END\nLine %d\nEND\n' "$n"
        content="$content$n"
        ((n % 8)) || content+=$'\n'
        printf 'M 100644 inline growing\ndata %d\n%s\n' ${#content} "$content"
    done
    printf 'done\n'
} | git fast-import --quiet --done --depth=4095
