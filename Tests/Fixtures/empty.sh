#!/usr/bin/env bash
# No commit; HEAD names a branch that is not born, main.
. "$(dirname "$0")/lib.sh"
begin
