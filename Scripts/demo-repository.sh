#!/usr/bin/env bash
# Makes the bare repository DIRECTORY that the demos serve: a clone of this project where it is one, else a small
# history. It is a copy, for what leads out of a root is not served.
set -euo pipefail
project=$(dirname "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")

if [[ $(git -c safe.directory='*' -C "$project" rev-parse --is-shallow-repository 2>/dev/null) == false &&
    $(git -c safe.directory='*' -C "$project" rev-parse --show-toplevel) == "$project" ]]; then
    git -c safe.directory='*' clone -q --bare "$project" "$1"
else
    "$project/Tests/Fixtures/history.sh" "$1"
fi
