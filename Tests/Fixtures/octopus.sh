#!/usr/bin/env bash
# A merge of five parents, and a root commit beside the first.
. "$(dirname "$0")/lib.sh"
begin
echo 'Base' >base
commit 'Base'
parents=(-p "$(git rev-parse main)")
for arm in 1 2 3; do
    git checkout -q -b "arm$arm" main
    echo "$arm" >"arm$arm"
    commit "Arm $arm"
    parents+=(-p "$(git rev-parse HEAD)")
done
git checkout -q --orphan other-root
git rm -q -r -f --cached .
rm -rf ./*
echo 'Apart' >apart
commit 'Another root'
parents+=(-p "$(git rev-parse HEAD)")
for arm in 1 2 3; do git show "arm$arm:arm$arm" >"arm$arm"; done
git show main:base >base
git add -A
tick
git update-ref refs/heads/main "$(git commit-tree "$(git write-tree)" "${parents[@]}" -m 'All')"
git symbolic-ref HEAD refs/heads/main
