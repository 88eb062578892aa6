#!/usr/bin/env bash
# Tests the SHA-1 kernels in C alone: under the address and undefined-behaviour sanitizers of the
# compilers that are here; and those of 64-bit ARM, cross-compiled, in an emulator.
# Debian's packages for that: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The collisions of the Swift tests: the named pieces, joined.
awk '/let [a-zA-Z]+ = """$/ { name = $(NF - 2); next }
     /"""$/ { name = "" }
     name { hex[name] = hex[name] $1 }
     END {
         print "static const char *const collisions[] = {"
         printf "\"%s\",\n", hex["commonPrefix"] hex["firstBlocks"]
         printf "\"%s\",\n", hex["commonPrefix"] hex["secondBlocks"]
         printf "\"%s\",\n\"%s\"};\n", hex["firstShambles"], hex["secondShambles"]
     }' Tests/GitCoreTests/HashingCollisions.swift >"$scratch/collisions.h"

run() { # NAME, EMULATOR or nothing, COMPILER...
    local name=$1 emulator=$2
    shift 2
    "$@" -Wall -Wextra -Werror -I "$scratch" -I Sources/CSHA1/include \
        Tests/Fixtures/kernels.c Sources/CSHA1/*.c -o "$scratch/kernels"
    local kernels
    kernels=$($emulator "$scratch/kernels") || { echo "$name: $kernels"; exit 1; }
    echo "$name:$kernels"
}

# Swift's clang calls a linker that warns of each name of the sanitizer.
lld=()
if command -v ld.lld >/dev/null; then lld=(-fuse-ld=lld); fi

for compiler in clang gcc; do
    [[ $compiler == clang ]] && linker=("${lld[@]}") || linker=()
    command -v "$compiler" >/dev/null || { echo "$compiler is not installed: not tried"; continue; }
    run "$compiler -O1, sanitizers" "" "$compiler" -O1 -g "${linker[@]}" \
        -fsanitize=address,undefined -fno-sanitize-recover=all
    run "$compiler -O3" "" "$compiler" -O3 "${linker[@]}"
done

if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
    for level in -O0 -O2; do
        run "aarch64 gcc $level" qemu-aarch64 aarch64-linux-gnu-gcc -static "$level"
    done
    if command -v clang >/dev/null && [[ ${#lld[@]} -gt 0 ]]; then
        run "aarch64 clang -O2" qemu-aarch64 \
            clang --target=aarch64-linux-gnu "${lld[@]}" -static -O2
    fi
else
    echo "no compiler for aarch64 or no qemu-aarch64: the kernel for ARM is not tested"
fi
