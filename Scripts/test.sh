#!/usr/bin/env bash
# Runs the tests, one module's after the other: those of the command start programs and wait for them,
# which would hold up the asynchronous ones of the client in the same process.
#
#   test.sh [OPTION OF swift test...]
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
swift=${SWIFT:-swift}
"$swift" build --build-tests "$@" || exit 1

# The tests make and remove small files by the ten thousand, less than 2 GiB at a time. In memory that
# takes the system half the time, if it has the room.
if [[ -z ${TMPDIR:-} ]] && room=$(df --output=avail /dev/shm 2>/dev/null | tail -n 1) &&
    ((room > 4 << 20)) && TMPDIR=$(mktemp -d /dev/shm/apus-tests.XXXXXX); then
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi

failed=0
for module in GitCore GitWire GitStore GitWorktree GitClient GitServer GitCache Apus; do
    echo "== ${module}Tests"
    # What passes says so in the last line; all is shown of what fails.
    if output=$("$swift" test --skip-build --filter "^${module}Tests\\." "$@" 2>&1); then
        tail -n 1 <<<"$output"
    else
        printf '%s\n' "$output"
        failed=1
    fi
done
exit $failed
