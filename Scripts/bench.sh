#!/usr/bin/env bash
# Clones repositories with apus and with git in turn, from a server on loopback, and prints the time
# by the clock, the processor time (user and system) and the most memory that one process held.
#
#   bench.sh [REPOSITORY...]
#
# A repository is the path of one on disk, or a URL, which is mirrored once to ~/.cache/apus. Without
# arguments: those named in APUS_BENCH_REPOS (parted by spaces), else this project's own. Take a
# small, a middle and a big one. APUS_BENCH_ROUNDS is how often each is cloned by each (5).
# Scratch is on a tmpfs, unless TMPDIR says where.
# shellcheck disable=SC2034 # read by serving.sh
in_memory=yes
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

rounds=${APUS_BENCH_ROUNDS:-5}
repositories=("$@")
((${#repositories[@]})) || read -r -a repositories <<<"${APUS_BENCH_REPOS:-$project}"

start_server
cd "$scratch"
measure() { # PROGRAM NAME
    rm -rf clone
    python3 "$here/measure.py" figures "$1" clone -q "$url" clone
    cat figures >>"$2.$name"
}

echo "$(git --version), $("$apus" version); $(uname -sm), $(getconf _NPROCESSORS_ONLN) processors, $rounds rounds"
for repository in "${repositories[@]}"; do
    serve "$repository"
    rm -rf clone
    git clone -q "$url" clone # not counted: it warms the server's caches
    objects=$(git -C clone count-objects -v | awk '/^(count|in-pack):/ { n += $2 } END { print n }')
    for ((round = 0; round < rounds; round++)); do
        # In turn, so that what else the machine does weighs on both.
        measure "$apus" apus
        measure git git
    done
    echo
    echo "$name, $objects objects"
    python3 "$here/compare-figures.py" "apus.$name" "git.$name"
done
