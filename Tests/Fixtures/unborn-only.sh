#!/usr/bin/env bash
# No commit; HEAD names a branch that is not born and has an unusual name.
. "$(dirname "$0")/lib.sh"
begin
git symbolic-ref HEAD refs/heads/unusual/name
