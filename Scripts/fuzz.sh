#!/usr/bin/env bash
# Runs the fuzz targets (Fuzz/), one after the other: libFuzzer with the address sanitizer, on inputs
# made from small repositories by git, and on what earlier runs found of interest.
#
#   fuzz.sh [TARGET...]     pack, delta, index, pktline; all of them unless named
#
# FUZZ_SECONDS is how long each runs (600). Fails where a target finds something; the input is then in
# .build/fuzz-findings, and `fuzz.sh reproduce TARGET FILE` runs it again. With a third argument, a
# path, the pack target writes there the pack that it read.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."
swift=${SWIFT:-swift}
seconds=${FUZZ_SECONDS:-600}
build=.build/fuzz corpora=.build/fuzz-corpora findings=.build/fuzz-findings
dictionary=$PWD/Fuzz/pktline.dict

export LC_ALL=C TZ=UTC GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.com GIT_AUTHOR_DATE='1700000000 +0000'
export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.com
export GIT_COMMITTER_DATE='1700000000 +0000'

memory=/dev/shm
[[ -w $memory ]] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$memory/apus-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

declare -A products=([pack]=FuzzPack [delta]=FuzzDelta [index]=FuzzIndex [pktline]=FuzzPktLine)

build() { # TARGET
    # The address sanitizer's runtime exports names that the linker cannot: it says so each time.
    APUS_FUZZ=1 "$swift" build -q -c release --scratch-path "$build" --product "${products[$1]}" \
        --sanitize=fuzzer -Xswiftc -sanitize=fuzzer,address \
        -Xcc -fsanitize=address,fuzzer-no-link -Xswiftc -enable-testing 2>&1 |
        { grep -v 'warning: Cannot export local symbol' || true; }
}

# Bytes of a hexadecimal number.
raw() { # HEX
    # shellcheck disable=SC2001,SC2059 # the bytes are a format on purpose
    printf "$(sed 's/../\\x&/g' <<<"$1")"
}

