#!/usr/bin/env bash
# Measures `apus cache` in front of nginx, fcgiwrap and `git http-backend` beside those themselves: the same
# requests to both in turn, on the same repositories and processors. Prints a Markdown table: what the cache
# takes is without what upstream takes for it, and the first request of each kind is made before.
#
#   bench-cache.sh [REPOSITORY...]
#
# Repositories and APUS_BENCH_REPOS, APUS_BENCH_ROUNDS, APUS_BENCH_ROWS as for bench-serve.sh.
# shellcheck disable=SC2034 # read by serving.sh
in_memory=yes
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

rounds=${APUS_BENCH_ROUNDS:-3}
read -r -a rows <<<"${APUS_BENCH_ROWS:-full:1 full:32 depth:32 fetch:32 clone:1 clone:8}"
repositories=("$@")
((${#repositories[@]})) || read -r -a repositories <<<"${APUS_BENCH_REPOS:-$project}"
command -v curl >/dev/null || { echo "bench-cache: curl is not installed" >&2; exit 1; }

start_server
start_apus cache cache --store "$scratch/store" --upstream "forge=$http/git/" -q
cached=$started
cached_pid=$started_pid

cd "$scratch"
echo "| | wall, s: cache | git | ratio | server's CPU, s: cache | git | ratio | memory, MiB: cache | git |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
for repository in "${repositories[@]}"; do
    serve "$repository"
    git clone -q --bare "$cached/forge/$name.git" first && rm -rf first
    for row in "${rows[@]}"; do
        python3 "$here/serve-load.py" 1 "$name" "$root/$name.git" "${row%:*}:1" -- \
            "cache=$cached/forge/$name.git=$cached_pid" "git=$url=$SERVER_PID" >/dev/null
    done
    python3 "$here/serve-load.py" "$rounds" "$name" "$root/$name.git" "${rows[@]}" -- \
        "cache=$cached/forge/$name.git=$cached_pid" "git=$url=$SERVER_PID"
done
