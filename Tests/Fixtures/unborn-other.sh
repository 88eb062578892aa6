#!/usr/bin/env bash
# HEAD names a branch that is not born, but there are other branches.
. "$(dirname "$0")/lib.sh"
begin
echo 'Here' >file
commit 'First'
git branch -m main elsewhere
git symbolic-ref HEAD refs/heads/not-yet