pkt() { # TEXT
    printf '%04x%s' $((${#1} + 4)) "$1"
}

# A repository of a few objects of each kind, with chains of deltas.
make_repository() { # NAME FORMAT
    git init -q --bare -b main --object-format="$2" "$scratch/$1"
    for option in allowFilter allowRefInWant allowSidebandAll allowAnySHA1InWant; do
        git -C "$scratch/$1" config "uploadpack.$option" true
    done
    for number in 1 2 3 4 5; do
        local text
        text=$(seq -f "line %g of the file" 40 | sed "${number}s/\$/ changed in $number/")
        printf 'commit refs/heads/main\ncommitter C <c@x> %d +0000\ndata 2\nm\n' "$number"
        printf 'M 100644 inline file\ndata %d\n%s\n' "${#text}" "$text"
        printf 'M 100755 inline dir/%d\ndata 2\n%d\n\n' "$number" "$number"
    done | git -C "$scratch/$1" fast-import --quiet
    git -C "$scratch/$1" tag -a -m tag v1 main~1
    git -C "$scratch/$1" -c advice.nestedTag=false tag -a -m again v2 v1
}

make_pack() { # REPOSITORY OPTION...
    git -C "$scratch/$1" pack-objects --stdout --all --revs -q "${@:2}" </dev/null
}

seed_pack() {
    local seeds=$1 options name
    make_pack tiny --delta-base-offset >"$seeds/offsets"
    make_pack tiny >"$seeds/ids"
    make_pack tiny --window=0 >"$seeds/whole"
    printf 'main~1..main\n' |
        git -C "$scratch/tiny" pack-objects --stdout --thin --revs -q >"$seeds/thin"
    git -C "$scratch/tiny" pack-objects --stdout -q </dev/null >"$seeds/empty"
    # More than is inflated in one piece.
    head -c 4300000 /dev/zero | git -C "$scratch/tiny" hash-object -w --stdin >"$scratch/big"
    git -C "$scratch/tiny" pack-objects --stdout -q <"$scratch/big" >"$seeds/big"
    { head -c -20 "$seeds/big" && raw 0104010101010101010101010101010101010101; } >"$seeds/big-2"
    # Those of SHA-256, and each with choices that read it otherwise: what stands in place of the
    # trailer (Fuzz/Pack/PackInput.swift).
    make_pack sha256 --delta-base-offset | head -c -32 >"$scratch/sha256.body"
    { cat "$scratch/sha256.body" && raw 0101010101010101010001010101010101010101; } >"$seeds/sha256"
    # Between two entries of a mebibyte.
    for name in offsets ids; do
        { head -c -20 "$seeds/$name" && raw 0100000001010001002001010101010101010101; } \
            >"$seeds/$name-wide"
    done
    for name in offsets ids whole thin empty; do
        head -c -20 "$seeds/$name" >"$scratch/body"
        for options in 01000000000101 01070001020101 01060101030100 01040801010001; do
            { cat "$scratch/body" && raw "${options}01010101010101010101010101"; } \
                >"$seeds/$name-$options"
        done
    done
}

seed_delta() {
    local seeds=$1
    printf '\0\12\00001234567890\12\12\220\12' >"$seeds/copy"
    printf '\0\12\00001234567890\12\14\220\3\3abc\221\4\6' >"$seeds/both"
    printf '\1\12\00001234567890\12\14\220\3\3abc\221\4\6\377\1\0\0\0\2\0\0' >"$seeds/all"
    printf '\0\0\0\0\3\3abc' >"$seeds/empty-base"
    { printf '\0\0\3' && head -c 768 /dev/zero && printf '\200\6\200\206\4\260\200\2\220'; } \
        >"$seeds/long"
}

seed_index() {
    local seeds=$1 choices name
    make_pack tiny --delta-base-offset >"$scratch/a.pack"
    make_pack sha256 >"$scratch/b.pack"
    git index-pack -o "$scratch/a.idx" "$scratch/a.pack" >"$scratch/null"
    git index-pack --index-version=2,0x40 -o "$scratch/large.idx" "$scratch/a.pack" >"$scratch/null"
    git index-pack --object-format=sha256 -o "$scratch/b.idx" "$scratch/b.pack" >"$scratch/null"
    for choices in 00 01 03 07; do
        for name in a large; do
            { raw "$choices" && cat "$scratch/$name.idx"; } >"$seeds/$name-$choices"
        done
    done
    for choices in 08 0b; do
        { raw "$choices" && cat "$scratch/b.idx"; } >"$seeds/b-$choices"
    done
}

# What a server says, behind what it is to be read as (Fuzz/PktLine).
seed_pktline() {
    local seeds=$1 repository=$scratch/tiny version number
    have=$(git -C "$repository" rev-parse main~1)
    want=$(git -C "$repository" rev-parse main)
    say() { # NAME DECODER: what comes on standard input
        { raw "$2"00"$have" && cat; } >"$seeds/$1"
    }
    for version in 0 1 2; do
        GIT_PROTOCOL=version=$version GIT_PROJECT_ROOT=$scratch GIT_HTTP_EXPORT_ALL=1 \
            REQUEST_METHOD=GET PATH_INFO=/tiny/info/refs QUERY_STRING=service=git-upload-pack \
            git http-backend | sed '1,/^\r$/d' >"$scratch/refs.$version"
        say "http-$version" 01 <"$scratch/refs.$version"
        say "lines-$version" 00 <"$scratch/refs.$version"
        GIT_PROTOCOL=version=$version git upload-pack --http-backend-info-refs "$repository" |
            say "connection-$version" 02
    done
    serve() { # VERSION: the request comes on standard input
        GIT_PROTOCOL=version=$1 git upload-pack --stateless-rpc "$repository"
    }
    { pkt 'command=ls-refs' && printf 0001 && pkt peel && pkt symrefs && printf 0000; } |
        serve 2 | say ls-refs 03
    for number in 14 34 54 74 04 24 44 17 37; do
        {
            pkt 'command=fetch' && printf 0001 && pkt ofs-delta && pkt "want $want"
            pkt "have $have"
            ((0x$number & 32)) && pkt 'deepen 1' && pkt "shallow $have"
            ((0x$number & 64)) && pkt sideband-all
            ((0x$number & 16)) && pkt 'done'
            [[ $number == ?7 ]] && pkt 'want-ref HEAD'
            printf 0000
        } | serve 2 2>"$scratch/null" | say "fetch2-$number" "$number" || true
    done
    for number in 15 05 35 16 06 36; do
        {
            local able='multi_ack_detailed no-done side-band-64k ofs-delta shallow'
            [[ $number == ?6 ]] && able='multi_ack ofs-delta shallow'
            pkt "want $want $able"
            ((0x$number & 32)) && pkt "shallow $have" && pkt 'deepen 1'
            printf 0000 && pkt "have $have"
            if ((0x$number & 16)); then pkt 'done'; else printf 0000; fi
        } | serve 0 2>"$scratch/null" | say "fetch0-$number" "$number" || true
    done
}

environment() { # TARGET
    export APUS_FUZZ_SCRATCH=$scratch APUS_FUZZ_OBJECTS=$scratch/tiny/objects
    export APUS_FUZZ_PACK=$scratch/a.pack
    # A crash is told by the sanitizer, once. What is freed is kept a while, but not by the gigabyte.
    export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=quarantine_size_mb=32:malloc_context_size=4
}

prepare() { # TARGET
    make_repository tiny sha1
    make_repository sha256 sha256
    mkdir -p "$scratch/seeds" "$corpora/$1" "$findings"
    "seed_$1" "$scratch/seeds"
    environment
}

program() { # TARGET
    echo "$build/release/${products[$1]}"
}

run() { # TARGET
    local target=$1 options=()
    echo "== $target, $seconds seconds"
    build "$target"
    prepare "$target"
    case $target in
    pack | index) options=(-max_len=8192) ;;
    delta) options=(-max_len=2048) ;;
    pktline) options=(-max_len=4096 "-dict=$dictionary") ;;
    esac
    "$(program "$target")" "${options[@]}" -max_total_time="$seconds" -timeout=25 \
        -rss_limit_mb=2048 -malloc_limit_mb=64 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$findings/$target-" "$corpora/$target" "$scratch/seeds" \
        2>"$findings/$target.log" || {
        grep -v -E '^#[0-9]+.*(NEW|REDUCE|pulse)' "$findings/$target.log" | tail -n 60
        return 1
    }
    grep -E '^#[0-9]+.*(INITED|DONE)|^stat::|^Done' "$findings/$target.log"
    rm -rf "${scratch:?}"/*
}

reproduce() { # TARGET FILE [PATH]
    build "$1"
    prepare "$1"
    APUS_FUZZ_WRITE=${3:-} "$(program "$1")" -malloc_limit_mb=64 "$2"
}

if [[ ${1:-} == reproduce ]]; then
    reproduce "${@:2}"
    exit
fi
targets=("$@")
((${#targets[@]})) || targets=(pack delta index pktline)
for target in "${targets[@]}"; do
    [[ -n ${products[$target]:-} ]] || { echo "no fuzz target '$target'" >&2; exit 2; }
done
for target in "${targets[@]}"; do run "$target"; done
