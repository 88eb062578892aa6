# shellcheck shell=bash
# Sourced by the scripts that clone from a server on loopback. After `start_server`:
#   $http     the server's URL       $scratch  a folder that goes away at the end
#   serve REPOSITORY   makes a path or URL available; sets $name and $url
#   serve_with_apus ROOT [OPTION...]   starts `apus serve`, without a log if there is no option; its URL is
#                      $ours, its process $ours_pid
#   start_apus NAME ARGUMENT...   starts any apus that listens; its URL is $started
#   start_replay       starts a second server, which answers at once what the first has answered
#                      before; its URL is $replay, what it has recorded is in $scratch/replay
# A benchmark sets in_memory=yes first: without TMPDIR, $scratch is then on a tmpfs of 4 GiB or more,
# if there is one. A disk adds noise, and ext4 is slow to make files for minutes after as many were
# removed, which is what a benchmark does all the time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$here")
start=$PWD
# Nothing of the person's configuration, so that both programs start alike.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 LC_ALL=C
apus=${APUS:-$project/.build/release/apus}
[[ -x $apus ]] || { echo "no $apus: run 'make build'" >&2; exit 1; }

server_pids=()
temporary=${TMPDIR:-/tmp}
if [[ -n ${in_memory:-} && -z ${TMPDIR:-} && -w /dev/shm ]] &&
    (($(df -Pk /dev/shm | awk 'END { print $4 }') >= 4 << 20)); then
    temporary=/dev/shm
fi
scratch=$(mktemp -d "$temporary/apus.XXXXXX")
finish() {
    local pid
    for pid in "${server_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

http='' root='' requests=''
start_server() {
    local line
    coproc SERVER { exec "$here/git-http-server.sh"; }
    server_pids+=("$SERVER_PID")
    while read -r line <&"${SERVER[0]}"; do
        # shellcheck disable=SC2034 # $requests, the log of what was asked for, is for who sources this
        case $line in
            http=*) http=${line#*=} ;;
            root=*) root=${line#*=} ;;
            requests=*) requests=${line#*=} ;;
            ready) return ;;
        esac
    done
    exit 1 # the server has said why
}

# Starts an apus that listens: NAME ARGUMENT... Its URL is $started, its process $started_pid; what it logs is
# in $scratch/NAME.log.
start_apus() {
    local name=$1 said
    shift
    mkfifo "$scratch/$name.err"
    "$apus" "$@" --listen 127.0.0.1:0 >"$scratch/$name.log" 2>"$scratch/$name.err" &
    started_pid=$!
    server_pids+=("$started_pid")
    read -r said <"$scratch/$name.err"
    [[ $said == *' at http'* ]] || { echo "$said" >&2; exit 1; }
    started=${said##* at }
    started=${started%/}
}

# shellcheck disable=SC2034 # $ours is for who sources this
serve_with_apus() {
    local root=$1
    shift
    GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=uploadpack.allowFilter GIT_CONFIG_VALUE_0=true \
        GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1='*' \
        start_apus serve serve --root "$root" --export-all "${@:--q}"
    ours=$started
    ours_pid=$started_pid
}

# shellcheck disable=SC2034 # $replay is for who sources this; $replay_in is held open
start_replay() {
    local line
    replay=''
    mkdir "$scratch/replay"
    mkfifo "$scratch/replay.in" "$scratch/replay.out"
    python3 "$here/replay-server.py" "$http" "$scratch/replay" \
        <"$scratch/replay.in" >"$scratch/replay.out" &
    server_pids+=("$!")
    exec {replay_in}>"$scratch/replay.in" {replay_out}<"$scratch/replay.out"
    while read -r line <&"$replay_out"; do
        case $line in
            http=*) replay=${line#*=} ;;
            ready) return ;;
        esac
    done
    exit 1
}

# Where repositories are kept that take long to get or to make.
cache=${APUS_REPOSITORIES:-${XDG_CACHE_HOME:-$HOME/.cache}/apus/repositories}

# Makes a repository available. A path is served as it lies; a URL is mirrored once, to the cache.
# shellcheck disable=SC2034 # $url is for who sources this
serve() {
    local source=$1 folder
    if [[ $source == *://* ]]; then
        name=$(basename "${source%/}" .git)
        folder=$cache/$name.git
        if [[ ! -d $folder ]]; then
            mkdir -p "$cache"
            echo "Mirroring $source to $folder" >&2
            git clone -q --mirror "$source" "$folder.part"
            mv "$folder.part" "$folder"
        fi
    else
        source=${source/#\~\//$HOME/} # as written in a list of several, which no shell expands
        [[ $source == /* ]] || source=$start/$source
        source=$(cd "$source" && pwd -P)
        folder=$(git -c safe.directory='*' -C "$source" rev-parse --path-format=absolute \
            --git-common-dir)
        name=$(basename "$source" .git)
        # A folder called `repo` or `.git` says little: the one above it says more.
        [[ $name != repo && $name != '' ]] || name=$(basename "$(dirname "$source")")
    fi
    ln -sfn "$folder" "$root/$name.git"
    url=$http/git/$name.git
}
