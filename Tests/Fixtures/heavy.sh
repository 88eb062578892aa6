#!/usr/bin/env bash
# Three incompressible megabytes: enough that a slow server is still sending when a test acts.
BYTES=3000000 exec "$(dirname "$0")/big-blob.sh" "$@"
