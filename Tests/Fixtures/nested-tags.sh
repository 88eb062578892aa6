#!/usr/bin/env bash
# Tags of every kind of object, tags of tags, and a branch-like name with slashes.
. "$(dirname "$0")/lib.sh"
begin
git config advice.nestedTag false
echo 'Tagged' >file
commit 'First'
tick
git tag -a -m 'Of a commit' annotated main
git tag -a -m 'Of a tag' twice annotated
git tag -a -m 'Of a tag of a tag' thrice twice
git tag -a -m 'Of a tree' of-tree 'main^{tree}'
git tag -a -m 'Of a blob' of-blob main:file
git tag light-tree 'main^{tree}'
git tag light-blob main:file
git tag release/2.0 main
echo 'On no branch' >file
git add -A
git tag -a -m 'Of a commit that no branch has' aside \
    "$(git commit-tree "$(git write-tree)" -p main -m 'Aside')"
