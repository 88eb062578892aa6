#!/usr/bin/env bash
# Measures the pack engine, and what stands on it, beside git: each in turn, several rounds, the same
# number of threads. Prints Markdown tables of medians; what is measured is told in
# docs/Performance.md.
#
#   bench-engine.sh [REPOSITORY...]
#
# A repository is the path of one on disk, or a URL, which is mirrored once to ~/.cache/apus. Without
# arguments: those named in APUS_BENCH_REPOS (parted by spaces), else this project's own.
#   APUS_BENCH_ROUNDS   how often each is run by each (5)
#   APUS_BENCH_ROWS     which to measure: of index-pack, replay, replay-bare, serve, cat-file and
#                       checkout (all but replay-bare)
#   APUS_BENCH_KERNELS  SHA-1 kernels; index-pack is measured once more with each of them
#
# Scratch is on a tmpfs, unless TMPDIR says where.
# shellcheck disable=SC2034 # read by serving.sh
in_memory=yes
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

rounds=${APUS_BENCH_ROUNDS:-5}
read -r -a rows <<<"${APUS_BENCH_ROWS:-index-pack replay serve cat-file checkout}"
read -r -a kernels <<<"${APUS_BENCH_KERNELS:-}"
repositories=("$@")
((${#repositories[@]})) || read -r -a repositories <<<"${APUS_BENCH_REPOS:-$project}"
threads=$(getconf _NPROCESSORS_ONLN)
floor=$(dirname "$apus")/EngineFloor
checkout_head=$(dirname "$apus")/CheckoutHead

die() {
    echo "bench-engine: $1" >&2
    exit 1
}
for program in "$floor" "$checkout_head"; do
    [[ -x $program ]] || die "no $program: run 'make bench-engine'"
done
for row in "${rows[@]}"; do
    case $row in
        index-pack | replay | replay-bare | serve | cat-file | checkout) ;;
        *) die "there is no row $row" ;;
    esac
done
for kernel in "${kernels[@]}"; do
    [[ $(APUS_SHA1_KERNEL=$kernel "$floor" --kernel) == "$kernel" ]] ||
        die "no SHA-1 kernel $kernel, or not on this processor"
done
wants() { [[ " ${rows[*]} " == *" $1 "* ]]; }

# Measures one run. Figures of a row are in $scratch/figures/REPOSITORY/ROW.WHO, a line a run.
take() { # ROW WHO COMMAND...
    python3 "$here/measure.py" last "${@:3}" || die "${*:3} failed"
    cat last >>"figures/$name/$1.$2"
}
# Each once a round, so that what else the machine does weighs on all.
in_turn() { # FUNCTION WHO...
    local round who
    for ((round = 1; round <= rounds; round++)); do
        for who in "${@:2}"; do
            echo "$name: $1, round $round of $rounds, $who" >&2
            "$1" "$who"
        done
    done
}
program() { if [[ $1 == git ]]; then echo git; else echo "$apus"; fi; }
print_row() { # LABEL ROW [WHO]
    python3 "$here/compare-figures.py" --row "$1" "figures/$name/$2.${3:-apus}" "figures/$name/$2.git"
}

# The rows. WHO is git, apus, or the name of a kernel: apus with that.
index_pack() { # WHO
    local command=("$(program "$1")")
    [[ $1 == git || $1 == apus ]] || command=(env "APUS_SHA1_KERNEL=$1" "${command[@]}")
    rm -f "$1.idx" "$1.rev"
    take index-pack "$1" "${command[@]}" index-pack "--threads=$threads" --rev-index \
        -o "$1.idx" one.pack >/dev/null
    for file in idx rev; do
        [[ $1 == git ]] || cmp "$1.$file" "git.$file" || die "$name: $1 made another .$file than git"
    done
    [[ $1 == git ]] || "${command[@]:0:${#command[@]}-1}" "$floor" one.pack >>"figures/$name/floor.$1"
}
clone_from() { # URL ROW WHO [OPTION]
    rm -rf clone
    take "$2" "$3" "$(program "$3")" clone -q "${@:4}" "$1/git/$name.git" clone
}
replay() { clone_from "$replay" replay "$1"; }
replay_bare() { clone_from "$replay" replay-bare "$1" --bare; }
served() { clone_from "$http" serve "$1"; }
cat_file() { # WHO
    take cat-file "$1" "$(program "$1")" -C one.git \
        cat-file --batch-all-objects --unordered --batch >/dev/null
}
checkout() { # WHO
    find one -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
    rm -f one/.git/index
    if [[ $1 == git ]]; then
        take checkout git git -C one -c "checkout.workers=$threads" checkout -q -f HEAD
    else
        take checkout "$1" "$checkout_head" one
    fi
    [[ -z $(git -C one status --porcelain) ]] || die "$1 left a work tree that is not clean"
}

# What was recorded must be all that the clones ask for, else they were not timed against a recording.
recorded() { wc -l <"$scratch/replay/recorded"; }
replayed() { # FUNCTION
    local before who option=()
    [[ $1 != replay_bare ]] || option=(--bare)
    for who in apus git; do
        rm -rf clone
        "$(program "$who")" clone -q "${option[@]}" "$replay/git/$name.git" clone
    done
    before=$(recorded)
    in_turn "$1" apus git
    [[ $(recorded) == "$before" ]] || die "$name: the clones did not ask the same every time"
}

describe_machine() {
    local model memory system
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
    memory=$(awk '/^MemTotal:/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo 2>/dev/null || true)
    system=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release 2>/dev/null || true)
    echo "$threads processors (${model:-$(uname -m)}), ${memory:-?}, ${system:-?}, $(uname -sr);"
    echo "$(git --version); $("$apus" version) ($(git -c safe.directory='*' -C "$project" describe \
        --always --dirty 2>/dev/null || echo '?')), SHA-1 kernel $("$floor" --kernel);"
    echo "libdeflate $(pkg-config --modversion libdeflate 2>/dev/null || echo '?')," \
        "scratch on $(stat -f -c %T "$scratch" 2>/dev/null || echo "$scratch");" \
        "$threads threads, $rounds rounds in turn, medians; the range after a ratio is of the rounds."
}

measure_repository() { # PATH-OR-URL
    local packs objects kernel
    serve "$1"
    mkdir -p "figures/$name"
    # The pack that is measured is that of a clone: one pack, whatever the repository has.
    rm -rf one.git
    git clone -q --bare "$url" one.git
    packs=(one.git/objects/pack/*.pack)
    ((${#packs[@]} == 1)) || die "$name: the clone has ${#packs[@]} packs"
    cp "${packs[0]}" one.pack
    objects=$(git -C one.git count-objects -v | sed -n 's/^in-pack: //p')
    printf '\n### %s: %s objects, %s MB packed\n\n' "$name" "$objects" \
        "$(wc -c <one.pack | awk '{ printf "%.1f", $1 / 1e6 }')"
    python3 "$here/compare-figures.py" --header
    if wants index-pack; then
        in_turn index_pack git apus "${kernels[@]}"
        print_row index-pack index-pack
        for kernel in "${kernels[@]}"; do print_row "index-pack, $kernel" index-pack "$kernel"; done
    fi
    if wants replay; then
        replayed replay
        print_row 'clone, replayed' replay
    fi
    if wants replay-bare; then
        replayed replay_bare
        print_row 'clone --bare, replayed' replay-bare
    fi
    if wants serve; then
        in_turn served apus git
        print_row 'clone, git http-backend' serve
    fi
    if wants cat-file; then
        in_turn cat_file apus git
        print_row 'cat-file of all objects' cat-file
    fi
    ! wants index-pack || print_floor
}
print_floor() {
    local who label
    echo
    python3 "$here/compare-floor.py" --header
    for who in apus "${kernels[@]}"; do
        label=$who
        [[ $who != apus ]] || label=$("$floor" --kernel)
        python3 "$here/compare-floor.py" "$label" "$threads" "figures/$name/floor.$who" \
            "figures/$name/index-pack.$who" "figures/$name/index-pack.git"
    done
}

measure_checkout() {
    local tree=$cache/many-files.git
    if [[ ! -d $tree ]]; then
        echo "Making $tree" >&2
        mkdir -p "$cache"
        rm -rf "$tree.part"
        python3 "$project/Benchmarks/many-files.py" "$tree.part"
        mv "$tree.part" "$tree"
    fi
    serve "$tree"
    mkdir -p "figures/$name"
    printf '\n### A tree of %d files\n\n' "$(git -C "$tree" ls-tree -r HEAD | wc -l)"
    python3 "$here/compare-figures.py" --header
    git clone -q --no-checkout "$url" one
    in_turn checkout apus git
    print_row checkout checkout
    if wants replay; then
        replayed replay
        print_row 'clone, replayed' replay
    fi
}

start_server
start_replay
cd "$scratch"
mkdir figures
describe_machine
for repository in "${repositories[@]}"; do measure_repository "$repository"; done
! wants checkout || measure_checkout
