#!/usr/bin/env bash
# 400 commits with branches and merges over 200 files, annotated tags, other namespaces; packed.
. "$(dirname "$0")/lib.sh"
begin
{
    for n in {1..400}; do
        time=$((1700000000 + n * 60))
        printf 'commit refs/heads/main\nmark :%d\n' "$n"
        printf 'author Ada Lovelace <ada@example.com> %d +0000\n' "$time"
        printf 'committer Grace Hopper <grace@example.com> %d +0000\n' "$time"
        printf 'data <<END\nChange %d\n\nWhy change %d was made.\nEND\n' "$n" "$n"
        if ((n > 10 && n % 10 == 0)); then
            printf 'from :%d\nmerge :%d\n' $((n - 1)) $((n - 5))
        elif ((n % 10 == 5 && n > 5)); then
            printf 'from :%d\n' $((n - 6))
        fi
        printf 'M 100644 inline folder%d/file%d.txt\ndata <<END\n' $((n % 20)) $((n % 200))
        for ((line = 0; line < 30; line++)); do
            printf 'Line %d of file %d, %s\n' "$line" $((n % 200)) \
                "$((line % 7 == n % 7 ? n * 7919 % 10007 : 0))"
        done
        printf 'END\n'
    done
    printf 'done\n'
} | git fast-import --quiet --done
for n in 1 2 3; do
    tick
    git tag -a -m "Release $n" "v$n.0" "main~$((160 - n * 50))"
done
git tag light main~50
git branch maint main~100
git branch topic/one main~20
git branch topic/two main~30
git update-ref refs/notes/commits main~1
git update-ref refs/pull/1/head topic/one~1
git repack -q -a -d
git pack-refs --all
