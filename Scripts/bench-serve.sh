#!/usr/bin/env bash
# Measures `apus serve` beside nginx, fcgiwrap and `git http-backend`: the same requests to both in turn, on
# the same repositories and processors. Prints a Markdown table; docs/Performance.md tells of it.
#
#   bench-serve.sh [REPOSITORY...]
#
# A repository is the path of one on disk, or a URL, which is mirrored once to ~/.cache/apus. Without
# arguments: those named in APUS_BENCH_REPOS (parted by spaces), else this project's own.
#   APUS_BENCH_ROUNDS   how often each is measured (3)
#   APUS_BENCH_ROWS     which rows, as Scripts/serve-load.py names them
#   APUS_BENCH_BITMAPS  yes: of a copy of each repository that `git repack -adb` has packed
# shellcheck disable=SC2034 # read by serving.sh
in_memory=yes
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

rounds=${APUS_BENCH_ROUNDS:-3}
read -r -a rows <<<"${APUS_BENCH_ROWS:-first full:1 full:8 full:32 depth:32 blobless:8 fetch:32 ls-refs clone:1}"
repositories=("$@")
((${#repositories[@]})) || read -r -a repositories <<<"${APUS_BENCH_REPOS:-$project}"
command -v curl >/dev/null || { echo "bench-serve: curl is not installed" >&2; exit 1; }
if [[ " ${rows[*]} " == *' ls-refs '* ]] && ! command -v wrk >/dev/null; then
    echo "bench-serve: wrk is not installed: without the row ls-refs" >&2
    kept=()
    for row in "${rows[@]}"; do [[ $row == ls-refs ]] || kept+=("$row"); done
    rows=("${kept[@]}")
fi

start_server
serve_with_apus "$root"

# The links in $root lead out of it, which `apus serve` does not follow: the repositories are copied.
cd "$scratch"
echo "| | wall, s: apus | git | ratio | server's CPU, s: apus | git | ratio | memory, MiB: apus | git |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
for repository in "${repositories[@]}"; do
    serve "$repository"
    source=$(readlink -f "$root/$name.git")
    rm "$root/$name.git"
    cp -r "$source" "$root/$name.git"
    if [[ ${APUS_BENCH_BITMAPS:-} == yes ]]; then
        git -C "$root/$name.git" repack -q -adb
        git -C "$root/$name.git" commit-graph write --reachable
    fi
    python3 "$here/serve-load.py" "$rounds" "$name" "$root/$name.git" "${rows[@]}" -- \
        "apus=$ours/$name.git=$ours_pid" "git=$url=$SERVER_PID"
    rm -rf "${root:?}/$name.git"
done
