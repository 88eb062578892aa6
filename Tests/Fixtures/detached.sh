#!/usr/bin/env bash
# HEAD is detached, at a commit that no branch has.
. "$(dirname "$0")/lib.sh"
begin
echo 'One' >file
commit 'First'
git checkout -q --detach
echo 'Two' >file
commit 'Second, on no branch'
