#!/usr/bin/env bash
# Runs tests under the thread sanitizer: those of what runs on several threads, or those that a filter
# names (a regular expression, as `swift test --filter` takes it).
#
#   test-threads.sh [FILTER]
#
# The sanitizer does not see into Swift's own libraries, where a Mutex that is not free at once is taken.
# Tests/Fixtures/mutex.c is linked in its place, so that every report is of a race.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift=${SWIFT:-swift}
filter=${1:-GitCoreTests|GitCacheTests|GitServerTests|GitStoreTests.(Pack|Prepared|Ref|Object|MultiPack|Delta|Damaged)}
build=.build/threads

command -v clang >/dev/null || { echo "test-threads: clang is not installed" >&2; exit 1; }
mkdir -p "$build"
clang -O1 -fsanitize=thread -c Tests/Fixtures/mutex.c -o "$build/mutex.o"
"$swift" build -q --build-tests --sanitize=thread --scratch-path "$build" \
    -Xlinker "$PWD/$build/mutex.o"
program=$(echo "$build"/debug/*.xctest)
# What is about memory or time says nothing here.
TSAN_OPTIONS=exitcode=66 "$program" --testing-library swift-testing --filter "$filter" \
    --skip 'PackMemoryTests|PackLimitsTests|idleConnectionsTakeLittleMemory|chosenIDs'
