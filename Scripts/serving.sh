# shellcheck shell=bash
# Sourced by the scripts that clone from a server on loopback. After `start_server`:
#   $http     the server's URL       $scratch  a folder that goes away at the end
#   serve REPOSITORY   makes a path or URL available; sets $name and $url
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$here")
start=$PWD
# Nothing of the person's configuration, so that both programs start alike.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 LC_ALL=C
apus=${APUS:-$project/.build/release/apus}
[[ -x $apus ]] || { echo "no $apus: run 'make build'" >&2; exit 1; }

server_pid=''
scratch=$(mktemp -d "${TMPDIR:-/tmp}/apus.XXXXXX")
finish() {
    if [[ -n $server_pid ]]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

http='' root=''
start_server() {
    local line
    coproc SERVER { exec "$here/git-http-server.sh"; }
    server_pid=$SERVER_PID
    while read -r line <&"${SERVER[0]}"; do
        case $line in
            http=*) http=${line#*=} ;;
            root=*) root=${line#*=} ;;
            ready) return ;;
        esac
    done
    exit 1 # the server has said why
}

# Makes a repository available. A path is served as it lies; a URL is mirrored once, to a cache.
# shellcheck disable=SC2034 # $url is for who sources this
serve() {
    local source=$1 folder
    if [[ $source == *://* ]]; then
        name=$(basename "${source%/}" .git)
        local cache=${APUS_REPOSITORIES:-${XDG_CACHE_HOME:-$HOME/.cache}/apus/repositories}
        folder=$cache/$name.git
        if [[ ! -d $folder ]]; then
            mkdir -p "$cache"
            echo "Mirroring $source to $folder" >&2
            git clone -q --mirror "$source" "$folder.part"
            mv "$folder.part" "$folder"
        fi
    else
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
