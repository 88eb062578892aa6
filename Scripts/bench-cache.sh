#!/usr/bin/env bash
# Measures `apus cache` in front of nginx, fcgiwrap and `git http-backend`: the same requests to both in turn, on
# the same repositories and processors. Prints Markdown tables.
#
#   bench-cache.sh [REPOSITORY...]
#
# warm      beside upstream itself. What the cache takes is without what upstream takes for it, and the first
#           request of each kind is made before.
# file      beside nginx that sends the same bytes from a file.
# git_cdn   beside git_cdn with its cache of packs turned on for everything, where APUS_GIT_CDN names a checkout
#           of https://github.com/doctolib/git_cdn with what it needs from PyPI in its folder `venv`.
# cold      one client, and 32 at once, who ask for everything, of a cache that has nothing, beside one who asks
#           upstream; and the same with an upstream that sends 10 MiB a second.
# fleet     100 clients one after the other, 8 at a time, with git: what upstream is asked for and sends.
#
# APUS_BENCH_PARTS says which of these (all). Repositories and APUS_BENCH_REPOS, APUS_BENCH_ROUNDS, APUS_BENCH_ROWS
# as for bench-serve.sh.
# shellcheck disable=SC2034 # read by serving.sh
in_memory=yes
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

rounds=${APUS_BENCH_ROUNDS:-3}
parts=${APUS_BENCH_PARTS:-warm file git_cdn cold fleet}
repositories=("$@")
((${#repositories[@]})) || read -r -a repositories <<<"${APUS_BENCH_REPOS:-$project}"
command -v curl >/dev/null || { echo "bench-cache: curl is not installed" >&2; exit 1; }

start_server
cd "$scratch"

start_cache() { # NAME [LOCATION]: a cache with nothing in it; its URL is $cached, its process $cached_pid
    start_apus "$1" cache --store "$scratch/store-$1" --upstream "forge=$http/${2:-git}/" -q
    cached=$started/forge
    cached_pid=$started_pid
}

start_git_cdn() {
    cdn_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir git_cdn git_cdn/metrics
    (
        cd "$APUS_GIT_CDN"
        GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=uploadpack.allowFilter GIT_CONFIG_VALUE_0=true \
            GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1='*' \
            GITSERVER_UPSTREAM="$http/" WORKING_DIRECTORY="$scratch/git_cdn" PACK_CACHE_MULTI=true \
            PACK_CACHE_DEPTH=true PROMETHEUS_MULTIPROC_DIR="$scratch/git_cdn/metrics" \
            exec venv/bin/gunicorn git_cdn.app:app -c config.py --bind "127.0.0.1:$cdn_port"
    ) >git_cdn.log 2>&1 &
    cdn_pid=$!
    server_pids+=("$cdn_pid")
    # It takes nobody without a login; upstream does not look at it.
    cdn=http://any:any@127.0.0.1:$cdn_port/git
    for ((try = 0; try < 100; try++)); do
        curl -s -o /dev/null "http://127.0.0.1:$cdn_port/" && return
        sleep 0.1
    done
    echo "bench-cache: git_cdn does not start: $(tail -n 1 git_cdn.log)" >&2
    exit 1
}

header() { # WHAT OTHER
    echo
    echo "| $1 | wall, s: cache | $2 | ratio | server's CPU, s: cache | $2 | ratio | memory, MiB: cache | $2 |"
    echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
}

load() { # ROUNDS OTHER ROW...: the cache beside LABEL=URL=PID
    python3 "$here/serve-load.py" --apus "$apus" "$1" "$name" "$root/$name.git" "${@:3}" -- \
        "cache=$cached/$name.git=$cached_pid" "$2"
}

rows_of() { # the rows, each for one client
    local row
    for row in "$@"; do echo "${row%:*}:1"; done | sort -u
}

# The seconds since $begun.
taken() { awk -v begun="$begun" -v now="$(date +%s%N)" 'BEGIN { printf "%.2f", (now - begun) / 1e9 }'; }

drain_full() { # URL COUNT
    local urls=() number
    for ((number = 0; number < $2; number++)); do urls+=(-o /dev/null "$1/git-upload-pack"); done
    curl -sSf --no-progress-meter --parallel --parallel-immediate --parallel-max "$2" -H 'Git-Protocol: version=2' -H 'Expect:' \
        -H 'Content-Type: application/x-git-upload-pack-request' --data-binary @full.request "${urls[@]}"
}

asked() { # what upstream was asked for since line $1 of its log: requests for refs, fetches, bytes
    sleep 0.3
    tail -n "+$(($1 + 1))" "$requests" | awk '
        / 40[13] / { next }
        /git-upload-pack / { posts++ } /info\/refs/ { refs++ }
        { split($0, part, "bytes="); bytes += part[2] }
        END { printf "%d | %d | %.1f", refs, posts, bytes / 1048576 }'
}

cold() {
    local round location count begun direct_wall cached_wall before
    python3 "$here/serve-load.py" --request full "$root/$name.git" >full.request
    echo
    echo '| cold | wall, s: through the cache | one from upstream | ratio | upstream: info/refs | POST | MiB |'
    echo '|---|--:|--:|--:|--:|--:|--:|'
    for ((round = 1; round <= rounds; round++)); do for location in git wan; do
        begun=$(date +%s%N)
        drain_full "$http/$location/$name.git" 1
        direct_wall=$(taken)
        for count in 1 32; do
            start_cache "cold-$name-$location-$round-$count" "$location"
            before=$(wc -l <"$requests")
            begun=$(date +%s%N)
            drain_full "$cached/$name.git" "$count"
            cached_wall=$(taken)
            echo "| $name full:$count, ${location/git/full speed}, round $round | $cached_wall | $direct_wall |" \
                "$(awk -v a="$cached_wall" -v b="$direct_wall" 'BEGIN { printf "%.2f", a / b }') | $(asked "$before") |"
            kill "$cached_pid"
            wait "$cached_pid" || true
            rm -rf "store-cold-$name-$location-$round-$count"
        done
    done; done
}

fleet() {
    local before batch number pids
    start_cache "fleet-$name"
    before=$(wc -l <"$requests")
    for ((batch = 0; batch < 100; batch += 8)); do
        pids=()
        for ((number = batch; number < batch + 8 && number < 100; number++)); do
            git clone -q --bare "$cached/$name.git" "fleet/$number" &
            pids+=("$!")
        done
        wait "${pids[@]}"
        rm -rf fleet
    done
    echo
    echo '| 100 clones by git, 8 at once | upstream: info/refs | POST | MiB |'
    echo '|---|--:|--:|--:|'
    echo "| $name | $(asked "$before") |"
    kill "$cached_pid"
    wait "$cached_pid" || true
}

for repository in "${repositories[@]}"; do
    serve "$repository"
    start_cache "$name"
    git clone -q --bare "$cached/$name.git" first && rm -rf first
    if [[ " $parts " == *' warm '* ]]; then
        read -r -a rows <<<"${APUS_BENCH_ROWS:-full:1 full:32 depth:32 fetch:32 clone:1 clone:8 apus-clone:1 apus-clone:8}"
        # shellcheck disable=SC2046 # one word each
        load 1 "git=$url=$SERVER_PID" $(rows_of "${rows[@]}") >/dev/null
        header 'beside upstream itself' git
        load "$rounds" "git=$url=$SERVER_PID" "${rows[@]}"
    fi
    if [[ " $parts " == *' file '* ]]; then
        python3 "$here/serve-load.py" --request full "$root/$name.git" >full.request
        curl -sSf -o "$root/answer-$name" -H 'Content-Type: application/x-git-upload-pack-request' \
            -H 'Git-Protocol: version=2' --data-binary @full.request "$cached/$name.git/git-upload-pack"
        header 'beside nginx with a file' nginx
        load "$rounds" "file=$http/dumb/answer-$name=$SERVER_PID" full:1 full:32 full:128
        rm "$root/answer-$name"
    fi
    if [[ " $parts " == *' git_cdn '* && -n ${APUS_GIT_CDN:-} ]]; then
        [[ -n ${cdn:-} ]] || start_git_cdn
        git clone -q --bare "$cdn/$name.git" first && rm -rf first
        read -r -a rows <<<"${APUS_BENCH_ROWS:-full:1 full:32 full:128 depth:32 fetch:32 clone:1 clone:8}"
        # shellcheck disable=SC2046 # one word each
        load 1 "git_cdn=$cdn/$name.git=$cdn_pid" $(rows_of "${rows[@]}") >/dev/null
        header 'beside git_cdn' git_cdn
        load "$rounds" "git_cdn=$cdn/$name.git=$cdn_pid" "${rows[@]}"
    fi
    if [[ " $parts " == *' cold '* ]]; then cold; fi
    if [[ " $parts " == *' fleet '* ]]; then fleet; fi
done
