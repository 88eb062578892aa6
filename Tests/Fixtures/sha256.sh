#!/usr/bin/env bash
# Object ids of SHA-256.
. "$(dirname "$0")/lib.sh"
begin --object-format=sha256
echo 'Hello' >greeting
mkdir deep && echo 'Below' >deep/file
commit 'First'
echo 'Again' >greeting
commit 'Second'
git tag -a -m 'Annotated' v1
