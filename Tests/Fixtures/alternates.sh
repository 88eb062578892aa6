#!/usr/bin/env bash
# A fork that has only its own objects; the rest is in a base beside it (objects/info/alternates).
. "$(dirname "$0")/lib.sh"
begin
echo 'Base' >file
commit 'Base'
git repack -q -a -d
base=${repository%.git}-base.git
cp -R "$repository" "$base"
rm -rf objects && rm -f "$repository"/objects/pack/*
printf '%s\n' "$base/objects" >"$repository/objects/info/alternates"
echo 'Fork' >file
commit 'Fork'
